//! A bucket for tests: takes objects over the protocol of S3, and checks every signature (version 4) itself.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Account.
pub(crate) const ACCESS_KEY: &str = "AKIATEST";
/// Its secret, with the characters that need care in a URI.
pub(crate) const SECRET_KEY: &str = "wJalr+XUtnFEMI/K7MDENG=";
/// Token of the session; every request has to bring it.
pub(crate) const SESSION_TOKEN: &str = "session/token+";
/// Region that signatures are for.
pub(crate) const REGION: &str = "eu-test-1";
/// Largest object.
const LARGEST: usize = 64 << 20;
/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// What the bucket has seen.
#[derive(Default)]
struct Seen {
    /// Objects by path.
    objects: HashMap<String, Vec<u8>>,
    /// Header of encryption of each.
    encryption: HashMap<String, String>,
    /// Answers to the next requests, in place of taking them.
    faults: VecDeque<StatusCode>,
    /// Answers to all requests, in place of taking them.
    outage: Option<StatusCode>,
    /// Requests that were answered with a fault.
    faulted: usize,
    /// Requests whose signature was wrong.
    forged: usize,
}

/// A server with one bucket.
pub(crate) struct BucketServer {
    seen: Arc<Mutex<Seen>>,
    addr: SocketAddr,
    task: JoinHandle<()>,
}

impl BucketServer {
    /// Starts it on a free port.
    pub(crate) async fn start() -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let addr = listener.local_addr().expect("bound");
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("served") });
        Self { seen, addr, task }
    }

    /// The URI of a path in the bucket.
    pub(crate) fn uri(&self, path: &str) -> String {
        let endpoint = format!("http%3A%2F%2F{}", self.addr);
        format!(
            "s3://large/{path}?endpoint={endpoint}&region={REGION}&access-key={ACCESS_KEY}\
             &secret-access-key={SECRET_KEY}&session-token={SESSION_TOKEN}&force-path-style=true&sse=AES256"
        )
    }

    /// The next requests get these answers.
    pub(crate) fn fail_next(&self, faults: &[StatusCode]) {
        self.seen.lock().unwrap().faults.extend(faults);
    }

    /// All requests get this answer from now on, or are taken again.
    pub(crate) fn set_outage(&self, answer: Option<StatusCode>) {
        self.seen.lock().unwrap().outage = answer;
    }

    /// Requests that were answered with a fault.
    pub(crate) fn faulted(&self) -> usize {
        self.seen.lock().unwrap().faulted
    }

    /// The object that a message points to.
    pub(crate) fn object(&self, location: &str) -> String {
        let key = location.strip_prefix("s3://").expect("a bucket");
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.forged, 0, "wrong signatures");
        assert_eq!(seen.encryption.get(key).map(String::as_str), Some("AES256"));
        let object = seen.objects.get(key).unwrap_or_else(|| panic!("{location} is not there"));
        String::from_utf8(object.clone()).expect("text")
    }
}

impl Drop for BucketServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers a request.
async fn answer(State(seen): State<Arc<Mutex<Seen>>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST).await.expect("a body");
    let mut seen = seen.lock().unwrap();
    let fault = seen.outage.or_else(|| seen.faults.pop_front());
    if let Some(fault) = fault {
        seen.faulted += 1;
        return fault.into_response();
    }
    let path = parts.uri.path();
    if !is_signed(&parts.method, path, parts.uri.query().unwrap_or_default(), &parts.headers, &body) {
        seen.forged += 1;
        return (StatusCode::FORBIDDEN, format!("<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>"))
            .into_response();
    }
    let key = path.trim_start_matches('/').to_owned();
    match parts.method {
        Method::PUT => {}
        Method::GET => {
            let found = seen.objects.get(&key).cloned();
            let headers = [("etag", "\"1\""), ("last-modified", "Thu, 01 Jan 2026 00:00:00 GMT")];
            return found.map_or_else(
                || StatusCode::NOT_FOUND.into_response(),
                |object| (StatusCode::OK, headers, object).into_response(),
            );
        }
        _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
    let encryption = header(&parts.headers, "x-amz-server-side-encryption").to_owned();
    seen.encryption.insert(key.clone(), encryption);
    seen.objects.insert(key, body.to_vec());
    (StatusCode::OK, [("etag", "\"1\"")]).into_response()
}

/// A header, or nothing.
fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Lower-case hexadecimal digits.
fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC with SHA-256.
fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut block = [0u8; BLOCK];
    block[..key.len()].copy_from_slice(key);
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(padded(0x5C)).chain_update(inner).finalize().to_vec()
}

/// True if the request is signed with the account's secret, with its token, for the region, over what arrived.
fn is_signed(method: &Method, path: &str, query: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let content = hex(Sha256::digest(body));
    let Some(fields) = header(headers, "authorization").strip_prefix("AWS4-HMAC-SHA256 ") else {
        return false;
    };
    let field = |name: &str| {
        let found = fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default()
    };
    let (signed, moment) = (field("SignedHeaders"), header(headers, "x-amz-date"));
    let scope = format!("{}/{REGION}/s3/aws4_request", moment.get(..8).unwrap_or_default());
    let names: Vec<&str> = signed.split(';').collect();
    let complete = ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"];
    if field("Credential") != format!("{ACCESS_KEY}/{scope}")
        || !complete.iter().all(|name| names.contains(name))
        || !headers.keys().filter(|k| k.as_str().starts_with("x-amz-")).all(|k| names.contains(&k.as_str()))
        || header(headers, "x-amz-content-sha256") != content
        || header(headers, "x-amz-security-token") != SESSION_TOKEN
    {
        return false;
    }
    let lines: String = names.iter().map(|name| format!("{name}:{}\n", header(headers, name))).collect();
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{signed}\n{content}");
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex(Sha256::digest(canonical)));
    let day = hmac(format!("AWS4{SECRET_KEY}").as_bytes(), &moment[..8]);
    let key = ["s3", "aws4_request"].iter().fold(hmac(&day, REGION), |key, part| hmac(&key, part));
    hex(hmac(&key, &to_sign)) == field("Signature")
}

#[test]
fn the_code_of_the_signature_is_that_of_the_standard() {
    // RFC 4231, test case 2.
    let code = hmac(b"Jefe", "what do ya want for nothing?");
    assert_eq!(hex(code), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}
