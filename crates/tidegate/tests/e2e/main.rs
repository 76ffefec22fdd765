//! The program from outside: the binary as a child process, its services over their protocols, and the clients that
//! users have.
//!
//! `cargo xtask test` installs the programs that these tests start (mysql, kcat, node with KafkaJS).

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on ends; helpers of tests are no different"
)]

mod api;
mod broker_down;
mod broker_kinds;
mod bucket;
mod captures;
mod cluster_faults;
mod compressed_values;
mod concurrent_split;
mod consuming;
mod crash;
mod demo;
mod disk_full;
mod life_cycle;
mod link;
mod link_faults;
mod load;
mod openapi;
mod operations;
mod peer;
mod producers;
mod programs;
mod real_broker;
mod recordings;
mod redaction;
mod reference_client;
mod refused_input;
mod replay;
mod secrets;
mod security;
mod services;
mod stack;
mod standby;
mod tap;
mod tls_cluster;
mod topic;
mod two_captures;
mod validate;
mod value_filter;
mod verify;
mod wait;
mod walk_through;
mod why;
mod wrong_input;

/// How the program reads events: the tests read them in the same way.
#[allow(dead_code, reason = "the tests need less of it than the program")]
#[path = "../../src/consume/event.rs"]
mod event;

/// The SQL client of the program.
#[allow(dead_code, reason = "the tests need less of it than the program")]
#[path = "../../src/demo/sql_client.rs"]
mod sql_client;
