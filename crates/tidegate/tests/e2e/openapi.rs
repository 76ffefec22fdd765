//! The description of the API against the API.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use tokio::process::Command;

use crate::programs;
use crate::stack::Stack;

/// The checked-in document.
const FILE: &str = include_str!("../../../../docs/openapi.json");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_capture_serves_the_checked_in_description_and_exactly_its_methods() {
    let stack = Stack::start_with(&["--without", "kafka"]).await;
    let http = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", stack.api().url());
    let served = http.get(url("/openapi.json")).send().await.expect("an answer");
    assert_eq!(served.headers()["content-type"], "application/json; charset=utf-8");
    assert!(served.text().await.expect("text") == FILE, "the served document is not docs/openapi.json");
    // TiCDC's paths for people.
    let page = |path: &'static str| {
        let request = http.get(url(path));
        async move {
            request
                .send()
                .await
                .expect("an answer")
                .error_for_status()
                .expect(path)
                .text()
                .await
                .expect("text")
        }
    };
    assert!(page("/swagger/doc.json").await == FILE);
    assert!(page("/swagger/index.html").await.contains("<td>/api/v2/changefeeds/{id}/pause</td>"));
    assert!(page("/debug/info").await.contains("*** owner info ***"));

    let document: Value = serde_json::from_str(FILE).expect("JSON");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 25, "{}", paths.len());
    for (path, operations) in paths {
        let documented: BTreeSet<_> =
            operations.as_object().expect("operations").keys().map(|method| method.to_uppercase()).collect();
        let concrete = path.replace(['{', '}'], "");
        let answer = http.request(Method::OPTIONS, url(&concrete)).send().await.expect("an answer");
        assert_eq!(answer.status(), 405, "{path}: no route has OPTIONS");
        let allowed: BTreeSet<_> = answer.headers()["allow"]
            .to_str()
            .expect("text")
            .split(',')
            .map(|method| method.trim().to_owned())
            .filter(|method| method != "HEAD")
            .collect();
        assert_eq!(allowed, documented, "{path}");
    }
    let large = http.post(url("/api/v2/log")).body(vec![b' '; 5 << 20]).send().await.expect("an answer");
    assert_eq!(large.status(), 413);
    let large: Value = large.json().await.expect("JSON");
    assert_eq!(large["error_code"], "CDC:ErrAPIInvalidParam", "{large}");
    let no_text = http.get(url("/api/v2/changefeeds/%ff")).send().await.expect("an answer");
    assert_eq!(no_text.status(), 400);
    let no_text: Value = no_text.json().await.expect("JSON");
    assert_eq!(no_text["error_code"], "CDC:ErrAPIInvalidParam", "{no_text}");
}

/// Where `cargo xtask test` puts the Python packages that the tests need.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/environment/bin/schemathesis");
/// Requests per operation.
const EXAMPLES: &str = "15";
/// What is looked at in each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                      unsupported_method,allow_header_conformance";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemathesis_finds_no_answer_that_is_not_described() {
    let stack = Stack::start_with(&["--without", "kafka"]).await;
    let seed = std::env::var("TIDEGATE_SEED").unwrap_or_else(|_| "1".to_owned());
    println!("TIDEGATE_SEED={seed}");
    let document = format!("{}/openapi.json", stack.api().url());
    let mut command = Command::new(PYTHON);
    command.args(["run", &document, "--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", &seed]);
    // While there is no owner, everything is answered with 500, as TiCDC does.
    command.args(["--exclude-path", "/api/v2/owner/resign", "--no-color", "--continue-on-failure"]);
    // Its cache of examples would be left behind, and make one run depend on another.
    let folder = tempfile::tempdir().expect("a folder");
    let report = programs::run(command.current_dir(folder.path()), "").await.ok();
    let passed = report.lines().find(|line| line.contains(" generated, ")).expect("a line that counts");
    let count: u32 = passed.trim().split(' ').next().and_then(|word| word.parse().ok()).expect("a number");
    assert!(count > 300 && passed.contains(&format!("{count} passed")), "{passed}");
}
