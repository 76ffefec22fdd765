//! JSON shapes of requests and answers, as `openapi.json` describes them.

use serde_json::{Map, Value, json};

/// Name, members that are always there, members that may be missing. A member is `name:kind`; a kind is `text`, `flag`,
/// `unsigned`, `integer`, `seconds`, `object`, or a shape; `[]` after it makes an array, `?` lets it be null.
type Shape = (&'static str, &'static str, &'static str);

/// Every shape. A member that the server reads over is not named.
const SHAPES: &[Shape] = &[
    ("Capture", "id:text is_owner:flag address:text cluster_id:text", ""),
    (
        "ChangefeedConfig",
        "",
        "changefeed_id:text? start_ts:unsigned? target_ts:unsigned? sink_uri:text? replica_config:object?",
    ),
    (
        "ChangefeedInfo",
        "upstream_id:unsigned id:text keyspace:text sink_uri:text create_time:text start_ts:unsigned config:object \
         state:State creator_version:text resolved_ts:unsigned checkpoint_ts:unsigned checkpoint_time:text gid:Gid",
        "target_ts:unsigned admin_job_type:integer error:RunningError maintainer_addr:text",
    ),
    (
        "ChangefeedItem",
        "upstream_id:unsigned id:text keyspace:text state:State checkpoint_tso:unsigned checkpoint_time:text \
         error:RunningError?",
        "",
    ),
    (
        "ChangefeedStatus",
        "state:State resolved_ts:unsigned checkpoint_ts:unsigned",
        "last_error:RunningError last_warning:RunningError",
    ),
    ("DispatcherCount", "count:unsigned", ""),
    ("Document", "openapi:text info:object paths:object components:object", ""),
    ("Drained", "current_table_count:unsigned", ""),
    ("Empty", "", ""),
    ("Error", "error_msg:text error_code:text", ""),
    ("Gid", "low:unsigned high:unsigned", ""),
    ("KeyValue", "key:text value:text", ""),
    ("LogRequest", "", "log_level:text"),
    (
        "Memory",
        "id:text keyspace:text quota_bytes:unsigned used_bytes:unsigned stages:object process:MemoryUse",
        "",
    ),
    ("MemoryUse", "quota_bytes:unsigned used_bytes:unsigned stages:object", ""),
    ("NodeTables", "node_id:text table_ids:integer[]", ""),
    ("Processor", "namespace:text changefeed_id:text capture_id:text", ""),
    ("ProcessorTables", "table_ids:integer[]", ""),
    ("RedactRequest", "", "redact_info_log:text"),
    ("Redacted", "previous_mode:text current_mode:text", ""),
    ("ResolveRequest", "", "region_id:unsigned ts:unsigned"),
    ("ResumeRequest", "", "overwrite_checkpoint_ts:unsigned"),
    ("RunningError", "time:text addr:text code:text message:text", ""),
    (
        "Status",
        "version:text git_hash:text id:text cluster_id:text pid:unsigned is_owner:flag liveness:integer",
        "",
    ),
    (
        "Synced",
        "synced:flag sink_checkpoint_ts:text puller_resolved_ts:text last_synced_ts:text now_ts:text info:text",
        "",
    ),
    ("Table", "database_name:text table_name:text table_id:integer is_partition:flag", ""),
    ("Tables", "ineligible_tables:Table[] eligible_tables:Table[] all_tables:Table[]", ""),
    ("Tso", "timestamp:unsigned logic_time:unsigned", ""),
    ("VerifyRequest", "", "start_ts:unsigned replica_config:object?"),
    (
        "Why",
        "id:text keyspace:text summary:text healthy:flag state:State stage:text reason:text frees:text \
         checkpoint_ts:unsigned resolved_ts:unsigned lag_seconds:seconds checkpoint_time:text",
        "held_seconds:seconds since:text table:object region:object lock:object ddl:object",
    ),
];

/// States of a changefeed, see `changefeed_config::State`.
const STATES: [&str; 7] = ["normal", "warning", "pending", "failed", "stopped", "finished", "removed"];

/// A reference to a shape.
pub(super) fn reference(shape: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{shape}")})
}

/// The schema of a kind.
fn kind(word: &str) -> Value {
    if let Some(word) = word.strip_suffix('?') {
        return json!({"oneOf": [kind(word), {"type": "null"}]});
    }
    if let Some(word) = word.strip_suffix("[]") {
        return json!({"type": "array", "items": kind(word)});
    }
    match word {
        "text" => json!({"type": "string"}),
        "flag" => json!({"type": "boolean"}),
        "unsigned" => json!({"type": "integer", "minimum": 0, "maximum": u64::MAX}),
        "integer" => json!({"type": "integer", "minimum": i64::MIN, "maximum": i64::MAX}),
        "seconds" => json!({"type": "number", "minimum": 0}),
        "object" => json!({"type": "object"}),
        shape => reference(shape),
    }
}

/// The schemas by name.
pub(super) fn schemas() -> Map<String, Value> {
    let mut all = Map::new();
    for (name, always, maybe) in SHAPES {
        let members: Map<_, _> = always
            .split_whitespace()
            .chain(maybe.split_whitespace())
            .filter_map(|member| member.split_once(':'))
            .map(|(name, word)| (name.to_owned(), kind(word)))
            .collect();
        let required: Vec<_> =
            always.split_whitespace().filter_map(|member| Some(member.split_once(':')?.0)).collect();
        let mut schema = json!({"type": "object", "properties": members});
        if !required.is_empty()
            && let Some(schema) = schema.as_object_mut()
        {
            schema.insert("required".to_owned(), required.into());
        }
        all.insert((*name).to_owned(), schema);
    }
    all.insert("State".to_owned(), json!({"type": "string", "enum": STATES}));
    all.insert("EmptyOrNull".to_owned(), json!({"oneOf": [reference("Empty"), {"type": "null"}]}));
    all
}
