//! What the sink URI and `[sink]` together say about Kafka.

use std::time::Duration;

use crate::claim_check_uri::{ClaimCheckPlace, ClaimCheckStorage};
use crate::duration::parse_go_duration;
use crate::error::ConfigError;
use crate::kafka_security::{self, SaslOptions, TlsOptions};
use crate::replica::ReplicaConfig;
use crate::sink_config::KafkaConfig;
use crate::sink_uri::SinkUri;

/// Default limit of a message, bytes.
const DEFAULT_MAX_MESSAGE_BYTES: usize = 10 << 20;
/// Default time limit of connections and administrative calls.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Message formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Canal-JSON.
    CanalJson,
}

/// What to do with a message above the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LargeMessageMode {
    /// Fail.
    #[default]
    None,
    /// Send handle key columns only.
    HandleKeyOnly,
    /// Store the message elsewhere; send handle key columns and the place.
    ClaimCheck,
}

/// `large-message-handle-compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueCodec {
    /// None.
    #[default]
    None,
    /// A frame of LZ4.
    Lz4,
    /// A block of Snappy.
    Snappy,
}

/// `large-message-handle`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LargeMessageHandle {
    /// What to do.
    pub mode: LargeMessageMode,
    /// Where messages are stored; there if and only if the mode is claim-check.
    pub claim_check: Option<ClaimCheckStorage>,
    /// How every value is compressed, whatever its size.
    pub compression: ValueCodec,
}

/// Everything about the Kafka side of a changefeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Comma separated broker list.
    pub brokers: String,
    /// Default topic.
    pub topic: String,
    /// Message format.
    pub protocol: Protocol,
    /// Wanted partitions of the default topic.
    pub partition_num: Option<i32>,
    /// Replicas of new topics.
    pub replication_factor: i32,
    /// Limit of a message, bytes, unless the topic knows better.
    pub max_message_bytes: usize,
    /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub compression: String,
    /// Client id, if one was chosen.
    pub client_id: Option<String>,
    /// Create missing topics.
    pub auto_create_topic: bool,
    /// -1, 0 or 1.
    pub required_acks: i16,
    /// Time limit of connections and administrative calls.
    pub dial_timeout: Duration,
    /// Credentials.
    pub sasl: Option<SaslOptions>,
    /// TLS, if it is on.
    pub tls: Option<TlsOptions>,
    /// `_tidb` fields and watermarks.
    pub enable_tidb_extension: bool,
    /// Full type texts.
    pub content_compatible: bool,
    /// `old` holds changed columns only.
    pub only_output_updated_columns: bool,
    /// DELETE holds the handle key only.
    pub delete_only_output_handle_key_columns: bool,
    /// `_tidb.rowkey`.
    pub output_row_key: bool,
    /// Do not split key-changing updates.
    pub output_raw_change_event: bool,
    /// Messages above the limit.
    pub large_message: LargeMessageHandle,
}

/// One setting from the URI, else from the file. The URI's zero values do not override the file (as in TiCDC).
pub(crate) struct Merge<'a> {
    /// The URI.
    uri: &'a SinkUri,
}

impl Merge<'_> {
    /// A number.
    fn int(&self, key: &str, file: Option<i64>) -> Result<Option<i64>, ConfigError> {
        let Some(text) = self.uri.get(key) else { return Ok(file) };
        let number: i64 = text.parse().map_err(|_| {
            ConfigError::kafka(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax ({key})"))
        })?;
        Ok(if number == 0 && file.is_some() { file } else { Some(number) })
    }

    /// A switch.
    pub(crate) fn flag(&self, key: &str, file: Option<bool>) -> Result<Option<bool>, ConfigError> {
        let Some(text) = self.uri.get(key) else { return Ok(file) };
        let value = match text {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
            "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
            _ => {
                let reason = format!("strconv.ParseBool: parsing \"{text}\": invalid syntax ({key})");
                return Err(ConfigError::kafka(reason));
            }
        };
        Ok(if !value && file == Some(true) { file } else { Some(value) })
    }

    /// A text.
    pub(crate) fn text(&self, key: &str, file: Option<&String>) -> Option<String> {
        self.uri.get(key).map(str::to_owned).or_else(|| file.filter(|text| !text.is_empty()).cloned())
    }
}

