//! Answers in the form that Go's JSON encoder and TiCDC's web framework give them.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use changefeed::FeedError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Codes (and, in messages, parts of them) that are answered with 400; all others with 500.
const CLIENT_ERRORS: [&str; 14] = [
    "CDC:ErrAPIInvalidParam",
    "CDC:ErrSinkURIInvalid",
    "CDC:ErrStartTsBeforeGC",
    "CDC:ErrChangeFeedNotExists",
    "CDC:ErrTargetTsBeforeStartTs",
    "CDC:ErrTableIneligible",
    "CDC:ErrFilterRuleInvalid",
    "CDC:ErrChangefeedUpdateRefused",
    "CDC:ErrMySQLConnectionError",
    "CDC:ErrMySQLInvalidConfig",
    "CDC:ErrCaptureNotExist",
    "CDC:ErrSchedulerRequestFailed",
    "CDC:ErrUnauthorized",
    "CDC:ErrActiveActiveTSOIndexIncompatible",
];

/// Longest reason of the framework that is passed on, bytes.
const MAX_REASON_BYTES: usize = 4 << 10;

/// JSON as Go writes it: `<`, `>`, `&` and line separators escaped.
pub(crate) fn go_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            other => out.push(other),
        }
    }
    out
}

/// A JSON answer.
fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// 200 with compact JSON.
pub(crate) fn compact<T: Serialize>(value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => json(StatusCode::OK, go_json(&text)),
        Err(error) => ApiError(FeedError::new("CDC:ErrMarshalFailed", error.to_string())).into_response(),
    }
}

/// 200 with JSON indented by four spaces.
pub(crate) fn indented<T: Serialize>(value: &T) -> Response {
    json(StatusCode::OK, go_json(&pretty(value)))
}

/// 200 with a document that is the same text as its file: indented by two spaces, nothing escaped.
pub(crate) fn document(value: &serde_json::Value) -> Response {
    json(StatusCode::OK, format!("{value:#}\n"))
}

/// Requests that the framework refuses before a handler sees them (a body that is too large, a query or a path that is
/// not text) are answered in the form of all other errors.
pub(crate) async fn of_framework(response: Response) -> Response {
    let status = response.status();
    let refused = matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE);
    let is_json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !refused || is_json {
        return response;
    }
    let reason = match axum::body::to_bytes(response.into_body(), MAX_REASON_BYTES).await {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => status.to_string(),
    };
    let error = FeedError::new("CDC:ErrAPIInvalidParam", format!("invalid api parameter: {reason}"));
    let mut response = ApiError(error).into_response();
    *response.status_mut() = status;
    response
}

/// JSON indented by four spaces.
fn pretty<T: Serialize>(value: &T) -> String {
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(error) => format!("{{\"error_msg\": \"{error}\"}}"),
    }
}

/// 200 with `{}`.
pub(crate) fn empty() -> Response {
    json(StatusCode::OK, "{}".to_owned())
}

/// 200 with `null`.
pub(crate) fn null() -> Response {
    json(StatusCode::OK, "null".to_owned())
}

/// A list with its length.
#[derive(Serialize)]
pub(crate) struct List<T> {
    /// Length.
    pub(crate) total: usize,
    /// Items.
    pub(crate) items: Vec<T>,
}

impl<T> From<Vec<T>> for List<T> {
    fn from(items: Vec<T>) -> Self {
        Self { total: items.len(), items }
    }
}

/// An error answer.
pub(crate) struct ApiError(pub(crate) FeedError);

impl<E: Into<FeedError>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The body of an error answer.
#[derive(Serialize)]
struct ErrorBody {
    /// Code and text.
    error_msg: String,
    /// Code.
    error_code: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let message = self.0.to_string();
        let client = CLIENT_ERRORS.iter().any(|code| self.0.code == *code || message.contains(code));
        let status = if client { StatusCode::BAD_REQUEST } else { StatusCode::INTERNAL_SERVER_ERROR };
        let body = ErrorBody { error_msg: message, error_code: self.0.code };
        json(status, go_json(&pretty(&body)))
    }
}

/// Reads a JSON body; an empty one stands for the default.
pub(crate) fn body<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    // serde would fill the fields of a shape from an array as well.
    if bytes.trim_ascii_start().starts_with(b"[") {
        let message = "invalid api parameter: an array in place of an object";
        return Err(ApiError(FeedError::new("CDC:ErrAPIInvalidParam", message)));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        ApiError(FeedError::new("CDC:ErrAPIInvalidParam", format!("invalid api parameter: {e}")))
    })
}

/// The answer for paths that nobody serves.
pub(crate) async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "text/plain")], "404 page not found").into_response()
}

/// A result that becomes an answer.
pub(crate) type ApiResult = Result<Response, ApiError>;
