//! TLS and credentials of the Kafka side.

use crate::error::ConfigError;
use crate::kafka_options::Merge;
use crate::sink_config::KafkaConfig;

/// Credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslOptions {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// User name.
    pub user: String,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for SaslOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SaslOptions({} as {:?})", self.mechanism, self.user)
    }
}

/// Files in PEM, on the machine of the capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificates that are trusted.
    pub ca: String,
    /// Own certificate.
    pub cert: String,
    /// Its key.
    pub key: String,
}

/// TLS to the brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsOptions {
    /// Files; without them the certificates of the operating system are trusted.
    pub files: Option<TlsFiles>,
    /// Take any certificate.
    pub insecure_skip_verify: bool,
}

/// TLS: asked for by `enable-tls`, or by naming all three files.
pub(crate) fn tls(merge: &Merge<'_>, file: &KafkaConfig) -> Result<Option<TlsOptions>, ConfigError> {
    let enabled = merge.flag("enable-tls", file.enable_tls)?;
    let insecure_skip_verify =
        merge.flag("insecure-skip-verify", file.insecure_skip_verify)?.unwrap_or(false);
    let files = [("ca", &file.ca), ("cert", &file.cert), ("key", &file.key)]
        .map(|(key, value)| merge.text(key, value.as_ref()));
    match (files, enabled) {
        ([None, None, None], Some(true)) => Ok(Some(TlsOptions { files: None, insecure_skip_verify })),
        ([None, None, None], _) => Ok(None),
        ([Some(_), Some(_), Some(_)], Some(false)) => {
            Err(ConfigError::kafka("credential files are supplied, but 'enable-tls' set to false"))
        }
        ([Some(ca), Some(cert), Some(key)], _) => {
            Ok(Some(TlsOptions { files: Some(TlsFiles { ca, cert, key }), insecure_skip_verify }))
        }
        _ => Err(ConfigError::kafka("ca, cert and key files should all be supplied, or none of them")),
    }
}

/// Credentials.
pub(crate) fn sasl(merge: &Merge<'_>, file: &KafkaConfig) -> Result<Option<SaslOptions>, ConfigError> {
    let Some(mechanism) = merge.text("sasl-mechanism", file.sasl_mechanism.as_ref()) else { return Ok(None) };
    let mechanism = mechanism.to_uppercase();
    match mechanism.as_str() {
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => {}
        "GSSAPI" | "OAUTHBEARER" => {
            return Err(ConfigError::kafka(format!(
                "sasl-mechanism {mechanism} is not supported; use plain, scram-sha-256 or scram-sha-512"
            )));
        }
        _ => return Err(ConfigError::kafka(format!("unknown {mechanism} SASL mechanism"))),
    }
    let user = merge.text("sasl-user", file.sasl_user.as_ref()).unwrap_or_default();
    let password = merge.text("sasl-password", file.sasl_password.as_ref()).unwrap_or_default();
    Ok(Some(SaslOptions { mechanism, user, password }))
}
