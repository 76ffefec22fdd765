//! Users of TiDB as users of the API: a name must be on the list, and a TiDB of the cluster must let in whoever has name
//! and password. As in TiCDC nothing is kept: a user that TiDB does not know any more is refused at once.

mod encryption;
mod login;
mod proof;
mod topology;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use changefeed::FeedError;
use tikv_client::EtcdClient;
use tokio::sync::Semaphore;

use login::LoginError;

/// Longest time to find the TiDBs, and for each login.
const LIMIT: Duration = Duration::from_secs(2);
/// Logins at once; more wait. TiDB should not notice the API.
const MAX_LOGINS: usize = 16;

/// Checks users.
pub(crate) struct Users {
    /// Names that may be asked about.
    allowed: Vec<String>,
    /// Where TiDBs are listed.
    etcd: EtcdClient,
    /// Bounds the logins.
    places: Semaphore,
}

/// A user's name and password as the request has them.
struct Credentials {
    /// Name.
    user: String,
    /// Password.
    password: String,
}

/// The error for a user that is not let in.
fn unauthorized(user: &str, reason: &str) -> FeedError {
    FeedError::new("CDC:ErrUnauthorized", format!("user {user} unauthorized, error: {reason}"))
}

/// Reads a header of basic authentication.
fn credentials(header: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials { user: user.to_owned(), password: password.to_owned() })
}

impl Users {
    /// Checks users with these names.
    pub(crate) fn new(allowed: Vec<String>, etcd: EtcdClient) -> Self {
        Self { allowed, etcd, places: Semaphore::new(MAX_LOGINS) }
    }

    /// Checks the `Authorization` header of a request.
    ///
    /// # Errors
    /// `CDC:ErrCredentialNotFound` without name and password, `CDC:ErrUnauthorized` if they are not let in.
    pub(crate) async fn check(&self, header: Option<&[u8]>) -> Result<(), FeedError> {
        let Some(given) = header.and_then(credentials) else {
            return Err(FeedError::new(
                "CDC:ErrCredentialNotFound",
                "credential not found: please specify the user and password via authorization header",
            ));
        };
        if !self.allowed.contains(&given.user) {
            let reason = if given.user.is_empty() {
                "Empty username is not allowed."
            } else {
                "The user is not allowed."
            };
            return Err(unauthorized(&given.user, reason));
        }
        let addresses = match tokio::time::timeout(LIMIT, topology::addresses(&self.etcd)).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(unauthorized(&given.user, &error.to_string())),
            Err(_) => return Err(unauthorized(&given.user, "etcd did not list the TiDB servers in time")),
        };
        self.log_in(&given, &addresses).await
    }

    /// Asks one TiDB after the other, until one answers.
    async fn log_in(&self, given: &Credentials, addresses: &[String]) -> Result<(), FeedError> {
        let mut last = "tidb instance not found in topology, please check if the tidb is running".to_owned();
        let _place = self.places.acquire().await;
        for address in addresses {
            match tokio::time::timeout(LIMIT, login::check(address, &given.user, &given.password)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(denied @ LoginError::Denied { .. })) => {
                    return Err(unauthorized(&given.user, &denied.to_string()));
                }
                Ok(Err(other)) => last = format!("{address}: {other}"),
                Err(_) => last = format!("{address}: no answer within {LIMIT:?}"),
            }
        }
        Err(unauthorized(&given.user, &last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_are_read_from_the_header() {
        let read = |header: &str| credentials(header.as_bytes()).map(|c| (c.user, c.password));
        let encoded = STANDARD.encode("root:a:b");
        assert_eq!(read(&format!("Basic {encoded}")), Some(("root".to_owned(), "a:b".to_owned())));
        assert_eq!(read(&format!("basic  {encoded} ")), Some(("root".to_owned(), "a:b".to_owned())));
        for bad in ["", "Basic", "Basic %%%", &format!("Bearer {encoded}"), "Basic cm9vdA=="] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
