//! Rows that arrived and are not resolved yet.

use crate::row::SortedRow;

/// A chunk takes further small pushes until it holds this many rows, so that rows pushed one by one do not cost an
/// allocation each.
const CHUNK_ROWS: usize = 512;

/// Rows in order of arrival, with the bounds of their commit ts.
#[derive(Debug)]
struct Chunk {
    /// The rows.
    rows: Vec<SortedRow>,
    /// Smallest commit ts.
    min: u64,
    /// Largest commit ts.
    max: u64,
    /// Sum of the rows' weights.
    weight: usize,
}

impl Chunk {
    /// Wraps rows; `None` if there are none.
    fn new(rows: Vec<SortedRow>) -> Option<Self> {
        let min = rows.iter().map(|row| row.commit_ts).min()?;
        let max = rows.iter().map(|row| row.commit_ts).max()?;
        let weight = rows.iter().map(SortedRow::weight).sum();
        Some(Self { rows, min, max, weight })
    }

    /// Adds the rows of another chunk.
    fn absorb(&mut self, mut other: Self) {
        self.rows.append(&mut other.rows);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.weight += other.weight;
    }
}

/// The append buffer of a table: nothing is sorted before its resolved ts is known.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Chunks in order of arrival.
    chunks: Vec<Chunk>,
    /// Sum of the chunks' weights.
    weight: usize,
    /// No row at or below this may arrive any more.
    pub(crate) resolved_ts: u64,
}

impl Inbox {
    /// An empty inbox for rows above `resolved_ts`.
    pub(crate) fn new(resolved_ts: u64) -> Self {
        Self { chunks: Vec::new(), weight: 0, resolved_ts }
    }

    /// Appends rows and returns their weight; the first row that is too late is returned as an error, and then
    /// nothing is appended.
    pub(crate) fn push(&mut self, rows: Vec<SortedRow>) -> Result<usize, u64> {
        let Some(chunk) = Chunk::new(rows) else { return Ok(0) };
        if chunk.min <= self.resolved_ts {
            return Err(chunk.min);
        }
        let weight = chunk.weight;
        self.weight += weight;
        match self.chunks.last_mut() {
            Some(last) if last.rows.len() + chunk.rows.len() <= CHUNK_ROWS => last.absorb(chunk),
            _ => self.chunks.push(chunk),
        }
        Ok(weight)
    }

    /// Takes all rows with commit ts up to `upper`, in order of arrival, with their weight.
    pub(crate) fn take_upto(&mut self, upper: u64) -> (Vec<SortedRow>, usize) {
        if self.chunks.iter().all(|chunk| chunk.min > upper) {
            return (Vec::new(), 0);
        }
        let before = self.weight;
        let due = self.chunks.iter().filter(|chunk| chunk.min <= upper);
        let one = due.clone().count() == 1;
        // Reserved at once: growing step by step would need twice the memory when there is least of it.
        let room = if one { 0 } else { due.map(|chunk| chunk.rows.len()).sum() };
        let mut taken: Vec<SortedRow> = Vec::with_capacity(room);
        let mut left = Vec::new();
        for chunk in std::mem::take(&mut self.chunks) {
            if chunk.min > upper {
                left.push(chunk);
            } else if chunk.max <= upper {
                self.weight -= chunk.weight;
                append(&mut taken, chunk.rows);
            } else {
                let (ready, later): (Vec<_>, Vec<_>) =
                    chunk.rows.into_iter().partition(|row| row.commit_ts <= upper);
                self.weight -= ready.iter().map(SortedRow::weight).sum::<usize>();
                append(&mut taken, ready);
                left.extend(Chunk::new(later));
            }
        }
        self.chunks = left;
        (taken, before - self.weight)
    }
}

/// Appends without copying when there is nothing yet, and no room was made.
fn append(to: &mut Vec<SortedRow>, mut rows: Vec<SortedRow>) {
    if to.capacity() == 0 {
        *to = rows;
    } else {
        to.append(&mut rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with the given commit ts.
    fn rows(commits: &[u64]) -> Vec<SortedRow> {
        commits.iter().map(|&commit_ts| SortedRow { commit_ts, ..SortedRow::default() }).collect()
    }

    #[test]
    fn rows_above_the_bound_stay() {
        let mut inbox = Inbox::new(0);
        inbox.push(rows(&[5, 3, 9])).unwrap();
        inbox.push(rows(&[4; CHUNK_ROWS])).unwrap();
        inbox.push(rows(&[8; CHUNK_ROWS])).unwrap();
        let (taken, weight) = inbox.take_upto(5);
        assert_eq!(taken.len(), 2 + CHUNK_ROWS);
        assert_eq!(weight, taken.iter().map(SortedRow::weight).sum::<usize>());
        let (rest, _) = inbox.take_upto(u64::MAX);
        assert_eq!(rest.len(), 1 + CHUNK_ROWS);
        assert_eq!(inbox.weight, 0);
    }

    #[test]
    fn late_rows_are_refused_whole() {
        let mut inbox = Inbox::new(7);
        assert_eq!(inbox.push(rows(&[9, 7, 8])), Err(7));
        assert_eq!(inbox.weight, 0);
        assert!(inbox.push(rows(&[8])).is_ok());
    }
}
