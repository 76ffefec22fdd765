//! From a type as written to a column type as TiDB stores it.

use tidb_codec::field::{FieldType, flag, tp};
use tidb_sql::ddl::{ColumnType, TypeName};

use crate::collation::{self, Collation};
use crate::error::{Result, SqlError};

/// Most digits of a DECIMAL.
const MAX_DECIMAL_PRECISION: u64 = 65;
/// Most fraction digits of a DECIMAL.
const MAX_DECIMAL_SCALE: u64 = 30;
/// Most digits after the second.
const MAX_FSP: u64 = 6;
/// Longest CHAR in characters.
const MAX_CHAR_LEN: u64 = 255;
/// Longest VARCHAR in bytes.
const MAX_VARCHAR_BYTES: u64 = 65535;
/// Widest BIT.
const MAX_BIT_LEN: u64 = 64;
/// Most members of a SET.
const MAX_SET_MEMBERS: usize = 64;
/// Largest precision that makes `FLOAT(p)` a single.
const MAX_SINGLE_PRECISION: u64 = 24;
/// Largest precision of `FLOAT(p)`.
const MAX_DOUBLE_PRECISION: u64 = 53;
/// Text and blob types by size: code and bytes.
const BLOB_SIZES: [(u8, u64); 4] =
    [(tp::TINY_BLOB, 255), (tp::BLOB, 65535), (tp::MEDIUM_BLOB, 16_777_215), (tp::LONG_BLOB, 4_294_967_295)];

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

/// 1439.
fn too_wide(name: &str, max: u64) -> SqlError {
    SqlError::new(1439, format!("Display width out of range for column '{name}' (max = {max})"))
}

/// Display width of whole numbers; 1439 if too wide.
fn integer_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
    let unsigned = field.is_unsigned();
    let default = match (ty.name, unsigned) {
        (TypeName::TinyInt, false) => 4,
        (TypeName::TinyInt, true) => 3,
        (TypeName::SmallInt, false) => 6,
        (TypeName::SmallInt, true) => 5,
        (TypeName::MediumInt, false) => 9,
        (TypeName::MediumInt, true) => 8,
        (TypeName::Int, false) => 11,
        (TypeName::Int, true) => 10,
        _ => 20,
    };
    let width = ty.length.unwrap_or(default);
    if width > 255 {
        return Err(too_wide(name, 255));
    }
    field.flen = signed(width);
    Ok(())
}

/// Digits of a decimal; 1425, 1426, 1427 if too many.
fn decimal_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
    let precision = ty.length.filter(|p| *p > 0).unwrap_or(10);
    let scale = ty.decimals.unwrap_or(0);
    if precision > MAX_DECIMAL_PRECISION {
        return Err(SqlError::new(
            1426,
            format!(
                "Too big precision {precision} specified for column '{name}'. Maximum is {MAX_DECIMAL_PRECISION}."
            ),
        ));
    }
    if scale > MAX_DECIMAL_SCALE {
        return Err(SqlError::new(
            1425,
            format!("Too big scale {scale} specified for column '{name}'. Maximum is {MAX_DECIMAL_SCALE}."),
        ));
    }
    if scale > precision {
        return Err(SqlError::new(
            1427,
            format!("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{name}')."),
        ));
    }
    field.flen = signed(precision);
    field.decimal = signed(scale);
    Ok(())
}

/// Digits of a float, and whether its precision makes it a double; 1063, 1425, 1427, 1439.
fn float_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
    field.decimal = -1;
    if let (Some(width), Some(scale)) = (ty.length, ty.decimals) {
        if width > 255 {
            return Err(too_wide(name, 255));
        }
        if scale > MAX_DECIMAL_SCALE {
            return Err(SqlError::new(
                1425,
                format!(
                    "Too big scale {scale} specified for column '{name}'. Maximum is {MAX_DECIMAL_SCALE}."
                ),
            ));
        }
        if scale > width {
            return Err(SqlError::new(
                1427,
                format!("For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '{name}')."),
            ));
        }
        field.flen = signed(width);
        field.decimal = signed(scale);
        return Ok(());
    }
    if let (TypeName::Float, Some(precision)) = (ty.name, ty.length) {
        if precision > MAX_DOUBLE_PRECISION {
            return Err(SqlError::new(1063, format!("Incorrect column specifier for column '{name}'")));
        }
        if precision > MAX_SINGLE_PRECISION {
            field.tp = tp::DOUBLE;
        }
    }
    field.flen = if field.tp == tp::FLOAT { 12 } else { 22 };
    Ok(())
}

