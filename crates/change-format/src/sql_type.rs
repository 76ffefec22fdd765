//! `sqlType`: numbers of `java.sql.Types`.

use tidb_codec::field::{FieldType, tp};

/// The number of a column, and the one it takes for large unsigned values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SqlType {
    /// The number as text.
    pub(crate) code: &'static str,
    /// The number for values above a limit, if the column is an unsigned integer.
    pub(crate) widened: Option<Widening>,
}

/// The next larger Java type of an unsigned integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Widening {
    /// Largest value of the signed type.
    pub(crate) limit: u64,
    /// The number as text for values above.
    pub(crate) code: &'static str,
}

/// `Types.BIT`, also given for SET.
const BIT: &str = "-7";
/// `Types.TINYINT`.
const TINYINT: &str = "-6";
/// `Types.BIGINT`.
const BIGINT: &str = "-5";
/// `Types.CHAR`.
const CHAR: &str = "1";
/// `Types.DECIMAL`.
const DECIMAL: &str = "3";
/// `Types.INTEGER`, also given for ENUM.
const INTEGER: &str = "4";
/// `Types.SMALLINT`.
const SMALLINT: &str = "5";
/// `Types.REAL`.
const REAL: &str = "7";
/// `Types.DOUBLE`.
const DOUBLE: &str = "8";
/// `Types.VARCHAR`, also given for YEAR, JSON and what is not known.
const VARCHAR: &str = "12";
/// `Types.DATE`.
const DATE: &str = "91";
/// `Types.TIME`.
const TIME: &str = "92";
/// `Types.TIMESTAMP`.
const TIMESTAMP: &str = "93";
/// `Types.BLOB`.
const BLOB: &str = "2004";
/// `Types.CLOB`.
const CLOB: &str = "2005";

/// The number of a column of this type.
pub(crate) fn sql_type(field: &FieldType) -> SqlType {
    let binary = field.is_binary_string();
    let code = match field.tp {
        tp::TINY => TINYINT,
        tp::SHORT => SMALLINT,
        tp::INT24 | tp::LONG | tp::ENUM => INTEGER,
        tp::LONGLONG => BIGINT,
        tp::FLOAT => REAL,
        tp::DOUBLE => DOUBLE,
        tp::NEW_DECIMAL => DECIMAL,
        tp::BIT | tp::SET => BIT,
        tp::DATE | tp::NEW_DATE => DATE,
        tp::DURATION => TIME,
        tp::DATETIME | tp::TIMESTAMP => TIMESTAMP,
        tp::STRING if !binary => CHAR,
        _ if field.is_blob() && !binary => CLOB,
        _ if binary => BLOB,
        _ => VARCHAR,
    };
    SqlType { code, widened: widening(field) }
}

/// How an unsigned integer widens. MEDIUMINT fits in any case.
fn widening(field: &FieldType) -> Option<Widening> {
    if !field.is_unsigned() {
        return None;
    }
    match field.tp {
        tp::TINY => Some(Widening { limit: i8::MAX as u64, code: SMALLINT }),
        tp::SHORT => Some(Widening { limit: i16::MAX as u64, code: INTEGER }),
        tp::LONG => Some(Widening { limit: i32::MAX as u64, code: BIGINT }),
        tp::LONGLONG => Some(Widening { limit: i64::MAX as u64, code: DECIMAL }),
        _ => None,
    }
}
