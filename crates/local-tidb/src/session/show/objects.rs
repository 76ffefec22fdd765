//! Listings of databases and tables, and the statements that make them.

use tidb_codec::Datum;
use tidb_sql::ddl::TableName;
use tidb_sql::utility::ShowFilter;

use super::{text, texts};
use crate::exec::memory_tables;
use crate::session::{QueryResult, Session, show_create};
use tidb_expr::{Result, SqlError};

impl Session {
    /// `SHOW DATABASES`.
    pub(super) fn show_databases(&self, filter: Option<&ShowFilter>) -> Result<QueryResult> {
        let schema = self.engine.schema();
        let mut names: Vec<String> = schema.databases().map(|d| d.info.name.o.clone()).collect();
        names.push("INFORMATION_SCHEMA".to_owned());
        names.sort_by_key(|n| n.to_lowercase());
        let rows = names.into_iter().map(|n| vec![text(n)]).collect();
        self.filtered(texts(&["Database"], rows), filter)
    }

    /// `SHOW [FULL] TABLES`.
    ///
    /// # Errors
    /// 1046, 1049.
    pub(super) fn show_tables(
        &self,
        full: bool,
        schema_name: Option<&str>,
        filter: Option<&ShowFilter>,
    ) -> Result<QueryResult> {
        let name = schema_name
            .map(str::to_owned)
            .or_else(|| self.database.clone())
            .ok_or_else(SqlError::no_database)?;
        let schema = self.engine.schema();
        let tables: Vec<(String, &str)> = if name.eq_ignore_ascii_case("information_schema") {
            memory_tables::NAMES.iter().map(|n| ((*n).to_owned(), "SYSTEM VIEW")).collect()
        } else {
            let db = schema.expect_database(&name)?;
            db.tables()
                .map(|t| (t.name().to_owned(), if t.info.is_view() { "VIEW" } else { "BASE TABLE" }))
                .collect()
        };
        let head = format!("Tables_in_{name}");
        if full {
            let rows = tables.into_iter().map(|(n, kind)| vec![text(n), text(kind)]).collect();
            return self.filtered(texts(&[&head, "Table_type"], rows), filter);
        }
        let rows = tables.into_iter().map(|(n, _)| vec![text(n)]).collect();
        self.filtered(texts(&[&head], rows), filter)
    }

    /// `SHOW TABLE STATUS`.
    ///
    /// # Errors
    /// 1046, 1049.
    pub(super) fn show_table_status(
        &self,
        schema_name: Option<&str>,
        filter: Option<&ShowFilter>,
    ) -> Result<QueryResult> {
        let name = schema_name
            .map(str::to_owned)
            .or_else(|| self.database.clone())
            .ok_or_else(SqlError::no_database)?;
        let schema = self.engine.schema();
        let rows = schema
            .expect_database(&name)?
            .tables()
            .map(|t| {
                let mut row = vec![text(t.name()), text("InnoDB"), Datum::Int(10), text("Compact")];
                row.extend(std::iter::repeat_n(Datum::Null, 10));
                row.extend([text(t.info.collate.clone()), text(""), text(""), text(t.info.comment.clone())]);
                row
            })
            .collect();
        let names = [
            "Name",
            "Engine",
            "Version",
            "Row_format",
            "Rows",
            "Avg_row_length",
            "Data_length",
            "Max_data_length",
            "Index_length",
            "Data_free",
            "Auto_increment",
            "Create_time",
            "Update_time",
            "Check_time",
            "Collation",
            "Checksum",
            "Create_options",
            "Comment",
        ];
        self.filtered(texts(&names, rows), filter)
    }

    /// `SHOW CREATE TABLE`.
    ///
    /// # Errors
    /// 1046, 1146, storage failures.
    pub(super) async fn show_create_table(&self, name: &TableName) -> Result<QueryResult> {
        let table = self.table(name)?;
        let next = if table.auto_increment().is_some() {
            Some(self.engine.auto_ids.peek(table.db.id, table.info.id).await?)
        } else {
            None
        };
        let sql = show_create::table(&table, next);
        Ok(texts(&["Table", "Create Table"], vec![vec![text(table.name()), text(sql)]]))
    }

    /// `SHOW CREATE DATABASE`.
    ///
    /// # Errors
    /// 1049.
    pub(super) fn show_create_database(&self, name: &str) -> Result<QueryResult> {
        let db = self.engine.schema().expect_database(name)?.info.clone();
        let sql = format!(
            "CREATE DATABASE {} /*!40100 DEFAULT CHARACTER SET {} */",
            show_create::quoted(&db.name.o),
            db.charset
        );
        Ok(texts(&["Database", "Create Database"], vec![vec![text(db.name.o), text(sql)]]))
    }

    /// `SHOW TABLE t NEXT_ROW_ID`.
    ///
    /// # Errors
    /// 1046, 1146, storage failures.
    pub(super) async fn show_next_row_id(&self, name: &TableName) -> Result<QueryResult> {
        let table = self.table(name)?;
        let next = self.engine.auto_ids.peek(table.db.id, table.info.id).await?;
        let column =
            table.auto_increment().and_then(|at| table.columns.get(at)).map_or("_tidb_rowid", |c| c.name());
        let row = vec![
            text(table.db.name.o.clone()),
            text(table.name()),
            text(column),
            Datum::Uint(next),
            text("AUTO_INCREMENT"),
        ];
        Ok(texts(&["DB_NAME", "TABLE_NAME", "COLUMN_NAME", "NEXT_GLOBAL_ROW_ID", "ID_TYPE"], vec![row]))
    }
}
