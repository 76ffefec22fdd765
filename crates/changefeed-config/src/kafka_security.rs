//! TLS and credentials of the Kafka side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::ConfigError;
use crate::kafka_options::Merge;
use crate::sink_config::KafkaConfig;

/// Name and password.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordOptions {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: String,
    /// User name.
    pub user: String,
    /// Password; never printed.
    pub password: String,
}

impl std::fmt::Debug for PasswordOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PasswordOptions({} as {:?})", self.mechanism, self.user)
    }
}

/// Where tokens come from.
#[derive(Clone, PartialEq, Eq)]
pub struct OauthOptions {
    /// Client id.
    pub client_id: String,
    /// Client secret, decoded; never printed.
    pub client_secret: String,
    /// URL of the token server.
    pub token_url: String,
    /// Scopes.
    pub scopes: Vec<String>,
    /// Grant type.
    pub grant_type: String,
    /// Audience.
    pub audience: Option<String>,
}

impl std::fmt::Debug for OauthOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OauthOptions({:?} at {:?})", self.client_id, self.token_url)
    }
}

/// A key table of Kerberos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerberosOptions {
    /// Name of the brokers' service.
    pub service_name: String,
    /// `user@REALM`.
    pub principal: String,
    /// File of keys.
    pub keytab: String,
    /// Kerberos' own configuration, if it is named.
    pub config: Option<String>,
}

/// Credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaslOptions {
    /// Name and password.
    Password(PasswordOptions),
    /// OAUTHBEARER.
    Oauth(OauthOptions),
    /// GSSAPI.
    Kerberos(KerberosOptions),
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
    let mechanism =
        merge.text("sasl-mechanism", file.sasl_mechanism.as_ref()).unwrap_or_default().to_uppercase();
    if mechanism != "OAUTHBEARER" && names_oauth(file) {
        return Err(ConfigError::kafka(
            "OAuth2 is only supported with SASL mechanism type OAUTHBEARER; set sasl-mechanism to oauthbearer, or remove \
             the keys that begin with sasl-oauth",
        ));
    }
    match mechanism.as_str() {
        "" => Ok(None),
        "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" => {
            let user = merge.text("sasl-user", file.sasl_user.as_ref()).unwrap_or_default();
            let password = merge.text("sasl-password", file.sasl_password.as_ref()).unwrap_or_default();
            Ok(Some(SaslOptions::Password(PasswordOptions { mechanism, user, password })))
        }
        "OAUTHBEARER" => oauth(file).map(|oauth| Some(SaslOptions::Oauth(oauth))),
        "GSSAPI" => kerberos(merge, file).map(|kerberos| Some(SaslOptions::Kerberos(kerberos))),
        _ => Err(ConfigError::kafka(format!("unknown {mechanism} SASL mechanism"))),
    }
}

/// True if the file says something of a token server.
fn names_oauth(file: &KafkaConfig) -> bool {
    [&file.sasl_oauth_client_id, &file.sasl_oauth_client_secret, &file.sasl_oauth_token_url]
        .into_iter()
        .any(|text| text.as_deref().is_some_and(|text| !text.is_empty()))
}

/// OAUTHBEARER.
fn oauth(file: &KafkaConfig) -> Result<OauthOptions, ConfigError> {
    let need = |key: &str, value: &Option<String>| {
        let missing = || ConfigError::kafka(format!("OAuth2 {key} is not set; set sink.kafka-config.{key}"));
        value.clone().filter(|text| !text.is_empty()).ok_or_else(missing)
    };
    let client_id = need("sasl-oauth-client-id", &file.sasl_oauth_client_id)?;
    let secret = need("sasl-oauth-client-secret", &file.sasl_oauth_client_secret)?;
    let token_url = need("sasl-oauth-token-url", &file.sasl_oauth_token_url)?;
    let secret = STANDARD.decode(secret).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let client_secret = secret.ok_or_else(|| {
        ConfigError::kafka("OAuth2 client secret is not base64 encoded (sasl-oauth-client-secret)")
    })?;
    let is_web = |url: &str| url.starts_with("http://") || url.starts_with("https://");
    if !is_web(&token_url) {
        return Err(ConfigError::kafka("sasl-oauth-token-url must begin with https:// or http://"));
    }
    let text = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
    Ok(OauthOptions {
        client_id,
        client_secret,
        token_url,
        scopes: file.sasl_oauth_scopes.clone().unwrap_or_default(),
        grant_type: text(&file.sasl_oauth_grant_type).unwrap_or_else(|| "client_credentials".to_owned()),
        audience: text(&file.sasl_oauth_audience),
    })
}

/// Characters of principals and paths that mean nothing to a shell.
fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/' | '@' | '-')
}

/// GSSAPI with a key table. With a password there is no way: the client's library knows none.
fn kerberos(merge: &Merge<'_>, file: &KafkaConfig) -> Result<KerberosOptions, ConfigError> {
    let text = |key: &str, value: &Option<String>| merge.text(&format!("sasl-gssapi-{key}"), value.as_ref());
    let need = |key: &str, value: &Option<String>| {
        text(key, value).ok_or_else(|| ConfigError::kafka(format!("sasl-gssapi-{key} is not set")))
    };
    match need("auth-type", &file.sasl_gssapi_auth_type)?.to_lowercase().as_str() {
        "keytab" => {}
        "user" => {
            return Err(ConfigError::kafka(
                "sasl-gssapi-auth-type user is not supported: use keytab, with sasl-gssapi-keytab-path",
            ));
        }
        other => {
            return Err(ConfigError::kafka(format!("unknown sasl-gssapi-auth-type {other}; use keytab")));
        }
    }
    // The client's library puts these two into a command of a shell that fetches the ticket.
    let need_name = |key: &str, value: &Option<String>| {
        let bad = || ConfigError::kafka(format!("sasl-gssapi-{key} may hold letters, digits and ._/@- only"));
        Some(need(key, value)?).filter(|text| text.chars().all(is_of_name)).ok_or_else(bad)
    };
    let user = need_name("user", &file.sasl_gssapi_user)?;
    let realm = need_name("realm", &file.sasl_gssapi_realm)?;
    Ok(KerberosOptions {
        service_name: need("service-name", &file.sasl_gssapi_service_name)?,
        principal: format!("{user}@{realm}"),
        keytab: need_name("keytab-path", &file.sasl_gssapi_keytab_path)?,
        config: text("kerberos-config-path", &file.sasl_gssapi_kerberos_config_path),
    })
}
