//! Under which names, and from when on, a table's rows are in the topic. Pure.
//!
//! A row that was written before its table was renamed is in the topic under the old name; one that was written before
//! the table was truncated is gone. The DDL messages of the topic tell.

use tidb_sql::ddl::{AlterTableSpec, Ddl, TableName};
use tidb_sql::{SqlMode, Statement};

/// A DDL of the topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TopicDdl {
    /// Commit ts.
    pub commit_ts: u64,
    /// Database of the message.
    pub database: String,
    /// Table of the message; empty for a database's own.
    pub table: String,
    /// Statement, in canonical form.
    pub sql: String,
}

/// A time during which a table had a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Database.
    pub database: String,
    /// Table.
    pub table: String,
    /// Changes up to here do not count any more.
    pub after: u64,
    /// Last commit ts under this name.
    pub until: u64,
}

/// The names of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage {
    /// Latest first.
    pub segments: Vec<Segment>,
    /// Why messages cannot tell what the table holds, if so.
    pub undecidable: Option<String>,
}

/// What a DDL means for the rows of a table.
enum Effect {
    /// Nothing.
    None,
    /// The rows before it do not count.
    Begins,
    /// Before it the table had another name.
    Renamed(String, String),
    /// Rows came or went without messages.
    Undecidable(&'static str),
}

/// Follows the table `database`.`table`, as it is called at `until`, back in time.
pub fn lineage(ddls: &[TopicDdl], database: &str, table: &str, until: u64) -> Lineage {
    let mut lineage = Lineage::default();
    let (mut database, mut table, mut end) = (database.to_owned(), table.to_owned(), until);
    let mut past: Vec<&TopicDdl> = ddls.iter().filter(|ddl| ddl.commit_ts <= until).collect();
    past.sort_by_key(|ddl| std::cmp::Reverse(ddl.commit_ts));
    for ddl in past {
        let ts = ddl.commit_ts;
        match effect(ddl, &database, &table) {
            Effect::None => {}
            Effect::Begins => {
                lineage.segments.push(Segment { database, table, after: ts, until: end });
                return lineage;
            }
            Effect::Renamed(old_database, old_table) => {
                lineage.segments.push(Segment { database, table, after: ts, until: end });
                (database, table, end) = (old_database, old_table, ts);
            }
            Effect::Undecidable(what) => {
                lineage.undecidable = Some(format!("{what} at {ts} moved rows without a message for each"));
                return lineage;
            }
        }
    }
    lineage.segments.push(Segment { database, table, after: 0, until: end });
    lineage
}

/// What a DDL means for the rows of the table that has this name after it.
fn effect(ddl: &TopicDdl, database: &str, table: &str) -> Effect {
    let same = |name: &TableName| {
        let schema = name.schema.as_deref().unwrap_or(&ddl.database);
        schema.eq_ignore_ascii_case(database) && name.name.eq_ignore_ascii_case(table)
    };
    let Ok(statements) = tidb_sql::parse(&ddl.sql, SqlMode::default()) else { return Effect::None };
    for parsed in &statements {
        let Statement::Ddl(statement) = &parsed.statement else { continue };
        match &**statement {
            Ddl::CreateTable(create) if same(&create.table) => return Effect::Begins,
            Ddl::TruncateTable(truncate) if same(&truncate.table) => return Effect::Begins,
            Ddl::DropTable(drop) if drop.tables.iter().any(same) => return Effect::Begins,
            Ddl::DropDatabase(drop) if drop.name.eq_ignore_ascii_case(database) => return Effect::Begins,
            Ddl::RenameTable(rename) => {
                if let Some((old, _)) = rename.renames.iter().find(|(_, new)| same(new)) {
                    let schema = old.schema.clone().unwrap_or_else(|| ddl.database.clone());
                    return Effect::Renamed(schema, old.name.clone());
                }
            }
            Ddl::RecoverTable(_) | Ddl::FlashbackTable(_)
                if ddl.database.eq_ignore_ascii_case(database) && ddl.table.eq_ignore_ascii_case(table) =>
            {
                return Effect::Undecidable("the recovery of the table");
            }
            Ddl::AlterTable(alter) => {
                let moves = alter.specs.iter().any(|spec| {
                    matches!(
                        spec,
                        AlterTableSpec::DropPartitions { .. }
                            | AlterTableSpec::TruncatePartitions(_)
                            | AlterTableSpec::ExchangePartition { .. }
                    )
                });
                let exchanged = alter.specs.iter().any(
                    |spec| matches!(spec, AlterTableSpec::ExchangePartition { table, .. } if same(table)),
                );
                if exchanged || (moves && same(&alter.table)) {
                    return Effect::Undecidable("a change of partitions");
                }
            }
            _ => {}
        }
    }
    Effect::None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ddls(list: &[(u64, &str)]) -> Vec<TopicDdl> {
        let make = |(commit_ts, sql): &(u64, &str)| TopicDdl {
            commit_ts: *commit_ts,
            database: "d".to_owned(),
            table: "t".to_owned(),
            sql: (*sql).to_owned(),
        };
        list.iter().map(make).collect()
    }

    fn names(lineage: &Lineage) -> Vec<(&str, u64, u64)> {
        lineage.segments.iter().map(|s| (s.table.as_str(), s.after, s.until)).collect()
    }

    #[test]
    fn rows_count_from_the_creation_on_under_every_name() {
        let all = ddls(&[
            (10, "CREATE TABLE `a` (`id` INT PRIMARY KEY)"),
            (20, "RENAME TABLE `d`.`a` TO `d`.`b`"),
            (30, "CREATE TABLE `a` (`id` INT PRIMARY KEY)"),
        ]);
        assert_eq!(names(&lineage(&all, "d", "b", 99)), [("b", 20, 99), ("a", 10, 20)]);
        assert_eq!(names(&lineage(&all, "d", "a", 99)), [("a", 30, 99)]);
        assert_eq!(names(&lineage(&all, "d", "a", 15)), [("a", 10, 15)]);
    }

    #[test]
    fn truncated_rows_are_gone() {
        let all = ddls(&[(10, "CREATE TABLE `a` (`id` INT PRIMARY KEY)"), (20, "TRUNCATE TABLE `a`")]);
        assert_eq!(names(&lineage(&all, "D", "A", 99)), [("A", 20, 99)]);
    }

    #[test]
    fn partitions_that_go_leave_the_answer_open() {
        let all = ddls(&[(20, "ALTER TABLE `a` TRUNCATE PARTITION `p0`")]);
        assert!(lineage(&all, "d", "a", 99).undecidable.is_some());
        assert_eq!(lineage(&all, "d", "b", 99).undecidable, None);
    }
}
