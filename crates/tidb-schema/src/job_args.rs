//! Arguments of the jobs whose effect is not told by the schema objects alone.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{ActionType, CIStr, Job, SchemaError, TableInfo};

/// One renamed table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RenameArgs {
    /// The schema's id before.
    pub old_schema_id: i64,
    /// The schema's name before; empty if the job does not tell.
    pub old_schema_name: CIStr,
    /// The table's name after.
    pub new_table_name: CIStr,
    /// The table's name before; empty if the job does not tell.
    pub old_table_name: CIStr,
    /// The schema's id after.
    pub new_schema_id: i64,
    /// The table's id.
    pub table_id: i64,
}

/// Arguments of `EXCHANGE PARTITION`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExchangeArgs {
    /// The partition's id before.
    pub partition_id: i64,
    /// Schema of the partitioned table.
    #[serde(rename = "pt_schema_id")]
    pub partitioned_schema_id: i64,
    /// The partitioned table.
    #[serde(rename = "pt_table_id")]
    pub partitioned_table_id: i64,
    /// The partition's name.
    pub partition_name: String,
    /// Whether rows are checked against the partition.
    pub with_validation: bool,
}

/// Version 2 arguments of `RENAME TABLES`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RenameTablesArgs {
    rename_table_infos: Vec<RenameArgs>,
}

