//! `CREATE …`, `ALTER …` and `DROP …`: which object it is about.

use super::cursor::{Outcome, Parser};
use super::statement::ddl;
use crate::ddl::{CreateIndexKind, Ddl, DropSequence, DropTable, DropView, Temporary};
use crate::statement::Statement;
use crate::utility::{AnalyzeTable, Deallocate};

impl Parser<'_> {
    /// `CREATE …`.
    pub(super) fn create(&mut self) -> Outcome<Statement> {
        self.expect("CREATE")?;
        if self.eat_one_of(&["DATABASE", "SCHEMA"]).is_some() {
            return self.create_database().map(ddl);
        }
        if self.eat("TABLE") {
            return self.create_table(None).map(|table| ddl(Ddl::CreateTable(table)));
        }
        if self.eat_all(&["TEMPORARY", "TABLE"]) {
            return self.create_table(Some(Temporary::Local)).map(|table| ddl(Ddl::CreateTable(table)));
        }
        if self.eat_all(&["GLOBAL", "TEMPORARY", "TABLE"]) {
            let temporary = Temporary::Global { delete_rows: true };
            return self.create_table(Some(temporary)).map(|table| ddl(Ddl::CreateTable(table)));
        }
        if let Some(kind) = self.create_index_kind() {
            return self.create_index(kind).map(ddl);
        }
        if self.eat("SEQUENCE") {
            return self.create_sequence().map(ddl);
        }
        let position = self.position();
        let or_replace = self.eat_all(&["OR", "REPLACE"]);
        if self.eat_all(&["PLACEMENT", "POLICY"]) {
            return self.create_placement_policy(or_replace).map(ddl);
        }
        if self.is_one_of(&["VIEW", "ALGORITHM", "DEFINER", "SQL"]) {
            return self.create_view(or_replace).map(ddl);
        }
        self.reset(position);
        self.create_other()
    }

    /// `[UNIQUE | FULLTEXT | …] INDEX`, if it is next.
    fn create_index_kind(&mut self) -> Option<CreateIndexKind> {
        let kinds = [
            ("UNIQUE", CreateIndexKind::Unique),
            ("FULLTEXT", CreateIndexKind::FullText),
            ("SPATIAL", CreateIndexKind::Spatial),
            ("VECTOR", CreateIndexKind::Vector),
            ("COLUMNAR", CreateIndexKind::Columnar),
        ];
        if self.eat("INDEX") {
            return Some(CreateIndexKind::Plain);
        }
        kinds.into_iter().find(|(word, _)| self.eat_all(&[word, "INDEX"])).map(|(_, kind)| kind)
    }

    /// Users, roles, groups, and what is known by name only.
    fn create_other(&mut self) -> Outcome<Statement> {
        if self.eat("USER") {
            return self.create_user();
        }
        if self.eat("ROLE") {
            return self.create_role();
        }
        if self.eat_all(&["RESOURCE", "GROUP"]) {
            return self.create_resource_group().map(ddl);
        }
        if self.is_one_of(&["GLOBAL", "SESSION", "BINDING"]) {
            return self.other("CREATE BINDING");
        }
        if self.is_keyword("STATISTICS") {
            return self.other("CREATE STATISTICS");
        }
        if self.is_keyword("PROCEDURE") {
            return self.other("CREATE PROCEDURE");
        }
        self.unexpected()
    }

    /// `ALTER …`.
    pub(super) fn alter(&mut self) -> Outcome<Statement> {
        self.expect("ALTER")?;
        self.eat("IGNORE");
        if self.eat("TABLE") {
            return self.alter_or_analyze_table();
        }
        if self.eat_one_of(&["DATABASE", "SCHEMA"]).is_some() {
            return self.alter_database().map(ddl);
        }
        if self.eat("SEQUENCE") {
            return self.alter_sequence().map(ddl);
        }
        if self.eat_all(&["PLACEMENT", "POLICY"]) {
            return self.alter_placement_policy().map(ddl);
        }
        if self.eat_all(&["RESOURCE", "GROUP"]) {
            return self.alter_resource_group().map(ddl);
        }
        if self.eat("USER") {
            return self.alter_user();
        }
        if self.is_keyword("INSTANCE") {
            return self.other("ALTER INSTANCE");
        }
        if self.is_keyword("RANGE") {
            return self.other("ALTER RANGE");
        }
        self.unexpected()
    }

    /// `ALTER TABLE t …`, of which `ANALYZE PARTITION p, …` is no change of the table.
    fn alter_or_analyze_table(&mut self) -> Outcome<Statement> {
        let position = self.position();
        let table = self.table_name()?;
        if !self.eat_all(&["ANALYZE", "PARTITION"]) {
            self.reset(position);
            return self.alter_table().map(ddl);
        }
        let partitions = self.partition_names()?;
        let options = self.rest_of_statement()?;
        Ok(Statement::Analyze(Box::new(AnalyzeTable {
            incremental: false,
            no_write_to_binlog: false,
            tables: vec![table],
            partitions,
            options,
        })))
    }

    /// `DROP …`.
    pub(super) fn drop(&mut self) -> Outcome<Statement> {
        self.expect("DROP")?;
        if self.eat_one_of(&["DATABASE", "SCHEMA"]).is_some() {
            return self.drop_database().map(ddl);
        }
        if self.eat_one_of(&["TABLE", "TABLES"]).is_some() {
            return self.drop_table(None).map(ddl);
        }
        if self.eat("TEMPORARY") {
            self.expect_one_of(&["TABLE", "TABLES"])?;
            return self.drop_table(Some(Temporary::Local)).map(ddl);
        }
        if self.are_keywords(&["GLOBAL", "TEMPORARY"]) {
            self.eat_all(&["GLOBAL", "TEMPORARY"]);
            self.expect_one_of(&["TABLE", "TABLES"])?;
            return self.drop_table(Some(Temporary::Global { delete_rows: true })).map(ddl);
        }
        if self.eat("VIEW") {
            let if_exists = self.if_exists();
            let views = self.comma_list(Self::table_name)?;
            let _ = self.eat_one_of(&["RESTRICT", "CASCADE"]);
            return Ok(ddl(Ddl::DropView(DropView { if_exists, views })));
        }
        if self.eat("INDEX") {
            return self.drop_index(false).map(ddl);
        }
        if self.eat_all(&["HYPO", "INDEX"]) {
            return self.drop_index(true).map(ddl);
        }
        if self.eat("SEQUENCE") {
            let if_exists = self.if_exists();
            let names = self.comma_list(Self::table_name)?;
            return Ok(ddl(Ddl::DropSequence(DropSequence { if_exists, names })));
        }
        self.drop_other()
    }

    /// Policies, users, roles, prepared statements, and what is known by name only.
    fn drop_other(&mut self) -> Outcome<Statement> {
        if self.eat_all(&["PLACEMENT", "POLICY"]) {
            return self.drop_placement_policy().map(ddl);
        }
        if self.eat_all(&["RESOURCE", "GROUP"]) {
            return self.drop_resource_group().map(ddl);
        }
        if self.eat("USER") {
            return self.drop_user();
        }
        if self.eat("ROLE") {
            return self.drop_role();
        }
        if self.eat("PREPARE") {
            return Ok(Statement::Deallocate(Deallocate { name: self.identifier()? }));
        }
        if self.is_one_of(&["GLOBAL", "SESSION", "BINDING"]) {
            return self.other("DROP BINDING");
        }
        if self.is_one_of(&["STATS", "STATISTICS"]) {
            return self.other("DROP STATS");
        }
        if self.is_keyword("QUERY") {
            return self.other("DROP QUERY WATCH");
        }
        if self.is_keyword("PROCEDURE") {
            return self.other("DROP PROCEDURE");
        }
        self.unexpected()
    }

    /// What follows `DROP TABLE`.
    fn drop_table(&mut self, temporary: Option<Temporary>) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let tables = self.comma_list(Self::table_name)?;
        let _ = self.eat_one_of(&["RESTRICT", "CASCADE"]);
        Ok(Ddl::DropTable(DropTable { temporary, if_exists, tables }))
    }
}
