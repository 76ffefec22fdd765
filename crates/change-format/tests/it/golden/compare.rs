//! Compares messages with recorded ones, but for what is allowed to differ.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use change_format::encode_watermark;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::recording::Recorded;
use super::replay::Message;
use super::{Recording, Variant};

/// Where the reference system blurs data: script, what it sent, what is right.
const CORRECTIONS: [(&str, &str, &str); 2] = [
    // The JSON literal null came out as SQL NULL.
    (
        "05_others",
        r#""id":"5","e":"2","s":"5","b1":"1","b8":"127","b64":"1","b10":"1","j":null"#,
        r#""id":"5","e":"2","s":"5","b1":"1","b8":"127","b64":"1","b10":"1","j":"null""#,
    ),
    // The sort key came out in place of a clustered string.
    ("10_row_format_v1", r#""a":"\u0000A\u0000E""#, r#""a":"Aé""#),
];

/// Tables that the reference system did not replicate although it should have: script, schema, tables. They got
/// their first key after their creation.
const NOT_REPLICATED: (&str, &str, [&str; 2]) = ("09_ineligible", "golden_inel", ["nopk", "never"]);

/// A table whose rows the reference system dispatched by the sort key in place of the value.
const WRONGLY_DISPATCHED: (&str, &str, &str) = ("10_row_format_v1", "golden_v1", "v1c");

/// Partition, schema and table: messages of one stream are in order, others are not.
type Stream = (u32, String, String);

/// A message to compare.
struct Comparable {
    text: String,
    without_sql: String,
    sql_is_final: bool,
    is_ddl: bool,
    es: u64,
}

/// Compares all streams of messages; returns the number of messages alike.
pub(crate) fn compare(recording: &Recording, variant: &Variant, ours: &[Message]) -> Result<usize, String> {
    let mut expected: BTreeMap<Stream, Vec<Comparable>> = BTreeMap::new();
    for recorded in recording.messages(variant)? {
        let value = corrected(&recording.name, &recorded.value);
        let fields = Fields::parse(&value)?;
        if fields.string("type") == "TIDB_WATERMARK" {
            check_watermark(&recorded, &fields)?;
            continue;
        }
        let comparable = Comparable::new(&fields, false);
        if recorded.has_key == comparable.is_ddl {
            return Err(format!("only rows have a key: {value}"));
        }
        expected.entry(stream(recording, &fields, recorded.partition)).or_default().push(comparable);
    }
    let mut actual: BTreeMap<Stream, Vec<Comparable>> = BTreeMap::new();
    for message in ours {
        let fields = Fields::parse(&message.value)?;
        let comparable = Comparable::new(&fields, message.sql_is_final);
        if message.is_row == comparable.is_ddl {
            return Err(format!("row or DDL: {}", message.value));
        }
        actual.entry(stream(recording, &fields, message.partition)).or_default().push(comparable);
    }
    expected.values_mut().chain(actual.values_mut()).for_each(drop_repeated);
    let (script, _, tables) = NOT_REPLICATED;
    let lacks = |table: &&str| !actual.keys().any(|(_, _, name)| name == table);
    if let Some(table) = tables.iter().find(|table| recording.name == script && lacks(table)) {
        return Err(format!("{table} is not replicated although it got a key"));
    }
    for (stream, messages) in &mut expected {
        drop_lost(recording, messages, actual.get(stream));
    }
    expected.retain(|_, messages| !messages.is_empty());
    let partitioned = partitioned_tables(recording);
    let mut streams: Vec<_> = expected.keys().chain(actual.keys()).cloned().collect();
    streams.sort();
    streams.dedup();
    let mut alike = 0;
    for stream in streams {
        let (Some(actual), expected) = (actual.get(&stream), expected.get(&stream)) else {
            return Err(format!("{stream:?} is missing"));
        };
        let Some(expected) = expected else {
            if is_not_replicated(recording, &stream) {
                continue;
            }
            let first = actual.first().map_or("", |message| message.text.as_str());
            return Err(format!("{stream:?} should not be: {first}"));
        };
        let unordered = partitioned.contains(&stream.2);
        compare_stream(expected, actual, unordered).map_err(|problem| format!("{stream:?}: {problem}"))?;
        alike += expected.len();
    }
    Ok(alike)
}

/// Drops recorded rows whose changes are missing from the recorded stream. A row that we encode otherwise still shows,
/// as one that was not recorded.
fn drop_lost(recording: &Recording, expected: &mut Vec<Comparable>, actual: Option<&Vec<Comparable>>) {
    let Some(until) = recording.complete_until_ms else { return };
    let ours: HashSet<&str> = actual.into_iter().flatten().map(|message| message.text.as_str()).collect();
    expected.retain(|message| message.is_ddl || message.es < until || ours.contains(message.text.as_str()));
}

/// The stream of a message.
fn stream(recording: &Recording, fields: &Fields, partition: u32) -> Stream {
    let (schema, table) = (fields.string("database"), fields.string("table"));
    let (script, wrong_schema, wrong_table) = WRONGLY_DISPATCHED;
    let wrong = recording.name == script && schema == wrong_schema && table == wrong_table;
    (if wrong { 0 } else { partition }, schema, table)
}

/// Compares one stream; rows of a partitioned table between two DDL have no order.
fn compare_stream(expected: &[Comparable], actual: &[Comparable], unordered: bool) -> Result<(), String> {
    let arrange = |list: &[Comparable]| -> Vec<usize> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        if unordered {
            let mut segment = 0;
            let mut keys: Vec<(usize, &str)> = Vec::new();
            for message in list {
                segment += usize::from(message.is_ddl);
                keys.push((segment * 2 + usize::from(!message.is_ddl), message.text.as_str()));
                if message.is_ddl {
                    keys.last_mut().into_iter().for_each(|key| key.1 = "");
                }
            }
            order.sort_by_key(|i| keys.get(*i).copied());
        }
        order
    };
    let (left, right) = (arrange(expected), arrange(actual));
    for (at, (left, right)) in left.iter().zip(&right).enumerate() {
        let (Some(left), Some(right)) = (expected.get(*left), actual.get(*right)) else { continue };
        let same =
            if right.sql_is_final { left.text == right.text } else { left.without_sql == right.without_sql };
        if !same {
            return Err(format!("message {at} differs\n  recorded {}\n  ours     {}", left.text, right.text));
        }
    }
    if left.len() != right.len() {
        let (longer, list) = if left.len() > right.len() { ("recorded", expected) } else { ("ours", actual) };
        let order = if left.len() > right.len() { &left } else { &right };
        let extra = order.get(left.len().min(right.len())).and_then(|i| list.get(*i));
        let text = extra.map_or("", |message| message.text.as_str());
        return Err(format!("{} recorded, {} ours; only {longer}: {text}", left.len(), right.len()));
    }
    Ok(())
}

