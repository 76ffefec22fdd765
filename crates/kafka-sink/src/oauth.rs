//! Tokens for SASL's OAUTHBEARER: fetched from a token server by the client-credentials grant of OAuth 2.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use reqwest::{Client, StatusCode, Url};
use serde_json::Value;

use crate::error::SinkError;

/// Longest time of one request for a token.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// Largest answer of a token server, bytes.
const MAX_ANSWER: usize = 1 << 20;
/// How long a token is good whose server doesn't say.
const UNKNOWN_LIFETIME: Duration = Duration::from_secs(300);
/// Part of an answer that an error shows, characters.
const SHOWN_ANSWER: usize = 200;

/// How to get a token.
#[derive(Clone, PartialEq, Eq)]
pub struct OauthConfig {
    /// Client id.
    pub client_id: String,
    /// Client secret; never printed.
    pub client_secret: String,
    /// Where tokens are given out.
    pub token_url: String,
    /// Scopes that are asked for.
    pub scopes: Vec<String>,
    /// `grant_type` of the request.
    pub grant_type: String,
    /// `audience` of the request.
    pub audience: Option<String>,
}

impl std::fmt::Debug for OauthConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OauthConfig")
            .field("client_id", &self.client_id)
            .field("token_url", &self.token_url)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl OauthConfig {
    /// Fetches a token. Blocks, on whatever thread: the request has a thread and a runtime of its own.
    pub(crate) fn fetch(&self) -> Result<OAuthToken, SinkError> {
        let work = || -> Result<OAuthToken, String> {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|e| e.to_string())?;
            runtime.block_on(self.request())
        };
        let outcome = std::thread::scope(|scope| scope.spawn(work).join());
        let outcome = outcome.unwrap_or_else(|_| Err("the request for a token was given up".to_owned()));
        outcome.map_err(|reason| {
            SinkError::Unreachable(format!("cannot get an OAuth token from {}: {reason}", self.token_url))
        })
    }

    /// Asks with the secret in the header, and once more with it in the body, for servers that want it there.
    async fn request(&self) -> Result<OAuthToken, String> {
        let client = Client::builder().timeout(REQUEST_LIMIT).build().map_err(|e| reason(&e))?;
        let (mut status, mut answer) = self.ask(&client, false).await?;
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            (status, answer) = self.ask(&client, true).await?;
        }
        if !status.is_success() {
            let shown: String = String::from_utf8_lossy(&answer).chars().take(SHOWN_ANSWER).collect();
            return Err(format!("{status}: {shown}"));
        }
        self.token(&answer)
    }

    /// One request.
    async fn ask(&self, client: &Client, secret_in_body: bool) -> Result<(StatusCode, Vec<u8>), String> {
        let mut request = client.post(&self.token_url);
        if !secret_in_body {
            request = request.basic_auth(&self.client_id, Some(&self.client_secret));
        }
        let request = request
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("Accept", "application/json")
            .body(self.form(secret_in_body)?);
        let mut answer = request.send().await.map_err(|e| reason(&e))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| reason(&e))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err("the answer is too large for one with a token".to_owned());
            }
        }
        Ok((answer.status(), body))
    }

    /// The body of the request.
    fn form(&self, with_secret: bool) -> Result<String, String> {
        // A query has the encoding of a form.
        let mut url = Url::parse("http://form").map_err(|e| e.to_string())?;
        {
            let mut pairs = url.query_pairs_mut();
            pairs.append_pair("grant_type", &self.grant_type);
            if !self.scopes.is_empty() {
                pairs.append_pair("scope", &self.scopes.join(" "));
            }
            if let Some(audience) = &self.audience {
                pairs.append_pair("audience", audience);
            }
            if with_secret {
                pairs.append_pair("client_id", &self.client_id);
                pairs.append_pair("client_secret", &self.client_secret);
            }
        }
        Ok(url.query().unwrap_or_default().to_owned())
    }

    /// The token in a server's answer.
    fn token(&self, answer: &[u8]) -> Result<OAuthToken, String> {
        let answer: Value =
            serde_json::from_slice(answer).map_err(|e| format!("the answer is not JSON: {e}"))?;
        let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let token = token.ok_or("the answer has no access_token")?;
        let claims = claims(token);
        let seconds = answer.get("expires_in").and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_f64().map(|seconds| seconds as u64),
        });
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ends = match (seconds, claims.get("exp").and_then(Value::as_f64)) {
            (Some(seconds), _) => now.saturating_add(Duration::from_secs(seconds)),
            (None, Some(at)) => Duration::try_from_secs_f64(at).unwrap_or(now),
            (None, None) => now + UNKNOWN_LIFETIME,
        };
        let principal = claims.get("sub").and_then(Value::as_str).unwrap_or(&self.client_id);
        Ok(OAuthToken {
            token: token.to_owned(),
            principal_name: principal.to_owned(),
            lifetime_ms: i64::try_from(ends.as_millis()).unwrap_or(i64::MAX),
        })
    }
}

/// An error with its causes: reqwest's own text says little.
fn reason(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// What a token says about itself, if it is a JSON web token. It is the brokers that check it.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> OauthConfig {
        OauthConfig {
            client_id: "cdc".to_owned(),
            client_secret: "s&cret".to_owned(),
            token_url: "http://127.0.0.1:1/token".to_owned(),
            scopes: vec!["kafka".to_owned(), "write all".to_owned()],
            grant_type: "client_credentials".to_owned(),
            audience: None,
        }
    }

    #[test]
    fn requests_are_forms_and_debug_has_no_secret() {
        let config = config();
        assert_eq!(config.form(false).as_deref(), Ok("grant_type=client_credentials&scope=kafka+write+all"));
        let whole = config.form(true).expect("a form");
        assert!(whole.ends_with("&client_id=cdc&client_secret=s%26cret"), "{whole}");
        assert!(!format!("{config:?}").contains("cret"));
    }

    #[test]
    fn lifetime_and_name_come_from_the_answer_or_the_token() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let token = config().token(br#"{"access_token":"opaque","expires_in":"60"}"#).expect("a token");
        assert_eq!((token.token.as_str(), token.principal_name.as_str()), ("opaque", "cdc"));
        assert!((now + 50_000..now + 70_000).contains(&token.lifetime_ms));
        let claims = URL_SAFE_NO_PAD.encode(r#"{"sub":"someone","exp":4102444800}"#);
        let answer = format!(r#"{{"access_token":"e30.{claims}."}}"#);
        let token = config().token(answer.as_bytes()).expect("a token");
        assert_eq!((token.principal_name.as_str(), token.lifetime_ms), ("someone", 4_102_444_800_000));
        for bad in ["", "[]", "{}", r#"{"access_token":""}"#] {
            assert!(config().token(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_named() {
        let error = config().fetch().map(|token| token.token).expect_err("nobody listens");
        assert!(error.to_string().contains("from http://127.0.0.1:1/token"), "{error}");
    }
}
