//! The figures of the pipeline benchmark, as text and as JSON.

use std::fmt;

use serde::Serialize;

use crate::latency::Latency;

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Rows as fast as they go.
#[derive(Debug, Serialize)]
pub(crate) struct Throughput {
    /// Rows.
    pub(crate) rows: u64,
    /// Rows that came more than once.
    pub(crate) duplicates: u64,
    /// From the first statement to the last answer, seconds.
    pub(crate) write_seconds: f64,
    /// From the first statement to the last event, seconds.
    pub(crate) seconds: f64,
    /// Rows per second, SQL to consumer.
    pub(crate) rows_per_second: f64,
    /// Bytes of the messages' keys and values per second, in millions.
    pub(crate) megabytes_per_second: f64,
    /// Mean bytes of a message.
    pub(crate) bytes_per_row: f64,
    /// CPU time of the process in this phase, seconds.
    pub(crate) cpu_seconds: f64,
}

/// Rows at a given rate.
#[derive(Debug, Serialize)]
pub(crate) struct Steady {
    /// Wanted rows per second.
    pub(crate) rate: u64,
    /// Rows.
    pub(crate) rows: u64,
    /// Rows that came more than once.
    pub(crate) duplicates: u64,
    /// How late the latest statement was sent, milliseconds: large if the server could not take the rate.
    pub(crate) latest_send_ms: u64,
    /// Commit to consumer.
    pub(crate) latency: Latency,
    /// CPU time of the process in this phase, seconds.
    pub(crate) cpu_seconds: f64,
}

/// What sysbench measured.
#[derive(Debug, Serialize)]
pub(crate) struct SysbenchFigures {
    /// Threads.
    pub(crate) threads: u64,
    /// Seconds.
    pub(crate) seconds: u64,
    /// Its own figure.
    pub(crate) transactions_per_second: f64,
    /// Rows of the table afterwards, all of which came through the topic.
    pub(crate) rows: u64,
}

/// Everything.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Processors of this machine.
    pub(crate) processors: usize,
    /// From the start of the process to ready, seconds.
    pub(crate) start_seconds: f64,
    /// Resident memory before any work, bytes.
    pub(crate) idle_rss_bytes: u64,
    /// Rows as fast as they go.
    pub(crate) throughput: Throughput,
    /// Rows at a given rate.
    pub(crate) steady: Option<Steady>,
    /// sysbench itself.
    pub(crate) sysbench: Option<SysbenchFigures>,
    /// Most resident memory, bytes.
    pub(crate) peak_rss_bytes: u64,
    /// CPU time of the process, seconds.
    pub(crate) cpu_seconds: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.throughput;
        writeln!(f, "processors            {}", self.processors)?;
        writeln!(f, "start to ready        {:.2} s", self.start_seconds)?;
        writeln!(f, "idle memory (RSS)     {:.0} MiB", self.idle_rss_bytes as f64 / MIB)?;
        writeln!(
            f,
            "rows                  {} written and received, equal; {} duplicates",
            t.rows, t.duplicates
        )?;
        writeln!(
            f,
            "throughput            {:.0} rows/s, {:.1} MB/s",
            t.rows_per_second, t.megabytes_per_second
        )?;
        writeln!(f, "  SQL alone           {:.0} rows/s", t.rows as f64 / t.write_seconds.max(f64::EPSILON))?;
        writeln!(f, "  message             {:.0} bytes", t.bytes_per_row)?;
        writeln!(f, "  CPU time            {:.1} s", t.cpu_seconds)?;
        if let Some(s) = &self.steady {
            let l = &s.latency;
            writeln!(f, "latency at {} rows/s", s.rate)?;
            writeln!(
                f,
                "  commit to consumer  p50 {} ms, p99 {} ms, max {} ms",
                l.p50_ms, l.p99_ms, l.max_ms
            )?;
            writeln!(f, "  rows                {}, equal; {} duplicates", s.rows, s.duplicates)?;
            writeln!(f, "  latest statement    {} ms after its time", s.latest_send_ms)?;
            writeln!(f, "  CPU time            {:.1} s", s.cpu_seconds)?;
        }
        if let Some(s) = &self.sysbench {
            let rate = s.transactions_per_second;
            writeln!(
                f,
                "sysbench oltp_insert  {rate:.0} transactions/s, {} threads; {} rows, all received",
                s.threads, s.rows
            )?;
        }
        writeln!(f, "peak memory (RSS)     {:.0} MiB", self.peak_rss_bytes as f64 / MIB)?;
        write!(f, "CPU time              {:.1} s", self.cpu_seconds)
    }
}
