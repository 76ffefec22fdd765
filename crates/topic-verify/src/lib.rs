//! Proves that a topic says what its upstream holds: reads a topic of Canal-JSON messages up to a watermark, rebuilds
//! every table from them, and compares each row with the snapshot of TiKV at that watermark.
//!
//! Memory does not grow with the topic: messages and rows are ordered by key in a temporary store on disk, and compared
//! in one walk over both.
//!
//! What must hold of a topic is written down in [`history`]: the last change of each row, in commit order, and no change
//! that arrives behind a later one unless it is a repetition.

mod compare;
mod error;
pub mod history;
mod ledger;
pub mod lineage;
mod message;
mod report;
mod topic;
mod upstream;

use std::path::PathBuf;
use std::sync::Arc;

use changefeed::{ClaimCheckReader, load_schema};
use changefeed_config::TableFilter;
use jiff::tz::TimeZone;
use tikv_client::TikvClient;

pub use error::VerifyError;
pub use report::{Difference, DifferenceKind, Report, TableReport};

use compare::Comparison;
use ledger::Ledger;
use topic::Topic;
use upstream::Upstream;

/// What to verify.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Brokers, `host:port`, separated by commas.
    pub brokers: String,
    /// Topic.
    pub topic: String,
    /// Tables that must be in the topic, as filter rules; without rules the tables that the topic speaks of.
    pub tables: Vec<String>,
    /// The changefeed's start ts, if the tables had rows before: rows that have not changed since are not expected.
    pub start_ts: Option<u64>,
    /// Zone in which the changefeed writes TIMESTAMP values.
    pub time_zone: TimeZone,
    /// Folder for the temporary store; the system's if absent.
    pub work_dir: Option<PathBuf>,
    /// The changefeed's `claim-check-storage-uri`: messages that it has stored there are read. Without it only the keys
    /// of their rows are compared.
    pub claim_check_storage_uri: Option<String>,
    /// Most differences that are described one by one; all are counted.
    pub shown: usize,
}

/// Verifies a topic.
///
/// # Errors
/// If the topic cannot be read or has no watermark, a message is no Canal-JSON with TiDB's extension, or the upstream
/// cannot be read at the watermark. Differences are no error: they are in the report.
pub async fn verify(tikv: &TikvClient, request: VerifyRequest) -> Result<Report, VerifyError> {
    let filter = TableFilter::new(&request.tables, false).map_err(|e| VerifyError::Filter(e.to_string()))?;
    let stored = request.claim_check_storage_uri.as_deref().map(ClaimCheckReader::open).transpose();
    let stored = stored.map_err(VerifyError::Storage)?;
    let ledger = Arc::new(Ledger::create(request.work_dir.as_deref())?);
    let (brokers, name) = (request.brokers.clone(), request.topic.clone());
    let (topic, watermark) = blocking(move || {
        let topic = Topic::open(&brokers, &name)?;
        let watermark = topic.last_watermark()?;
        Ok((topic, watermark))
    })
    .await?;
    // From here on the snapshot must stay: garbage collection is held back until the end.
    let upstream =
        Upstream::hold(tikv.clone(), watermark, request.start_ts, request.time_zone.clone()).await?;
    let schema = Arc::new(load_schema(tikv, watermark).await?);
    let (reader, keys) = (Arc::clone(&ledger), Arc::clone(&schema));
    let contents = blocking(move || topic.read_into(&reader, &keys, stored.as_ref())).await?;
    let only_mentioned = request.tables.is_empty();
    let tables: Vec<_> = schema
        .tables()
        .into_iter()
        .filter(|table| {
            let (database, name) = (table.schema_name(), table.table_name());
            let wanted = if only_mentioned {
                contents.mentions(database, name)
            } else {
                filter.matches_table(database, name)
            };
            wanted && !table.is_system() && table.info.has_rows()
        })
        .collect();
    let mut comparison = Comparison::new(watermark, contents, request.shown);
    for table in tables {
        let lineage = comparison.lineage(&table);
        if let Some(reason) = &lineage.undecidable {
            comparison.skip(&table, reason);
            continue;
        }
        let types = upstream.copy_rows(&table, &ledger).await?;
        let (walker, source, mut walking) = (Arc::clone(&ledger), upstream.clone(), comparison);
        comparison = blocking(move || {
            walking.walk(&table, &types, &lineage, &walker, &source)?;
            Ok(walking)
        })
        .await?;
    }
    upstream.release().await;
    Ok(comparison.finish())
}

/// Runs what blocks where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VerifyError> + Send + 'static,
) -> Result<T, VerifyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(VerifyError::Aborted(error.to_string())),
    }
}
