//! Settings that the whole cluster shares: names and values below a path of the metadata store. SQL nodes keep
//! system variables there, captures read the source id of the cluster.

use bytes::Bytes;
use tikv_proto::etcdserverpb as etcd;
use tikv_proto::pdpb as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use crate::etcd::{Changes, EtcdError, Kept};
use crate::node::Done;
use crate::record::in_range;

use super::etcd_kv::EtcdRefusal;
use super::pd::{Answers, PdService};

/// Where settings are if the request names no path, as in PD.
const DEFAULT_PATH: &str = "/global/config/";
/// Settings that one request may name, as many as etcd takes in a transaction.
const MAX_ITEMS: usize = 128;
/// Answers of a watch that may wait for a slow client.
const ANSWERS: usize = 16;
/// Revisions in one answer of a watch.
const BATCH_REVISIONS: usize = 1000;

/// The path of a request.
fn path(asked: &str) -> &str {
    if asked.is_empty() { DEFAULT_PATH } else { asked }
}

/// Key of a setting.
fn key(path: &str, name: &str) -> Bytes {
    format!("{}/{}", path.trim_end_matches('/'), name.trim_start_matches('/')).into()
}

/// The first key after all that begin with `prefix`; one zero byte if there is none.
fn prefix_end(prefix: &[u8]) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(&[0])
}

/// Refuses too many settings at once.
fn check_count(count: usize) -> Result<(), Status> {
    if count > MAX_ITEMS {
        return Err(Status::invalid_argument(format!("{count} settings at once: at most {MAX_ITEMS}")));
    }
    Ok(())
}

impl PdService {
    /// Sets and removes settings, all at once.
    pub(super) async fn store_settings(
        &self,
        request: pb::StoreGlobalConfigRequest,
    ) -> Result<Response<pb::StoreGlobalConfigResponse>, Status> {
        check_count(request.changes.len())?;
        let path = path(&request.config_path).to_owned();
        let work = self.node.with(|state| {
            let mut changes = Changes::default();
            for item in request.changes {
                let key = key(&path, &item.name);
                match item.kind() {
                    pb::EventType::Delete => {
                        let request = etcd::DeleteRangeRequest { key, ..Default::default() };
                        state.etcd.delete(&request, &mut changes);
                    }
                    pb::EventType::Put => {
                        // Older clients give a text, newer ones bytes.
                        let value =
                            if item.value.is_empty() { item.payload } else { Bytes::from(item.value) };
                        let request = etcd::PutRequest { key, value, ..Default::default() };
                        state.etcd.put(request, &mut changes);
                    }
                }
            }
            Ok::<_, EtcdRefusal>(Done::changed((), state.etcd.finish(changes)))
        });
        work.await?;
        Ok(Response::new(pb::StoreGlobalConfigResponse { error: None }))
    }

    /// Reads settings by name, or all below the path.
    pub(super) async fn load_settings(
        &self,
        request: pb::LoadGlobalConfigRequest,
    ) -> Result<Response<pb::LoadGlobalConfigResponse>, Status> {
        check_count(request.names.len())?;
        let path = path(&request.config_path).to_owned();
        let work = self.node.with(|state| {
            let read = |key: Bytes, range_end| {
                let request = etcd::RangeRequest { key, range_end, ..Default::default() };
                state.etcd.range(&request).map(|answer| answer.kvs)
            };
            if request.names.is_empty() {
                let key = Bytes::from(path);
                let range_end = prefix_end(&key);
                let items = read(key, range_end)?.into_iter().map(|kv| pb::GlobalConfigItem {
                    name: String::from_utf8_lossy(&kv.key).into_owned(),
                    payload: kv.value,
                    ..Default::default()
                });
                let revision = state.etcd.revision();
                let items = items.collect();
                return Ok(Done::read(pb::LoadGlobalConfigResponse { items, revision }));
            }
            let mut items = Vec::with_capacity(request.names.len());
            for name in &request.names {
                items.push(found(name, read(key(&path, name), Bytes::new())?));
            }
            Ok::<_, EtcdRefusal>(Done::read(pb::LoadGlobalConfigResponse { items, revision: 0 }))
        });
        Ok(Response::new(work.await?))
    }

