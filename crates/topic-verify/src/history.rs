//! What the messages about one row say together. Pure.

/// A message about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Commit ts of the change.
    pub commit_ts: u64,
    /// True if the row is there afterwards.
    pub present: bool,
    /// True if its partition had a watermark at or past its commit ts before.
    pub behind_watermark: bool,
}

/// What is known of a row after all messages about it.
#[derive(Debug, Default)]
pub struct History {
    /// The change that decides: the one with the largest commit ts; of the halves of a split UPDATE the INSERT.
    latest: Option<Observation>,
    /// Per partition: the largest commit ts so far, and every commit ts that came, in order.
    partitions: Vec<(i32, u64, Vec<u64>)>,
    /// Messages that came behind a later change without being a repetition.
    pub misordered: Vec<Observation>,
    /// Messages that a watermark before them had promised to be there already.
    pub late: Vec<Observation>,
    /// Messages that repeat an earlier one.
    pub repeated: u64,
}

impl History {
    /// Takes the next message of the row, in the order of partition and offset. True if it decides how the row is
    /// until a later one does.
    ///
    /// A message whose commit ts is below one that the partition had before must be a repetition: after an error a
    /// changefeed sends again what it sent since its last checkpoint.
    pub fn take(&mut self, seen: Observation) -> bool {
        let at = self.partitions.iter().position(|(partition, ..)| *partition == seen.partition);
        let at = at.unwrap_or_else(|| {
            self.partitions.push((seen.partition, 0, Vec::new()));
            self.partitions.len() - 1
        });
        if let Some((_, largest, commits)) = self.partitions.get_mut(at) {
            match commits.binary_search(&seen.commit_ts) {
                Ok(_) => self.repeated += 1,
                Err(place) => {
                    if seen.commit_ts < *largest {
                        self.misordered.push(seen);
                    } else if seen.behind_watermark {
                        self.late.push(seen);
                    }
                    commits.insert(place, seen.commit_ts);
                }
            }
            *largest = (*largest).max(seen.commit_ts);
        }
        let decides = self.latest.is_none_or(|latest| {
            seen.commit_ts > latest.commit_ts
                || (seen.commit_ts == latest.commit_ts && seen.present >= latest.present)
        });
        if decides {
            self.latest = Some(seen);
        }
        decides
    }

    /// The change that decides how the row is.
    pub fn latest(&self) -> Option<Observation> {
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(messages: &[(i32, u64, bool)]) -> History {
        let mut history = History::default();
        for (offset, (partition, commit_ts, present)) in messages.iter().enumerate() {
            history.take(Observation {
                partition: *partition,
                offset: offset as i64,
                commit_ts: *commit_ts,
                present: *present,
                behind_watermark: false,
            });
        }
        history
    }

    #[test]
    fn the_last_commit_decides_whichever_partition_it_is_in() {
        let row = history(&[(0, 5, true), (0, 9, false), (1, 7, true)]);
        assert_eq!(row.latest().map(|latest| (latest.commit_ts, latest.present)), Some((9, false)));
        assert!(row.misordered.is_empty());
    }

    #[test]
    fn both_halves_of_a_split_update_leave_the_row_in_place() {
        for halves in [[(0, 5, false), (0, 5, true)], [(1, 5, true), (2, 5, false)]] {
            assert!(history(&halves).latest().is_some_and(|latest| latest.present));
        }
    }

    #[test]
    fn repetitions_are_no_disorder_but_a_late_change_is() {
        let replay = history(&[(0, 1, true), (0, 2, true), (0, 3, true), (0, 2, true), (0, 3, true)]);
        assert_eq!((replay.repeated, replay.misordered.len()), (2, 0));
        let late = history(&[(0, 1, true), (0, 3, true), (0, 2, true)]);
        assert_eq!(late.misordered.iter().map(|seen| seen.commit_ts).collect::<Vec<_>>(), [2]);
        assert_eq!(late.latest().map(|latest| latest.commit_ts), Some(3));
    }

    #[test]
    fn a_change_behind_its_watermark_is_late_unless_it_came_before() {
        let mut row = History::default();
        let first =
            Observation { partition: 0, offset: 1, commit_ts: 5, present: true, behind_watermark: false };
        row.take(first);
        row.take(Observation { offset: 2, behind_watermark: true, ..first });
        assert!(row.late.is_empty());
        row.take(Observation { offset: 3, commit_ts: 6, behind_watermark: true, ..first });
        assert_eq!(row.late.len(), 1);
    }
}
