//! Partitions.

use super::Written;
use super::writer::Writer;
use crate::ddl::{
    IntervalPartitioning, PartitionDefinition, PartitionMethod, PartitionOptions, PartitionValue,
    PartitionValues,
};

impl Writer<'_> {
    /// `PARTITION BY …`.
    pub(super) fn partition_by(&mut self, partition: &PartitionOptions) -> Written {
        self.plain("PARTITION BY ");
        self.partition_method(&partition.method)?;
        if let Some(interval) = &partition.interval {
            self.interval_partitioning(interval)?;
        }
        if let Some(count) = partition.count
            && count > 0
            && partition.definitions.is_empty()
        {
            self.plain(" PARTITIONS ");
            self.number(count);
        }
        if let Some(sub) = &partition.subpartition {
            self.plain(" SUBPARTITION BY ");
            self.partition_method(&sub.method)?;
            let defined =
                partition.definitions.first().map_or(0, |definition| definition.subpartitions.len()) as u64;
            let count = if defined > 0 { defined } else { sub.count.unwrap_or(0) };
            if count > 0 {
                self.plain(" SUBPARTITIONS ");
                self.number(count);
            }
        }
        if !partition.definitions.is_empty() {
            self.plain(" (");
            self.separated(&partition.definitions, ",", Self::partition_definition)?;
            self.plain(")");
        }
        if !partition.update_indexes.is_empty() {
            self.plain(" UPDATE INDEXES (");
            self.separated(&partition.update_indexes, ",", |w, index| {
                w.name(&index.name);
                w.plain(if index.global { " GLOBAL" } else { " LOCAL" });
                Ok(())
            })?;
            self.plain(")");
        }
        Ok(())
    }

    /// How rows are spread.
    fn partition_method(&mut self, method: &PartitionMethod) -> Written {
        match method {
            PartitionMethod::Hash { linear, expr } => {
                self.plain(if *linear { "LINEAR HASH (" } else { "HASH (" });
                self.expr(expr)?;
            }
            PartitionMethod::Key { linear, algorithm, columns } => {
                self.plain(if *linear { "LINEAR KEY" } else { "KEY" });
                if let Some(algorithm) = algorithm {
                    self.plain(" ALGORITHM = ");
                    self.number(algorithm);
                }
                self.plain(" (");
                self.column_names(columns, ",");
            }
            PartitionMethod::Range { expr } => {
                self.plain("RANGE (");
                self.expr(expr)?;
            }
            PartitionMethod::List { expr } => {
                self.plain("LIST (");
                self.expr(expr)?;
            }
            PartitionMethod::RangeColumns { columns } => {
                self.plain("RANGE COLUMNS (");
                self.column_names(columns, ",");
            }
            PartitionMethod::ListColumns { columns } => {
                self.plain("LIST COLUMNS (");
                self.column_names(columns, ",");
            }
            PartitionMethod::SystemTime { interval, limit } => {
                self.plain("SYSTEM_TIME");
                if let Some((value, unit)) = interval {
                    self.plain(" INTERVAL ");
                    self.expr(value)?;
                    self.plain(" ");
                    self.upper(unit);
                }
                if let Some(limit) = limit {
                    self.plain(" LIMIT ");
                    self.number(limit);
                }
                return Ok(());
            }
        }
        self.plain(")");
        Ok(())
    }

    /// ` INTERVAL (…) …`.
    fn interval_partitioning(&mut self, interval: &IntervalPartitioning) -> Written {
        self.plain(" INTERVAL (");
        self.expr(&interval.interval)?;
        if let Some(unit) = &interval.unit {
            self.plain(" ");
            self.plain(unit);
        }
        self.plain(")");
        if let Some((first, last)) = &interval.ends {
            self.plain(" FIRST PARTITION LESS THAN (");
            self.expr(first)?;
            self.plain(") LAST PARTITION LESS THAN (");
            self.expr(last)?;
            self.plain(")");
        }
        if interval.null_partition {
            self.plain(" NULL PARTITION");
        }
        if interval.maxvalue_partition {
            self.plain(" MAXVALUE PARTITION");
        }
        Ok(())
    }

    /// A partition's definition.
    pub(super) fn partition_definition(&mut self, definition: &PartitionDefinition) -> Written {
        self.plain("PARTITION ");
        self.name(&definition.name);
        self.partition_values(&definition.values)?;
        for option in &definition.options {
            self.plain(" ");
            self.table_option(option)?;
        }
        if !definition.subpartitions.is_empty() {
            self.plain(" (");
            self.separated(&definition.subpartitions, ",", |w, sub| {
                w.plain("SUBPARTITION ");
                w.name(&sub.name);
                for option in &sub.options {
                    w.plain(" ");
                    w.table_option(option)?;
                }
                Ok(())
            })?;
            self.plain(")");
        }
        Ok(())
    }

    /// ` VALUES …`.
    fn partition_values(&mut self, values: &PartitionValues) -> Written {
        match values {
            PartitionValues::None => {}
            PartitionValues::Default => self.plain(" DEFAULT"),
            PartitionValues::History(history) => self.plain(if *history { " HISTORY" } else { " CURRENT" }),
            PartitionValues::LessThan(bounds) => {
                self.plain(" VALUES LESS THAN ");
                self.in_parentheses(|w| w.separated(bounds, ", ", Self::partition_value))?;
            }
            PartitionValues::In(members) => {
                if let [member] = members.as_slice()
                    && let [PartitionValue::Default] = member.as_slice()
                {
                    self.plain(" DEFAULT");
                    return Ok(());
                }
                self.plain(" VALUES IN ");
                self.in_parentheses(|w| {
                    w.separated(members, ", ", |w, member| match member.as_slice() {
                        [value] => w.partition_value(value),
                        values => w.in_parentheses(|w| w.separated(values, ", ", Self::partition_value)),
                    })
                })?;
            }
        }
        Ok(())
    }

    /// A bound or list member.
    fn partition_value(&mut self, value: &PartitionValue) -> Written {
        match value {
            PartitionValue::MaxValue => self.plain("MAXVALUE"),
            PartitionValue::Default => self.plain("DEFAULT"),
            PartitionValue::Expr(expr) => self.expr(expr)?,
        }
        Ok(())
    }
}
