//! Large messages in a bucket behind the protocol of S3.

use std::time::Duration;

use bytes::Bytes;
use changefeed_config::{DEFAULT_S3_REGION, S3Encryption, S3Keys, S3Place};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStoreExt as _, RetryConfig};

use crate::FeedError;

/// How often a request is tried again after a server's error or a broken connection.
const RETRIES: usize = 4;
/// No further try begins after this.
const RETRY_WITHIN: Duration = Duration::from_secs(30);
/// Pause before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Time limit of making a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Time limit of one try: some messages are large, and some links slow.
const TRY_LIMIT: Duration = Duration::from_secs(60);
/// Time limit of the first request of all, for which someone waits.
const PROBE_LIMIT: Duration = Duration::from_secs(20);
/// Object that is written to find out whether objects can be. One name, so that there is never more than one.
const PROBE_NAME: &str = "tidegate-probe";
/// The client's name for the kind of encryption, which it has no type for outside of it.
const ENCRYPTION: &str = "aws_server_side_encryption";
/// Its name for the key.
const ENCRYPTION_KEY: &str = "aws_sse_kms_key_id";
/// What takes the place of secrets.
const MASK: &str = "xxxxx";

/// A bucket for large messages. Nothing in it is ever removed: only consumers know what they have read.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The client.
    client: AmazonS3,
    /// Bucket.
    bucket: String,
    /// Path in the bucket, without slashes around it.
    prefix: String,
    /// Texts that no message may hold.
    secrets: Vec<String>,
}

impl Bucket {
    /// A client. Nothing is sent yet.
    pub(super) fn open(place: &S3Place) -> Result<Self, FeedError> {
        let mut builder = match &place.keys {
            // Nothing of the environment's account may get between these.
            Some(S3Keys { access_key, secret_access_key, session_token }) => {
                let builder = AmazonS3Builder::new()
                    .with_access_key_id(access_key)
                    .with_secret_access_key(secret_access_key)
                    .with_region(region_of_environment());
                match session_token {
                    Some(token) => builder.with_token(token),
                    None => builder,
                }
            }
            None => AmazonS3Builder::from_env(),
        };
        let options = ClientOptions::new().with_connect_timeout(CONNECT_LIMIT).with_timeout(TRY_LIMIT);
        let backoff = BackoffConfig { init_backoff: FIRST_PAUSE, max_backoff: LONGEST_PAUSE, base: 2.0 };
        builder = builder
            .with_bucket_name(&place.bucket)
            .with_client_options(options)
            .with_virtual_hosted_style_request(!place.path_style)
            .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_WITHIN });
        if let Some(region) = &place.region {
            builder = builder.with_region(region);
        }
        if let Some(endpoint) = &place.endpoint {
            builder = builder
                .with_allow_http(endpoint.starts_with("http://"))
                .with_endpoint(bucket_endpoint(endpoint, place));
        }
        let secrets = secrets_of(place);
        let wrong = |e: object_store::Error| {
            let message = format!("claim-check-storage-uri: {}", in_full(&e, &secrets));
            FeedError::new("CDC:ErrFailToCreateExternalStorage", message)
        };
        if let Some(encryption) = &place.encryption {
            let (kind, key) = match encryption {
                S3Encryption::Aes256 => ("AES256", None),
                S3Encryption::Kms(key) => ("aws:kms", key.as_ref()),
            };
            builder = builder.with_config(config_key(ENCRYPTION).map_err(wrong)?, kind);
            if let Some(key) = key {
                builder = builder.with_config(config_key(ENCRYPTION_KEY).map_err(wrong)?, key);
            }
        }
        let client = builder.build().map_err(wrong)?;
        Ok(Self { client, bucket: place.bucket.clone(), prefix: place.prefix.clone(), secrets })
    }

    /// What consumers are told of a message.
    pub(super) fn location(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }

    /// Key of an object.
    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    /// Stores a message.
    pub(super) async fn store(&self, name: &str, content: Bytes) -> Result<(), String> {
        let outcome = self.client.put(&Path::from(self.key(name)), content.into()).await;
        outcome.map(|_| ()).map_err(|e| in_full(&e, &self.secrets))
    }

    /// Reads an object.
    pub(super) async fn read(&self, name: &str) -> Result<Bytes, String> {
        let read = async { self.client.get(&Path::from(self.key(name))).await?.bytes().await };
        read.await.map_err(|e| in_full(&e, &self.secrets))
    }

    /// Proves that objects can be written.
    pub(super) async fn prove(&self) -> Result<(), FeedError> {
        let written = tokio::time::timeout(PROBE_LIMIT, self.store(PROBE_NAME, Bytes::new())).await;
        let outcome = written.unwrap_or_else(|_| Err(format!("no answer in {} s", PROBE_LIMIT.as_secs())));
        outcome.map_err(|reason| {
            let place = self.location("");
            let message = format!("claim-check-storage-uri: cannot write to {place}: {reason}");
            FeedError::new("CDC:ErrFailToCreateExternalStorage", message)
        })
    }
}

