//! Embedded Kafka broker.
