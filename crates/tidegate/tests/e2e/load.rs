//! A write load that remembers what it did, over the death of the server too.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::event::Operation;
use crate::replay::Change;
use crate::sql_client::{SqlClient, SqlError};
use crate::wait::within;

/// Pace of the transactions of one writer.
const PACE: Duration = Duration::from_millis(4);
/// Keys are chosen below this number, so that rows come and go.
const KEYS: i64 = 200;
/// Most rows of one transaction.
const ROWS: usize = 5;
/// Longest time of one statement.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// What a transaction does to one row: operation, id, and the number of the transaction that the row shows (for a
/// delete: the last one before).
pub(crate) type Effect = (&'static str, i64, i64);

/// A transaction.
#[derive(Debug, Clone)]
struct Transaction {
    /// Its number; the rows it writes have it.
    number: i64,
    /// What it does, each row once.
    effects: Vec<Effect>,
}

/// Writes to a table of its own: nobody else does.
pub(crate) struct Writer {
    /// Table.
    table: String,
    /// Makes the choices.
    random: StdRng,
    /// Rows that are there: id and the number of the transaction that wrote the row last.
    rows: BTreeMap<i64, i64>,
    /// Transactions that were committed, in order.
    committed: Vec<Transaction>,
    /// A transaction of which nobody knows how it ended.
    unsure: Option<Transaction>,
    /// Number of the last transaction.
    last: i64,
}

impl Writer {
    /// A writer with its table.
    pub(crate) async fn create(client: &mut SqlClient, table: &str, seed: u64) -> Self {
        let sql = format!(
            "CREATE TABLE test.{table} (id BIGINT PRIMARY KEY, tx BIGINT NOT NULL, note VARCHAR(60))"
        );
        client.query(&sql).await.expect("a table");
        Self {
            table: table.to_owned(),
            random: StdRng::seed_from_u64(seed),
            rows: BTreeMap::new(),
            committed: Vec::new(),
            unsure: None,
            last: 0,
        }
    }

    /// Number of transactions that were committed.
    pub(crate) fn count(&self) -> usize {
        self.committed.len()
    }

    /// Writes in a task of its own while `work` happens, which may block its thread, and stops after it.
    ///
    /// # Panics
    /// If the writer did.
    pub(crate) async fn run_during(mut self, addr: SocketAddr, work: impl Future<Output = ()>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let writing = tokio::spawn(async move {
            self.run(addr, stopped).await;
            self
        });
        work.await;
        stop.send_replace(true);
        writing.await.expect("the writer does not fail")
    }

    /// Writes until told to stop, or until the server is gone.
    pub(crate) async fn run(&mut self, addr: SocketAddr, mut stop: watch::Receiver<bool>) {
        let Ok(mut client) = SqlClient::connect(addr).await else { return };
        if self.settle(&mut client).await.is_err() {
            return;
        }
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                _ = pace.tick() => {}
            }
            let transaction = self.next();
            self.unsure = Some(transaction.clone());
            match within("a transaction", STATEMENT_LIMIT, self.execute(&mut client, &transaction)).await {
                Ok(()) => {
                    self.unsure = None;
                    self.note(transaction);
                }
                // The server is gone; whether it committed before is found out in its next life.
                Err(SqlError::Io(_)) => return,
                // A server that stops may say so.
                Err(SqlError::Server { code: 1053, .. }) => return,
                Err(error) => panic!("{}: {error}", self.table),
            }
        }
    }

    /// Finds out how the last transaction ended, and that the table is as it must be.
    pub(crate) async fn settle(&mut self, client: &mut SqlClient) -> Result<(), SqlError> {
        let answer = client.query(&format!("SELECT id, tx FROM test.{}", self.table)).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(SqlError::Server { code, state, message }) => panic!("ERROR {code} ({state}): {message}"),
            Err(error) => return Err(error),
        };
        let number =
            |value: &Option<String>| value.as_deref().and_then(|text| text.parse().ok()).expect("a number");
        let rows: BTreeMap<i64, i64> =
            answer.rows.iter().map(|row| (number(&row[0]), number(&row[1]))).collect();
        if let Some(transaction) = self.unsure.take() {
            let before = self.rows.clone();
            apply(&mut self.rows, &transaction);
            if rows == before {
                self.rows = before;
            } else {
                // Half a transaction fails the comparison below.
                self.committed.push(transaction);
            }
        }
        assert_eq!(rows, self.rows, "{} is not what was committed", self.table);
        Ok(())
    }

    /// Remembers a committed transaction.
    fn note(&mut self, transaction: Transaction) {
        apply(&mut self.rows, &transaction);
        self.committed.push(transaction);
    }

    /// Makes up the next transaction.
    fn next(&mut self) -> Transaction {
        self.last += 1;
        let number = self.last;
        let count = if self.random.random_bool(0.5) { 1 } else { self.random.random_range(2..=ROWS) };
        let ids: HashSet<i64> = (0..count).map(|_| self.random.random_range(0..KEYS)).collect();
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort_unstable();
        let effects = ids
            .into_iter()
            .map(|id| match self.rows.get(&id) {
                None => (Operation::Insert.name(), id, number),
                Some(before) if self.random.random_bool(0.25) => (Operation::Delete.name(), id, *before),
                Some(_) => (Operation::Update.name(), id, number),
            })
            .collect();
        Transaction { number, effects }
    }

    /// Runs a transaction: one row without BEGIN, several rows in BEGIN and COMMIT.
    async fn execute(&mut self, client: &mut SqlClient, transaction: &Transaction) -> Result<(), SqlError> {
        let several = transaction.effects.len() > 1;
        if several {
            client.query("BEGIN").await?;
        }
        for (operation, id, _) in &transaction.effects {
            let (table, number) = (&self.table, transaction.number);
            let note: char = ('a'..='z').choose(&mut self.random).expect("a letter");
            let sql = match *operation {
                "INSERT" => format!("INSERT INTO test.{table} VALUES ({id}, {number}, 'new {note}')"),
                "UPDATE" => {
                    format!("UPDATE test.{table} SET tx = {number}, note = 'now {note}' WHERE id = {id}")
                }
                _ => format!("DELETE FROM test.{table} WHERE id = {id}"),
            };
            let affected = client.query(&sql).await?.affected;
            assert_eq!(affected, 1, "{sql}");
        }
        if several {
            client.query("COMMIT").await?;
        }
        Ok(())
    }

    /// The changes of the topic are those of the committed transactions: none missing, none more, in order, each
    /// transaction with one commit timestamp, after that of the one before. (Transactions of other writers may have the
    /// same one: a transaction that commits in one phase gets it from the store.)
    ///
    /// # Panics
    /// If they are not.
    pub(crate) fn check(&self, changes: &[Change]) {
        let mut last_ts = 0;
        let mut rest = changes.iter().filter(|change| change.table == self.table).peekable();
        for (index, transaction) in self.committed.iter().enumerate() {
            let place = format!("{}, transaction {} of {}", self.table, index + 1, self.committed.len());
            let first = rest.peek().unwrap_or_else(|| panic!("{place} is missing: {transaction:?}"));
            let commit_ts = first.commit_ts;
            let mut effects = Vec::new();
            while let Some(change) = rest.next_if(|change| change.commit_ts == commit_ts) {
                effects.push((change.operation.name(), change.number("id"), change.number("tx")));
            }
            effects.sort_unstable_by_key(|(_, id, _)| *id);
            assert_eq!(effects, transaction.effects, "{place}");
            assert!(commit_ts > last_ts, "{place}: commit timestamp {commit_ts} after {last_ts}");
            last_ts = commit_ts;
        }
        assert!(rest.peek().is_none(), "{}: a change that nobody made: {:?}", self.table, rest.peek());
    }

    /// Table.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }
}

/// What a transaction does to the rows.
fn apply(rows: &mut BTreeMap<i64, i64>, transaction: &Transaction) {
    for (operation, id, number) in &transaction.effects {
        match *operation {
            "DELETE" => rows.remove(id),
            _ => rows.insert(*id, *number),
        };
    }
}
