//! Questions to the event loop of a changefeed: what it knows of what holds the checkpoint.
//!
//! A question is answered between two turns of the loop, from what is there: nothing is kept for it and nothing waits.

use std::collections::HashSet;
use std::time::Duration;

use tidb_schema::DdlEffect;
use tokio::sync::{mpsc, oneshot};

use crate::barrier::DdlKey;
use crate::claim_check::ClaimChecks;
use crate::ddl_tracker::DDL_JOB_TABLE_ID;
use crate::pipeline::Pipeline;
use crate::why::{DdlFacts, RunFacts, SinkFacts, SorterFacts, TableAnswer, TableFacts};

/// Somebody who asks.
pub(crate) type Question = oneshot::Sender<RunFacts>;
/// Questions that may wait; more are refused.
pub(crate) const QUESTION_QUEUE: usize = 16;
/// How long an answer is waited for.
pub(crate) const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Tables that a DDL is said to wait for.
const BEHIND_SHOWN: usize = 8;

/// Asks an event loop; `None` if it does not answer in time, or has ended.
pub(crate) async fn ask(questions: &mpsc::Sender<Question>) -> Option<RunFacts> {
    let (question, answer) = oneshot::channel();
    questions.try_send(question).ok()?;
    tokio::time::timeout(ANSWER_LIMIT, answer).await.ok()?.ok()
}

impl Pipeline {
    /// Answers a question.
    pub(crate) fn answer(&self, question: Question) {
        // Who asked may have gone.
        let _gone = question.send(self.facts());
    }

    /// What is known now.
    fn facts(&self) -> RunFacts {
        let sink = &self.run.sink;
        let stats = self.run.sorter.stats();
        let trouble = sink.trouble();
        RunFacts {
            checkpoint_ts: self.checkpoint_ts(),
            checkpoint_for: self.checkpoint_since.elapsed(),
            schema_ts: self.ddl.resolved_ts(),
            schema_source: self.source.inspect(DDL_JOB_TABLE_ID),
            target_ts: self.target_ts,
            slowest: self.by_checkpoint.first().map(|(_, table)| self.table_facts(*table)),
            ddl: self.barriers.first().map(|(key, effect, tables)| self.ddl_facts(key, effect, tables)),
            sink: SinkFacts {
                brokers: sink.destination(),
                trouble: trouble.map(|trouble| (trouble.reason, trouble.since.map(|at| at.elapsed()))),
                in_flight_bytes: sink.in_flight_bytes(),
                in_flight_limit: self.run.in_flight_limit,
                claim_checks: self.run.settings.claim_check.as_ref().map(ClaimChecks::destination),
            },
            sorter: SorterFacts {
                memory_bytes: stats.bytes_in_memory,
                disk_bytes: stats.bytes_on_disk,
                refused: self.intake.refused().map(|(error, since)| (error.to_string(), since.elapsed())),
            },
        }
    }

    /// The name of a physical table, as it is or was.
    fn table_answer(&self, id: i64, ts: u64) -> TableAnswer {
        let schema = self.run.schema.read();
        let then = schema.table_for_row(id, ts.saturating_add(1)).ok().flatten();
        let version = then.or_else(|| schema.latest().table_by_physical_id(id).cloned());
        let (database_name, table_name) = version
            .map(|version| (version.schema_name().to_owned(), version.table_name().to_owned()))
            .unwrap_or_default();
        TableAnswer { physical_id: id, database_name, table_name }
    }

    /// Where a table is.
    fn table_facts(&self, id: i64) -> TableFacts {
        let Some(entry) = self.tables.get(&id) else { return TableFacts::default() };
        TableFacts {
            table: self.table_answer(id, entry.checkpoint_ts),
            checkpoint_ts: entry.checkpoint_ts,
            resolved_ts: entry.resolved_ts,
            position: entry.pipe.position(),
            parked: self.run.signal.is_parked(id),
            source: self.source.inspect(id),
            ddl: self.barriers.first_of(id).map(|(key, effect, tables)| self.ddl_facts(key, effect, tables)),
        }
    }

    /// What a pending DDL waits for.
    fn ddl_facts(&self, key: DdlKey, effect: &DdlEffect, tables: &HashSet<i64>) -> DdlFacts {
        let behind = tables.iter().filter_map(|id| {
            let checkpoint = self.tables.get(id)?.checkpoint_ts;
            (checkpoint < key.0).then_some((checkpoint, *id))
        });
        let mut behind: Vec<_> = behind.collect();
        behind.sort_unstable();
        behind.truncate(BEHIND_SHOWN);
        let sending = self.sending.as_ref().filter(|(sent, _)| *sent == key);
        DdlFacts {
            job_id: effect.job_id,
            action: effect.action.to_string(),
            query: effect.events.first().map(|event| event.query.to_string()).unwrap_or_default(),
            finished_ts: effect.finished_ts,
            sending: sending.map(|(_, batch)| (batch.age(), batch.unacknowledged())),
            behind: behind.into_iter().map(|(ts, id)| self.table_answer(id, ts)).collect(),
        }
    }
}
