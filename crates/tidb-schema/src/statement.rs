//! Statements that are written anew for consumers instead of repeating what the user typed.

use std::fmt::Write as _;

/// Appends an identifier in back quotes.
fn quote(identifier: &str, out: &mut String) {
    out.push('`');
    for c in identifier.chars() {
        if c == '`' {
            out.push('`');
        }
        out.push(c);
    }
    out.push('`');
}

/// `` `schema`.`table` ``.
fn qualified(schema: &str, table: &str) -> String {
    let mut out = String::with_capacity(schema.len() + table.len() + 5);
    quote(schema, &mut out);
    out.push('.');
    quote(table, &mut out);
    out
}

/// `RENAME TABLE` of one table, with the closing `;` where it is one of several.
pub(crate) fn rename_table(old: (&str, &str), new: (&str, &str), one_of_several: bool) -> String {
    let end = if one_of_several { ";" } else { "" };
    format!("RENAME TABLE {} TO {}{end}", qualified(old.0, old.1), qualified(new.0, new.1))
}

/// `DROP TABLE` of one table.
pub(crate) fn drop_table(schema: &str, table: &str) -> String {
    format!("DROP TABLE {}", qualified(schema, table))
}

/// `DROP VIEW` of one view.
pub(crate) fn drop_view(schema: &str, view: &str) -> String {
    format!("DROP VIEW {}", qualified(schema, view))
}

/// `ALTER TABLE … EXCHANGE PARTITION …`; tables as (schema, table).
pub(crate) fn exchange_partition(
    partitioned: (&str, &str),
    partition: &str,
    table: (&str, &str),
    with_validation: bool,
) -> String {
    let mut out = format!("ALTER TABLE {} EXCHANGE PARTITION ", qualified(partitioned.0, partitioned.1));
    quote(partition, &mut out);
    // Writing to a String cannot fail.
    let _ = write!(out, " WITH TABLE {}", qualified(table.0, table.1));
    if !with_validation {
        out.push_str(" WITHOUT VALIDATION");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_qualified_and_quoted() {
        assert_eq!(rename_table(("a", "b`c"), ("日", "e"), false), "RENAME TABLE `a`.`b``c` TO `日`.`e`");
        assert!(rename_table(("a", "b"), ("a", "c"), true).ends_with("`c`;"));
        assert_eq!(drop_table("d", "t"), "DROP TABLE `d`.`t`");
        assert_eq!(drop_view("d", "v"), "DROP VIEW `d`.`v`");
        assert_eq!(
            exchange_partition(("d", "p"), "p2", ("d", "x"), true),
            "ALTER TABLE `d`.`p` EXCHANGE PARTITION `p2` WITH TABLE `d`.`x`"
        );
        assert!(exchange_partition(("d", "p"), "p2", ("d", "x"), false).ends_with(" WITHOUT VALIDATION"));
    }
}
