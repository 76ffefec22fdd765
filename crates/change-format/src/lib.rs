//! Row changes, DDL and watermarks as Canal-JSON.
//!
//! [`CanalEncoder`] is made once per table version and settings; it turns rows as TiKV stores them straight into
//! JSON text: column bytes are written as text in one pass, with no value in between. [`encode_ddl`] and
//! [`encode_watermark`] make the other messages, [`PartitionHash`] and [`DispatchColumns`] choose partitions.

mod canal;
mod claim_check;
mod column_template;
mod compression;
mod ddl_message;
mod dispatch;
mod error;
mod extension;
mod flagged_value;
mod integrity;
mod json_document;
mod json_string;
mod message_time;
mod mysql_type;
mod options;
mod origin_default;
mod partition_hash;
mod projection;
mod row_change;
mod row_image;
mod row_name;
mod row_reader;
mod sql_type;
mod table_names;
mod watermark;

pub use canal::{CanalEncoder, Encoded, MessageForm};
pub use claim_check::{claim_check_object, claimed_value};
pub use compression::{ValueCompression, decompress};
pub use ddl_message::{DdlMessage, encode_ddl};
pub use dispatch::DispatchColumns;
pub use error::{ChangedRow, EncodeError, RowPlace};
pub use options::{CanalOptions, LargeMessage, RECORD_OVERHEAD, record_length};
pub use partition_hash::{PartitionHash, partition_by_ts};
pub use row_change::{RowChange, RowKind};
pub use row_reader::{Moment, RowReader};
pub use watermark::encode_watermark;
