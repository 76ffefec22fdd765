//! `ALTER TABLE`.

use super::cursor::{Outcome, Parser};
use crate::ddl::{AlterColumnDefault, AlterTable, AlterTableSpec, CharsetForm, Ddl, OrderItem, TableOption};
use crate::lexer::Symbol;
use crate::statement::Statement;
use crate::utility::AnalyzeTable;

impl Parser<'_> {
    /// What follows `ALTER TABLE`.
    pub(super) fn alter_table(&mut self) -> Outcome<Ddl> {
        let table = self.table_name()?;
        let mut specs = Vec::new();
        if !self.at_statement_end() {
            specs = self.comma_list(Self::alter_spec)?;
        }
        // partitioning may follow without a comma
        if !self.at_statement_end() {
            if self.are_keywords(&["PARTITION", "BY"]) {
                specs.push(AlterTableSpec::PartitionBy(self.partition_by()?));
            } else if self.eat_all(&["REMOVE", "PARTITIONING"]) {
                specs.push(AlterTableSpec::RemovePartitioning);
            }
        }
        Ok(Ddl::AlterTable(AlterTable { table, specs }))
    }

    /// One change.
    fn alter_spec(&mut self) -> Outcome<AlterTableSpec> {
        let word = self.text(0).to_ascii_uppercase();
        if self.kind() != crate::lexer::TokenKind::Word {
            return self.unexpected();
        }
        match word.as_str() {
            "ADD" => self.alter_add(),
            "DROP" => self.alter_drop(),
            "MODIFY" => {
                self.advance();
                self.eat("COLUMN");
                let if_exists = self.if_exists();
                let column = self.column_def()?;
                Ok(AlterTableSpec::ModifyColumn { if_exists, column, position: self.column_position()? })
            }
            "CHANGE" => {
                self.advance();
                self.eat("COLUMN");
                let if_exists = self.if_exists();
                let old = self.column_name()?;
                let column = self.column_def()?;
                Ok(AlterTableSpec::ChangeColumn { if_exists, old, column, position: self.column_position()? })
            }
            "ALTER" => self.alter_alter(),
            "RENAME" => self.alter_rename(),
            "CONVERT" => self.alter_convert(),
            "ORDER" => self.alter_order(),
            "SET" => self.alter_set(),
            "PARTITION" => self.alter_partition(),
            "TRUNCATE" | "COALESCE" | "REORGANIZE" | "EXCHANGE" | "CHECK" | "OPTIMIZE" | "REPAIR"
            | "REBUILD" | "IMPORT" | "DISCARD" | "FIRST" | "LAST" | "MERGE" | "SPLIT" => {
                self.alter_partitions(&word)
            }
            _ => self.alter_flag(&word),
        }
    }

    /// `ADD …`.
    fn alter_add(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("ADD")?;
        if self.is_keyword("PARTITION") {
            return self.add_partitions();
        }
        if self.eat("STATS_EXTENDED") {
            return self.add_statistics();
        }
        if self.is_constraint() {
            return self.constraint().map(AlterTableSpec::AddConstraint);
        }
        self.eat("COLUMN");
        let if_not_exists = self.if_not_exists();
        if !self.is_symbol(Symbol::LeftParen) {
            let column = self.column_def()?;
            return Ok(AlterTableSpec::AddColumn {
                if_not_exists,
                column,
                position: self.column_position()?,
            });
        }
        let (mut columns, mut constraints) = (Vec::new(), Vec::new());
        self.paren_list(|p| {
            if p.is_constraint() {
                constraints.push(p.constraint()?);
            } else {
                columns.push(p.column_def()?);
            }
            Ok(())
        })?;
        Ok(AlterTableSpec::AddColumns { if_not_exists, columns, constraints })
    }

    /// `ADD STATS_EXTENDED …`, behind the words.
    fn add_statistics(&mut self) -> Outcome<AlterTableSpec> {
        let if_not_exists = self.if_not_exists();
        let name = self.identifier()?;
        let kind = self.expect_one_of(&["CARDINALITY", "DEPENDENCY", "CORRELATION"])?;
        let columns = self.paren_list(Self::column_name)?;
        Ok(AlterTableSpec::AddStatistics { if_not_exists, name, kind, columns })
    }

    /// `DROP …`.
    fn alter_drop(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("DROP")?;
        if self.eat_all(&["PRIMARY", "KEY"]) {
            return Ok(AlterTableSpec::DropPrimaryKey);
        }
        if self.eat_one_of(&["INDEX", "KEY"]).is_some() {
            let if_exists = self.if_exists();
            let name = if self.eat("PRIMARY") { "PRIMARY".to_owned() } else { self.identifier()? };
            return Ok(AlterTableSpec::DropIndex { if_exists, name });
        }
        if self.eat_all(&["FOREIGN", "KEY"]) {
            let if_exists = self.if_exists();
            return Ok(AlterTableSpec::DropForeignKey { if_exists, name: self.identifier()? });
        }
        if self.eat_one_of(&["CHECK", "CONSTRAINT"]).is_some() {
            return self.identifier().map(AlterTableSpec::DropCheck);
        }
        if self.eat("PARTITION") {
            let if_exists = self.if_exists();
            return Ok(AlterTableSpec::DropPartitions { if_exists, names: self.partition_names()? });
        }
        if self.eat("STATS_EXTENDED") {
            let if_exists = self.if_exists();
            return Ok(AlterTableSpec::DropStatistics { if_exists, name: self.identifier()? });
        }
        self.eat("COLUMN");
        let if_exists = self.if_exists();
        let column = self.column_name()?;
        let _ = self.eat_one_of(&["RESTRICT", "CASCADE"]);
        Ok(AlterTableSpec::DropColumn { if_exists, column })
    }

    /// `ALTER …`.
    fn alter_alter(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("ALTER")?;
        if self.eat("INDEX") {
            let name = self.identifier()?;
            let visible = self.expect_one_of(&["VISIBLE", "INVISIBLE"])? == "VISIBLE";
            return Ok(AlterTableSpec::AlterIndexVisibility { name, visible });
        }
        if self.eat_one_of(&["CHECK", "CONSTRAINT"]).is_some() {
            let name = self.identifier()?;
            let enforced = !self.eat("NOT");
            self.expect("ENFORCED")?;
            return Ok(AlterTableSpec::AlterCheck { name, enforced });
        }
        self.eat("COLUMN");
        let column = self.column_name()?;
        if self.eat_all(&["DROP", "DEFAULT"]) {
            return Ok(AlterTableSpec::AlterColumn { column, default: AlterColumnDefault::Drop });
        }
        self.expect_all(&["SET", "DEFAULT"])?;
        let value = if self.is_symbol(Symbol::LeftParen) {
            sqlparser::ast::Expr::Nested(Box::new(self.parenthesized(Self::expr)?))
        } else {
            self.signed_literal()?
        };
        Ok(AlterTableSpec::AlterColumn { column, default: AlterColumnDefault::Set(value) })
    }

    /// `RENAME …`.
    fn alter_rename(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("RENAME")?;
        if self.eat("COLUMN") {
            let old = self.column_name()?;
            self.expect("TO")?;
            return Ok(AlterTableSpec::RenameColumn { old, new: self.column_name()? });
        }
        if self.eat_one_of(&["INDEX", "KEY"]).is_some() {
            let old = self.identifier()?;
            self.expect("TO")?;
            return Ok(AlterTableSpec::RenameIndex { old, new: self.identifier()? });
        }
        if self.eat_one_of(&["TO", "AS"]).is_none() {
            self.eat_equal();
        }
        self.table_name().map(AlterTableSpec::RenameTable)
    }

    /// `CONVERT TO CHARACTER SET c [COLLATE x]`.
    fn alter_convert(&mut self) -> Outcome<AlterTableSpec> {
        self.expect_all(&["CONVERT", "TO"])?;
        if !self.eat_charset_keyword() {
            return self.unexpected();
        }
        let charset = if self.eat("DEFAULT") { None } else { Some(self.charset_name()?) };
        let mut options = vec![TableOption::Charset { form: CharsetForm::ConvertTo, charset }];
        if self.eat("COLLATE") {
            self.eat_equal();
            options.push(TableOption::Collate(self.collation_name()?));
        }
        Ok(AlterTableSpec::Options(options))
    }

    /// `ORDER BY c [ASC | DESC], …`.
    fn alter_order(&mut self) -> Outcome<AlterTableSpec> {
        self.expect_all(&["ORDER", "BY"])?;
        let items = self.comma_list(|p| {
            let column = p.column_name()?;
            let desc = p.eat_one_of(&["ASC", "DESC"]) == Some("DESC");
            Ok(OrderItem { column, desc })
        })?;
        Ok(AlterTableSpec::OrderBy(items))
    }

    /// `SET TIFLASH REPLICA n`, `SET HYPO TIFLASH REPLICA n`.
    fn alter_set(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("SET")?;
        let hypo = self.eat("HYPO");
        self.expect_all(&["TIFLASH", "REPLICA"])?;
        let replica = self.tiflash_replica()?;
        Ok(match hypo {
            true => AlterTableSpec::SetHypoTiFlashReplica(replica),
            false => AlterTableSpec::SetTiFlashReplica(replica),
        })
    }

    /// Short changes, and table options.
    fn alter_flag(&mut self, word: &str) -> Outcome<AlterTableSpec> {
        if word == "REMOVE" {
            self.advance();
            return match self.expect_one_of(&["PARTITIONING", "TTL"])? {
                "TTL" => Ok(AlterTableSpec::RemoveTtl),
                _ => Ok(AlterTableSpec::RemovePartitioning),
            };
        }
        if self.is_keyword("FORCE")
            && !self.keyword_at(1, "AUTO_INCREMENT")
            && !self.keyword_at(1, "AUTO_RANDOM_BASE")
        {
            self.advance();
            return Ok(AlterTableSpec::Force);
        }
        let words = [
            "LOCK",
            "ALGORITHM",
            "ATTRIBUTES",
            "STATS_OPTIONS",
            "CACHE",
            "NOCACHE",
            "READ",
            "WITH",
            "WITHOUT",
            "ENABLE",
            "DISABLE",
            "SECONDARY_LOAD",
            "SECONDARY_UNLOAD",
            "COMPACT",
        ];
        let Some(word) = self.eat_one_of(&words) else { return self.alter_options() };
        Ok(match word {
            "LOCK" => AlterTableSpec::Lock(self.index_lock()?),
            "ALGORITHM" => AlterTableSpec::Algorithm(self.algorithm()?),
            "ATTRIBUTES" => AlterTableSpec::Attributes(self.text_or_default()?),
            "STATS_OPTIONS" => AlterTableSpec::StatsOptions(self.text_or_default()?),
            "CACHE" | "NOCACHE" => AlterTableSpec::Cache(word == "CACHE"),
            "READ" => AlterTableSpec::Writable(self.expect_one_of(&["ONLY", "WRITE"])? == "WRITE"),
            "WITH" | "WITHOUT" => {
                self.expect("VALIDATION")?;
                AlterTableSpec::Validation(word == "WITH")
            }
            "ENABLE" | "DISABLE" => {
                self.expect("KEYS")?;
                AlterTableSpec::Keys(word == "ENABLE")
            }
            "COMPACT" => {
                let partitions = if self.eat("PARTITION") { self.partition_names()? } else { Vec::new() };
                AlterTableSpec::Compact { partitions, tiflash: self.eat_all(&["TIFLASH", "REPLICA"]) }
            }
            _ => AlterTableSpec::SecondaryLoad(word == "SECONDARY_LOAD"),
        })
    }

    /// Table options in a row.
    fn alter_options(&mut self) -> Outcome<AlterTableSpec> {
        let mut options = Vec::new();
        while let Some(option) = self.table_option()? {
            options.push(option);
        }
        if options.is_empty() { self.unexpected() } else { Ok(AlterTableSpec::Options(options)) }
    }

    /// `ANALYZE [INCREMENTAL] [NO_WRITE_TO_BINLOG] TABLE …`, from its first word on.
    pub(super) fn analyze(&mut self) -> Outcome<Statement> {
        self.advance();
        let no_write_to_binlog = self.no_write_to_binlog();
        let incremental = self.eat("INCREMENTAL");
        self.expect_one_of(&["TABLE", "TABLES"])?;
        let tables = self.comma_list(Self::table_name)?;
        let partitions = if self.eat("PARTITION") { self.partition_names()? } else { Vec::new() };
        let options = self.rest_of_statement()?;
        Ok(Statement::Analyze(Box::new(AnalyzeTable {
            incremental,
            no_write_to_binlog,
            tables,
            partitions,
            options,
        })))
    }
}
