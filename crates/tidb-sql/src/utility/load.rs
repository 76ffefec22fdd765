//! Bulk data: `LOAD DATA`, `IMPORT INTO`, `BATCH`.

use sqlparser::ast::Expr;

use crate::ddl::{ColumnName, TableName};
use crate::statement::Statement;

/// `LOAD STATS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadStats {
    /// The file.
    pub path: String,
}

/// What to do with rows that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LoadDuplicates {
    /// Fail.
    Error,
    /// `IGNORE`.
    Ignore,
    /// `REPLACE`.
    Replace,
}

/// Field and line format of `LOAD DATA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadFormat {
    /// `FIELDS TERMINATED BY`.
    pub fields_terminated: Option<String>,
    /// `ENCLOSED BY`.
    pub enclosed: Option<String>,
    /// `OPTIONALLY` before `ENCLOSED BY`.
    pub optionally_enclosed: bool,
    /// `ESCAPED BY`.
    pub escaped: Option<String>,
    /// `DEFINED NULL BY`.
    pub null_defined: Option<String>,
    /// `LINES STARTING BY`.
    pub lines_starting: Option<String>,
    /// `LINES TERMINATED BY`.
    pub lines_terminated: Option<String>,
}

/// A target of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadTarget {
    /// A column.
    Column(ColumnName),
    /// A user variable (without `@`).
    Variable(String),
}

/// `LOAD DATA`.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadData {
    /// `LOCAL`.
    pub local: bool,
    /// `LOW_PRIORITY`.
    pub low_priority: bool,
    /// The file.
    pub path: String,
    /// `FORMAT 'x'`.
    pub format: Option<String>,
    /// Existing rows.
    pub duplicates: LoadDuplicates,
    /// The table.
    pub table: TableName,
    /// `CHARACTER SET`.
    pub charset: Option<String>,
    /// Fields and lines.
    pub layout: LoadFormat,
    /// `IGNORE n LINES`.
    pub ignore_lines: u64,
    /// Columns and variables.
    pub targets: Vec<LoadTarget>,
    /// `SET column = expr, …`.
    pub assignments: Vec<(ColumnName, Expr)>,
    /// `WITH option[=value], …` as typed.
    pub options: String,
}

/// `IMPORT INTO t [(columns)] [SET …] FROM 'path' [FORMAT 'x'] [WITH …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportInto {
    /// The table.
    pub table: TableName,
    /// What follows, as typed.
    pub text: String,
}

/// `BATCH [ON column] LIMIT n [DRY RUN [QUERY]] statement`.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchDml {
    /// Column to cut by.
    pub column: Option<ColumnName>,
    /// Rows per batch.
    pub limit: u64,
    /// `DRY RUN`.
    pub dry_run: bool,
    /// `DRY RUN QUERY`.
    pub dry_run_query: bool,
    /// The row change.
    pub statement: Box<Statement>,
}
