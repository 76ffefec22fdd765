//! Who we are to the brokers: SASL in all of its forms.

use std::ffi::{CString, c_char};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use rdkafka::ClientConfig;
use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::{Client, DefaultClientContext, OAuthToken};

use crate::error::SinkError;
use crate::oauth::OauthConfig;

/// An administrative client gets a new token when the old one is good for less than this.
const RENEW_BEFORE: Duration = Duration::from_secs(30);
/// Bytes for librdkafka's message about a token that it refuses.
const ERROR_BYTES: usize = 512;

/// True if the program was built with Kerberos (cargo feature `gssapi`).
pub const HAS_KERBEROS: bool = cfg!(feature = "gssapi");

/// Name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslConfig {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// User name.
    pub user: String,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for SaslConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaslConfig")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A key table of Kerberos. Works where [`HAS_KERBEROS`] is true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerberosConfig {
    /// Name of the brokers' service.
    pub service_name: String,
    /// Own principal, `user@REALM`.
    pub principal: String,
    /// File with its keys.
    pub keytab: String,
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// Name and password.
    Password(SaslConfig),
    /// OAUTHBEARER.
    Oauth(OauthConfig),
    /// GSSAPI.
    Kerberos(KerberosConfig),
}

impl Login {
    /// Adds librdkafka's settings.
    pub(crate) fn apply(&self, config: &mut ClientConfig) -> Result<(), SinkError> {
        match self {
            Self::Password(sasl) => {
                config
                    .set("sasl.mechanism", &sasl.mechanism)
                    .set("sasl.username", &sasl.user)
                    .set("sasl.password", &sasl.password);
            }
            // Tokens come through the clients.
            Self::Oauth(_) => {
                config.set("sasl.mechanism", "OAUTHBEARER");
            }
            Self::Kerberos(_) if !HAS_KERBEROS => {
                return Err(SinkError::InvalidConfig(
                    "sasl-mechanism GSSAPI needs a program that was built with the cargo feature gssapi"
                        .to_owned(),
                ));
            }
            Self::Kerberos(kerberos) => {
                config
                    .set("sasl.mechanism", "GSSAPI")
                    .set("sasl.kerberos.service.name", &kerberos.service_name)
                    .set("sasl.kerberos.principal", &kerberos.principal)
                    .set("sasl.kerberos.keytab", &kerberos.keytab);
            }
        }
        Ok(())
    }

    /// A new token, where it is by tokens that we log in. Blocks.
    pub(crate) fn token(&self) -> Option<Result<OAuthToken, SinkError>> {
        match self {
            Self::Oauth(oauth) => Some(oauth.fetch()),
            Self::Password(_) | Self::Kerberos(_) => None,
        }
    }
}

/// The token of a client that does not ask for one itself.
#[derive(Debug, Default)]
pub(crate) struct HeldToken {
    /// When it ends, milliseconds since 1970.
    ends_ms: Mutex<i64>,
}

impl HeldToken {
    /// Gives the client a token if it has none, or none that lasts. Blocks while one is fetched.
    pub(crate) fn renew(
        &self,
        login: Option<&Login>,
        client: &Client<DefaultClientContext>,
    ) -> Result<(), SinkError> {
        let Some(login) = login else { return Ok(()) };
        let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + RENEW_BEFORE;
        let mut ends_ms = self.ends_ms.lock();
        if *ends_ms > i64::try_from(soon.as_millis()).unwrap_or(i64::MAX) {
            return Ok(());
        }
        let Some(token) = login.token() else { return Ok(()) };
        let token = token?;
        hand_over(client, &token)?;
        *ends_ms = token.lifetime_ms;
        Ok(())
    }
}

/// Gives a client a token. The wrapper of librdkafka serves requests for tokens of producers and consumers only; an
/// administrative client must be given its token by the call underneath.
#[allow(
    unsafe_code,
    reason = "there is no safe call for it; the pointers outlive it, and the client is alive"
)]
fn hand_over(client: &Client<DefaultClientContext>, token: &OAuthToken) -> Result<(), SinkError> {
    let text = |text: &str| {
        CString::new(text).map_err(|_| SinkError::InvalidConfig("a token holds a zero byte".to_owned()))
    };
    let (value, principal) = (text(&token.token)?, text(&token.principal_name)?);
    let mut error: [c_char; ERROR_BYTES] = [0; ERROR_BYTES];
    // SAFETY: the client is borrowed, so librdkafka's handle is valid; both texts end with a zero and live until the
    // call returns, which copies them; no extensions are given; librdkafka writes at most ERROR_BYTES of an error.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            error.as_mut_ptr(),
            ERROR_BYTES,
        )
    };
    if code == rdkafka::types::RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return Ok(());
    }
    let bytes: Vec<u8> = error.iter().take_while(|byte| **byte != 0).map(|byte| *byte as u8).collect();
    Err(SinkError::InvalidConfig(format!("the OAuth token is refused: {}", String::from_utf8_lossy(&bytes))))
}
