//! `PARTITION BY` and partition definitions.

use sqlparser::ast::Expr;

use super::cursor::{Outcome, Parser};
use crate::ddl::{
    ColumnName, IntervalPartitioning, PartitionDefinition, PartitionMethod, PartitionOptions, PartitionValue,
    PartitionValues, SubPartition, SubPartitionDefinition, TableOption, UpdateIndexSpec,
};
use crate::lexer::Symbol;

impl Parser<'_> {
    /// `PARTITION BY …`.
    pub(super) fn partition_by(&mut self) -> Outcome<PartitionOptions> {
        self.expect_all(&["PARTITION", "BY"])?;
        let method = self.partition_method()?;
        let interval = match self.is_keyword("INTERVAL") {
            true => Some(self.interval_partitioning()?),
            false => None,
        };
        let mut count = if self.eat("PARTITIONS") { Some(self.number()?) } else { None };
        let subpartition = match self.eat_all(&["SUBPARTITION", "BY"]) {
            true => {
                let method = self.partition_method()?;
                let count = if self.eat("SUBPARTITIONS") { Some(self.number()?) } else { None };
                Some(SubPartition { method, count })
            }
            false => None,
        };
        let definitions = match self.is_symbol(Symbol::LeftParen) && self.keyword_at(1, "PARTITION") {
            true => self.paren_list(Self::partition_definition)?,
            false => Vec::new(),
        };
        let update_indexes = match self.eat_all(&["UPDATE", "INDEXES"]) {
            true => self.paren_list(Self::update_index)?,
            false => Vec::new(),
        };
        self.check_partitions(&method, interval.is_some(), &mut count, &definitions)?;
        Ok(PartitionOptions { method, interval, count, subpartition, definitions, update_indexes })
    }

    /// Fills the number of partitions in, and refuses ranges and lists without any.
    fn check_partitions(
        &self,
        method: &PartitionMethod,
        interval: bool,
        count: &mut Option<u64>,
        definitions: &[PartitionDefinition],
    ) -> Outcome<()> {
        match method {
            PartitionMethod::Hash { .. } | PartitionMethod::Key { .. } => {
                if definitions.is_empty() {
                    *count = count.or(Some(1));
                }
                Ok(())
            }
            PartitionMethod::SystemTime { .. } => Ok(()),
            _ if definitions.is_empty() && !interval => self.refuse(" partitions must be defined"),
            _ => Ok(()),
        }
    }

    /// `HASH (…)`, `KEY (…)`, `RANGE …`, `LIST …`, `SYSTEM_TIME …`.
    fn partition_method(&mut self) -> Outcome<PartitionMethod> {
        let linear = self.eat("LINEAR");
        let words: &[&'static str] =
            if linear { &["HASH", "KEY"] } else { &["HASH", "KEY", "RANGE", "LIST", "SYSTEM_TIME"] };
        Ok(match self.expect_one_of(words)? {
            "HASH" => PartitionMethod::Hash { linear, expr: self.parenthesized(Self::expr)? },
            "KEY" => {
                let algorithm = match self.eat("ALGORITHM") {
                    true => {
                        self.eat_equal();
                        Some(self.number()?)
                    }
                    false => None,
                };
                PartitionMethod::Key { linear, algorithm, columns: self.optional_columns()? }
            }
            "RANGE" if self.eat_one_of(&["COLUMNS", "FIELDS"]).is_some() => {
                PartitionMethod::RangeColumns { columns: self.paren_list(Self::column_name)? }
            }
            "RANGE" => PartitionMethod::Range { expr: self.parenthesized(Self::expr)? },
            "LIST" if self.eat_one_of(&["COLUMNS", "FIELDS"]).is_some() => {
                PartitionMethod::ListColumns { columns: self.paren_list(Self::column_name)? }
            }
            "LIST" => PartitionMethod::List { expr: self.parenthesized(Self::expr)? },
            _ => {
                let interval = match self.eat("INTERVAL") {
                    true => {
                        let value = self.expr()?;
                        Some((value, self.time_unit()?.to_string()))
                    }
                    false => None,
                };
                let limit = if self.eat("LIMIT") { Some(self.number()?) } else { None };
                PartitionMethod::SystemTime { interval, limit }
            }
        })
    }

    /// `(columns)` or `()`.
    fn optional_columns(&mut self) -> Outcome<Vec<ColumnName>> {
        self.expect_symbol(Symbol::LeftParen)?;
        let columns =
            if self.is_symbol(Symbol::RightParen) { Vec::new() } else { self.comma_list(Self::column_name)? };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(columns)
    }

    /// `INTERVAL (step [unit]) [FIRST PARTITION LESS THAN (a) LAST PARTITION LESS THAN (b)] [NULL PARTITION]
    /// [MAXVALUE PARTITION]`.
    fn interval_partitioning(&mut self) -> Outcome<IntervalPartitioning> {
        self.expect("INTERVAL")?;
        self.expect_symbol(Symbol::LeftParen)?;
        let interval = self.expr()?;
        let unit = match self.is_symbol(Symbol::RightParen) {
            true => None,
            false => Some(self.time_unit()?.to_string().to_ascii_uppercase()),
        };
        self.expect_symbol(Symbol::RightParen)?;
        let ends = match self.eat("FIRST") {
            true => {
                let first = self.boundary()?;
                self.expect("LAST")?;
                Some((first, self.boundary()?))
            }
            false => None,
        };
        let null_partition = self.eat_all(&["NULL", "PARTITION"]);
        let maxvalue_partition = self.eat_all(&["MAXVALUE", "PARTITION"]);
        Ok(IntervalPartitioning { interval, unit, ends, null_partition, maxvalue_partition })
    }

    /// `PARTITION LESS THAN (expr)`.
    pub(super) fn boundary(&mut self) -> Outcome<Expr> {
        self.expect_all(&["PARTITION", "LESS", "THAN"])?;
        self.parenthesized(Self::expr)
    }

    /// `(definitions)`.
    pub(super) fn partition_definitions(&mut self) -> Outcome<Vec<PartitionDefinition>> {
        self.paren_list(Self::partition_definition)
    }

    /// `PARTITION name [VALUES …] [options] [(subpartitions)]`.
    fn partition_definition(&mut self) -> Outcome<PartitionDefinition> {
        self.expect("PARTITION")?;
        let name = self.identifier()?;
        let values = self.partition_values()?;
        let options = self.partition_options()?;
        let subpartitions = match self.is_symbol(Symbol::LeftParen) {
            true => self.paren_list(|p| {
                p.expect("SUBPARTITION")?;
                Ok(SubPartitionDefinition { name: p.identifier()?, options: p.partition_options()? })
            })?,
            false => Vec::new(),
        };
        Ok(PartitionDefinition { name, values, options, subpartitions })
    }

    /// `VALUES LESS THAN …`, `VALUES IN …`, `DEFAULT`, `HISTORY`, `CURRENT`.
    fn partition_values(&mut self) -> Outcome<PartitionValues> {
        if self.eat_all(&["VALUES", "LESS", "THAN"]) {
            if self.eat("MAXVALUE") {
                return Ok(PartitionValues::LessThan(vec![PartitionValue::MaxValue]));
            }
            return self.paren_list(Self::partition_value).map(PartitionValues::LessThan);
        }
        if self.eat_all(&["VALUES", "IN"]) {
            return self.paren_list(Self::list_member).map(PartitionValues::In);
        }
        if self.is_keyword("DEFAULT") && !self.keyword_at(1, "CHARACTER") && !self.keyword_at(1, "COLLATE") {
            self.advance();
            return Ok(PartitionValues::Default);
        }
        Ok(match self.eat_one_of(&["HISTORY", "CURRENT"]) {
            Some(word) => PartitionValues::History(word == "HISTORY"),
            None => PartitionValues::None,
        })
    }

    /// `MAXVALUE`, `DEFAULT` or an expression.
    fn partition_value(&mut self) -> Outcome<PartitionValue> {
        if self.eat("MAXVALUE") {
            return Ok(PartitionValue::MaxValue);
        }
        if self.is_keyword("DEFAULT") && !self.symbol_at(1, Symbol::LeftParen) {
            self.advance();
            return Ok(PartitionValue::Default);
        }
        self.expr().map(PartitionValue::Expr)
    }

    /// A value, or values of several columns in parentheses.
    fn list_member(&mut self) -> Outcome<Vec<PartitionValue>> {
        if !self.is_symbol(Symbol::LeftParen) {
            return self.partition_value().map(|value| vec![value]);
        }
        let position = self.position();
        let values = self.paren_list(Self::partition_value)?;
        if self.is_symbol(Symbol::Comma) || self.is_symbol(Symbol::RightParen) {
            return Ok(values);
        }
        // an expression that starts with a parenthesis
        self.reset(position);
        self.partition_value().map(|value| vec![value])
    }

    /// Options of a partition.
    fn partition_options(&mut self) -> Outcome<Vec<TableOption>> {
        let mut options = Vec::new();
        while !self.is_symbol(Symbol::Comma) {
            match self.table_option()? {
                Some(option) => options.push(option),
                None => break,
            }
        }
        Ok(options)
    }

    /// `name {GLOBAL | LOCAL}`.
    fn update_index(&mut self) -> Outcome<UpdateIndexSpec> {
        let name = self.identifier()?;
        let global = self.expect_one_of(&["GLOBAL", "LOCAL"])? == "GLOBAL";
        Ok(UpdateIndexSpec { name, global })
    }

    /// Partition names with commas between.
    pub(super) fn partition_names(&mut self) -> Outcome<Vec<String>> {
        self.comma_list(Self::identifier)
    }
}
