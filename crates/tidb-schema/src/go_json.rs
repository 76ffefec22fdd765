//! Conventions of the JSON that TiDB writes: an empty slice may be `null`, byte slices are base64 text, an empty map
//! of field-less structs is `{}`.

/// `null` and absent read as the default; an empty list writes as `null`.
pub(crate) mod null_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes `null` for an empty list.
    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        list: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if list.is_empty() { serializer.serialize_none() } else { list.serialize(serializer) }
    }

    /// Reads `null` as an empty list.
    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
    }
}

/// A byte slice: base64 text, or `null`.
pub(crate) mod optional_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes base64 text or `null`.
    #[allow(clippy::ref_option, reason = "the signature that serde's `with` calls")]
    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads base64 text or `null`.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        match Option::<String>::deserialize(deserializer)? {
            Some(text) => STANDARD.decode(text).map(Some).map_err(D::Error::custom),
            None => Ok(None),
        }
    }
}

/// A set of names: an object with an empty object per name, or `null`.
pub(crate) mod name_set {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// The value of each member of the set.
    #[derive(Serialize, Deserialize)]
    struct Present {}

    /// Writes an object, or `null` for an empty set.
    pub(crate) fn serialize<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        if names.is_empty() {
            return serializer.serialize_none();
        }
        names.iter().map(|name| (name, Present {})).collect::<BTreeMap<_, _>>().serialize(serializer)
    }

    /// Reads an object or `null`; the names come out sorted.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        let map = Option::<BTreeMap<String, Present>>::deserialize(deserializer)?;
        Ok(map.unwrap_or_default().into_keys().collect())
    }
}

/// Whether a number is zero: such fields are left out where TiDB leaves them out.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