/// Name of a setting of the client.
fn config_key(name: &str) -> Result<AmazonS3ConfigKey, object_store::Error> {
    name.parse()
}

/// What no message may hold.
fn secrets_of(place: &S3Place) -> Vec<String> {
    let keys = place.keys.iter().flat_map(|keys| {
        [Some(&keys.access_key), Some(&keys.secret_access_key), keys.session_token.as_ref()]
    });
    keys.flatten().cloned().collect()
}

/// The region that the environment names.
fn region_of_environment() -> String {
    let named = |name: &str| std::env::var(name).ok().filter(|region| !region.is_empty());
    named("AWS_REGION")
        .or_else(|| named("AWS_DEFAULT_REGION"))
        .unwrap_or_else(|| DEFAULT_S3_REGION.to_owned())
}

/// The endpoint with the bucket in its host name, if it belongs there.
fn bucket_endpoint(endpoint: &str, place: &S3Place) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) if !place.path_style => format!("{scheme}://{}.{host}", place.bucket),
        _ => endpoint.to_owned(),
    }
}

/// An error with all that led to it, without secrets: servers repeat some of what they were sent.
fn in_full(error: &dyn std::error::Error, secrets: &[String]) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    for secret in secrets {
        text = text.replace(secret.as_str(), MASK);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path_style: bool) -> S3Place {
        S3Place {
            bucket: "large".to_owned(),
            prefix: "a/b".to_owned(),
            endpoint: Some("http://127.0.0.1:1".to_owned()),
            region: None,
            keys: Some(S3Keys {
                access_key: "the-access".to_owned(),
                secret_access_key: "the-secret".to_owned(),
                session_token: None,
            }),
            path_style,
            encryption: None,
        }
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host_name() {
        let endpoint = "https://s3.example.com:9000";
        assert_eq!(bucket_endpoint(endpoint, &place(true)), endpoint);
        assert_eq!(bucket_endpoint(endpoint, &place(false)), "https://large.s3.example.com:9000");
    }

    #[test]
    fn consumers_are_told_bucket_and_path() {
        let mut place = place(true);
        assert_eq!(Bucket::open(&place).expect("a client").location("x.json"), "s3://large/a/b/x.json");
        place.prefix.clear();
        assert_eq!(Bucket::open(&place).expect("a client").location("x.json"), "s3://large/x.json");
    }

    #[tokio::test]
    async fn a_store_that_nobody_serves_is_named_without_secrets() {
        let error = Bucket::open(&place(true)).expect("a client").prove().await.expect_err("nobody listens");
        assert_eq!(error.code, "CDC:ErrFailToCreateExternalStorage");
        assert!(!error.is_fast_fail());
        assert!(error.message.contains("cannot write to s3://large/a/b/"), "{error}");
        assert!(error.message.contains("onnection refused"), "the cause is told: {error}");
        assert!(!error.message.contains("the-"), "{error}");
    }

    #[test]
    fn secrets_that_a_server_repeats_are_masked() {
        let error = std::io::Error::other("no key AKIA with hush");
        let secrets = vec!["AKIA".to_owned(), "hush".to_owned()];
        assert_eq!(in_full(&error, &secrets), "no key xxxxx with xxxxx");
    }
}
