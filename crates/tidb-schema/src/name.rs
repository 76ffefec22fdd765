//! Case-insensitive names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name as typed and its lower-case form, by which TiDB compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct CIStr {
    /// The name as the user typed it: what goes to consumers.
    #[serde(rename = "O")]
    pub o: String,
    /// The lower-case form: what look-ups compare.
    #[serde(rename = "L")]
    pub l: String,
}

impl CIStr {
    /// A name with its lower-case form.
    pub fn new(original: impl Into<String>) -> Self {
        let o = original.into();
        let l = lower(&o);
        Self { o, l }
    }

    /// Whether the name is empty, which TiDB writes for "not given".
    pub fn is_empty(&self) -> bool {
        self.o.is_empty()
    }
}

impl fmt::Display for CIStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.o)
    }
}

impl From<&str> for CIStr {
    fn from(original: &str) -> Self {
        Self::new(original)
    }
}

/// Lower-cases character by character as TiDB does: without context (a final sigma stays `σ`) and one to one
/// (`İ` becomes `i`, not `i̇`).
pub(crate) fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_form_is_per_character() {
        assert_eq!(CIStr::new("Shop-日本").l, "shop-日本");
        assert_eq!(lower("ΟΔΟΣ"), "οδοσ");
        assert_eq!(lower("İ"), "i");
        assert_eq!(lower("Ärger"), "ärger");
    }

    #[test]
    fn json_keys_are_o_and_l() {
        let name = CIStr::new("Ab");
        assert_eq!(serde_json::to_string(&name).unwrap(), r#"{"O":"Ab","L":"ab"}"#);
        assert_eq!(serde_json::from_str::<CIStr>(r#"{"O":"Ab","L":"ab","X":1}"#).unwrap(), name);
    }
}
