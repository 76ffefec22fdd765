//! What is stored of a message that is too large for Kafka.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What stands before the value in an object with key and value.
const BEFORE: &[u8] = br#"{"key":null,"value":""#;
/// What stands behind it.
const AFTER: &[u8] = br#""}"#;

/// The content of the object that holds a message: its bare value, or key and value in base64. Keys of rows are null.
pub fn claim_check_object(value: &[u8], raw_value: bool) -> Vec<u8> {
    if raw_value {
        return value.to_vec();
    }
    let encoded = STANDARD.encode(value);
    [BEFORE, encoded.as_bytes(), AFTER].concat()
}

/// The value in such an object, whichever of the two forms it has; it may be compressed.
///
/// # Errors
/// If the value is not base64, in words for people.
pub fn claimed_value(object: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    match object.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)) {
        Some(encoded) => STANDARD.decode(encoded).map(Cow::Owned).map_err(|e| format!("is no base64: {e}")),
        None => Ok(Cow::Borrowed(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_holds_the_bare_value_or_key_and_value() {
        assert_eq!(claim_check_object(b"{}", true), b"{}");
        assert_eq!(claim_check_object(b"{}", false), br#"{"key":null,"value":"e30="}"#);
        for raw in [true, false] {
            assert_eq!(claimed_value(&claim_check_object(b"{}", raw)).as_deref(), Ok(&b"{}"[..]));
        }
        claimed_value(br#"{"key":null,"value":"?"}"#).expect_err("no base64");
    }
}
