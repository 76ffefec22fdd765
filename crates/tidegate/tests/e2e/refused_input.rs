//! Every input that is refused: with which status, which code, and what the message says.
//!
//! Statuses and codes are those of TiCDC's API. What is wrong with the Kafka side of a configuration is told as a bad sink
//! URI, as there.

use reqwest::Method;
use serde_json::{Value, json};
use tikv_client::{PdClient, Security};

use crate::api::{Answer, Api};
use crate::stack::Stack;

/// A table with a key, one without, and one with a plain index.
const TABLES: [&str; 4] = [
    "CREATE DATABASE refused",
    "CREATE TABLE refused.t (id INT PRIMARY KEY, v VARCHAR(10), n INT, KEY plain (n))",
    "CREATE DATABASE keyless",
    "CREATE TABLE keyless.t (v INT)",
];

/// An expected refusal: status, code, a part of the message.
type Refusal = (u16, &'static str, &'static str);

/// Expected refusals of one test, and those that were not as expected.
struct Refusals {
    /// The capture.
    api: Api,
    /// Address of the broker.
    broker: String,
    /// What was not as expected.
    wrong: Vec<String>,
    /// Number of inputs.
    tried: usize,
}

impl Refusals {
    /// Compares an answer.
    fn expect(&mut self, input: &str, answer: &Answer, (status, code, part): Refusal) {
        self.tried += 1;
        let body: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        let message = body["error_msg"].as_str().unwrap_or_default();
        let same = answer.status == status && body["error_code"] == code && message.contains(part);
        if !same {
            let wanted = format!("{status} {code} {part:?}");
            self.wrong
                .push(format!("{input}\n    wanted {wanted}\n    got {} {}", answer.status, answer.text));
        }
    }

    /// Any request.
    async fn call(&mut self, method: Method, path: &str, body: Option<Value>, refusal: Refusal) {
        let input = format!("{method} {path} {}", body.clone().unwrap_or_default());
        let body = body.map(|body| body.to_string());
        let answer = self.api.raw(method, path, body).await.expect("the capture answers");
        self.expect(&input, &answer, refusal);
    }

    /// Creation with a body.
    async fn create(&mut self, body: Value, refusal: Refusal) {
        self.call(Method::POST, "/api/v2/changefeeds", Some(body), refusal).await;
    }

    /// Creation with a sink URI; `BROKER` stands for the address of the broker.
    async fn uri(&mut self, uri: &str, refusal: Refusal) {
        let uri = uri.replace("BROKER", &self.broker);
        let config = json!({"filter": {"rules": ["refused.*"]}});
        self.create(json!({"changefeed_id": "x", "sink_uri": uri, "replica_config": config}), refusal).await;
    }

    /// Creation with a configuration, of which the filter is added if it has none.
    async fn config(&mut self, mut config: Value, refusal: Refusal) {
        if config.get("filter").and_then(|filter| filter.get("rules")).is_none() {
            config["filter"]["rules"] = json!(["refused.*"]);
        }
        let uri = format!("kafka://{}/refused?protocol=canal-json", self.broker);
        self.create(json!({"changefeed_id": "x", "sink_uri": uri, "replica_config": config}), refusal).await;
    }
}

