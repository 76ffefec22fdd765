//! The names of all tables, side by side.
//!
//! Versions of tables lie anywhere in memory: who looks for some of a hundred thousand by their names waits for memory
//! most of the time, some tens of milliseconds. In this list it takes one.

use std::sync::{Arc, OnceLock};

use crate::TableVersion;

/// Where the names of a table are.
#[derive(Debug)]
struct Entry {
    /// Id of the table.
    id: i64,
    /// Where the name of its database begins.
    schema: usize,
    /// Where its own name begins, and the other ends.
    table: usize,
    /// Where that ends.
    end: usize,
}

/// Names as typed, with ids.
#[derive(Debug, Default)]
struct Names {
    text: String,
    entries: Vec<Entry>,
}

/// The list of a snapshot and of those that share its tables; made when it is first needed.
#[derive(Debug, Clone, Default)]
pub(crate) struct NameList(Arc<OnceLock<Names>>);

impl NameList {
    /// The tables change: what others may share is theirs alone from now on.
    pub(crate) fn forget(&mut self) {
        if Arc::get_mut(&mut self.0).is_none_or(|names| names.get().is_some()) {
            self.0 = Arc::default();
        }
    }

    /// Ids of the tables whose names (database, table) are wanted, in no order. `tables` are all of the snapshot.
    pub(crate) fn find<'a>(
        &self,
        tables: impl Iterator<Item = &'a Arc<TableVersion>>,
        wanted: impl Fn(&str, &str) -> bool,
    ) -> Vec<i64> {
        let Names { text, entries } = self.0.get_or_init(|| Names::of(tables));
        let name = |from, to| text.get(from..to).unwrap_or_default();
        let is_wanted =
            |entry: &&Entry| wanted(name(entry.schema, entry.table), name(entry.table, entry.end));
        entries.iter().filter(is_wanted).map(|entry| entry.id).collect()
    }
}

impl Names {
    /// The names of tables.
    fn of<'a>(tables: impl Iterator<Item = &'a Arc<TableVersion>>) -> Self {
        let mut names = Self::default();
        for version in tables {
            let schema = names.text.len();
            names.text.push_str(version.schema_name());
            let table = names.text.len();
            names.text.push_str(version.table_name());
            names.entries.push(Entry { id: version.info.id, schema, table, end: names.text.len() });
        }
        names.entries.shrink_to_fit();
        names.text.shrink_to_fit();
        names
    }
}

#[cfg(test)]
mod tests {
    use crate::{DbInfo, SchemaSnapshot, TableInfo, TableVersion};

    /// A table of the database `shop`.
    fn table(id: i64, name: &str) -> TableVersion {
        let db = DbInfo { id: 1, name: "Shop".into(), ..DbInfo::default() };
        TableVersion::new(&db, TableInfo { id, name: name.into(), ..TableInfo::default() }, 1)
    }

    /// Ids of tables with this beginning of a name.
    fn ids(snapshot: &SchemaSnapshot, start: &str) -> Vec<i64> {
        let found = snapshot.tables_named(|schema, table| schema == "Shop" && table.starts_with(start));
        found.iter().map(|version| version.info.id).collect()
    }

    #[test]
    fn tables_are_found_by_name_and_a_snapshot_that_goes_its_own_way_has_names_of_its_own() {
        let mut first = SchemaSnapshot::empty(1);
        for (id, name) in [(7, "orders"), (5, "Other"), (6, "orders_2")] {
            first.put_table(table(id, name));
        }
        // Before and after the list of the first is made.
        let mut early = first.clone();
        assert_eq!(ids(&first, "orders"), [6, 7]);
        let mut late = first.clone();
        early.put_table(table(8, "orders_early"));
        late.remove_table(7);
        late.put_table(table(9, "orders_late"));
        assert_eq!(ids(&early, "orders"), [6, 7, 8]);
        assert_eq!(ids(&late, "orders"), [6, 9]);
        assert_eq!(ids(&first, "orders"), [6, 7]);
        assert_eq!(ids(&first.moved_to(9), "O"), [5]);
    }
}
