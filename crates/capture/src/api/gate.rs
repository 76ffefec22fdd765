//! Requests that only known users may make.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use changefeed::FeedError;

use super::Shared;
use super::answer::ApiError;

/// Lets the handler run if the user is known, or if users are not asked who they are.
pub(crate) async fn known_user(State(state): State<Shared>, request: Request, next: Next) -> Response {
    let Some(users) = &state.users else { return next.run(request).await };
    let header = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
    match users.check(header).await {
        Ok(()) => next.run(request).await,
        Err(error) => refused(error),
    }
}

/// The answer to somebody who is not let in.
fn refused(error: FeedError) -> Response {
    let mut response = ApiError(error).into_response();
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"TiCDC\""));
    response
}
