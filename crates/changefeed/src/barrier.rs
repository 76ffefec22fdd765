//! DDL barriers: which tables wait for which DDL.
//!
//! A DDL that finished at F holds the tables it concerns at F: their rows up to F go out, then the DDL, then the rest.
//! Other tables do not wait, and independent DDLs do not wait for each other.

use std::collections::{BTreeMap, HashMap, HashSet};

/// What a DDL concerns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Concern {
    /// Physical tables that exist before or after it.
    pub(crate) tables: HashSet<i64>,
    /// Schemas whose DDLs must keep their order with it, lower case.
    pub(crate) schemas: HashSet<String>,
}

impl Concern {
    /// True if the two DDLs must be sent in order.
    fn overlaps(&self, other: &Self) -> bool {
        !self.tables.is_disjoint(&other.tables) || !self.schemas.is_disjoint(&other.schemas)
    }
}

/// A DDL that was not sent yet.
#[derive(Debug)]
struct Pending<D> {
    /// What waits for it.
    concern: Concern,
    /// The DDL.
    ddl: D,
}

/// DDLs on their way, by finished ts and arrival.
#[derive(Debug)]
pub(crate) struct Barriers<D> {
    /// Pending DDLs in order.
    pending: BTreeMap<(u64, u64), Pending<D>>,
    /// For each table, the finished ts of the DDLs that it waits for, with their count.
    holds: HashMap<i64, BTreeMap<u64, usize>>,
    /// Arrival number of the next DDL.
    next: u64,
}

/// Names a pending DDL.
pub(crate) type DdlKey = (u64, u64);

impl<D> Default for Barriers<D> {
    fn default() -> Self {
        Self { pending: BTreeMap::new(), holds: HashMap::new(), next: 0 }
    }
}

impl<D> Barriers<D> {
    /// Adds a DDL that finished at `ts`.
    pub(crate) fn push(&mut self, ts: u64, concern: Concern, ddl: D) {
        for table in &concern.tables {
            *self.holds.entry(*table).or_default().entry(ts).or_default() += 1;
        }
        self.pending.insert((ts, self.next), Pending { concern, ddl });
        self.next += 1;
    }

    /// The largest ts up to which rows of `table` may be sent; `None` if nothing holds it.
    pub(crate) fn limit(&self, table: i64) -> Option<u64> {
        self.holds.get(&table)?.keys().next().copied()
    }

    /// Finished ts of the oldest pending DDL.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.pending.keys().next().map(|(ts, _)| *ts)
    }

    /// The oldest pending DDL, with the tables that it concerns.
    pub(crate) fn first(&self) -> Option<(DdlKey, &D, &HashSet<i64>)> {
        let (key, pending) = self.pending.first_key_value()?;
        Some((*key, &pending.ddl, &pending.concern.tables))
    }

    /// The oldest pending DDL that concerns `table`.
    pub(crate) fn first_of(&self, table: i64) -> Option<(DdlKey, &D, &HashSet<i64>)> {
        let ts = self.limit(table)?;
        let mut pending = self.pending.range((ts, 0)..);
        let (key, pending) = pending.find(|(_, pending)| pending.concern.tables.contains(&table))?;
        Some((*key, &pending.ddl, &pending.concern.tables))
    }

    /// Number of pending DDLs.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// The first DDL that may be sent now: no earlier pending DDL overlaps it and `checkpoint` of each of its tables
    /// has reached it (`None` from `checkpoint` means that the table is not replicated).
    pub(crate) fn ready(&self, mut checkpoint: impl FnMut(i64) -> Option<u64>) -> Option<(DdlKey, &D)> {
        let mut earlier: Vec<&Concern> = Vec::new();
        for (key, pending) in &self.pending {
            let blocked = earlier.iter().any(|concern| concern.overlaps(&pending.concern))
                || pending.concern.tables.iter().any(|table| checkpoint(*table).is_some_and(|ts| ts < key.0));
            if !blocked {
                return Some((*key, &pending.ddl));
            }
            earlier.push(&pending.concern);
        }
        None
    }

    /// Removes a DDL that was delivered and lets its tables go; returns the DDL and the tables.
    pub(crate) fn release(&mut self, key: DdlKey) -> Option<(D, HashSet<i64>)> {
        let pending = self.pending.remove(&key)?;
        for table in &pending.concern.tables {
            if let Some(holds) = self.holds.get_mut(table) {
                if let Some(count) = holds.get_mut(&key.0) {
                    *count -= 1;
                    if *count == 0 {
                        holds.remove(&key.0);
                    }
                }
                if holds.is_empty() {
                    self.holds.remove(table);
                }
            }
        }
        Some((pending.ddl, pending.concern.tables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(tables: &[i64], schemas: &[&str]) -> Concern {
        Concern {
            tables: tables.iter().copied().collect(),
            schemas: schemas.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    #[test]
    fn a_ddl_waits_for_its_tables_only() {
        let mut barriers = Barriers::default();
        barriers.push(100, concern(&[1], &[]), "alter 1");
        barriers.push(110, concern(&[2], &[]), "alter 2");
        assert_eq!(barriers.limit(1), Some(100));
        assert_eq!(barriers.limit(3), None);
        let at = |one, two| move |table| Some(if table == 1 { one } else { two });
        assert_eq!(barriers.ready(at(99, 50)), None);
        assert_eq!(barriers.ready(at(99, 110)).map(|(_, d)| *d), Some("alter 2"));
        assert_eq!(barriers.first().map(|(key, ddl, _)| (key.0, *ddl)), Some((100, "alter 1")));
        assert_eq!(barriers.first_of(2).map(|(key, ddl, _)| (key.0, *ddl)), Some((110, "alter 2")));
        assert!(barriers.first_of(3).is_none());
        let (key, _) = barriers.ready(at(100, 50)).expect("table 1 has arrived");
        let (ddl, tables) = barriers.release(key).expect("pending");
        assert_eq!((ddl, tables), ("alter 1", HashSet::from([1])));
        assert_eq!(barriers.limit(1), None);
        assert_eq!(barriers.oldest(), Some(110));
    }

    #[test]
    fn overlapping_ddls_keep_their_order() {
        let mut barriers = Barriers::default();
        barriers.push(100, concern(&[1], &["db"]), "first");
        barriers.push(110, concern(&[9], &["db"]), "second");
        barriers.push(120, concern(&[1], &[]), "third");
        let arrived = |table| Some(if table == 1 { 90 } else { 200 });
        assert_eq!(barriers.ready(arrived), None, "both later ones overlap the first");
        assert_eq!(barriers.limit(1), Some(100));
        let (key, _) = barriers.ready(|_| Some(200)).expect("first");
        barriers.release(key);
        assert_eq!(barriers.limit(1), Some(120));
        assert_eq!(barriers.ready(|_| Some(200)).map(|(_, d)| *d), Some("second"));
    }

    #[test]
    fn tables_outside_the_changefeed_hold_nothing() {
        let mut barriers = Barriers::default();
        barriers.push(100, concern(&[5], &[]), "create");
        assert!(barriers.ready(|_| None).is_some());
    }
}
