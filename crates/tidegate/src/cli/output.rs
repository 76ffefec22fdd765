//! Output as Go prints it.

use serde::Serialize;
use serde_json::Value;

/// `<`, `>`, `&` escaped as Go's JSON encoder does.
pub(super) fn go_escape(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// JSON indented by two spaces, and a newline.
pub(super) fn print_json<T: Serialize>(value: &T) -> Result<(), serde_json::Error> {
    println!("{}", go_escape(&serde_json::to_string_pretty(value)?));
    Ok(())
}

/// JSON on one line.
pub(super) fn one_line(value: &Value) -> String {
    go_escape(&value.to_string())
}

/// Picks keys of an object in this order, under these names; keys that are missing are left out.
pub(super) fn pick(value: &Value, keys: &[(&str, &str)]) -> Value {
    let picked = keys.iter().filter_map(|(from, to)| Some(((*to).to_owned(), value.get(*from)?.clone())));
    Value::Object(picked.collect())
}
