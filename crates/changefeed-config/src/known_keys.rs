//! Which keys a configuration file may hold, and what each of them does here: nothing is ignored without a word.

use serde_json::Value;

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// What the documentation says.
    Works,
    /// Nothing, and nothing of the output depends on it: the reason. Its use is worth one warning.
    Nothing(&'static str),
    /// It would change what is done: its use is refused, for this reason.
    Refused(&'static str),
}

/// A key by its path, such as `filter.rules`. Lists do not show: the keys of `[[a.b]]` are `a.b.c`.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Path in the file.
    pub path: &'static str,
    /// What it does.
    pub effect: Effect,
}

impl Key {
    /// A key that works.
    pub const fn works(path: &'static str) -> Self {
        Self { path, effect: Effect::Works }
    }

    /// A key without effect.
    pub const fn nothing(path: &'static str, reason: &'static str) -> Self {
        Self { path, effect: Effect::Nothing(reason) }
    }

    /// A key that can't be used.
    pub const fn refused(path: &'static str, reason: &'static str) -> Self {
        Self { path, effect: Effect::Refused(reason) }
    }
}

/// Most edits between a key and the known key that it is taken for: one in this many letters, and at least one.
const LETTERS_PER_EDIT: usize = 3;

/// A key that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnknownKey {
    /// Its path.
    pub path: String,
    /// The known key that was probably meant.
    pub nearest: Option<&'static str>,
}

/// The keys of `file` that are not in `keys`, in the order of the file.
pub(crate) fn unknown_keys(file: &Value, keys: &[Key]) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    walk(file, "", &mut |path, value| {
        let section = |key: &Key| key.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let known = keys.iter().any(|key| key.path == path);
        // A section that is not set is null.
        let opens = keys.iter().any(section) && (value.is_object() || value.is_array() || value.is_null());
        if !known && !opens {
            found.push(UnknownKey { path: path.to_owned(), nearest: nearest(path, keys) });
        }
        opens
    });
    found
}

/// The keys that `file` sets and that have an effect other than [`Effect::Works`], in the order of `keys`.
pub fn special_keys(file: &Value, keys: &[Key]) -> Vec<Key> {
    let mut set = Vec::new();
    walk(file, "", &mut |path, value| {
        set.push(path.to_owned());
        value.is_object() || value.is_array()
    });
    keys.iter()
        .filter(|key| key.effect != Effect::Works && set.iter().any(|p| p == key.path))
        .copied()
        .collect()
}

/// The text about unknown keys, in TiCDC's words and with what was probably meant.
pub(crate) fn describe_unknown(what: &str, path: &str, unknown: &[UnknownKey]) -> String {
    let names: Vec<&str> = unknown.iter().map(|key| key.path.as_str()).collect();
    let mut text = format!(
        "component TiCDC {what}'s config file {path} contained unknown configuration options: {}",
        names.join(", ")
    );
    for key in unknown {
        if let Some(nearest) = key.nearest {
            text.push_str(&format!("; did you mean {nearest} for {}?", key.path));
        }
    }
    text
}

/// Calls `visit` with the path and value of every key; it says whether to go on below the key.
fn walk(value: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value) -> bool) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if visit(&path, value) {
                    walk(value, &path, visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, path, visit)),
        _ => {}
    }
}

/// The known key that is the fewest edits away, unless that is too many: first among the keys of the same section, then
/// among all keys by their last part, for keys that stand in a wrong section.
fn nearest(path: &str, keys: &[Key]) -> Option<&'static str> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let limit = (name.chars().count() / LETTERS_PER_EDIT).max(1);
    let best = |candidates: &mut dyn Iterator<Item = (usize, &'static str)>| {
        candidates.filter(|(edits, _)| *edits <= limit).min_by_key(|(edits, _)| *edits)
    };
    let mut siblings = keys.iter().filter_map(|key| {
        let rest =
            if section.is_empty() { key.path } else { key.path.strip_prefix(section)?.strip_prefix('.')? };
        let part = rest.split('.').next().unwrap_or(rest);
        let end = key.path.len() - rest.len() + part.len();
        Some((edits(name, part), key.path.get(..end)?))
    });
    if let Some((_, key)) = best(&mut siblings) {
        return Some(key);
    }
    let mut elsewhere = keys.iter().filter_map(|key| {
        let last = key.path.rsplit('.').next()?;
        (last == name).then_some((0, key.path))
    });
    best(&mut elsewhere).map(|(_, key)| key)
}

/// Insertions, deletions, substitutions and swaps of neighbours that make `b` of `a`; `-` and `_` are the same.
fn edits(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars().map(|c| if c == '_' { '-' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let substituted = last[j] + usize::from(a[i] != b[j]);
            let mut least = substituted.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [Key; 5] = [
        Key::works("addr"),
        Key::works("filter.rules"),
        Key::works("filter.event-filters.matcher"),
        Key::nothing("sorter.cache-size", "there is no cache"),
        Key::refused("mode.both", "not yet"),
    ];

    fn unknown(text: &str) -> Vec<(String, Option<&'static str>)> {
        let file: Value = serde_json::from_str(text).expect("json");
        unknown_keys(&file, &KEYS).into_iter().map(|key| (key.path, key.nearest)).collect()
    }

    #[test]
    fn unknown_keys_come_with_the_nearest_known_one() {
        let cases = [
            (r#"{"adr": 1}"#, "adr", Some("addr")),
            (r#"{"filter": {"rulez": []}}"#, "filter.rulez", Some("filter.rules")),
            (r#"{"fitler": {"rules": []}}"#, "fitler", Some("filter")),
            (
                r#"{"filter": {"event-filters": [{"macther": 1}]}}"#,
                "filter.event-filters.macther",
                Some("filter.event-filters.matcher"),
            ),
            (r#"{"filter": {"event_filters": []}}"#, "filter.event_filters", Some("filter.event-filters")),
            (r#"{"rules": []}"#, "rules", Some("filter.rules")),
            (r#"{"something-else": 1}"#, "something-else", None),
        ];
        for (text, path, nearest) in cases {
            assert_eq!(unknown(text), [(path.to_owned(), nearest)], "{text}");
        }
        assert!(
            unknown(r#"{"addr": "x", "filter": {"rules": ["a.b"], "event-filters": [{"matcher": []}]}}"#)
                .is_empty()
        );
    }

    #[test]
    fn a_section_that_is_no_table_is_unknown() {
        assert_eq!(unknown(r#"{"filter": 1}"#).len(), 1);
        assert_eq!(unknown(r#"{"addr": {"x": 1}}"#).len(), 0, "a wrong type is the parser's business");
    }

    #[test]
    fn keys_without_effect_and_refused_ones_are_found() {
        let file: Value =
            serde_json::json!({"sorter": {"cache-size": 1}, "mode": {"both": true}, "addr": "x"});
        let found: Vec<_> = special_keys(&file, &KEYS).iter().map(|key| key.path).collect();
        assert_eq!(found, ["sorter.cache-size", "mode.both"]);
    }

    #[test]
    fn edits_are_counted_with_swaps() {
        assert_eq!(edits("rulez", "rules"), 1);
        assert_eq!(edits("fitler", "filter"), 1);
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("gc_ttl", "gc-ttl"), 0);
    }
}
