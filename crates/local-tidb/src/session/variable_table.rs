//! The system variables that clients ask for: names, scopes, defaults and checks.

/// Version that clients see: MySQL's part, then TiDB's.
pub(crate) const SERVER_VERSION: &str = "8.0.11-TiDB-v8.5.4-tidegate";
/// Default `sql_mode`, as TiDB's.
pub(crate) const DEFAULT_SQL_MODE: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION";

/// Where a variable lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Fixed.
    ReadOnly,
    /// One value for the server.
    Global,
    /// Each session's own.
    Session,
    /// Each session's own, started from the global value.
    Both,
}

impl Scope {
    /// Whether `SET SESSION` is allowed.
    pub(crate) fn has_session(self) -> bool {
        matches!(self, Self::Session | Self::Both)
    }

    /// Whether `SET GLOBAL` is allowed.
    pub(crate) fn has_global(self) -> bool {
        matches!(self, Self::Global | Self::Both)
    }
}

/// What values a variable takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// `ON` or `OFF`.
    Bool,
    /// A whole number between two bounds; values outside are moved to the bound with a warning.
    Int(i64, u64),
    /// A decimal fraction.
    Float,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A time zone.
    TimeZone,
    /// A list of SQL modes.
    SqlMode,
    /// A character set.
    Charset,
    /// A collation.
    Collation,
}

/// One system variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    /// Lower-case name.
    pub(crate) name: &'static str,
    /// Where it lives.
    pub(crate) scope: Scope,
    /// Its values.
    pub(crate) kind: Kind,
    /// Its value on a fresh cluster.
    pub(crate) default: &'static str,
    /// Setting it changes nothing in this server but what reading it gives: the feature it tunes is not there.
    pub(crate) inert: bool,
}

/// A variable that has an effect.
const fn live(name: &'static str, scope: Scope, kind: Kind, default: &'static str) -> Variable {
    Variable { name, scope, kind, default, inert: false }
}

/// A variable that is only kept.
const fn inert(name: &'static str, scope: Scope, kind: Kind, default: &'static str) -> Variable {
    Variable { name, scope, kind, default, inert: true }
}

/// Words of `transaction_isolation`.
const ISOLATION: Kind =
    Kind::Word(&["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"]);
/// Any number that is not negative.
const COUNT: Kind = Kind::Int(0, i64::MAX as u64);

