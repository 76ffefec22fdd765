//! What can go wrong between the capture and Kafka.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// A failure of the Kafka side of a changefeed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SinkError {
    /// The client could not be created: a setting is wrong.
    #[error("kafka config invalid: {0}")]
    InvalidConfig(String),
    /// No broker answered.
    #[error("new kafka producer: {0}")]
    Unreachable(String),
    /// A topic is missing and may not be created.
    #[error(
        "kafka topic {0:?} does not exist and auto-create-topic is false; create the topic or allow its creation"
    )]
    TopicMissing(String),
    /// The broker refused to create the topic.
    #[error("kafka create topic failed: {0}")]
    CreateTopic(String),
    /// An administrative call failed.
    #[error("kafka admin API {call} failed: {reason}")]
    Admin {
        /// Name of the call.
        call: &'static str,
        /// What the client or broker said.
        reason: String,
    },
    /// More partitions were asked for than the topic has.
    #[error(
        "the number of partition ({wanted}) specified in sink-uri is more than that of actual topic ({actual})"
    )]
    PartitionCount {
        /// `partition-num` of the sink.
        wanted: i32,
        /// Partitions of the existing topic.
        actual: i32,
    },
    /// A message was not delivered.
    #[error("kafka send message failed: {0}")]
    Send(String),
    /// A message is larger than the broker takes.
    #[error("message is too large. {0}")]
    MessageTooLarge(String),
}

impl SinkError {
    /// The `CDC:Err…` code that users of TiCDC know for this failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidConfig(_) | Self::PartitionCount { .. } | Self::TopicMissing(_) => {
                "CDC:ErrKafkaInvalidConfig"
            }
            Self::Unreachable(_) => "CDC:ErrKafkaNewProducer",
            Self::CreateTopic(_) => "CDC:ErrKafkaCreateTopic",
            Self::Admin { .. } => "CDC:ErrKafkaAdminAPI",
            Self::Send(_) => "CDC:ErrKafkaSendMessage",
            Self::MessageTooLarge(_) => "CDC:ErrMessageTooLarge",
        }
    }

    /// The error for a delivery that librdkafka gave up on.
    pub(crate) fn from_delivery(error: &KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Self::MessageTooLarge(error.to_string()),
            _ => Self::Send(error.to_string()),
        }
    }
}
