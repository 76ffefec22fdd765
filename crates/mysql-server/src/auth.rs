//! Proof of identity: `mysql_native_password` and the fast path of `caching_sha2_password`.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of salt in the handshake.
pub(crate) const SALT_BYTES: usize = 20;
/// SHA-1 challenge and response; every client has it.
pub(crate) const NATIVE: &str = "mysql_native_password";
/// SHA-256 challenge and response.
pub(crate) const CACHING_SHA2: &str = "caching_sha2_password";

/// What the server keeps of a password: never the password.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// The empty password.
    Empty,
    /// Double hashes of a password, one for each method.
    Hashed {
        /// SHA1(SHA1(password)).
        native: [u8; 20],
        /// SHA256(SHA256(password)).
        sha2: [u8; 32],
    },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Credential::Empty",
            Self::Hashed { .. } => "Credential::Hashed(..)",
        })
    }
}

impl Credential {
    /// Hashes a password.
    pub fn from_password(password: &str) -> Self {
        if password.is_empty() {
            return Self::Empty;
        }
        Self::Hashed {
            native: Sha1::digest(Sha1::digest(password)).into(),
            sha2: Sha256::digest(Sha256::digest(password)).into(),
        }
    }

    /// Checks the client's answer to `salt` under `plugin`; `None` if the plugin is unknown.
    pub(crate) fn verify(&self, plugin: &str, salt: &[u8; SALT_BYTES], answer: &[u8]) -> Option<bool> {
        let (native, sha2) = match self {
            Self::Empty => {
                let empty = answer.is_empty() || answer == [0];
                return (plugin == NATIVE || plugin == CACHING_SHA2).then_some(empty);
            }
            Self::Hashed { native, sha2 } => (native, sha2),
        };
        match plugin {
            NATIVE => Some(verify_native(native, salt, answer)),
            CACHING_SHA2 => Some(verify_sha2(sha2, salt, answer)),
            _ => None,
        }
    }
}

/// answer = SHA1(password) XOR SHA1(salt, SHA1(SHA1(password))).
fn verify_native(double: &[u8; 20], salt: &[u8; SALT_BYTES], answer: &[u8]) -> bool {
    let mask: [u8; 20] = Sha1::new().chain_update(salt).chain_update(double).finalize().into();
    let Ok(answer) = <[u8; 20]>::try_from(answer) else { return false };
    let single: Vec<u8> = answer.iter().zip(mask).map(|(a, m)| a ^ m).collect();
    Sha1::digest(single).as_slice().ct_eq(double).into()
}

/// answer = SHA256(password) XOR SHA256(SHA256(SHA256(password)), salt).
fn verify_sha2(double: &[u8; 32], salt: &[u8; SALT_BYTES], answer: &[u8]) -> bool {
    let mask: [u8; 32] = Sha256::new().chain_update(double).chain_update(salt).finalize().into();
    let Ok(answer) = <[u8; 32]>::try_from(answer) else { return false };
    let single: Vec<u8> = answer.iter().zip(mask).map(|(a, m)| a ^ m).collect();
    Sha256::digest(single).as_slice().ct_eq(double).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client computes.
    fn answer<D: Digest>(password: &str, mask: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let single = D::digest(password);
        let double = D::digest(&single);
        single.iter().zip(mask(&double)).map(|(s, m)| s ^ m).collect()
    }

    #[test]
    fn right_passwords_pass_and_wrong_ones_do_not() {
        let salt = *b"abcdefghijklmnopqrst";
        let stored = Credential::from_password("s3cret");
        let native =
            |p| answer::<Sha1>(p, |d| Sha1::new().chain_update(salt).chain_update(d).finalize().to_vec());
        let sha2 =
            |p| answer::<Sha256>(p, |d| Sha256::new().chain_update(d).chain_update(salt).finalize().to_vec());
        assert_eq!(stored.verify(NATIVE, &salt, &native("s3cret")), Some(true));
        assert_eq!(stored.verify(NATIVE, &salt, &native("guess")), Some(false));
        assert_eq!(stored.verify(CACHING_SHA2, &salt, &sha2("s3cret")), Some(true));
        assert_eq!(stored.verify(CACHING_SHA2, &salt, &sha2("guess")), Some(false));
        assert_eq!(stored.verify(NATIVE, &salt, b""), Some(false));
        assert_eq!(stored.verify("dialog", &salt, b""), None);
        assert_eq!(Credential::Empty.verify(NATIVE, &salt, b""), Some(true));
        assert_eq!(Credential::Empty.verify(NATIVE, &salt, &native("x")), Some(false));
    }
}
