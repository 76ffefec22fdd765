//! Wrong input: a clear error, nothing changed, everything alive.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::programs::{mysql, run, tidegate};
use crate::replay::changes;
use crate::sql_client::SqlError;
use crate::stack::{Ports, Stack};
use crate::topic;
use crate::wait::within;

/// How long a server may think about garbage before the connection is given up.
const GARBAGE_LIMIT: Duration = Duration::from_secs(1);
/// Longest time of connecting.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of a piece of random garbage.
const GARBAGE_BYTES: usize = 4096;
/// Pieces of random garbage for each port.
const PIECES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_changefeeds_are_refused_and_leave_nothing() {
    let stack = Stack::start().await;
    let api = stack.api();
    let broker = format!("127.0.0.1:{}", stack.ports.kafka);
    api.create("taken", &api.sink("taken"), 0).await;
    let cases = [
        ("::bad".to_owned(), "one", "ErrSinkURIInvalid"),
        ("ftp://x/y".to_owned(), "one", "ErrSinkURIInvalid"),
        (format!("kafka://{broker}/t?protocol=nope"), "one", "unknown 'nope' message protocol"),
        (
            format!("kafka://{broker}/bad topic?protocol=canal-json"),
            "one",
            "'bad topic' contains one or more characters",
        ),
        (format!("kafka://{broker}/..?protocol=canal-json"), "one", "opic"),
        (api.sink("t"), "taken", "changefeed already exists, taken"),
        (api.sink("t"), "bad_id!", "invalid changefeed_id: bad_id!"),
        ("kafka://127.0.0.1:1/t?protocol=canal-json".to_owned(), "one", "new kafka producer"),
    ];
    for (sink, id, reason) in cases {
        let body = json!({ "changefeed_id": id, "sink_uri": sink });
        let error = api.post("/api/v2/changefeeds", &body).await.error();
        assert!(error.contains(reason), "{sink}: {error}");
    }
    let list = api.get("/api/v2/changefeeds").await.ok();
    let ids: Vec<_> =
        list["items"].as_array().expect("a list").iter().map(|item| item["id"].clone()).collect();
    assert_eq!(ids, [Value::from("taken")]);
    api.wait_caught_up("taken").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_statements_are_refused_by_name_and_change_nothing() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    client
        .query("CREATE TABLE test.t (id INT PRIMARY KEY, v VARCHAR(3) NOT NULL, u INT UNIQUE)")
        .await
        .expect("a table");
    api.create("feed", &api.sink("statements"), 0).await;
    client.query("INSERT INTO test.t VALUES (1, 'a', 1)").await.expect("a row");
    let cases: [(&str, u16, &str); 11] = [
        ("INSRT INTO test.t VALUES (2, 'b', 2)", 1064, "INSRT"),
        ("INSERT INTO test.t VALUES (2, 'b')", 1136, "Column count doesn't match value count at row 1"),
        (
            "INSERT INTO test.t VALUES (2, 'b', 2), (1, 'c', 3)",
            1062,
            "Duplicate entry '1' for key 't.PRIMARY'",
        ),
        ("INSERT INTO test.t VALUES (2, 'b', 1)", 1062, "Duplicate entry '1' for key 't.u'"),
        ("INSERT INTO test.t VALUES (2, NULL, 2)", 1048, "Column 'v' cannot be null"),
        ("INSERT INTO test.t VALUES (2, 'long', 2)", 1406, "Data too long for column 'v' at row 1"),
        ("INSERT INTO test.t (id, nope) VALUES (2, 'b')", 1054, "Unknown column 'nope' in 'field list'"),
        ("INSERT INTO test.none VALUES (1)", 1146, "Table 'test.none' doesn't exist"),
        ("USE none", 1049, "Unknown database 'none'"),
        ("CREATE TABLE test.t (id INT)", 1050, "Table 'test.t' already exists"),
        ("CREATE DATABASE test", 1007, "Can't create database 'test'; database exists"),
    ];
    for (sql, code, text) in cases {
        match client.query(sql).await {
            Err(SqlError::Server { code: seen, message, .. }) => {
                assert_eq!(seen, code, "{sql}: {message}");
                assert!(message.contains(text), "{sql}: {message}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    // Whatever a statement is that nobody supports, its name is in the error.
    match client.query("CREATE TRIGGER x BEFORE INSERT ON test.t FOR EACH ROW SET NEW.v = 'z'").await {
        Err(SqlError::Server { message, .. }) => {
            assert!(message.to_uppercase().contains("TRIGGER"), "{message}")
        }
        other => panic!("a trigger: {other:?}"),
    }
    let shown = mysql(stack.ports, "SELEC 1;").await;
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(
        shown.stderr.contains("ERROR 1064 (42000) at line 1: You have an error in your SQL syntax"),
        "{shown:?}"
    );

    let rows = client.query("SELECT * FROM test.t").await.expect("rows").rows;
    assert_eq!(rows, [["1", "a", "1"].map(|text| Some(text.to_owned()))]);
    api.wait_caught_up("feed").await;
    let changes = changes(&topic::read_all(stack.ports, "statements").await);
    assert_eq!(changes.len(), 1, "{changes:?}");
}

/// Sends bytes to a port and waits for the server to do something about it.
async fn send(port: u16, bytes: &[u8]) {
    let connect = TcpStream::connect(Ports::addr(port));
    let mut stream = within("a connection", CONNECT_LIMIT, connect).await.expect("the server listens");
    let talk = async {
        // The server may close while we write.
        if stream.write_all(bytes).await.is_ok() && stream.shutdown().await.is_ok() {
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
        }
    };
    // A server that waits for more is fine: the connection ends here.
    let _ = tokio::time::timeout(GARBAGE_LIMIT, talk).await;
}

/// Garbage that looks like the beginning of something.
fn almost() -> Vec<Vec<u8>> {
    let huge = |prefix: &[u8]| [prefix, &[0; 64]].concat();
    vec![
        Vec::new(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), // TLS
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n".to_vec(),
        b"POST /api/v2/changefeeds HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{\"a\":".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        huge(b"\x7f\xff\xff\xff"),                 // Kafka: a request of 2 GiB
        huge(b"\xff\xff\xff\xff"),                 // Kafka: a negative length
        huge(b"\x00\x00\x00\x08\x00\x00\x00\x0d"), // Kafka: a cut Produce
        huge(b"\xff\xff\xff\x01"),                 // MySQL: the largest packet as a login
        huge(b"\x01\x00\x00\x07\xff"),             // MySQL: a packet out of order
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_on_every_port_hurts_nobody() {
    let mut stack = Stack::start().await;
    let api = stack.api();
    api.create("feed", &api.sink("garbage"), 0).await;
    let mut random = StdRng::seed_from_u64(5);
    for port in stack.ports.all() {
        let mut pieces = almost();
        for _ in 0..PIECES {
            let mut bytes = vec![0; GARBAGE_BYTES];
            random.fill_bytes(&mut bytes);
            pieces.push(bytes);
        }
        let sends: Vec<_> =
            pieces.into_iter().map(|piece| tokio::spawn(async move { send(port, &piece).await })).collect();
        for sent in sends {
            sent.await.expect("sent");
        }
        assert!(stack.is_running(), "after garbage on port {port}");
    }
    let offset = stack.ports.offset.to_string();
    run(&mut tidegate(&["ps", "--port-offset", &offset]), "").await.ok();
    let mut client = stack.sql().await;
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY)").await.expect("a table");
    client.query("INSERT INTO test.t VALUES (1)").await.expect("a row");
    api.wait_caught_up("feed").await;
    let changes = changes(&topic::read_all(stack.ports, "garbage").await);
    assert_eq!(changes.iter().map(|change| change.number("id")).collect::<Vec<_>>(), [1]);
}
