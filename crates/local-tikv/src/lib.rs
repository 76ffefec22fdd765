//! Embedded TiKV: MVCC store, Percolator transactions, change feed.
