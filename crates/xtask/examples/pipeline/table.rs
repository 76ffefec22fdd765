//! The table that the benchmark writes: sysbench's, with contents that follow from the id.

use std::fmt::Write;

/// Database.
pub(crate) const DATABASE: &str = "bench";
/// True for the name of a table that the benchmark writes.
pub(crate) fn is_name(table: &str) -> bool {
    table.strip_prefix(PREFIX).is_some_and(|number| number.parse::<u64>().is_ok())
}

/// Definition, as `sysbench oltp_insert` has it; ids are given, so that every row can be told.
pub(crate) fn create(number: u64) -> String {
    format!(
        "CREATE TABLE {DATABASE}.{PREFIX}{number} (id INT NOT NULL, k INT NOT NULL DEFAULT 0, c CHAR(120) NOT NULL \
         DEFAULT '', pad CHAR(60) NOT NULL DEFAULT '', PRIMARY KEY (id), KEY k_{number} (k))"
    )
}

/// What names of tables begin with.
const PREFIX: &str = "sbtest";
/// Values of `k` are below this.
const K_VALUES: u64 = 10_000_000;
/// Groups of eleven digits in `c` and in `pad`, as sysbench has them.
const C_GROUPS: u64 = 10;
/// The same for `pad`.
const PAD_GROUPS: u64 = 5;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Primary key.
    pub(crate) id: u64,
    /// Number with an index.
    pub(crate) k: u64,
    /// Text of 119 characters.
    pub(crate) c: String,
    /// Text of 59 characters.
    pub(crate) pad: String,
}

/// Mixes a number: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Groups of eleven digits with hyphens between them.
fn digits(seed: u64, groups: u64) -> String {
    let mut text = String::with_capacity(12 * 10);
    for group in 0..groups {
        let separator = if group == 0 { "" } else { "-" };
        let number = mix(seed.wrapping_add(group)) % 100_000_000_000;
        // Writing to a string does not fail.
        let _ = write!(text, "{separator}{number:011}");
    }
    text
}

impl Row {
    /// The row with this id.
    pub(crate) fn of(id: u64) -> Self {
        let seed = mix(id);
        Self { id, k: seed % K_VALUES, c: digits(seed, C_GROUPS), pad: digits(seed ^ u64::MAX, PAD_GROUPS) }
    }

    /// The statement that inserts the rows with these ids into a table.
    pub(crate) fn insert(table: u64, ids: std::ops::Range<u64>) -> String {
        let mut sql = format!("INSERT INTO {DATABASE}.{PREFIX}{table} (id, k, c, pad) VALUES ");
        let first = ids.start;
        for id in ids {
            let Self { id, k, c, pad } = Self::of(id);
            let separator = if id == first { "" } else { "," };
            let _ = write!(sql, "{separator}({id},{k},'{c}','{pad}')");
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_the_shape_of_sysbench_and_follow_from_the_id() {
        let row = Row::of(7);
        assert_eq!(row, Row::of(7));
        assert_ne!(row.c, Row::of(8).c);
        assert_eq!((row.c.len(), row.pad.len()), (119, 59));
    }

    #[test]
    fn only_numbered_tables_are_the_benchmarks() {
        assert!(is_name("sbtest3"));
        assert!(!is_name("sbtest") && !is_name("other1") && !is_name("sbtestx"));
    }

    #[test]
    fn one_statement_inserts_several_rows() {
        let sql = Row::insert(1, 1..4);
        assert_eq!(sql.matches("),(").count(), 2);
        assert!(sql.contains("(3,"));
    }
}
