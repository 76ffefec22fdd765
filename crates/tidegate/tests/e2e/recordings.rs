//! The HTTP API and the command line against recordings of TiCDC v8.5.4 (new architecture): status codes, bodies, exit
//! codes and what is printed, step by step on a fresh cluster.
//!
//! `recordings/steps.jsonl` holds the steps whose outcome does not depend on the machine. `{broker}`, `{pd}`, `{server}`
//! and `{server_addr}` stand for addresses. Timestamps, times and generated numbers are not compared, help texts are
//! our own.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tikv_client::{PdClient, Security};

use crate::api::Api;
use crate::programs::Cdc;
use crate::stack::{Ports, Stack};

/// The recordings.
const STEPS: &str = include_str!("recordings/steps.jsonl");
/// What classic TiCDC answered to the same steps.
const CLASSIC: &str = include_str!("recordings/classic.jsonl");
/// Steps of both recordings.
const RECORDED: u32 = 100;
/// Recorded steps that are not replayed, and why.
const LEFT_OUT: [(u32, &str); 2] = [
    (7, "both TiCDCs take start_ts 0 for 1970 and fail; here it is now, as in the command line"),
    (63, "`cdc version` names what was built: another compiler, and our own version as well"),
];
/// Steps that classic TiCDC answers in another way than the new architecture, whose way is ours: what classic TiCDC does.
const CLASSIC_DIFFERS: &[(&[u32], &str)] = &[
    (&[0], "the status at the root has fewer members"),
    (&[12, 13, 14], "an unknown protocol is not a bad configuration, but an error of its own"),
    (&[15, 23, 25, 27], "the sink's error is not wrapped as a bad sink URI: 500, not 400"),
    (
        &[26, 28, 40, 42, 43, 49, 53, 57, 62, 70, 79, 80, 81, 82, 91],
        "a keyspace is called a namespace, and comes first",
    ),
    (&[54, 88], "a keyspace is called a namespace; an update sets `admin_job_type`"),
    (&[30, 31, 72, 74, 75, 76], "tables that cannot be replicated are named with their databases"),
    (&[77], "the same, and a keyspace is called a namespace"),
    (&[33, 34, 35, 38, 39, 83, 86, 90], "an unknown changefeed is named with its namespace"),
    (&[37], "the removal of nothing is answered `{}`, not `null`"),
    (&[41], "an id that is taken is a failure of the metadata, `DFLOW:ErrMetaOpFailed`"),
    (&[48], "there is no such path"),
    (&[52], "a stopped changefeed has the resolved ts 0"),
    (&[55], "a `start_ts` is read over"),
];
/// Tables of the recorded cluster: one without a primary key in each of two databases, and one with.
const TABLES: [&str; 5] = [
    "CREATE DATABASE golden_a",
    "CREATE DATABASE golden_cli",
    "CREATE TABLE golden_a.nopk (a INT)",
    "CREATE TABLE golden_cli.nokey (a INT)",
    "CREATE TABLE golden_cli.t (id INT PRIMARY KEY)",
];
/// Steps whose answer is our own: its beginning or another part that both share. Status and exit code are those of the
/// recording.
const OWN_WORDS: [(u32, &str); 5] = [
    (11, "sink uri invalid 'ftp://x/y'"), // we say what a URI looks like
    (24, "strconv.ParseInt: parsing \\\"abc\\\": invalid syntax"), // we name the parameter, not MySQL
    (32, "[CDC:ErrAPIInvalidParam]invalid api parameter: "), // the reason is that of another JSON parser
    (78, "unknown configuration options: unknown-key, filter.rulez; did you mean filter.rules"), // we name it
    (47, "\"total\":3,"), // TiCDC's new architecture lists no processors; the classic one and we do
];

/// How long a question may be asked again until the answer is the recorded one: some answers follow a call with a delay.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Numbers with this many digits or more differ from run to run: timestamps, ids.
const VOLATILE_DIGITS: usize = 16;
/// Bytes before a difference that are shown.
const SHOWN_BEFORE: usize = 40;
/// Length of `YYYY-MM-DD HH:MM:SS`.
const TIME_LENGTH: usize = 19;

/// A recorded step.
#[derive(Debug, Deserialize)]
struct Step {
    /// Its number in the recording.
    step: u32,
    /// The call, or
    http: Option<Call>,
    /// HTTP status of the answer.
    status: Option<u16>,
    /// Body of the answer.
    answer: Option<String>,
    /// the command.
    #[serde(default)]
    cli: Vec<String>,
    /// Its standard input.
    #[serde(default)]
    stdin: String,
    /// Files that it reads.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Exit code.
    exit: Option<i32>,
    /// Standard output; not compared if absent.
    stdout: Option<String>,
    /// Standard error.
    stderr: Option<String>,
    /// The JSON is compared by its keys, their order and the kinds of their values: values are this cluster's own.
    #[serde(default)]
    shape: bool,
}

/// A recorded call.
#[derive(Debug, Deserialize)]
struct Call {
    /// Method.
    method: String,
    /// Path and query.
    path: String,
    /// Body as JSON.
    body: Option<Value>,
    /// Body as it is.
    raw: Option<String>,
}

