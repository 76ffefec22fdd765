//! Memory and CPU time of a process, from Linux' `/proc`.

use xtask::{Failure, Program};

/// What a process uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Resident memory now, bytes.
    pub(crate) rss: u64,
    /// The most that it was, bytes.
    pub(crate) peak_rss: u64,
    /// CPU time of all threads so far, seconds.
    pub(crate) cpu_seconds: f64,
}

/// Reads what a process uses.
pub(crate) fn usage(pid: u32) -> Result<Usage, Failure> {
    let read = |name: &str| {
        let path = std::path::PathBuf::from(format!("/proc/{pid}/{name}"));
        std::fs::read_to_string(&path).map_err(Failure::file(&path))
    };
    let status = read("status")?;
    let missing = || Failure::check("/proc has no such figures");
    let ticks = cpu_ticks(&read("stat")?).ok_or_else(missing)?;
    Ok(Usage {
        rss: memory(&status, "VmRSS:").ok_or_else(missing)?,
        peak_rss: memory(&status, "VmHWM:").ok_or_else(missing)?,
        cpu_seconds: ticks as f64 / ticks_per_second()?,
    })
}

/// A line of the status file, in bytes.
fn memory(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// User and system time: fields 14 and 15 of the stat file. The second field, the name, may hold blanks.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Ticks of the kernel per second.
fn ticks_per_second() -> Result<f64, Failure> {
    let text = Program::new("getconf CLK_TCK").output()?;
    text.trim().parse().map_err(|_| Failure::check(format!("getconf CLK_TCK: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_proc_are_read() {
        assert_eq!(memory("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t  100 kB\n", "VmHWM:"), Some(2048 * 1024));
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194304 100 0 0 0 120 30 0 0 20 0 9 0 100 1000 200";
        assert_eq!(cpu_ticks(stat), Some(150));
    }
}
