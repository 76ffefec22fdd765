//! Listings of the columns and keys of a table.

use tidb_codec::Datum;
use tidb_codec::field::{flag, tp};
use tidb_sql::ddl::TableName;

use super::{text, text_or_null, texts};
use crate::catalog::{Column, HandleKind, Index, Table};
use crate::default_value;
use crate::exec::query::ResultColumn;
use crate::session::{QueryResult, Session, show_create};
use tidb_expr::Result;

impl Session {
    /// The columns of a table of the current database, for clients that ask for a field list.
    ///
    /// # Errors
    /// 1046, 1146.
    pub fn fields(&self, table: &str) -> Result<Vec<ResultColumn>> {
        let table = self.table(&TableName::bare(table))?;
        Ok(table
            .columns
            .iter()
            .map(|c| ResultColumn {
                name: c.name().to_owned(),
                org_name: c.name().to_owned(),
                table: table.name().to_owned(),
                org_table: table.name().to_owned(),
                schema: table.db.name.o.clone(),
                ty: c.ty.clone(),
            })
            .collect())
    }
}

/// `SHOW [FULL] COLUMNS`.
pub(super) fn columns(table: &Table, full: bool) -> QueryResult {
    let rows = table
        .columns
        .iter()
        .map(|c| {
            let ty = text(show_create::type_text(c));
            let null = text(if c.is_not_null() { "NO" } else { "YES" });
            let (key, default, extra) =
                (text(key_text(c)), text_or_null(default_text(c)), text(extra_text(c)));
            if !full {
                return vec![text(c.name()), ty, null, key, default, extra];
            }
            let collate = if c.ty.collation.is_binary() { Datum::Null } else { text(c.ty.collation.name) };
            let privileges = text("select,insert,update,references");
            vec![
                text(c.name()),
                ty,
                collate,
                null,
                key,
                default,
                extra,
                privileges,
                text(c.info.comment.clone()),
            ]
        })
        .collect();
    if full {
        texts(
            &["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"],
            rows,
        )
    } else {
        texts(&["Field", "Type", "Null", "Key", "Default", "Extra"], rows)
    }
}

/// `SHOW INDEX`.
pub(super) fn indexes(table: &Table) -> QueryResult {
    let mut rows = Vec::new();
    let mut push = |name: &str,
                    unique: bool,
                    seq: usize,
                    column: &Column,
                    prefix: Option<usize>,
                    comment: &str,
                    clustered: bool| {
        rows.push(vec![
            text(table.name()),
            Datum::Int(i64::from(!unique)),
            text(name),
            Datum::Int(seq as i64),
            text(column.name()),
            text("A"),
            Datum::Int(0),
            prefix.map_or(Datum::Null, |p| Datum::Int(p as i64)),
            Datum::Null,
            text(if column.is_not_null() { "" } else { "YES" }),
            text("BTREE"),
            text(""),
            text(comment),
            text("YES"),
            Datum::Null,
            text(if clustered { "YES" } else { "NO" }),
        ]);
    };
    if let HandleKind::Int(at) = table.handle
        && let Some(column) = table.columns.get(at)
    {
        push("PRIMARY", true, 1, column, None, "", true);
    }
    for index in &table.indices {
        let Index { info, columns } = index;
        for (seq, (at, prefix)) in columns.iter().enumerate() {
            if let Some(column) = table.columns.get(*at) {
                let clustered = info.primary && table.info.is_common_handle;
                push(&info.name.o, info.unique, seq + 1, column, *prefix, &info.comment, clustered);
            }
        }
    }
    let names = [
        "Table",
        "Non_unique",
        "Key_name",
        "Seq_in_index",
        "Column_name",
        "Collation",
        "Cardinality",
        "Sub_part",
        "Packed",
        "Null",
        "Index_type",
        "Comment",
        "Index_comment",
        "Visible",
        "Expression",
        "Clustered",
    ];
    texts(&names, rows)
}

/// The default of a column as `SHOW COLUMNS` has it.
fn default_text(column: &Column) -> Option<String> {
    let default = &column.info.default;
    match default {
        serde_json::Value::Null => None,
        serde_json::Value::String(_) if column.ty.tp == tp::BIT => {
            let bits = column
                .info
                .default_bit
                .as_ref()
                .map_or(0, |b| b.iter().fold(0u64, |sum, b| sum << 8 | u64::from(*b)));
            Some(format!("b'{bits:b}'"))
        }
        serde_json::Value::String(s) => Some(s.clone()),
        other => Some(other.to_string()),
    }
}

/// A default as `INFORMATION_SCHEMA.COLUMNS` has it.
pub(crate) fn column_default(column: &Column) -> Datum {
    text_or_null(default_text(column))
}

/// `PRI`, `UNI`, `MUL` or nothing.
pub(crate) fn key_text(column: &Column) -> &'static str {
    if column.info.has_flag(flag::PRI_KEY) {
        "PRI"
    } else if column.info.has_flag(flag::UNIQUE_KEY) {
        "UNI"
    } else if column.info.has_flag(flag::MULTIPLE_KEY) {
        "MUL"
    } else {
        ""
    }
}

/// `auto_increment` and the like.
pub(crate) fn extra_text(column: &Column) -> String {
    let mut words = Vec::new();
    if column.is_auto_increment() {
        words.push("auto_increment".to_owned());
    }
    if default_value::updates_now(column) {
        let fsp = column.ty.fsp();
        let digits = if fsp > 0 { format!("({fsp})") } else { String::new() };
        words.push(format!("DEFAULT_GENERATED on update CURRENT_TIMESTAMP{digits}"));
    }
    words.join(" ")
}
