//! Reads, writes and comparisons, alone or in transactions.

use bytes::Bytes;
use tikv_proto::etcdserverpb as pb;
use tikv_proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};

use super::{Listing, prefix_range, revision_of};

/// A range read.
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    pub(super) request: pb::RangeRequest,
}

impl Range {
    /// One key.
    pub fn key(key: impl Into<Bytes>) -> Self {
        Self { request: pb::RangeRequest { key: key.into(), ..Default::default() } }
    }

    /// All keys with a prefix.
    pub fn prefix(prefix: impl AsRef<[u8]>) -> Self {
        let (key, range_end) = prefix_range(prefix.as_ref());
        Self { request: pb::RangeRequest { key, range_end, ..Default::default() } }
    }

    /// Keys from `start` (inclusive) to `end` (exclusive).
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        let request = pb::RangeRequest { key: start.into(), range_end: end.into(), ..Default::default() };
        Self { request }
    }

    /// At most that many.
    #[must_use]
    pub fn limit(mut self, limit: i64) -> Self {
        self.request.limit = limit;
        self
    }

    /// As of an earlier revision.
    #[must_use]
    pub fn at(mut self, revision: i64) -> Self {
        self.request.revision = revision;
        self
    }

    /// Without values.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.request.keys_only = true;
        self
    }

    /// Only the number of keys.
    #[must_use]
    pub fn count_only(mut self) -> Self {
        self.request.count_only = true;
        self
    }

    /// Oldest key first.
    #[must_use]
    pub fn by_creation(mut self) -> Self {
        self.request.sort_target = pb::range_request::SortTarget::Create.into();
        self.request.sort_order = pb::range_request::SortOrder::Ascend.into();
        self
    }
}

/// A condition on one key.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    compare: pb::Compare,
}

impl Comparison {
    /// Compares `target` of `key` for equality.
    fn equal(key: impl Into<Bytes>, target: CompareTarget, union: TargetUnion) -> Self {
        let compare = pb::Compare {
            result: CompareResult::Equal.into(),
            target: target.into(),
            key: key.into(),
            range_end: Bytes::new(),
            target_union: Some(union),
        };
        Self { compare }
    }

    /// The key was created at this revision; 0: it does not exist.
    pub fn created_at(key: impl Into<Bytes>, revision: i64) -> Self {
        Self::equal(key, CompareTarget::Create, TargetUnion::CreateRevision(revision))
    }

    /// The key does not exist.
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::created_at(key, 0)
    }

    /// The key exists.
    pub fn present(key: impl Into<Bytes>) -> Self {
        Self::created_at(key, 0).result(CompareResult::NotEqual)
    }

    /// The key was last changed at this revision; 0: it does not exist.
    pub fn modified_at(key: impl Into<Bytes>, revision: i64) -> Self {
        Self::equal(key, CompareTarget::Mod, TargetUnion::ModRevision(revision))
    }

    /// The key has been changed that often since its creation; 0: it does not exist.
    pub fn version_is(key: impl Into<Bytes>, version: i64) -> Self {
        Self::equal(key, CompareTarget::Version, TargetUnion::Version(version))
    }

    /// The key has this value.
    pub fn value_is(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::equal(key, CompareTarget::Value, TargetUnion::Value(value.into()))
    }

    /// The same comparison with another outcome wanted.
    #[must_use]
    pub fn result(mut self, result: CompareResult) -> Self {
        self.compare.result = result.into();
        self
    }
}

/// A step of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    request: pb::request_op::Request,
}

impl Operation {
    /// Reads a range.
    pub fn range(range: Range) -> Self {
        Self { request: pb::request_op::Request::RequestRange(range.request) }
    }

    /// Sets a key, under a lease if one is given (0 is none).
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>, lease: i64) -> Self {
        let put = pb::PutRequest { key: key.into(), value: value.into(), lease, ..Default::default() };
        Self { request: pb::request_op::Request::RequestPut(put) }
    }

    /// Deletes a key.
    pub fn delete(key: impl Into<Bytes>) -> Self {
        let delete = pb::DeleteRangeRequest { key: key.into(), range_end: Bytes::new(), prev_kv: true };
        Self { request: pb::request_op::Request::RequestDeleteRange(delete) }
    }

    /// Deletes all keys with a prefix.
    pub fn delete_prefix(prefix: impl AsRef<[u8]>) -> Self {
        let (key, range_end) = prefix_range(prefix.as_ref());
        let delete = pb::DeleteRangeRequest { key, range_end, prev_kv: false };
        Self { request: pb::request_op::Request::RequestDeleteRange(delete) }
    }
}

/// A transaction: if all conditions hold the first operations are done, else the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Txn {
    conditions: Vec<Comparison>,
    then: Vec<Operation>,
    otherwise: Vec<Operation>,
}

impl Txn {
    /// Under these conditions (all must hold).
    pub fn when(conditions: impl IntoIterator<Item = Comparison>) -> Self {
        Self { conditions: conditions.into_iter().collect(), ..Self::default() }
    }

    /// Do this.
    #[must_use]
    pub fn then(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.then.extend(operations);
        self
    }

    /// Else do that.
    #[must_use]
    pub fn otherwise(mut self, operations: impl IntoIterator<Item = Operation>) -> Self {
        self.otherwise.extend(operations);
        self
    }

    /// The first lease that an operation names.
    pub(super) fn lease(&self) -> i64 {
        let leases = self.then.iter().chain(&self.otherwise).map(|operation| match &operation.request {
            pb::request_op::Request::RequestPut(put) => put.lease,
            _ => 0,
        });
        leases.into_iter().find(|lease| *lease != 0).unwrap_or(0)
    }

    /// The request.
    pub(super) fn into_request(self) -> pb::TxnRequest {
        let ops = |operations: Vec<Operation>| {
            operations
                .into_iter()
                .map(|operation| pb::RequestOp { request: Some(operation.request) })
                .collect()
        };
        pb::TxnRequest {
            compare: self.conditions.into_iter().map(|condition| condition.compare).collect(),
            success: ops(self.then),
            failure: ops(self.otherwise),
        }
    }
}

/// Result of one operation of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationResult {
    /// What a read found.
    Range(Listing),
    /// A key was set.
    Put,
    /// Keys were deleted; what they held, if it was asked for.
    Deleted {
        /// How many.
        count: i64,
        /// Their last content.
        previous: Vec<pb::KeyValue>,
    },
    /// A nested transaction.
    Txn(TxnResult),
}

/// Result of a transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct TxnResult {
    /// Whether the conditions held.
    pub succeeded: bool,
    /// Revision of the store afterwards.
    pub revision: i64,
    /// One result for each operation done.
    pub results: Vec<OperationResult>,
}

impl From<pb::TxnResponse> for TxnResult {
    fn from(answer: pb::TxnResponse) -> Self {
        let revision = revision_of(answer.header.as_ref());
        let results =
            answer.responses.into_iter().filter_map(|op| op.response).map(|response| match response {
                pb::response_op::Response::ResponseRange(range) => OperationResult::Range(Listing {
                    revision,
                    kvs: range.kvs,
                    count: range.count,
                    more: range.more,
                }),
                pb::response_op::Response::ResponsePut(_) => OperationResult::Put,
                pb::response_op::Response::ResponseDeleteRange(deleted) => {
                    OperationResult::Deleted { count: deleted.deleted, previous: deleted.prev_kvs }
                }
                pb::response_op::Response::ResponseTxn(txn) => OperationResult::Txn(TxnResult::from(txn)),
            });
        Self { succeeded: answer.succeeded, revision, results: results.collect() }
    }
}
