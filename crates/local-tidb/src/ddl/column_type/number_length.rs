//! Lengths of numbers and times.

use tidb_codec::field::{FieldType, flag, tp};
use tidb_sql::ddl::{ColumnType, TypeName};

use super::signed;
use tidb_expr::{Result, SqlError};

/// Most digits of a DECIMAL.
const MAX_DECIMAL_PRECISION: u64 = 65;

/// Most fraction digits of a DECIMAL.
const MAX_DECIMAL_SCALE: u64 = 30;

/// Most digits after the second.
const MAX_FSP: u64 = 6;

/// Largest precision that makes `FLOAT(p)` a single.
const MAX_SINGLE_PRECISION: u64 = 24;

/// Largest precision of `FLOAT(p)`.
const MAX_DOUBLE_PRECISION: u64 = 53;

/// 1439.
pub(super) fn too_wide(name: &str, max: u64) -> SqlError {
    SqlError::new(1439, format!("Display width out of range for column '{name}' (max = {max})"))
}

/// Display width of whole numbers; 1439 if too wide.
pub(super) fn integer_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
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
pub(super) fn decimal_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
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
pub(super) fn float_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
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
pub(super) fn time_length(name: &str, ty: &ColumnType, field: &mut FieldType) -> Result<()> {
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
