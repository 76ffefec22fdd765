//! `mysqlType`: the type in MySQL's words.

use std::fmt::Write as _;

use tidb_codec::field::{FieldType, flag, tp};

/// The type's text: the bare name, or with `full` what `SHOW CREATE TABLE` would print.
pub(crate) fn mysql_type(field: &FieldType, full: bool) -> String {
    let mut text = base_name(field).to_owned();
    if full {
        push_arguments(field, &mut text);
    }
    if field.is_unsigned() && !matches!(field.tp, tp::BIT | tp::YEAR) {
        text.push_str(" unsigned");
    }
    if field.has_flag(flag::ZEROFILL) && field.tp != tp::YEAR {
        text.push_str(" zerofill");
    }
    text
}

/// The bare name.
fn base_name(field: &FieldType) -> &'static str {
    // The character set alone decides between text and binary; the collation is not looked at.
    let binary = field.is_binary_string();
    match field.tp {
        tp::TINY => "tinyint",
        tp::SHORT => "smallint",
        tp::INT24 => "mediumint",
        tp::LONG => "int",
        tp::LONGLONG => "bigint",
        tp::FLOAT => "float",
        tp::DOUBLE => "double",
        tp::NEW_DECIMAL => "decimal",
        tp::BIT => "bit",
        tp::YEAR => "year",
        tp::DATE | tp::NEW_DATE => "date",
        tp::DATETIME => "datetime",
        tp::TIMESTAMP => "timestamp",
        tp::DURATION => "time",
        tp::STRING => ["char", "binary"][usize::from(binary)],
        tp::VARCHAR => ["varchar", "varbinary"][usize::from(binary)],
        tp::VAR_STRING => "var_string",
        tp::TINY_BLOB => ["tinytext", "tinyblob"][usize::from(binary)],
        tp::BLOB => ["text", "blob"][usize::from(binary)],
        tp::MEDIUM_BLOB => ["mediumtext", "mediumblob"][usize::from(binary)],
        tp::LONG_BLOB => ["longtext", "longblob"][usize::from(binary)],
        tp::ENUM => "enum",
        tp::SET => "set",
        tp::JSON => "json",
        tp::VECTOR_FLOAT32 => "vector",
        tp::GEOMETRY => "geometry",
        tp::NULL => "null",
        _ => "unspecified",
    }
}

/// Appends what stands in parentheses.
fn push_arguments(field: &FieldType, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = match field.tp {
        tp::ENUM | tp::SET => return push_members(&field.elems, text),
        tp::DATETIME | tp::TIMESTAMP | tp::DURATION if field.decimal > 0 => {
            write!(text, "({})", field.decimal)
        }
        tp::FLOAT | tp::DOUBLE if field.decimal > 0 && field.flen > 0 => {
            write!(text, "({},{})", field.flen, field.decimal)
        }
        tp::NEW_DECIMAL => write!(text, "({},{})", decimal_flen(field), field.decimal.max(0)),
        tp::TINY | tp::SHORT | tp::INT24 | tp::LONG | tp::LONGLONG | tp::BIT | tp::YEAR
            if field.flen >= 0 =>
        {
            write!(text, "({})", field.flen)
        }
        tp::STRING | tp::VARCHAR | tp::VAR_STRING if field.flen >= 0 => write!(text, "({})", field.flen),
        tp::VECTOR_FLOAT32 if field.flen > 0 => write!(text, "({})", field.flen),
        _ => Ok(()),
    };
}

/// Precision of a decimal; 10 where it is not given.
fn decimal_flen(field: &FieldType) -> i64 {
    if field.flen > 0 { field.flen } else { 10 }
}

/// Appends the members of an ENUM or SET.
fn push_members(members: &[String], text: &mut String) {
    text.push('(');
    for (i, member) in members.iter().enumerate() {
        if i > 0 {
            text.push(',');
        }
        text.push('\'');
        for c in member.chars() {
            match c {
                '\'' => text.push_str("''"),
                '\0' => text.push_str("\\0"),
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                c => text.push(c),
            }
        }
        text.push('\'');
    }
    text.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(code: u8, flags: u32, flen: i64, decimal: i64, charset: &str) -> FieldType {
        FieldType { flag: flags, flen, decimal, charset: charset.to_owned(), ..FieldType::new(code) }
    }

    #[test]
    fn bare_names_carry_sign_and_zerofill_only() {
        let int = field(tp::LONG, flag::UNSIGNED | flag::ZEROFILL, 10, 0, "binary");
        assert_eq!(mysql_type(&int, false), "int unsigned zerofill");
        assert_eq!(
            mysql_type(&field(tp::YEAR, flag::UNSIGNED | flag::ZEROFILL, 4, 0, "binary"), false),
            "year"
        );
        assert_eq!(mysql_type(&field(tp::BIT, flag::UNSIGNED, 8, 0, "binary"), true), "bit(8)");
    }

    #[test]
    fn full_text_has_lengths() {
        assert_eq!(
            mysql_type(&field(tp::LONGLONG, flag::UNSIGNED, 20, 0, "binary"), true),
            "bigint(20) unsigned"
        );
        assert_eq!(mysql_type(&field(tp::NEW_DECIMAL, 0, 10, 0, "binary"), true), "decimal(10,0)");
        assert_eq!(mysql_type(&field(tp::DATETIME, 0, 19, 0, "binary"), true), "datetime");
        assert_eq!(mysql_type(&field(tp::TIMESTAMP, 0, 23, 3, "binary"), true), "timestamp(3)");
        assert_eq!(mysql_type(&field(tp::FLOAT, 0, 12, -1, "binary"), true), "float");
        assert_eq!(mysql_type(&field(tp::DOUBLE, 0, 12, 4, "binary"), true), "double(12,4)");
        assert_eq!(mysql_type(&field(tp::STRING, 0, 4, 0, "binary"), true), "binary(4)");
        assert_eq!(mysql_type(&field(tp::BLOB, 0, 65535, 0, "utf8mb4"), true), "text");
        assert_eq!(mysql_type(&field(tp::VECTOR_FLOAT32, 0, -1, 0, "binary"), true), "vector");
    }

    #[test]
    fn members_are_quoted() {
        let mut set = field(tp::SET, 0, 0, 0, "utf8mb4");
        set.elems = ["a", "it's", "b\\\n"].map(str::to_owned).to_vec();
        assert_eq!(mysql_type(&set, true), "set('a','it''s','b\\\\n')");
    }
}
