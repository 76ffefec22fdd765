//! Keys, indexes and constraints of a table.

use sqlparser::ast::Expr;

use super::names::{ColumnName, TableName};
use crate::utility::SplitMethod;

/// Whether the rows are stored in the primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrimaryKeyKind {
    /// `CLUSTERED`.
    Clustered,
    /// `NONCLUSTERED`.
    NonClustered,
}

/// What an index part is made of.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)] // short-lived, few at a time
pub enum IndexColumn {
    /// A column, or its first characters.
    Column {
        /// The column.
        name: ColumnName,
        /// Prefix length in characters (bytes for binary types), if given.
        length: Option<u64>,
    },
    /// An expression (without its parentheses).
    Expr(Expr),
}

/// A part of a key.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexPart {
    /// Column or expression.
    pub column: IndexColumn,
    /// `DESC` (accepted, no effect in TiDB).
    pub desc: bool,
}

/// `USING …` of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexType {
    /// `BTREE`.
    Btree,
    /// `HASH`.
    Hash,
    /// `RTREE`.
    Rtree,
    /// `HYPO`: a hypothetical index for plan tests.
    Hypo,
    /// `HNSW`: vector index.
    Hnsw,
    /// `INVERTED`: columnar index.
    Inverted,
}

/// `PRE_SPLIT_REGIONS` of an index.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexPreSplit {
    /// `= n`.
    Count(u64),
    /// `= (BETWEEN … | BY …)`.
    Points(SplitMethod),
}

/// Options of an index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IndexOptions {
    /// `CLUSTERED` or `NONCLUSTERED` of a primary key.
    pub primary_key: Option<PrimaryKeyKind>,
    /// `GLOBAL` (true) or `LOCAL` (false) index of a partitioned table; `None` if neither was given.
    pub global: Option<bool>,
    /// `KEY_BLOCK_SIZE`.
    pub key_block_size: Option<u64>,
    /// `USING`.
    pub index_type: Option<IndexType>,
    /// `WITH PARSER`.
    pub parser: Option<String>,
    /// `COMMENT`.
    pub comment: Option<String>,
    /// `VISIBLE` (true) or `INVISIBLE` (false).
    pub visible: Option<bool>,
    /// `ADD_COLUMNAR_REPLICA_ON_DEMAND`.
    pub add_columnar_replica_on_demand: bool,
    /// `PRE_SPLIT_REGIONS`.
    pub pre_split: Option<IndexPreSplit>,
    /// `WHERE` of a partial index.
    pub condition: Option<Expr>,
    /// `SECONDARY_ENGINE_ATTRIBUTE`.
    pub secondary_engine_attribute: Option<String>,
}

/// Action of a foreign key when the referenced row changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceAction {
    /// `RESTRICT`.
    Restrict,
    /// `CASCADE`.
    Cascade,
    /// `SET NULL`.
    SetNull,
    /// `NO ACTION`.
    NoAction,
    /// `SET DEFAULT`.
    SetDefault,
}

/// `MATCH …` of a foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// `FULL`.
    Full,
    /// `PARTIAL`.
    Partial,
    /// `SIMPLE`.
    Simple,
}

/// `REFERENCES …`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceDef {
    /// The referenced table.
    pub table: TableName,
    /// Its columns.
    pub columns: Vec<IndexPart>,
    /// `MATCH`.
    pub match_kind: Option<MatchKind>,
    /// `ON DELETE`.
    pub on_delete: Option<ReferenceAction>,
    /// `ON UPDATE`.
    pub on_update: Option<ReferenceAction>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq)]
pub struct ForeignKey {
    /// Constraint or index name, if given.
    pub name: Option<String>,
    /// `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// The columns.
    pub columns: Vec<IndexPart>,
    /// What they refer to.
    pub references: ReferenceDef,
}

/// A key or constraint among the columns of a table.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum TableConstraint {
    /// `PRIMARY KEY`.
    PrimaryKey {
        /// The name it was given, which has no effect.
        name: Option<String>,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `UNIQUE [KEY | INDEX]`. TiDB restores all three as `UNIQUE`.
    Unique {
        /// Index name, if given.
        name: Option<String>,
        /// `IF NOT EXISTS` (parsed only).
        if_not_exists: bool,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `KEY`, `INDEX`.
    Index {
        /// Index name, if given.
        name: Option<String>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `FULLTEXT [KEY | INDEX]`.
    FullText {
        /// Index name, if given.
        name: Option<String>,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `VECTOR [KEY | INDEX]`.
    Vector {
        /// Index name, if given.
        name: Option<String>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `COLUMNAR [KEY | INDEX]`.
    Columnar {
        /// Index name, if given.
        name: Option<String>,
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The parts.
        parts: Vec<IndexPart>,
        /// Options.
        options: Option<IndexOptions>,
    },
    /// `FOREIGN KEY`.
    ForeignKey(ForeignKey),
    /// `CHECK`.
    Check {
        /// Constraint name, if given.
        name: Option<String>,
        /// The condition.
        expr: Expr,
        /// `NOT ENFORCED` makes it false.
        enforced: bool,
    },
}

/// `ALGORITHM = …` of index changes and `ALTER TABLE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexAlgorithm {
    /// `DEFAULT`.
    Default,
    /// `COPY`.
    Copy,
    /// `INPLACE`.
    Inplace,
    /// `INSTANT`.
    Instant,
}

/// `LOCK = …` of index changes and `ALTER TABLE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IndexLock {
    /// `DEFAULT`.
    Default,
    /// `NONE`.
    None,
    /// `SHARED`.
    Shared,
    /// `EXCLUSIVE`.
    Exclusive,
}
