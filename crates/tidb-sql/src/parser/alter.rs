//! `ALTER TABLE`.

use super::cursor::{Outcome, Parser};
use crate::ddl::{
    AlterColumnDefault, AlterTable, AlterTableSpec, CharsetForm, Ddl, OrderItem, PartitionBoundary,
    PartitionSelection, TableOption,
};
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

    /// `ADD PARTITION …`.
    fn add_partitions(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("PARTITION")?;
        let if_not_exists = self.if_not_exists();
        let no_write_to_binlog = self.no_write_to_binlog();
        let (mut definitions, mut count) = (Vec::new(), None);
        if self.eat("PARTITIONS") {
            count = Some(self.number()?);
        } else {
            definitions = self.partition_definitions()?;
        }
        Ok(AlterTableSpec::AddPartitions { if_not_exists, no_write_to_binlog, definitions, count })
    }

    /// `ADD STATS_EXTENDED …`, behind the words.
    fn add_statistics(&mut self) -> Outcome<AlterTableSpec> {
        let if_not_exists = self.if_not_exists();
        let name = self.identifier()?;
        let kind = self.expect_one_of(&["CARDINALITY", "DEPENDENCY", "CORRELATION"])?;
        let columns = self.paren_list(Self::column_name)?;
        Ok(AlterTableSpec::AddStatistics { if_not_exists, name, kind, columns })
    }

    /// `NO_WRITE_TO_BINLOG`, `LOCAL`.
    pub(super) fn no_write_to_binlog(&mut self) -> bool {
        self.eat_one_of(&["NO_WRITE_TO_BINLOG", "LOCAL"]).is_some()
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

    /// `PARTITION BY …`, `PARTITION p ATTRIBUTES …`, `PARTITION p options`.
    fn alter_partition(&mut self) -> Outcome<AlterTableSpec> {
        if self.are_keywords(&["PARTITION", "BY"]) {
            return self.partition_by().map(AlterTableSpec::PartitionBy);
        }
        self.expect("PARTITION")?;
        let name = self.identifier()?;
        if self.eat("ATTRIBUTES") {
            let attributes = self.text_or_default()?;
            return Ok(AlterTableSpec::PartitionAttributes { name, attributes });
        }
        let mut options = Vec::new();
        while let Some(option) = self.placement_option()? {
            options.push(option);
        }
        if options.is_empty() {
            return self.unexpected();
        }
        Ok(AlterTableSpec::PartitionOptions { name, options })
    }

    /// `[=] 'text'`, `[=] DEFAULT`.
    fn text_or_default(&mut self) -> Outcome<Option<String>> {
        self.eat_equal();
        if self.eat("DEFAULT") { Ok(None) } else { self.string().map(Some) }
    }

    /// Changes of partitions that start with a verb.
    fn alter_partitions(&mut self, word: &str) -> Outcome<AlterTableSpec> {
        self.advance();
        match word {
            "FIRST" | "LAST" => {
                let boundary =
                    if word == "FIRST" { PartitionBoundary::First } else { PartitionBoundary::Last };
                self.move_boundary(boundary, false)
            }
            "MERGE" => {
                self.expect("FIRST")?;
                self.move_boundary(PartitionBoundary::First, true)
            }
            "SPLIT" if self.eat("MAXVALUE") => self.move_boundary(PartitionBoundary::Last, true),
            "IMPORT" | "DISCARD" => {
                let import = word == "IMPORT";
                if self.eat("TABLESPACE") {
                    return Ok(AlterTableSpec::Tablespace { import });
                }
                self.expect("PARTITION")?;
                let partitions = self.partition_selection()?;
                self.expect("TABLESPACE")?;
                Ok(AlterTableSpec::PartitionTablespace { import, partitions })
            }
            "SPLIT" => self.unexpected(),
            _ => {
                self.expect("PARTITION")?;
                self.change_partitions(word)
            }
        }
    }

    /// `PARTITION LESS THAN (bound)`.
    fn move_boundary(
        &mut self,
        boundary: PartitionBoundary,
        merge_or_split: bool,
    ) -> Outcome<AlterTableSpec> {
        let bound = self.boundary()?;
        let no_write_to_binlog = self.no_write_to_binlog();
        Ok(AlterTableSpec::MoveBoundary { boundary, merge_or_split, bound, no_write_to_binlog })
    }

    /// What follows `verb PARTITION`.
    fn change_partitions(&mut self, word: &str) -> Outcome<AlterTableSpec> {
        match word {
            "TRUNCATE" => return self.partition_selection().map(AlterTableSpec::TruncatePartitions),
            "EXCHANGE" => return self.exchange_partition(),
            "REORGANIZE" => return self.reorganize_partitions(),
            _ => {}
        }
        let no_write_to_binlog = word != "CHECK" && self.no_write_to_binlog();
        let verb = match word {
            "COALESCE" => {
                return Ok(AlterTableSpec::CoalescePartitions { count: self.number()?, no_write_to_binlog });
            }
            "CHECK" => "CHECK",
            "OPTIMIZE" => "OPTIMIZE",
            "REPAIR" => "REPAIR",
            _ => "REBUILD",
        };
        let partitions = self.partition_selection()?;
        Ok(AlterTableSpec::MaintainPartitions { verb, no_write_to_binlog, partitions })
    }

    /// `ALL`, or names.
    fn partition_selection(&mut self) -> Outcome<PartitionSelection> {
        if self.eat("ALL") {
            Ok(PartitionSelection::All)
        } else {
            self.partition_names().map(PartitionSelection::Names)
        }
    }

    /// `p WITH TABLE t [WITH | WITHOUT VALIDATION]`.
    fn exchange_partition(&mut self) -> Outcome<AlterTableSpec> {
        let name = self.identifier()?;
        self.expect_all(&["WITH", "TABLE"])?;
        let table = self.table_name()?;
        let mut validation = true;
        if let Some(word) = self.eat_one_of(&["WITH", "WITHOUT"]) {
            self.expect("VALIDATION")?;
            validation = word == "WITH";
        }
        Ok(AlterTableSpec::ExchangePartition { name, table, validation })
    }

    /// `[p, … INTO (definitions)]`.
    fn reorganize_partitions(&mut self) -> Outcome<AlterTableSpec> {
        let no_write_to_binlog = self.no_write_to_binlog();
        let (mut names, mut definitions) = (Vec::new(), Vec::new());
        if self.identifier_at(0) {
            names = self.partition_names()?;
            self.expect("INTO")?;
            definitions = self.partition_definitions()?;
        }
        Ok(AlterTableSpec::ReorganizePartitions { no_write_to_binlog, names, definitions })
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

    /// `BETWEEN (a) AND (b) REGIONS n`, `BY (a), …`.
    pub(super) fn split_method(&mut self) -> Outcome<crate::utility::SplitMethod> {
        use crate::utility::SplitMethod;
        if self.eat("BETWEEN") {
            let lower = self.row_values()?;
            self.expect("AND")?;
            let upper = self.row_values()?;
            self.expect("REGIONS")?;
            return Ok(SplitMethod::Between { lower, upper, regions: self.number()? });
        }
        self.expect("BY")?;
        self.comma_list(Self::row_values).map(SplitMethod::By)
    }
}
