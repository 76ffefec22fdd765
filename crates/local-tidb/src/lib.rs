//! An embedded TiDB: SQL over TiKV's transactional API, with TiDB's schema, row and index encodings.

mod auto_id;
mod bootstrap;
mod catalog;
pub mod collation;
mod convert;
mod ddl;
mod default_value;
mod engine;
mod error;
mod exec;
mod expr;
mod meta_keys;
mod server;
mod session;
mod storage_error;
mod store;
mod topology;
mod wire;

pub use engine::Engine;
pub use error::{Result, SqlError};
pub use exec::query::{ResultColumn, value_text};
pub use expr::{Level, ResultType, Warning};
pub use server::{Running, StartError, TidbConfig, start};
pub use session::{PreparedInfo, QueryResult, Session};
