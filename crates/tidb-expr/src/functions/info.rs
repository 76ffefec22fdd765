//! About the session and the server.

use tidb_codec::Datum;

use super::{Builtin, Call, function, int_type, text_type, uint_type, varying};
use crate::error::{Result, SqlError};

/// A text result.
fn text(value: impl Into<String>) -> Result<Datum> {
    Ok(Datum::Bytes(value.into().into_bytes()))
}

/// What `tidb_version()` answers: the words by which clients find the release.
fn tidb_version(server_version: &str) -> String {
    format!(
        "Release Version: {}\nEdition: Community\nGit Commit Hash: None\nGit Branch: None\nUTC Build Time: None\nGoVersion: None\nRace Enabled: false\nCheck Table Before Drop: false\nStore: tikv",
        server_version.trim_start_matches("8.0.11-TiDB-")
    )
}

/// `LAST_INSERT_ID()`.
fn last_insert_id(c: &Call<'_>) -> Result<Datum> {
    if c.has(0) {
        return Err(SqlError::unsupported("LAST_INSERT_ID with an argument"));
    }
    Ok(Datum::Uint(c.cx.facts.last_insert_id))
}

/// A random UUID as text.
fn uuid() -> String {
    let mut bytes: [u8; 16] = rand::random();
    // Version 4 and the variant of RFC 9562.
    if let Some(byte) = bytes.get_mut(6) {
        *byte = *byte & 0x0F | 0x40;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = *byte & 0x3F | 0x80;
    }
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-{}-{}-{}", part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32))
}

/// `DATABASE()`.
fn database(c: &Call<'_>) -> Result<Datum> {
    Ok(c.cx.facts.database.as_ref().map_or(Datum::Null, |d| Datum::Bytes(d.clone().into_bytes())))
}

/// `COLLATION(x)` and `CHARSET(x)`.
fn collation_name(c: &Call<'_>, charset: bool) -> Result<Datum> {
    let collation = c.arg(0)?.ty().collation;
    text(if charset { collation.charset } else { collation.name })
}

/// The functions of this module.
pub(super) static TABLE: &[Builtin] = &[
    function("version", 0, 0, text_type, |c| text(c.cx.facts.server_version)),
    function("tidb_version", 0, 0, text_type, |c| text(tidb_version(c.cx.facts.server_version))),
    function("database", 0, 0, text_type, database),
    function("schema", 0, 0, text_type, database),
    function("user", 0, 0, text_type, |c| text(c.cx.facts.user.clone())),
    function("session_user", 0, 0, text_type, |c| text(c.cx.facts.user.clone())),
    function("system_user", 0, 0, text_type, |c| text(c.cx.facts.user.clone())),
    function("current_user", 0, 0, text_type, |c| {
        let user = c.cx.facts.user.split('@').next().unwrap_or_default().to_owned();
        text(format!("{user}@%"))
    }),
    function("current_role", 0, 0, text_type, |_| text("NONE")),
    function("connection_id", 0, 0, uint_type, |c| Ok(Datum::Uint(c.cx.facts.connection_id))),
    function("last_insert_id", 0, 1, uint_type, last_insert_id),
    function("row_count", 0, 0, int_type, |c| Ok(Datum::Int(c.cx.facts.row_count))),
    function("found_rows", 0, 0, uint_type, |c| Ok(Datum::Uint(c.cx.facts.found_rows))),
    varying("uuid", 0, 0, text_type, |_| text(uuid())),
    varying("sleep", 1, 1, int_type, |_| Err(SqlError::unsupported("SLEEP other than as SELECT SLEEP(n)"))),
    function("charset", 1, 1, text_type, |c| collation_name(c, true)),
    function("collation", 1, 1, text_type, |c| collation_name(c, false)),
    function("benchmark", 2, 2, int_type, |_| Err(SqlError::unsupported("BENCHMARK"))),
];