impl KafkaOptions {
    /// Merges URI and file, checks every value, and refuses what is not supported by name.
    pub fn new(uri: &SinkUri, config: &ReplicaConfig) -> Result<Self, ConfigError> {
        if !uri.is_kafka() {
            return Err(ConfigError::sink_uri(format!(
                "[CDC:ErrSinkURIInvalid]sink uri invalid '{}://{}/{}': use kafka://host:port/topic?protocol=canal-json",
                uri.scheme, uri.host, uri.topic
            )));
        }
        let protocol = protocol(uri, config)?;
        if uri.topic.is_empty() {
            return Err(ConfigError::kafka("no topic is specified in sink-uri"));
        }
        let empty = KafkaConfig::default();
        let file = config.sink.kafka_config.as_ref().unwrap_or(&empty);
        refuse_unsupported(uri, config, file)?;
        let merge = Merge { uri };
        let codec = file.codec_config.clone().unwrap_or_default();
        let content_compatible =
            merge.flag("content-compatible", Some(config.sink.content_compatible))?.unwrap_or(false);
        let only_updated = merge
            .flag("only-output-updated-columns", Some(config.sink.only_output_updated_columns))?
            .unwrap_or(false);
        let options = Self {
            brokers: uri.host.clone(),
            topic: uri.topic.clone(),
            protocol,
            partition_num: partitions(merge.int("partition-num", file.partition_num.map(i64::from))?)?,
            replication_factor: replication(
                merge.int("replication-factor", file.replication_factor.map(i64::from))?,
            )?,
            max_message_bytes: message_bytes(merge.int("max-message-bytes", file.max_message_bytes)?)?,
            compression: compression(merge.text("compression", file.compression.as_ref()))?,
            client_id: client_id(merge.text("kafka-client-id", file.kafka_client_id.as_ref()))?,
            auto_create_topic: merge.flag("auto-create-topic", file.auto_create_topic)?.unwrap_or(true),
            required_acks: acks(merge.int("required-acks", file.required_acks)?)?,
            dial_timeout: timeout("dial-timeout", merge.text("dial-timeout", file.dial_timeout.as_ref()))?,
            sasl: kafka_security::sasl(&merge, file)?,
            tls: kafka_security::tls(&merge, file)?,
            enable_tidb_extension: merge
                .flag("enable-tidb-extension", codec.enable_tidb_extension)?
                .unwrap_or(false),
            content_compatible,
            only_output_updated_columns: only_updated || content_compatible,
            delete_only_output_handle_key_columns: config.sink.delete_only_output_handle_key_columns,
            output_row_key: merge.flag("output-row-key", codec.output_row_key)?.unwrap_or(false),
            output_raw_change_event: file.output_raw_change_event.unwrap_or(false),
            large_message: large_message(uri, file)?,
        };
        timeout("read-timeout", merge.text("read-timeout", file.read_timeout.as_ref()))?;
        timeout("write-timeout", merge.text("write-timeout", file.write_timeout.as_ref()))?;
        // The client tries again for two minutes, however often that is: longer than TiCDC's retries take.
        merge.int("max-retry", None)?;
        if options.delete_only_output_handle_key_columns && config.force_replicate {
            return Err(ConfigError::new(
                "CDC:ErrSinkInvalidConfig",
                "force-replicate must be disabled when delete-only-output-handle-key-columns is enabled",
            ));
        }
        Ok(options)
    }
}

