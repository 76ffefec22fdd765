//! Members of ENUM and SET columns: stored numbers and their texts.

use crate::{CodecError, FieldType, collation::Collation};

/// Separates the members of a SET value.
const SEPARATOR: char = ',';

impl FieldType {
    /// A stored ENUM value; one that is no member counts as the empty member 0, as in TiDB. Types without a
    /// member list pass every value.
    #[inline]
    pub(crate) fn stored_enum(&self, value: u64) -> u64 {
        if self.elems.is_empty() || value <= self.elems.len() as u64 { value } else { 0 }
    }

    /// A stored SET value. Types without a member list pass every value.
    ///
    /// # Errors
    /// Bits beyond the members.
    #[inline]
    pub(crate) fn stored_set(&self, value: u64) -> Result<u64, CodecError> {
        let len = self.elems.len() as u32;
        if len == 0 || value.checked_shr(len).unwrap_or(0) == 0 {
            Ok(value)
        } else {
            Err(CodecError::Malformed { what: "set column", reason: "bits beyond the members" })
        }
    }

    /// Text of an ENUM value; empty for 0 and for values that are no member.
    pub fn enum_text(&self, value: u64) -> &str {
        let position = value.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        position.and_then(|at| self.elems.get(at)).map_or("", String::as_str)
    }

    /// Text of a SET value: its members in the order of the type, separated by commas.
    pub fn set_text(&self, value: u64) -> String {
        let members = self.elems.iter().take(64).enumerate();
        let chosen: Vec<&str> =
            members.filter(|(bit, _)| value >> bit & 1 == 1).map(|(_, member)| member.as_str()).collect();
        chosen.join(",")
    }

    /// The ENUM value of a text: a member's name under the column's collation, else its number.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn parse_enum(&self, text: &str) -> Result<u64, CodecError> {
        if let Some(at) = self.member(text) {
            return Ok(at as u64 + 1);
        }
        match text.parse::<u64>() {
            Ok(value) if (1..=self.elems.len() as u64).contains(&value) => Ok(value),
            _ => Err(CodecError::IncorrectValue { kind: "enum", text: text.to_owned() }),
        }
    }

    /// The SET value of a text: members separated by commas, else the number of a bit mask.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn parse_set(&self, text: &str) -> Result<u64, CodecError> {
        if text.is_empty() {
            return Ok(0);
        }
        let named = text.split(SEPARATOR).try_fold(0u64, |mask, name| {
            self.member(name).and_then(|at| 1u64.checked_shl(at as u32)).map(|bit| mask | bit)
        });
        let incorrect = || CodecError::IncorrectValue { kind: "set", text: text.to_owned() };
        match named {
            Some(mask) => Ok(mask),
            None => self.stored_set(text.parse().map_err(|_| incorrect())?).map_err(|_| incorrect()),
        }
    }

    /// Position of the member of this name.
    fn member(&self, name: &str) -> Option<usize> {
        // A collation without sort keys here still finds names that are spelt alike.
        let collation = Collation::of_column(self).unwrap_or(Collation::PaddedBin);
        self.elems.iter().position(|member| collation.compare(member.as_bytes(), name.as_bytes()).is_eq())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::tp;

    fn field(code: u8, collate: &str, elems: &[&str]) -> FieldType {
        FieldType {
            collate: collate.to_owned(),
            elems: elems.iter().map(|elem| (*elem).to_owned()).collect(),
            ..FieldType::new(code)
        }
    }

    #[test]
    fn enum_values_and_texts() {
        let e = field(tp::ENUM, "utf8mb4_general_ci", &["a", "b", "É"]);
        assert_eq!((e.enum_text(1), e.enum_text(3), e.enum_text(0), e.enum_text(4)), ("a", "É", "", ""));
        assert_eq!(e.parse_enum("B "), Ok(2));
        assert_eq!(e.parse_enum("e"), Ok(3));
        assert_eq!(e.parse_enum("3"), Ok(3));
        assert!(e.parse_enum("4").is_err() && e.parse_enum("").is_err() && e.parse_enum("0").is_err());
        assert_eq!((e.stored_enum(3), e.stored_enum(4)), (3, 0));
        assert!(field(tp::ENUM, "utf8mb4_bin", &["a"]).parse_enum("A").is_err());
    }

    #[test]
    fn set_values_and_texts() {
        let s = field(tp::SET, "utf8mb4_bin", &["x", "y", "z"]);
        assert_eq!((s.set_text(5), s.set_text(0)), ("x,z".to_owned(), String::new()));
        assert_eq!(s.parse_set("z,x"), Ok(5));
        assert_eq!(s.parse_set(""), Ok(0));
        assert_eq!(s.parse_set("7"), Ok(7));
        assert!(s.parse_set("8").is_err() && s.parse_set("x,q").is_err());
        assert_eq!(s.stored_set(7), Ok(7));
        assert!(s.stored_set(8).is_err());
        let members: Vec<String> = (0..64).map(|n| format!("m{n}")).collect();
        let full = field(tp::SET, "utf8mb4_bin", &members.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(full.stored_set(u64::MAX), Ok(u64::MAX));
        assert_eq!(full.parse_set("m63"), Ok(1 << 63));
    }
}
