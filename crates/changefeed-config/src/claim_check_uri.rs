//! `claim-check-storage-uri`: where messages are put that are too large for Kafka.

use crate::error::ConfigError;
use crate::sink_uri::SinkUri;

/// Names of providers that want the bucket in the host name, whatever `force-path-style` says (as in TiCDC).
const VIRTUAL_HOST_PROVIDERS: [&str; 2] = ["alibaba", "netease"];
/// Parameters of TiCDC's S3 URIs that change what is stored or who stores it, and that are not there yet.
const REFUSED_PARAMETERS: [&str; 5] =
    ["storage-class", "acl", "role-arn", "external-id", "use-accelerate-endpoint"];
/// Region if neither URI nor environment name one (as in TiCDC).
pub const DEFAULT_S3_REGION: &str = "us-east-1";

/// Where claim-check stores messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimCheckStorage {
    /// The place.
    pub place: ClaimCheckPlace,
    /// Objects hold the bare message, without JSON around it.
    pub raw_value: bool,
}

/// A place for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimCheckPlace {
    /// The folder of a `file://` URI.
    Folder(String),
    /// A bucket behind the protocol of S3.
    S3(Box<S3Place>),
}

/// Keys of an S3 account.
#[derive(Clone, PartialEq, Eq)]
pub struct S3Keys {
    /// Access key.
    pub access_key: String,
    /// Secret access key; never printed.
    pub secret_access_key: String,
    /// Token of temporary keys; never printed.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Keys({})", if self.session_token.is_some() { "temporary" } else { "lasting" })
    }
}

/// How S3 encrypts what it stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum S3Encryption {
    /// With keys of S3 itself: `sse=AES256`.
    Aes256,
    /// With a key of KMS, or the account's default key: `sse=aws:kms`, `sse-kms-key-id`.
    Kms(Option<String>),
}

/// A bucket behind the protocol of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// Bucket.
    pub bucket: String,
    /// Path inside the bucket, without slashes around it; may be empty.
    pub prefix: String,
    /// `http://` or `https://`, host and port, without a slash at its end; `None` for AWS.
    pub endpoint: Option<String>,
    /// Region; `None` for the environment's, or [`DEFAULT_S3_REGION`].
    pub region: Option<String>,
    /// Keys; `None` for those of the environment or of the machine's role.
    pub keys: Option<S3Keys>,
    /// The bucket is in the path, not in the host name.
    pub path_style: bool,
    /// Encryption at rest; `None` for the bucket's default.
    pub encryption: Option<S3Encryption>,
}

impl ClaimCheckPlace {
    /// Reads a URI. Errors name no secret.
    ///
    /// # Errors
    /// If it is wrong, or names what is not supported.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            return Err(ConfigError::invalid(
                "large message handle is set to claim-check, but the claim-check-storage-uri is empty",
            ));
        }
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        match scheme {
            "file" | "local" => folder(text).map(Self::Folder),
            "s3" => s3(text).map(|place| Self::S3(Box::new(place))),
            "gs" | "gcs" | "azure" | "azblob" | "hdfs" => Err(wrong(format!(
                "{scheme}:// is not supported yet; use s3://bucket/prefix or file:///folder"
            ))),
            _ => {
                Err(wrong(format!("scheme {scheme:?} is unknown; use s3://bucket/prefix or file:///folder")))
            }
        }
    }
}

/// An error that names the key.
fn wrong(reason: impl std::fmt::Display) -> ConfigError {
    ConfigError::invalid(format!("claim-check-storage-uri: {reason}"))
}

/// The folder of a `file://` URI, without a slash at its end.
fn folder(text: &str) -> Result<String, ConfigError> {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let folder = rest.split_once('?').map_or(rest, |(folder, _)| folder).trim_end_matches('/');
    if !folder.starts_with('/') {
        return Err(wrong("name a folder, as in file:///folder"));
    }
    Ok(folder.to_owned())
}

/// `true` and `false` as Go reads them.
fn flag(key: &str, text: &str) -> Result<bool, ConfigError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(wrong(format!("{key} must be true or false"))),
    }
}

/// The parameters of an S3 URI as they are written.
#[derive(Default)]
struct Parameters {
    /// `access-key`.
    access_key: Option<String>,
    /// `secret-access-key`.
    secret_access_key: Option<String>,
    /// `session-token`.
    session_token: Option<String>,
    /// `endpoint`.
    endpoint: Option<String>,
    /// `region`.
    region: Option<String>,
    /// `force-path-style`.
    force_path_style: Option<bool>,
    /// `provider`, in lower case.
    provider: Option<String>,
    /// `sse`.
    sse: Option<String>,
    /// `sse-kms-key-id`.
    sse_kms_key_id: Option<String>,
}

