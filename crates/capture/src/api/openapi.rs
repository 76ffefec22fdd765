//! `openapi.json`, made from the table of routes.

use axum::response::Response;
use serde_json::{Map, Value, json};

use super::BASE;
use super::answer::document as answer;
use super::routes::{Body, Place, Route, routes};
use super::shapes::{reference, schemas};

/// The content type of JSON.
const JSON: &str = "application/json";

/// GET /openapi.json.
pub(crate) async fn serve() -> Response {
    answer(&document())
}

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in routes() {
        let base = if route.place == Place::Root { "" } else { BASE };
        let path = paths.entry(format!("{base}{}", route.path)).or_insert_with(|| Map::new().into());
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.as_str().to_lowercase(), operation(&route));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tidegate",
            "version": "2",
            "description": "Version 2 of TiCDC's HTTP API, and routes of Tidegate's own.",
        },
        "paths": paths,
        "components": {"schemas": schemas()},
    })
}

/// One operation.
fn operation(route: &Route) -> Value {
    let in_path = route
        .path
        .split(['{', '}'])
        .skip(1)
        .step_by(2)
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let in_query = route.query.iter().map(|(name, meaning)| {
        json!({"name": name, "in": "query", "description": meaning, "schema": {"type": "string"}})
    });
    let parameters: Vec<_> = in_path.chain(in_query).collect();
    let (content_type, schema) = match route.answer {
        Body::Json(shape) => (JSON, reference(shape)),
        Body::Array(shape) => (JSON, json!({"type": "array", "items": reference(shape)})),
        Body::List(shape) => (JSON, list(shape)),
        Body::Text(content_type) => (content_type, json!({"type": "string"})),
    };
    let mut content = Map::new();
    content.insert(content_type.to_owned(), json!({"schema": schema}));
    if let Some(also) = route.also {
        content.insert(also.to_owned(), json!({"schema": {"type": "string"}}));
    }
    let mut answers = json!({"200": {"description": "Success.", "content": content}});
    if let Some(answers) = answers.as_object_mut() {
        for (status, description) in errors(route) {
            let body = json!({"description": description, "content": {JSON: {"schema": reference("Error")}}});
            answers.insert(status.to_owned(), body);
        }
    }
    let mut operation = json!({"summary": route.summary, "parameters": parameters, "responses": answers});
    if let (Some(shape), Some(operation)) = (route.request, operation.as_object_mut()) {
        let body = json!({"required": false, "content": {JSON: {"schema": reference(shape)}}});
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

/// A list with its length.
fn list(shape: &str) -> Value {
    json!({
        "type": "object",
        "properties": {"total": {"type": "integer"}, "items": {"type": "array", "items": reference(shape)}},
        "required": ["total", "items"],
    })
}

/// Status codes of errors and when they come.
fn errors(route: &Route) -> Vec<(&'static str, &'static str)> {
    let mut all = Vec::new();
    if route.place != Place::Root {
        all.push(("400", "The request is wrong, or names what does not exist."));
        all.push((
            "500",
            "The capture, PD, TiKV or Kafka could not do it; or there is no owner at the moment.",
        ));
    }
    if route.login {
        all.push(("401", "The server asks users who they are, and the user is not let in."));
    }
    if route.request.is_some() {
        all.push(("413", "The body is too large."));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checked-in document.
    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");

    #[test]
    fn the_checked_in_document_is_that_of_the_routes() {
        let made = serde_json::to_string_pretty(&document()).expect("JSON") + "\n";
        if std::env::var_os("TIDEGATE_WRITE_OPENAPI").is_some() {
            std::fs::write(FILE, &made).expect("docs/openapi.json can be written");
        }
        let file = std::fs::read_to_string(FILE).expect("docs/openapi.json");
        assert!(
            file == made,
            "docs/openapi.json is old: run `TIDEGATE_WRITE_OPENAPI=1 cargo test -p capture openapi`"
        );
    }

    #[test]
    fn every_operation_of_the_table_is_in_the_document_once() {
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        let documented: usize = paths.values().filter_map(Value::as_object).map(Map::len).sum();
        assert_eq!(documented, routes().len());
        assert!(documented > 30, "{documented}");
    }

    #[test]
    fn every_shape_that_is_referred_to_exists() {
        fn check(value: &Value, schemas: &Map<String, Value>, seen: &mut usize) {
            match value {
                Value::Object(members) => {
                    if let Some(target) = members.get("$ref").and_then(Value::as_str) {
                        let name = target.rsplit('/').next().unwrap_or_default();
                        assert!(schemas.contains_key(name), "{target}");
                        *seen += 1;
                    }
                    members.values().for_each(|member| check(member, schemas, seen));
                }
                Value::Array(items) => items.iter().for_each(|item| check(item, schemas, seen)),
                _ => {}
            }
        }
        let mut seen = 0;
        check(&document(), &schemas(), &mut seen);
        assert!(seen > 60, "{seen}");
    }
}
