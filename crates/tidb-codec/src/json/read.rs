//! Bounds-checked reading of binary JSON.

use super::{
    HEADER, Json, JsonNode, KEY_ENTRY, LITERAL_FALSE, LITERAL_NULL, LITERAL_TRUE, MAX_DEPTH, VALUE_ENTRY,
    code,
};
use crate::{CodecError, Duration, Time, TimeKind, cursor, varint};

/// Name of the item in errors.
pub(super) const WHAT: &str = "JSON";
/// Bytes of a duration: nanoseconds and fsp.
const DURATION_LEN: usize = 12;

/// A JSON value inside other bytes.
#[derive(Debug, Clone, Copy)]
pub struct JsonRef<'a> {
    code: u8,
    value: &'a [u8],
}

/// A JSON value taken out of its bytes; members of arrays and objects are still inside theirs.
#[derive(Debug, Clone, Copy)]
pub enum JsonValue<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double.
    Double(f64),
    /// UTF-8 bytes of a string.
    String(&'a [u8]),
    /// SQL type code and bytes.
    Opaque(u8, &'a [u8]),
    /// A DATE, DATETIME or TIMESTAMP.
    Time(Time),
    /// A TIME.
    Duration(Duration),
    /// An array of so many members.
    Array(usize),
    /// An object of so many members.
    Object(usize),
}

/// Length of a stored JSON value (type code, then bytes) at the start of `bytes`.
///
/// # Errors
/// An unknown type code, or input cut short.
pub(crate) fn stored_len(bytes: &[u8]) -> Result<usize, CodecError> {
    let (type_code, rest) = cursor::take_u8(bytes, WHAT)?;
    Ok(1 + value_len(type_code, rest)?)
}

/// Length of a value at the start of `bytes`.
#[inline]
fn value_len(type_code: u8, bytes: &[u8]) -> Result<usize, CodecError> {
    let len = match type_code {
        code::LITERAL => 1,
        code::INT64 | code::UINT64 | code::DOUBLE | code::DATE | code::DATETIME | code::TIMESTAMP => 8,
        code::DURATION => DURATION_LEN,
        code::STRING => prefixed_len(bytes)?,
        code::OPAQUE => prefixed_len(bytes.get(1..).unwrap_or_default())?.saturating_add(1),
        code::ARRAY | code::OBJECT => u32_at(bytes, 4)? as usize,
        other => return Err(CodecError::UnknownCode { what: WHAT, code: other }),
    };
    if bytes.len() < len {
        return Err(CodecError::Truncated { what: WHAT, needed: len, have: bytes.len() });
    }
    Ok(len)
}

/// Length of a length and the bytes it counts.
#[inline]
fn prefixed_len(bytes: &[u8]) -> Result<usize, CodecError> {
    let (len, rest) = varint::decode_uvarint(bytes)?;
    let prefix = bytes.len() - rest.len();
    usize::try_from(len)
        .ok()
        .and_then(|len| len.checked_add(prefix))
        .ok_or(CodecError::Malformed { what: WHAT, reason: "length too large" })
}

/// The bytes behind a length.
#[inline]
fn prefixed(bytes: &[u8]) -> Result<&[u8], CodecError> {
    let (len, rest) = varint::decode_uvarint(bytes)?;
    let len =
        usize::try_from(len).map_err(|_| CodecError::Malformed { what: WHAT, reason: "length too large" })?;
    Ok(cursor::take_slice(rest, len, WHAT)?.0)
}

/// A little-endian u32.
#[inline]
fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, CodecError> {
    Ok(u32::from_le_bytes(cursor::array_at::<4>(bytes, offset, WHAT)?))
}

/// A little-endian u64.
#[inline]
fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, CodecError> {
    Ok(u64::from_le_bytes(cursor::array_at::<8>(bytes, offset, WHAT)?))
}

impl<'a> JsonRef<'a> {
    /// A value from its type code and bytes.
    pub(crate) const fn new(code: u8, value: &'a [u8]) -> Self {
        Self { code, value }
    }

    /// A stored value: type code, then exactly its bytes. Members are checked when they are read.
    ///
    /// # Errors
    /// An unknown type code, or bytes missing or left over.
    #[inline]
    pub fn from_stored(stored: &'a [u8]) -> Result<Self, CodecError> {
        let (type_code, value) = cursor::take_u8(stored, WHAT)?;
        let len = value_len(type_code, value)?;
        cursor::expect_end(value.get(len..).unwrap_or_default(), WHAT)?;
        Ok(Self { code: type_code, value })
    }

    /// Type code, see [`code`].
    pub const fn type_code(&self) -> u8 {
        self.code
    }

    /// Bytes of the value.
    pub(crate) const fn len(&self) -> usize {
        self.value.len()
    }

    /// The value without its type code.
    pub(super) const fn bytes(&self) -> &'a [u8] {
        self.value
    }

    /// The value without what follows it.
    pub(super) fn within_size(self) -> Result<Self, CodecError> {
        let len = value_len(self.code, self.value)?;
        Ok(Self { code: self.code, value: self.value.get(..len).unwrap_or(self.value) })
    }

    /// Copies a value that is known to be well formed.
    pub(crate) fn to_owned_unchecked(self) -> Json {
        Json { code: self.code, value: self.value.to_vec() }
    }

    /// Copies the value.
    ///
    /// # Errors
    /// A malformed value.
    pub fn to_owned(self) -> Result<Json, CodecError> {
        self.validate()?;
        Ok(self.to_owned_unchecked())
    }

    /// The value.
    ///
    /// # Errors
    /// A malformed value; members of arrays and objects are not looked at.
    #[inline]
    pub fn get(&self) -> Result<JsonValue<'a>, CodecError> {
        let bytes = self.value;
        Ok(match self.code {
            code::LITERAL => match bytes.first() {
                Some(&LITERAL_NULL) => JsonValue::Null,
                Some(&LITERAL_TRUE) => JsonValue::Bool(true),
                Some(&LITERAL_FALSE) => JsonValue::Bool(false),
                Some(&other) => return Err(CodecError::UnknownCode { what: "JSON literal", code: other }),
                None => return Err(CodecError::Truncated { what: WHAT, needed: 1, have: 0 }),
            },
            code::INT64 => JsonValue::Int(u64_at(bytes, 0)? as i64),
            code::UINT64 => JsonValue::Uint(u64_at(bytes, 0)?),
            code::DOUBLE => {
                let value = f64::from_bits(u64_at(bytes, 0)?);
                if !value.is_finite() {
                    return Err(CodecError::Malformed { what: WHAT, reason: "a double that is no number" });
                }
                JsonValue::Double(value)
            }
            code::STRING => JsonValue::String(prefixed(bytes)?),
            code::OPAQUE => {
                let (type_code, rest) = cursor::take_u8(bytes, WHAT)?;
                JsonValue::Opaque(type_code, prefixed(rest)?)
            }
            code::DATE => JsonValue::Time(Time::from_json_bits(u64_at(bytes, 0)?, TimeKind::Date)?),
            code::DATETIME => JsonValue::Time(Time::from_json_bits(u64_at(bytes, 0)?, TimeKind::DateTime)?),
            code::TIMESTAMP => JsonValue::Time(Time::from_json_bits(u64_at(bytes, 0)?, TimeKind::Timestamp)?),
            code::DURATION => {
                let fsp = u8::try_from(u32_at(bytes, 8)?).unwrap_or(Duration::MAX_FSP);
                JsonValue::Duration(Duration::new(u64_at(bytes, 0)? as i64, fsp)?)
            }
            code::ARRAY => JsonValue::Array(self.member_count(VALUE_ENTRY)?),
            code::OBJECT => JsonValue::Object(self.member_count(KEY_ENTRY + VALUE_ENTRY)?),
            other => return Err(CodecError::UnknownCode { what: WHAT, code: other }),
        })
    }

    /// Number of members, whose entries are known to lie within the bytes.
    fn member_count(&self, entry_len: usize) -> Result<usize, CodecError> {
        let count = u32_at(self.value, 0)? as usize;
        let needed = count.saturating_mul(entry_len).saturating_add(HEADER);
        if needed > self.value.len() {
            return Err(CodecError::Truncated { what: WHAT, needed, have: self.value.len() });
        }
        Ok(count)
    }

    /// Member `index` of an array.
    ///
    /// # Errors
    /// No such member, or one that lies outside the array.
    #[inline]
    pub fn element(&self, index: usize) -> Result<Self, CodecError> {
        self.member(index.saturating_mul(VALUE_ENTRY).saturating_add(HEADER))
    }

    /// Key of member `index` of an object.
    ///
    /// # Errors
    /// As [`JsonRef::element`].
    #[inline]
    pub fn key(&self, index: usize) -> Result<&'a [u8], CodecError> {
        let entry = index.saturating_mul(KEY_ENTRY).saturating_add(HEADER);
        let offset = u32_at(self.value, entry)? as usize;
        let len = usize::from(u16::from_le_bytes(cursor::array_at::<2>(
            self.value,
            entry.saturating_add(4),
            WHAT,
        )?));
        let outside = CodecError::Malformed { what: WHAT, reason: "a key lies outside its object" };
        self.value.get(offset..).and_then(|rest| rest.get(..len)).ok_or(outside)
    }

    /// Value of member `index` of an object of `count` members.
    ///
    /// # Errors
    /// As [`JsonRef::element`].
    #[inline]
    pub fn object_value(&self, index: usize, count: usize) -> Result<Self, CodecError> {
        let values = count.saturating_mul(KEY_ENTRY).saturating_add(HEADER);
        self.member(index.saturating_mul(VALUE_ENTRY).saturating_add(values))
    }

    /// The value whose entry is at `entry`.
    #[inline]
    fn member(&self, entry: usize) -> Result<Self, CodecError> {
        let [type_code] = cursor::array_at::<1>(self.value, entry, WHAT)?;
        if type_code == code::LITERAL {
            let literal = self.value.get(entry + 1..entry + 2).unwrap_or_default();
            return Ok(Self { code: type_code, value: literal });
        }
        let offset = u32_at(self.value, entry + 1)? as usize;
        // A member starts behind the header, so a document cannot contain itself.
        let rest = match self.value.get(offset..) {
            Some(rest) if offset >= HEADER => rest,
            _ => {
                return Err(CodecError::Malformed {
                    what: WHAT,
                    reason: "a member lies outside its container",
                });
            }
        };
        let len = value_len(type_code, rest)?;
        Ok(Self { code: type_code, value: rest.get(..len).unwrap_or(rest) })
    }

    /// Value of the member with this key.
    ///
    /// # Errors
    /// A malformed object.
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Self>, CodecError> {
        let JsonValue::Object(count) = self.get()? else { return Ok(None) };
        for index in 0..count {
            if self.key(index)? == key {
                return self.object_value(index, count).map(Some);
            }
        }
        Ok(None)
    }

    /// Checks the value and everything inside it.
    pub(crate) fn validate(&self) -> Result<(), CodecError> {
        // The largest honest document has no member twice, so its members' bytes add up to its own.
        let mut budget = self.value.len().saturating_add(1);
        self.validate_at(0, &mut budget)
    }

    /// Checks a value `depth` levels down; `budget` bounds the number of members visited.
    fn validate_at(&self, depth: usize, budget: &mut usize) -> Result<(), CodecError> {
        if depth > MAX_DEPTH {
            return Err(CodecError::JsonTooDeep { limit: MAX_DEPTH });
        }
        let mut visit = |member: Self| {
            *budget = budget
                .checked_sub(1)
                .ok_or(CodecError::Malformed { what: WHAT, reason: "members overlap" })?;
            member.validate_at(depth + 1, budget)
        };
        match self.get()? {
            JsonValue::Array(count) => (0..count).try_for_each(|index| visit(self.element(index)?)),
            JsonValue::Object(count) => (0..count).try_for_each(|index| {
                self.key(index)?;
                visit(self.object_value(index, count)?)
            }),
            _ => Ok(()),
        }
    }

    /// Takes the value and everything inside it out of the bytes.
    ///
    /// # Errors
    /// A malformed value.
    pub fn to_node(&self) -> Result<JsonNode, CodecError> {
        self.validate()?;
        self.to_node_unchecked()
    }

    /// [`JsonRef::to_node`] of a value that has been checked.
    fn to_node_unchecked(self) -> Result<JsonNode, CodecError> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(match self.get()? {
            JsonValue::Null => JsonNode::Null,
            JsonValue::Bool(value) => JsonNode::Bool(value),
            JsonValue::Int(value) => JsonNode::Int(value),
            JsonValue::Uint(value) => JsonNode::Uint(value),
            JsonValue::Double(value) => JsonNode::Double(value),
            JsonValue::String(value) => JsonNode::String(text(value)),
            JsonValue::Opaque(type_code, value) => JsonNode::Opaque(type_code, value.to_vec()),
            JsonValue::Time(value) => JsonNode::Time(value),
            JsonValue::Duration(value) => JsonNode::Duration(value),
            JsonValue::Array(count) => JsonNode::Array(
                (0..count)
                    .map(|index| self.element(index)?.to_node_unchecked())
                    .collect::<Result<_, CodecError>>()?,
            ),
            JsonValue::Object(count) => JsonNode::Object(
                (0..count)
                    .map(|index| {
                        let value = self.object_value(index, count)?.to_node_unchecked()?;
                        Ok((text(self.key(index)?), value))
                    })
                    .collect::<Result<_, CodecError>>()?,
            ),
        })
    }
}