impl Parameters {
    /// Takes each parameter, in TiCDC's two spellings of each name, and refuses what is unknown or would be ignored.
    fn take(query: Vec<(String, String)>) -> Result<Self, ConfigError> {
        let mut taken = Self::default();
        for (written, value) in query.into_iter().filter(|(_, value)| !value.is_empty()) {
            let key = written.to_ascii_lowercase().replace('_', "-");
            // They go into headers of HTTP as they are.
            if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(wrong(format!("{written:?} holds characters that no parameter has")));
            }
            match key.as_str() {
                "access-key" => taken.access_key = Some(value),
                "secret-access-key" => taken.secret_access_key = Some(value),
                "session-token" => taken.session_token = Some(value),
                "endpoint" => taken.endpoint = Some(value),
                "region" => taken.region = Some(value),
                "force-path-style" => taken.force_path_style = Some(flag(&key, &value)?),
                "provider" => taken.provider = Some(value.to_ascii_lowercase()),
                "sse" => taken.sse = Some(value),
                "sse-kms-key-id" => taken.sse_kms_key_id = Some(value),
                refused if REFUSED_PARAMETERS.contains(&refused) => {
                    return Err(wrong(format!("{refused} is not supported yet; remove it")));
                }
                _ => {
                    return Err(wrong(format!(
                        "parameter {written:?} is unknown; S3 takes endpoint, region, access-key, secret-access-key, \
                         session-token, force-path-style, provider, sse and sse-kms-key-id"
                    )));
                }
            }
        }
        Ok(taken)
    }

    /// The keys, if there are any.
    fn keys(&mut self) -> Result<Option<S3Keys>, ConfigError> {
        match (self.access_key.take(), self.secret_access_key.take()) {
            (Some(access_key), Some(secret_access_key)) => {
                let session_token = self.session_token.take();
                Ok(Some(S3Keys { access_key, secret_access_key, session_token }))
            }
            (None, Some(_)) => Err(wrong("access-key not found: it goes with secret-access-key")),
            (Some(_), None) => Err(wrong("secret-access-key not found: it goes with access-key")),
            (None, None) if self.session_token.is_some() => {
                Err(wrong("access-key not found: it goes with session-token"))
            }
            (None, None) => Ok(None),
        }
    }

    /// Encryption at rest.
    fn encryption(&mut self) -> Result<Option<S3Encryption>, ConfigError> {
        let key = self.sse_kms_key_id.take();
        match (self.sse.as_deref(), key) {
            (Some("aws:kms"), key) => Ok(Some(S3Encryption::Kms(key))),
            (_, Some(_)) => Err(wrong("sse-kms-key-id goes with sse=aws:kms")),
            (Some("AES256"), None) => Ok(Some(S3Encryption::Aes256)),
            (Some(other), None) => Err(wrong(format!("sse {other:?} is unknown; use AES256 or aws:kms"))),
            (None, None) => Ok(None),
        }
    }
}

