//! Pages for people: what the process knows of its changefeeds, and the routes of the API.

use std::fmt::Write;

use axum::extract::State as Extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use changefeed::FeedView;
use changefeed_config::mask_uri;

use super::routes::{Place, Route, routes};
use super::{BASE, Shared};

/// Content type of text.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";
/// Content type of a page.
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// GET /debug/info: under the two headings of TiCDC, the changefeeds that this capture owns and those that it works on,
/// which are the same.
pub(crate) async fn debug_info(Extract(state): Extract<Shared>) -> Response {
    let feeds = state.membership.owner().map(|owner| owner.list());
    ([(header::CONTENT_TYPE, TEXT)], debug_text(&state.membership.info.id, feeds.as_deref())).into_response()
}

/// The text of it; `None` for a capture that is not the owner.
fn debug_text(capture: &str, feeds: Option<&[(String, FeedView)]>) -> String {
    let mut text = format!("\n\n*** owner info ***:\n\ncapture {capture}\n");
    match feeds {
        Some(feeds) => feeds.iter().for_each(|(id, view)| describe(&mut text, id, view)),
        None => text.push_str("this capture is not the owner\n"),
    }
    text.push_str("\n\n*** processors info ***:\n\n");
    for (id, view) in feeds.unwrap_or_default().iter().filter(|(_, view)| view.info.state.is_running()) {
        // Writing to a string does not fail.
        let _ok = writeln!(
            text,
            "changefeed {id}: {} tables, slowest {}, {} pending DDLs",
            view.tables,
            view.slowest_table.map_or_else(|| "-".to_owned(), |table| table.to_string()),
            view.pending_ddls
        );
    }
    text
}

/// Adds a changefeed.
fn describe(text: &mut String, id: &str, view: &FeedView) {
    let info = &view.info;
    // Writing to a string does not fail.
    let _ok = writeln!(
        text,
        "\nchangefeed {id}\n  state {}\n  checkpoint-ts {}\n  resolved-ts {}\n  start-ts {}\n  target-ts {}\n  sink-uri {}",
        info.state.name(),
        view.checkpoint_ts,
        view.resolved_ts,
        info.start_ts,
        info.target_ts,
        mask_uri(&info.sink_uri)
    );
    if let Some(error) = &info.error {
        let _ok = writeln!(text, "  error [{}]{}", error.code, error.message);
    }
}

/// GET /swagger/index.html: a list of all routes; the whole description is beside it as `doc.json`.
pub(crate) async fn swagger() -> Response {
    ([(header::CONTENT_TYPE, HTML)], swagger_page(&routes())).into_response()
}

/// The page.
fn swagger_page(routes: &[Route]) -> String {
    let rows: String = routes
        .iter()
        .map(|route| {
            let base = if route.place == Place::Root { "" } else { BASE };
            let path = escape(&format!("{base}{}", route.path));
            format!("<tr><td>{}</td><td>{path}</td><td>{}</td></tr>\n", route.method, escape(route.summary))
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Tidegate API</title>\n\
         <style>body{{font-family:sans-serif}}td{{padding:.2em 1em .2em 0;vertical-align:top}}</style></head>\n\
         <body><h1>Tidegate API</h1>\n<p><a href=\"doc.json\">OpenAPI document</a></p>\n<table>\n{rows}</table></body></html>\n"
    )
}

/// Text in a page.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use changefeed_config::{ChangeFeedInfo, ReplicaConfig, RunningError, State};

    use super::*;

    /// A changefeed in a state.
    fn view(state: State, error: Option<RunningError>) -> FeedView {
        let info = ChangeFeedInfo {
            upstream_id: 1,
            id: "orders".to_owned(),
            sink_uri: "kafka://127.0.0.1:9092/t?protocol=canal-json&sasl-user=u&sasl-password=secret"
                .to_owned(),
            create_time: String::new(),
            start_ts: 5,
            target_ts: 0,
            admin_job_type: 0,
            config: ReplicaConfig::default(),
            state,
            error,
            creator_version: String::new(),
            epoch: 1,
        };
        FeedView {
            info: Arc::new(info),
            checkpoint_ts: 7,
            resolved_ts: 9,
            tables: 3,
            slowest_table: Some(104),
            pending_ddls: 1,
        }
    }

    #[test]
    fn the_info_tells_progress_and_errors_but_no_secrets() {
        let error = RunningError {
            time: String::new(),
            addr: String::new(),
            code: "CDC:ErrKafkaSendMessage".to_owned(),
            message: "no broker".to_owned(),
        };
        let feeds = [
            ("orders".to_owned(), view(State::Normal, None)),
            ("old".to_owned(), view(State::Failed, Some(error))),
        ];
        let text = debug_text("capture-1", Some(&feeds));
        assert!(text.contains("*** owner info ***") && text.contains("*** processors info ***"), "{text}");
        assert!(text.contains("changefeed orders: 3 tables, slowest 104, 1 pending DDLs"), "{text}");
        assert!(text.contains("error [CDC:ErrKafkaSendMessage]no broker"), "{text}");
        assert!(!text.contains("changefeed old: "), "a failed one is not worked on: {text}");
        assert!(!text.contains("secret"), "{text}");
        assert!(debug_text("capture-2", None).contains("not the owner"));
    }

    #[test]
    fn the_page_lists_every_route() {
        let all = routes();
        let page = swagger_page(&all);
        assert_eq!(page.matches("<tr>").count(), all.len());
        assert!(page.contains("<td>/api/v2/changefeeds/{id}/why</td>"), "{page}");
        assert_eq!(escape("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
