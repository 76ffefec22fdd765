//! `SET`.

use sqlparser::ast::Expr;

use super::show::Scope;

/// Isolation levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IsolationLevel {
    /// `READ UNCOMMITTED`.
    ReadUncommitted,
    /// `READ COMMITTED`.
    ReadCommitted,
    /// `REPEATABLE READ`.
    RepeatableRead,
    /// `SERIALIZABLE`.
    Serializable,
}

/// `SET …`.
#[derive(Debug, Clone, PartialEq)]
pub enum SetStatement {
    /// Assignments, in order.
    Assignments(Vec<Assignment>),
    /// `SET [SESSION | GLOBAL] TRANSACTION …`; without scope it is for the next transaction only.
    Transaction {
        /// Scope; `None`: the next transaction.
        scope: Option<Scope>,
        /// `ISOLATION LEVEL`.
        isolation: Option<IsolationLevel>,
        /// `READ ONLY` (true), `READ WRITE` (false).
        read_only: Option<bool>,
        /// `READ ONLY AS OF TIMESTAMP expr`.
        as_of: Option<Expr>,
    },
    /// `SET CONFIG target name = value`.
    Config {
        /// Component or instance.
        target: String,
        /// Item.
        name: String,
        /// Value.
        value: Expr,
    },
    /// `SET RESOURCE GROUP name`.
    ResourceGroup(String),
    /// `SET SESSION_STATES 'json'`.
    SessionStates(String),
}

/// One assignment of `SET`.
#[derive(Debug, Clone, PartialEq)]
pub enum Assignment {
    /// A system variable.
    System {
        /// Scope.
        scope: Scope,
        /// Name in lower case (may hold a `.`).
        name: String,
        /// Value. A bare word (`ON`, `utf8mb4`) is a string; `DEFAULT` is [`SetValue::Default`].
        value: SetValue,
    },
    /// `@name = expr`.
    User {
        /// Name without `@`.
        name: String,
        /// Value.
        value: Expr,
    },
    /// `NAMES charset [COLLATE collation]`; `None` is `DEFAULT`.
    Names {
        /// Charset in lower case.
        charset: Option<String>,
        /// Collation in lower case.
        collation: Option<String>,
    },
    /// `CHARACTER SET charset`; `None` is `DEFAULT`.
    Charset(Option<String>),
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum SetValue {
    /// `DEFAULT`.
    Default,
    /// An expression.
    Expr(Expr),
}
