//! HTTP calls on the same port.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Fixture, PATIENCE};

async fn get(fixture: &Fixture, path: &str) -> (u16, String) {
    send(fixture, "GET", path, "").await
}

async fn send(fixture: &Fixture, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(fixture.server.local_addr()).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: pd\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn json(fixture: &Fixture, path: &str) -> Value {
    let (status, body) = get(fixture, path).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn the_usual_questions_are_answered_in_pds_shapes() {
    let fixture = Fixture::start().await;
    fixture.bootstrap().await;
    assert_eq!(json(&fixture, "/pd/api/v1/version").await["version"], "v8.5.4");
    let health = json(&fixture, "/pd/api/v1/health").await;
    assert_eq!(health[0]["health"], true);
    let members = json(&fixture, "/pd/api/v1/members").await;
    assert_eq!(members["header"]["cluster_id"], fixture.server.cluster_id());
    assert_eq!(members["leader"]["client_urls"][0], fixture.server.url());
    let stores = json(&fixture, "/pd/api/v1/stores").await;
    assert_eq!(stores["count"], 1);
    assert_eq!(stores["stores"][0]["store"]["state_name"], "Up");
    assert_eq!(stores["stores"][0]["status"]["region_count"], 1);
    assert_eq!(json(&fixture, "/pd/api/v1/store/1").await["store"]["id"], 1);
    assert_eq!(get(&fixture, "/pd/api/v1/store/9").await.0, 404);
    assert_eq!(get(&fixture, "/pd/api/v1/store/x").await.0, 400);
    assert_eq!(get(&fixture, "/nothing").await.0, 404);
    for path in [
        "status",
        "leader",
        "cluster",
        "config",
        "config/replicate",
        "config/cluster-version",
        "gc/safepoint",
        "min-resolved-ts",
    ] {
        json(&fixture, &format!("/pd/api/v1/{path}")).await;
    }
}

#[tokio::test]
async fn region_label_rules_are_patched_kept_and_shown() {
    let fixture = Fixture::start().await;
    let rules = "/pd/api/v1/config/region-label/rules";
    let rule = |id: &str, value: &str| {
        serde_json::json!({
            "id": id, "labels": [{"key": "data-type", "value": value}], "rule_type": "key-range",
            "data": [{"start_key": "6d00000000000000f8", "end_key": "6e00000000000000f8"}],
        })
    };
    let patch =
        |sets: &[Value], deletes: &[&str]| serde_json::json!({"sets": sets, "deletes": deletes}).to_string();
    let (status, body) =
        send(&fixture, "PATCH", rules, &patch(&[rule("x/a", "1"), rule("b", "1")], &[])).await;
    assert_eq!((status, body.trim()), (200, "\"Update region label rules successfully.\""));
    assert_eq!(send(&fixture, "PATCH", rules, &patch(&[rule("x/a", "2")], &["b"])).await.0, 200);
    // All or nothing.
    let bad = patch(&[rule("c", "1"), rule("", "1")], &["x/a"]);
    let (status, body) = send(&fixture, "PATCH", rules, &bad).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(send(&fixture, "PATCH", rules, "{").await.0, 400);
    let fixture = fixture.crash().await;
    assert_eq!(json(&fixture, rules).await, serde_json::json!([rule("x/a", "2")]));
    assert_eq!(json(&fixture, "/pd/api/v1/config/region-label/rule/x%2Fa").await, rule("x/a", "2"));
    assert_eq!(get(&fixture, "/pd/api/v1/config/region-label/rule/b").await.0, 404);
}

#[tokio::test]
async fn garbage_on_the_port_harms_nobody() {
    let fixture = Fixture::start().await;
    for garbage in [
        &b"\x00\x01\x02\x03\xFF\xFE garbage \r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xFF\xFF\xFF\xFF\xFF",
    ] {
        let mut stream = TcpStream::connect(fixture.server.local_addr()).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    }
    fixture.pd().await.get_ts().await.unwrap();
}

#[tokio::test]
async fn unknown_grpc_services_are_unimplemented_and_health_is_known() {
    use tikv_proto::healthpb::{HealthCheckRequest, health_client::HealthClient};
    use tikv_proto::{kvrpcpb, tikvpb::tikv_client::TikvClient};
    let fixture = Fixture::start().await;
    let url = fixture.server.url().to_owned();
    let status = TikvClient::connect(url.clone()).await.unwrap().kv_get(kvrpcpb::GetRequest::default()).await;
    assert_eq!(status.unwrap_err().code(), tonic::Code::Unimplemented);
    let request = HealthCheckRequest { service: String::new() };
    let answer = HealthClient::connect(url).await.unwrap().check(request).await.unwrap().into_inner();
    assert_eq!(answer.status, 1);
}
