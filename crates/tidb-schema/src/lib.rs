//! TiDB's schema objects, DDL jobs and schema snapshots.