/// The format: URI first, then `[sink] protocol`.
fn protocol(uri: &SinkUri, config: &ReplicaConfig) -> Result<Protocol, ConfigError> {
    let name =
        uri.get("protocol").map(str::to_owned).or_else(|| config.sink.protocol.clone()).unwrap_or_default();
    match name.to_lowercase().as_str() {
        "canal-json" => Ok(Protocol::CanalJson),
        "open-protocol" | "default" | "avro" | "flat-avro" | "debezium" | "debezium-avro" | "simple"
        | "canal" | "maxwell" | "craft" | "csv" => Err(ConfigError::invalid(format!(
            "[CDC:ErrSinkUnknownProtocol]'{name}' message protocol for sink is not supported yet: use canal-json"
        ))),
        _ => Err(ConfigError::invalid(format!(
            "[CDC:ErrSinkUnknownProtocol]unknown '{name}' message protocol for sink"
        ))),
    }
}

/// Keys of AWS Glue.
fn is_unsupported(key: &str) -> bool {
    key.starts_with("glue-schema")
}

/// Settings that this build can't honour.
fn refuse_unsupported(uri: &SinkUri, config: &ReplicaConfig, file: &KafkaConfig) -> Result<(), ConfigError> {
    if let Some((key, _)) = file.other.iter().find(|(_, value)| !value.is_null()) {
        let reason = if is_unsupported(key) { "is not supported" } else { "is not a configuration option" };
        return Err(ConfigError::kafka(format!("sink.kafka-config.{key} {reason}; remove it")));
    }
    if let Some((key, _)) = uri.query.iter().find(|(key, value)| is_unsupported(key) && !value.is_empty()) {
        return Err(ConfigError::kafka(format!("{key} is not supported; remove it")));
    }
    if let Some((key, _)) =
        uri.query.iter().find(|(key, value)| key.starts_with("sasl-oauth") && !value.is_empty())
    {
        return Err(ConfigError::kafka(format!(
            "{key} has no effect in the sink URI; set it in the changefeed's file, under [sink.kafka-config]"
        )));
    }
    let atomicity = uri.get("transaction-atomicity").or(config.sink.transaction_atomicity.as_deref());
    match atomicity.unwrap_or("none") {
        "none" | "" => Ok(()),
        other => {
            Err(ConfigError::sink_uri(format!("{other} level atomicity is not supported by kafka scheme")))
        }
    }
}

/// `partition-num`.
fn partitions(value: Option<i64>) -> Result<Option<i32>, ConfigError> {
    let Some(number) = value else { return Ok(None) };
    let bad =
        || ConfigError::kafka(format!("[CDC:ErrKafkaInvalidPartitionNum]invalid partition num {number}"));
    i32::try_from(number).ok().filter(|n| *n > 0).map(Some).ok_or_else(bad)
}

/// `replication-factor`.
fn replication(value: Option<i64>) -> Result<i32, ConfigError> {
    let number = value.unwrap_or(1);
    let bad = || ConfigError::kafka(format!("invalid replication factor {number}: use 1 or more"));
    i16::try_from(number).ok().filter(|n| *n > 0).map(i32::from).ok_or_else(bad)
}

/// `max-message-bytes`.
fn message_bytes(value: Option<i64>) -> Result<usize, ConfigError> {
    let Some(number) = value else { return Ok(DEFAULT_MAX_MESSAGE_BYTES) };
    let bad = || ConfigError::kafka(format!("invalid max-message-bytes {number}: use 1 or more"));
    usize::try_from(number).ok().filter(|n| *n > 0 && *n <= 1 << 30).ok_or_else(bad)
}

/// `compression`; what is unknown means none, as in TiCDC.
fn compression(value: Option<String>) -> Result<String, ConfigError> {
    let name = value.unwrap_or_default().trim().to_lowercase();
    match name.as_str() {
        "gzip" | "snappy" | "lz4" | "zstd" => Ok(name),
        _ => Ok("none".to_owned()),
    }
}

