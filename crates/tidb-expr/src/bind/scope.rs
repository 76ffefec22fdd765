//! Names that expressions may use: columns of the current row, variables.

use tidb_codec::Datum;

use tidb_schema::CIStr;

use crate::ResultType;
use crate::error::{Result, SqlError};

/// The lower-case form by which names are looked up.
pub(super) fn lower(name: &str) -> String {
    CIStr::new(name).l
}

/// A column that expressions may name.
#[derive(Debug, Clone)]
pub struct ScopeColumn {
    /// Database, lower case; empty for derived tables.
    pub db: String,
    /// Table or alias, lower case.
    pub table: String,
    /// Name as shown.
    pub name: String,
    /// Name, lower case.
    pub lower: String,
    /// The table's own name, for column metadata.
    pub org_table: String,
    /// Type.
    pub ty: ResultType,
}

/// The columns of the current row, in order.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The columns.
    pub columns: Vec<ScopeColumn>,
    /// Columns that are found by name only once, because a join merged them.
    pub merged: Vec<usize>,
}

impl Scope {
    /// Finds a column by its name, perhaps with table and database before it.
    ///
    /// # Errors
    /// 1054, 1052.
    pub fn find(&self, path: &[&str], clause: &str) -> Result<usize> {
        let parts: Vec<String> = path.iter().map(|p| lower(p)).collect();
        let (db, table, name) = match parts.as_slice() {
            [name] => (None, None, name),
            [table, name] => (None, Some(table), name),
            [db, table, name] => (Some(db), Some(table), name),
            _ => return Err(SqlError::unknown_column(&path.join("."), clause)),
        };
        let mut found = self.columns.iter().enumerate().filter(|(at, c)| {
            c.lower == *name
                && table.is_none_or(|t| c.table == *t)
                && db.is_none_or(|d| c.db == *d)
                && !(table.is_none() && self.merged.contains(at))
        });
        match (found.next(), found.next()) {
            (Some((at, _)), None) => Ok(at),
            (Some(_), Some(_)) => {
                Err(SqlError::new(1052, format!("Column '{}' in {clause} is ambiguous", path.join("."))))
            }
            _ => Err(SqlError::unknown_column(&path.join("."), clause)),
        }
    }
}

/// Where variables come from.
pub trait Variables {
    /// `@@name`, `@@global.name`: value and type.
    ///
    /// # Errors
    /// 1193 for an unknown one.
    fn system(&self, global: bool, name: &str) -> Result<(Datum, ResultType)>;
    /// `@name`.
    fn user(&self, name: &str) -> Datum;
}
