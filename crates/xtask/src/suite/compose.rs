//! Checks of `deploy/compose.yaml`. They need no engine: compose reads the file, and what it understood is checked for
//! the mistakes that such files usually have.

use std::collections::BTreeMap;

use super::tally::Tally;
use xtask::{Failure, Program, workspace};

/// The file.
const FILE: &str = "deploy/compose.yaml";
/// Profiles; the empty one is what runs without any.
const PROFILES: [&str; 5] = ["", "zookeeper", "init", "consumer", "client"];
/// Services that run until they are stopped and that others may wait for.
const SERVERS: [&str; 7] = ["pd", "tikv", "tidb", "kafka", "kafka-zookeeper", "zookeeper", "ticdc"];
/// Brokers.
const BROKERS: [&str; 2] = ["kafka", "kafka-zookeeper"];
/// A port that is not the default, to see that both the mapping and the advertised address follow it.
const OTHER_PORT: &str = "19092";

/// Runs the checks.
pub(super) fn run(tally: &mut Tally) {
    let compose =
        if Program::new("docker compose version").succeeds() { "docker compose" } else { "docker-compose" };
    for profile in PROFILES {
        let name = if profile.is_empty() { "no profile" } else { profile };
        tally.check(&format!("compose, {name}"), config(compose, &[profile], "").map(|_| ()));
    }
    match config(compose, &PROFILES, "") {
        Ok(text) => {
            let services = services(&text);
            tally.check("compose, services", every_server(&services));
            tally.check("compose, waits", waits(&services));
            tally.check("compose, listeners", listeners(&services, "127.0.0.1:9092"));
        }
        Err(failure) => tally.check("compose, all profiles", Err(failure)),
    }
    tally.check("compose, other port", other_port(compose));
    tally.check("compose, mounted files", mounted_files());
    for script in ["deploy/kafka/start-kraft.sh", "deploy/changefeed-init.sh"] {
        tally.check(script, Program::new("bash -n").arg(script).output().map(|_| ()));
    }
}

/// What compose makes of the file, with profiles and variables.
fn config(compose: &str, profiles: &[&str], variables: &str) -> Result<String, Failure> {
    let profiles: String =
        profiles.iter().filter(|p| !p.is_empty()).map(|p| format!(" --profile {p}")).collect();
    let variables = if variables.is_empty() { String::new() } else { format!("env {variables} ") };
    Program::new(&format!("{variables}{compose} --file {FILE}{profiles} config")).output()
}

/// The lines of each service in compose's output.
fn services(config: &str) -> BTreeMap<String, Vec<String>> {
    let mut services = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut inside = false;
    for line in config.lines() {
        let indent = line.len() - line.trim_start().len();
        match (indent, line.trim_end().strip_suffix(':')) {
            (0, _) => {
                inside = line.starts_with("services:");
                current = None;
            }
            (2, Some(name)) if inside => {
                services.insert(name.trim().to_owned(), Vec::new());
                current = Some(name.trim().to_owned());
            }
            _ => {
                if let Some(lines) = current.as_ref().and_then(|name| services.get_mut(name)) {
                    lines.push(line.trim().to_owned());
                }
            }
        }
    }
    services
}

/// True if a line of the service has this text.
fn has(services: &BTreeMap<String, Vec<String>>, service: &str, text: &str) -> bool {
    services.get(service).is_some_and(|lines| lines.iter().any(|line| line.contains(text)))
}

/// Every server is there, with a health check.
fn every_server(services: &BTreeMap<String, Vec<String>>) -> Result<(), Failure> {
    let bad: Vec<_> = SERVERS.into_iter().filter(|server| !has(services, server, "healthcheck:")).collect();
    if bad.is_empty() { Ok(()) } else { Err(Failure::check(format!("no health check: {}", bad.join(", ")))) }
}

/// Who waits for a service waits until it is healthy, not only started.
fn waits(services: &BTreeMap<String, Vec<String>>) -> Result<(), Failure> {
    let impatient = |lines: &Vec<String>| {
        let conditions: Vec<_> = lines.iter().filter(|line| line.starts_with("condition:")).collect();
        let waits = lines.iter().any(|line| line == "depends_on:");
        (waits && conditions.is_empty()) || conditions.iter().any(|line| !line.contains("service_healthy"))
    };
    let bad: Vec<_> =
        services.iter().filter(|(_, lines)| impatient(lines)).map(|(name, _)| name.clone()).collect();
    if bad.is_empty() {
        Ok(())
    } else {
        Err(Failure::check(format!("do not wait for health: {}", bad.join(", "))))
    }
}

/// Each broker advertises an address for containers and one for the host.
fn listeners(services: &BTreeMap<String, Vec<String>>, host: &str) -> Result<(), Failure> {
    for broker in BROKERS {
        if !has(services, broker, &format!("INTERNAL://{broker}:29092"))
            || !has(services, broker, "EXTERNAL://")
        {
            return Err(Failure::check(format!(
                "{broker} must advertise a listener for containers and one for the host"
            )));
        }
    }
    if has(services, "kafka", &format!("EXTERNAL://{host}")) {
        return Ok(());
    }
    Err(Failure::check(format!("kafka does not advertise {host} to the host")))
}

/// With another port the broker advertises that port.
fn other_port(compose: &str) -> Result<(), Failure> {
    let services = services(&config(compose, &PROFILES, &format!("KAFKA_PORT={OTHER_PORT}"))?);
    if !has(&services, "kafka", &format!("{OTHER_PORT}:9092")) && !has(&services, "kafka", "published:") {
        return Err(Failure::check("KAFKA_PORT does not change the port on the host"));
    }
    listeners(&services, &format!("127.0.0.1:{OTHER_PORT}"))
}

/// Every file that is mounted from the repository exists: Docker would make a folder in its place.
fn mounted_files() -> Result<(), Failure> {
    let text = workspace::read(FILE)?;
    let sources = text.lines().filter_map(|line| line.trim().strip_prefix("- ./")?.split(':').next());
    let missing: Vec<_> =
        sources.filter(|path| !workspace::root().join("deploy").join(path).is_file()).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::check(format!("not in deploy/: {}", missing.join(", "))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "services:\n  a:\n    depends_on:\n      b:\n        condition: service_healthy\n  b:\n    \
                          healthcheck:\n      test: x\nvolumes:\n  c: {}\n";

    #[test]
    fn services_are_told_apart() {
        let services = services(CONFIG);
        assert_eq!(services.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(has(&services, "b", "healthcheck:"));
        assert!(!has(&services, "a", "healthcheck:"));
        assert!(waits(&services).is_ok());
    }

    #[test]
    fn waiting_for_a_start_only_is_refused() {
        let text = CONFIG.replace("service_healthy", "service_started");
        assert!(waits(&services(&text)).is_err());
        let short = "services:\n  a:\n    depends_on:\n    - b\n";
        assert!(waits(&services(short)).is_err());
    }
}
