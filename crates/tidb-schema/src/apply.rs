//! Moving a snapshot forward by DDL jobs.

use std::sync::Arc;

use crate::{
    ActionType, DbInfo, DdlEffect, DdlEvent, DdlText, IgnoreReason, Job, SchemaError, SchemaSnapshot,
    TableChange, TableInfo, TableVersion, statement,
};

impl SchemaSnapshot {
    /// Applies a job whose row, in state done, was committed at `finished_ts`. Jobs must come in order of
    /// (`finished_ts`, schema version); those that the snapshot has already, and those that changed nothing, are
    /// ignored and say so in [`DdlEffect::ignored`].
    ///
    /// # Errors
    /// If the job lacks what its kind needs or names an unknown database or table. The snapshot is then unchanged.
    pub fn apply(&mut self, job: &Job, finished_ts: u64) -> Result<DdlEffect, SchemaError> {
        if let Some(reason) = self.reason_to_skip(job, finished_ts) {
            return Ok(DdlEffect::none(job, finished_ts, reason));
        }
        let mut next = self.clone();
        let step = Step { job, finished_ts };
        let changes = step.change(&mut next)?;
        let mut effect = DdlEffect::none(job, finished_ts, IgnoreReason::NotForwarded);
        if job.action.is_forwarded() {
            effect.events = step.events(&next, &changes)?;
            effect.ignored = effect.events.is_empty().then_some(IgnoreReason::NoChange);
        } else if job.action.name().is_none() {
            tracing::warn!(
                job = job.id,
                action = job.action.0,
                query = job.query,
                "DDL of an unknown kind is ignored"
            );
            effect.ignored = Some(IgnoreReason::UnknownAction);
        }
        effect.changes = changes;
        next.ts = finished_ts;
        next.applied_version = job.schema_version();
        *self = next;
        Ok(effect)
    }

    /// Why a job does not apply, if it does not.
    fn reason_to_skip(&self, job: &Job, finished_ts: u64) -> Option<IgnoreReason> {
        if !job.is_done() {
            return Some(IgnoreReason::NotDone);
        }
        if job.schema_version() == 0 {
            return Some(IgnoreReason::NoChange);
        }
        if (finished_ts, job.schema_version()) <= (self.ts, self.applied_version) {
            return Some(IgnoreReason::Applied);
        }
        let exists = |info: &TableInfo| self.table(info.id).is_some_and(|table| table.info.state.is_public());
        let is_duplicate = match job.action {
            ActionType::CREATE_TABLE => job.table_info().is_some_and(exists),
            ActionType::CREATE_TABLES => {
                !job.table_infos().is_empty() && job.table_infos().iter().all(exists)
            }
            _ => false,
        };
        is_duplicate.then_some(IgnoreReason::Duplicate)
    }
}

/// One job on its way into a snapshot.
struct Step<'a> {
    job: &'a Job,
    finished_ts: u64,
}

