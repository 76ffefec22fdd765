//! The texts that a change feed sends for DDL jobs.
//!
//! A job holds the text that a user typed. One job may stand for a part of that text only (one table of a `DROP TABLE
//! a, b`), or one text may make several messages (a batch of `CREATE TABLE`). The functions here make the text of
//! one message.

use thiserror::Error;

use crate::ddl::{AlterTableSpec, CreateTable, CreateTableSource, CreateView, Ddl, TableName};
use crate::error::{ParseError, RestoreError};
use crate::mode::SqlMode;
use crate::parser::parse;
use crate::restore::{RestoreOptions, restore, restore_view};
use crate::statement::Statement;

/// Why a job's text has no canonical form. The caller sends the original text then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RewriteError {
    /// The text is not understood.
    #[error("the query of a DDL job is not understood")]
    Parse(#[from] ParseError),
    /// Some node has no canonical text.
    #[error("the query of a DDL job has no canonical form")]
    Restore(#[from] RestoreError),
    /// The text holds no statement.
    #[error("the query of a DDL job is empty")]
    Empty,
    /// The text holds a statement that is not DDL.
    #[error("the query of a DDL job is not a DDL statement")]
    NotDdl,
}

/// The DDL statements of a job's text.
pub fn job_statements(query: &str, mode: SqlMode) -> Result<Vec<Ddl>, RewriteError> {
    let statements = parse(query, mode)?;
    if statements.is_empty() {
        return Err(RewriteError::Empty);
    }
    statements
        .into_iter()
        .map(|parsed| match parsed.statement {
            Statement::Ddl(ddl) => Ok(*ddl),
            _ => Err(RewriteError::NotDdl),
        })
        .collect()
}

/// A job's text in canonical form. Several statements are joined by `;`.
pub fn canonical_query(
    query: &str,
    mode: SqlMode,
    options: RestoreOptions<'_>,
) -> Result<String, RewriteError> {
    let statements = job_statements(query, mode)?;
    let texts: Result<Vec<_>, _> = statements.iter().map(|ddl| restore(ddl, options)).collect();
    Ok(texts?.join(";"))
}

/// A text of several statements as one canonical text each, with a trailing `;`: for batches of `CREATE TABLE`.
pub fn split_query(
    query: &str,
    mode: SqlMode,
    options: RestoreOptions<'_>,
) -> Result<Vec<String>, RewriteError> {
    let statements = job_statements(query, mode)?;
    statements.iter().map(|ddl| Ok(restore(ddl, options)? + ";")).collect()
}

/// An identifier in back quotes.
pub fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A table's name with its schema, quoted.
fn quote_table(schema: &str, table: &str) -> String {
    format!("{}.{}", quote_name(schema), quote_name(table))
}

/// The text for a table that got another name (also by `ALTER TABLE … RENAME`): old and new as schema and table.
/// For a job that renames several tables, each message's text has a trailing `;` besides.
pub fn rename_table(old: (&str, &str), new: (&str, &str)) -> String {
    format!("RENAME TABLE {} TO {}", quote_table(old.0, old.1), quote_table(new.0, new.1))
}

/// The text for one dropped table.
pub fn drop_table(schema: &str, table: &str) -> String {
    format!("DROP TABLE {}", quote_table(schema, table))
}

/// The text for one dropped view.
pub fn drop_view(schema: &str, view: &str) -> String {
    format!("DROP VIEW {}", quote_table(schema, view))
}

/// The text for an exchanged partition with both tables qualified: the partitioned one and the plain one as schema
/// and table. `None` if the statement exchanges no partition.
pub fn exchange_partition(ddl: &Ddl, partitioned: (&str, &str), plain: (&str, &str)) -> Option<String> {
    let Ddl::AlterTable(alter) = ddl else { return None };
    alter.specs.iter().find_map(|spec| match spec {
        AlterTableSpec::ExchangePartition { name, validation, .. } => Some(format!(
            "ALTER TABLE {} EXCHANGE PARTITION {} WITH TABLE {}{}",
            quote_table(partitioned.0, partitioned.1),
            quote_name(name),
            quote_table(plain.0, plain.1),
            if *validation { "" } else { " WITHOUT VALIDATION" }
        )),
        _ => None,
    })
}

/// The table that a `CREATE TABLE … LIKE` refers to.
pub fn like_source(create: &CreateTable) -> Option<&TableName> {
    match &create.source {
        CreateTableSource::Like(table) => Some(table),
        CreateTableSource::Definition { .. } => None,
    }
}

/// Gives the reference of `CREATE TABLE … LIKE t` a schema if it has none. Tells whether it did.
pub fn qualify_like_source(create: &mut CreateTable, schema: &str) -> bool {
    match &mut create.source {
        CreateTableSource::Like(table) if table.schema.is_none() => {
            table.schema = Some(schema.to_owned());
            true
        }
        _ => false,
    }
}

/// The text of `CREATE VIEW` with the query that TiDB stored for the view, which names all its tables' schemas.
pub fn create_view_with_select(
    view: &CreateView,
    select: &str,
    options: RestoreOptions<'_>,
) -> Result<String, RestoreError> {
    restore_view(view, select, options)
}
