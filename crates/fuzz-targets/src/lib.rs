//! The decoders as functions of untrusted bytes.
//!
//! A fuzzer (`cargo xtask fuzz`) and the tests of the committed corpus call the same functions. Each takes any bytes;
//! it ends in a panic if the code under it panics, or if a promise of the decoder does not hold: that what was decoded
//! encodes to the same again, or that a message is JSON.

mod bytes;
mod events;
mod messages;
mod rows;
mod schema;
mod sql;
mod tables;
mod values;

pub use tables::TABLES_FILE;

/// A decoder with the name under which it is fuzzed; its corpus lies in a folder of that name.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name.
    pub name: &'static str,
    /// Longest input in bytes that the fuzzer makes: where more bytes reach no new code.
    pub max_len: usize,
    /// Decodes an input.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "key", max_len: 256, run: values::key },
    Target { name: "datum", max_len: 512, run: values::datum },
    Target { name: "row_v1", max_len: 2048, run: rows::version_1 },
    Target { name: "row_v2", max_len: 2048, run: rows::version_2 },
    Target { name: "json", max_len: 2048, run: values::json },
    Target { name: "json_text", max_len: 1024, run: values::json_text },
    Target { name: "decimal", max_len: 128, run: values::decimal },
    Target { name: "time", max_len: 64, run: values::time },
    Target { name: "schema", max_len: 16 * 1024, run: schema::objects },
    Target { name: "ddl_job", max_len: 16 * 1024, run: schema::jobs },
    Target { name: "events", max_len: 8 * 1024, run: events::frames },
    Target { name: "canal", max_len: 4096, run: messages::canal },
    Target { name: "sql", max_len: 2048, run: sql::ddl },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
