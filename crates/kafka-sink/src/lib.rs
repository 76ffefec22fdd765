//! Kafka producer, topics and partition dispatch of a changefeed.
