//! `tidegate demo`: the whole pipeline on this machine, from SQL to a Kafka consumer, with a check of what arrives.

mod check;
mod listener;
mod script;
mod sql_client;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::cli::ApiClient;
use crate::consume::subscription::{Source, Subscription, wait_for_topic};
use crate::consume::{Role, Style};
use crate::failure::Failure;
use crate::logging;
use crate::server::wait_for_signal;
use crate::stack::{Ports, Service, Stack, StackConfig};
use listener::Listener;
use script::Step;
use sql_client::{SqlAnswer, SqlClient, SqlRow};

/// Longest time from the start of the stack until everything has arrived.
const DEMO_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the next step waits for the events of the one before, so that they are printed below it. What is missing
/// then is found in the end.
const STEP_PATIENCE: Duration = Duration::from_secs(3);
/// Changefeed of the demo.
const CHANGEFEED: &str = "simple-replication-task";
/// Topic of the demo.
const TOPIC: &str = "tidb-test";
/// Consumer group of the demo.
const GROUP: &str = "tidegate-demo";
/// Where everything listens.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Flags of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the stack up until Ctrl-C.
    #[arg(long)]
    keep: bool,
    /// Log level: debug, info, warn, error.
    #[arg(long, default_value = "warn")]
    log_level: String,
}

/// Runs the demo.
pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let set_log_level = logging::start(&args.log_level, None)?;
    let started = Instant::now();
    let folder = tempfile::Builder::new().prefix("tidegate-demo-").tempdir()?;
    println!("Starting the stack in {}.", folder.path().display());
    let stack = Stack::start(StackConfig {
        host: HOST,
        ports: Ports::free(),
        data_dir: folder.path().to_owned(),
        services: Service::ALL.to_vec(),
        region_split_size: None,
        resolved_ts_interval_ms: None,
        time_zone: "UTC".to_owned(),
        set_log_level,
    })
    .await?;
    println!("Ready in {:.1} s.", started.elapsed().as_secs_f64());
    let outcome = bounded(stack.ports(), started).await;
    if args.keep {
        if let Err(Failure::Message(reason)) = &outcome {
            println!("The demo failed: {reason}");
        }
        println!("\nThe stack stays up until Ctrl-C.\n{}", stack.how_to_connect());
        wait_for_signal().await;
    }
    stack.shutdown().await;
    folder.close()?;
    outcome
}

/// Plays the demo within its time, unless a signal ends it.
async fn bounded(ports: Ports, started: Instant) -> Result<(), Failure> {
    let left = DEMO_TIMEOUT.saturating_sub(started.elapsed());
    tokio::select! {
        biased;
        () = wait_for_signal() => Err(Failure::new("interrupted")),
        outcome = tokio::time::timeout(left, play(ports, started)) => match outcome {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::new(format!(
                "the events did not arrive within {} s; changefeed: {}",
                DEMO_TIMEOUT.as_secs(),
                changefeed_status(ports).await
            ))),
        },
    }
}

/// URL of the capture.
fn capture_url(ports: Ports) -> String {
    format!("http://{}", SocketAddr::new(HOST, ports.capture))
}

/// What the capture says about the changefeed.
async fn changefeed_status(ports: Ports) -> String {
    let api = ApiClient::to(capture_url(ports));
    match api.get(&format!("/api/v2/changefeeds/{CHANGEFEED}/status")).await {
        Ok(status) => status.to_string(),
        Err(failure) => format!("{failure:?}"),
    }
}

/// Creates the changefeed, writes, reads, and compares.
async fn play(ports: Ports, started: Instant) -> Result<(), Failure> {
    let api = ApiClient::to(capture_url(ports));
    let brokers = SocketAddr::new(HOST, ports.kafka).to_string();
    let sink_uri = format!("kafka://{brokers}/{TOPIC}?protocol=canal-json&enable-tidb-extension=true");
    let request = json!({ "changefeed_id": CHANGEFEED, "sink_uri": sink_uri });
    api.post("/api/v2/changefeeds", &request).await?;
    println!("Changefeed {CHANGEFEED} sends to {sink_uri}");
    let source = Source { brokers, topic: TOPIC.to_owned(), group: GROUP.to_owned(), from_beginning: true };
    wait_for_topic(&source, |text| tracing::debug!("{text}")).await?;
    let mut listener = Listener::new(Subscription::open(&source)?);
    listener.first_mark().await?;
    println!("\n latency  event");
    let steps = script::steps();
    let (end, ended) = watch::channel(None);
    let arrived = listener.arrived();
    let write = async {
        let rows = write(&steps, SocketAddr::new(HOST, ports.sql), arrived).await?;
        end.send_replace(Some(current_ts(&api).await?));
        Ok(rows)
    };
    let (rows, ()) = tokio::try_join!(write, listener.until(ended))?;
    let received = listener.finish().await;
    check::check(&steps, &received)
        .map_err(|reason| Failure::new(format!("the events are not those of the statements: {reason}")))?;
    check::rebuild(&received, &rows).map_err(Failure::new)?;
    println!(
        "\n{} events arrived: exactly those of the statements, in order. The table made of them equals SELECT *.",
        received.len()
    );
    if let Some((median, longest)) = check::latencies(&received) {
        println!("Commit to consumer: median {median} ms, longest {longest} ms.");
    }
    println!("The whole demo: {:.1} s.", started.elapsed().as_secs_f64());
    Ok(())
}

/// Runs the script, each step when the events of the one before have arrived; the rows of the table at its end.
async fn write(
    steps: &[Step],
    addr: SocketAddr,
    mut arrived: watch::Receiver<usize>,
) -> Result<Vec<SqlRow>, Failure> {
    let mut client = SqlClient::connect(addr).await?;
    let style = Style::of_stdout();
    let mut events = 0;
    for step in steps {
        for statement in step.statements {
            let answer = run_statement(&mut client, statement).await?;
            let rows = match answer.affected {
                0 => String::new(),
                rows => format!("   -- rows: {rows}"),
            };
            println!("     SQL  {}", style.paint(Role::Name, &format!("{statement}{rows}")));
        }
        events += step.events.len();
        let all_here = arrived.wait_for(|arrived| *arrived >= events);
        if let Ok(Err(closed)) = tokio::time::timeout(STEP_PATIENCE, all_here).await {
            return Err(closed.into());
        }
    }
    Ok(run_statement(&mut client, script::READ_BACK).await?.rows)
}

/// Runs a statement.
async fn run_statement(client: &mut SqlClient, statement: &str) -> Result<SqlAnswer, Failure> {
    client.query(statement).await.map_err(|error| Failure::new(format!("{error}, in {statement:?}")))
}

/// A timestamp after everything that was committed.
async fn current_ts(api: &ApiClient) -> Result<u64, Failure> {
    let answer = api.post("/api/v2/tso", &json!({})).await?;
    let part = |key: &str| answer.get(key).and_then(Value::as_i64);
    match (part("timestamp"), part("logic_time")) {
        (Some(physical), Some(logical)) => Ok(tikv_client::Timestamp::compose(physical, logical).0),
        _ => Err(Failure::new("the capture's answer holds no timestamp")),
    }
}
