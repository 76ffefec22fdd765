//! The HTTP client of captures and of the command line: encrypted if certificates are given.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use openssl::pkey::PKey;
use reqwest::{Certificate, Client, Identity};
use tikv_client::Security;

use super::files::{Stamps, stamps};
use super::{TlsError, scheme};

/// Beginning of the keys that the TLS library of the client takes; others are rewritten.
const PKCS8: &[u8] = b"-----BEGIN PRIVATE KEY-----";

/// A client for the API of captures. With certificates it trusts only their authority.
///
/// # Errors
/// [`TlsError::File`] if a file can't be read or used.
pub fn http_client(security: &Security) -> Result<Client, TlsError> {
    let mut builder = Client::builder();
    if let Some(ca) = &security.ca {
        let failed = |error: reqwest::Error| file_error(ca, &error);
        let authorities = Certificate::from_pem_bundle(&read(ca)?).map_err(failed)?;
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(cert), Some(key)) = (&security.cert, &security.key) {
        let identity =
            Identity::from_pkcs8_pem(&read(cert)?, &pkcs8(key)?).map_err(|error| file_error(cert, &error))?;
        builder = builder.identity(identity);
    }
    builder.build().map_err(TlsError::Client)
}

/// How captures call each other.
pub(crate) struct Caller {
    /// Certificates.
    security: Security,
    /// The client, with the state of the files that it was made of.
    made: ArcSwap<(Stamps, Client)>,
}

impl Caller {
    /// A client with these certificates.
    pub(crate) fn new(security: &Security) -> Result<Self, TlsError> {
        // Before reading: what is written meanwhile is read again.
        let state = state(security);
        let made = ArcSwap::from_pointee((state, http_client(security)?));
        Ok(Self { security: security.clone(), made })
    }

    /// The client for the next request: a new one after certificates have changed.
    pub(crate) fn client(&self) -> Result<Client, TlsError> {
        let made = self.made.load();
        let state = state(&self.security);
        if made.0 == state {
            return Ok(made.1.clone());
        }
        let client = http_client(&self.security)?;
        self.made.store(Arc::new((state, client.clone())));
        Ok(client)
    }

    /// URL of another capture.
    pub(crate) fn url(&self, address: &str) -> String {
        format!("{}://{address}", scheme(&self.security))
    }
}

/// The state of the files.
fn state(security: &Security) -> Stamps {
    stamps([security.ca.as_ref(), security.cert.as_ref(), security.key.as_ref()])
}

/// Reads a file.
fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| file_error(path, &error))
}

/// What is wrong with a file.
fn file_error(path: &Path, error: &dyn std::error::Error) -> TlsError {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    TlsError::File { path: path.to_owned(), reason }
}

/// A private key in PKCS#8, whatever form the file has: cfssl and older tools write others.
fn pkcs8(path: &Path) -> Result<Vec<u8>, TlsError> {
    let pem = read(path)?;
    if pem.starts_with(PKCS8) {
        return Ok(pem);
    }
    let key = PKey::private_key_from_pem(&pem).map_err(|error| file_error(path, &error))?;
    key.private_key_to_pem_pkcs8().map_err(|error| file_error(path, &error))
}
