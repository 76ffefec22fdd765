//! `SHOW CREATE TABLE`.

use tidb_codec::field::tp;

use crate::catalog::{Column, HandleKind, Index, Table};
use crate::default_value::{CURRENT_TIMESTAMP, updates_now};

/// A name in back-quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text in quotes.
fn literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
    out.push('\'');
    out
}

/// A column's type as written.
pub(crate) fn type_text(column: &Column) -> String {
    let field = &column.info.field_type;
    let (flen, decimal) = (field.flen, field.decimal);
    let binary = field.charset == "binary";
    let fsp = if field.fsp() > 0 { format!("({})", field.fsp()) } else { String::new() };
    let members = || field.elems.iter().map(|e| literal(e)).collect::<Vec<_>>().join(",");
    let sized = |name: &str| if flen >= 0 { format!("{name}({flen})") } else { name.to_owned() };
    let mut text = match field.tp {
        tp::TINY => sized("tinyint"),
        tp::SHORT => sized("smallint"),
        tp::INT24 => sized("mediumint"),
        tp::LONG => sized("int"),
        tp::LONGLONG => sized("bigint"),
        tp::FLOAT if decimal >= 0 => format!("float({flen},{decimal})"),
        tp::FLOAT => "float".to_owned(),
        tp::DOUBLE if decimal >= 0 => format!("double({flen},{decimal})"),
        tp::DOUBLE => "double".to_owned(),
        tp::NEW_DECIMAL => format!("decimal({flen},{decimal})"),
        tp::BIT => sized("bit"),
        tp::YEAR => "year(4)".to_owned(),
        tp::DATE => "date".to_owned(),
        tp::DATETIME => format!("datetime{fsp}"),
        tp::TIMESTAMP => format!("timestamp{fsp}"),
        tp::DURATION => format!("time{fsp}"),
        tp::STRING if binary => sized("binary"),
        tp::STRING => sized("char"),
        tp::VARCHAR if binary => sized("varbinary"),
        tp::VARCHAR => sized("varchar"),
        tp::TINY_BLOB => if binary { "tinyblob" } else { "tinytext" }.to_owned(),
        tp::BLOB => if binary { "blob" } else { "text" }.to_owned(),
        tp::MEDIUM_BLOB => if binary { "mediumblob" } else { "mediumtext" }.to_owned(),
        tp::LONG_BLOB => if binary { "longblob" } else { "longtext" }.to_owned(),
        tp::ENUM => format!("enum({})", members()),
        tp::SET => format!("set({})", members()),
        tp::JSON => "json".to_owned(),
        other => format!("type {other}"),
    };
    if field.is_unsigned() && !matches!(field.tp, tp::BIT | tp::YEAR) {
        text.push_str(" unsigned");
    }
    if field.has_flag(tidb_codec::field::flag::ZEROFILL) && field.tp != tp::YEAR {
        text.push_str(" zerofill");
    }
    text
}

/// The line of a column.
fn column_text(table: &Table, column: &Column) -> String {
    let field = &column.info.field_type;
    let mut out = format!("  {} {}", quoted(column.name()), type_text(column));
    let textual = field.is_string() || matches!(field.tp, tp::ENUM | tp::SET);
    if textual && field.charset != "binary" {
        if field.charset != table.info.charset {
            out.push_str(&format!(" CHARACTER SET {}", field.charset));
        }
        if field.collate != table.info.collate {
            out.push_str(&format!(" COLLATE {}", field.collate));
        }
    }
    if column.is_not_null() {
        out.push_str(" NOT NULL");
    }
    if column.is_auto_increment() {
        out.push_str(" AUTO_INCREMENT");
    } else {
        out.push_str(&default_text(column));
    }
    let fsp = if field.fsp() > 0 { format!("({})", field.fsp()) } else { String::new() };
    if updates_now(column) {
        out.push_str(&format!(" ON UPDATE CURRENT_TIMESTAMP{fsp}"));
    }
    if !column.info.comment.is_empty() {
        out.push_str(&format!(" COMMENT {}", literal(&column.info.comment)));
    }
    out
}

/// The `DEFAULT` part of a column's line.
fn default_text(column: &Column) -> String {
    let field = &column.info.field_type;
    match &column.info.default {
        serde_json::Value::Null if column.is_not_null() => String::new(),
        serde_json::Value::Null if field.is_blob() || field.tp == tp::JSON => " DEFAULT NULL".to_owned(),
        serde_json::Value::Null if field.tp == tp::TIMESTAMP => " NULL DEFAULT NULL".to_owned(),
        serde_json::Value::Null => " DEFAULT NULL".to_owned(),
        serde_json::Value::String(text) if text == CURRENT_TIMESTAMP => {
            let fsp = if field.fsp() > 0 { format!("({})", field.fsp()) } else { String::new() };
            format!(" DEFAULT CURRENT_TIMESTAMP{fsp}")
        }
        serde_json::Value::String(_) if field.tp == tp::BIT => {
            let bits = column
                .info
                .default_bit
                .as_ref()
                .map_or(0, |b| b.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b)));
            format!(" DEFAULT b'{bits:b}'")
        }
        serde_json::Value::String(text) => format!(" DEFAULT {}", literal(text)),
        other => format!(" DEFAULT {}", literal(&other.to_string())),
    }
}

/// The line of a key.
fn key_text(table: &Table, index: &Index) -> String {
    let columns: Vec<String> = index
        .columns
        .iter()
        .filter_map(|(at, prefix)| {
            let name = quoted(table.columns.get(*at)?.name());
            Some(prefix.map_or_else(|| name.clone(), |p| format!("{name}({p})")))
        })
        .collect();
    let columns = columns.join(",");
    if index.info.primary {
        let kind = if table.info.is_common_handle { "CLUSTERED" } else { "NONCLUSTERED" };
        return format!("  PRIMARY KEY ({columns}) /*T![clustered_index] {kind} */");
    }
    let unique = if index.info.unique { "UNIQUE " } else { "" };
    let mut out = format!("  {unique}KEY {} ({columns})", quoted(&index.info.name.o));
    if index.info.invisible {
        out.push_str(" /*!80000 INVISIBLE */");
    }
    if !index.info.comment.is_empty() {
        out.push_str(&format!(" COMMENT {}", literal(&index.info.comment)));
    }
    out
}

/// The statement that would create the table. `next_id`: next AUTO_INCREMENT number, if it has such a column.
pub(super) fn table(table: &Table, next_id: Option<u64>) -> String {
    let mut lines: Vec<String> = table.columns.iter().map(|c| column_text(table, c)).collect();
    if let HandleKind::Int(at) = table.handle
        && let Some(column) = table.columns.get(at)
    {
        lines.push(format!("  PRIMARY KEY ({}) /*T![clustered_index] CLUSTERED */", quoted(column.name())));
    }
    // The primary key comes first, whatever its number.
    let (primary, others): (Vec<&Index>, Vec<&Index>) = table.indices.iter().partition(|i| i.info.primary);
    lines.extend(primary.into_iter().chain(others).map(|i| key_text(table, i)));
    let mut out = format!("CREATE TABLE {} (\n{}\n) ENGINE=InnoDB", quoted(table.name()), lines.join(",\n"));
    out.push_str(&format!(" DEFAULT CHARSET={} COLLATE={}", table.info.charset, table.info.collate));
    if let Some(next) = next_id.filter(|n| *n > 1) {
        out.push_str(&format!(" AUTO_INCREMENT={next}"));
    }
    if !table.info.comment.is_empty() {
        out.push_str(&format!(" COMMENT={}", literal(&table.info.comment)));
    }
    out
}
