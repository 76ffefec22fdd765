//! Rows that are left out because of their values, from SQL to the topic; the configuration as a file.

use serde_json::json;

use crate::programs::{run, tidegate};
use crate::replay::changes;
use crate::stack::Stack;
use crate::topic;

/// The filter, as a user writes it.
const CONFIG: &str = "[filter]\nrules = ['test.*']\n[[filter.event-filters]]\nmatcher = ['test.orders']\n\
    ignore-insert-value-expr = \"price > 100 or state = 'DRAFT'\"\nignore-update-old-value-expr = \"state = 'done'\"\n\
    ignore-update-new-value-expr = \"note is null\"\nignore-delete-value-expr = \"created < '2024-01-01'\"\n";

/// What happens upstream; the comment tells whether it is sent.
const STATEMENTS: [&str; 16] = [
    "CREATE TABLE test.orders (id BIGINT UNSIGNED PRIMARY KEY, price DECIMAL(10,2), \
     state ENUM('new','draft','done') COLLATE utf8mb4_general_ci, note VARCHAR(20), created DATETIME(3))",
    "CREATE TABLE test.other (id INT PRIMARY KEY, price INT)",
    "INSERT INTO test.orders VALUES (1, 100.00, 'new', 'kept', '2023-05-05'), (2, 100.01, 'new', 'dear', NULL)",
    "INSERT INTO test.orders VALUES (3, NULL, 'new', 'kept', '2024-05-05'), (4, 1, 'draft', 'draft', NULL)",
    "INSERT INTO test.other VALUES (1, 1000)",
    "UPDATE test.orders SET note = 'a' WHERE id = 1",  // sent
    "UPDATE test.orders SET note = NULL WHERE id = 1", // the new value is left out
    "UPDATE test.orders SET note = 'b' WHERE id = 1",  // sent
    "UPDATE test.orders SET state = 'done' WHERE id = 1", // sent
    "UPDATE test.orders SET state = 'new' WHERE id = 1", // the old value is left out
    "UPDATE test.orders SET note = 'dear', price = 500 WHERE id = 2", // sent: it is no INSERT
    "DELETE FROM test.orders WHERE id = 1",            // left out
    "DELETE FROM test.orders WHERE id = 2",            // sent: NULL is not true
    "DELETE FROM test.orders WHERE id = 3",            // sent
    "ALTER TABLE test.orders ADD COLUMN extra INT DEFAULT 7",
    "INSERT INTO test.orders (id, price, state, note) VALUES (5, 101, 'new', 'x'), (6, 5, 'new', 'kept')",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_left_out_by_what_is_in_them() {
    let stack = Stack::start().await;
    let api = stack.api();
    let mut client = stack.sql().await;
    for sql in &STATEMENTS[..2] {
        client.query(sql).await.expect(sql);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("feed.toml");
    std::fs::write(&file, CONFIG).expect("a file");
    let (path, sink) = (file.display().to_string(), api.sink("filtered"));
    let args = ["cli", "changefeed", "create", "--server", api.url(), "-c", "feed", "--sink-uri", &sink];
    run(&mut tidegate(&[&args[..], &["--config", &path]].concat()), "").await.ok();
    for sql in &STATEMENTS[2..] {
        client.query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    api.wait_caught_up("feed").await;
    let sent = changes(&topic::read_all(stack.ports, "filtered").await);
    let mut orders: Vec<String> = sent
        .iter()
        .filter(|change| change.table == "orders")
        .map(|change| format!("{} {}", change.operation.name().trim(), change.number("id")))
        .collect();
    orders.sort();
    assert_eq!(
        orders,
        [
            "DELETE 2", "DELETE 3", "INSERT 1", "INSERT 3", "INSERT 6", "UPDATE 1", "UPDATE 1", "UPDATE 1",
            "UPDATE 2"
        ]
    );
    assert_eq!(sent.iter().filter(|change| change.table == "other").count(), 1);

    // A column that an expression reads goes: a row for which it is asked ends the changefeed.
    client.query("ALTER TABLE test.orders DROP COLUMN note").await.expect("a DDL");
    client.query("INSERT INTO test.orders (id, price, state) VALUES (7, 5, 'new')").await.expect("a row");
    api.wait_caught_up("feed").await;
    client.query("UPDATE test.orders SET price = 6 WHERE id = 7").await.expect("a row");
    api.wait_state("feed", "failed").await;
    let info = api.get("/api/v2/changefeeds/feed").await.ok();
    assert_eq!(info["error"]["code"], "CDC:ErrExpressionColumnNotFound", "{info}");
    let message = info["error"]["message"].as_str().expect("text");
    assert!(
        message.contains("Cannot find column 'note' from table 'test.orders' in: note is null"),
        "{message}"
    );

    toml_of_a_changefeed(&stack).await;
}

/// The configuration comes as a file, which can be given back.
async fn toml_of_a_changefeed(stack: &Stack) {
    let api = stack.api();
    let http = reqwest::Client::new();
    let url = format!("{}/api/v2/changefeeds/feed", api.url());
    let answer = http.get(&url).header("Accept", "text/html, application/toml;q=0.9").send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/toml; charset=utf-8");
    let text = answer.text().await.expect("text");
    assert!(text.contains("ignore-update-new-value-expr = \"note is null\""), "{text}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("again.toml");
    std::fs::write(&file, &text).expect("a file");
    let path = file.display().to_string();
    let told =
        run(&mut tidegate(&["filter", "test", "--config", &path, "--table", "test.orders"]), "").await.ok();
    assert!(
        told.contains("left out where note is null (filter.event-filters[0]: ignore-update-new-value-expr)")
    );
    let missing =
        http.get(format!("{}/api/v2/changefeeds/none", api.url())).header("Accept", "application/toml");
    let missing: serde_json::Value = missing.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(missing["error_code"], json!("CDC:ErrChangeFeedNotExists"));
}
