//! Keys of the metadata store, and what is told about the store itself.

use std::sync::Arc;

use tikv_proto::etcdserverpb::{
    self as pb, cluster_server::Cluster, kv_server::Kv, maintenance_server::Maintenance,
};
use tonic::{Request, Response, Status};

use crate::error::JournalFailed;
use crate::etcd::{Changes, EtcdError, check_txn};
use crate::node::{Done, Node};

/// Version of etcd that PD 8.5 embeds; clients derive features from it.
pub(crate) const ETCD_VERSION: &str = "3.4.31";
/// The store has one member, so its leader's term never changes.
const TERM: u64 = 1;

/// The services on the core.
#[derive(Debug, Clone)]
pub(crate) struct EtcdService {
    pub(super) node: Arc<Node>,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum EtcdRefusal {
    Etcd(EtcdError),
    Journal(JournalFailed),
}

impl From<EtcdError> for EtcdRefusal {
    fn from(error: EtcdError) -> Self {
        Self::Etcd(error)
    }
}

impl From<JournalFailed> for EtcdRefusal {
    fn from(error: JournalFailed) -> Self {
        Self::Journal(error)
    }
}

impl From<EtcdRefusal> for Status {
    fn from(refusal: EtcdRefusal) -> Self {
        match refusal {
            EtcdRefusal::Etcd(error) => error.into(),
            EtcdRefusal::Journal(error) => error.into(),
        }
    }
}

impl EtcdService {
    /// The services on the core.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        Self { node }
    }

    /// The header of an answer.
    pub(super) fn header(&self, revision: i64) -> Option<pb::ResponseHeader> {
        Some(pb::ResponseHeader {
            cluster_id: self.node.identity.etcd_cluster_id,
            member_id: self.node.identity.member_id,
            revision,
            raft_term: TERM,
        })
    }
}

#[tonic::async_trait]
impl Kv for EtcdService {
    async fn range(&self, request: Request<pb::RangeRequest>) -> Result<Response<pb::RangeResponse>, Status> {
        let request = request.into_inner();
        let work = self.node.with(|state| {
            let answer = state.etcd.range(&request)?;
            Ok::<_, EtcdRefusal>(Done::read((answer, state.etcd.revision())))
        });
        let (answer, revision) = work.await?;
        Ok(Response::new(pb::RangeResponse { header: self.header(revision), ..answer }))
    }

    async fn put(&self, request: Request<pb::PutRequest>) -> Result<Response<pb::PutResponse>, Status> {
        let request = request.into_inner();
        let work = self.node.with(|state| {
            state.etcd.check_put(&request)?;
            let mut changes = Changes::default();
            let answer = state.etcd.put(request, &mut changes);
            let record = state.etcd.finish(changes);
            Ok::<_, EtcdRefusal>(Done::changed((answer, state.etcd.revision()), record))
        });
        let (answer, revision) = work.await?;
        Ok(Response::new(pb::PutResponse { header: self.header(revision), ..answer }))
    }

    async fn delete_range(
        &self,
        request: Request<pb::DeleteRangeRequest>,
    ) -> Result<Response<pb::DeleteRangeResponse>, Status> {
        let request = request.into_inner();
        if request.key.is_empty() {
            return Err(EtcdError::EmptyKey.into());
        }
        let work = self.node.with(|state| {
            let mut changes = Changes::default();
            let answer = state.etcd.delete(&request, &mut changes);
            let record = state.etcd.finish(changes);
            Ok::<_, EtcdRefusal>(Done::changed((answer, state.etcd.revision()), record))
        });
        let (answer, revision) = work.await?;
        Ok(Response::new(pb::DeleteRangeResponse { header: self.header(revision), ..answer }))
    }

    async fn txn(&self, request: Request<pb::TxnRequest>) -> Result<Response<pb::TxnResponse>, Status> {
        let request = request.into_inner();
        check_txn(&request)?;
        let work = self.node.with(|state| {
            let mut changes = Changes::default();
            let answer = state.etcd.txn(request, &mut changes)?;
            let record = state.etcd.finish(changes);
            Ok::<_, EtcdRefusal>(Done::changed((answer, state.etcd.revision()), record))
        });
        let (answer, revision) = work.await?;
        Ok(Response::new(pb::TxnResponse { header: self.header(revision), ..answer }))
    }
}

#[tonic::async_trait]
impl Cluster for EtcdService {
    async fn member_list(
        &self,
        _request: Request<pb::MemberListRequest>,
    ) -> Result<Response<pb::MemberListResponse>, Status> {
        let member = pb::Member {
            id: self.node.identity.member_id,
            name: self.node.name.clone(),
            peer_urls: vec![self.node.url.clone()],
            client_urls: vec![self.node.url.clone()],
            is_learner: false,
        };
        let revision = self.node.peek(|state| state.etcd.revision());
        Ok(Response::new(pb::MemberListResponse { header: self.header(revision), members: vec![member] }))
    }
}

#[tonic::async_trait]
impl Maintenance for EtcdService {
    async fn status(
        &self,
        _request: Request<pb::StatusRequest>,
    ) -> Result<Response<pb::StatusResponse>, Status> {
        let (revision, bytes) = self.node.peek(|state| (state.etcd.revision(), state.etcd.bytes()));
        Ok(Response::new(pb::StatusResponse {
            header: self.header(revision),
            version: ETCD_VERSION.to_owned(),
            db_size: i64::try_from(bytes).unwrap_or(i64::MAX),
            leader: self.node.identity.member_id,
            raft_index: u64::try_from(revision).unwrap_or(0),
            raft_term: TERM,
        }))
    }
}
