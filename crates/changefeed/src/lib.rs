//! Changefeeds: what turns row changes of TiKV into messages on Kafka.
//!
//! An [`Owner`] holds every changefeed of a cluster of captures. A changefeed runs as one event loop (`pipeline`) that
//! takes row changes and DDL jobs from a [`Source`], orders rows in a sorter, lets encoder threads (`worker`) render
//! and send them, and keeps DDLs (`barrier`) and watermarks in their place. Its checkpoint moves only past what the
//! broker acknowledged (`progress`) and is stored in PD's etcd (`metadata`).

mod barrier;
mod claim_check;
mod context;
mod crowd;
mod ddl_text;
mod ddl_tracker;
mod encode;
mod error;
mod feed;
mod gc;
mod held_back;
mod inquiry;
mod intake;
mod memory;
mod metadata;
mod metrics;
mod owner;
mod pipeline;
mod progress;
#[cfg(feature = "replay")]
#[doc(hidden)]
pub mod replay;
mod row_filter;
mod run_once;
mod schema_load;
mod signal;
mod sink;
mod source;
mod status_queue;
mod table;
mod table_checks;
mod tables;
mod tap;
mod term;
mod tikv_source;
mod turns;
mod validate;
mod watermark;
mod why;
mod worker;

pub use claim_check::ClaimCheckReader;
pub use context::{Context, ContextConfig};
pub use error::FeedError;
pub use feed::FeedView;
pub use memory::{FeedMemory, MemoryUse};
pub use metadata::{DEFAULT_KEYSPACE, Fence, MetadataStore, Stored};
pub use metrics::FeedMetrics;
pub use owner::{CreateRequest, Owner, UpdateRequest};
pub use schema_load::load_schema;
pub use source::{Source, SourceEvent};
pub use tables::{TableLists, TableName};
pub use tap::{Tap, TapRequest};
pub use term::Term;
pub use validate::{Check, ValidateRequest, validate};
pub use why::{
    DdlAnswer, ErrorAnswer, KafkaAnswer, LockAnswer, Reason, RegionAnswer, SorterAnswer, Stage, TableAnswer,
    Why,
};