/// Version 2 arguments of `FLASHBACK DATABASE`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct RecoverSchemaArgs {
    recover_info: RecoverSchemaInfo,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RecoverSchemaInfo {
    #[serde(rename = "RecoverTableInfos", alias = "RecoverTabsInfo")]
    tables: Option<Vec<RecoverTableInfo>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RecoverTableInfo {
    #[serde(rename = "TableInfo")]
    table_info: Option<TableInfo>,
}

impl Job {
    /// The renamed tables of a `RENAME TABLE` job (14, 47), in statement order.
    ///
    /// # Errors
    /// If the arguments are not of the form of the job's version.
    pub fn rename_args(&self) -> Result<Vec<RenameArgs>, SchemaError> {
        match (self.action, self.uses_list_args()) {
            (ActionType::RENAME_TABLES, _) if self.raw_args.is_null() => Ok(self.renames_from_history()),
            (ActionType::RENAME_TABLES, false) => {
                Ok(self.object_args::<RenameTablesArgs>()?.rename_table_infos)
            }
            (ActionType::RENAME_TABLES, true) => self.rename_tables_list(),
            (_, false) => {
                let mut args = self.object_args::<RenameArgs>()?;
                args.new_schema_id = self.schema_id;
                args.table_id = self.table_id;
                Ok(vec![args])
            }
            (_, true) => Ok(vec![RenameArgs {
                old_schema_id: self.list_arg(0)?,
                new_table_name: self.list_arg(1)?,
                old_schema_name: self.optional_list_arg(2)?.unwrap_or_default(),
                new_schema_id: self.schema_id,
                table_id: self.table_id,
                ..RenameArgs::default()
            }]),
        }
    }

    /// The renames that a job in the history still tells of: arguments are not kept there.
    fn renames_from_history(&self) -> Vec<RenameArgs> {
        let rename = |info: &TableInfo| RenameArgs {
            new_table_name: info.name.clone(),
            new_schema_id: self.schema_id,
            table_id: info.id,
            ..RenameArgs::default()
        };
        self.table_infos().iter().map(rename).collect()
    }

    /// Version 1 arguments of `RENAME TABLES`: parallel lists.
    fn rename_tables_list(&self) -> Result<Vec<RenameArgs>, SchemaError> {
        let old_schema_ids: Vec<i64> = self.list_arg(0)?;
        let new_schema_ids: Vec<i64> = self.list_arg(1)?;
        let new_table_names: Vec<CIStr> = self.list_arg(2)?;
        let table_ids: Vec<i64> = self.list_arg(3)?;
        let old_schema_names: Vec<CIStr> = self.optional_list_arg(4)?.unwrap_or_default();
        let old_table_names: Vec<CIStr> = self.optional_list_arg(5)?.unwrap_or_default();
        let pairs = table_ids.iter().enumerate().map(|(i, table_id)| {
            Some(RenameArgs {
                old_schema_id: *old_schema_ids.get(i)?,
                old_schema_name: old_schema_names.get(i).cloned().unwrap_or_default(),
                new_table_name: new_table_names.get(i)?.clone(),
                old_table_name: old_table_names.get(i).cloned().unwrap_or_default(),
                new_schema_id: *new_schema_ids.get(i)?,
                table_id: *table_id,
            })
        });
        pairs.collect::<Option<Vec<_>>>().ok_or_else(|| self.arguments_error("lists of different length"))
    }

    /// The arguments of an `EXCHANGE PARTITION` job (42).
    ///
    /// # Errors
    /// If the arguments are not of the form of the job's version.
    pub fn exchange_args(&self) -> Result<ExchangeArgs, SchemaError> {
        if !self.uses_list_args() {
            return self.object_args();
        }
        Ok(ExchangeArgs {
            partition_id: self.list_arg(0)?,
            partitioned_schema_id: self.list_arg(1)?,
            partitioned_table_id: self.list_arg(2)?,
            partition_name: self.list_arg(3)?,
            with_validation: self.optional_list_arg(4)?.unwrap_or(true),
        })
    }

    /// The tables that a `FLASHBACK DATABASE` job (63) brings back, as far as it tells.
    pub(crate) fn recovered_tables(&self) -> Result<Vec<TableInfo>, SchemaError> {
        let info: RecoverSchemaInfo = if self.uses_list_args() {
            self.optional_list_arg(0)?.unwrap_or_default()
        } else {
            self.object_args::<RecoverSchemaArgs>()?.recover_info
        };
        Ok(info.tables.unwrap_or_default().into_iter().filter_map(|table| table.table_info).collect())
    }

    /// Whether the arguments are a list (version 1), as told by what is there.
    fn uses_list_args(&self) -> bool {
        match &self.raw_args {
            Value::Array(_) => true,
            Value::Null => self.version < 2,
            _ => false,
        }
    }

    /// Version 2 arguments.
    fn object_args<T: DeserializeOwned>(&self) -> Result<T, SchemaError> {
        T::deserialize(&self.raw_args).map_err(|error| self.arguments_error(error))
    }

    /// The version 1 argument at `position`.
    fn list_arg<T: DeserializeOwned>(&self, position: usize) -> Result<T, SchemaError> {
        self.optional_list_arg(position)?
            .ok_or_else(|| self.arguments_error(format_args!("number {position} is missing")))
    }

    /// The version 1 argument at `position`, if the writer gave that many.
    fn optional_list_arg<T: DeserializeOwned>(&self, position: usize) -> Result<Option<T>, SchemaError> {
        let value = self.raw_args.get(position).filter(|value| !value.is_null());
        value.map(|value| T::deserialize(value).map_err(|error| self.arguments_error(error))).transpose()
    }

    /// An error about the arguments.
    fn arguments_error(&self, reason: impl std::fmt::Display) -> SchemaError {
        SchemaError::Arguments { job: self.id, action: self.action, reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(action: ActionType, version: i64, raw_args: Value) -> Job {
        Job { id: 9, action, version, raw_args, schema_id: 20, table_id: 30, ..Job::default() }
    }

    #[test]
    fn rename_table_reads_alike_in_both_versions() {
        let v1 = job(ActionType::RENAME_TABLE, 1, json!([10, {"O":"N","L":"n"}, {"O":"Old","L":"old"}]));
        let v2 = job(
            ActionType::RENAME_TABLE,
            2,
            json!({"old_schema_id":10,"old_schema_name":{"O":"Old","L":"old"},"new_table_name":{"O":"N","L":"n"},
                "old_table_name":{"O":"","L":""},"new_schema_id":20}),
        );
        assert_eq!(v1.rename_args().unwrap(), v2.rename_args().unwrap());
        assert_eq!(v1.rename_args().unwrap()[0].old_schema_id, 10);
    }

    #[test]
    fn rename_tables_v1_without_old_table_names_is_read() {
        let names = json!([{"O":"A","L":"a"},{"O":"B","L":"b"}]);
        let args = job(ActionType::RENAME_TABLES, 1, json!([[1, 1], [2, 2], names, [5, 6], names]));
        let args = args.rename_args().unwrap();
        assert_eq!(args.len(), 2);
        assert_eq!((args[1].table_id, args[1].old_schema_id, args[1].new_schema_id), (6, 1, 2));
        assert!(args[1].old_table_name.is_empty());
    }

    #[test]
    fn rename_tables_v2_is_read() {
        let args = job(
            ActionType::RENAME_TABLES,
            2,
            json!({"rename_table_infos":[{"old_schema_id":1,"new_table_name":{"O":"T","L":"t"},
                "new_schema_id":2,"table_id":7}]}),
        );
        assert_eq!(args.rename_args().unwrap()[0].table_id, 7);
    }

    #[test]
    fn malformed_arguments_are_named() {
        let error = job(ActionType::RENAME_TABLES, 1, json!([[1], [2], [], [5]])).rename_args().unwrap_err();
        assert!(error.to_string().contains("rename tables"), "{error}");
        assert!(job(ActionType::RENAME_TABLE, 1, Value::Null).rename_args().is_err());
    }

    #[test]
    fn exchange_partition_reads_alike_in_both_versions() {
        let v1 = job(ActionType::EXCHANGE_PARTITION, 1, json!([277, 245, 271, "p2", true]));
        let v2 = job(
            ActionType::EXCHANGE_PARTITION,
            2,
            json!({"partition_id":277,"pt_schema_id":245,"pt_table_id":271,"partition_name":"p2",
                "with_validation":true}),
        );
        assert_eq!(v1.exchange_args().unwrap(), v2.exchange_args().unwrap());
    }
}
