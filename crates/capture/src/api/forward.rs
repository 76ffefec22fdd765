//! Requests that only the owner can answer are sent on to it.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use changefeed::FeedError;
use tokio::time::{Instant, timeout_at};

use super::answer::ApiError;
use super::{BASE, MAX_BODY_BYTES, Shared};
use crate::election::CaptureInfo;

/// Counts how often a request was sent on.
const TIMES: &str = "TiCDC-ForwardTimes";
/// Says who sent a request on.
const FROM: &str = "TiCDC-ForwardFrom";
/// Most times that a request is sent on: the owner may change under way.
const MAX_TIMES: u32 = 2;
/// How long a request waits for an owner: longer than the lease of one that was killed, and the handover.
const ELECTION_LIMIT: Duration = Duration::from_secs(15);
/// Pause before the owner is tried again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// What is said when there is none after that.
const NO_OWNER: &str = "owner not found: the election is under way, try again";

/// How often the request was sent on already.
fn times(headers: &HeaderMap) -> u32 {
    headers.get(TIMES).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Lets the handler run on the owner, and sends the request on elsewhere. During an election it waits for the outcome:
/// neither scripts nor people can do more than ask again.
pub(crate) async fn to_owner(State(state): State<Shared>, request: Request, next: Next) -> Response {
    if state.membership.owner().is_some() {
        return next.run(request).await;
    }
    match send_on(&state, request).await {
        Ok(Sent::Answered(response)) => response,
        Ok(Sent::Elected(request)) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// What became of a request.
enum Sent {
    /// The owner answered it.
    Answered(Response),
    /// Meanwhile this capture is the owner.
    Elected(Request),
}

/// An error of forwarding.
fn failed(reason: impl ToString) -> ApiError {
    ApiError(FeedError::new("CDC:ErrRequestForwardErr", reason.to_string()))
}

/// Sends a request to the owner, as soon as there is one that can be reached.
async fn send_on(state: &Shared, request: Request) -> Result<Sent, ApiError> {
    let hops = times(request.headers());
    if hops >= MAX_TIMES {
        return Err(failed(format!(
            "request forward error, an request can only forward to owner {MAX_TIMES} times"
        )));
    }
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(failed)?;
    let deadline = Instant::now() + ELECTION_LIMIT;
    let mut elections = state.membership.elections();
    loop {
        if state.membership.owner().is_some() {
            return Ok(Sent::Elected(Request::from_parts(parts, Body::from(body))));
        }
        let unreachable = match other_owner(state).await? {
            Some(owner) => match forward(state, &owner, hops, &parts, body.clone())?.send().await {
                // It is dead, and its lease has not run out yet: nothing was sent.
                Err(error) if error.is_connect() => Some(error),
                answer => return answered(answer.map_err(failed)?).await.map(Sent::Answered),
            },
            None => None,
        };
        if Instant::now() >= deadline {
            return Err(unreachable
                .map_or_else(|| ApiError(FeedError::new("CDC:ErrOwnerNotFound", NO_OWNER)), failed));
        }
        // It only comes sooner than the pause ends.
        let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), elections.changed()).await;
    }
}

/// The capture that is the owner, if it is another one.
async fn other_owner(state: &Shared) -> Result<Option<CaptureInfo>, ApiError> {
    let captures = state.membership.captures().await.map_err(failed)?;
    let owner = captures.into_iter().find(|(_, is_owner)| *is_owner).map(|(info, _)| info);
    Ok(owner.filter(|info| info.id != state.membership.info.id))
}

/// A request as the owner gets it.
fn forward(
    state: &Shared,
    owner: &CaptureInfo,
    hops: u32,
    parts: &Parts,
    body: Bytes,
) -> Result<reqwest::RequestBuilder, ApiError> {
    // Nested routes see the path below the base.
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{BASE}{path}", state.caller.url(&owner.address));
    let http = state.caller.client().map_err(failed)?;
    let mut forwarded = http.request(parts.method.clone(), url).body(body);
    // The owner asks for the user.
    for name in ["content-type", "accept", "authorization"] {
        if let Some(value) = parts.headers.get(name) {
            forwarded = forwarded.header(name, value);
        }
    }
    Ok(forwarded.header(TIMES, (hops + 1).to_string()).header(FROM, &state.membership.info.id))
}

/// The answer of the owner as ours.
async fn answered(answer: reqwest::Response) -> Result<Response, ApiError> {
    let mut response = Response::builder().status(answer.status());
    for name in ["content-type", "www-authenticate"] {
        if let Some(value) = answer.headers().get(name) {
            response = response.header(name, value);
        }
    }
    let bytes = answer.bytes().await.map_err(failed)?;
    response.body(Body::from(bytes)).map_err(failed)
}
