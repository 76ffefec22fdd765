//! What a new user does, with the programs that a new user has.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use crate::event::{DdlEvent, Event};
use crate::programs::{Cdc, kcat, line, mysql, node_consumer, run, tidegate};
use crate::stack::{Stack, send_signal};
use crate::wait::within;

/// Longest wait for the end of a program.
const END_LIMIT: Duration = Duration::from_secs(30);
/// What the user writes.
const SCRIPT: &str = "
CREATE DATABASE shop;
USE shop;
CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, customer VARCHAR(40) NOT NULL, amount DECIMAL(10,2));
INSERT INTO orders VALUES (1, 'Zoë <&> \"q\"', 12.5), (2, 'Bob', NULL);
UPDATE orders SET amount = 20 WHERE id = 1;
DELETE FROM orders WHERE id = 2;
BEGIN;
INSERT INTO orders VALUES (18446744073709551615, 'last', 0.01);
UPDATE orders SET customer = 'Zoe' WHERE id = 1;
COMMIT;
ALTER TABLE orders ADD COLUMN paid BOOL;
INSERT INTO orders VALUES (3, 'Carol', 7, TRUE);
SELECT * FROM orders ORDER BY id;
";
/// What the last statement prints.
const ROWS: &str = "1\tZoe\t20.00\tNULL\n3\tCarol\t7.00\t1\n18446744073709551615\tlast\t0.01\tNULL\n";
/// Schema changes in order.
const DDL: [(&str, &str); 3] = [
    ("QUERY", "CREATE DATABASE `shop`"),
    (
        "CREATE",
        "CREATE TABLE `orders` (`id` BIGINT UNSIGNED PRIMARY KEY,`customer` VARCHAR(40) NOT NULL,`amount` DECIMAL(10,2))",
    ),
    ("ALTER", "ALTER TABLE `orders` ADD COLUMN `paid` TINYINT(1)"),
];
/// Row changes in order, as pretty output shows them behind the table.
const CHANGES: [&str; 7] = [
    r#"INSERT  shop.orders  [id="1"]  customer="Zoë <&> \"q\"", amount="12.50""#,
    r#"INSERT  shop.orders  [id="2"]  customer="Bob", amount=NULL"#,
    r#"UPDATE  shop.orders  [id="1"]  amount: "12.50" -> "20.00""#,
    r#"DELETE  shop.orders  [id="2"]  customer="Bob", amount=NULL"#,
    r#"UPDATE  shop.orders  [id="1"]  customer: "Zoë <&> \"q\"" -> "Zoe""#,
    r#"INSERT  shop.orders  [id="18446744073709551615"]  customer="last", amount="0.01""#,
    r#"INSERT  shop.orders  [id="3"]  customer="Carol", amount="7.00", paid="1""#,
];

/// The consumer of the user.
struct NodeConsumer {
    /// Process.
    child: Child,
    /// Events.
    events: Lines<BufReader<ChildStdout>>,
    /// Everything else.
    notices: Lines<BufReader<ChildStderr>>,
}

impl NodeConsumer {
    /// Starts it.
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("node starts");
        let events = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let notices = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        Self { child, events, notices }
    }
}

