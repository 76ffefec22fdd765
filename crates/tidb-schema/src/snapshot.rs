//! The schema at one timestamp.

use std::sync::Arc;

use crate::name_list::NameList;
use crate::persistent_map::PersistentMap;
use crate::{CIStr, DbInfo, HandleKey, SchemaState, TableInfo, is_system_schema};

/// A table as it was from one DDL to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct TableVersion {
    /// The id of the table's database.
    pub schema_id: i64,
    /// The name of the table's database.
    pub schema: CIStr,
    /// The table.
    pub info: TableInfo,
    /// Finished timestamp of the DDL that made this version, or the timestamp of the snapshot it was read in.
    pub since: u64,
    /// The columns that identify a row to consumers.
    pub handle_key: HandleKey,
}

impl TableVersion {
    /// The version of `info` in the database `db` from `since` on.
    pub fn new(db: &DbInfo, info: TableInfo, since: u64) -> Self {
        let handle_key = info.handle_key();
        Self { schema_id: db.id, schema: db.name.clone(), info, since, handle_key }
    }

    /// Name of the database, as typed.
    pub fn schema_name(&self) -> &str {
        &self.schema.o
    }

    /// Name of the table, as typed.
    pub fn table_name(&self) -> &str {
        &self.info.name.o
    }

    /// Whether changes of the table are replicated, see [`TableInfo::is_eligible`].
    pub fn is_eligible(&self, force_replicate: bool) -> bool {
        self.info.is_eligible(force_replicate)
    }

    /// Whether the table belongs to TiDB or its tools and is never replicated.
    pub fn is_system(&self) -> bool {
        is_system_schema(&self.schema.l)
    }
}

/// Databases and tables at one timestamp. Cloning is cheap: versions share what they have in common.
#[derive(Debug, Clone, Default)]
pub struct SchemaSnapshot {
    /// Everything committed up to here is in.
    pub(crate) ts: u64,
    /// Schema version of the last applied job; `i64::MAX` when read from meta keys, which hold all jobs up to `ts`.
    pub(crate) applied_version: i64,
    schemas: PersistentMap<i64, Arc<DbInfo>>,
    tables: PersistentMap<i64, Arc<TableVersion>>,
    physical: PersistentMap<i64, Arc<TableVersion>>,
    names: PersistentMap<(String, String), i64>,
    name_list: NameList,
}

impl SchemaSnapshot {
    /// A snapshot without databases at `ts`.
    pub fn empty(ts: u64) -> Self {
        Self { ts, applied_version: i64::MAX, ..Self::default() }
    }

    /// A snapshot at `ts` that holds one table only.
    pub fn of_table(version: TableVersion, ts: u64) -> Self {
        let mut snapshot = Self::empty(ts);
        snapshot.put_table(version);
        snapshot
    }

    /// The same schema at another timestamp. The caller knows that no DDL finished between the two.
    pub fn moved_to(&self, ts: u64) -> Self {
        Self { ts, ..self.clone() }
    }

    /// The timestamp: every DDL finished up to here is in.
    pub fn ts(&self) -> u64 {
        self.ts
    }

    /// The database with this id.
    pub fn schema(&self, id: i64) -> Option<&Arc<DbInfo>> {
        self.schemas.get(&id)
    }

    /// All databases, by id.
    pub fn schemas(&self) -> Vec<Arc<DbInfo>> {
        let mut schemas: Vec<_> = self.schemas.values().cloned().collect();
        schemas.sort_unstable_by_key(|schema| schema.id);
        schemas
    }

    /// The table, view or sequence with this logical id.
    pub fn table(&self, id: i64) -> Option<&Arc<TableVersion>> {
        self.tables.get(&id)
    }

    /// The table whose rows are stored under this id: a partition's, or that of a table without partitions.
    pub fn table_by_physical_id(&self, id: i64) -> Option<&Arc<TableVersion>> {
        self.physical.get(&id)
    }

    /// The table, view or sequence with this name, in any case.
    pub fn table_by_name(&self, schema: &str, table: &str) -> Option<&Arc<TableVersion>> {
        let name = (crate::name::lower(schema), crate::name::lower(table));
        self.names.get(&name).and_then(|id| self.tables.get(id))
    }

    /// All tables, views and sequences, by id.
    pub fn tables(&self) -> Vec<Arc<TableVersion>> {
        self.tables_where(|_| true)
    }

    /// The tables, views and sequences whose names (of database and table, as typed) are wanted, by id. Of a hundred
    /// thousand a caller often wants few: these are found fast.
    pub fn tables_named(&self, wanted: impl Fn(&str, &str) -> bool) -> Vec<Arc<TableVersion>> {
        let mut ids = self.name_list.find(self.tables.values(), wanted);
        ids.sort_unstable();
        ids.iter().filter_map(|id| self.tables.get(id).cloned()).collect()
    }

    /// The tables, views and sequences that are wanted, by id.
    fn tables_where(&self, wanted: impl Fn(&TableVersion) -> bool) -> Vec<Arc<TableVersion>> {
        let mut tables: Vec<_> = self.tables.values().filter(|table| wanted(table)).cloned().collect();
        tables.sort_unstable_by_key(|table| table.info.id);
        tables
    }

    /// Number of tables, views and sequences.
    pub fn table_count(&self) -> usize {
        self.tables.len()
    }

    /// Tables of one database, by id.
    pub fn tables_of(&self, schema_id: i64) -> Vec<Arc<TableVersion>> {
        self.tables_where(|table| table.schema_id == schema_id)
    }

    /// Sets a database.
    pub(crate) fn put_schema(&mut self, info: DbInfo) {
        self.schemas.insert(info.id, Arc::new(info));
    }

    /// Takes a database out; its tables must be gone.
    pub(crate) fn remove_schema(&mut self, id: i64) -> Option<Arc<DbInfo>> {
        self.schemas.remove(&id)
    }

    /// Adds a table; one with the same id must have been removed. A table in state none exists for nobody and gets
    /// neither a name nor physical ids. One that is being dropped still has both: servers one schema version behind
    /// may write rows into it.
    pub(crate) fn put_table(&mut self, version: TableVersion) -> Arc<TableVersion> {
        self.name_list.forget();
        let version = Arc::new(version);
        self.tables.insert(version.info.id, Arc::clone(&version));
        if version.info.state != SchemaState::NONE {
            self.names.insert(name_of(&version), version.info.id);
            for id in version.info.physical_ids() {
                self.physical.insert(id, Arc::clone(&version));
            }
        }
        version
    }

    /// Takes a table out. Physical ids that another table took over meanwhile stay with that one.
    pub(crate) fn remove_table(&mut self, id: i64) -> Option<Arc<TableVersion>> {
        let version = self.tables.remove(&id)?;
        self.name_list.forget();
        let name = name_of(&version);
        if self.names.get(&name) == Some(&id) {
            self.names.remove(&name);
        }
        for physical in version.info.physical_ids() {
            if self.physical.get(&physical).is_some_and(|owner| owner.info.id == id) {
                self.physical.remove(&physical);
            }
        }
        Some(version)
    }
}

/// The key of a table in the map of names.
fn name_of(version: &TableVersion) -> (String, String) {
    (version.schema.l.clone(), version.info.name.l.clone())
}
