//! TiDB's SQL: parsing and restoring in canonical form.
