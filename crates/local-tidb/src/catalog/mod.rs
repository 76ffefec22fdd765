//! The schema as statements use it: databases, tables, columns and keys, looked up by name.

pub(crate) mod load;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use tidb_schema::{DbInfo, TableInfo};

pub(crate) use load::load;
pub(crate) use table::{Column, HandleKind, Index, Table};

use tidb_expr::{Result, SqlError};

/// One version of the whole schema: immutable, shared by the statements that run on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Schema {
    /// Schema version, as in the meta key `SchemaVersionKey`.
    pub(crate) version: i64,
    /// Databases by lower-case name.
    databases: BTreeMap<String, Arc<Database>>,
}

/// A database and its tables.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    /// Its description.
    pub(crate) info: DbInfo,
    /// Tables by lower-case name.
    tables: BTreeMap<String, Arc<Table>>,
}

impl Database {
    /// Its tables by name.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Arc<Table>> {
        self.tables.values()
    }

    /// A table by name in any case.
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(&lower(name))
    }
}

/// The lower-case form by which names are looked up.
pub(crate) fn lower(name: &str) -> String {
    tidb_schema::CIStr::new(name).l
}

impl Schema {
    /// All databases by name.
    pub(crate) fn databases(&self) -> impl Iterator<Item = &Arc<Database>> {
        self.databases.values()
    }

    /// A database by name in any case.
    pub(crate) fn database(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.get(&lower(name))
    }

    /// A database that must be there.
    ///
    /// # Errors
    /// 1049.
    pub(crate) fn expect_database(&self, name: &str) -> Result<&Arc<Database>> {
        self.database(name).ok_or_else(|| SqlError::unknown_database(name))
    }

    /// A table that must be there.
    ///
    /// # Errors
    /// 1146, also when its database is not there.
    pub(crate) fn expect_table(&self, db: &str, table: &str) -> Result<&Arc<Table>> {
        self.database(db).and_then(|d| d.table(table)).ok_or_else(|| SqlError::no_such_table(db, table))
    }

    /// A table by its id.
    pub(crate) fn table_by_id(&self, id: i64) -> Option<&Arc<Table>> {
        self.databases.values().flat_map(|d| d.tables()).find(|t| t.info.id == id)
    }

    /// Adds or replaces a database, keeping its tables.
    pub(crate) fn put_database(&mut self, info: DbInfo) {
        let key = info.name.l.clone();
        let tables = self.databases.get(&key).map(|d| d.tables.clone()).unwrap_or_default();
        self.databases.insert(key, Arc::new(Database { info, tables }));
    }

    /// Removes a database with its tables.
    pub(crate) fn remove_database(&mut self, name: &str) {
        self.databases.remove(&lower(name));
    }

    /// Adds or replaces a table of a database.
    pub(crate) fn put_table(&mut self, db: &str, info: TableInfo) {
        if let Some(database) = self.databases.get_mut(&lower(db)) {
            let database = Arc::make_mut(database);
            let table = Table::new(database.info.clone(), info);
            database.tables.insert(table.info.name.l.clone(), Arc::new(table));
        }
    }

    /// Removes a table.
    pub(crate) fn remove_table(&mut self, db: &str, table: &str) {
        if let Some(database) = self.databases.get_mut(&lower(db)) {
            Arc::make_mut(database).tables.remove(&lower(table));
        }
    }
}
