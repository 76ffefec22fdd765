//! The broker under real clients and under a raw one.

mod admin;
mod broker;
mod clients;
mod crash;
mod fetch;
mod groups;
mod hostile;
mod kcat;
mod log_files;
mod produce;
mod wire;