/// Sink URIs, behind `kafka://BROKER/`.
async fn sink_uris(all: &mut Refusals) {
    const URI: &str = "CDC:ErrSinkURIInvalid";
    const CONFIG: &str = "CDC:ErrInvalidReplicaConfig";
    for (uri, refusal) in [
        ("", (400, URI, "sink_uri is empty, cannot create a changefeed without sink_uri")),
        ("::bad", (400, URI, "parse \"::bad\": missing protocol scheme")),
        ("ftp://x/y", (400, URI, "sink uri invalid 'ftp://x/y'")),
        ("mysql://root@127.0.0.1:4000/", (400, URI, "use kafka://")),
        ("kafka://BROKER/%zz?protocol=canal-json", (400, URI, "invalid URL escape")),
        ("kafka://BROKER/?protocol=canal-json", (400, URI, "no topic is specified in sink-uri")),
        ("kafka://BROKER/bad topic?protocol=canal-json", (400, URI, "CDC:ErrKafkaCreateTopic")),
        ("kafka://BROKER/..?protocol=canal-json", (400, URI, "opic")),
        (
            "kafka://127.0.0.1:1/t?protocol=canal-json",
            (400, URI, "dial tcp 127.0.0.1:1: connect: connection refused"),
        ),
        (
            "kafka://BROKER/t",
            (500, CONFIG, "[CDC:ErrSinkUnknownProtocol]unknown '' message protocol for sink"),
        ),
        ("kafka://BROKER/t?protocol=nope", (500, CONFIG, "[CDC:ErrSinkUnknownProtocol]unknown 'nope'")),
        (
            "kafka://BROKER/t?protocol=avro",
            (500, CONFIG, "'avro' message protocol for sink is not supported yet"),
        ),
        ("kafka://BROKER/t?protocol=maxwell", (500, CONFIG, "CDC:ErrSinkUnknownProtocol")),
    ] {
        all.uri(uri, refusal).await;
    }
    for (query, part) in [
        ("partition-num=0", "[CDC:ErrKafkaInvalidPartitionNum]invalid partition num 0"),
        ("partition-num=-3", "[CDC:ErrKafkaInvalidPartitionNum]invalid partition num -3"),
        ("partition-num=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("partition-num=9", "9"),
        ("replication-factor=-1", "invalid replication factor -1"),
        ("max-message-bytes=abc", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
        ("max-message-bytes=-1", "invalid max-message-bytes -1"),
        ("required-acks=7", "[CDC:ErrKafkaInvalidRequiredAcks]invalid required acks 7"),
        ("kafka-client-id=a%20b", "[CDC:ErrKafkaInvalidClientID]invalid kafka client ID 'a b'"),
        ("dial-timeout=0s", "dial-timeout must be greater than zero"),
        ("read-timeout=10", "read-timeout"),
        ("write-timeout=x", "write-timeout"),
        ("auto-create-topic=maybe", "strconv.ParseBool: parsing \"maybe\": invalid syntax"),
        ("enable-tidb-extension=2", "strconv.ParseBool: parsing \"2\": invalid syntax"),
        ("sasl-mechanism=digest", "unknown DIGEST SASL mechanism"),
        ("sasl-mechanism=oauthbearer", "sasl-oauth-client-id is not set"),
        ("sasl-mechanism=gssapi", "sasl-gssapi-auth-type is not set"),
        ("sasl-mechanism=gssapi&sasl-gssapi-auth-type=both", "unknown sasl-gssapi-auth-type both"),
        ("sasl-oauth-client-id=x", "sasl-oauth-client-id has no effect in the sink URI"),
        ("ca=/x", "ca, cert and key files should all be supplied"),
        ("ca=/x&cert=/y&key=/z&enable-tls=false", "'enable-tls' set to false"),
        ("transaction-atomicity=table", "table level atomicity is not supported by kafka scheme"),
        ("glue-schema-registry=x", "is not supported"),
    ] {
        all.uri(&format!("kafka://BROKER/taken?protocol=canal-json&{query}"), (400, URI, part)).await;
    }
    let missing = "kafka://BROKER/missing?protocol=canal-json&auto-create-topic=false";
    all.uri(missing, (400, URI, "auto-create-topic")).await;
}

/// Filters.
async fn filters(all: &mut Refusals) {
    const RULE: &str = "CDC:ErrFilterRuleInvalid";
    for rule in ["a.b.c", "[", "a", "@file", "a.", "/(/.b"] {
        all.config(json!({"filter": {"rules": [rule]}}), (400, RULE, "filter rule is invalid")).await;
    }
    let event = |rule: Value| json!({"filter": {"event_filters": [rule]}});
    for (rule, refusal) in [
        (json!({"matcher": ["["]}), (400, RULE, "filter rule is invalid")),
        (json!({"matcher": ["*.*"], "ignore_sql": ["("]}), (400, RULE, "ignore-sql")),
        (
            json!({"matcher": ["*.*"], "ignore_event": ["explode"]}),
            (500, "CDC:ErrInvalidIgnoreEventType", "invalid ignore event type: 'explode'"),
        ),
    ] {
        all.config(event(rule), refusal).await;
    }
    for key in [
        "ignore_insert_value_expr",
        "ignore_update_new_value_expr",
        "ignore_update_old_value_expr",
        "ignore_delete_value_expr",
    ] {
        for (text, refusal) in [
            ("n >", (500, "CDC:ErrInvalidFilterExpression", "There is a syntax error in: 'n >'")),
            ("nope(n)", (500, "CDC:ErrInvalidFilterExpression", "FUNCTION nope does not exist")),
            ("n in (select 1)", (500, "CDC:ErrInvalidFilterExpression", "subquery")),
            (
                "price > 1",
                (
                    500,
                    "CDC:ErrExpressionColumnNotFound",
                    "Cannot find column 'price' from table 'refused.t' in: price > 1",
                ),
            ),
        ] {
            let mut rule = json!({"matcher": ["refused.t"]});
            rule[key] = text.into();
            all.config(event(rule), refusal).await;
        }
    }
}

/// Where rows go and which columns they have.
async fn routes(all: &mut Refusals) {
    const DISPATCH: &str = "CDC:ErrDispatcherFailed";
    const SELECT: &str = "CDC:ErrColumnSelectorFailed";
    let rule = |rule: Value| json!({"sink": {"dispatchers": [rule]}});
    for (dispatcher, refusal) in [
        (
            json!({"topic": "{table}{schema}"}),
            (500, "CDC:ErrKafkaTopicExprInvalid", "invalid topic expression"),
        ),
        (json!({"topic": "a b"}), (500, "CDC:ErrKafkaTopicExprInvalid", "invalid topic expression: a b")),
        (
            json!({"dispatcher": "ts", "partition": "ts"}),
            (500, "CDC:ErrSinkInvalidConfig", "dispatcher and partition cannot be configured both"),
        ),
        (json!({"partition": "index-value", "index": "nope"}), (500, DISPATCH, "there is no such index")),
        (json!({"partition": "index-value", "index": "plain"}), (500, DISPATCH, "the index is not unique")),
        (json!({"partition": "columns", "columns": ["nope"]}), (500, DISPATCH, "there is no such column")),
        (json!({"target-schema": "x"}), (500, "CDC:ErrInvalidTableRoutingRule", "target-schema")),
        (json!({"target-table": "{other}"}), (500, "CDC:ErrInvalidTableRoutingRule", "target-table")),
    ] {
        let mut dispatcher = dispatcher;
        dispatcher["matcher"] = json!(["refused.*"]);
        all.config(rule(dispatcher), refusal).await;
    }
    let bad = json!({"matcher": ["["], "partition": "ts"});
    all.config(rule(bad), (400, "CDC:ErrFilterRuleInvalid", "filter rule is invalid")).await;
    let select = |columns: Value| json!({"matcher": ["refused.*"], "columns": columns});
    let config = json!({"sink": {"column_selectors": [select(json!(["v"]))]}});
    all.config(config, (500, SELECT, "column id of refused.t is left out, but it belongs to the key")).await;
    let config = json!({"sink": {
        "column_selectors": [select(json!(["*", "!v"]))],
        "dispatchers": [{"matcher": ["refused.*"], "partition": "columns", "columns": ["v"]}],
    }});
    all.config(config, (500, SELECT, "column v of refused.t is left out, but rows are dispatched by it"))
        .await;
    let config = json!({"integrity": {"integrity_check_level": "correctness", "corruption_handle_level": "warn"},
                        "sink": {"column_selectors": [select(json!(["*"]))]}});
    all.config(config, (500, "CDC:ErrInvalidReplicaConfig", "column-selectors")).await;
}

/// All other settings of a configuration.
async fn settings(all: &mut Refusals) {
    let large = |handle: Value| json!({"sink": {"kafka_config": {"large_message_handle": handle}}});
    let kafka = |config: Value| json!({"sink": {"kafka_config": config}});
    for (config, part) in [
        (json!({"enable_sync_point": true}), "enable-sync-point"),
        (json!({"bdr_mode": true}), "bdr-mode"),
        (json!({"changefeed_error_stuck_duration": "1m"}), "changefeed-error-stuck-duration"),
        (json!({"performance_mode": "fast"}), "unknown performance mode: fast"),
        (json!({"enable_active_active": true}), "enable-active-active"),
        (json!({"event_collector_batch_count": 8193}), "event-collector-batch-count"),
        (json!({"event_collector_batch_bytes": -1}), "event-collector-batch-bytes"),
        (json!({"sink": {"encoder_concurrency": -1}}), "encoder-concurrency"),
        (json!({"consistent": {"level": "eventual"}}), "consistent.level"),
        (json!({"integrity": {"integrity_check_level": "all"}}), "integrity-check-level"),
        (json!({"integrity": {"corruption_handle_level": "ignore"}}), "corruption-handle-level"),
        (large(json!({"large_message_handle_option": "drop"})), "large message handle option"),
        (large(json!({"large_message_handle_compression": "zip"})), "large message handle compression"),
        (large(json!({"large_message_handle_option": "handle-key-only"})), "enable-tidb-extension is false"),
        (large(json!({"large_message_handle_option": "claim-check"})), "enable-tidb-extension is false"),
    ] {
        all.config(config, (500, "CDC:ErrInvalidReplicaConfig", part)).await;
    }
    let config = json!({"force_replicate": true, "sink": {"delete_only_output_handle_key_columns": true}});
    all.config(config, (500, "CDC:ErrSinkInvalidConfig", "force-replicate must be disabled")).await;
    for (config, part) in [
        (kafka(json!({"partition_num": 0})), "invalid partition num 0"),
        (kafka(json!({"required_acks": 5})), "invalid required acks 5"),
        (
            kafka(json!({"sasl_oauth_client_id": "x"})),
            "OAuth2 is only supported with SASL mechanism type OAUTHBEARER",
        ),
    ] {
        all.config(config, (400, "CDC:ErrSinkURIInvalid", part)).await;
    }
}

/// Parameters of creation.
async fn parameters(all: &mut Refusals) {
    const PARAM: &str = "CDC:ErrAPIInvalidParam";
    let uri = format!("kafka://{}/refused?protocol=canal-json", all.broker);
    let filter = json!({"filter": {"rules": ["refused.*"]}});
    let long = "a".repeat(129);
    for (more, refusal) in [
        (json!({"changefeed_id": "bad_id!"}), (400, PARAM, "invalid changefeed_id: bad_id!")),
        (json!({"changefeed_id": "-a"}), (400, PARAM, "invalid changefeed_id: -a")),
        (json!({"changefeed_id": long}), (400, PARAM, "invalid changefeed_id: aaa")),
        (json!({"changefeed_id": "taken"}), (500, "CDC:ErrChangeFeedAlreadyExists", "already exists, taken")),
        (json!({"start_ts": 999_999_999_999_999_999_u64}), (400, PARAM, "larger than current tso")),
        (json!({"start_ts": "x"}), (400, PARAM, "invalid api parameter")),
        (
            json!({"target_ts": 5}),
            (400, "CDC:ErrTargetTsBeforeStartTs", "target-ts 5 is earlier than start-ts"),
        ),
        (
            json!({"replica_config": {"filter": {"rules": ["keyless.*"]}}}),
            (400, "CDC:ErrTableIneligible", "some tables are not eligible to replicate([t])"),
        ),
    ] {
        let mut body = json!({"changefeed_id": "x", "sink_uri": uri, "replica_config": filter});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key.as_str()] = value.clone();
        }
        all.create(body, refusal).await;
    }
    for body in ["{", "[]", "{\"changefeed_id\": 1}"] {
        let answer = all.api.raw(Method::POST, "/api/v2/changefeeds", Some(body.to_owned())).await;
        all.expect(body, &answer.expect("an answer"), (400, PARAM, "invalid api parameter"));
    }
}

