//! The capture process: `cdc server`.
//!
//! [`start`] connects to PD, registers the process under a lease in etcd, takes part in the election of the owner, and
//! serves TiCDC's HTTP API. The owner runs the changefeeds; other captures forward requests to it and stand by.

mod api;
mod config;
mod election;
mod error;
mod metrics;
mod server;
mod tls;
mod users;

pub use config::{BuildInfo, CaptureConfig, SetLogLevel};
pub use error::StartError;
pub use server::{Running, start};
pub use tls::{Access, TlsError, http_client, refusal, scheme};
