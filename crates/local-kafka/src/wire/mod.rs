//! The wire protocol: headers, the check in front of the decoder, and encoding of answers.

mod guard;
mod layouts;
pub(crate) mod versions;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

use guard::GuardError;

/// Bytes of the length in front of a frame.
pub(crate) const LENGTH_PREFIX: usize = 4;

/// Why a connection has to be closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    /// The frame is shorter than its header.
    #[error("the request header is incomplete")]
    Header,
    /// An API this broker does not serve.
    #[error("API key {0} is not supported")]
    Api(i16),
    /// A version this broker does not serve.
    #[error("version {version} of {api:?} is not supported")]
    Version {
        /// The request.
        api: ApiKey,
        /// Its version.
        version: i16,
    },
    /// The body has impossible lengths.
    #[error("malformed {api:?} request: {source}")]
    Guard {
        /// The request.
        api: ApiKey,
        /// What is wrong.
        source: GuardError,
    },
    /// The body cannot be decoded.
    #[error("malformed {api:?} request: {reason}")]
    Decode {
        /// The request.
        api: ApiKey,
        /// What is wrong.
        reason: String,
    },
    /// The answer cannot be encoded in the version asked for.
    #[error("cannot encode the answer to {api:?}: {reason}")]
    Encode {
        /// The request.
        api: ApiKey,
        /// What is wrong.
        reason: String,
    },
}

/// A request with its header read and its body unread.
#[derive(Debug)]
pub(crate) struct Request {
    /// Which request.
    pub(crate) api: ApiKey,
    /// Its version.
    pub(crate) version: i16,
    /// Echoed in the answer.
    pub(crate) correlation_id: i32,
    /// Name the client gave itself.
    pub(crate) client_id: String,
    /// The body.
    body: Bytes,
}

impl Request {
    /// Reads the header of a frame. An ApiVersions request of an unknown version passes with an empty body.
    pub(crate) fn read(mut frame: Bytes) -> Result<Self, WireError> {
        let key = frame.try_get_i16().map_err(|_| WireError::Header)?;
        let version = frame.try_get_i16().map_err(|_| WireError::Header)?;
        let correlation_id = frame.try_get_i32().map_err(|_| WireError::Header)?;
        let api = ApiKey::try_from(key).map_err(|()| WireError::Api(key))?;
        let supported = versions::supported(api).ok_or(WireError::Api(key))?;
        let request = |client_id, body| Self { api, version, correlation_id, client_id, body };
        if !(supported.min..=supported.max).contains(&version) {
            return match api {
                ApiKey::ApiVersions => Ok(request(String::new(), Bytes::new())),
                _ => Err(WireError::Version { api, version }),
            };
        }
        let length = frame.try_get_i16().map_err(|_| WireError::Header)?;
        let length = usize::try_from(length).unwrap_or(0);
        if frame.len() < length {
            return Err(WireError::Header);
        }
        let client_id = String::from_utf8_lossy(&frame.split_to(length)).into_owned();
        if api.request_header_version(version) >= 2 {
            let tags = guard::tagged_fields_len(&frame).map_err(|source| WireError::Guard { api, source })?;
            frame.advance(tags);
        }
        Ok(request(client_id, frame))
    }

    /// Decodes the body.
    pub(crate) fn decode<T: Decodable>(&self) -> Result<T, WireError> {
        guard::check(self.api, self.version, &self.body)
            .map_err(|source| WireError::Guard { api: self.api, source })?;
        let decoded = T::decode(&mut self.body.clone(), self.version);
        decoded.map_err(|e| WireError::Decode { api: self.api, reason: e.to_string() })
    }

    /// Encodes an answer with its frame length and header. `body_hint` is its expected size in bytes.
    pub(crate) fn encode<T: Encodable>(&self, answer: &T, body_hint: usize) -> Result<Bytes, WireError> {
        self.encode_as(answer, self.version, body_hint)
    }

    /// Encodes an answer in another version than the request's.
    pub(crate) fn encode_as<T: Encodable>(
        &self,
        answer: &T,
        version: i16,
        body_hint: usize,
    ) -> Result<Bytes, WireError> {
        /// Bytes reserved for header and small fields.
        const SLACK: usize = 256;
        let failed = |reason: String| WireError::Encode { api: self.api, reason };
        let mut out = BytesMut::with_capacity(body_hint + SLACK);
        out.put_u32(0);
        out.put_i32(self.correlation_id);
        if self.api.response_header_version(version) >= 1 {
            out.put_u8(0);
        }
        answer.encode(&mut out, version).map_err(|e| failed(e.to_string()))?;
        let length = i32::try_from(out.len() - LENGTH_PREFIX).map_err(|e| failed(e.to_string()))?;
        if let Some(prefix) = out.first_chunk_mut::<LENGTH_PREFIX>() {
            *prefix = length.to_be_bytes();
        }
        Ok(out.freeze())
    }
}

/// Text of the protocol from a Rust string.
pub(crate) fn text(s: impl Into<String>) -> StrBytes {
    StrBytes::from_string(s.into())
}
