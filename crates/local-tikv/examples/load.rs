//! Measures the store: rows per second through two-phase transactions with a change feed beside, and point reads.
//!
//! `cargo run --release -p local-tikv --example load [seconds] [rows per transaction] [writers]`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use local_tikv::TikvConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tikv_proto::cdcpb::change_data_client::ChangeDataClient;
use tikv_proto::cdcpb::{ChangeDataRequest, Header, event::Event as Body, event::LogType};
use tikv_proto::kvrpcpb::*;
use tikv_proto::pdpb::{self, pd_client::PdClient};
use tikv_proto::tikvpb::tikv_client::TikvClient;
use tokio_stream::StreamExt;
use tonic::transport::Channel;

type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

#[tokio::main]
async fn main() {
    let number =
        |at: usize, default: u64| std::env::args().nth(at).map_or(default, |arg| arg.parse().unwrap());
    let (seconds, rows, writers) = (number(1, 5), number(2, 100), number(3, 8));
    let dir = tempfile::tempdir().unwrap();
    let addr = "127.0.0.1:0".parse().unwrap();
    let pd = local_pd::start(local_pd::PdConfig::new(addr, dir.path().join("pd"))).await.unwrap();
    let pd_url = format!("http://{}", pd.local_addr());
    let store =
        local_tikv::start(TikvConfig::new(addr, pd_url.clone(), dir.path().join("tikv"))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    report("idle, no feed", 2).await;

    let mut pd_client = PdClient::connect(pd_url).await.unwrap();
    let header = Some(pdpb::RequestHeader { cluster_id: store.cluster_id(), ..Default::default() });
    let request = pdpb::GetRegionRequest { header: header.clone(), ..Default::default() };
    let region = pd_client.get_region(request).await.unwrap().into_inner().region.unwrap();
    let context = Context {
        region_id: region.id,
        region_epoch: region.region_epoch,
        peer: region.peers.first().cloned(),
        ..Default::default()
    };
    // Timestamps from a block fetched per transaction would measure PD: take them from the clock, as PD does.
    let last = AtomicU64::new(0);
    let clock: Clock = Arc::new(move || {
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
        let floor = now << 18;
        last.fetch_max(floor, Ordering::SeqCst);
        last.fetch_add(1, Ordering::SeqCst) + 1
    });
    let url = format!("http://{}", store.local_addr());
    let committed = Arc::new(AtomicU64::new(0));
    feed(&url, store.cluster_id(), &region, committed.clone()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    report("idle, one feed", 2).await;

    let end = Instant::now() + Duration::from_secs(seconds);
    let written = write(&url, &context, &clock, end, rows, writers).await;
    println!("write: {} rows/s in transactions of {rows} from {writers} writers", written / seconds);
    let begin = Instant::now();
    while committed.load(Ordering::Relaxed) < written && begin.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!(
        "feed: {} of {written} commits, {:?} after the last write",
        committed.load(Ordering::Relaxed),
        begin.elapsed()
    );
    report("after writes", 1).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let read = read(&url, &context, &clock, end, 32).await;
    println!("read: {} points/s", read / seconds);
    report("end", 1).await;
    store.shutdown().await;
}

async fn feed(url: &str, cluster_id: u64, region: &tikv_proto::metapb::Region, committed: Arc<AtomicU64>) {
    let request = ChangeDataRequest {
        header: Some(Header { cluster_id, ticdc_version: "8.5.4".to_owned() }),
        region_id: region.id,
        region_epoch: region.region_epoch,
        checkpoint_ts: 1,
        request_id: 1,
        ..Default::default()
    };
    let requests = tokio_stream::once(request).chain(tokio_stream::pending());
    let channel = Channel::from_shared(url.to_owned()).unwrap().connect().await.unwrap();
    let mut client = ChangeDataClient::new(channel).max_decoding_message_size(usize::MAX);
    let mut frames = client.event_feed(requests).await.unwrap().into_inner();
    tokio::spawn(async move {
        while let Ok(Some(frame)) = frames.message().await {
            for event in frame.events {
                match event.event {
                    Some(Body::Entries(entries)) => {
                        let commits = entries
                            .entries
                            .iter()
                            .filter(|row| matches!(row.r#type(), LogType::Commit | LogType::Committed));
                        committed.fetch_add(commits.count() as u64, Ordering::Relaxed);
                    }
                    Some(Body::Error(error)) => println!("feed error: {error:?}"),
                    _ => {}
                }
            }
        }
    });
}

fn key(n: u64) -> Bytes {
    // As a record key of TiDB: table prefix and row id.
    let mut key = b"t\x80\0\0\0\0\0\0\x71_r".to_vec();
    key.extend_from_slice(&(n | 1 << 63).to_be_bytes());
    key.into()
}

async fn write(url: &str, context: &Context, clock: &Clock, end: Instant, rows: u64, writers: u64) -> u64 {
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (url, context, clock) = (url.to_owned(), context.clone(), clock.clone());
            tokio::spawn(async move {
                let mut client = TikvClient::connect(url).await.unwrap();
                let mut written = 0;
                while Instant::now() < end {
                    let first = writer * 100_000_000 + written;
                    let keys: Vec<Bytes> = (first..first + rows).map(key).collect();
                    let start_version = clock();
                    let request = PrewriteRequest {
                        context: Some(context.clone()),
                        mutations: keys
                            .iter()
                            .map(|key| Mutation {
                                op: Op::Insert.into(),
                                key: key.clone(),
                                value: Bytes::from(vec![b'v'; 200]),
                                ..Default::default()
                            })
                            .collect(),
                        primary_lock: keys[0].clone(),
                        start_version,
                        lock_ttl: 3000,
                        ..Default::default()
                    };
                    let response = client.kv_prewrite(request).await.unwrap().into_inner();
                    assert_eq!((response.errors, response.region_error), (vec![], None));
                    let request = CommitRequest {
                        context: Some(context.clone()),
                        start_version,
                        keys,
                        commit_version: clock(),
                        ..Default::default()
                    };
                    let response = client.kv_commit(request).await.unwrap().into_inner();
                    assert_eq!((response.error, response.region_error), (None, None));
                    written += rows;
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        written += task.await.unwrap();
    }
    written
}

async fn read(url: &str, context: &Context, clock: &Clock, end: Instant, readers: u64) -> u64 {
    let client = TikvClient::connect(url.to_owned()).await.unwrap();
    let tasks: Vec<_> = (0..readers)
        .map(|reader| {
            let (mut client, context, clock) = (client.clone(), context.clone(), clock.clone());
            tokio::spawn(async move {
                let mut count = 0;
                while Instant::now() < end {
                    let request = GetRequest {
                        context: Some(context.clone()),
                        key: key((reader * 7919 + count * 31) % 10_000),
                        version: clock(),
                    };
                    assert_eq!(client.kv_get(request).await.unwrap().into_inner().error, None);
                    count += 1;
                }
                count
            })
        })
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.unwrap();
    }
    count
}

/// Prints memory, and the CPU time of the next `seconds`.
async fn report(what: &str, seconds: u64) {
    let before = cpu_ticks();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let ticks = cpu_ticks() - before;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let rss = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    println!("{what}: {} CPU ms per s, {rss}", ticks * 10 / seconds);
}

fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