/// Whether a stream is one that the reference system left out.
fn is_not_replicated(recording: &Recording, stream: &Stream) -> bool {
    let (script, schema, tables) = NOT_REPLICATED;
    recording.name == script && stream.1 == schema && tables.contains(&stream.2.as_str())
}

/// Names of the script's partitioned tables.
fn partitioned_tables(recording: &Recording) -> HashSet<String> {
    match recording.name.as_str() {
        "08_ddl" => ["p", "h"].map(str::to_owned).into(),
        _ => HashSet::new(),
    }
}

/// A recorded value with what the reference system blurred.
fn corrected(script: &str, value: &str) -> String {
    let corrections = CORRECTIONS.iter().filter(|correction| correction.0 == script);
    corrections.fold(value.to_owned(), |value, (_, wrong, right)| value.replace(wrong, right))
}

/// Delivery is at least once: drops messages that repeat an earlier one.
fn drop_repeated(messages: &mut Vec<Comparable>) {
    let mut seen = HashSet::new();
    messages.retain(|message| seen.insert(message.text.clone()));
}

/// A watermark is encoded as recorded.
fn check_watermark(recorded: &Recorded, fields: &Fields) -> Result<(), String> {
    let now = fields.raw("ts").parse().map_err(|_| "ts is no number")?;
    let extension = fields.raw("_tidb");
    let digits: String = extension.chars().filter(char::is_ascii_digit).collect();
    let ts = digits.parse().map_err(|_| "watermarkTs is no number")?;
    let ours = String::from_utf8(encode_watermark(ts, now)).map_err(|error| error.to_string())?;
    if ours == recorded.value { Ok(()) } else { Err(format!("watermark {} is {ours}", recorded.value)) }
}

impl Comparable {
    /// The message without wall clock, `mysqlType` in order of names.
    fn new(fields: &Fields, sql_is_final: bool) -> Self {
        let is_ddl = fields.raw("isDdl") == "true";
        let es = fields.raw("es").parse().unwrap_or(u64::MAX);
        let render = |with_sql: bool| {
            let members = fields.0.iter().filter(|(name, _)| name != "ts" && (with_sql || name != "sql"));
            let members = members.map(|(name, raw)| match name.as_str() {
                "mysqlType" => format!("{name}:{}", sorted(raw)),
                _ => format!("{name}:{raw}"),
            });
            members.collect::<Vec<_>>().join(",")
        };
        Self {
            text: render(true),
            without_sql: render(false),
            sql_is_final: sql_is_final || !is_ddl,
            is_ddl,
            es,
        }
    }
}

/// An object's members by name.
fn sorted(raw: &str) -> String {
    match Fields::parse(raw) {
        Ok(mut fields) => {
            fields.0.sort();
            format!("{:?}", fields.0)
        }
        Err(_) => raw.to_owned(),
    }
}

/// Members of an object in order, with the exact text of their values.
struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads an object.
    fn parse(text: &str) -> Result<Self, String> {
        serde_json::from_str(text).map_err(|error| format!("{error} in {text}"))
    }

    /// The text of a member.
    fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(member, _)| member == name).map_or("", |(_, raw)| raw)
    }

    /// The string of a member.
    fn string(&self, name: &str) -> String {
        serde_json::from_str(self.raw(name)).unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, raw.get().to_owned()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
