//! Producer and topics against the original Kafka. Where Java or Maven is missing the tests say so and end.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on ends; helpers of tests are no different"
)]

mod broker;
mod faults;
#[cfg(feature = "gssapi")]
mod kerberos;
mod oauth;
mod readers;
mod security;
mod topics;