/// `kafka-client-id`.
fn client_id(value: Option<String>) -> Result<Option<String>, ConfigError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match value {
        Some(id) if !id.chars().all(valid) => {
            Err(ConfigError::kafka(format!("[CDC:ErrKafkaInvalidClientID]invalid kafka client ID '{id}'")))
        }
        other => Ok(other),
    }
}

/// `required-acks`.
fn acks(value: Option<i64>) -> Result<i16, ConfigError> {
    match value {
        None | Some(-1) => Ok(-1),
        Some(0) => Ok(0),
        Some(1) => Ok(1),
        Some(other) => Err(ConfigError::kafka(format!(
            "[CDC:ErrKafkaInvalidRequiredAcks]invalid required acks {other}, only support these values: \
             0(NoResponse),1(WaitForLocal) and -1(WaitForAll)"
        ))),
    }
}

/// A timeout in Go's notation.
fn timeout(key: &str, value: Option<String>) -> Result<Duration, ConfigError> {
    let Some(text) = value else { return Ok(DEFAULT_TIMEOUT) };
    let parsed = parse_go_duration(&text).map_err(|e| ConfigError::kafka(format!("{key}: {e}")))?;
    if parsed.is_zero() {
        return Err(ConfigError::kafka(format!("{key} must be greater than zero")));
    }
    Ok(parsed)
}

