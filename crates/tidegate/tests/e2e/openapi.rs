//! The description of the API against the API.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

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
