//! `tidegate ps`: the services of a local stack and whether they answer.

mod kafka_probe;
mod probe;
mod sql_probe;

use std::net::IpAddr;

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::stack::{Ports, Service};
use probe::Answer;

/// Flags of `ps`.
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Address of the stack.
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Offset that the stack was started with.
    #[arg(long, default_value_t = 0)]
    port_offset: u16,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Whether a service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
enum State {
    /// It answers in its protocol.
    Up,
    /// It does not.
    Down,
}

/// What is known of a service.
#[derive(Debug, Serialize)]
struct Row {
    /// Name.
    name: &'static str,
    /// Port.
    port: u16,
    /// What it does.
    role: &'static str,
    /// Whether it answers.
    state: State,
    /// Version that it told.
    version: Option<String>,
    /// Why it is down.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Row {
    /// A service with the answer to its probe.
    fn new(service: Service, port: u16, answer: Answer) -> Self {
        let (state, version, error) = match answer {
            Ok(version) => (State::Up, version, None),
            Err(reason) => (State::Down, None, Some(reason)),
        };
        Self { name: service.name(), port, role: role(service), state, version, error }
    }
}

/// What a service does.
fn role(service: Service) -> &'static str {
    match service {
        Service::Pd => "placement driver, etcd",
        Service::Tikv => "key-value store",
        Service::Tidb => "SQL",
        Service::Kafka => "message broker",
        Service::Capture => "change data capture",
    }
}

/// Probes all services at once and prints what they answered.
pub(crate) async fn run(args: PsArgs) -> Result<(), Failure> {
    let ports = Ports::with_offset(args.port_offset)?;
    let host = args.host;
    let (tidb, pd, tikv, capture, kafka) = tokio::join!(
        probe::within(sql_probe::sql(host, ports.sql)),
        probe::within(probe::pd(host, ports.pd)),
        probe::within(probe::tikv(host, ports.kv, ports.pd)),
        probe::within(probe::capture(host, ports.capture)),
        probe::within(kafka_probe::kafka(host, ports.kafka)),
    );
    let rows = [
        Row::new(Service::Tidb, ports.sql, tidb),
        Row::new(Service::Pd, ports.pd, pd),
        Row::new(Service::Tikv, ports.kv, tikv),
        Row::new(Service::Capture, ports.capture, capture),
        Row::new(Service::Kafka, ports.kafka, kafka),
    ];
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        println!("{}", table(&rows));
    }
    if rows.iter().all(|row| row.state == State::Up) { Ok(()) } else { Err(Failure::Silent) }
}

/// Rows in aligned columns. The last column of a service that is down tells why.
fn table(rows: &[Row]) -> String {
    let mut cells = vec![["NAME", "PORT", "ROLE", "STATE", "VERSION"].map(str::to_owned)];
    for row in rows {
        let last = match (&row.error, &row.version) {
            (Some(reason), _) => reason.clone(),
            (None, Some(version)) => version.clone(),
            (None, None) => "-".to_owned(),
        };
        cells.push([
            row.name.to_owned(),
            row.port.to_string(),
            row.role.to_owned(),
            format!("{:?}", row.state),
            last,
        ]);
    }
    let mut widths = [0; 5];
    for line in &cells {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let lines: Vec<_> = cells
        .iter()
        .map(|line| {
            let padded: Vec<_> =
                line.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_reason_takes_the_place_of_a_version() {
        let rows = [
            Row::new(Service::Tidb, 4000, Ok(Some("8.0.11-TiDB".to_owned()))),
            Row::new(Service::Pd, 2379, Err("connection refused".to_owned())),
        ];
        assert_eq!(
            table(&rows),
            "NAME  PORT  ROLE                    STATE  VERSION\n\
             tidb  4000  SQL                     Up     8.0.11-TiDB\n\
             pd    2379  placement driver, etcd  Down   connection refused"
        );
    }

    #[test]
    fn json_has_the_reason_only_when_down() {
        let row = Row::new(Service::Kafka, 9092, Ok(None));
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["state"], "Up");
        assert!(json.get("error").is_none());
    }
}