/// What came of a step, in comparable form.
type Outcome = Vec<(&'static str, String)>;

/// Text without what differs from run to run.
fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(after) = skip_time(rest) {
            out.push('@');
            rest = after;
        } else if digits >= VOLATILE_DIGITS {
            out.push('#');
            rest = &rest[digits..];
        } else {
            let taken = digits.max(first.len_utf8());
            out.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    out
}

/// JSON with its values left out, and one item for each list. Other text as it is.
fn shape(text: &str) -> String {
    fn of(value: &Value) -> Value {
        match value {
            Value::Null => Value::Null,
            Value::Bool(_) => "bool".into(),
            Value::Number(_) => "number".into(),
            Value::String(_) => "text".into(),
            Value::Array(items) => {
                let mut shapes: Vec<Value> = items.iter().map(of).collect();
                shapes.dedup();
                shapes.into()
            }
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), of(value))).collect(),
        }
    }
    serde_json::from_str(text).map_or_else(|_| text.to_owned(), |value| of(&value).to_string())
}

/// The comparable form of a text of a step.
fn comparable(step: &Step, text: &str) -> String {
    if step.shape { shape(text) } else { normalise(text) }
}

/// What follows a time at the beginning of a text.
fn skip_time(text: &str) -> Option<&str> {
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    let time = text.as_bytes().get(..TIME_LENGTH)?;
    let shaped: Vec<u8> = time.iter().copied().map(shape).collect();
    if shaped != b"0000-00-00 00:00:00" && shaped != b"0000-00-00T00:00:00" {
        return None;
    }
    let after = &text[TIME_LENGTH..];
    let fraction =
        after.strip_prefix('.').map(|after| after.trim_start_matches(|c: char| c.is_ascii_digit()));
    let after = fraction.unwrap_or(after);
    Some(after.strip_prefix('Z').unwrap_or(after))
}

/// Replays steps against a stack.
struct Replay {
    /// Addresses.
    ports: Ports,
    /// The API.
    api: Api,
    /// The command.
    cdc: Cdc,
}

impl Replay {
    /// A recorded text with the addresses of this stack.
    fn here(&self, text: &str) -> String {
        let Ports { kafka, pd, capture, .. } = self.ports;
        text.replace("{broker}", &format!("127.0.0.1:{kafka}"))
            .replace("{pd}", &format!("127.0.0.1:{pd}"))
            .replace("{server}", self.api.url())
            .replace("{server_addr}", &format!("127.0.0.1:{capture}"))
    }

    /// What must come of a step.
    fn expected(&self, step: &Step) -> Outcome {
        let mut outcome = Vec::new();
        let mut add = |name, text: Option<String>| {
            outcome.extend(text.map(|text| (name, comparable(step, &self.here(&text)))))
        };
        add("status", step.status.map(|status| status.to_string()));
        add("answer", step.answer.clone());
        add("exit", step.exit.map(|code| code.to_string()));
        add("stdout", step.stdout.clone());
        add("stderr", step.stderr.clone());
        outcome
    }

    /// What comes of a step now.
    async fn actual(&self, step: &Step) -> Outcome {
        let outcome = match &step.http {
            Some(call) => {
                let body = call.raw.clone().or_else(|| call.body.as_ref().map(Value::to_string));
                let method = Method::from_bytes(call.method.as_bytes()).expect("a method");
                let answer = self.api.raw(method, &call.path, body.map(|body| self.here(&body))).await;
                let answer = answer.expect("the capture answers");
                vec![("status", answer.status.to_string()), ("answer", answer.text)]
            }
            None => {
                let mut args: Vec<String> = step.cli.iter().map(|arg| self.here(arg)).collect();
                for (name, text) in &step.files {
                    std::fs::write(self.cdc.folder().join(name), text).expect("a file");
                    for arg in &mut args {
                        *arg = arg.replace(&format!("{{{name}}}"), name);
                    }
                }
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let ended = self.cdc.run(&args, &step.stdin).await;
                let code = ended.code.map_or_else(|| "signal".to_owned(), |code| code.to_string());
                let mut outcome = vec![("exit", code)];
                outcome.extend(step.stdout.as_ref().map(|_| ("stdout", ended.stdout)));
                outcome.push(("stderr", ended.stderr));
                outcome
            }
        };
        outcome.into_iter().map(|(name, text)| (name, comparable(step, &text))).collect()
    }