impl Step<'_> {
    /// Changes `next` and tells which tables were concerned, in statement order.
    fn change(&self, next: &mut SchemaSnapshot) -> Result<Vec<TableChange>, SchemaError> {
        match self.job.action {
            ActionType::CREATE_SCHEMA
            | ActionType::MODIFY_SCHEMA_CHARSET
            | ActionType::MODIFY_SCHEMA_PLACEMENT
            | ActionType::MODIFY_SCHEMA_READ_ONLY => {
                if let Some(info) = self.job.db_info() {
                    next.put_schema(info.clone());
                }
                Ok(Vec::new())
            }
            ActionType::DROP_SCHEMA => Ok(self.drop_schema(next)),
            ActionType::RECOVER_SCHEMA => self.recover_schema(next),
            ActionType::DROP_TABLE | ActionType::DROP_VIEW | ActionType::DROP_SEQUENCE => {
                let before = next
                    .remove_table(self.job.table_id)
                    .ok_or_else(|| self.unknown_table(self.job.table_id))?;
                Ok(vec![TableChange { before: Some(before), after: None }])
            }
            ActionType::CREATE_TABLES => self.create_tables(next),
            ActionType::RENAME_TABLES => self.rename_tables(next),
            ActionType::EXCHANGE_PARTITION => self.exchange_partition(next),
            action => match self.job.table_info() {
                Some(info) => {
                    Ok(vec![self.replace(next, self.job.table_id, self.job.schema_id, info.clone())?])
                }
                None if action.is_forwarded() => Err(self.missing("table info")),
                None => Ok(Vec::new()),
            },
        }
    }

    /// Puts `info` in the place of the table with id `old_id`, which may be new, or of another id (truncate,
    /// re-partition), or in another database (rename), or the replaced view of the same name.
    fn replace(
        &self,
        next: &mut SchemaSnapshot,
        old_id: i64,
        schema_id: i64,
        info: TableInfo,
    ) -> Result<TableChange, SchemaError> {
        let db = self.schema(next, schema_id)?;
        let mut before = next.remove_table(old_id);
        if before.is_none() || old_id != info.id {
            before = before.or_else(|| next.remove_table(info.id));
        }
        if self.job.action == ActionType::CREATE_VIEW {
            let replaced = next.table_by_name(&db.name.l, &info.name.l).map(|view| view.info.id);
            before = before.or_else(|| replaced.and_then(|id| next.remove_table(id)));
        }
        let after = next.put_table(TableVersion::new(&db, info, self.finished_ts));
        Ok(TableChange { before, after: Some(after) })
    }

    /// Takes a database out with its tables.
    fn drop_schema(&self, next: &mut SchemaSnapshot) -> Vec<TableChange> {
        let tables = next.tables_of(self.job.schema_id);
        let changes = tables.iter().filter_map(|table| next.remove_table(table.info.id));
        let changes = changes.map(|before| TableChange { before: Some(before), after: None }).collect();
        next.remove_schema(self.job.schema_id);
        changes
    }

    /// Brings a dropped database back with its tables.
    fn recover_schema(&self, next: &mut SchemaSnapshot) -> Result<Vec<TableChange>, SchemaError> {
        let Some(db) = self.job.db_info() else { return Ok(Vec::new()) };
        next.put_schema(db.clone());
        let tables = self.job.recovered_tables()?;
        tables.into_iter().map(|info| self.replace(next, info.id, db.id, info)).collect()
    }

    /// Adds several tables of one statement batch.
    fn create_tables(&self, next: &mut SchemaSnapshot) -> Result<Vec<TableChange>, SchemaError> {
        let infos = self.job.table_infos();
        if infos.is_empty() {
            return Err(self.missing("list of tables"));
        }
        infos.iter().map(|info| self.replace(next, info.id, self.job.schema_id, info.clone())).collect()
    }

    /// Renames several tables. All leave before any arrives: names may be swapped.
    fn rename_tables(&self, next: &mut SchemaSnapshot) -> Result<Vec<TableChange>, SchemaError> {
        let args = self.job.rename_args()?;
        let mut removed = Vec::with_capacity(args.len());
        for rename in &args {
            let before =
                next.remove_table(rename.table_id).ok_or_else(|| self.unknown_table(rename.table_id))?;
            removed.push(before);
        }
        let mut changes = Vec::with_capacity(args.len());
        for (rename, before) in args.iter().zip(removed) {
            let given = self.job.table_infos().iter().find(|info| info.id == rename.table_id);
            let mut info = given.unwrap_or(&before.info).clone();
            info.name = rename.new_table_name.clone();
            let db = self.schema(next, rename.new_schema_id)?;
            let after = next.put_table(TableVersion::new(&db, info, self.finished_ts));
            changes.push(TableChange { before: Some(before), after: Some(after) });
        }
        Ok(changes)
    }

    /// Swaps a partition with a table: the ids keep their rows and change owners. The first change is that of the
    /// table without partitions.
    fn exchange_partition(&self, next: &mut SchemaSnapshot) -> Result<Vec<TableChange>, SchemaError> {
        let partitioned = self.job.table_info().ok_or_else(|| self.missing("table info"))?;
        let unknown = |id| self.unknown_table(id);
        let table = next.remove_table(self.job.table_id).ok_or_else(|| unknown(self.job.table_id))?;
        let before = next.remove_table(partitioned.id).ok_or_else(|| unknown(partitioned.id))?;
        let now = partitioned.physical_ids();
        let given = before.info.physical_ids().into_iter().find(|id| !now.contains(id));
        let mut info = table.info.clone();
        info.id = given.ok_or_else(|| self.missing("partition that was exchanged"))?;
        info.exchange_partition_info = serde_json::Value::Null;
        let (table_db, db) = (self.schema(next, table.schema_id)?, self.schema(next, before.schema_id)?);
        let after = next.put_table(TableVersion::new(&db, partitioned.clone(), self.finished_ts));
        let table_after = next.put_table(TableVersion::new(&table_db, info, self.finished_ts));
        Ok(vec![
            TableChange { before: Some(table), after: Some(table_after) },
            TableChange { before: Some(before), after: Some(after) },
        ])
    }

    /// The messages for consumers.
    fn events(&self, next: &SchemaSnapshot, changes: &[TableChange]) -> Result<Vec<DdlEvent>, SchemaError> {
        if self.job.action.is_schema_level() {
            let db = self.job.db_info().map(|info| info.name.o.clone());
            let name = db.or_else(|| next.schema(self.job.schema_id).map(|db| db.name.o.clone()));
            let name = name.ok_or_else(|| self.missing("database info"))?;
            return Ok(vec![self.event(name, String::new(), DdlText::Query, None)]);
        }
        if self.job.action == ActionType::EXCHANGE_PARTITION {
            let [table, partitioned] = changes else { return Ok(Vec::new()) };
            return self.exchange_event(table, partitioned).map(|event| event.into_iter().collect());
        }
        let several = changes.len() > 1;
        Ok(changes
            .iter()
            .enumerate()
            .filter_map(|(i, change)| self.table_event(i, several, change))
            .collect())
    }

    /// The message for one table.
    fn table_event(&self, position: usize, several: bool, change: &TableChange) -> Option<DdlEvent> {
        let latest = change.latest()?;
        let (schema, table) = (latest.schema_name(), latest.table_name());
        let old_name = change.before.as_ref().map(|before| (before.schema_name(), before.table_name()));
        let text = match self.job.action {
            ActionType::CREATE_TABLES => DdlText::Statement(position),
            ActionType::RENAME_TABLE | ActionType::RENAME_TABLES => {
                let several = several || self.job.action == ActionType::RENAME_TABLES;
                DdlText::Rebuilt(statement::rename_table(self.old_name(old_name), (schema, table), several))
            }
            ActionType::DROP_TABLE => DdlText::Rebuilt(statement::drop_table(schema, table)),
            ActionType::DROP_VIEW => DdlText::Rebuilt(statement::drop_view(schema, table)),
            _ => DdlText::Query,
        };
        let mut event = self.event(schema.to_owned(), table.to_owned(), text, Some(change.clone()));
        if matches!(self.job.action, ActionType::RENAME_TABLE | ActionType::RENAME_TABLES) {
            let (schema, table) = self.old_name(old_name);
            event.old_name = Some((schema.to_owned(), table.to_owned()));
        }
        Some(event)
    }

    /// The name before a rename: as known, or as the job has it.
    fn old_name<'n>(&'n self, known: Option<(&'n str, &'n str)>) -> (&'n str, &'n str) {
        known.unwrap_or((&self.job.schema_name, &self.job.table_name))
    }

    /// The message of an `EXCHANGE PARTITION`.
    fn exchange_event(
        &self,
        table: &TableChange,
        partitioned: &TableChange,
    ) -> Result<Option<DdlEvent>, SchemaError> {
        let (Some(after), Some(owner)) = (table.after.as_ref(), partitioned.before.as_ref()) else {
            return Ok(None);
        };
        let args = self.job.exchange_args().unwrap_or_default();
        let definitions = owner.info.enabled_partition().map(|partition| partition.definitions.as_slice());
        let definition =
            definitions.unwrap_or_default().iter().find(|definition| definition.id == after.info.id);
        let partition =
            definition.map_or(args.partition_name.as_str(), |definition| definition.name.o.as_str());
        let name = (after.schema_name(), after.table_name());
        let owner_name = (owner.schema_name(), owner.table_name());
        let validated = self.job.raw_args.is_null() || args.with_validation;
        let text = statement::exchange_partition(owner_name, partition, name, validated);
        let change = Some(table.clone());
        Ok(Some(self.event(name.0.to_owned(), name.1.to_owned(), DdlText::Rebuilt(text), change)))
    }

    /// A message with what all have in common.
    fn event(&self, schema: String, table: String, text: DdlText, change: Option<TableChange>) -> DdlEvent {
        DdlEvent {
            action: self.job.action,
            finished_ts: self.finished_ts,
            schema,
            table,
            old_name: None,
            text,
            query: Arc::from(self.job.query.as_str()),
            sql_mode: self.job.sql_mode,
            charset: self.job.charset.clone(),
            collate: self.job.collate.clone(),
            cdc_write_source: self.job.cdc_write_source,
            bdr_role: self.job.bdr_role.clone(),
            change,
        }
    }

    /// The database with this id.
    fn schema(&self, snapshot: &SchemaSnapshot, id: i64) -> Result<Arc<DbInfo>, SchemaError> {
        let unknown = || SchemaError::UnknownSchema { job: self.job.id, action: self.job.action, schema: id };
        snapshot.schema(id).cloned().ok_or_else(unknown)
    }

    /// An error about a table.
    fn unknown_table(&self, table: i64) -> SchemaError {
        SchemaError::UnknownTable { job: self.job.id, action: self.job.action, table }
    }

    /// An error about an incomplete job.
    fn missing(&self, what: &'static str) -> SchemaError {
        SchemaError::MissingInfo { job: self.job.id, action: self.job.action, what }
    }
}
