//! Safepoints that keep old versions from garbage collection.

use std::collections::BTreeMap;

use crate::record::{GcService, Record};

/// The service whose safepoint is the point up to which transactions may read.
pub(crate) const GC_WORKER: &str = "gc_worker";

/// Safepoints.
#[derive(Debug, Default)]
pub(crate) struct Gc {
    safe_point: u64,
    services: BTreeMap<String, GcService>,
}

/// Why a change was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GcError {
    /// The garbage collector's own safepoint cannot be removed or be made to end.
    #[error("the safepoint of {GC_WORKER} can be neither removed nor given an end")]
    Worker,
    /// A barrier lies behind what may be collected.
    #[error(
        "trying to set GC barrier {barrier_ts} which is already behind the txn safe point {txn_safe_point}"
    )]
    BehindTxnSafePoint {
        /// The wanted barrier.
        barrier_ts: u64,
        /// What may be collected.
        txn_safe_point: u64,
    },
    /// A barrier has no name or no time.
    #[error("invalid GC barrier: {0}")]
    InvalidBarrier(&'static str),
}

/// The smallest safepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Minimum {
    pub(crate) service_id: String,
    pub(crate) ttl: i64,
    pub(crate) safe_point: u64,
}

impl Gc {
    /// Takes in a record.
    pub(crate) fn apply(&mut self, record: &Record) {
        self.safe_point = self.safe_point.max(record.gc_safe_point);
        for service in &record.gc_services {
            self.services.insert(service.id.clone(), service.clone());
        }
        for id in &record.gc_services_removed {
            self.services.remove(id);
        }
    }

    /// Adds the whole state to a snapshot.
    pub(crate) fn snapshot(&self, record: &mut Record) {
        record.gc_safe_point = self.safe_point;
        record.gc_services = self.services.values().cloned().collect();
    }

    /// The safepoint up to which old versions may be gone.
    pub(crate) fn safe_point(&self) -> u64 {
        self.safe_point
    }

    /// The point before which transactions may no longer read.
    pub(crate) fn txn_safe_point(&self) -> u64 {
        self.services.get(GC_WORKER).map_or(0, |service| service.safe_point)
    }

    /// Services that have not ended, but for the garbage collector itself.
    pub(crate) fn barriers(&self, now: i64) -> impl Iterator<Item = &GcService> {
        self.services.values().filter(move |service| service.id != GC_WORKER && service.expires_at > now)
    }

    /// All services that have not ended.
    pub(crate) fn services(&self, now: i64) -> impl Iterator<Item = &GcService> {
        self.services.values().filter(move |service| service.expires_at > now)
    }

    /// Moves the safepoint forward.
    pub(crate) fn advance(&self, safe_point: u64) -> Option<Record> {
        (safe_point > self.safe_point).then(|| Record { gc_safe_point: safe_point, ..Record::default() })
    }

    /// Sets or removes (`ttl` <= 0) a service's safepoint. One below the smallest is not applied. Ended ones are removed.
    /// `now` is in seconds since the Unix epoch.
    pub(crate) fn update_service(
        &mut self,
        id: &str,
        ttl: i64,
        safe_point: u64,
        now: i64,
    ) -> Result<(Minimum, Option<Record>), GcError> {
        if id == GC_WORKER && ttl != i64::MAX {
            return Err(GcError::Worker);
        }
        let mut record = Record::default();
        self.drop_ended(now, &mut record);
        if ttl <= 0 && self.services.contains_key(id) {
            record.gc_services_removed.push(id.to_owned());
            self.services.remove(id);
        }
        let minimum = self.minimum(now, &mut record);
        if ttl <= 0 || safe_point < minimum.safe_point {
            return Ok((minimum, changed(record)));
        }
        let service = GcService { id: id.to_owned(), safe_point, expires_at: now.saturating_add(ttl) };
        self.services.insert(service.id.clone(), service.clone());
        record.gc_services.retain(|other| other.id != service.id);
        record.gc_services.push(service);
        let minimum = self.minimum(now, &mut record);
        Ok((minimum, changed(record)))
    }

    /// Sets a barrier.
    pub(crate) fn set_barrier(&mut self, id: &str, ts: u64, ttl: i64, now: i64) -> Result<Record, GcError> {
        if id.is_empty() || id == GC_WORKER {
            return Err(GcError::InvalidBarrier("the barrier id is empty or reserved"));
        }
        if ts == 0 || ttl <= 0 {
            return Err(GcError::InvalidBarrier("the timestamp and the TTL must be positive"));
        }
        let txn_safe_point = self.txn_safe_point();
        if ts < txn_safe_point {
            return Err(GcError::BehindTxnSafePoint { barrier_ts: ts, txn_safe_point });
        }
        let service = GcService { id: id.to_owned(), safe_point: ts, expires_at: now.saturating_add(ttl) };
        self.services.insert(service.id.clone(), service.clone());
        Ok(Record { gc_services: vec![service], ..Record::default() })
    }

