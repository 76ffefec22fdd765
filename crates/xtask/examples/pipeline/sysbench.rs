//! `sysbench oltp_insert` itself.

use std::time::Duration;

use crate::consumer::Consumer;
use crate::mysql::Connection;
use crate::report::SysbenchFigures;
use xtask::{Failure, Program};

/// Database of sysbench.
const DATABASE: &str = "sbtest";
/// Threads.
const THREADS: u64 = 8;
/// Rows before the measurement.
const TABLE_SIZE: u64 = 10_000;
/// Longest time of a run besides the measured seconds.
const SLACK: Duration = Duration::from_secs(120);

/// Runs it against the stack, then checks that every row that the table holds came through the topic.
pub(crate) fn run(sql_port: u16, seconds: u64, consumer: &Consumer) -> Result<SysbenchFigures, Failure> {
    let mut connection = Connection::open(sql_port)?;
    connection.execute(&format!("CREATE DATABASE IF NOT EXISTS {DATABASE}"))?;
    let command = |action: &str| {
        let line = format!(
            "sysbench oltp_insert --db-driver=mysql --mysql-host=127.0.0.1 --mysql-port={sql_port} --mysql-user=root \
             --mysql-db={DATABASE} --tables=1 --table-size={TABLE_SIZE} --threads={THREADS} --time={seconds} {action}"
        );
        Program::new(&line).limit(SLACK + Duration::from_secs(seconds))
    };
    command("prepare").run()?;
    let mut rate = None;
    command("run").run_watched(|line| rate = rate.or_else(|| transactions_per_second(line)))?;
    let rows = connection.value(&format!("SELECT COUNT(*) FROM {DATABASE}.sbtest1"))?;
    let rows: u64 = rows.parse().map_err(|_| Failure::check(format!("COUNT(*) is {rows}")))?;
    let received = consumer.count_inserts(DATABASE, rows)?;
    if received != rows {
        return Err(Failure::check(format!("the table of sysbench has {rows} rows, the topic {received}")));
    }
    let rate = rate.ok_or_else(|| Failure::check("sysbench printed no rate"))?;
    Ok(SysbenchFigures { threads: THREADS, seconds, transactions_per_second: rate, rows })
}

/// The rate in `transactions:  12345  (1234.50 per sec.)`.
fn transactions_per_second(line: &str) -> Option<f64> {
    let rest = line.trim().strip_prefix("transactions:")?;
    rest.split_once('(')?.1.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read() {
        let line = "    transactions:                        12345  (1234.50 per sec.)";
        assert_eq!(transactions_per_second(line), Some(1234.5));
        assert_eq!(transactions_per_second("queries: 1 (2.0 per sec.)"), None);
    }
}
