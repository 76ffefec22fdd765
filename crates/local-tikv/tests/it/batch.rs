//! Many requests on one stream.

use crate::cluster::{Cluster, bytes, put};
use std::collections::BTreeMap;
use std::time::Duration;
use tikv_proto::kvrpcpb::*;
use tikv_proto::tikvpb::batch_commands_request::{Request, request::Cmd as Command};
use tikv_proto::tikvpb::batch_commands_response::response::Cmd as Answer;
use tikv_proto::tikvpb::{BatchCommandsEmptyRequest, BatchCommandsRequest, BatchCommandsResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

/// Bound on anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A stream of batches.
struct Batches {
    requests: mpsc::Sender<BatchCommandsRequest>,
    answers: Streaming<BatchCommandsResponse>,
    next_id: u64,
}

impl Batches {
    async fn open(cluster: &Cluster) -> Self {
        let (requests, receiver) = mpsc::channel(16);
        let answers = cluster.client.clone().batch_commands(ReceiverStream::new(receiver)).await.unwrap();
        Self { requests, answers: answers.into_inner(), next_id: 1 }
    }

    /// Sends commands in one batch; returns their ids.
    async fn send(&mut self, commands: Vec<Command>) -> Vec<u64> {
        let first = self.next_id;
        self.next_id += commands.len() as u64;
        let request_ids: Vec<u64> = (first..self.next_id).collect();
        let requests = commands.into_iter().map(|cmd| Request { cmd: Some(cmd) }).collect();
        let batch = BatchCommandsRequest { requests, request_ids: request_ids.clone() };
        self.requests.send(batch).await.unwrap();
        request_ids
    }

    async fn message(&mut self) -> Result<Option<BatchCommandsResponse>, Status> {
        tokio::time::timeout(PATIENCE, self.answers.message()).await.expect("an answer in time")
    }

    /// Waits for that many answers.
    async fn answers(&mut self, count: usize) -> BTreeMap<u64, Answer> {
        let mut answers = BTreeMap::new();
        while answers.len() < count {
            let message = self.message().await.unwrap().expect("the stream goes on");
            assert_eq!(message.request_ids.len(), message.responses.len());
            for (id, response) in message.request_ids.into_iter().zip(message.responses) {
                assert!(answers.insert(id, response.cmd.unwrap()).is_none(), "one answer each");
            }
        }
        answers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_of_a_batch_gets_its_own_answer() {
    let cluster = Cluster::start().await;
    let mut batches = Batches::open(&cluster).await;
    let start_ts = cluster.ts();
    let prewrite = cluster.prewrite_request(vec![put("a", "1"), put("b", "2")], start_ts);
    batches.send(vec![Command::Prewrite(prewrite)]).await;
    let answers = batches.answers(1).await;
    assert!(matches!(&answers[&1], Answer::Prewrite(answer) if answer.errors.is_empty()));
    let commit_ts = cluster.ts();
    let commit = CommitRequest {
        context: cluster.context("a"),
        start_version: start_ts,
        keys: vec![bytes("a"), bytes("b")],
        commit_version: commit_ts,
        ..Default::default()
    };
    batches.send(vec![Command::Commit(commit)]).await;
    batches.answers(1).await;
    let get = |key: &str| GetRequest { context: cluster.context(key), key: bytes(key), version: u64::MAX };
    let mut asked = vec![Command::Get(get("a")), Command::Get(get("b")), Command::Get(get("c"))];
    let elsewhere =
        GetRequest { context: Some(Context { region_id: 999, ..Default::default() }), ..get("a") };
    asked.push(Command::Get(elsewhere));
    let ids = batches.send(asked).await;
    let answers = batches.answers(4).await;
    let read = ids.iter().map(|id| match &answers[id] {
        Answer::Get(answer) if answer.region_error.is_some() => "elsewhere".to_owned(),
        Answer::Get(answer) if answer.not_found => "nothing".to_owned(),
        Answer::Get(answer) => String::from_utf8(answer.value.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    });
    let read: Vec<_> = read.collect();
    assert_eq!(read, ["1", "2", "nothing", "elsewhere"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_holds_up_no_other() {
    let cluster = Cluster::start().await;
    let mut batches = Batches::open(&cluster).await;
    let wait = |test_id, delay_time| Command::Empty(BatchCommandsEmptyRequest { test_id, delay_time });
    batches.send(vec![wait(7, 5_000), wait(8, 0)]).await;
    let answers = batches.answers(1).await;
    assert!(matches!(&answers[&2], Answer::Empty(answer) if answer.test_id == 8));
    // All that was asked is answered when the client asks nothing more.
    drop(batches.requests);
    let rest = tokio::time::timeout(PATIENCE, batches.answers.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(rest.request_ids, [1]);
    assert!(tokio::time::timeout(PATIENCE, batches.answers.message()).await.unwrap().unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_requests_on_one_stream_are_all_answered() {
    let cluster = Cluster::start().await;
    cluster.write(vec![put("k", "v")]).await;
    let mut batches = Batches::open(&cluster).await;
    let get = GetRequest { context: cluster.context("k"), key: bytes("k"), version: u64::MAX };
    let total = 10_000;
    let requests = batches.requests.clone();
    let sender = tokio::spawn(async move {
        for first in (1..=total).step_by(500) {
            let request_ids: Vec<u64> = (first..first + 500).collect();
            let command = Request { cmd: Some(Command::Get(get.clone())) };
            let batch = BatchCommandsRequest { requests: vec![command; 500], request_ids };
            requests.send(batch).await.unwrap();
        }
    });
    let answers = batches.answers(usize::try_from(total).unwrap()).await;
    sender.await.unwrap();
    assert!(answers.values().all(|answer| matches!(answer, Answer::Get(get) if get.value == "v")));
    assert_eq!((answers.keys().next(), answers.keys().last()), (Some(&1), Some(&total)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_command_or_a_missing_id_ends_the_stream_by_name() {
    let cluster = Cluster::start().await;
    let mut batches = Batches::open(&cluster).await;
    let unknown = BatchCommandsRequest { requests: vec![Request { cmd: None }], request_ids: vec![1] };
    batches.requests.send(unknown).await.unwrap();
    assert_eq!(batches.message().await.unwrap_err().code(), Code::Unimplemented);
    let mut batches = Batches::open(&cluster).await;
    let uneven = BatchCommandsRequest { requests: vec![Request { cmd: None }], request_ids: vec![] };
    batches.requests.send(uneven).await.unwrap();
    assert_eq!(batches.message().await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_safe_ts_stays_below_open_transactions() {
    let cluster = Cluster::start().await;
    let safe_ts = async || {
        let answer = cluster.client.clone().get_store_safe_ts(StoreSafeTsRequest::default()).await;
        answer.unwrap().into_inner().safe_ts
    };
    let before = cluster.ts();
    let free = safe_ts().await;
    assert!(free > before);
    let start_ts = cluster.ts();
    cluster.prewrite(vec![put("a", "1")], start_ts).await;
    let held = safe_ts().await;
    assert!(held <= start_ts && held > before, "{held} with a lock of {start_ts}");
    cluster.commit(&["a"], start_ts, cluster.ts()).await;
    assert!(safe_ts().await > start_ts);
}
