//! How a password is proved to MySQL's servers without sending it.

use sha1::Sha1;
use sha2::{Digest, Sha256};

/// SHA-1 challenge and response: TiDB's default.
pub(super) const NATIVE: &str = "mysql_native_password";
/// SHA-256 challenge and response, or the password itself on an encrypted connection.
pub(super) const CACHING_SHA2: &str = "caching_sha2_password";

/// The answer to a salt; `None` for a method that is not known.
pub(super) fn prove(plugin: &str, password: &str, salt: &[u8]) -> Option<Vec<u8>> {
    match plugin {
        NATIVE | CACHING_SHA2 if password.is_empty() => Some(Vec::new()),
        NATIVE => {
            let double = Sha1::digest(Sha1::digest(password));
            let mask = Sha1::new().chain_update(salt).chain_update(double).finalize();
            Some(xor(&Sha1::digest(password), &mask))
        }
        CACHING_SHA2 => {
            let double = Sha256::digest(Sha256::digest(password));
            let mask = Sha256::new().chain_update(double).chain_update(salt).finalize();
            Some(xor(&Sha256::digest(password), &mask))
        }
        _ => None,
    }
}

/// Exclusive or of two hashes.
fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}
