//! Joining a cluster: the store gets an id, and the first store of a cluster creates its first region.

use super::{PlacementError, call, check_header, endpoints, header};
use crate::engine::{Change, Engine, EngineError, Family};
use crate::region::{REGION_PREFIX, Region, decode_record, encode_record, record_key};
use std::time::Duration;
use tikv_proto::{metapb, pdpb, pdpb::pd_client::PdClient};
use tokio::time::{Instant, sleep_until};
use tonic::transport::Channel;

/// Pause between attempts to reach PD.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Record with the cluster id and the store id.
const IDENTITY_KEY: &[u8] = b"identity";
/// Record of the first region until PD has accepted it.
const PREPARED_KEY: &[u8] = b"prepared-region";
/// Epoch of a new region, as TiKV starts it.
const FIRST_EPOCH: metapb::RegionEpoch = metapb::RegionEpoch { conf_ver: 1, version: 1 };

/// Who the store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// PD's cluster id.
    pub(crate) cluster_id: u64,
    /// The store's id.
    pub(crate) store_id: u64,
}

/// Why the store could not join.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    /// PD did not answer or refused.
    #[error(transparent)]
    Placement(#[from] PlacementError),
    /// The data directory cannot be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Connects to PD and joins its cluster. Returns the client, the identity and the regions.
pub(crate) async fn join(
    engine: &Engine,
    pd: &str,
    patience: Duration,
    store: impl FnOnce(u64) -> metapb::Store,
) -> Result<(PdClient<Channel>, Identity, Vec<Region>), JoinError> {
    let (mut client, cluster_id) = connect(pd, patience).await?;
    let identity = identify(engine, &mut client, cluster_id).await?;
    let store = store(identity.store_id);
    let request = pdpb::IsBootstrappedRequest { header: header(cluster_id) };
    let answer = call("IsBootstrapped", client.is_bootstrapped(request)).await?;
    if !answer.bootstrapped {
        bootstrap(engine, &mut client, identity, store.clone()).await?;
    }
    finish_bootstrap(engine, &mut client, identity).await?;
    let request = pdpb::PutStoreRequest { header: header(cluster_id), store: Some(store) };
    let answer = call("PutStore", client.put_store(request)).await?;
    check_header("PutStore", answer.header.as_ref())?;
    Ok((client, identity, load_regions(engine)?))
}

/// Tries the endpoints until one answers with a cluster id.
async fn connect(pd: &str, patience: Duration) -> Result<(PdClient<Channel>, u64), PlacementError> {
    let endpoints = endpoints(pd)?;
    if endpoints.is_empty() {
        return Err(PlacementError::Endpoint { endpoint: pd.to_owned() });
    }
    let start = Instant::now();
    loop {
        for endpoint in &endpoints {
            let Ok(channel) = endpoint.connect().await else { continue };
            let mut client = PdClient::new(channel);
            let request = pdpb::GetMembersRequest { header: header(0) };
            let Ok(answer) = call("GetMembers", client.get_members(request)).await else { continue };
            let cluster_id = answer.header.as_ref().map_or(0, |header| header.cluster_id);
            if cluster_id != 0 {
                return Ok((client, cluster_id));
            }
        }
        if start.elapsed() >= patience {
            return Err(PlacementError::Unreachable { endpoints: pd.to_owned(), waited: patience });
        }
        sleep_until(Instant::now() + RETRY_PAUSE).await;
    }
}

/// The identity in the data directory, or a new one.
async fn identify(
    engine: &Engine,
    client: &mut PdClient<Channel>,
    cluster_id: u64,
) -> Result<Identity, JoinError> {
    if let Some(record) = engine.meta(IDENTITY_KEY)? {
        let numbers: [u8; 16] = record.as_slice().try_into().map_err(|_| EngineError::Key(record.len()))?;
        let numbers = u128::from_be_bytes(numbers);
        let identity = Identity { cluster_id: (numbers >> 64) as u64, store_id: numbers as u64 };
        if identity.cluster_id != cluster_id {
            return Err(
                PlacementError::OtherCluster { stored: identity.cluster_id, served: cluster_id }.into()
            );
        }
        return Ok(identity);
    }
    let store_id = alloc_id(client, cluster_id).await?;
    let numbers = (u128::from(cluster_id) << 64) | u128::from(store_id);
    save(engine, vec![(IDENTITY_KEY.to_vec(), Some(numbers.to_be_bytes().to_vec()))])?;
    Ok(Identity { cluster_id, store_id })
}

async fn alloc_id(client: &mut PdClient<Channel>, cluster_id: u64) -> Result<u64, PlacementError> {
    let request = pdpb::AllocIdRequest { header: header(cluster_id), count: 1 };
    let answer = call("AllocID", client.alloc_id(request)).await?;
    check_header("AllocID", answer.header.as_ref())?;
    if answer.id == 0 {
        return Err(PlacementError::Incomplete { call: "AllocID", what: "an id" });
    }
    Ok(answer.id)
}

/// Creates the first region. It is saved before PD hears of it, so that a crash cannot lose it.
async fn bootstrap(
    engine: &Engine,
    client: &mut PdClient<Channel>,
    identity: Identity,
    store: metapb::Store,
) -> Result<(), JoinError> {
    let cluster_id = identity.cluster_id;
    let region = match engine.meta(PREPARED_KEY)?.as_deref().and_then(decode_record) {
        Some(region) => region.meta().clone(),
        None => {
            let id = alloc_id(client, cluster_id).await?;
            let peer_id = alloc_id(client, cluster_id).await?;
            let peer = metapb::Peer { id: peer_id, store_id: identity.store_id, ..metapb::Peer::default() };
            metapb::Region {
                id,
                region_epoch: Some(FIRST_EPOCH),
                peers: vec![peer],
                ..metapb::Region::default()
            }
        }
    };
    save(engine, vec![(PREPARED_KEY.to_vec(), Some(encode_record(&region, 0)))])?;
    let request =
        pdpb::BootstrapRequest { header: header(cluster_id), store: Some(store), region: Some(region) };
    let answer = call("Bootstrap", client.bootstrap(request)).await?;
    let already = answer
        .header
        .as_ref()
        .and_then(|header| header.error.as_ref())
        .is_some_and(|error| error.r#type == i32::from(pdpb::ErrorType::AlreadyBootstrapped));
    if !already {
        check_header("Bootstrap", answer.header.as_ref())?;
    }
    Ok(())
}

/// If a region was prepared and PD knows it, it becomes a region of this store; else it is dropped.
async fn finish_bootstrap(
    engine: &Engine,
    client: &mut PdClient<Channel>,
    identity: Identity,
) -> Result<(), JoinError> {
    let Some(prepared) = engine.meta(PREPARED_KEY)?.as_deref().and_then(decode_record) else {
        return Ok(());
    };
    let request = pdpb::GetRegionByIdRequest {
        header: header(identity.cluster_id),
        region_id: prepared.id(),
        need_buckets: false,
    };
    let answer = call("GetRegionByID", client.get_region_by_id(request)).await?;
    let is_known = answer.region.is_some_and(|region| region.id == prepared.id());
    let mut changes = vec![(PREPARED_KEY.to_vec(), None)];
    if is_known {
        changes.push((record_key(prepared.id()), Some(encode_record(prepared.meta(), 0))));
    }
    Ok(save(engine, changes)?)
}

fn load_regions(engine: &Engine) -> Result<Vec<Region>, EngineError> {
    let records = engine.meta_by_prefix(REGION_PREFIX)?;
    records.iter().map(|record| decode_record(record).ok_or(EngineError::Key(record.len()))).collect()
}

fn save(engine: &Engine, records: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<(), EngineError> {
    let count = records.len();
    let changes = records.into_iter().map(|(key, value)| Change { family: Family::Meta, key, value });
    engine.commit(changes, count)
}
