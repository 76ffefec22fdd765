//! The gRPC stream to a store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use event_sorter::MemoryQuota;
use tikv_client::MAX_MESSAGE_BYTES;
use tikv_proto::cdcpb::ChangeDataRequest;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::frame::{Frame, FrameCodec};

/// Requests that may wait for the connection to take them.
const REQUEST_QUEUE: usize = 64;

/// Which method of the store is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Protocol {
    /// `EventFeedV2`: many subscriptions on one stream.
    Multiplexed,
    /// `EventFeed`: a region once per stream.
    Single,
}

impl Protocol {
    /// Path of the method.
    fn path(self) -> &'static str {
        match self {
            Self::Multiplexed => "/cdcpb.ChangeData/EventFeedV2",
            Self::Single => "/cdcpb.ChangeData/EventFeed",
        }
    }
}

/// A stream that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Streaming<Frame>, Status>> + Send>>;

/// State of the stream to a store.
pub(crate) enum Link {
    /// There is none.
    Down,
    /// It is being opened. Stores answer only when they have something to say, so requests are sent already.
    Opening(Opening, mpsc::Sender<ChangeDataRequest>),
    /// It is open.
    Up(Box<Streaming<Frame>>, mpsc::Sender<ChangeDataRequest>),
}

/// What happens on a [`Link`].
pub(crate) enum LinkEvent {
    /// The store has accepted the stream.
    Opened,
    /// The store, or the way to it, refused the stream.
    Refused(Status),
    /// A frame arrived.
    Frame(Frame),
    /// The stream has ended.
    Lost(Status),
}

impl Link {
    /// Starts to open a stream.
    pub(crate) fn open(channel: Channel, protocol: Protocol, quota: Arc<MemoryQuota>) -> Self {
        let (sender, receiver) = mpsc::channel(REQUEST_QUEUE);
        let opening = async move {
            let mut grpc = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
            grpc.ready().await.map_err(|error| Status::unavailable(chain(&error)))?;
            let mut request = Request::new(ReceiverStream::new(receiver));
            if protocol == Protocol::Multiplexed {
                let feature = MetadataValue::from_static("stream-multiplexing");
                request.metadata_mut().insert("features", feature);
            }
            let path = PathAndQuery::from_static(protocol.path());
            Ok(grpc.streaming(request, path, FrameCodec { quota }).await?.into_inner())
        };
        Self::Opening(Box::pin(opening), sender)
    }

    /// True if there is no stream.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self, Self::Down)
    }

    /// Where requests go.
    pub(crate) fn sender(&self) -> Option<mpsc::Sender<ChangeDataRequest>> {
        match self {
            Self::Down => None,
            Self::Opening(_, sender) | Self::Up(_, sender) => Some(sender.clone()),
        }
    }

    /// Waits for the next event; frames are only taken if `reading`. Cancelling the call loses nothing.
    pub(crate) async fn next(&mut self, reading: bool) -> LinkEvent {
        match self {
            Self::Down => std::future::pending().await,
            Self::Opening(opening, sender) => match opening.await {
                Ok(streaming) => {
                    let sender = sender.clone();
                    *self = Self::Up(Box::new(streaming), sender);
                    LinkEvent::Opened
                }
                Err(status) => {
                    *self = Self::Down;
                    LinkEvent::Refused(status)
                }
            },
            Self::Up(..) if !reading => std::future::pending().await,
            Self::Up(streaming, _) => match streaming.message().await {
                Ok(Some(frame)) => LinkEvent::Frame(frame),
                Ok(None) => {
                    *self = Self::Down;
                    LinkEvent::Lost(Status::unavailable("the store ended the stream"))
                }
                Err(status) => {
                    *self = Self::Down;
                    LinkEvent::Lost(status)
                }
            },
        }
    }
}

/// An error with its sources, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
