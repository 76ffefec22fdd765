//! A session's variables: values, checks, and what the engine derives from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tidb_codec::Datum;

use super::variable_table::{self, DEFAULT_SQL_MODE};
use super::variable_value::{SQL_MODES, normalize, typed, unknown};
use crate::engine::Engine;
use tidb_expr::bind::Variables as VariableSource;
use tidb_expr::collation;
use tidb_expr::parse_zone;
use tidb_expr::{ModeFlags, ResultType};
use tidb_expr::{Result, SqlError};

/// The variables of one session.
#[derive(Debug, Clone)]
pub(crate) struct SessionVariables {
    /// Where global variables are.
    engine: Arc<Engine>,
    /// Session values that were set; all others are the global ones.
    values: BTreeMap<&'static str, String>,
    /// User variables by lower-case name.
    user: Arc<HashMap<String, Datum>>,
    /// Derived from `sql_mode`.
    pub(crate) mode: ModeFlags,
    /// The same, for the parser.
    pub(crate) parser_mode: tidb_sql::SqlMode,
    /// Derived from `time_zone`.
    pub(crate) zone: TimeZone,
    /// `@@tidb_current_ts`: start of the open transaction, else 0.
    pub(crate) current_ts: u64,
    /// `@@last_insert_id`.
    pub(crate) last_insert_id: u64,
}

impl SessionVariables {
    /// A session's variables, from the global values.
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let mut variables = Self {
            engine,
            values: BTreeMap::new(),
            user: Arc::default(),
            mode: ModeFlags::from_names(DEFAULT_SQL_MODE),
            parser_mode: tidb_sql::SqlMode::default(),
            zone: TimeZone::UTC,
            current_ts: 0,
            last_insert_id: 0,
        };
        variables.derive();
        variables
    }

    /// The session's value of a variable, by its lower-case name.
    pub(crate) fn get(&self, name: &str) -> String {
        match name {
            "tidb_current_ts" => return self.current_ts.to_string(),
            "last_insert_id" | "identity" => return self.last_insert_id.to_string(),
            "tx_isolation" => return self.get("transaction_isolation"),
            "tx_read_only" => return self.get("transaction_read_only"),
            _ => {}
        }
        self.values.get(name).cloned().unwrap_or_else(|| self.global(name))
    }

    /// The global value of a variable.
    pub(crate) fn global(&self, name: &str) -> String {
        let default = || variable_table::find(name).map(|v| v.default.to_owned()).unwrap_or_default();
        self.engine.global(name).unwrap_or_else(default)
    }

    /// Whether a variable is `ON`.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        matches!(self.get(name).as_str(), "ON" | "1")
    }

    /// Sets the session's value.
    ///
    /// # Errors
    /// 1193, 1238, 1229, and what [`normalize`] refuses.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let variable = variable_table::find(name).ok_or_else(|| unknown(name))?;
        if variable.scope == variable_table::Scope::ReadOnly {
            return Err(SqlError::new(1238, format!("Variable '{name}' is a read only variable")));
        }
        if !variable.scope.has_session() {
            return Err(SqlError::new(
                1229,
                format!("Variable '{name}' is a GLOBAL variable and should be set with SET GLOBAL"),
            ));
        }
        let normal = normalize(variable, value)?;
        let key = match variable.name {
            "tx_isolation" => "transaction_isolation",
            "tx_read_only" => "transaction_read_only",
            other => other,
        };
        if key == "transaction_isolation" && matches!(normal.as_str(), "SERIALIZABLE" | "READ-UNCOMMITTED") {
            return Err(SqlError::new(
                8048,
                format!(
                    "The isolation level '{normal}' is not supported. Set tidb_skip_isolation_level_check=1 to skip this error"
                ),
            ));
        }
        if key == "transaction_isolation" && normal == "READ-COMMITTED" {
            return Err(SqlError::unsupported("transaction_isolation=READ-COMMITTED"));
        }
        if key == "last_insert_id" {
            self.last_insert_id = normal.parse().unwrap_or(0);
        }
        self.values.insert(key, normal);
        self.derive();
        Ok(())
    }

    /// Gives the session back the global value.
    ///
    /// # Errors
    /// 1193.
    pub(crate) fn reset(&mut self, name: &str) -> Result<()> {
        let variable = variable_table::find(name).ok_or_else(|| unknown(name))?;
        self.values.remove(variable.name);
        self.derive();
        Ok(())
    }

    /// `SET NAMES`.
    ///
    /// # Errors
    /// 1115, 1273.
    pub(crate) fn set_names(&mut self, charset: Option<&str>, collate: Option<&str>) -> Result<()> {
        let charset = charset.unwrap_or("utf8mb4");
        let default = collation::default_of(charset)
            .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{charset}'")))?;
        for name in ["character_set_client", "character_set_connection", "character_set_results"] {
            self.set(name, charset)?;
        }
        self.set("collation_connection", collate.unwrap_or(default.name))
    }

    /// Recomputes what is derived.
    fn derive(&mut self) {
        let mode = self.get("sql_mode");
        self.mode = ModeFlags::from_names(&mode);
        self.parser_mode = tidb_sql::SqlMode::from_names(&mode);
        self.zone = parse_zone(&self.get("time_zone")).unwrap_or(TimeZone::UTC);
    }

    /// `sql_mode` as TiDB numbers it.
    pub(crate) fn sql_mode_bits(&self) -> u64 {
        let names = self.get("sql_mode");
        names
            .split(',')
            .filter_map(|name| SQL_MODES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.trim())))
            .fold(0, |bits, (_, bit)| bits | bit)
    }

    /// A number, 0 if it is none.
    pub(crate) fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// How long statements wait for row locks.
    pub(crate) fn lock_wait(&self) -> Duration {
        match self.number("innodb_lock_wait_timeout") {
            0 => Engine::default_lock_wait(),
            seconds => Duration::from_secs(seconds),
        }
    }

    /// Sets a user variable.
    pub(crate) fn set_user(&mut self, name: &str, value: Datum) {
        Arc::make_mut(&mut self.user).insert(name.to_ascii_lowercase(), value);
    }

    /// Forgets everything that the session has set.
    pub(crate) fn reset_all(&mut self) {
        *self = Self::new(Arc::clone(&self.engine));
    }
}

impl VariableSource for SessionVariables {
    fn system(&self, global: bool, name: &str) -> Result<(Datum, ResultType)> {
        let variable = variable_table::find(name).ok_or_else(|| unknown(name))?;
        if global && variable.scope == variable_table::Scope::Session {
            return Err(SqlError::new(1238, format!("Variable '{name}' is a SESSION variable")));
        }
        let text = if global { self.global(variable.name) } else { self.get(variable.name) };
        Ok(typed(variable, text))
    }

    fn user(&self, name: &str) -> Datum {
        self.user.get(name).cloned().unwrap_or(Datum::Null)
    }
}

/// No variables at all, for statements of the server itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoVariables;

impl VariableSource for NoVariables {
    fn system(&self, _: bool, name: &str) -> Result<(Datum, ResultType)> {
        Err(unknown(name))
    }

    fn user(&self, _: &str) -> Datum {
        Datum::Null
    }
}
