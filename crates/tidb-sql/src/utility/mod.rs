//! The AST of statements that neither read tables, nor change rows or schemas.

mod admin;
mod load;
mod session;
mod set;
mod show;

pub use admin::{AdminStatement, AnalyzeTable, PlanReplayer, SplitMethod, SplitRegion};
pub use load::{BatchDml, ImportInto, LoadData, LoadDuplicates, LoadFormat, LoadStats, LoadTarget};
pub use session::{
    Begin, Call, Deallocate, Execute, Flush, FlushTarget, Kill, LockTables, Prepare, PrepareSource,
    TableLockKind, TransactionMode,
};
pub use set::{Assignment, IsolationLevel, SetStatement, SetValue};
pub use show::{Explain, Scope, Show, ShowFilter};
