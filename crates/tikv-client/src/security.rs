//! How connections are secured.

use std::path::PathBuf;

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

    /// Whether connections are to be encrypted.
    pub fn is_tls(&self) -> bool {
        self.ca.is_some() || self.cert.is_some() || self.key.is_some()
    }

    /// URL scheme of the endpoints in this mode.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_tls() { "https" } else { "http" }
    }

    /// Turns `host:port` or a URL into a URL, and refuses what cannot be connected to.
    ///
    /// # Errors
    /// [`Error::TlsNotBuilt`] if the endpoint needs TLS, [`Error::InvalidEndpoint`] if it is no URL.
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
            Some("https") => Err(Error::TlsNotBuilt { endpoint: endpoint.to_owned() }),
            Some("http") if self.is_tls() => {
                Err(invalid("certificates are given but the scheme is http".to_owned()))
            }
            Some("http") => Ok(url),
            _ => Err(invalid("the scheme must be http or https".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_urls_and_bad_ones_are_named() {
        let plain = Security::none();
        assert_eq!(plain.url("127.0.0.1:2379").unwrap(), "http://127.0.0.1:2379");
        assert_eq!(plain.url(" http://pd:2379/ ").unwrap(), "http://pd:2379");
        assert!(matches!(plain.url("https://pd:2379"), Err(Error::TlsNotBuilt { .. })));
        assert!(matches!(plain.url("ftp://pd:2379"), Err(Error::InvalidEndpoint { .. })));
        assert!(matches!(plain.url("http://"), Err(Error::InvalidEndpoint { .. })));
        let tls = Security { ca: Some("ca.pem".into()), ..Security::default() };
        assert!(matches!(tls.url("pd:2379"), Err(Error::TlsNotBuilt { .. })));
    }
}
