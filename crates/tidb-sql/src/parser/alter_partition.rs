//! Changes of partitions in `ALTER TABLE`.

use super::cursor::{Outcome, Parser};
use crate::ddl::{AlterTableSpec, PartitionBoundary, PartitionSelection};
use crate::lexer::Symbol;
use crate::utility::SplitMethod;

impl Parser<'_> {
    /// `ADD PARTITION …`.
    pub(super) fn add_partitions(&mut self) -> Outcome<AlterTableSpec> {
        self.expect("PARTITION")?;
        let if_not_exists = self.if_not_exists();
        let no_write_to_binlog = self.no_write_to_binlog();
        let (mut definitions, mut count) = (Vec::new(), None);
        if self.eat("PARTITIONS") {
            count = Some(self.number()?);
        } else if self.is_symbol(Symbol::LeftParen) {
            definitions = self.partition_definitions()?;
        }
        Ok(AlterTableSpec::AddPartitions { if_not_exists, no_write_to_binlog, definitions, count })
    }

    /// `NO_WRITE_TO_BINLOG`, `LOCAL`.
    pub(super) fn no_write_to_binlog(&mut self) -> bool {
        self.eat_one_of(&["NO_WRITE_TO_BINLOG", "LOCAL"]).is_some()
    }

    /// `PARTITION BY …`, `PARTITION p ATTRIBUTES …`, `PARTITION p options`.
    pub(super) fn alter_partition(&mut self) -> Outcome<AlterTableSpec> {
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
    pub(super) fn text_or_default(&mut self) -> Outcome<Option<String>> {
        self.eat_equal();
        if self.eat("DEFAULT") { Ok(None) } else { self.string().map(Some) }
    }

    /// Changes of partitions that start with a verb.
    pub(super) fn alter_partitions(&mut self, word: &str) -> Outcome<AlterTableSpec> {
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
    pub(super) fn move_boundary(
        &mut self,
        boundary: PartitionBoundary,
        merge_or_split: bool,
    ) -> Outcome<AlterTableSpec> {
        let bound = self.boundary()?;
        let no_write_to_binlog = self.no_write_to_binlog();
        Ok(AlterTableSpec::MoveBoundary { boundary, merge_or_split, bound, no_write_to_binlog })
    }

    /// What follows `verb PARTITION`.
    pub(super) fn change_partitions(&mut self, word: &str) -> Outcome<AlterTableSpec> {
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
    pub(super) fn partition_selection(&mut self) -> Outcome<PartitionSelection> {
        if self.eat("ALL") {
            Ok(PartitionSelection::All)
        } else {
            self.partition_names().map(PartitionSelection::Names)
        }
    }

    /// `p WITH TABLE t [WITH | WITHOUT VALIDATION]`.
    pub(super) fn exchange_partition(&mut self) -> Outcome<AlterTableSpec> {
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
    pub(super) fn reorganize_partitions(&mut self) -> Outcome<AlterTableSpec> {
        let no_write_to_binlog = self.no_write_to_binlog();
        let (mut names, mut definitions) = (Vec::new(), Vec::new());
        if self.identifier_at(0) {
            names = self.partition_names()?;
            self.expect("INTO")?;
            definitions = self.partition_definitions()?;
        }
        Ok(AlterTableSpec::ReorganizePartitions { no_write_to_binlog, names, definitions })
    }

    /// `BETWEEN (a) AND (b) REGIONS n`, `BY (a), …`.
    pub(super) fn split_method(&mut self) -> Outcome<SplitMethod> {
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