/// `large-message-handle`.
fn large_message(uri: &SinkUri, file: &KafkaConfig) -> Result<LargeMessageHandle, ConfigError> {
    let Some(config) = &file.large_message_handle else { return Ok(LargeMessageHandle::default()) };
    let compression = match config.large_message_handle_compression.trim().to_lowercase().as_str() {
        "" | "none" => ValueCodec::None,
        "lz4" => ValueCodec::Lz4,
        "snappy" => ValueCodec::Snappy,
        other => {
            return Err(ConfigError::invalid(format!(
                "large message handle compression {other:?} is not supported; use none, lz4 or snappy"
            )));
        }
    };
    let mode = match config.large_message_handle_option.as_str() {
        "" | "none" => return Ok(LargeMessageHandle { compression, ..LargeMessageHandle::default() }),
        "handle-key-only" => LargeMessageMode::HandleKeyOnly,
        "claim-check" => LargeMessageMode::ClaimCheck,
        other => {
            return Err(ConfigError::invalid(format!(
                "large message handle option {other:?} is unknown; use none, handle-key-only or claim-check"
            )));
        }
    };
    if uri.get("enable-tidb-extension") != Some("true") {
        return Err(ConfigError::invalid(format!(
            "large message handle is set to {}, protocol is canal-json, but enable-tidb-extension is false",
            config.large_message_handle_option
        )));
    }
    let claim_check = match mode {
        LargeMessageMode::ClaimCheck => Some(ClaimCheckStorage {
            place: ClaimCheckPlace::parse(&config.claim_check_storage_uri)?,
            raw_value: config.claim_check_raw_value,
        }),
        LargeMessageMode::None | LargeMessageMode::HandleKeyOnly => None,
    };
    Ok(LargeMessageHandle { mode, claim_check, compression })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(uri: &str, toml: &str) -> Result<KafkaOptions, ConfigError> {
        let config = ReplicaConfig::from_toml(toml, "test").expect("toml");
        KafkaOptions::new(&SinkUri::parse(uri)?, &config)
    }

    #[test]
    fn defaults_are_ticdcs() {
        let o = options("kafka://h:9092/t?protocol=canal-json", "").expect("valid");
        assert_eq!((o.partition_num, o.replication_factor, o.required_acks), (None, 1, -1));
        assert_eq!((o.max_message_bytes, o.compression.as_str()), (10 << 20, "none"));
        assert!(o.auto_create_topic && !o.enable_tidb_extension);
    }

    #[test]
    fn zero_values_of_the_uri_do_not_override_the_file() {
        let file = "[sink.kafka-config]\nauto-create-topic = true\nrequired-acks = -1\npartition-num = 4\n";
        let o = options("kafka://h/t?protocol=canal-json&auto-create-topic=false&required-acks=0", file)
            .expect("valid");
        assert!(o.auto_create_topic);
        assert_eq!((o.required_acks, o.partition_num), (-1, Some(4)));
        let o = options("kafka://h/t?protocol=canal-json&auto-create-topic=false&required-acks=0", "")
            .expect("valid");
        assert!(!o.auto_create_topic);
        assert_eq!(o.required_acks, 0);
    }

    #[test]
    fn bad_values_name_their_key() {
        for (uri, part) in [
            ("kafka://h/t", "unknown '' message protocol"),
            ("kafka://h/t?protocol=nope", "unknown 'nope' message protocol"),
            ("kafka://h/t?protocol=avro", "not supported yet"),
            ("kafka://h/?protocol=canal-json", "no topic is specified"),
            ("kafka://h/t?protocol=canal-json&partition-num=0", "invalid partition num 0"),
            ("kafka://h/t?protocol=canal-json&max-message-bytes=abc", "parsing \"abc\""),
            ("kafka://h/t?protocol=canal-json&required-acks=7", "invalid required acks 7"),
            ("kafka://h/t?protocol=canal-json&max-retry=often", "parsing \"often\""),
            ("kafka://h/t?protocol=canal-json&transaction-atomicity=table", "atomicity"),
            ("kafka://h/t?protocol=canal-json&ca=a", "ca, cert and key"),
            ("kafka://h/t?protocol=canal-json&ca=a&cert=b", "ca, cert and key"),
            (
                "kafka://h/t?protocol=canal-json&enable-tls=false&ca=a&cert=b&key=c",
                "'enable-tls' set to false",
            ),
            ("kafka://h/t?protocol=canal-json&sasl-mechanism=gssapi", "sasl-gssapi-auth-type is not set"),
            (
                "kafka://h/t?protocol=canal-json&sasl-mechanism=gssapi&sasl-gssapi-auth-type=user",
                "auth-type user is not supported",
            ),
            ("kafka://h/t?protocol=canal-json&sasl-mechanism=oauthbearer", "sasl-oauth-client-id is not set"),
            ("kafka://h/t?protocol=canal-json&sasl-oauth-client-id=x", "no effect in the sink URI"),
            ("kafka://h/t?protocol=canal-json&sasl-mechanism=md5", "unknown MD5 SASL mechanism"),
            ("ftp://h/t?protocol=canal-json", "sink uri invalid 'ftp://h/t'"),
        ] {
            let error = options(uri, "").expect_err(uri);
            assert!(error.to_string().contains(part), "{uri}: {error}");
        }
    }

    #[test]
    fn tokens_need_three_keys_of_the_file_and_their_mechanism() {
        let keys = "[sink.kafka-config]\nsasl-oauth-client-id = 'cdc'\nsasl-oauth-client-secret = 'c2VjcmV0'\n\
                    sasl-oauth-token-url = 'https://h/token'\nsasl-oauth-scopes = ['a', 'b']\n";
        let uri = "kafka://h/t?protocol=canal-json&sasl-mechanism=oauthbearer";
        let Some(SaslOptions::Oauth(oauth)) = options(uri, keys).expect("valid").sasl else {
            panic!("no OAuth")
        };
        assert_eq!(
            (oauth.client_secret.as_str(), oauth.grant_type.as_str()),
            ("secret", "client_credentials")
        );
        assert_eq!(oauth.scopes, ["a", "b"]);
        assert!(!format!("{oauth:?}").contains("secret"));
        for (uri, file, part) in [
            (
                "kafka://h/t?protocol=canal-json",
                keys.to_owned(),
                "only supported with SASL mechanism type OAUTHBEARER",
            ),
            (uri, keys.replace("c2VjcmV0", "?"), "not base64"),
            (uri, keys.replace("'https://h/token'", "''"), "sasl-oauth-token-url is not set"),
            (uri, keys.replace("https:", "ftp:"), "must begin with https://"),
        ] {
            let error = options(uri, &file).expect_err(part);
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn kerberos_takes_a_key_table() {
        let uri = "kafka://h/t?protocol=canal-json&sasl-mechanism=gssapi&sasl-gssapi-auth-type=keytab\
                   &sasl-gssapi-keytab-path=/k&sasl-gssapi-service-name=kafka&sasl-gssapi-user=cdc&sasl-gssapi-realm=R";
        let Some(SaslOptions::Kerberos(kerberos)) = options(uri, "").expect("valid").sasl else {
            panic!("no Kerberos")
        };
        assert_eq!((kerberos.principal.as_str(), kerberos.keytab.as_str()), ("cdc@R", "/k"));
        for (good, bad, key) in [
            ("keytab-path=/k", "keytab-path=/k%22%3Btouch%20/x%3B%22", "sasl-gssapi-keytab-path may hold"),
            ("user=cdc", "user=cdc%20$(touch%20/x)", "sasl-gssapi-user may hold"),
            ("realm=R", "realm=R%60id%60", "sasl-gssapi-realm may hold"),
        ] {
            let error = options(&uri.replace(good, bad), "").expect_err(bad);
            assert!(error.message.contains(key), "a shell would read {bad}: {error}");
        }
    }

    #[test]
    fn claim_check_wants_the_extension_and_a_folder() {
        let with = |uri_end: &str, lines: &str| {
            let uri = format!("kafka://h/t?protocol=canal-json{uri_end}");
            let option = "large-message-handle-option = 'claim-check'";
            options(&uri, &format!("[sink.kafka-config.large-message-handle]\n{option}\n{lines}"))
        };
        let extension = "&enable-tidb-extension=true";
        let o =
            with(extension, "claim-check-storage-uri = 'file:///data/large/'\nclaim-check-raw-value = true")
                .expect("valid");
        assert_eq!(o.large_message.mode, LargeMessageMode::ClaimCheck);
        let place = ClaimCheckPlace::Folder("/data/large".to_owned());
        let storage = ClaimCheckStorage { place, raw_value: true };
        assert_eq!(o.large_message.claim_check, Some(storage));
        for (uri_end, lines, part) in [
            ("", "claim-check-storage-uri = 'file:///x'", "set to claim-check, protocol is canal-json, but"),
            (extension, "", "claim-check-storage-uri is empty"),
            (extension, "claim-check-storage-uri = 'gcs://bucket/x'", "gcs:// is not supported yet"),
        ] {
            let error = with(uri_end, lines).expect_err(lines);
            assert_eq!(error.code, "CDC:ErrInvalidReplicaConfig", "{lines}");
            assert!(error.message.contains(part), "{lines}: {error}");
        }
    }

    #[test]
    fn values_are_compressed_with_lz4_or_snappy_in_every_mode() {
        let with = |codec: &str| {
            let line = format!("large-message-handle-compression = '{codec}'");
            options(
                "kafka://h/t?protocol=canal-json",
                &format!("[sink.kafka-config.large-message-handle]\n{line}"),
            )
        };
        for (text, codec) in
            [("none", ValueCodec::None), ("LZ4", ValueCodec::Lz4), ("snappy", ValueCodec::Snappy)]
        {
            let handle = with(text).expect(text).large_message;
            assert_eq!((handle.compression, handle.mode), (codec, LargeMessageMode::None));
        }
        assert!(with("zstd").expect_err("refused").message.contains("use none, lz4 or snappy"));
    }

    #[test]
    fn content_compatible_implies_only_updated_columns() {
        let o = options("kafka://h/t?protocol=canal-json&content-compatible=true", "").expect("valid");
        assert!(o.content_compatible && o.only_output_updated_columns);
    }
}
