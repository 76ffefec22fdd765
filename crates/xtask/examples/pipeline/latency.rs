//! Percentiles.

use serde::Serialize;

/// A distribution of latencies, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Latency {
    /// Half of all are not longer.
    pub(crate) p50_ms: u64,
    /// 99 % are not longer.
    pub(crate) p99_ms: u64,
    /// The longest.
    pub(crate) max_ms: u64,
    /// How many were measured.
    pub(crate) samples: usize,
}

impl Latency {
    /// The distribution of these; `None` if there are none.
    pub(crate) fn of(samples: &[u64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let max_ms = *sorted.last()?;
        // Nearest rank: the smallest sample that at least this share of all does not exceed.
        let rank =
            |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { p50_ms: rank(50)?, p99_ms: rank(99)?, max_ms, samples: sorted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_by_nearest_rank() {
        let samples: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(
            Latency::of(&samples),
            Some(Latency { p50_ms: 100, p99_ms: 198, max_ms: 200, samples: 200 })
        );
        assert_eq!(Latency::of(&[7]), Some(Latency { p50_ms: 7, p99_ms: 7, max_ms: 7, samples: 1 }));
        assert_eq!(Latency::of(&[]), None);
    }
}
