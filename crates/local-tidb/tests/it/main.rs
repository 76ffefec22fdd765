//! The engine on a real cluster in this process.

mod cluster;
mod ddl;
mod dml;
mod expressions;
mod transactions;
