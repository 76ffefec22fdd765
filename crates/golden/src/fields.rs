//! JSON objects with the order of their members and the exact text of their values.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::GoldenError;

/// Members of an object in order, with the exact text of their values.
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// Reads an object.
    pub(crate) fn parse(text: &str) -> Result<Self, GoldenError> {
        serde_json::from_str(text)
            .map_err(|error| GoldenError::Message { reason: error.to_string(), value: text.to_owned() })
    }

    /// The text of a member; empty if there is none.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(member, _)| member == name).map_or("", |(_, raw)| raw)
    }

    /// The string of a member; empty if there is none.
    pub(crate) fn string(&self, name: &str) -> String {
        serde_json::from_str(self.raw(name)).unwrap_or_default()
    }

    /// The number of a member.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.raw(name).parse().ok()
    }

    /// A number of the message's extension.
    pub(crate) fn extension(&self, name: &str) -> Option<u64> {
        Self::parse(self.raw("_tidb")).ok()?.number(name)
    }

    /// The members that satisfy `keep` as an object again; `mysqlType`, which has no order, in order of names.
    pub(crate) fn render(&self, keep: impl Fn(&str) -> bool) -> String {
        let members =
            self.0.iter().filter(|(name, _)| keep(name)).map(|(name, raw)| match Self::parse(raw) {
                Ok(mut types) if name == "mysqlType" => {
                    types.0.sort();
                    (name.as_str(), object(types.0.iter().map(|(name, raw)| (name.as_str(), raw.clone()))))
                }
                _ => (name.as_str(), raw.clone()),
            });
        object(members)
    }
}

/// An object of these members.
fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.map(|(name, raw)| format!("\"{name}\":{raw}")).collect();
    format!("{{{}}}", members.join(","))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, raw.get().to_owned()));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_mysql_types_are_sorted() {
        let fields =
            Fields::parse(r#"{"ts":1,"mysqlType":{"b":"x","a":"y"},"data":[{"b":"1","a":"2"}]}"#).unwrap();
        assert_eq!(
            fields.render(|name| name != "ts"),
            r#"{"mysqlType":{"a":"y","b":"x"},"data":[{"b":"1","a":"2"}]}"#
        );
    }
}
