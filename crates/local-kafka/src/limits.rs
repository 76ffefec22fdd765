//! Every bound of the broker in one place.
//!
//! Values marked "Kafka default" are those of the broker setting of the same meaning.

use std::time::Duration;

/// Largest request frame in bytes (Kafka default of `socket.request.max.bytes`).
pub(crate) const MAX_FRAME_BYTES: usize = 104_857_600;
/// Smallest frame which can hold a request header: api key, version and correlation id.
pub(crate) const MIN_FRAME_BYTES: usize = 8;
/// Frames up to this size are not charged to the shared memory budget (bytes).
pub(crate) const FREE_FRAME_BYTES: usize = 64 * 1024;
/// Bytes of request frames and fetch answers which may be in memory at the same time.
pub(crate) const MEMORY_BUDGET_BYTES: usize = 512 * 1024 * 1024;
/// Frames read ahead of the one being answered, per connection.
pub(crate) const READ_AHEAD_FRAMES: usize = 4;
/// Connections served at the same time.
pub(crate) const MAX_CONNECTIONS: usize = 1024;
/// A connection without traffic is closed after this time (Kafka default of `connections.max.idle.ms`).
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest pause inside one frame before the connection is given up.
pub(crate) const FRAME_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time for writing one answer to a client which does not read.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after a failed `accept` (for example no free file descriptor).
pub(crate) const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// Time which running requests get to finish when the broker stops.
pub(crate) const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// Array elements and tagged fields in one request, over all nesting levels.
pub(crate) const MAX_REQUEST_ELEMENTS: usize = 200_000;

/// Topics a broker holds.
pub(crate) const MAX_TOPICS: usize = 10_000;
/// Partitions a broker holds over all topics (each active one keeps a file open).
pub(crate) const MAX_PARTITIONS: usize = 50_000;
/// Longest topic name (Kafka: file name length minus the partition suffix).
pub(crate) const MAX_TOPIC_NAME_LEN: usize = 249;

/// Largest record batch a topic takes by default, in bytes (`max.message.bytes`).
pub(crate) const DEFAULT_MAX_MESSAGE_BYTES: i32 = 10 * 1024 * 1024;
/// Default size of a segment file in bytes (`segment.bytes`).
pub(crate) const DEFAULT_SEGMENT_BYTES: i64 = 128 * 1024 * 1024;
/// Smallest value accepted for `segment.bytes`.
pub(crate) const MIN_SEGMENT_BYTES: i64 = 1024;
/// Largest value accepted for `segment.bytes` (Kafka keeps it in an `int`).
pub(crate) const MAX_SEGMENT_BYTES: i64 = i32::MAX as i64;
/// Log bytes between two entries of the sparse offset index.
pub(crate) const INDEX_INTERVAL_BYTES: u64 = 64 * 1024;
/// Bytes read at once while scanning a segment.
pub(crate) const SCAN_CHUNK_BYTES: usize = 256 * 1024;
/// Idempotent producers remembered per partition; the least recently used goes first.
pub(crate) const MAX_PRODUCERS_PER_PARTITION: usize = 5_000;
/// Batches remembered per producer for recognising a repeated send (fixed by the protocol's five requests in flight).
pub(crate) const PRODUCER_WINDOW: usize = 5;

/// Jobs waiting in front of one I/O thread.
pub(crate) const IO_QUEUE_JOBS: usize = 1024;
/// Jobs an I/O thread takes in one round.
pub(crate) const IO_ROUND_JOBS: usize = 256;
/// Slices handed to one vectored write (below every platform's `IOV_MAX`).
pub(crate) const MAX_IO_SLICES: usize = 512;
/// I/O threads at most; partitions are spread over them.
pub(crate) const MAX_IO_THREADS: usize = 4;
/// Fetch requests which read files at the same time.
pub(crate) const MAX_CONCURRENT_READS: usize = 16;

/// Bytes of records in one fetch answer at most, whatever the client asks for.
pub(crate) const MAX_FETCH_BYTES: usize = 64 * 1024 * 1024;
/// Longest time a fetch waits for data, whatever the client asks for.
pub(crate) const MAX_FETCH_WAIT: Duration = Duration::from_secs(300);

/// Consumer groups with members.
pub(crate) const MAX_GROUPS: usize = 10_000;
/// Members of one group.
pub(crate) const MAX_GROUP_MEMBERS: usize = 1_000;
/// Embedded protocols a member may offer.
pub(crate) const MAX_MEMBER_PROTOCOLS: usize = 100;
/// Subscription bytes of one member over all its protocols.
pub(crate) const MAX_MEMBER_METADATA_BYTES: usize = 1024 * 1024;
/// Shortest session timeout a member may ask for.
pub(crate) const MIN_SESSION_TIMEOUT: Duration = Duration::from_millis(100);
/// Longest session timeout a member may ask for (Kafka default of `group.max.session.timeout.ms`).
pub(crate) const MAX_SESSION_TIMEOUT: Duration = Duration::from_secs(1800);
/// Longest rebalance timeout; longer ones are cut.
pub(crate) const MAX_REBALANCE_TIMEOUT: Duration = Duration::from_secs(3600);
/// Time in which the first members of an empty group gather (Kafka waits 3 s; this broker serves one machine).
pub(crate) const INITIAL_REBALANCE_DELAY: Duration = Duration::from_millis(50);
/// A member whose connection broke and which is silent for this long is taken for dead.
///
/// Longer than the heartbeat interval of 3 s which clients use, so that a client which reconnects keeps its place.
pub(crate) const DISCONNECT_GRACE: Duration = Duration::from_secs(5);
/// Group members tracked per connection for [`DISCONNECT_GRACE`].
pub(crate) const MAX_MEMBERS_PER_CONNECTION: usize = 64;
/// Longest metadata string of a committed offset (Kafka default of `offset.metadata.max.bytes`).
pub(crate) const MAX_OFFSET_METADATA_BYTES: usize = 4096;
/// Committed offsets kept over all groups.
pub(crate) const MAX_COMMITTED_OFFSETS: usize = 2_000_000;
/// Committed offsets of a group without members live this long (Kafka default of `offsets.retention.minutes`).
pub(crate) const OFFSETS_RETENTION: Duration = Duration::from_secs(7 * 24 * 3600);
/// Offset changes waiting for the journal thread.
pub(crate) const JOURNAL_QUEUE: usize = 1024;
/// The journal is rewritten once its dead part exceeds its live part by this many bytes.
pub(crate) const JOURNAL_SLACK_BYTES: u64 = 4 * 1024 * 1024;
/// Largest journal record accepted while reading the journal back.
pub(crate) const MAX_JOURNAL_RECORD: usize = 64 * 1024;

/// Producer ids reserved on disk at a time.
pub(crate) const PRODUCER_ID_BLOCK: i64 = 1000;
/// Pause between two rounds of retention and expiry.
pub(crate) const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(30);
