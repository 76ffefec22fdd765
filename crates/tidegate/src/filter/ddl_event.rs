//! What kind of event a DDL statement is, and of which tables.

use tidb_sql::ddl::{AlterTable, AlterTableSpec, RecoverTable, TableConstraint, TableName, TableOption};
use tidb_sql::{Ddl, SqlMode, Statement, parse_one};

/// A schema or table and what happens to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DdlTarget {
    /// Schema.
    pub(super) schema: String,
    /// Table; empty for the schema itself.
    pub(super) table: String,
    /// Name in `ignore-event`.
    pub(super) event: &'static str,
}

/// The event of one change of a table; `None` if changefeeds do not forward it.
fn alter_event(spec: &AlterTableSpec) -> Option<&'static str> {
    Some(match spec {
        AlterTableSpec::AddColumn { .. } | AlterTableSpec::AddColumns { .. } => "add column",
        AlterTableSpec::DropColumn { .. } => "drop column",
        AlterTableSpec::ModifyColumn { .. }
        | AlterTableSpec::ChangeColumn { .. }
        | AlterTableSpec::RenameColumn { .. } => "modify column",
        AlterTableSpec::AlterColumn { .. } => "set default value",
        AlterTableSpec::AddConstraint(TableConstraint::PrimaryKey { .. }) => "add primary key",
        AlterTableSpec::AddConstraint(TableConstraint::ForeignKey(_)) => "add foreign key",
        AlterTableSpec::AddConstraint(TableConstraint::FullText { .. }) => "add fulltext index",
        AlterTableSpec::AddConstraint(TableConstraint::Unique { .. } | TableConstraint::Index { .. }) => {
            "create index"
        }
        AlterTableSpec::DropPrimaryKey => "drop primary key",
        AlterTableSpec::DropIndex { .. } => "drop index",
        AlterTableSpec::DropForeignKey { .. } => "drop foreign key",
        AlterTableSpec::RenameIndex { .. } => "rename index",
        AlterTableSpec::AlterIndexVisibility { .. } => "alter index visibility",
        AlterTableSpec::RenameTable(_) => "rename table",
        AlterTableSpec::AddPartitions { .. } => "add table partition",
        AlterTableSpec::DropPartitions { .. } => "drop table partition",
        AlterTableSpec::TruncatePartitions(_) => "truncate table partition",
        AlterTableSpec::ReorganizePartitions { .. } => "reorganize table partition",
        AlterTableSpec::ExchangePartition { .. } => "exchange table partition",
        AlterTableSpec::PartitionBy(_) => "alter table partitioning",
        AlterTableSpec::RemovePartitioning => "remove table partitioning",
        AlterTableSpec::RemoveTtl => "alter ttl remove",
        AlterTableSpec::Options(options) => option_event(options)?,
        _ => return None,
    })
}

/// The event of table options.
fn option_event(options: &[TableOption]) -> Option<&'static str> {
    options.iter().find_map(|option| match option {
        TableOption::Comment(_) => Some("modify table comment"),
        TableOption::Charset { .. } | TableOption::Collate(_) => Some("modify table charset and collate"),
        TableOption::AutoIncrement { .. } => Some("rebase auto id"),
        TableOption::Ttl { .. } => Some("alter ttl info"),
        _ => None,
    })
}

/// The event of an `ALTER TABLE`; several changes are one event of their own.
fn alter_table_event(alter: &AlterTable) -> Option<&'static str> {
    match alter.specs.as_slice() {
        [] => None,
        [one] => alter_event(one),
        _ => Some("multi schema change"),
    }
}

/// The event of a statement and the tables that it names.
fn event_of(ddl: &Ddl) -> Option<(&'static str, Vec<&TableName>)> {
    Some(match ddl {
        Ddl::CreateTable(create) => ("create table", vec![&create.table]),
        Ddl::AlterTable(alter) => (alter_table_event(alter)?, vec![&alter.table]),
        Ddl::DropTable(drop) => ("drop table", drop.tables.iter().collect()),
        Ddl::TruncateTable(truncate) => ("truncate table", vec![&truncate.table]),
        Ddl::RenameTable(rename) => ("rename table", rename.renames.iter().map(|(old, _)| old).collect()),
        Ddl::CreateIndex(create) => ("create index", vec![&create.table]),
        Ddl::DropIndex(drop) => ("drop index", vec![&drop.table]),
        Ddl::CreateView(view) => ("create view", vec![&view.name]),
        Ddl::DropView(drop) => ("drop view", drop.views.iter().collect()),
        Ddl::RecoverTable(RecoverTable::ByName { table, .. }) => ("recover table", vec![table]),
        Ddl::FlashbackTable(flashback) => ("recover table", vec![&flashback.table]),
        _ => return None,
    })
}

/// What a statement does; `schema` is that of names without one.
pub(super) fn targets(sql: &str, schema: Option<&str>) -> Result<Vec<DdlTarget>, String> {
    let parsed = parse_one(sql, SqlMode::default()).map_err(|e| format!("--sql {sql:?}: {e}"))?;
    let Statement::Ddl(ddl) = parsed.statement else {
        return Err(format!("--sql {sql:?}: not a DDL statement; --table tells about rows"));
    };
    let database = match ddl.as_ref() {
        Ddl::CreateDatabase(create) => Some(("create schema", create.name.clone())),
        Ddl::DropDatabase(drop) => Some(("drop schema", drop.name.clone())),
        Ddl::AlterDatabase(alter) => {
            let name = alter.name.as_deref().or(schema).unwrap_or_default();
            Some(("modify schema charset and collate", name.to_owned()))
        }
        _ => None,
    };
    if let Some((event, schema)) = database {
        return Ok(vec![DdlTarget { schema, table: String::new(), event }]);
    }
    let (event, tables) = event_of(&ddl)
        .ok_or_else(|| format!("--sql {sql:?}: changefeeds do not forward this kind of DDL"))?;
    let target = |table: &TableName| {
        let schema = table.schema.as_deref().or(schema).ok_or_else(|| {
            format!("--sql {sql:?}: which schema is {} in? write schema.{}", table.name, table.name)
        })?;
        Ok(DdlTarget { schema: schema.to_owned(), table: table.name.clone(), event })
    };
    tables.into_iter().map(target).collect()
}
