//! Where the reference system is known to lose or blur data, and what is right. Nothing else is excused.

use std::collections::HashSet;

use crate::message::Comparable;
use crate::{Difference, GoldenError, Recording};

/// Script, what the reference system sent, what is right.
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

/// A table whose rows the reference system dispatched by the sort key in place of the value: script, schema, table.
const WRONGLY_DISPATCHED: (&str, &str, &str) = ("10_row_format_v1", "golden_v1", "v1c");

/// Tables that got their first key after their creation, and which the reference system did not replicate from then on
/// unless forced: script, schema, tables.
const GOT_A_KEY: (&str, &str, [&str; 2]) = ("09_ineligible", "golden_inel", ["nopk", "never"]);

/// The variant in which the reference system did replicate them.
const FORCED: &str = "canal-json-force";

/// A recorded value with what the reference system blurred.
pub(crate) fn corrected(script: &str, value: &str) -> String {
    let corrections = CORRECTIONS.iter().filter(|correction| correction.0 == script);
    corrections.fold(value.to_owned(), |value, (_, wrong, right)| value.replace(wrong, right))
}

/// The partition that a message counts for: one for all where the reference system mixed them up.
pub(crate) fn partition(script: &str, schema: &str, table: &str, partition: u32) -> u32 {
    if (script, schema, table) == WRONGLY_DISPATCHED { 0 } else { partition }
}

/// True if the table got a key after its creation and the reference system did not notice.
pub(crate) fn got_a_key(script: &str, schema: &str, table: &str) -> bool {
    let (of_script, of_schema, tables) = GOT_A_KEY;
    script == of_script && schema == of_schema && tables.contains(&table)
}

/// True if one of the script's tables got a key, so that messages of ours about such a table must show it.
pub(crate) fn has_table_that_got_a_key(script: &str) -> bool {
    script == GOT_A_KEY.0
}

/// Checks our messages of a table that got a key against what the reference system sent when forced. Returns the number
/// of those that are alike.
pub(crate) fn check_forced(
    recording: &Recording,
    place: &str,
    ours: &[Comparable],
    differences: &mut Vec<Difference>,
) -> Result<usize, GoldenError> {
    let mut forced = HashSet::new();
    for recorded in recording.messages(FORCED)? {
        let message = Comparable::new(recorded.key.as_deref(), &recorded.value)?;
        forced.extend(message.map(|message| (message.key, message.without_extension)));
    }
    let (alike, other): (Vec<_>, Vec<_>) = ours
        .iter()
        .partition(|message| forced.contains(&(message.key.clone(), message.without_extension.clone())));
    let wrong =
        |message: &Comparable| Difference::ours(format!("{place}, not in {FORCED} either"), &message.text);
    differences.extend(other.into_iter().map(wrong));
    Ok(alike.len())
}
