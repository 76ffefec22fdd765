//! Row changes, DDL and watermarks as Canal-JSON.
