//! Timestamps from PD over one stream; requests that wait together are answered together.

use super::{CALL_TIMEOUT, PlacementError, header};
use tikv_proto::pdpb::{self, pd_client::PdClient};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

/// Requests that may wait for a round.
const MAX_QUEUED: usize = 1024;
/// Bits of the counter in a timestamp.
const LOGICAL_BITS: u32 = 18;

type Waiter = oneshot::Sender<Result<u64, PlacementError>>;

/// Handle of the task that owns the stream.
pub(crate) struct Timestamps(mpsc::Sender<Waiter>);

impl Timestamps {
    /// Starts the task; it ends when the handle is dropped.
    pub(crate) fn start(client: PdClient<Channel>, cluster_id: u64) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        tokio::spawn(serve(client, cluster_id, receiver));
        Self(sender)
    }

    /// The next timestamp.
    pub(crate) async fn get(&self) -> Result<u64, PlacementError> {
        let stopped = || PlacementError::Timestamp("the client is stopped".to_owned());
        let (sender, receiver) = oneshot::channel();
        self.0.send(sender).await.map_err(|_| stopped())?;
        receiver.await.map_err(|_| stopped())?
    }
}

struct TsoStream {
    requests: mpsc::Sender<pdpb::TsoRequest>,
    answers: Streaming<pdpb::TsoResponse>,
}

async fn serve(mut client: PdClient<Channel>, cluster_id: u64, mut queue: mpsc::Receiver<Waiter>) {
    let mut stream: Option<TsoStream> = None;
    let mut round = Vec::new();
    while queue.recv_many(&mut round, MAX_QUEUED).await > 0 {
        let result =
            tokio::time::timeout(CALL_TIMEOUT, ask(&mut client, cluster_id, &mut stream, round.len()))
                .await
                .unwrap_or_else(|_| Err(PlacementError::Timestamp(format!("no answer in {CALL_TIMEOUT:?}"))));
        if result.is_err() {
            stream = None;
        }
        let count = round.len() as u64;
        for (at, waiter) in (1..).zip(round.drain(..)) {
            // The answer holds the last of the timestamps. Who asked may have gone.
            let _ = waiter.send(result.clone().map(|last| last - (count - at)));
        }
    }
}

/// Asks for `count` timestamps; returns the last of them.
async fn ask(
    client: &mut PdClient<Channel>,
    cluster_id: u64,
    stream: &mut Option<TsoStream>,
    count: usize,
) -> Result<u64, PlacementError> {
    let failed = |error: &dyn std::fmt::Display| PlacementError::Timestamp(error.to_string());
    let open = match stream.take() {
        Some(open) => stream.insert(open),
        None => stream.insert(connect(client).await?),
    };
    let request = pdpb::TsoRequest {
        header: header(cluster_id),
        count: u32::try_from(count).unwrap_or(u32::MAX),
        dc_location: String::new(),
    };
    open.requests.send(request).await.map_err(|error| failed(&error))?;
    let answer = open.answers.message().await.map_err(|status| failed(&status))?;
    let timestamp = answer
        .and_then(|answer| answer.timestamp)
        .ok_or_else(|| PlacementError::Timestamp("PD ended the stream".to_owned()))?;
    let (physical, logical) = (timestamp.physical as u64, timestamp.logical as u64);
    Ok((physical << LOGICAL_BITS) + logical)
}

async fn connect(client: &mut PdClient<Channel>) -> Result<TsoStream, PlacementError> {
    let (requests, receiver) = mpsc::channel(1);
    let answers = client
        .tso(ReceiverStream::new(receiver))
        .await
        .map_err(|status| PlacementError::Call { call: "Tso", status: Box::new(status) })?
        .into_inner();
    Ok(TsoStream { requests, answers })
}