/// All variables, sorted by name.
pub(crate) static VARIABLES: &[Variable] = &[
    inert("auto_increment_increment", Scope::Both, Kind::Int(1, 65535), "1"),
    inert("auto_increment_offset", Scope::Both, Kind::Int(1, 65535), "1"),
    live("autocommit", Scope::Both, Kind::Bool, "ON"),
    inert("block_encryption_mode", Scope::Both, Kind::Text, "aes-128-ecb"),
    live("character_set_client", Scope::Both, Kind::Charset, "utf8mb4"),
    live("character_set_connection", Scope::Both, Kind::Charset, "utf8mb4"),
    live("character_set_database", Scope::Both, Kind::Charset, "utf8mb4"),
    inert("character_set_filesystem", Scope::Both, Kind::Charset, "binary"),
    live("character_set_results", Scope::Both, Kind::Charset, "utf8mb4"),
    live("character_set_server", Scope::Both, Kind::Charset, "utf8mb4"),
    inert("character_set_system", Scope::ReadOnly, Kind::Text, "utf8"),
    live("collation_connection", Scope::Both, Kind::Collation, "utf8mb4_bin"),
    live("collation_database", Scope::Both, Kind::Collation, "utf8mb4_bin"),
    live("collation_server", Scope::Both, Kind::Collation, "utf8mb4_bin"),
    inert("connect_timeout", Scope::Global, Kind::Int(2, 31_536_000), "10"),
    inert("default_authentication_plugin", Scope::Global, Kind::Text, "mysql_native_password"),
    inert("default_storage_engine", Scope::Both, Kind::Text, "InnoDB"),
    inert("default_week_format", Scope::Both, Kind::Int(0, 7), "0"),
    inert("div_precision_increment", Scope::Both, Kind::Int(0, 30), "4"),
    inert("explicit_defaults_for_timestamp", Scope::Both, Kind::Bool, "ON"),
    live("foreign_key_checks", Scope::Both, Kind::Bool, "ON"),
    inert("group_concat_max_len", Scope::Both, Kind::Int(4, u64::MAX), "1024"),
    inert("have_openssl", Scope::ReadOnly, Kind::Text, "DISABLED"),
    inert("have_ssl", Scope::ReadOnly, Kind::Text, "DISABLED"),
    inert("hostname", Scope::ReadOnly, Kind::Text, "localhost"),
    inert("identity", Scope::Session, COUNT, "0"),
    inert("init_connect", Scope::Global, Kind::Text, ""),
    live("innodb_lock_wait_timeout", Scope::Both, Kind::Int(1, 3600), "50"),
    inert("interactive_timeout", Scope::Both, Kind::Int(1, 31_536_000), "28800"),
    live("last_insert_id", Scope::Session, COUNT, "0"),
    inert("license", Scope::ReadOnly, Kind::Text, "Apache License 2.0"),
    inert("lock_wait_timeout", Scope::Both, Kind::Int(1, 31_536_000), "31536000"),
    inert("lower_case_file_system", Scope::ReadOnly, Kind::Bool, "1"),
    inert("lower_case_table_names", Scope::ReadOnly, Kind::Int(0, 2), "2"),
    live("max_allowed_packet", Scope::Both, Kind::Int(1024, 1_073_741_824), "67108864"),
    inert("max_connections", Scope::Global, Kind::Int(0, 100_000), "0"),
    inert("max_execution_time", Scope::Both, COUNT, "0"),
    inert("max_prepared_stmt_count", Scope::Global, Kind::Int(-1, 1_048_576), "-1"),
    inert("net_buffer_length", Scope::Both, Kind::Int(1024, 1_048_576), "16384"),
    inert("net_read_timeout", Scope::Both, Kind::Int(1, 31_536_000), "30"),
    inert("net_write_timeout", Scope::Both, Kind::Int(1, 31_536_000), "60"),
    inert("optimizer_switch", Scope::Both, Kind::Text, ""),
    inert("performance_schema", Scope::ReadOnly, Kind::Bool, "0"),
    live("port", Scope::ReadOnly, Kind::Text, "4000"),
    inert("profiling", Scope::Both, Kind::Bool, "OFF"),
    inert("protocol_version", Scope::ReadOnly, Kind::Text, "10"),
    inert("query_cache_size", Scope::Global, COUNT, "1048576"),
    inert("query_cache_type", Scope::Both, Kind::Text, "OFF"),
    inert("read_only", Scope::ReadOnly, Kind::Bool, "OFF"),
    inert("session_track_gtids", Scope::Both, Kind::Text, "OFF"),
    inert("session_track_schema", Scope::Both, Kind::Bool, "ON"),
    inert(
        "session_track_system_variables",
        Scope::Both,
        Kind::Text,
        "time_zone,autocommit,character_set_client,character_set_results,character_set_connection",
    ),
    inert("socket", Scope::ReadOnly, Kind::Text, ""),
    inert("sql_auto_is_null", Scope::Both, Kind::Bool, "OFF"),
    inert("sql_log_bin", Scope::Both, Kind::Bool, "ON"),
    live("sql_mode", Scope::Both, Kind::SqlMode, DEFAULT_SQL_MODE),
    inert("sql_notes", Scope::Both, Kind::Bool, "1"),
    inert("sql_quote_show_create", Scope::Both, Kind::Bool, "ON"),
    inert("sql_require_primary_key", Scope::Both, Kind::Bool, "OFF"),
    inert("sql_safe_updates", Scope::Both, Kind::Bool, "OFF"),
    live("sql_select_limit", Scope::Both, Kind::Int(0, u64::MAX), "18446744073709551615"),
    inert("sql_warnings", Scope::Both, Kind::Bool, "OFF"),
    live("system_time_zone", Scope::ReadOnly, Kind::Text, "UTC"),
    inert("tidb_allow_mpp", Scope::Both, Kind::Bool, "ON"),
    inert("tidb_batch_insert", Scope::Session, Kind::Bool, "OFF"),
    live("tidb_cdc_write_source", Scope::Session, Kind::Int(0, 15), "0"),
    inert("tidb_constraint_check_in_place", Scope::Both, Kind::Bool, "OFF"),
    live("tidb_current_ts", Scope::ReadOnly, COUNT, "0"),
    inert("tidb_distsql_scan_concurrency", Scope::Both, Kind::Int(1, 256), "15"),
    inert("tidb_dml_type", Scope::Session, Kind::Word(&["standard", "bulk"]), "standard"),
    inert("tidb_enable_1pc", Scope::Both, Kind::Bool, "ON"),
    inert("tidb_enable_async_commit", Scope::Both, Kind::Bool, "ON"),
    inert("tidb_enable_clustered_index", Scope::Both, Kind::Word(&["OFF", "ON", "INT_ONLY"]), "ON"),
    inert("tidb_enable_row_level_checksum", Scope::Both, Kind::Word(&["OFF", "0"]), "OFF"),
    inert("tidb_mem_quota_query", Scope::Both, Kind::Int(-1, i64::MAX as u64), "1073741824"),
    inert("tidb_row_format_version", Scope::Both, Kind::Word(&["2"]), "2"),
    live("tidb_server_memory_limit", Scope::Global, Kind::Text, "80%"),
    inert("tidb_snapshot", Scope::Session, Kind::Word(&[""]), ""),
    live("tidb_txn_mode", Scope::Both, Kind::Word(&["pessimistic", "optimistic", ""]), "pessimistic"),
    live("time_zone", Scope::Both, Kind::TimeZone, "SYSTEM"),
    live("timestamp", Scope::Session, Kind::Float, "0"),
    live("transaction_isolation", Scope::Both, ISOLATION, "REPEATABLE-READ"),
    live("transaction_read_only", Scope::Both, Kind::Bool, "OFF"),
    live("tx_isolation", Scope::Both, ISOLATION, "REPEATABLE-READ"),
    live("tx_read_only", Scope::Both, Kind::Bool, "OFF"),
    inert("unique_checks", Scope::Both, Kind::Bool, "ON"),
    live("version", Scope::ReadOnly, Kind::Text, SERVER_VERSION),
    live("version_comment", Scope::ReadOnly, Kind::Text, "Tidegate local TiDB (Apache License 2.0)"),
    inert("version_compile_machine", Scope::ReadOnly, Kind::Text, std::env::consts::ARCH),
    inert("version_compile_os", Scope::ReadOnly, Kind::Text, std::env::consts::OS),
    inert("wait_timeout", Scope::Both, Kind::Int(0, 31_536_000), "28800"),
    inert("warning_count", Scope::ReadOnly, COUNT, "0"),
    inert("windowing_use_high_precision", Scope::Both, Kind::Bool, "ON"),
];

/// Finds a variable; `name` in any case.
pub(crate) fn find(name: &str) -> Option<&'static Variable> {
    let lower = name.to_ascii_lowercase();
    VARIABLES.binary_search_by(|v| v.name.cmp(lower.as_str())).ok().and_then(|at| VARIABLES.get(at))
}

#[cfg(test)]
mod tests {
    use super::{VARIABLES, find};

    #[test]
    fn the_table_is_sorted_so_that_every_name_is_found() {
        assert!(VARIABLES.is_sorted_by(|a, b| a.name < b.name));
        assert!(VARIABLES.iter().all(|v| find(&v.name.to_uppercase()).is_some()));
    }
}
