//! A server in front of another one: it hands calls on, or answers them as a test says.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut, Bytes};
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Service, http};
use tonic::transport::{Channel, Endpoint, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// What becomes of a call.
pub(crate) enum Plan {
    /// The server behind answers it.
    Pass,
    /// It is refused.
    Refuse(Status),
    /// This answers it, given the request.
    Answer(Box<dyn FnOnce(Bytes) -> Result<Bytes, Status> + Send>),
}

impl Plan {
    /// An answer that does not depend on the request.
    pub(crate) fn always(answer: impl Message) -> Self {
        let bytes = Bytes::from(answer.encode_to_vec());
        Self::Answer(Box::new(move |_| Ok(bytes)))
    }

    /// An answer that depends on the request.
    pub(crate) fn answer<Q: Message + Default, A: Message>(
        answer: impl FnOnce(Q) -> A + Send + 'static,
    ) -> Self {
        Self::Answer(Box::new(move |bytes| {
            let request = Q::decode(bytes).map_err(|error| Status::invalid_argument(error.to_string()))?;
            Ok(answer(request).encode_to_vec().into())
        }))
    }
}

/// A call as a script sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Name of the method, such as `GetMembers`.
    pub(crate) method: String,
    /// To whom it is to be handed on.
    pub(crate) forwarded: Option<String>,
}

type Script = Arc<dyn Fn(&Call) -> Plan + Send + Sync>;

/// What the connections of a facade share.
#[derive(Clone)]
struct Front {
    behind: Channel,
    script: Arc<Mutex<Script>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// The server.
pub(crate) struct Facade {
    pub(crate) addr: SocketAddr,
    front: Front,
    tls: Option<ServerTlsConfig>,
    /// Of its own, so that its connections end with it.
    server: Option<Runtime>,
}

impl Facade {
    /// Starts a facade of the server at a URL, which hands everything on.
    pub(crate) async fn start(behind: &str) -> Self {
        Self::with_tls(behind, None).await
    }

    /// The same, encrypted.
    pub(crate) async fn with_tls(behind: &str, tls: Option<ServerTlsConfig>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let front = Front {
            behind: Endpoint::from_shared(behind.to_owned()).unwrap().connect_lazy(),
            script: Arc::new(Mutex::new(Arc::new(|_| Plan::Pass))),
            calls: Arc::default(),
        };
        let mut facade = Self { addr: listener.local_addr().unwrap(), front, tls, server: None };
        facade.serve(listener);
        facade
    }

    fn serve(&mut self, listener: std::net::TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let front = self.front.clone();
        let mut server = Server::builder();
        if let Some(tls) = &self.tls {
            server = server.tls_config(tls.clone()).unwrap();
        }
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(async move {
            let incoming = TcpListenerStream::new(TcpListener::from_std(listener).unwrap());
            server.serve_with_incoming(front, incoming).await.unwrap();
        });
        self.server = Some(runtime);
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.addr)
    }

    /// From now on calls go as the script says.
    pub(crate) fn script(&self, script: impl Fn(&Call) -> Plan + Send + Sync + 'static) {
        *self.front.script.lock() = Arc::new(script);
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.front.calls.lock().clone()
    }

    /// Calls of a method so far.
    pub(crate) fn count(&self, method: &str) -> usize {
        self.front.calls.lock().iter().filter(|call| call.method == method).count()
    }

    /// Nobody listens any more, and connections are cut.
    pub(crate) fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown_background();
        }
    }

    /// Listens again at the same address.
    pub(crate) async fn restart(&mut self) {
        // The old listener is closed in the background.
        let listener = loop {
            match std::net::TcpListener::bind(self.addr) {
                Ok(listener) => break listener,
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        };
        self.serve(listener);
    }
}

impl Drop for Facade {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Service<http::Request<Body>> for Front {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let forwarded = request.headers().get("pd-forwarded-host");
        let forwarded = forwarded.map(|value| value.to_str().unwrap().to_owned());
        let call = Call { method, forwarded };
        let script = Arc::clone(&self.script.lock());
        let plan = script(&call);
        self.calls.lock().push(call);
        let mut behind = self.behind.clone();
        Box::pin(async move {
            Ok(match plan {
                Plan::Refuse(status) => status.into_http(),
                Plan::Answer(answer) => {
                    tonic::server::Grpc::new(RawCodec).unary(Answering(Some(answer)), request).await
                }
                Plan::Pass => {
                    let ready = poll_fn(|context| behind.poll_ready(context)).await;
                    match ready {
                        Ok(()) => match behind.call(request).await {
                            Ok(response) => response,
                            Err(error) => Status::unavailable(error.to_string()).into_http(),
                        },
                        Err(error) => Status::unavailable(error.to_string()).into_http(),
                    }
                }
            })
        })
    }
}

/// An answer to one call.
struct Answering(Option<Answer>);

/// Makes an answer of a request.
type Answer = Box<dyn FnOnce(Bytes) -> Result<Bytes, Status> + Send>;

impl Service<Request<Bytes>> for Answering {
    type Response = Response<Bytes>;
    type Error = Status;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let answer = self.0.take().expect("one call");
        std::future::ready(answer(request.into_inner()).map(Response::new))
    }
}

/// Messages as bytes.
#[derive(Clone, Copy, Default)]
struct RawCodec;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = source.remaining();
        Ok(Some(source.copy_to_bytes(length)))
    }
}
