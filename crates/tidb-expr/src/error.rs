//! Errors as a MySQL client sees them: number, SQLSTATE and text, worded as TiDB words them.

use std::fmt::Display;

/// An error that ends a statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ERROR {code} ({}): {message}", String::from_utf8_lossy(.sqlstate))]
pub struct SqlError {
    /// MySQL (or TiDB, above 8000) error number.
    pub code: u16,
    /// Five byte SQLSTATE.
    pub sqlstate: [u8; 5],
    /// Text shown to the client.
    pub message: String,
}

/// Result of everything that can end a statement.
pub type Result<T> = std::result::Result<T, SqlError>;

/// SQLSTATE of an error number; numbers without one of their own have `HY000`.
fn sqlstate_of(code: u16) -> &'static [u8; 5] {
    match code {
        1044 | 1049 => b"42000",
        1045 => b"28000",
        1046 => b"3D000",
        1048 | 1022 | 1062 | 1052 | 1169 | 1216 | 1217 | 1451 | 1452 => b"23000",
        1050 => b"42S01",
        1051 | 1146 => b"42S02",
        1054 => b"42S22",
        1060 => b"42S21",
        1061 | 1063 | 1064 | 1065 | 1066 | 1067 | 1068 | 1069 | 1070 | 1071 | 1072 | 1073 | 1074 | 1075 => {
            b"42000"
        }
        1055 | 1056 | 1059 | 1089 | 1090 | 1091 | 1101 | 1102 | 1103 | 1110 | 1111 | 1112 | 1113 | 1115
        | 1118 => b"42000",
        1120 | 1121 | 1131 | 1138 | 1139 | 1140 | 1141 | 1142 | 1143 | 1148 | 1149 | 1162 | 1163 | 1164 => {
            b"42000"
        }
        1166 | 1167 | 1170 | 1171 | 1172 | 1173 | 1177 | 1178 | 1203 | 1226 | 1230 | 1231 | 1232 | 1235 => {
            b"42000"
        }
        1239 | 1247 | 1248 | 1250 | 1252 | 1253 | 1280 | 1281 | 1286 | 1304 | 1305 | 1310 | 1425 | 1426
        | 1427 => b"42000",
        1439 | 1463 | 1582 => b"42000",
        1136 | 1058 | 1222 => b"21S01",
        1205 => b"HY000",
        1213 => b"40001",
        1241 | 1242 => b"21000",
        1264 | 1690 => b"22003",
        1292 | 1367 => b"22007",
        1365 => b"22012",
        1406 => b"22001",
        1525 => b"HY000",
        1317 => b"70100",
        3140 | 3141 | 3144 | 3146 => b"22032",
        3143 => b"42000",
        _ => b"HY000",
    }
}

impl SqlError {
    /// An error with the SQLSTATE that belongs to `code`.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, sqlstate: *sqlstate_of(code), message: message.into() }
    }

    /// 1235: a feature that this server does not have, by name.
    pub fn unsupported(what: impl Display) -> Self {
        Self::new(1235, format!("This version of TiDB doesn't yet support '{what}'"))
    }

    /// 1105: an internal failure, with its cause.
    pub fn internal(cause: impl Display) -> Self {
        Self::new(1105, cause.to_string())
    }

    /// 1146: a table that is not there.
    pub fn no_such_table(db: &str, table: &str) -> Self {
        Self::new(1146, format!("Table '{db}.{table}' doesn't exist"))
    }

    /// 1049: a database that is not there.
    pub fn unknown_database(db: &str) -> Self {
        Self::new(1049, format!("Unknown database '{db}'"))
    }

    /// 1046: a name without a database and no current one.
    pub fn no_database() -> Self {
        Self::new(1046, "No database selected")
    }

    /// 1054: a column that is not there.
    pub fn unknown_column(column: &str, clause: &str) -> Self {
        Self::new(1054, format!("Unknown column '{column}' in '{clause}'"))
    }

    /// 1062: a unique key is taken; `entry` is the key's values joined by `-`.
    pub fn duplicate_entry(entry: &str, key: &str) -> Self {
        Self::new(1062, format!("Duplicate entry '{entry}' for key '{key}'"))
    }

    /// 1690: an arithmetic result that does not fit its type.
    pub fn out_of_range(kind: &str, expr: &str) -> Self {
        Self::new(1690, format!("{kind} value is out of range in '{expr}'"))
    }

    /// 1292: text that is not a value of the wanted kind.
    pub fn incorrect_value(kind: &str, value: &str) -> Self {
        Self::new(1292, format!("Incorrect {kind} value: '{value}'"))
    }

    /// 8175: a statement asks for more memory than it may hold.
    pub fn out_of_memory(conn: u64) -> Self {
        Self::new(
            8175,
            format!(
                "Your query has been cancelled due to exceeding the allowed memory limit for a single SQL query. Please try narrowing your query scope or increase the tidb_mem_quota_query limit and try again.[conn={conn}]"
            ),
        )
    }

    /// True for errors after which the whole transaction is gone (write conflict, deadlock, …).
    pub fn ends_transaction(&self) -> bool {
        matches!(self.code, 1213 | 8004 | 8028 | 9007)
    }
}

#[cfg(test)]
mod tests {
    use super::SqlError;

    #[test]
    fn error_numbers_carry_their_sqlstate() {
        assert_eq!(&SqlError::new(1062, "x").sqlstate, b"23000");
        assert_eq!(&SqlError::new(1064, "x").sqlstate, b"42000");
        assert_eq!(&SqlError::new(9007, "x").sqlstate, b"HY000");
        assert_eq!(SqlError::new(1046, "m").to_string(), "ERROR 1046 (3D000): m");
    }
}
