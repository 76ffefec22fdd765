//! `BatchCommands`: many requests on one stream, answered in the order in which they finish. Clients of TiDB and TiCDC
//! send their reads and writes in this way.

use super::TikvService;
use futures::future::BoxFuture;
use prost::Message;
use std::time::Duration;
use tikv_proto::tikvpb::batch_commands_request::{Request as Asked, request::Cmd as Command};
use tikv_proto::tikvpb::batch_commands_response::{Response as Given, response::Cmd as Answer};
use tikv_proto::tikvpb::tikv_server::Tikv;
use tikv_proto::tikvpb::{BatchCommandsEmptyResponse, BatchCommandsRequest, BatchCommandsResponse};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::{Request, Status, Streaming};

/// Requests of one stream at a time, as many as of a connection; then no more are read. Lock requests among them wait
/// for a second at most, so that a full stream goes on.
const MAX_IN_PROGRESS: usize = 4096;
/// Answers that may wait to be sent.
const ANSWERS: usize = 128;
/// Answers in one message (as in TiKV).
const MAX_BATCH: usize = 128;
/// A message is sent when its answers have this many bytes.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Messages that may wait for a slow client.
const MESSAGES: usize = 4;
/// The longest delay that a test request may ask for.
const MAX_DELAY: Duration = Duration::from_secs(10);

/// An answer and the id of its request.
type Answered = (u64, Result<Given, Status>);

/// Messages to a client.
type Messages = mpsc::Sender<Result<BatchCommandsResponse, Status>>;

/// Serves one stream. It ends with the client's, or with the first request that has no answer: an unknown command, or
/// one that fails as a whole.
pub(super) fn serve(
    service: TikvService,
    requests: Streaming<BatchCommandsRequest>,
) -> mpsc::Receiver<Result<BatchCommandsResponse, Status>> {
    let (messages, receiver) = mpsc::channel(MESSAGES);
    tokio::spawn(async move {
        let (answers, finished) = mpsc::channel(ANSWERS);
        let status = tokio::select! {
            // Drops what is in progress, as for a call whose client is gone.
            () = messages.closed() => return,
            status = read(service, requests, answers) => status,
            status = write(finished, &messages) => status,
        };
        if let Err(status) = status {
            let _ = messages.send(Err(status)).await;
        }
    });
    receiver
}

/// Reads requests and starts them; ends when all are answered.
async fn read(
    service: TikvService,
    mut requests: Streaming<BatchCommandsRequest>,
    answers: mpsc::Sender<Answered>,
) -> Result<(), Status> {
    let mut in_progress = JoinSet::new();
    while let Some(batch) = requests.message().await? {
        if batch.requests.len() != batch.request_ids.len() {
            return Err(Status::invalid_argument("a batch needs one id for each request"));
        }
        for (request, id) in batch.requests.into_iter().zip(batch.request_ids) {
            while in_progress.len() >= MAX_IN_PROGRESS {
                in_progress.join_next().await;
            }
            while in_progress.try_join_next().is_some() {}
            let (service, answers) = (service.clone(), answers.clone());
            in_progress.spawn(async move {
                let answer = run(service, request).await;
                // Nobody wants the answer if the stream has ended.
                let _ = answers.send((id, answer)).await;
            });
        }
    }
    while in_progress.join_next().await.is_some() {}
    drop(answers);
    // The writer sends what is left, and ends.
    std::future::pending().await
}

/// Sends answers, as many at once as there are.
async fn write(mut finished: mpsc::Receiver<Answered>, messages: &Messages) -> Result<(), Status> {
    while let Some(first) = finished.recv().await {
        let mut message = BatchCommandsResponse::default();
        let mut bytes = 0;
        let mut next = Some(first);
        while let Some((id, answer)) = next {
            let answer = answer?;
            bytes += answer.encoded_len();
            message.request_ids.push(id);
            message.responses.push(answer);
            let full = message.responses.len() >= MAX_BATCH || bytes >= MAX_BATCH_BYTES;
            next = if full { None } else { finished.try_recv().ok() };
        }
        if messages.send(Ok(message)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Runs a request as if it had come in a call of its own.
fn run(service: TikvService, request: Asked) -> BoxFuture<'static, Result<Given, Status>> {
    /// Calls the method of a command.
    macro_rules! call {
        ($answer:ident, $method:ident, $request:expr) => {
            Box::pin(async move {
                let response = service.$method(Request::new($request)).await?.into_inner();
                Ok(Given { cmd: Some(Answer::$answer(response)) })
            })
        };
    }
    match request.cmd {
        Some(Command::Get(request)) => call!(Get, kv_get, request),
        Some(Command::Scan(request)) => call!(Scan, kv_scan, request),
        Some(Command::BatchGet(request)) => call!(BatchGet, kv_batch_get, request),
        Some(Command::Prewrite(request)) => call!(Prewrite, kv_prewrite, request),
        Some(Command::Commit(request)) => call!(Commit, kv_commit, request),
        Some(Command::Cleanup(request)) => call!(Cleanup, kv_cleanup, request),
        Some(Command::BatchRollback(request)) => call!(BatchRollback, kv_batch_rollback, request),
        Some(Command::ScanLock(request)) => call!(ScanLock, kv_scan_lock, request),
        Some(Command::ResolveLock(request)) => call!(ResolveLock, kv_resolve_lock, request),
        Some(Command::Gc(request)) => call!(Gc, kv_gc, request),
        Some(Command::PessimisticLock(request)) => call!(PessimisticLock, kv_pessimistic_lock, request),
        Some(Command::PessimisticRollback(request)) => {
            call!(PessimisticRollback, kv_pessimistic_rollback, request)
        }
        Some(Command::CheckTxnStatus(request)) => call!(CheckTxnStatus, kv_check_txn_status, request),
        Some(Command::TxnHeartBeat(request)) => call!(TxnHeartBeat, kv_txn_heart_beat, request),
        Some(Command::CheckSecondaryLocks(request)) => {
            call!(CheckSecondaryLocks, kv_check_secondary_locks, request)
        }
        Some(Command::Empty(request)) => Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(request.delay_time).min(MAX_DELAY)).await;
            let response = BatchCommandsEmptyResponse { test_id: request.test_id };
            Ok(Given { cmd: Some(Answer::Empty(response)) })
        }),
        None => Box::pin(async { Err(Status::unimplemented("a command of the batch is not supported")) }),
    }
}
