//! Changes of partitions and short changes of `ALTER TABLE`.

use super::Written;
use super::alter::{algorithm_name, lock_name};
use super::writer::{Writer, unsupported};
use crate::ddl::{AlterTableSpec, PartitionBoundary, PartitionSelection, TiFlashReplica};

impl Writer<'_> {
    /// Changes of partitions; then the short ones.
    pub(super) fn alter_partitions(&mut self, spec: &AlterTableSpec) -> Written {
        match spec {
            AlterTableSpec::AddPartitions { if_not_exists, no_write_to_binlog, definitions, count } => {
                self.plain("ADD PARTITION");
                if *if_not_exists {
                    self.special_words(" IF NOT EXISTS");
                }
                self.plain(if *no_write_to_binlog { " NO_WRITE_TO_BINLOG" } else { "" });
                if let Some(count) = count {
                    self.plain(" PARTITIONS ");
                    self.number(count);
                } else if !definitions.is_empty() {
                    self.plain(" (");
                    self.separated(definitions, ", ", Self::partition_definition)?;
                    self.plain(")");
                }
            }
            AlterTableSpec::MoveBoundary { boundary, merge_or_split, bound, no_write_to_binlog } => {
                self.plain(match (boundary, merge_or_split) {
                    (PartitionBoundary::First, false) => "FIRST PARTITION LESS THAN (",
                    (PartitionBoundary::First, true) => "MERGE FIRST PARTITION LESS THAN (",
                    (PartitionBoundary::Last, false) => "LAST PARTITION LESS THAN (",
                    (PartitionBoundary::Last, true) => "SPLIT MAXVALUE PARTITION LESS THAN (",
                });
                self.expr(bound)?;
                self.plain(")");
                self.plain(if *no_write_to_binlog && !merge_or_split { " NO_WRITE_TO_BINLOG" } else { "" });
            }
            AlterTableSpec::DropPartitions { if_exists, names } => {
                self.plain("DROP PARTITION ");
                self.if_exists(*if_exists);
                self.names(names, ",");
            }
            AlterTableSpec::TruncatePartitions(selection) => self.selection("TRUNCATE PARTITION ", selection),
            AlterTableSpec::CoalescePartitions { count, no_write_to_binlog } => {
                self.plain("COALESCE PARTITION ");
                self.plain(if *no_write_to_binlog { "NO_WRITE_TO_BINLOG " } else { "" });
                self.number(count);
            }
            AlterTableSpec::ReorganizePartitions { no_write_to_binlog, names, definitions } => {
                self.plain("REORGANIZE PARTITION");
                self.plain(if *no_write_to_binlog { " NO_WRITE_TO_BINLOG" } else { "" });
                if !names.is_empty() {
                    self.plain(" ");
                    self.names(names, ",");
                    self.plain(" INTO (");
                    self.separated(definitions, ", ", Self::partition_definition)?;
                    self.plain(")");
                }
            }
            AlterTableSpec::ExchangePartition { name, table, validation } => {
                self.plain("EXCHANGE PARTITION ");
                self.name(name);
                self.plain(" WITH TABLE ");
                self.table_name(table);
                self.plain(if *validation { "" } else { " WITHOUT VALIDATION" });
            }
            AlterTableSpec::MaintainPartitions { verb, no_write_to_binlog, partitions } => {
                self.plain(verb);
                let words =
                    if *no_write_to_binlog { " PARTITION NO_WRITE_TO_BINLOG " } else { " PARTITION " };
                self.selection(words, partitions);
            }
            AlterTableSpec::PartitionTablespace { import, partitions } => {
                self.selection(if *import { "IMPORT PARTITION " } else { "DISCARD PARTITION " }, partitions);
                self.plain(" TABLESPACE");
            }
            AlterTableSpec::PartitionBy(partition) => self.partition_by(partition)?,
            AlterTableSpec::PartitionOptions { name, options } => {
                self.special_statement("placement", |w| {
                    w.plain("PARTITION ");
                    w.name(name);
                    w.plain(" ");
                    w.separated(options, " ", Self::placement)
                })?;
            }
            AlterTableSpec::PartitionAttributes { name, attributes } => {
                self.plain("PARTITION ");
                self.name(name);
                self.plain(" ");
                self.attributes("ATTRIBUTES", attributes);
            }
            other => return self.alter_flag(other),
        }
        Ok(())
    }

    /// Words and partitions.
    pub(super) fn selection(&mut self, words: &str, selection: &PartitionSelection) {
        self.plain(words);
        match selection {
            PartitionSelection::All => self.plain("ALL"),
            PartitionSelection::Names(names) => self.names(names, ","),
        }
    }

    /// `name='text'`, `name=DEFAULT`.
    pub(super) fn attributes(&mut self, name: &str, attributes: &Option<String>) {
        self.plain(name);
        self.plain("=");
        match attributes {
            Some(text) => self.string(text),
            None => self.plain("DEFAULT"),
        }
    }

    /// Short changes.
    pub(super) fn alter_flag(&mut self, spec: &AlterTableSpec) -> Written {
        match spec {
            AlterTableSpec::RemovePartitioning => self.plain("REMOVE PARTITIONING"),
            AlterTableSpec::Tablespace { import } => {
                self.plain(if *import { "IMPORT TABLESPACE" } else { "DISCARD TABLESPACE" });
            }
            AlterTableSpec::Attributes(text) => self.attributes("ATTRIBUTES", text),
            AlterTableSpec::StatsOptions(text) => self.attributes("STATS_OPTIONS", text),
            // TiDB forgets the word HYPO.
            AlterTableSpec::SetTiFlashReplica(replica) | AlterTableSpec::SetHypoTiFlashReplica(replica) => {
                self.tiflash_replica(replica);
            }
            AlterTableSpec::Cache(on) => self.plain(if *on { "CACHE" } else { "NOCACHE" }),
            AlterTableSpec::RemoveTtl => {
                return self.special("ttl", |w| {
                    w.plain("REMOVE TTL");
                    Ok(())
                });
            }
            AlterTableSpec::Lock(lock) => {
                self.plain("LOCK = ");
                self.plain(lock_name(*lock));
            }
            AlterTableSpec::Algorithm(algorithm) => {
                self.plain("ALGORITHM = ");
                self.plain(algorithm_name(*algorithm));
            }
            AlterTableSpec::Writable(write) => self.plain(if *write { "READ WRITE" } else { "READ ONLY" }),
            AlterTableSpec::Force => self.plain("FORCE /* AlterTableForce is not supported */ "),
            AlterTableSpec::Validation(with) => {
                self.plain(if *with { "WITH VALIDATION" } else { "WITHOUT VALIDATION" })
            }
            AlterTableSpec::Keys(enable) => self.plain(if *enable { "ENABLE KEYS" } else { "DISABLE KEYS" }),
            AlterTableSpec::SecondaryLoad(load) => {
                self.plain(if *load { "SECONDARY_LOAD" } else { "SECONDARY_UNLOAD" });
            }
            _ => return unsupported("this change of a table"),
        }
        Ok(())
    }

    /// `SET TIFLASH REPLICA …`.
    pub(super) fn tiflash_replica(&mut self, replica: &TiFlashReplica) {
        self.plain("SET TIFLASH REPLICA ");
        self.number(replica.count);
        for (i, label) in replica.labels.iter().enumerate() {
            self.plain(if i == 0 { " LOCATION LABELS " } else { ", " });
            self.string(label);
        }
    }
}
