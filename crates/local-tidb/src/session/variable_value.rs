//! Values of system variables: what they may be, in which form they are kept, how they are shown.

use tidb_codec::Datum;

use super::variable_table::{Kind, Variable};
use tidb_expr::ResultType;
use tidb_expr::collation;
use tidb_expr::parse_zone;
use tidb_expr::{Result, SqlError};

/// `sql_mode` words with their bits as TiDB numbers them.
pub(super) static SQL_MODES: &[(&str, u64)] = &[
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

/// 1193: a name that is no variable.
pub(super) fn unknown(name: &str) -> SqlError {
    SqlError::new(1193, format!("Unknown system variable '{name}'"))
}

/// 1231: a value that a variable does not take.
pub(super) fn wrong_value(name: &str, value: &str) -> SqlError {
    SqlError::new(1231, format!("Variable '{name}' can't be set to the value of '{value}'"))
}

/// Brings a value into the form in which a variable keeps it.
///
/// # Errors
/// 1231, 1232, 1115, 1273, 1298.
pub(super) fn normalize(variable: &Variable, value: &str) -> Result<String> {
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

/// A variable's value with the type that `SELECT @@x` shows.
pub(super) fn typed(variable: &Variable, text: String) -> (Datum, ResultType) {
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
