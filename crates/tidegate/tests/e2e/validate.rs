//! `tidegate validate`: what is in order, what is not, and that nothing is changed.

use serde_json::Value;
use tikv_client::{PdClient, Security};

use crate::programs::{Ended, run, tidegate};
use crate::stack::Stack;
use crate::topic;

/// Runs `validate` with a configuration.
async fn validate(stack: &Stack, sink_uri: &str, config: &str, more: &[&str]) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("feed.toml");
    std::fs::write(&file, config).expect("a file");
    let (path, pd) = (file.display().to_string(), format!("http://127.0.0.1:{}", stack.ports.pd));
    let args = ["validate", "--pd", &pd, "--sink-uri", sink_uri, "--config", &path, "--format", "json"];
    run(&mut tidegate(&[&args[..], more].concat()), "").await
}

/// Checks by subject with their results.
fn results(ended: &Ended) -> Vec<(String, String, String)> {
    let checks: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let text = |check: &Value, key: &str| check[key].as_str().expect(key).to_owned();
    let checks = checks.as_array().expect("a list").iter();
    checks.map(|check| (text(check, "check"), text(check, "result"), text(check, "detail"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_order_and_what_is_not_is_told_and_nothing_is_changed() {
    let stack = Stack::start().await;
    let (api, mut client) = (stack.api(), stack.sql().await);
    client.query("CREATE TABLE test.t (id INT PRIMARY KEY, v INT)").await.expect("a table");
    // A topic that exists.
    api.create("feed", &api.sink("there"), 0).await;
    api.wait_caught_up("feed").await;
    client.query("CREATE TABLE test.keyless (v INT)").await.expect("a table");
    api.post("/api/v2/changefeeds/feed/pause", &serde_json::json!({})).await.ok();
    let messages = topic::read_all(stack.ports, "there").await.len();

    const GOOD: &str = "[filter]\nrules = ['test.t']\n[mounter]\nworker-num = 3\n";
    let good = validate(&stack, &api.sink("there"), GOOD, &[]).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    let found = results(&good);
    let of = |subject: &str| -> Vec<&str> {
        found.iter().filter(|(name, _, _)| name == subject).map(|(_, result, _)| result.as_str()).collect()
    };
    assert_eq!(of("config"), ["warn", "ok"], "a key without effect: {found:?}");
    for subject in [
        "sink uri",
        "pd",
        "versions",
        "start ts",
        "tables",
        "rules",
        "kafka metadata",
        "kafka topic",
        "kafka write",
    ] {
        assert_eq!(of(subject), ["ok"], "{subject}: {found:?}");
    }
    assert_eq!(of("kafka describe configs"), ["ok"], "{found:?}");
    assert_eq!(topic::read_all(stack.ports, "there").await.len(), messages, "nothing was written");

    let absent = validate(&stack, &api.sink("absent"), GOOD, &[]).await;
    assert_eq!(absent.code, Some(0), "{absent:?}");
    let found = results(&absent);
    let topic = found.iter().find(|(name, _, _)| name == "kafka topic").expect("the topic");
    assert_eq!((topic.1.as_str(), topic.2.as_str()), ("ok", "absent will be created with 3 partitions"));
    let again = validate(&stack, &format!("{}&auto-create-topic=false", api.sink("absent")), GOOD, &[]).await;
    assert_eq!(again.code, Some(1), "the topic was not made: {again:?}");

    let unreachable = "kafka://127.0.0.1:1/t?protocol=canal-json";
    let sink = api.sink("there");
    let partitions = format!("{sink}&partition-num=99");
    let expr = "[filter]\nrules = ['test.t']\n[[filter.event-filters]]\nmatcher = ['test.t']\n\
                ignore-delete-value-expr = 'price > 1'\n";
    let pd = [format!("http://127.0.0.1:{}", stack.ports.pd)];
    let pd = PdClient::connect(&pd, Security::none()).await.expect("PD");
    let now = pd.get_ts().await.expect("a timestamp");
    pd.update_gc_safepoint(now).await.expect("a safepoint");
    for (uri, config, more, subject, part) in [
        (&*sink, "[filter]\nrulez = []", &[][..], "config", "filter.rulez"),
        (&sink, "bdr-mode = true", &[], "config", "bdr-mode"),
        (&sink, "[filter]\nrules = ['[']", &[], "sink uri", "filter rule is invalid"),
        ("kafka://h/t?protocol=nope", GOOD, &[], "sink uri", "ErrSinkUnknownProtocol"),
        (unreachable, GOOD, &[], "kafka metadata", "connection refused"),
        (&partitions, GOOD, &[], "kafka topic", "partition-num asks for 99"),
        (&sink, "[filter]\nrules = ['test.*']", &[], "table keys", "test.keyless"),
        (&sink, expr, &[], "rules", "Cannot find column 'price'"),
        (&sink, GOOD, &["--start-ts", "999999999999999999"], "start ts", "is in the future"),
        (&sink, GOOD, &["--start-ts", "1"], "start ts", "were collected"),
    ] {
        let bad = validate(&stack, uri, config, more).await;
        assert_eq!(bad.code, Some(1), "{subject}: {bad:?}");
        let found = results(&bad);
        let failed: Vec<_> = found.iter().filter(|(_, result, _)| result == "fail").collect();
        assert_eq!(failed.len(), 1, "{subject}: {found:?}");
        assert!(failed[0].0 == subject && failed[0].2.contains(part), "{subject}: {failed:?}");
    }
    let text =
        run(&mut tidegate(&["validate", "--pd", "http://127.0.0.1:1", "--sink-uri", unreachable]), "").await;
    assert_eq!(text.code, Some(1), "{text:?}");
    assert!(
        text.stdout.contains("\nfail  pd: ") && text.stdout.contains("      -> look at --pd"),
        "{text:?}"
    );
    assert!(text.stdout.contains("warn  tables: not checked"), "{text:?}");
}
