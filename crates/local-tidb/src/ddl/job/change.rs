//! What jobs change: in the meta keys, in the job itself, in the schema in memory.

use serde_json::json;
use tidb_schema::{CIStr, DbInfo, HistoryInfo, Job, SchemaState, TableInfo};

use crate::catalog::Schema;
use crate::ddl::meta::{Meta, SchemaDiff};
use tidb_expr::Result;

/// What a job changes.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// A new database.
    CreateDatabase(DbInfo),
    /// Another default collation.
    AlterDatabase(DbInfo),
    /// A database goes with its tables.
    DropDatabase {
        /// The database.
        db: DbInfo,
        /// Ids of its tables.
        tables: Vec<i64>,
    },
    /// A new table.
    CreateTable {
        /// Its database.
        db: DbInfo,
        /// Its description.
        info: TableInfo,
    },
    /// A table goes.
    DropTable {
        /// Its database.
        db: DbInfo,
        /// Its description.
        info: TableInfo,
    },
    /// A table gets a new id and loses its rows.
    TruncateTable {
        /// Its database.
        db: DbInfo,
        /// Its description, with the new id.
        info: TableInfo,
        /// The old id.
        old_id: i64,
    },
    /// Columns, keys or options change.
    UpdateTable {
        /// Its database.
        db: DbInfo,
        /// The new description.
        info: TableInfo,
        /// Ids of keys whose entries are to be written for the rows that are there.
        backfill: Vec<i64>,
        /// State that the job ends with: public for additions, none for removals.
        end: SchemaState,
    },
    /// Tables get other names, perhaps in other databases.
    RenameTables(Vec<Renamed>),
}

/// One table of a renaming.
#[derive(Debug, Clone)]
pub(crate) struct Renamed {
    /// Database before.
    pub(crate) old_db: DbInfo,
    /// Name before.
    pub(crate) old_name: CIStr,
    /// Database after.
    pub(crate) new_db: DbInfo,
    /// The description with the new name.
    pub(crate) info: TableInfo,
}

/// Marks descriptions as changed at a timestamp.
pub(super) fn stamp(change: &mut Change, ts: u64) {
    match change {
        Change::CreateTable { info, .. } | Change::TruncateTable { info, .. } => {
            info.update_timestamp = ts;
            info.state = SchemaState::PUBLIC;
        }
        Change::UpdateTable { info, .. } => {
            info.update_timestamp = ts;
            info.revision += 1;
        }
        Change::DropTable { info, .. } => info.state = SchemaState::NONE,
        Change::RenameTables(tables) => {
            for table in tables {
                table.info.update_timestamp = ts;
                table.info.revision += 1;
            }
        }
        Change::CreateDatabase(db) => db.state = SchemaState::PUBLIC,
        Change::DropDatabase { db, .. } => db.state = SchemaState::NONE,
        Change::AlterDatabase(_) => {}
    }
}

/// Writes the change to the meta keys and its outcome into the job; returns the new schema version.
pub(super) async fn apply(meta: &mut Meta<'_>, job: &mut Job, change: &Change) -> Result<i64> {
    let mut diff = SchemaDiff {
        action: job.action.0,
        schema_id: job.schema_id,
        table_id: job.table_id,
        ..SchemaDiff::default()
    };
    let mut binlog = HistoryInfo::default();
    job.schema_state = SchemaState::PUBLIC;
    match change {
        Change::CreateDatabase(db) => {
            meta.put_database(db)?;
            binlog.db_info = Some(db.clone());
            job.raw_args = json!({ "db_info": db });
        }
        Change::AlterDatabase(db) => {
            meta.put_database(db)?;
            binlog.db_info = Some(db.clone());
        }
        Change::DropDatabase { db, tables } => {
            for id in tables {
                meta.remove_table(db.id, *id)?;
            }
            meta.remove_database(db.id)?;
            binlog.db_info = Some(db.clone());
            job.raw_args = json!({ "all_dropped_table_ids": tables });
            job.schema_state = SchemaState::NONE;
        }
        Change::CreateTable { db, info } => {
            meta.put_table(db.id, info)?;
            if info.auto_inc_id > 1 {
                meta.put_auto_id(db.id, info.id, info.auto_inc_id - 1)?;
            }
            binlog.table_info = Some(info.clone());
            job.raw_args = json!({ "table_info": info, "fk_check": true });
        }
        Change::DropTable { db, info } => {
            meta.remove_table(db.id, info.id)?;
            binlog.table_info = Some(info.clone());
            job.schema_state = SchemaState::NONE;
        }
        Change::TruncateTable { db, info, old_id } => {
            meta.remove_table(db.id, *old_id)?;
            meta.put_table(db.id, info)?;
            diff.table_id = info.id;
            diff.old_table_id = *old_id;
            binlog.table_info = Some(info.clone());
            job.raw_args = json!({ "fk_check": true, "new_table_id": info.id });
        }
        Change::UpdateTable { db, info, end, .. } => {
            meta.put_table(db.id, info)?;
            binlog.table_info = Some(info.clone());
            job.schema_state = *end;
        }
        Change::RenameTables(tables) => {
            for table in tables {
                rename(meta, table).await?;
            }
            if let [one] = tables.as_slice() {
                diff.old_schema_id = one.old_db.id;
            }
            binlog.table_info = tables.last().map(|t| t.info.clone());
            if tables.len() > 1 {
                binlog.multiple_table_infos = tables.iter().map(|t| t.info.clone()).collect();
            }
        }
    }
    binlog.schema_version = meta.next_version(diff).await?;
    let version = binlog.schema_version;
    job.binlog = Some(binlog);
    Ok(version)
}

/// Moves a table's description; its id allocator goes with it.
async fn rename(meta: &mut Meta<'_>, table: &Renamed) -> Result<()> {
    if table.old_db.id != table.new_db.id {
        let last = meta.auto_id(table.old_db.id, table.info.id).await?;
        meta.remove_table(table.old_db.id, table.info.id)?;
        if last > 0 {
            meta.put_auto_id(table.new_db.id, table.info.id, last)?;
        }
    }
    meta.put_table(table.new_db.id, &table.info)
}

/// The same change on the schema in memory.
pub(super) fn update_schema(schema: &mut Schema, change: &Change) {
    match change {
        Change::CreateDatabase(db) | Change::AlterDatabase(db) => schema.put_database(db.clone()),
        Change::DropDatabase { db, .. } => schema.remove_database(&db.name.l),
        Change::CreateTable { db, info }
        | Change::TruncateTable { db, info, .. }
        | Change::UpdateTable { db, info, .. } => {
            schema.put_table(&db.name.l, info.clone());
        }
        Change::DropTable { db, info } => schema.remove_table(&db.name.l, &info.name.l),
        Change::RenameTables(tables) => {
            for table in tables {
                schema.remove_table(&table.old_db.name.l, &table.old_name.l);
            }
            for table in tables {
                schema.put_table(&table.new_db.name.l, table.info.clone());
            }
        }
    }
}