/// Skips lines up to one that begins with a text.
async fn skip_to(lines: &mut Lines<impl AsyncBufRead + Unpin>, beginning: &str) -> String {
    loop {
        let text = line(lines).await;
        if text.starts_with(beginning) {
            return text;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mysql_writes_every_consumer_prints() {
    let mut stack = Stack::start().await;
    let ports = stack.ports;
    let cdc = Cdc::new();
    create_changefeed(&stack, &cdc).await;

    let mut node = NodeConsumer::start(node_consumer(ports, "walk-through"));
    skip_to(&mut node.notices, "reading tidb-test as group walk-through").await;
    assert_eq!(mysql(ports, SCRIPT).await.ok(), ROWS);
    let mut values = Vec::new();
    while values.len() < DDL.len() + CHANGES.len() {
        values.push(line(&mut node.events).await);
    }
    check_values(&values);
    send_signal(&node.child, "TERM").await;
    let ended = within("end of the consumer", END_LIMIT, node.child.wait()).await.expect("it ended");
    assert_eq!(ended.code(), Some(0));

    check_kcat(&stack, &values).await;
    check_consume(&stack, &values).await;
    let server = format!("--server={}", stack.api().url());
    let shown = cdc
        .run(&["cli", "changefeed", "query", &server, "-s", "-c", "simple-replication-task"], "")
        .await
        .ok();
    assert!(shown.contains("\"state\": \"normal\""), "{shown}");
    assert_eq!(stack.stop("INT").await.code(), Some(0), "{}", stack.log());
}

/// The command as TiCDC's documentation has it, and its output.
async fn create_changefeed(stack: &Stack, cdc: &Cdc) {
    let server = format!("--server={}", stack.api().url());
    let sink = format!(
        "--sink-uri=kafka://127.0.0.1:{}/tidb-test?protocol=canal-json&kafka-version=2.4.0&partition-num=6&\
         max-message-bytes=67108864&replication-factor=1",
        stack.ports.kafka
    );
    let id = "--changefeed-id=simple-replication-task";
    let output = cdc.run(&["cli", "changefeed", "create", &server, &sink, id], "").await.ok();
    let mut lines = output.lines();
    assert_eq!(lines.next(), Some("Create changefeed successfully!"));
    assert_eq!(lines.next(), Some("ID: simple-replication-task"));
    let info = lines.next().and_then(|line| line.strip_prefix("Info: ")).expect("the changefeed");
    let info: serde_json::Value = serde_json::from_str(info).expect("JSON");
    assert_eq!(info["state"], "normal");
    assert_eq!(info["config"]["sink"]["protocol"].as_str().unwrap_or("canal-json"), "canal-json");
}

/// The values are the events of the script: schema changes in order, row changes in order.
fn check_values(values: &[String]) {
    let (mut ddl, mut rows) = (Vec::new(), Vec::new());
    for value in values {
        match Event::parse(value.as_bytes()).expect("Canal-JSON") {
            Event::Ddl(DdlEvent { kind, sql, database, .. }) => {
                assert_eq!(database, "shop");
                ddl.push((kind, sql));
            }
            Event::Row(row) => rows.push(row),
            Event::Watermark(_) => panic!("a watermark without the TiDB extension"),
        }
    }
    assert_eq!(ddl, DDL.map(|(kind, sql)| (kind.to_owned(), sql.to_owned())));
    assert_eq!(rows.len(), CHANGES.len());
    for (row, change) in rows.iter().zip(CHANGES) {
        assert!(change.starts_with(row.operation.name()), "{row:?} is not {change}");
        assert_eq!((row.database.as_str(), row.table.as_str(), row.commit_ts), ("shop", "orders", None));
        assert_eq!(row.keys, ["id"]);
        let id = row.rows[0].data.get("id").flatten().expect("a key");
        assert!(change.contains(&format!("[id=\"{id}\"]")), "{row:?} is not {change}");
    }
}

/// kcat reads the same values, with empty keys of rows and no keys of schema changes.
async fn check_kcat(stack: &Stack, values: &[String]) {
    let args = ["-C", "-e", "-q", "-t", "tidb-test", "-o", "beginning", "-f", "%K %s\n"];
    let output = kcat(stack.ports, &args).await.ok();
    let mut read = BTreeSet::new();
    for line in output.lines() {
        let (key_length, value) = line.split_once(' ').expect("a key length and a value");
        let expected = if value.contains("\"isDdl\":true") { "-1" } else { "0" };
        assert_eq!(key_length, expected, "{value}");
        read.insert(value.to_owned());
    }
    assert_eq!(read, values.iter().cloned().collect());
}

/// `tidegate consume` reads the same values, and shows them to people.
async fn check_consume(stack: &Stack, values: &[String]) {
    let brokers = format!("127.0.0.1:{}", stack.ports.kafka);
    let max = values.len().to_string();
    let common = ["consume", "--brokers", &brokers, "--from-beginning", "--max", &max];
    let json = [&common[..], &["--group", "json", "--format", "json"]].concat();
    let output = run(&mut tidegate(&json), "").await.ok();
    assert_eq!(output.lines().map(str::to_owned).collect::<BTreeSet<_>>(), values.iter().cloned().collect());
    let pretty = [&common[..], &["--group", "pretty"]].concat();
    let output = run(&mut tidegate(&pretty), "").await.ok();
    let shown: Vec<_> = output.lines().filter_map(|line| Some(line.split_once("  ")?.1)).collect();
    let rows: Vec<_> = shown.iter().copied().filter(|line| !line.starts_with("DDL")).collect();
    assert_eq!(rows, CHANGES);
    for (kind, sql) in DDL {
        assert!(
            shown.iter().any(|line| line.starts_with("DDL") && line.ends_with(&format!("  {kind}  {sql}"))),
            "{output}"
        );
    }
}
