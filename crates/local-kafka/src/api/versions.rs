//! ApiVersions.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};

use super::{Answer, OK};
use crate::wire::versions::{SUPPORTED, advertised_min, supported};
use crate::wire::{Request, WireError};

/// Answers with the served requests and versions.
///
/// A version newer than the served ones is answered in version 0 with error 35 and the same list. The answer never
/// has tagged fields: librdkafka 2.0 cannot skip them.
pub(super) fn answer(request: &Request) -> Result<Answer, WireError> {
    let known = supported(request.api).is_some_and(|s| (s.min..=s.max).contains(&request.version));
    if known {
        // An empty body is all that matters here, but garbage has to end the connection as elsewhere.
        request.decode::<ApiVersionsRequest>()?;
    }
    let api = |s| {
        let supported: &crate::wire::versions::Supported = s;
        ApiVersion::default()
            .with_api_key(supported.api as i16)
            .with_min_version(advertised_min(supported))
            .with_max_version(supported.max)
    };
    let error = if known { OK } else { ResponseError::UnsupportedVersion.code() };
    let answer = ApiVersionsResponse::default()
        .with_error_code(error)
        .with_api_keys(SUPPORTED.iter().map(api).collect());
    let version = if known { request.version } else { 0 };
    Ok(Answer::Bytes { bytes: request.encode_as(&answer, version, 0)?, memory: None })
}
