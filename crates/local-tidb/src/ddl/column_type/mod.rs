//! From a type as written to a column type as TiDB stores it.

mod number_length;
mod text_length;

use tidb_codec::field::{FieldType, flag, tp};
use tidb_sql::ddl::{ColumnType, TypeName};

use number_length::{decimal_length, float_length, integer_length, time_length, too_wide};
use text_length::text_length;
use tidb_expr::collation::{self, Collation};
use tidb_expr::{Result, SqlError};

/// Widest BIT.
const MAX_BIT_LEN: u64 = 64;

/// Finds the collation of text that names a character set, a collation, both or neither.
///
/// # Errors
/// 1115, 1273, 1253.
pub(crate) fn pick_collation(
    charset: Option<&str>,
    collate: Option<&str>,
    default: Collation,
) -> Result<Collation> {
    let by_charset = match charset {
        Some(name) => Some(
            collation::default_of(name)
                .ok_or_else(|| SqlError::new(1115, format!("Unknown character set: '{name}'")))?,
        ),
        None => None,
    };
    let Some(name) = collate else { return Ok(by_charset.unwrap_or(default)) };
    let found = collation::by_name(name).ok_or_else(|| {
        SqlError::new(1273, format!("Unsupported collation when new collation is enabled: '{name}'"))
    })?;
    match by_charset {
        Some(set) if set.charset != found.charset => Err(SqlError::new(
            1253,
            format!("COLLATION '{}' is not valid for CHARACTER SET '{}'", found.name, set.charset),
        )),
        _ => Ok(found),
    }
}

/// Builds the stored type of a column.
///
/// # Errors
/// Lengths and precisions out of range, unknown collations, types that are not supported.
pub(crate) fn field_type(
    name: &str,
    ty: &ColumnType,
    collate: Option<&str>,
    default: Collation,
) -> Result<FieldType> {
    let mut field = FieldType::new(type_code(ty));
    field.decimal = 0;
    if ty.unsigned || ty.zerofill {
        field.flag |= flag::UNSIGNED;
    }
    if ty.zerofill {
        field.flag |= flag::ZEROFILL;
    }
    match ty.name {
        TypeName::TinyInt | TypeName::SmallInt | TypeName::MediumInt | TypeName::Int | TypeName::BigInt => {
            integer_length(name, ty, &mut field)?;
        }
        TypeName::Decimal => decimal_length(name, ty, &mut field)?,
        TypeName::Float | TypeName::Double => float_length(name, ty, &mut field)?,
        TypeName::Bit => {
            let bits = ty.length.unwrap_or(1).max(1);
            if bits > MAX_BIT_LEN {
                return Err(too_wide(name, MAX_BIT_LEN));
            }
            field.flen = signed(bits);
            field.flag |= flag::UNSIGNED;
        }
        TypeName::Year => {
            field.flen = 4;
            field.flag |= flag::UNSIGNED | flag::ZEROFILL;
        }
        TypeName::Date | TypeName::Time | TypeName::DateTime | TypeName::Timestamp => {
            time_length(name, ty, &mut field)?
        }
        TypeName::Json => {
            field.flen = i64::from(u32::MAX);
            field.flag |= flag::BINARY;
        }
        TypeName::Vector => return Err(SqlError::unsupported("VECTOR columns")),
        _ => text_length(name, ty, collate, default, &mut field)?,
    }
    Ok(field)
}

/// Type code by name.
fn type_code(ty: &ColumnType) -> u8 {
    match ty.name {
        TypeName::TinyInt => tp::TINY,
        TypeName::SmallInt => tp::SHORT,
        TypeName::MediumInt => tp::INT24,
        TypeName::Int => tp::LONG,
        TypeName::BigInt => tp::LONGLONG,
        TypeName::Decimal => tp::NEW_DECIMAL,
        TypeName::Float => tp::FLOAT,
        TypeName::Double => tp::DOUBLE,
        TypeName::Bit => tp::BIT,
        TypeName::Year => tp::YEAR,
        TypeName::Date => tp::DATE,
        TypeName::Time => tp::DURATION,
        TypeName::DateTime => tp::DATETIME,
        TypeName::Timestamp => tp::TIMESTAMP,
        TypeName::Char | TypeName::Binary => tp::STRING,
        TypeName::VarChar | TypeName::VarBinary => tp::VARCHAR,
        TypeName::TinyText | TypeName::TinyBlob => tp::TINY_BLOB,
        TypeName::Text | TypeName::Blob => tp::BLOB,
        TypeName::MediumText | TypeName::MediumBlob => tp::MEDIUM_BLOB,
        TypeName::LongText | TypeName::LongBlob => tp::LONG_BLOB,
        TypeName::Enum => tp::ENUM,
        TypeName::Set => tp::SET,
        TypeName::Json => tp::JSON,
        TypeName::Vector => tp::VECTOR_FLOAT32,
    }
}

/// A length as descriptions hold it.
fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