    /// Sends changes below the path from a revision on (0: from now on).
    pub(super) fn watch_settings(
        &self,
        request: pb::WatchGlobalConfigRequest,
    ) -> Result<Response<Answers<pb::WatchGlobalConfigResponse>>, Status> {
        if request.revision < 0 {
            return Err(EtcdError::FutureRevision.into());
        }
        let (answers, stream) = mpsc::channel(ANSWERS);
        let prefix = Bytes::from(path(&request.config_path).to_owned());
        let service = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = service.node.stop_token().cancelled() => {
                    let _ = answers.try_send(Err(Status::unavailable("the server is shutting down")));
                }
                () = answers.closed() => {}
                () = service.follow_settings(&prefix, request.revision, &answers) => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    /// Sends changes until the client is gone or asks for some that are no longer kept.
    async fn follow_settings(
        &self,
        prefix: &Bytes,
        from: i64,
        answers: &mpsc::Sender<Result<pb::WatchGlobalConfigResponse, Status>>,
    ) {
        let mut revisions = self.node.revisions();
        let mut next = if from > 0 { from } else { *revisions.borrow() + 1 };
        loop {
            let durable = *revisions.borrow_and_update();
            while next <= durable {
                let (answer, then) = self.settings_between(prefix, next, durable);
                next = then;
                let Some(answer) = answer else { continue };
                let failed = answer.header.is_some();
                if answers.send(Ok(answer)).await.is_err() || failed {
                    return;
                }
            }
            if revisions.changed().await.is_err() {
                return;
            }
        }
    }

    /// Changes of some revisions from `from` on, and the revision after them.
    fn settings_between(
        &self,
        prefix: &Bytes,
        from: i64,
        durable: i64,
    ) -> (Option<pb::WatchGlobalConfigResponse>, i64) {
        let kept = self.node.peek(|state| state.etcd.history().between(from, durable, BATCH_REVISIONS));
        let revisions = match kept {
            Kept::Revisions(revisions) => revisions,
            Kept::CompactedTo(oldest) => {
                let message = format!("revision {from} is compacted: the oldest that is kept is {oldest}");
                let header = self.refusal(pb::ErrorType::DataCompacted, message);
                let answer = pb::WatchGlobalConfigResponse { header, ..Default::default() };
                return (Some(answer), durable + 1);
            }
        };
        let last = match revisions.last() {
            Some(last) if revisions.len() >= BATCH_REVISIONS => last.revision,
            _ => durable,
        };
        let end = prefix_end(prefix);
        let events = revisions.iter().flat_map(|revision| &revision.events);
        let changes: Vec<_> = events.filter_map(|event| change(event, prefix, &end)).collect();
        let answer = (!changes.is_empty()).then_some(pb::WatchGlobalConfigResponse {
            changes,
            revision: last,
            header: None,
        });
        (answer, last + 1)
    }
}

/// A setting that was asked for by name.
fn found(name: &str, kvs: Vec<etcd::KeyValue>) -> pb::GlobalConfigItem {
    let item = pb::GlobalConfigItem { name: name.to_owned(), ..Default::default() };
    match kvs.into_iter().next() {
        Some(kv) => pb::GlobalConfigItem { payload: kv.value, ..item },
        None => {
            let message = format!("key {name} not found");
            let error = pb::Error { r#type: pb::ErrorType::GlobalConfigNotFound.into(), message };
            pb::GlobalConfigItem { error: Some(error), ..item }
        }
    }
}

/// A change as a watch of settings shows it: a removed one with the value that it had.
fn change(event: &etcd::WatchedEvent, prefix: &Bytes, end: &Bytes) -> Option<pb::GlobalConfigItem> {
    let kv = event.kv.as_ref().filter(|kv| in_range(&kv.key, prefix, end))?;
    let (kind, payload) = match event.r#type() {
        etcd::watched_event::EventType::Put => (pb::EventType::Put, kv.value.clone()),
        etcd::watched_event::EventType::Delete => {
            (pb::EventType::Delete, event.prev_kv.as_ref().map(|old| old.value.clone()).unwrap_or_default())
        }
    };
    let name = String::from_utf8_lossy(&kv.key).into_owned();
    Some(pb::GlobalConfigItem { name, kind: kind.into(), payload, ..Default::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_joined_to_the_path_with_one_slash() {
        assert_eq!(key(DEFAULT_PATH, "source_id"), "/global/config/source_id");
        assert_eq!(key("resource_group/controller", "/x"), "resource_group/controller/x");
        assert_eq!(prefix_end(b"a/"), "a0");
        assert_eq!(prefix_end(&[0xFF, 0xFF]), [0_u8][..]);
    }
}
