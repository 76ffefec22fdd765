//! What is stored of a message that is too large for Kafka.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The content of the object that holds a message: its bare value, or key and value in base64. Keys of rows are null.
pub fn claim_check_object(value: &[u8], raw_value: bool) -> Vec<u8> {
    if raw_value {
        return value.to_vec();
    }
    let (before, after) = (br#"{"key":null,"value":""#, br#""}"#);
    let encoded = STANDARD.encode(value);
    [before.as_slice(), encoded.as_bytes(), after.as_slice()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_holds_the_bare_value_or_key_and_value() {
        assert_eq!(claim_check_object(b"{}", true), b"{}");
        assert_eq!(claim_check_object(b"{}", false), br#"{"key":null,"value":"e30="}"#);
    }
}
