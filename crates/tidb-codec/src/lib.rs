//! TiDB's key, row and value encodings.
