//! Who may call the server's API, and what its messages show of rows: the flags of TLS and `[security]` of the file.

use std::path::PathBuf;

use capture::Access;
use serde::Deserialize;
use tidb_codec::Redaction;
use tikv_client::Security;

use crate::failure::Failure;

/// `[security]` of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct SecuritySection {
    ca_path: Option<String>,
    cert_path: Option<String>,
    key_path: Option<String>,
    cert_allowed_cn: Option<Vec<String>>,
    mtls: Option<bool>,
    client_user_required: Option<bool>,
    client_allowed_user: Option<Vec<String>>,
    pub(crate) redact_info_log: Option<RedactSetting>,
}

/// `redact-info-log`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum RedactSetting {
    /// All or nothing.
    Flag(bool),
    /// A word.
    Word(String),
}

/// Flags of TLS.
pub(crate) struct SecurityFlags {
    /// Authority.
    pub(crate) ca: Option<String>,
    /// Certificate.
    pub(crate) cert: Option<String>,
    /// Its key.
    pub(crate) key: Option<String>,
    /// Names of callers.
    pub(crate) allowed: Option<String>,
}

/// An error of TiCDC about the server's settings.
fn invalid_option(message: &str) -> Failure {
    Failure::new(format!("[CDC:ErrInvalidServerOption]{message}"))
}

/// Certificates for PD, TiKV, etcd and the API, and who may call the API; flags win over the file.
pub(crate) fn security(flags: SecurityFlags, file: SecuritySection) -> Result<(Security, Access), Failure> {
    let path = |flag: Option<String>, file: Option<String>| flag.or(file).map(PathBuf::from);
    let security = Security::from_files(
        path(flags.ca, file.ca_path),
        path(flags.cert, file.cert_path),
        path(flags.key, file.key_path),
    )?;
    let names = match flags.allowed {
        Some(names) => names.split(',').map(str::to_owned).collect(),
        None => file.cert_allowed_cn.unwrap_or_default(),
    };
    let cert_allowed_cn: Vec<String> =
        names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let users =
        file.client_user_required.unwrap_or(false).then(|| file.client_allowed_user.unwrap_or_default());
    if users.as_ref().is_some_and(Vec::is_empty) {
        return Err(invalid_option(
            "client-allowed-user should not be empty when client-user-required is true",
        ));
    }
    let access = Access { cert_allowed_cn, mtls: file.mtls.unwrap_or(false), users };
    if capture::scheme(&security) == "http" {
        if security.is_tls() {
            tracing::warn!(
                "PD, TiKV and etcd are reached with TLS, but the API of this server is not encrypted: it takes --cert \
                 and --key too"
            );
        }
        if access.users.is_some() {
            tracing::warn!(
                "users are asked for their passwords, but the API is not encrypted: give --ca, --cert and --key"
            );
        }
    }
    Ok((security, access))
}

/// What messages show of rows: a word of TiCDC, or a boolean.
pub(crate) fn redact(setting: Option<RedactSetting>) -> Result<(), Failure> {
    let mode = match setting {
        None => return Ok(()),
        Some(RedactSetting::Flag(hides)) => {
            if hides {
                Redaction::On
            } else {
                Redaction::Off
            }
        }
        // As in TiCDC an empty word is none.
        Some(RedactSetting::Word(word)) if word.trim().is_empty() => return Ok(()),
        Some(RedactSetting::Word(word)) => word.parse()?,
    };
    // At the start nothing is hidden yet.
    mode.tighten()
        .map(|_| ())
        .map_err(|current| invalid_option(&format!("redact-info-log is {} already", current.name())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flags without any.
    fn no_flags() -> SecurityFlags {
        SecurityFlags { ca: None, cert: None, key: None, allowed: None }
    }

    /// The section with this text.
    fn section(text: &str) -> SecuritySection {
        toml::from_str(text).expect("TOML")
    }

    #[test]
    fn names_of_callers_come_from_flag_or_file() {
        let (_, access) =
            security(no_flags(), section("cert-allowed-cn = ['a', ' b ']\nmtls = true")).expect("valid");
        assert_eq!(access, Access { cert_allowed_cn: vec!["a".into(), "b".into()], mtls: true, users: None });
        let flags = SecurityFlags { allowed: Some("c,,d ".into()), ..no_flags() };
        let (_, access) = security(flags, section("cert-allowed-cn = ['a']")).expect("valid");
        assert_eq!(access.cert_allowed_cn, ["c", "d"]);
    }

    #[test]
    fn users_are_named_if_they_are_required() {
        let (_, access) = security(no_flags(), section("client-allowed-user = ['test']")).expect("valid");
        assert_eq!(access.users, None, "nobody is asked");
        let both = section("client-user-required = true\nclient-allowed-user = ['test']");
        assert_eq!(security(no_flags(), both).expect("valid").1.users, Some(vec!["test".to_owned()]));
        let Err(Failure::Message(error)) = security(no_flags(), section("client-user-required = true"))
        else {
            panic!("accepted")
        };
        assert!(error.starts_with("[CDC:ErrInvalidServerOption]client-allowed-user"), "{error}");
    }

    #[test]
    fn redaction_is_a_word_or_a_boolean() {
        // The mode of the process stays as it is: what would change it is not set here.
        assert!(redact(None).is_ok());
        for text in ["redact-info-log = false", "redact-info-log = ''", "redact-info-log = 'OFF'"] {
            assert!(redact(section(text).redact_info_log).is_ok(), "{text}");
        }
        let Err(Failure::Message(error)) = redact(section("redact-info-log = 'some'").redact_info_log) else {
            panic!("accepted")
        };
        assert_eq!(error, "invalid redact mode 'some': must be 'off', 'on', or 'marker'");
    }
}
