//! The AST of DDL statements: schemas, tables, indexes, partitions, views, sequences, placement policies.
//!
//! Identifiers keep the letters that were typed. Types and synonyms are normalised as TiDB's parser does it
//! (`BOOL` is `TINYINT(1)`, `NUMERIC` is `DECIMAL`, `VARCHAR … CHARACTER SET binary` is `VARBINARY`).

mod alter;
mod column;
mod key;
mod names;
mod object;
mod partition;
mod table;

pub use alter::{
    AlterColumnDefault, AlterTable, AlterTableSpec, ColumnPosition, OrderItem, PartitionSelection,
};
pub use column::{ColumnDef, ColumnOption, ColumnType, Generated, TypeName};
pub use key::{
    ForeignKey, IndexAlgorithm, IndexColumn, IndexLock, IndexOptions, IndexPart, IndexPreSplit, IndexType,
    MatchKind, PrimaryKeyKind, ReferenceAction, ReferenceDef, TableConstraint,
};
pub use names::{ColumnName, TableName};
pub use object::{
    AlterDatabase, AlterPlacementPolicy, AlterResourceGroup, AlterSequence, CheckOption, CreateDatabase,
    CreateIndex, CreateIndexKind, CreatePlacementPolicy, CreateResourceGroup, CreateSequence, CreateView,
    DatabaseOption, Definer, DropDatabase, DropIndex, DropPlacementPolicy, DropResourceGroup, DropSequence,
    DropTable, DropView, FlashbackCluster, FlashbackDatabase, FlashbackTable, FlashbackUntil,
    PlacementOption, PlacementValue, RecoverTable, RenameTable, ResourceGroupOption, SequenceOption,
    TiFlashReplica, TruncateTable, ViewAlgorithm, ViewSecurity,
};
pub use partition::{
    IntervalPartitioning, PartitionBoundary, PartitionDefinition, PartitionMethod, PartitionOptions,
    PartitionValue, PartitionValues, SubPartition, SubPartitionDefinition, UpdateIndexSpec,
};
pub use table::{
    CharsetForm, CreateTable, CreateTableSource, DuplicateHandling, SelectSource, TableOption, Temporary,
};

/// A DDL statement.
#[derive(Debug, Clone, PartialEq)]
#[allow(clippy::large_enum_variant)]
pub enum Ddl {
    /// `CREATE DATABASE`.
    CreateDatabase(CreateDatabase),
    /// `ALTER DATABASE`.
    AlterDatabase(AlterDatabase),
    /// `DROP DATABASE`.
    DropDatabase(DropDatabase),
    /// `CREATE TABLE`.
    CreateTable(CreateTable),
    /// `ALTER TABLE`.
    AlterTable(AlterTable),
    /// `DROP TABLE`.
    DropTable(DropTable),
    /// `TRUNCATE TABLE`.
    TruncateTable(TruncateTable),
    /// `RENAME TABLE`.
    RenameTable(RenameTable),
    /// `CREATE INDEX`.
    CreateIndex(CreateIndex),
    /// `DROP INDEX`.
    DropIndex(DropIndex),
    /// `CREATE VIEW`.
    CreateView(CreateView),
    /// `DROP VIEW`.
    DropView(DropView),
    /// `CREATE SEQUENCE`.
    CreateSequence(CreateSequence),
    /// `ALTER SEQUENCE`.
    AlterSequence(AlterSequence),
    /// `DROP SEQUENCE`.
    DropSequence(DropSequence),
    /// `RECOVER TABLE`.
    RecoverTable(RecoverTable),
    /// `FLASHBACK TABLE`.
    FlashbackTable(FlashbackTable),
    /// `FLASHBACK DATABASE`.
    FlashbackDatabase(FlashbackDatabase),
    /// `FLASHBACK CLUSTER TO …`, also of one database or some tables.
    FlashbackCluster(FlashbackCluster),
    /// `CREATE PLACEMENT POLICY`.
    CreatePlacementPolicy(CreatePlacementPolicy),
    /// `ALTER PLACEMENT POLICY`.
    AlterPlacementPolicy(AlterPlacementPolicy),
    /// `DROP PLACEMENT POLICY`.
    DropPlacementPolicy(DropPlacementPolicy),
    /// `CREATE RESOURCE GROUP`.
    CreateResourceGroup(CreateResourceGroup),
    /// `ALTER RESOURCE GROUP`.
    AlterResourceGroup(AlterResourceGroup),
    /// `DROP RESOURCE GROUP`.
    DropResourceGroup(DropResourceGroup),
    /// `ADMIN REPAIR TABLE t CREATE TABLE …`.
    RepairTable {
        /// The broken table.
        table: TableName,
        /// Its definition.
        create: Box<CreateTable>,
    },
}