/// Reads an S3 URI.
fn s3(text: &str) -> Result<S3Place, ConfigError> {
    // Secrets of AWS hold plus signs, which TiCDC takes as they are, not as spaces.
    let uri = SinkUri::parse(&text.replace('+', "%2B")).map_err(|e| wrong(e.message))?;
    if !uri.user_info.is_empty() {
        return Err(wrong("keys go into access-key and secret-access-key, not before the bucket"));
    }
    if uri.host.is_empty() {
        return Err(wrong("name a bucket, as in s3://bucket/prefix"));
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if !uri.host.bytes().all(is_name) {
        return Err(wrong(format!("{:?} is no name of a bucket", uri.host)));
    }
    let mut parameters = Parameters::take(uri.query)?;
    let endpoint = parameters.endpoint.take().map(endpoint).transpose()?;
    let provider = parameters.provider.take().unwrap_or_default();
    let virtual_host = VIRTUAL_HOST_PROVIDERS.contains(&provider.as_str());
    if virtual_host && endpoint.is_none() {
        return Err(wrong(format!("provider {provider} needs an endpoint")));
    }
    Ok(S3Place {
        bucket: uri.host,
        prefix: uri.topic,
        endpoint,
        region: parameters.region.take(),
        keys: parameters.keys()?,
        path_style: parameters.force_path_style.unwrap_or(true) && !virtual_host,
        encryption: parameters.encryption()?,
    })
}

/// Checks an endpoint.
fn endpoint(text: String) -> Result<String, ConfigError> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = host.ok_or_else(|| wrong("endpoint must begin with http:// or https://"))?;
    let host = host.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(wrong("endpoint must be http:// or https:// with host and port only"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket(text: &str) -> S3Place {
        match ClaimCheckPlace::parse(text).expect(text) {
            ClaimCheckPlace::S3(place) => *place,
            ClaimCheckPlace::Folder(folder) => panic!("{folder} is no bucket"),
        }
    }

    #[test]
    fn every_parameter_of_a_bucket_is_read_in_both_spellings() {
        let place = bucket(
            "s3://large/a/b/?endpoint=http%3A%2F%2F127.0.0.1:9000/&access-key=AK&secret_access_key=a+b/c%3D&\
             Session-Token=t&region=eu-west-1&force-path-style=true&sse=aws:kms&sse-kms-key-id=k&provider=minio",
        );
        let keys = S3Keys {
            access_key: "AK".to_owned(),
            secret_access_key: "a+b/c=".to_owned(),
            session_token: Some("t".to_owned()),
        };
        assert!(!format!("{keys:?}").contains("a+b"), "{keys:?}");
        let expected = S3Place {
            bucket: "large".to_owned(),
            prefix: "a/b".to_owned(),
            endpoint: Some("http://127.0.0.1:9000".to_owned()),
            region: Some("eu-west-1".to_owned()),
            keys: Some(keys),
            path_style: true,
            encryption: Some(S3Encryption::Kms(Some("k".to_owned()))),
        };
        assert_eq!(place, expected);
    }

    #[test]
    fn a_bucket_alone_takes_all_else_from_the_environment() {
        let place = bucket("s3://large");
        assert_eq!((place.bucket.as_str(), place.prefix.as_str()), ("large", ""));
        assert!(place.path_style, "as in TiCDC");
        assert_eq!((place.endpoint, place.region, place.keys, place.encryption), (None, None, None, None));
    }

    #[test]
    fn some_providers_want_the_bucket_in_the_host_name() {
        let of = |provider: &str| {
            bucket(&format!("s3://b/p?endpoint=https://h&force-path-style=true&provider={provider}"))
                .path_style
        };
        assert!(!of("alibaba") && !of("netease") && of("ceph") && of("aws"));
        assert!(!bucket("s3://b/p?force-path-style=false").path_style);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_by_name_and_tells_no_secret() {
        for (uri, part) in [
            ("gcs://bucket/x", "gcs:// is not supported yet"),
            ("gs://bucket/x", "gs:// is not supported yet"),
            ("azblob://c/x?account-key=hunter2", "azblob:// is not supported yet"),
            ("azure://c/x", "azure:// is not supported yet"),
            ("ftp://c/x", "scheme \"ftp\" is unknown"),
            ("/x", "scheme \"\" is unknown"),
            ("file://", "name a folder"),
            ("file://relative", "name a folder"),
            ("s3://", "name a bucket"),
            ("s3:///prefix", "name a bucket"),
            ("s3://bucket:9000/x", "no name of a bucket"),
            ("s3://b/x?access-key=a&secret-access-key=hunter2%0A", "characters that no parameter has"),
            ("s3://user:hunter2@bucket/x", "not before the bucket"),
            ("s3://b/x?secret-access-key=hunter2", "access-key not found"),
            ("s3://b/x?access-key=a", "secret-access-key not found"),
            ("s3://b/x?session-token=hunter2", "goes with session-token"),
            ("s3://b/x?endpoint=localhost:9000", "must begin with http://"),
            ("s3://b/x?endpoint=http://u:hunter2@h", "host and port only"),
            ("s3://b/x?endpoint=https://", "host and port only"),
            ("s3://b/x?force-path-style=maybe", "force-path-style must be true or false"),
            ("s3://b/x?sse=rot13", "sse \"rot13\" is unknown"),
            ("s3://b/x?sse=AES256&sse-kms-key-id=k", "goes with sse=aws:kms"),
            ("s3://b/x?provider=alibaba", "needs an endpoint"),
            ("s3://b/x?role-arn=arn", "role-arn is not supported yet"),
            ("s3://b/x?storage-class=GLACIER", "storage-class is not supported yet"),
            ("s3://b/x?acl=private", "acl is not supported yet"),
            ("s3://b/x?external-id=1", "external-id is not supported yet"),
            ("s3://b/x?use-accelerate-endpoint=true", "use-accelerate-endpoint is not supported yet"),
            ("s3://b/x?colour=blue", "parameter \"colour\" is unknown"),
            ("s3://b/x?secret-access-key=hunter2&access-key=%zz", "invalid URL escape"),
        ] {
            let error = ClaimCheckPlace::parse(uri).expect_err(uri);
            assert_eq!(error.code, "CDC:ErrInvalidReplicaConfig", "{uri}");
            assert!(error.message.contains(part), "{uri}: {error}");
            assert!(!error.message.contains("hunter2"), "{uri}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_secret_is_printed(text: String, secret in "[a-z]{12}") {
            let _ = ClaimCheckPlace::parse(&text);
            let _ = ClaimCheckPlace::parse(&format!("s3://{text}"));
            let uri = format!("s3://b/p?access-key=a&secret-access-key={secret}&session-token={secret}");
            let place = ClaimCheckPlace::parse(&uri).expect("valid");
            let shown = format!("{place:?}");
            prop_assert!(!shown.contains(&secret));
        }
    }
}