    /// Removes a barrier and returns what it was.
    pub(crate) fn delete_barrier(&mut self, id: &str) -> Result<Option<(GcService, Record)>, GcError> {
        if id == GC_WORKER {
            return Err(GcError::InvalidBarrier("the barrier id is reserved"));
        }
        let Some(service) = self.services.remove(id) else { return Ok(None) };
        let record = Record { gc_services_removed: vec![id.to_owned()], ..Record::default() };
        Ok(Some((service, record)))
    }

    /// Removes services that have ended.
    fn drop_ended(&mut self, now: i64, record: &mut Record) {
        let ended: Vec<String> = self
            .services
            .values()
            .filter(|service| service.expires_at <= now)
            .map(|service| service.id.clone())
            .collect();
        for id in ended {
            self.services.remove(&id);
            record.gc_services_removed.push(id);
        }
    }

    /// The smallest safepoint. The garbage collector's own is made if it is missing: at the smallest of the others, at 0
    /// if there are none, so that nothing is collected behind the back of anybody.
    fn minimum(&mut self, now: i64, record: &mut Record) -> Minimum {
        if !self.services.contains_key(GC_WORKER) {
            let safe_point = self.services.values().map(|service| service.safe_point).min().unwrap_or(0);
            let worker = GcService { id: GC_WORKER.to_owned(), safe_point, expires_at: i64::MAX };
            self.services.insert(worker.id.clone(), worker.clone());
            record.gc_services.push(worker);
        }
        let smallest =
            self.services.values().min_by_key(|service| (service.safe_point, service.id != GC_WORKER));
        smallest.map_or_else(
            || Minimum { service_id: GC_WORKER.to_owned(), ttl: i64::MAX, safe_point: 0 },
            |service| Minimum {
                service_id: service.id.clone(),
                ttl: ttl_of(service, now),
                safe_point: service.safe_point,
            },
        )
    }
}

/// What is left of a service's time.
pub(crate) fn ttl_of(service: &GcService, now: i64) -> i64 {
    if service.expires_at == i64::MAX { i64::MAX } else { service.expires_at.saturating_sub(now) }
}

/// A record, unless it changes nothing.
fn changed(record: Record) -> Option<Record> {
    (record != Record::default()).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_safepoint_behind_the_smallest_is_not_applied() {
        let mut gc = Gc::default();
        let (minimum, record) = gc.update_service("cdc", 100, 50, 1000).unwrap();
        assert_eq!((minimum.service_id.as_str(), minimum.safe_point), (GC_WORKER, 0));
        assert_eq!(record.unwrap().gc_services.len(), 2);
        gc.update_service(GC_WORKER, i64::MAX, 80, 1000).unwrap();
        let (minimum, _) = gc.update_service("cdc", 100, 40, 1001).unwrap();
        assert_eq!(minimum, Minimum { service_id: "cdc".to_owned(), ttl: 99, safe_point: 50 });
        let (minimum, _) = gc.update_service("br", 100, 49, 1001).unwrap();
        assert_eq!(minimum.safe_point, 50);
        assert_eq!(gc.services(1001).count(), 2);
    }

    #[test]
    fn a_service_ends_with_its_time_or_when_removed() {
        let mut gc = Gc::default();
        gc.update_service(GC_WORKER, i64::MAX, 80, 1000).unwrap();
        gc.update_service("cdc", 10, 90, 1000).unwrap();
        assert_eq!(gc.barriers(1009).count(), 1);
        assert_eq!(gc.barriers(1010).count(), 0);
        let (_, record) = gc.update_service("x", 0, 0, 1010).unwrap();
        assert_eq!(record.unwrap().gc_services_removed, ["cdc"]);
        assert_eq!(gc.update_service(GC_WORKER, 0, 0, 1010).unwrap_err(), GcError::Worker);
    }

    #[test]
    fn barriers_stay_ahead_of_the_transactions() {
        let mut gc = Gc::default();
        gc.update_service(GC_WORKER, i64::MAX, 80, 1000).unwrap();
        assert!(matches!(gc.set_barrier("b", 79, 10, 1000), Err(GcError::BehindTxnSafePoint { .. })));
        gc.set_barrier("b", 80, 10, 1000).unwrap();
        assert_eq!(gc.delete_barrier("b").unwrap().unwrap().0.safe_point, 80);
        assert_eq!(gc.delete_barrier("b").unwrap(), None);
        assert_eq!(gc.advance(5).unwrap().gc_safe_point, 5);
    }
}