/// A start whose versions are gone.
async fn collected(all: &mut Refusals, stack: &Stack) {
    let pd = [format!("http://127.0.0.1:{}", stack.ports.pd)];
    let pd = PdClient::connect(&pd, Security::none()).await.expect("PD");
    let now = pd.get_ts().await.expect("a timestamp");
    pd.update_service_gc_safepoint("gc_worker", i64::MAX, now).await.expect("a safepoint");
    let uri = format!("kafka://{}/refused?protocol=canal-json", all.broker);
    let body = json!({"changefeed_id": "x", "sink_uri": uri, "start_ts": 1});
    all.create(body, (400, "CDC:ErrStartTsBeforeGC", "start-ts 1 is earlier than or equal to GC safepoint"))
        .await;
}

/// Calls about changefeeds and captures.
async fn calls(all: &mut Refusals) {
    const NONE: Refusal = (400, "CDC:ErrChangeFeedNotExists", "changefeed not exists, none");
    const PARAM: &str = "CDC:ErrAPIInvalidParam";
    const UPDATE: &str = "CDC:ErrChangefeedUpdateRefused";
    const FUTURE: u64 = 999_999_999_999_999_999;
    for path in ["", "/status", "/synced", "/meta_info", "/tables", "/why", "/memory"] {
        all.call(Method::GET, &format!("/api/v2/changefeeds/none{path}"), None, NONE).await;
    }
    for path in ["/pause", "/resume"] {
        all.call(Method::POST, &format!("/api/v2/changefeeds/none{path}"), Some(json!({})), NONE).await;
    }
    all.call(Method::PUT, "/api/v2/changefeeds/none", Some(json!({"target_ts": 1})), NONE).await;
    let taken = "/api/v2/changefeeds/taken";
    let running = (400, UPDATE, "can only update changefeed config when it is stopped or failed");
    all.call(Method::PUT, taken, Some(json!({"target_ts": FUTURE})), running).await;
    let start = (400, PARAM, "start_ts can not be updated");
    all.call(Method::PUT, taken, Some(json!({"start_ts": 5})), start).await;
    all.api.post("/api/v2/changefeeds/taken/pause", &json!({})).await.ok();
    let filter = |rule: Value| json!({"replica_config": {"filter": {"rules": ["refused.*"], "event_filters": [rule]}}});
    let expr = json!({"matcher": ["refused.t"], "ignore_delete_value_expr": "price > 1"});
    for (body, refusal) in [
        (json!({"target_ts": 5}), (400, UPDATE, "can not update target_ts:5 less than start_ts")),
        (json!({"sink_uri": "ftp://x/y"}), (400, "CDC:ErrSinkURIInvalid", "ftp://x/y")),
        (filter(json!({"matcher": ["["]})), (400, "CDC:ErrFilterRuleInvalid", "filter rule is invalid")),
        (filter(expr), (500, "CDC:ErrExpressionColumnNotFound", "Cannot find column 'price'")),
        (
            json!({"replica_config": {"sink": {"protocol": "avro"}}}),
            (
                500,
                "CDC:ErrIncompatibleSinkConfig",
                "sink uri(protocol=canal-json) and config file(protocol=avro)",
            ),
        ),
    ] {
        all.call(Method::PUT, taken, Some(body), refusal).await;
    }
    let late = (400, PARAM, "larger than current tso");
    let body = json!({"overwrite_checkpoint_ts": FUTURE});
    all.call(Method::POST, "/api/v2/changefeeds/taken/resume", Some(body), late).await;
    let late = (400, PARAM, "in the future");
    all.call(Method::POST, "/api/v2/verify_table", Some(json!({"start_ts": FUTURE})), late).await;
    let rule = json!({"replica_config": {"filter": {"rules": ["a.b.c"]}}});
    let bad = (400, "CDC:ErrFilterRuleInvalid", "filter rule is invalid");
    all.call(Method::POST, "/api/v2/verify_table", Some(rule), bad).await;
    let level = (400, PARAM, "fail to change log level: nope");
    all.call(Method::POST, "/api/v2/log", Some(json!({"log_level": "nope"})), level).await;
    let alone = (400, "CDC:ErrSchedulerRequestFailed", "only one capture alive");
    all.call(Method::POST, "/api/v2/captures/none/drain", None, alone).await;
    let capture = (400, "CDC:ErrCaptureNotExist", "capture not exists, none");
    all.call(Method::GET, "/api/v2/processors/taken/none", None, capture).await;
    all.call(Method::GET, "/api/v2/processors/none/none", None, NONE).await;
    let split = (400, "CDC:ErrSchedulerRequestFailed", "");
    let path = "/api/v2/changefeeds/taken/split_table_by_region_count";
    all.call(Method::POST, path, None, split).await;
    all.call(Method::POST, "/api/v2/changefeeds/taken/merge_table", None, split).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refused_input_has_its_status_code_and_reason() {
    let stack = Stack::start().await;
    let mut client = stack.sql().await;
    for sql in TABLES {
        client.query(sql).await.expect(sql);
    }
    let api = stack.api();
    let config = json!({"filter": {"rules": ["refused.*"]}});
    let body = json!({"changefeed_id": "taken", "sink_uri": api.sink("taken"), "replica_config": config});
    api.post("/api/v2/changefeeds", &body).await.ok();
    let broker = format!("127.0.0.1:{}", stack.ports.kafka);
    let mut all = Refusals { api, broker, wrong: Vec::new(), tried: 0 };
    sink_uris(&mut all).await;
    filters(&mut all).await;
    routes(&mut all).await;
    settings(&mut all).await;
    parameters(&mut all).await;
    collected(&mut all, &stack).await;
    calls(&mut all).await;
    assert!(all.wrong.is_empty(), "{} of {}:\n{}", all.wrong.len(), all.tried, all.wrong.join("\n"));
    assert!(all.tried > 120, "{}", all.tried);
    let list = all.api.get("/api/v2/changefeeds?state=all").await.ok();
    assert_eq!(list["total"], 1, "nothing was created: {list}");
}
