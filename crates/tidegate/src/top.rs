//! `tidegate top`: the changefeeds of a cluster, the one furthest behind first, again and again.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::cli::{ApiClient, Connection, now};
use crate::failure::Failure;

/// Bits of a timestamp below its milliseconds.
const PHYSICAL_SHIFT: u32 = 18;
/// Longest error text in the table, characters.
const ERROR_WIDTH: usize = 60;
/// Clears the terminal from its top left corner on.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Flags of `top`.
#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    /// Where the server is and who asks.
    #[command(flatten)]
    connection: Connection,
    /// Seconds between two looks.
    #[arg(short, long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Most changefeeds in the live table; the rest is counted.
    #[arg(short, long, default_value_t = 30)]
    rows: usize,
    /// Print every changefeed once and end.
    #[arg(long)]
    once: bool,
}

/// A changefeed in the table.
#[derive(Debug)]
struct Row {
    /// Id.
    id: String,
    /// State.
    state: String,
    /// Everything committed up to here was sent.
    checkpoint: u64,
    /// The same as text.
    checkpoint_time: String,
    /// What is wrong with it, if anything.
    error: Option<String>,
}

/// Checkpoints at an earlier look, with the cluster's time.
#[derive(Debug, Default)]
struct Earlier {
    /// The cluster's time then, ms; zero before the first look.
    at_ms: u64,
    /// Checkpoints, ms.
    checkpoints: HashMap<String, u64>,
}

/// Shows the table until Ctrl-C, or once.
pub(crate) async fn run(args: TopArgs) -> Result<(), Failure> {
    let client = ApiClient::connect(&args.connection).await?;
    let clears = std::io::stdout().is_terminal();
    let mut earlier = Earlier::default();
    let mut ticks = tokio::time::interval(Duration::from_secs(args.interval));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
        let shown = match look(&client).await {
            Ok((rows, now)) => {
                let text = table(&rows, now, &earlier, if args.once { usize::MAX } else { args.rows });
                earlier = Earlier {
                    at_ms: now >> PHYSICAL_SHIFT,
                    checkpoints: rows.into_iter().map(|r| (r.id, r.checkpoint >> PHYSICAL_SHIFT)).collect(),
                };
                text
            }
            // A server that restarts comes back: the table goes on.
            Err(Failure::Message(message)) if !args.once => format!("{message}\n"),
            Err(failure) => return Err(failure),
        };
        let mut out = std::io::stdout().lock();
        write!(out, "{}{shown}", if clears && !args.once { CLEAR } else { "" })?;
        out.flush()?;
        if args.once {
            return Ok(());
        }
    }
}

/// All changefeeds, and the cluster's time.
async fn look(client: &ApiClient) -> Result<(Vec<Row>, u64), Failure> {
    let answer = client.get("/api/v2/changefeeds?state=all").await?;
    let items = answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok((items.iter().map(row).collect(), now(client).await?))
}

/// A changefeed of the list.
fn row(item: &Value) -> Row {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let error = item["error"]["message"].as_str().map(|message| {
        let code = item["error"]["code"].as_str().unwrap_or_default();
        let whole = if message.contains(code) { message.to_owned() } else { format!("{code} {message}") };
        whole.replace(char::is_control, " ").chars().take(ERROR_WIDTH).collect()
    });
    Row {
        id: text("id"),
        state: text("state"),
        checkpoint: item["checkpoint_tso"].as_u64().unwrap_or(0),
        checkpoint_time: text("checkpoint_time"),
        error,
    }
}

/// The table, the changefeed furthest behind first. `SPEED` is how fast the checkpoint moved since the earlier look: above
/// 1 a changefeed catches up, below it falls behind.
fn table(rows: &[Row], now: u64, earlier: &Earlier, most: usize) -> String {
    let now_ms = now >> PHYSICAL_SHIFT;
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by(|a, b| (a.checkpoint, &a.id).cmp(&(b.checkpoint, &b.id)));
    let mut cells = vec![["CHANGEFEED", "STATE", "LAG", "SPEED", "CHECKPOINT", "ERROR"].map(str::to_owned)];
    for row in order.iter().take(most) {
        let checkpoint_ms = row.checkpoint >> PHYSICAL_SHIFT;
        let elapsed = now_ms.saturating_sub(earlier.at_ms);
        let speed = match earlier.checkpoints.get(&row.id) {
            Some(then) if elapsed > 0 => {
                format!("{:.1}x", checkpoint_ms.saturating_sub(*then) as f64 / elapsed as f64)
            }
            _ => "-".to_owned(),
        };
        cells.push([
            row.id.clone(),
            row.state.clone(),
            lag(now_ms.saturating_sub(checkpoint_ms)),
            speed,
            row.checkpoint_time.clone(),
            row.error.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let mut widths = [0; 6];
    for line in &cells {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for line in &cells {
        let padded: Vec<_> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    }
    let mut states: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        match states.iter_mut().find(|(state, _)| *state == row.state) {
            Some((_, count)) => *count += 1,
            None => states.push((&row.state, 1)),
        }
    }
    states.sort_unstable();
    let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let hidden = rows.len().saturating_sub(most);
    let hidden = if hidden > 0 { format!(", {hidden} not shown") } else { String::new() };
    out.push_str(&format!("{} changefeeds: {}{hidden}\n", rows.len(), states.join(", ")));
    out
}

/// A lag for people.
fn lag(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        10_000..120_000 => format!("{}s", ms / 1000),
        120_000..7_200_000 => format!("{}m{}s", ms / 60_000, ms / 1000 % 60),
        _ => format!("{}h{}m", ms / 3_600_000, ms / 60_000 % 60),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_furthest_behind_comes_first_with_its_error_and_speed() {
        let ts = |ms: u64| ms << PHYSICAL_SHIFT;
        let items = [
            json!({"id": "fast", "state": "normal", "checkpoint_tso": ts(9_500), "checkpoint_time": "t1", "error": null}),
            json!({"id": "slow", "state": "warning", "checkpoint_tso": ts(1_000), "checkpoint_time": "t0",
                "error": {"code": "CDC:ErrX", "message": "[CDC:ErrX]no\nbroker"}}),
        ];
        let rows: Vec<Row> = items.iter().map(row).collect();
        let earlier = Earlier {
            at_ms: 8_000,
            checkpoints: [("fast".to_owned(), 6_500), ("slow".to_owned(), 1_000)].into(),
        };
        assert_eq!(
            table(&rows, ts(10_000), &earlier, usize::MAX),
            "CHANGEFEED  STATE    LAG   SPEED  CHECKPOINT  ERROR\n\
             slow        warning  9.0s  0.0x   t0          [CDC:ErrX]no broker\n\
             fast        normal   0.5s  1.5x   t1          -\n\
             2 changefeeds: 1 normal, 1 warning\n"
        );
        let short = table(&rows, ts(10_000), &Earlier::default(), 1);
        assert!(short.contains("slow") && !short.contains("fast"), "{short}");
        assert!(short.ends_with("2 changefeeds: 1 normal, 1 warning, 1 not shown\n"), "{short}");
    }

    #[test]
    fn lags_are_short() {
        assert_eq!(
            [0, 1_250, 59_999, 125_000, 7_260_000].map(lag),
            ["0.0s", "1.2s", "59s", "2m5s", "2h1m"].map(str::to_owned)
        );
    }
}
