//! `cdc cli changefeed update`.

use changefeed_config::{api_json, mask_uri};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::Connection;
use super::client::ApiClient;
use super::create::CreateArgs;
use super::output::one_line;
use super::prompt::confirm;
use crate::failure::Failure;

/// A key as TiCDC's structs are named: `enable_tidb_extension` → `EnableTidbExtension`.
fn go_name(key: &str) -> String {
    let capital = |part: &str| {
        let mut chars = part.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    };
    key.split(['_', '-']).map(|part| if part == "uri" { "URI".to_owned() } else { capital(part) }).collect()
}

/// A value as Go prints it.
fn go_value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => other.to_string(),
    }
}

/// Lists what differs between two objects.
fn diff(path: &mut Vec<String>, from: &Value, to: &Value, lines: &mut Vec<String>) {
    let empty = Map::new();
    match (from, to) {
        (Value::Object(_), Value::Object(_)) => {
            let (a, b) = (from.as_object().unwrap_or(&empty), to.as_object().unwrap_or(&empty));
            let mut keys: Vec<&String> = a.keys().collect();
            keys.extend(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                path.push(go_name(key));
                diff(path, a.get(key).unwrap_or(&Value::Null), b.get(key).unwrap_or(&Value::Null), lines);
                path.pop();
            }
        }
        (a, b) if a != b => {
            lines.push(format!(
                "{{Type:update Path:[{}] From:{} To:{}}}",
                path.join(" "),
                go_value(a),
                go_value(b)
            ));
        }
        _ => {}
    }
}

/// Runs update.
pub(super) async fn run(args: CreateArgs, connection: &Connection) -> Result<(), Failure> {
    let id = Failure::require(args.changefeed_id.clone(), "cli changefeed update", "changefeed-id")?;
    let client = ApiClient::connect(connection).await?;
    let path = format!("/api/v2/changefeeds/{id}");
    let old = client.get(&path).await?;
    let mut request = Map::new();
    let mut lines = Vec::new();
    if let Some(uri) = &args.sink_uri {
        diff(&mut vec!["SinkURI".to_owned()], &old["sink_uri"], &json!(mask_uri(uri)), &mut lines);
        request.insert("sink_uri".to_owned(), json!(uri));
    }
    if let Some(target) = args.target_ts {
        let from = old.get("target_ts").cloned().unwrap_or(json!(0));
        diff(&mut vec!["TargetTs".to_owned()], &from, &json!(target), &mut lines);
        request.insert("target_ts".to_owned(), json!(target));
    }
    if args.config.is_some() {
        let mut config = args.replica_config()?;
        config.ignore_ineligible_table = old["config"]["ignore_ineligible_table"].as_bool().unwrap_or(false);
        let mut config = api_json::to_api(&config);
        if config["sink"].get("protocol").is_none() {
            config["sink"]["protocol"] = old["config"]["sink"]["protocol"].clone();
        }
        let shown = api_json::mask(config.clone());
        diff(&mut vec!["Config".to_owned()], &old["config"], &shown, &mut lines);
        request.insert("replica_config".to_owned(), config);
    }
    if lines.is_empty() {
        println!("changefeed config is the same with the old one, do nothing");
        return Ok(());
    }
    println!("Diff of changefeed config:\n{}", lines.join("\n"));
    if !args.no_confirm && !confirm("Could you agree to apply changes above to changefeed [Y/N]") {
        println!("No update to changefeed.");
        return Ok(());
    }
    let info = client.call(Method::PUT, &path, Some(&Value::Object(request))).await?;
    println!("Update changefeed config successfully! \nID: {id}\nInfo: {}", one_line(&info));
    Ok(())
}
