//! Why a topic cannot be verified.

/// A topic cannot be verified. Differences are no error.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Kafka does not do what it is asked.
    #[error("cannot read the topic: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The topic is not there.
    #[error("topic {0} does not exist; check --topic and --brokers")]
    NoTopic(String),
    /// A partition has no watermark.
    #[error(
        "partition {partition} of {topic} has no watermark; the changefeed needs enable-tidb-extension=true in its sink \
         URI, and its checkpoint must have moved since"
    )]
    NoWatermark {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// Nothing came for a long time although there must be more messages.
    #[error("no message came for {seconds} s although partition {partition} has more; is the broker well?")]
    Silence {
        /// Seconds without a message.
        seconds: u64,
        /// A partition that is not at its end.
        partition: i32,
    },
    /// A message is not what a changefeed writes.
    #[error("the message at partition {partition}, offset {offset} {reason}")]
    Message {
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// A message that is stored elsewhere cannot be read.
    #[error("{0}")]
    Storage(changefeed::FeedError),
    /// A table filter cannot be read.
    #[error("{0}")]
    Filter(String),
    /// The upstream does not answer.
    #[error("cannot read the upstream: {0}")]
    Upstream(#[from] tikv_client::Error),
    /// The schema cannot be read.
    #[error("cannot read the upstream's schema: {0}")]
    Schema(#[from] changefeed::FeedError),
    /// The upstream has forgotten what it was like.
    #[error(
        "the versions at {what} {ts} are gone: garbage collection has reached {safepoint}; let the changefeed move on, or \
         make tidb_gc_life_time longer"
    )]
    Collected {
        /// Which ts.
        what: &'static str,
        /// The ts.
        ts: u64,
        /// Where garbage collection is.
        safepoint: u64,
    },
    /// A stored row of the upstream cannot be rendered.
    #[error("a row of the upstream cannot be read")]
    Row(#[from] change_format::EncodeError),
    /// The temporary store fails.
    #[error("the temporary store failed; is its disk full? Choose another with --work-dir")]
    Store(#[from] fjall::Error),
    /// The temporary folder cannot be made.
    #[error("cannot make a temporary folder")]
    Folder(#[source] std::io::Error),
    /// An entry of the temporary store is damaged.
    #[error("the temporary store holds a damaged entry: {0}")]
    Damaged(&'static str),
    /// A thread broke off.
    #[error("the verification broke off: {0}")]
    Aborted(String),
}