    /// Replays a step; the difference if there is one, and what came of it.
    async fn replay(&self, step: &Step) -> (Option<String>, Outcome) {
        let expected = self.expected(step);
        let start = Instant::now();
        loop {
            let actual = self.actual(step).await;
            if actual == expected || is_own(step, &expected, &actual) {
                return (None, actual);
            }
            if !asks_only(step) || start.elapsed() >= PATIENCE {
                return (Some(difference(step, &expected, &actual)), actual);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

impl Replay {
    /// Compares what came of a step with what classic TiCDC answered: equal, unless the step is listed.
    fn compare_with_classic(&self, step: &Step, line: &str, actual: &Outcome) -> Option<String> {
        let recorded: Step = serde_json::from_str(line).expect("a step");
        assert_eq!(recorded.step, step.step, "the recordings go side by side");
        let expected = self.expected(&Step { shape: step.shape, ..recorded });
        let listed = CLASSIC_DIFFERS.iter().any(|(steps, _)| steps.contains(&step.step));
        match (expected == *actual || is_own(step, &expected, actual), listed) {
            (true, false) | (false, true) => None,
            (true, true) => Some(format!("step {} is as in classic TiCDC: take it from the list", step.step)),
            (false, false) => Some(format!("classic TiCDC, {}", difference(step, &expected, actual))),
        }
    }
}

/// Old versions of rows are gone, as they were in the recorded cluster.
async fn hold_versions(ports: Ports) {
    let endpoints = [format!("127.0.0.1:{}", ports.pd)];
    let pd = PdClient::connect(&endpoints, Security::none()).await.expect("the placement driver");
    let now = pd.get_ts().await.expect("a timestamp");
    pd.hold_versions("gc_worker", i64::MAX, now).await.expect("a safepoint");
}

/// Whether an answer is one of ours in other words.
fn is_own(step: &Step, expected: &Outcome, actual: &Outcome) -> bool {
    let own = OWN_WORDS.iter().find(|(number, _)| *number == step.step);
    own.is_some_and(|(_, part)| {
        expected.iter().zip(actual).all(|((name, expected), (_, actual))| {
            if *name == "answer" || (*name == "stderr" && step.http.is_none()) {
                actual.contains(part)
            } else {
                actual == expected
            }
        })
    })
}

/// Whether a step changes nothing.
fn asks_only(step: &Step) -> bool {
    match &step.http {
        Some(call) => call.method == "GET",
        None => step.cli.iter().any(|arg| arg == "list" || arg == "query"),
    }
}

/// Where two texts begin to differ, with a little of what is before.
fn differs_from(left: &str, right: &str) -> usize {
    let same = left.bytes().zip(right.bytes()).take_while(|(left, right)| left == right).count();
    let mut start = same.saturating_sub(SHOWN_BEFORE);
    while !left.is_char_boundary(start) || !right.is_char_boundary(start) {
        start -= 1;
    }
    start
}

/// A difference, for people.
fn difference(step: &Step, expected: &Outcome, actual: &Outcome) -> String {
    let what = match &step.http {
        Some(call) => format!(
            "{} {} {}",
            call.method,
            call.path,
            call.body.as_ref().map_or_else(String::new, Value::to_string)
        ),
        None => format!("cdc {}", step.cli.join(" ")),
    };
    let parts = expected.iter().zip(actual).filter(|(expected, actual)| expected != actual);
    let parts: Vec<_> = parts
        .map(|((name, expected), (_, actual))| {
            let start = differs_from(expected, actual);
            let (expected, actual) = (&expected[start..], &actual[start..]);
            format!("  {name}, from byte {start}\n    expected {expected:?}\n    received {actual:?}")
        })
        .collect();
    format!("step {}: {what}\n{}", step.step, parts.join("\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_and_commands_answer_as_recorded() {
    let stack = Stack::start().await;
    let mut client = stack.sql().await;
    for sql in TABLES {
        client.query(sql).await.expect(sql);
    }
    let replay = Replay { ports: stack.ports, api: stack.api(), cdc: Cdc::new() };
    hold_versions(stack.ports).await;
    let mut differences = Vec::new();
    let mut count = 0;
    for (line, classic) in STEPS.lines().zip(CLASSIC.lines()) {
        let step: Step = serde_json::from_str(line).expect("a step");
        let (difference, actual) = replay.replay(&step).await;
        differences.extend(difference);
        differences.extend(replay.compare_with_classic(&step, classic, &actual));
        count += 1;
    }
    assert!(
        differences.is_empty(),
        "{} of {count} steps differ\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn every_recorded_step_is_replayed_or_left_out_for_a_reason() {
    let number = |line: &str| serde_json::from_str::<Step>(line).expect("a step").step;
    let mut steps: Vec<u32> = STEPS.lines().map(number).collect();
    assert_eq!(steps, CLASSIC.lines().map(number).collect::<Vec<_>>());
    steps.extend(LEFT_OUT.iter().map(|(step, _)| *step));
    steps.sort_unstable();
    assert_eq!(steps, (0..RECORDED).collect::<Vec<_>>());
}

#[test]
fn only_what_differs_from_run_to_run_is_left_out() {
    let text = r#"{"ts":470640252842409997,"at":"2026-11-22T12:21:25.664297609Z","time":"2026-11-22 12:21:25.611","n":1800000000000}"#;
    assert_eq!(normalise(text), r##"{"ts":#,"at":"@","time":"@","n":1800000000000}"##);
    assert_eq!(normalise("Zoë 12"), "Zoë 12");
    let text = r#"{"items":[{"id":"a","n":1},{"id":"b","n":2}],"none":null}"#;
    assert_eq!(shape(text), r#"{"items":[{"id":"text","n":"number"}],"none":null}"#);
    assert_ne!(shape(r#"{"b":1,"a":1}"#), shape(r#"{"a":1,"b":1}"#));
}
