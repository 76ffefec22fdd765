//! Requests that only the owner can answer are sent on to it.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use changefeed::FeedError;

use super::answer::ApiError;
use super::{BASE, MAX_BODY_BYTES, Shared};

/// Counts how often a request was sent on.
const TIMES: &str = "TiCDC-ForwardTimes";
/// Says who sent a request on.
const FROM: &str = "TiCDC-ForwardFrom";
/// Most times that a request is sent on: the owner may change under way.
const MAX_TIMES: u32 = 2;

/// How often the request was sent on already.
fn times(headers: &HeaderMap) -> u32 {
    headers.get(TIMES).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Lets the handler run on the owner, and sends the request on elsewhere.
pub(crate) async fn to_owner(State(state): State<Shared>, request: Request, next: Next) -> Response {
    if state.membership.owner().is_some() {
        return next.run(request).await;
    }
    send_on(&state, request).await.unwrap_or_else(IntoResponse::into_response)
}

/// Sends a request to the owner.
async fn send_on(state: &Shared, request: Request) -> Result<Response, ApiError> {
    let failed = |reason: String| ApiError(FeedError::new("CDC:ErrRequestForwardErr", reason));
    let hops = times(request.headers());
    if hops >= MAX_TIMES {
        return Err(failed(format!(
            "request forward error, an request can only forward to owner {MAX_TIMES} times"
        )));
    }
    let captures = state.membership.captures().await.map_err(|e| failed(e.to_string()))?;
    let Some((owner, _)) =
        captures.into_iter().find(|(info, is_owner)| *is_owner && info.id != state.membership.info.id)
    else {
        return Err(ApiError(FeedError::new(
            "CDC:ErrOwnerNotFound",
            "owner not found: the election is under way, try again",
        )));
    };
    let (parts, body) = request.into_parts();
    // Nested routes see the path below the base.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|e| failed(e.to_string()))?;
    let http = state.caller.client().map_err(|e| failed(e.to_string()))?;
    let url = format!("{}{BASE}{path}", state.caller.url(&owner.address));
    let mut forwarded = http.request(parts.method, url).body(body);
    // The owner asks for the user.
    for name in ["content-type", "accept", "authorization"] {
        if let Some(value) = parts.headers.get(name) {
            forwarded = forwarded.header(name, value);
        }
    }
    let forwarded = forwarded.header(TIMES, (hops + 1).to_string()).header(FROM, &state.membership.info.id);
    let answer = forwarded.send().await.map_err(|e| failed(e.to_string()))?;
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "www-authenticate"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    let bytes = answer.bytes().await.map_err(|e| failed(e.to_string()))?;
    response.body(Body::from(bytes)).map_err(|e| failed(e.to_string()))
}
