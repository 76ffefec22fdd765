//! Transactions of a session: begin, commit with the schema check, statement retries.

use std::sync::Arc;

use bytes::Bytes;
use tidb_sql::utility::{Begin, TransactionMode};
use tikv_client::Error;

use super::Session;
use crate::catalog::Table;
use crate::engine::MAX_RETRIES;
use crate::storage_error::from_client;
use crate::store::{Txn, TxnMode, entries};
use tidb_expr::{Result, SqlError};

/// How often a pessimistic statement is repeated on fresher data, TiDB's limit.
pub(super) const MAX_STATEMENT_RETRIES: usize = 256;
/// Attempts of an autocommit statement that find conflicts only at commit; later ones lock first.
const OPTIMISTIC_ATTEMPTS: usize = 2;

/// 8028: a table was changed by DDL since the transaction began.
fn schema_changed() -> SqlError {
    SqlError::new(
        8028,
        "Information schema is changed during the execution of the statement(for example, table definition may be updated by other DDL ran in parallel). If you see this error often, try increasing `tidb_max_delta_schema_count`. [try again later]",
    )
}

impl Session {
    /// The mode that transactions begin with.
    fn default_mode(&self) -> TxnMode {
        if self.variables.get("tidb_txn_mode") == "optimistic" {
            TxnMode::Optimistic
        } else {
            TxnMode::Pessimistic
        }
    }

    /// Starts a transaction on the newest schema.
    async fn start(&self, mode: TxnMode) -> Result<Txn> {
        let source = self.variables.number("tidb_cdc_write_source");
        Txn::begin(&self.engine.client, mode, self.engine.schema(), source, self.variables.lock_wait()).await
    }

    /// `BEGIN`.
    pub(super) async fn begin(&mut self, begin: &Begin) -> Result<()> {
        if begin.as_of.is_some() {
            return Err(SqlError::unsupported("AS OF TIMESTAMP"));
        }
        if begin.read_only {
            return Err(SqlError::unsupported("START TRANSACTION READ ONLY"));
        }
        self.commit_open().await?;
        let mode = match begin.mode {
            Some(TransactionMode::Optimistic) => TxnMode::Optimistic,
            Some(TransactionMode::Pessimistic) => TxnMode::Pessimistic,
            None => self.default_mode(),
        };
        self.txn = Some(self.start(mode).await?);
        self.explicit = true;
        self.note_ts();
        Ok(())
    }

    /// Lets `@@tidb_current_ts` follow the open transaction.
    fn note_ts(&mut self) {
        self.variables.current_ts = self.txn.as_ref().map_or(0, Txn::start_ts);
    }

    /// Commits what is open, if anything is.
    ///
    /// # Errors
    /// The commit's; the transaction is over in any case.
    pub(super) async fn commit_open(&mut self) -> Result<()> {
        let txn = self.txn.take();
        self.explicit = false;
        self.note_ts();
        match txn {
            Some(txn) => self.commit(txn).await,
            None => Ok(()),
        }
    }

    /// Rolls back what is open, if anything is.
    pub(super) async fn rollback_open(&mut self) {
        let txn = self.txn.take();
        self.explicit = false;
        self.note_ts();
        if let Some(txn) = txn {
            txn.rollback().await;
        }
    }

    /// Commits under the schema gate, so that the commit timestamp falls under the schema that was checked.
    async fn commit(&self, txn: Txn) -> Result<()> {
        if !txn.has_writes() {
            txn.rollback().await;
            return Ok(());
        }
        let _gate = self.engine.schema_gate.read().await;
        let now = self.engine.schema();
        let mut tables: Vec<Arc<Table>> = Vec::new();
        for id in &txn.changed_tables {
            match (txn.schema.table_by_id(*id), now.table_by_id(*id)) {
                (Some(then), Some(current))
                    if then.info.update_timestamp == current.info.update_timestamp =>
                {
                    tables.push(Arc::clone(current));
                }
                _ => {
                    txn.rollback().await;
                    return Err(schema_changed());
                }
            }
        }
        let written: Vec<(Bytes, Bytes)> = txn
            .all_writes()
            .filter(|(_, w)| w.must_be_new)
            .filter_map(|(k, w)| w.value.as_ref().map(|v| (k.clone(), v.clone())))
            .collect();
        let zone = &self.variables.zone;
        match txn.commit().await {
            Ok(_) => Ok(()),
            Err(Error::KeyExists { key }) => {
                Err(entries::duplicate_at_commit(&written, &tables, &key.0, zone)
                    .unwrap_or_else(|| from_client(Error::KeyExists { key })))
            }
            Err(other) => Err(from_client(other)),
        }
    }

    /// Runs a statement on rows in the open transaction, or in one of its own.
    ///
    /// # Errors
    /// The statement's. Its writes are then undone; some errors end the whole transaction.
    pub(super) async fn in_transaction_run(
        &mut self,
        job: &super::dispatch::RowStatement<'_>,
    ) -> Result<super::QueryResult> {
        if self.txn.is_none() {
            if self.autocommit() {
                return Box::pin(self.autocommit_run(job)).await;
            }
            self.txn = Some(self.start(self.default_mode()).await?);
            self.note_ts();
        }
        let Some(mut txn) = self.txn.take() else { return Err(SqlError::internal("no transaction")) };
        let result = self.statement_in(&mut txn, job).await;
        match &result {
            Err(error) if error.ends_transaction() => {
                txn.rollback().await;
                self.explicit = false;
                self.note_ts();
            }
            _ => {
                txn.statement_done();
                self.txn = Some(txn);
            }
        }
        result
    }

    /// One statement in a transaction; a pessimistic one is repeated when the data has moved on under it.
    async fn statement_in(
        &mut self,
        txn: &mut Txn,
        job: &super::dispatch::RowStatement<'_>,
    ) -> Result<super::QueryResult> {
        let mark = txn.mark();
        let mut attempt = 0;
        loop {
            if txn.is_pessimistic() && job.locks() {
                txn.read_newest().await?;
            } else {
                txn.read_at_start();
            }
            match Box::pin(self.run_rows(txn, job)).await {
                Err(error)
                    if error.code == 9007 && txn.is_pessimistic() && attempt < MAX_STATEMENT_RETRIES =>
                {
                    txn.undo_to(mark);
                    attempt += 1;
                }
                Err(error) => {
                    txn.undo_to(mark);
                    return Err(error);
                }
                Ok(result) => return Ok(result),
            }
        }
    }

    /// A statement as a transaction of its own; conflicts repeat it.
    async fn autocommit_run(
        &mut self,
        job: &super::dispatch::RowStatement<'_>,
    ) -> Result<super::QueryResult> {
        let mut attempt = 0;
        loop {
            let careful = attempt >= OPTIMISTIC_ATTEMPTS && self.default_mode() == TxnMode::Pessimistic;
            let mode = if careful { TxnMode::Pessimistic } else { TxnMode::Optimistic };
            let mut txn = self.start(mode).await?;
            let result = self.statement_in(&mut txn, job).await;
            let result = match result {
                Ok(result) => Box::pin(self.commit(txn)).await.map(|()| result),
                Err(error) => {
                    txn.rollback().await;
                    Err(error)
                }
            };
            match result {
                Err(error) if matches!(error.code, 8002 | 8028 | 9007) && attempt < MAX_RETRIES => {
                    attempt += 1
                }
                other => return other,
            }
        }
    }
}
