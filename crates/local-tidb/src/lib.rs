//! An embedded TiDB: SQL over TiKV's transactional API, with TiDB's schema, row and index encodings.

mod auto_id;
mod bootstrap;
mod catalog;
mod ddl;
mod default_value;
mod engine;
mod exec;
mod meta_keys;
mod server;
mod session;
mod storage_error;
mod store;
mod topology;
mod wire;

pub use engine::Engine;
pub use exec::query::{ResultColumn, value_text};
pub use server::{Running, StartError, TidbConfig, start};
pub use session::{PreparedInfo, QueryResult, Session};
pub use tidb_expr::{Level, Result, ResultType, SqlError, Warning};
