//! A session's variables: values, checks, and what the engine derives from them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tidb_codec::Datum;

use super::parse_zone;
use super::variable_table::{self, DEFAULT_SQL_MODE, Kind, Variable};
use crate::collation;
use crate::engine::Engine;
use crate::error::{Result, SqlError};
use crate::expr::bind::Variables as VariableSource;
use crate::expr::{ModeFlags, ResultType};

/// `sql_mode` words with their bits as TiDB numbers them.
static SQL_MODES: &[(&str, u64)] = &[
    ("REAL_AS_FLOAT", 1),
    ("PIPES_AS_CONCAT", 1 << 1),
    ("ANSI_QUOTES", 1 << 2),
    ("IGNORE_SPACE", 1 << 3),
    ("NOT_USED", 1 << 4),
    ("ONLY_FULL_GROUP_BY", 1 << 5),
    ("NO_UNSIGNED_SUBTRACTION", 1 << 6),
    ("NO_DIR_IN_CREATE", 1 << 7),
    ("POSTGRESQL", 1 << 8),
    ("ORACLE", 1 << 9),
    ("MSSQL", 1 << 10),
    ("DB2", 1 << 11),
    ("MAXDB", 1 << 12),
    ("NO_KEY_OPTIONS", 1 << 13),
    ("NO_TABLE_OPTIONS", 1 << 14),
    ("NO_FIELD_OPTIONS", 1 << 15),
    ("MYSQL323", 1 << 16),
    ("MYSQL40", 1 << 17),
    ("ANSI", 1 << 18),
    ("NO_AUTO_VALUE_ON_ZERO", 1 << 19),
    ("NO_BACKSLASH_ESCAPES", 1 << 20),
    ("STRICT_TRANS_TABLES", 1 << 21),
    ("STRICT_ALL_TABLES", 1 << 22),
    ("NO_ZERO_IN_DATE", 1 << 23),
    ("NO_ZERO_DATE", 1 << 24),
    ("ERROR_FOR_DIVISION_BY_ZERO", 1 << 26),
    ("TRADITIONAL", 1 << 27),
    ("NO_AUTO_CREATE_USER", 1 << 28),
    ("HIGH_NOT_PRECEDENCE", 1 << 29),
    ("NO_ENGINE_SUBSTITUTION", 1 << 30),
    ("PAD_CHAR_TO_FULL_LENGTH", 1 << 31),
    ("ALLOW_INVALID_DATES", 1 << 32),
];

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

/// 1193: a name that is no variable.
fn unknown(name: &str) -> SqlError {
    SqlError::new(1193, format!("Unknown system variable '{name}'"))
}

/// 1231: a value that a variable does not take.
fn wrong_value(name: &str, value: &str) -> SqlError {
    SqlError::new(1231, format!("Variable '{name}' can't be set to the value of '{value}'"))
}

/// Brings a value into the form in which a variable keeps it.
///
/// # Errors
/// 1231, 1232, 1115, 1273, 1298.
pub(crate) fn normalize(variable: &Variable, value: &str) -> Result<String> {
    let name = variable.name;
    match variable.kind {
        Kind::Text => Ok(value.to_owned()),
        Kind::Bool => match value.to_ascii_uppercase().as_str() {
            "ON" | "1" | "TRUE" => Ok("ON".to_owned()),
            "OFF" | "0" | "FALSE" => Ok("OFF".to_owned()),
            _ => Err(wrong_value(name, value)),
        },
        Kind::Int(low, high) => {
            let number: i128 = value
                .trim()
                .parse()
                .map_err(|_| SqlError::new(1232, format!("Incorrect argument type to variable '{name}'")))?;
            Ok(number.clamp(i128::from(low), i128::from(high)).to_string())
        }
        Kind::Float => value
            .trim()
            .parse::<f64>()
            .map(|v| v.to_string())
            .map_err(|_| SqlError::new(1232, format!("Incorrect argument type to variable '{name}'"))),
        Kind::Word(words) => {
            words.iter().find(|w| w.eq_ignore_ascii_case(value)).map(|w| (*w).to_owned()).ok_or_else(|| {
                if variable.inert && words.len() <= 2 {
                    SqlError::unsupported(format!("{name}={value}"))
                } else {
                    wrong_value(name, value)
                }
            })
        }
        Kind::TimeZone => parse_zone(value)
            .map(|_| value.to_owned())
            .ok_or_else(|| SqlError::new(1298, format!("Unknown or incorrect time zone: '{value}'"))),
        Kind::SqlMode => sql_mode(value),
        Kind::Charset => {
            let known = collation::default_of(value).is_some();
            if known {
                Ok(value.to_ascii_lowercase())
            } else {
                Err(SqlError::new(1115, format!("Unknown character set: '{value}'")))
            }
        }
        Kind::Collation => {
            if collation::is_connection_collation(value) {
                Ok(value.to_ascii_lowercase())
            } else {
                Err(SqlError::new(1273, format!("Unknown collation: '{value}'")))
            }
        }
    }
}

/// A list of modes, or their number, as names in the usual order.
fn sql_mode(value: &str) -> Result<String> {
    if let Ok(bits) = value.parse::<u64>() {
        let names: Vec<&str> =
            SQL_MODES.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
        return Ok(names.join(","));
    }
    let mut names = Vec::new();
    for word in value.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let upper = word.to_ascii_uppercase();
        if !SQL_MODES.iter().any(|(name, _)| *name == upper) {
            return Err(wrong_value("sql_mode", word));
        }
        if !names.contains(&upper) {
            names.push(upper);
        }
    }
    Ok(names.join(","))
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

/// A variable's value with the type that `SELECT @@x` shows.
fn typed(variable: &Variable, text: String) -> (Datum, ResultType) {
    match variable.kind {
        Kind::Bool => (Datum::Int(i64::from(matches!(text.as_str(), "ON" | "1"))), ResultType::int()),
        Kind::Int(low, _) if low >= 0 => (Datum::Uint(text.parse().unwrap_or(0)), ResultType::uint()),
        Kind::Int(..) => (Datum::Int(text.parse().unwrap_or(0)), ResultType::int()),
        Kind::Float => (Datum::Double(text.parse().unwrap_or(0.0)), ResultType::double()),
        _ => {
            let flen = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            (Datum::Bytes(text.into_bytes()), ResultType::text_of(flen, collation::utf8mb4_bin()))
        }
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
