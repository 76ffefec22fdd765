//! Everything that the journal makes durable.

use crate::cluster::Cluster;
use crate::config::PdConfig;
use crate::etcd::Etcd;
use crate::gc::Gc;
use crate::record::{Identity, Record};

/// The state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) identity: Option<Identity>,
    pub(crate) cluster: Cluster,
    pub(crate) gc: Gc,
    pub(crate) etcd: Etcd,
    /// Bound of the timestamps that may have been handed out, in milliseconds.
    pub(crate) tso_bound_ms: u64,
    ids: Ids,
}

/// Ids that are unique in the cluster.
#[derive(Debug, Default)]
struct Ids {
    next: u64,
    bound: u64,
}

/// Ids that a record reserves ahead.
const ID_STEP: u64 = 1000;
/// The first id.
const FIRST_ID: u64 = 1;

impl State {
    /// Rebuilds the state of its records.
    pub(crate) fn restore(config: &PdConfig, records: Vec<Record>) -> Self {
        let mut state = Self {
            identity: None,
            cluster: Cluster::default(),
            gc: Gc::default(),
            etcd: Etcd::new(config.history_events),
            tso_bound_ms: 0,
            ids: Ids { next: FIRST_ID, bound: FIRST_ID },
        };
        for record in records {
            state.apply(record);
        }
        state
    }

    /// Takes in a record.
    fn apply(&mut self, record: Record) {
        self.identity = record.identity.or(self.identity);
        self.tso_bound_ms = self.tso_bound_ms.max(record.tso_bound_ms);
        if record.id_bound > self.ids.bound {
            self.ids = Ids { next: record.id_bound, bound: record.id_bound };
        }
        self.cluster.apply(&record);
        self.gc.apply(&record);
        self.etcd.apply(record);
    }

    /// The whole state as a record.
    pub(crate) fn snapshot(&self) -> Record {
        let mut record = Record {
            identity: self.identity,
            tso_bound_ms: self.tso_bound_ms,
            id_bound: self.ids.bound,
            ..Record::default()
        };
        self.cluster.snapshot(&mut record);
        self.gc.snapshot(&mut record);
        self.etcd.snapshot(&mut record);
        record
    }

    /// Takes `count` consecutive ids and returns the first.
    pub(crate) fn take_ids(&mut self, count: u64) -> (u64, Option<Record>) {
        let first = self.ids.next;
        self.ids.next = first.saturating_add(count);
        if self.ids.next <= self.ids.bound {
            return (first, None);
        }
        self.ids.bound = self.ids.next.saturating_add(ID_STEP);
        (first, Some(Record { id_bound: self.ids.bound, ..Record::default() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_repeat_over_a_crash() {
        let config = PdConfig::new(([127, 0, 0, 1], 0).into(), "unused");
        let mut state = State::restore(&config, Vec::new());
        let mut records = Vec::new();
        let mut last = 0;
        for count in [1, 3, 2000, 1] {
            let (first, record) = state.take_ids(count);
            assert!(first > last);
            last = first + count - 1;
            records.extend(record);
        }
        let mut restored = State::restore(&config, records);
        assert!(restored.take_ids(1).0 > last);
        let mut again = State::restore(&config, vec![restored.snapshot()]);
        assert!(again.take_ids(1).0 > last);
    }
}