/// Characters of a time with its fraction digits; 1426 if there are too many.
fn time_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
    let fsp = ty.decimals.unwrap_or(0);
    if fsp > MAX_FSP {
        return Err(SqlError::new(
            1426,
            format!("Too-big precision {fsp} specified for '{name}'. Maximum is {MAX_FSP}."),
        ));
    }
    let base = match ty.name {
        TypeName::Date | TypeName::Time => 10,
        _ => 19,
    };
    field.flen = if fsp == 0 { base } else { base + 1 + signed(fsp) };
    field.decimal = signed(fsp);
    field.flag |= flag::BINARY;
    Ok(())
}

/// Length and collation of text and bytes.
fn text_length(
    name: &str,
    ty: &ColumnType,
    collate: Option<&str>,
    default: Collation,
    field: &mut FieldType,
) -> Result<()> {
    let bytes_only = matches!(
        ty.name,
        TypeName::Binary
            | TypeName::VarBinary
            | TypeName::TinyBlob
            | TypeName::Blob
            | TypeName::MediumBlob
            | TypeName::LongBlob
    );
    let mut collation = if bytes_only {
        collation::binary()
    } else {
        pick_collation(ty.charset.as_deref(), collate, default)?
    };
    if ty.binary && !collation.is_binary() {
        collation =
            pick_collation(Some(collation.charset), Some(&format!("{}_bin", collation.charset)), default)?;
    }
    field.charset = collation.charset.to_owned();
    field.collate = collation.name.to_owned();
    if collation.is_binary() {
        field.flag |= flag::BINARY;
    }
    match ty.name {
        TypeName::Char | TypeName::Binary => {
            let len = ty.length.unwrap_or(1);
            if len > MAX_CHAR_LEN {
                return Err(too_long(name, MAX_CHAR_LEN));
            }
            field.flen = signed(len);
        }
        TypeName::VarChar | TypeName::VarBinary => {
            let max = MAX_VARCHAR_BYTES / u64::from(collation::max_char_bytes(collation.charset));
            let len = ty.length.unwrap_or(0);
            if len > max {
                return Err(too_long(name, max));
            }
            field.flen = signed(len);
        }
        TypeName::Enum | TypeName::Set => member_length(name, ty, collation, field)?,
        _ => blob_length(ty, collation, field),
    }
    Ok(())
}

/// 1074.
fn too_long(name: &str, max: u64) -> SqlError {
    SqlError::new(
        1074,
        format!("Column length too big for column '{name}' (max = {max}); use BLOB or TEXT instead"),
    )
}

/// `TEXT(n)` and `BLOB(n)` are the smallest type that holds as much; all others have their own size.
fn blob_length(ty: &ColumnType, collation: Collation, field: &mut FieldType) {
    if let (TypeName::Text | TypeName::Blob, Some(len)) = (ty.name, ty.length) {
        let bytes = len.saturating_mul(u64::from(collation::max_char_bytes(collation.charset)));
        if let Some((code, _)) = BLOB_SIZES.iter().find(|(_, size)| bytes <= *size) {
            field.tp = *code;
        }
    }
    field.flen =
        BLOB_SIZES.iter().find(|(code, _)| *code == field.tp).map_or(65535, |(_, size)| signed(*size));
}

/// Length of the longest value of an ENUM or SET.
fn member_length(name: &str, ty: &ColumnType, collation: Collation, field: &mut FieldType) -> Result<()> {
    let set = ty.name == TypeName::Set;
    if set && ty.elements.len() > MAX_SET_MEMBERS {
        return Err(SqlError::new(1097, format!("Too many strings for column {name} and SET")));
    }
    let elements: Vec<String> = ty.elements.iter().map(|e| e.trim_end_matches(' ').to_owned()).collect();
    for (at, element) in elements.iter().enumerate() {
        if elements
            .iter()
            .take(at)
            .any(|other| collation.compare(other.as_bytes(), element.as_bytes()).is_eq())
        {
            let kind = if set { "SET" } else { "ENUM" };
            return Err(SqlError::new(
                1291,
                format!("Column '{name}' has duplicated value '{element}' in {kind}"),
            ));
        }
        if set && element.contains(',') {
            return Err(SqlError::new(1367, format!("Illegal set '{element}' value found during parsing")));
        }
    }
    let lengths = elements.iter().map(|e| e.chars().count());
    let total = if set {
        lengths.sum::<usize>() + elements.len().saturating_sub(1)
    } else {
        lengths.max().unwrap_or(0)
    };
    field.flen = i64::try_from(total).unwrap_or(i64::MAX);
    field.elems = elements;
    Ok(())
}
