//! How connections are secured.

use std::path::{Path, PathBuf};

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::error::{Error, Result};

/// Paths of the PEM files for TLS. All empty means plain text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// Certificate authority that signed the servers' certificates.
    pub ca: Option<PathBuf>,
    /// Our certificate, for servers that verify their clients.
    pub cert: Option<PathBuf>,
    /// Private key of `cert`.
    pub key: Option<PathBuf>,
}

impl Security {
    /// Plain text connections.
    pub fn none() -> Self {
        Self::default()
    }

    /// The files of the flags `--ca`, `--cert` and `--key`; empty paths count as not given. The files are read, so that
    /// a wrong path is told now and not at the first connection.
    ///
    /// # Errors
    /// [`Error::Certificate`] if a file cannot be read or holds something else, or if one is missing: a certificate
    /// needs its key and a certificate authority.
    pub fn from_files(ca: Option<PathBuf>, cert: Option<PathBuf>, key: Option<PathBuf>) -> Result<Self> {
        let given = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let security = Self { ca: given(ca), cert: given(cert), key: given(key) };
        security.tls_config()?;
        Ok(security)
    }

    /// Whether connections are to be encrypted.
    pub fn is_tls(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }

    /// URL scheme of the endpoints in this mode.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    /// What a connection needs to be encrypted; `None` in plain text. Reads the files.
    pub(crate) fn tls_config(&self) -> Result<Option<ClientTlsConfig>> {
        if !self.is_tls() {
            return Ok(None);
        }
        let Some(ca) = &self.ca else {
            return Err(missing("no certificate authority is given; add --ca"));
        };
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(ca, "CERTIFICATE")?));
        match (&self.cert, &self.key) {
            (None, None) => Ok(Some(config)),
            (Some(cert), Some(key)) => {
                let identity = Identity::from_pem(read(cert, "CERTIFICATE")?, read(key, "PRIVATE KEY")?);
                Ok(Some(config.identity(identity)))
            }
            (Some(_), None) => Err(missing("a certificate is given without its private key; add --key")),
            (None, Some(_)) => Err(missing("a private key is given without its certificate; add --cert")),
        }
    }

    /// Turns `host:port` or a URL into a URL, and refuses what cannot be connected to.
    ///
    /// # Errors
    /// [`Error::TlsNotConfigured`] if the endpoint needs TLS and no certificates are given, [`Error::InvalidEndpoint`]
    /// if it is no URL.
    pub(crate) fn url(&self, endpoint: &str) -> Result<String> {
        let trimmed = endpoint.trim();
        let trimmed = if trimmed.ends_with("://") { trimmed } else { trimmed.trim_end_matches('/') };
        let url = if trimmed.contains("://") {
            trimmed.to_owned()
        } else {
            format!("{}://{trimmed}", self.scheme())
        };
        let invalid = |reason: String| Error::InvalidEndpoint { endpoint: endpoint.to_owned(), reason };
        let uri: http::Uri =
            url.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
        if uri.host().is_none_or(str::is_empty) {
            return Err(invalid("it has no host".to_owned()));
        }
        match uri.scheme_str() {
            Some("https") if self.is_tls() => Ok(url),
            Some("https") => Err(Error::TlsNotConfigured { endpoint: endpoint.to_owned() }),
            Some("http") if self.is_tls() => {
                Err(invalid("certificates are given but the scheme is http".to_owned()))
            }
            Some("http") => Ok(url),
            _ => Err(invalid("the scheme must be http or https".to_owned())),
        }
    }
}

/// The error for files that do not belong together.
fn missing(reason: &str) -> Error {
    Error::Certificate { path: PathBuf::new(), reason: reason.to_owned() }
}

/// Reads a PEM file that must hold an entry of a kind.
fn read(path: &Path, kind: &str) -> Result<Vec<u8>> {
    let failed = |reason: String| Error::Certificate { path: path.to_owned(), reason };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&pem);
    let found = text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(kind));
    if found { Ok(pem) } else { Err(failed(format!("it holds no PEM entry {kind}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_urls_and_bad_ones_are_named() {
        let plain = Security::none();
        assert_eq!(plain.url("127.0.0.1:2379").unwrap(), "http://127.0.0.1:2379");
        assert_eq!(plain.url(" http://pd:2379/ ").unwrap(), "http://pd:2379");
        assert!(matches!(plain.url("https://pd:2379"), Err(Error::TlsNotConfigured { .. })));
        assert!(matches!(plain.url("ftp://pd:2379"), Err(Error::InvalidEndpoint { .. })));
        assert!(matches!(plain.url("http://"), Err(Error::InvalidEndpoint { .. })));
        let tls = Security { ca: Some("ca.pem".into()), ..Security::default() };
        assert_eq!(tls.url("pd:2379").unwrap(), "https://pd:2379");
        assert_eq!(tls.url("https://pd:2379").unwrap(), "https://pd:2379");
        assert!(matches!(tls.url("http://pd:2379"), Err(Error::InvalidEndpoint { .. })));
    }

    #[test]
    fn files_that_do_not_belong_together_are_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let ca = file("ca.pem", "-----BEGIN CERTIFICATE-----\n");
        let key = file("key.pem", "-----BEGIN PRIVATE KEY-----\n");
        let refused = |ca, cert, key| match Security::from_files(ca, cert, key) {
            Err(Error::Certificate { path, reason }) => format!("{}: {reason}", path.display()),
            other => panic!("{other:?}"),
        };
        assert!(!Security::from_files(Some("".into()), None, None).unwrap().is_tls());
        assert!(Security::from_files(ca.clone(), None, None).unwrap().is_tls());
        assert!(refused(None, ca.clone(), key.clone()).contains("--ca"));
        assert!(refused(ca.clone(), ca.clone(), None).contains("--key"));
        assert!(refused(ca, None, key.clone()).contains("--cert"));
        assert!(refused(key, None, None).contains("key.pem: it holds no PEM entry CERTIFICATE"));
        assert!(refused(Some(dir.path().join("gone.pem")), None, None).contains("gone.pem"));
    }
}
