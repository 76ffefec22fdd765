//! Lengths and collations of text, bytes, ENUM and SET.

use tidb_codec::field::{FieldType, flag, tp};
use tidb_sql::ddl::{ColumnType, TypeName};

use super::{pick_collation, signed};
use tidb_expr::collation::{self, Collation};
use tidb_expr::{Result, SqlError};

/// Longest CHAR in characters.
const MAX_CHAR_LEN: u64 = 255;

/// Longest VARCHAR in bytes.
const MAX_VARCHAR_BYTES: u64 = 65535;

/// Most members of a SET.
const MAX_SET_MEMBERS: usize = 64;

/// Text and blob types by size: code and bytes.
const BLOB_SIZES: [(u8, u64); 4] =
    [(tp::TINY_BLOB, 255), (tp::BLOB, 65535), (tp::MEDIUM_BLOB, 16_777_215), (tp::LONG_BLOB, 4_294_967_295)];

/// Length and collation of text and bytes.
pub(super) fn text_length(
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
