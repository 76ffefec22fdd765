//! The upstream's rows, as the capture's own encoder renders them.

use std::sync::Arc;
use std::time::Duration;

use change_format::{CanalEncoder, CanalOptions, MessageForm, RowChange};
use jiff::tz::TimeZone;
use tidb_codec::key::record_range;
use tidb_schema::{SchemaSnapshot, TableVersion};
use tikv_client::TikvClient;
use tokio::task::AbortHandle;
use tracing::warn;

use crate::error::VerifyError;
use crate::ledger::Ledger;
use crate::message::{Fields, Message};
use crate::topic::key_of;

/// Life of the GC safepoint that keeps the snapshots, seconds: it ends soon after a verification that was killed.
const HOLD_SECONDS: i64 = 3600;
/// How often it is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(600);

/// Reads the upstream at the watermark.
#[derive(Clone)]
pub(crate) struct Upstream {
    /// Client.
    tikv: TikvClient,
    /// The watermark.
    ts: u64,
    /// The changefeed's start ts.
    start_ts: Option<u64>,
    /// Zone of TIMESTAMP values.
    time_zone: TimeZone,
    /// Service id of the GC safepoint.
    service: Arc<str>,
    /// The task that renews it.
    renewal: AbortHandle,
}

impl Upstream {
    /// Holds garbage collection back, as long as the verification lasts.
    pub(crate) async fn hold(
        tikv: TikvClient,
        ts: u64,
        start_ts: Option<u64>,
        time_zone: TimeZone,
    ) -> Result<Self, VerifyError> {
        let service: Arc<str> = format!("tidegate-verify-{}", uuid::Uuid::new_v4()).into();
        let oldest = start_ts.map_or(ts, |start| start.min(ts));
        let safepoint = tikv.pd().update_service_gc_safepoint(&service, HOLD_SECONDS, oldest).await?;
        if safepoint > oldest {
            tikv.pd().update_service_gc_safepoint(&service, 0, 0).await?;
            let what = if oldest < ts { "the start ts" } else { "the watermark" };
            return Err(VerifyError::Collected { what, ts: oldest, safepoint });
        }
        let (pd, id) = (tikv.pd().clone(), Arc::clone(&service));
        let renewal = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EVERY).await;
                if let Err(error) = pd.update_service_gc_safepoint(&id, HOLD_SECONDS, oldest).await {
                    warn!(%error, "cannot renew the GC safepoint of the verification");
                }
            }
        });
        Ok(Self { tikv, ts, start_ts, time_zone, service, renewal: renewal.abort_handle() })
    }

    /// Lets garbage collection go on.
    pub(crate) async fn release(&self) {
        self.renewal.abort();
        if let Err(error) = self.tikv.pd().update_service_gc_safepoint(&self.service, 0, 0).await {
            warn!(%error, "the GC safepoint of the verification stays until it expires");
        }
    }

    /// Copies the rows of a table into the ledger; their types.
    pub(crate) async fn copy_rows(
        &self,
        table: &TableVersion,
        ledger: &Arc<Ledger>,
    ) -> Result<Fields, VerifyError> {
        let options = CanalOptions {
            enable_tidb_extension: true,
            time_zone: self.time_zone.clone(),
            ..CanalOptions::default()
        };
        let encoder = CanalEncoder::new(table, Arc::new(options))?;
        let schema = SchemaSnapshot::of_table(table.clone(), self.ts);
        let mut types = Fields::default();
        for id in table.info.physical_ids() {
            let (start, end) = record_range(id);
            let mut scanner = self.tikv.snapshot(self.ts).scanner(&start, &end, false);
            let mut message = Vec::new();
            while let Some(batch) = scanner.next_batch().await? {
                for pair in batch {
                    let change = RowChange {
                        start_ts: self.ts,
                        commit_ts: self.ts,
                        key: &pair.key,
                        value: &pair.value,
                        old_value: &[],
                    };
                    message.clear();
                    encoder.encode_as(&change, MessageForm::Full, 0, &mut message)?;
                    let Ok(Message::Row(row)) = Message::parse(&message) else {
                        return Err(VerifyError::Damaged("a rendered row"));
                    };
                    let key =
                        key_of(&row, &schema).map_err(|_| VerifyError::Damaged("a rendered row's key"))?;
                    ledger.put_row(&row, &key, &pair.key)?;
                    types = row.types;
                }
            }
        }
        Ok(types)
    }

    /// Of rows that the topic lacks, those that have not changed since the changefeed's start. Blocks: not for a thread
    /// of the runtime.
    pub(crate) fn unchanged(&self, keys: &[Vec<u8>]) -> Result<Vec<bool>, VerifyError> {
        let Some(start_ts) = self.start_ts else { return Ok(vec![false; keys.len()]) };
        let wanted = || keys.iter().map(|key| key.clone().into()).collect();
        let (before, now) = (self.tikv.snapshot(start_ts), self.tikv.snapshot(self.ts));
        let (before, now) = tokio::runtime::Handle::current().block_on(async {
            Ok::<_, VerifyError>((before.batch_get(wanted()).await?, now.batch_get(wanted()).await?))
        })?;
        let same = |key: &Vec<u8>| {
            let key = key.as_slice();
            before.get(key).is_some_and(|value| now.get(key) == Some(value))
        };
        Ok(keys.iter().map(same).collect())
    }
}
