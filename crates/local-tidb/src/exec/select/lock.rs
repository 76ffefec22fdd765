//! `FOR UPDATE` and its kin.

use sqlparser::ast::{self, LockClause};

use tidb_expr::{Result, SqlError};

/// `FOR UPDATE`: whether it waits (false) or not (true). Shared locks are no locks, as in TiDB.
pub(super) fn lock_mode(locks: &[LockClause]) -> Result<Option<bool>> {
    for lock in locks {
        match (&lock.lock_type, &lock.nonblock) {
            (ast::LockType::Share, _) => {}
            (ast::LockType::Update, None) => return Ok(Some(false)),
            (ast::LockType::Update, Some(ast::NonBlock::Nowait)) => return Ok(Some(true)),
            (ast::LockType::Update, Some(ast::NonBlock::SkipLocked)) => {
                return Err(SqlError::unsupported("SKIP LOCKED"));
            }
        }
    }
    Ok(None)
}

/// Whether a statement locks the rows that it reads.
pub(crate) fn locks_rows(query: &ast::Query) -> bool {
    query.locks.iter().any(|l| matches!(l.lock_type, ast::LockType::Update))
}
