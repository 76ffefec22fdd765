//! The sink URI: `kafka://host:port[,host:port]/topic?key=value`.

use crate::error::ConfigError;

/// Query keys whose values never leave the process in logs and errors.
const SECRET_WORDS: [&str; 11] = [
    "password",
    "passwd",
    "pwd",
    "access",
    "token",
    "secret",
    "key",
    "signature",
    "credential",
    "private",
    "client",
];

/// A parsed sink URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkUri {
    /// Scheme, lower case.
    pub scheme: String,
    /// User info before `@`, as written.
    pub user_info: String,
    /// Authority without user info: the broker list, verbatim.
    pub host: String,
    /// Path without surrounding slashes, decoded: the topic.
    pub topic: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
}

/// Decodes `%XX` and, in queries, `+`.
fn decode(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok()?);
            }
            b'+' if plus_is_space => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Encodes a query value as Go's `url.Values.Encode` does.
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

impl SinkUri {
    /// Parses a URI.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            let message = "sink uri invalid 'sink_uri is empty, cannot create a changefeed without sink_uri'";
            return Err(ConfigError::new("CDC:ErrSinkURIInvalid", message));
        }
        let bad = |reason: &str| ConfigError::sink_uri(format!("parse \"{}\": {reason}", mask_uri(text)));
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("missing protocol scheme"))?;
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if scheme.is_empty()
            || !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.chars().all(valid)
        {
            return Err(bad("missing protocol scheme"));
        }
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before_query.split_once('/').unwrap_or((before_query, ""));
        let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let topic = decode(path.trim_matches('/'), false).ok_or_else(|| bad("invalid URL escape"))?;
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(key, true).zip(decode(value, true));
            pairs.push(decoded.ok_or_else(|| bad("invalid URL escape"))?);
        }
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            user_info: user_info.to_owned(),
            host: host.to_owned(),
            topic,
            query: pairs,
        })
    }

    /// First value of a query parameter; an empty value counts as absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(k, v)| k == key && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    /// True for Kafka schemes.
    pub fn is_kafka(&self) -> bool {
        matches!(self.scheme.as_str(), "kafka" | "kafka+ssl")
    }
}

/// Replaces secrets of a URI: the password before `@` and the value of `sasl-password` and the like. Text that has no
/// secret comes back unchanged.
pub fn mask_uri(text: &str) -> String {
    let (base, query) = text.split_once('?').map_or((text, None), |(base, query)| (base, Some(query)));
    let base = match base
        .split_once("://")
        .and_then(|(scheme, rest)| rest.rsplit_once('@').map(|(u, h)| (scheme, u, h)))
    {
        Some((scheme, user_info, host)) => match user_info.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:xxxxx@{host}"),
            None => base.to_owned(),
        },
        None => base.to_owned(),
    };
    let Some(query) = query else { return base };
    let is_secret = |pair: &str| {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key).to_ascii_lowercase();
        key != "kafka-client-id" && SECRET_WORDS.iter().any(|word| key.contains(word))
    };
    if !query.split('&').any(is_secret) {
        return format!("{base}?{query}");
    }
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value =
                if is_secret(pair) { "xxxxx".to_owned() } else { decode(value, true).unwrap_or_default() };
            (decode(key, true).unwrap_or_default(), value)
        })
        .collect();
    pairs.sort();
    let encoded: Vec<String> = pairs.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    format!("{base}?{}", encoded.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn brokers_topic_and_query_are_found() {
        let uri = SinkUri::parse("kafka://a:9092,b:9093/tidb-test?protocol=canal-json&kafka-version=2.4.0")
            .expect("valid");
        assert_eq!((uri.host.as_str(), uri.topic.as_str()), ("a:9092,b:9093", "tidb-test"));
        assert_eq!(uri.get("protocol"), Some("canal-json"));
        assert_eq!(SinkUri::parse("kafka://a/bad topic?x=1").expect("valid").topic, "bad topic");
    }

    #[test]
    fn broken_uris_say_what_is_wrong() {
        assert_eq!(
            SinkUri::parse("").expect_err("empty").message,
            "sink uri invalid 'sink_uri is empty, cannot create a changefeed without sink_uri'"
        );
        let error = SinkUri::parse("::bad").expect_err("no scheme");
        assert!(error.message.contains("missing protocol scheme"), "{error}");
    }

    #[test]
    fn secrets_are_masked_and_nothing_else_changes() {
        let plain = "kafka://127.0.0.1:9092/t?protocol=canal-json&compression=lz4";
        assert_eq!(mask_uri(plain), plain);
        assert_eq!(
            mask_uri("kafka://u:p%40w@h/t?sasl-password=hunter2&protocol=canal-json"),
            "kafka://u:xxxxx@h/t?protocol=canal-json&sasl-password=xxxxx"
        );
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_password_survives(text: String, secret in "[a-z]{12}") {
            let _ = SinkUri::parse(&text);
            let uri = format!("kafka://u:{secret}@h/t?sasl-password={secret}");
            prop_assert!(!mask_uri(&uri).contains(&secret));
        }
    }
}
