//! Rows and index entries in TiKV: transactions, encodings, range reads.

pub(crate) mod entries;
pub(crate) mod row;
pub(crate) mod txn;
mod writes;

pub(crate) use row::StoredRow;
pub(crate) use txn::{Txn, TxnMode};
