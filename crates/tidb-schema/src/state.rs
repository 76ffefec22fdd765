//! The state of a schema object in an online DDL.

use serde::{Deserialize, Serialize};

/// How far a schema object has come in an online DDL. Numbers not listed here (of a newer TiDB) are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaState(pub u8);

impl SchemaState {
    /// Absent.
    pub const NONE: Self = Self(0);
    /// Rows of it may only be deleted.
    pub const DELETE_ONLY: Self = Self(1);
    /// Written, not read.
    pub const WRITE_ONLY: Self = Self(2);
    /// Written; old rows are being filled in.
    pub const WRITE_REORGANIZATION: Self = Self(3);
    /// Being removed.
    pub const DELETE_REORGANIZATION: Self = Self(4);
    /// In full use: what consumers see.
    pub const PUBLIC: Self = Self(5);
    /// Waits for columnar replicas.
    pub const REPLICA_ONLY: Self = Self(6);
    /// Only global transactions may use it.
    pub const GLOBAL_TXN_ONLY: Self = Self(7);

    /// Whether the object is in full use.
    pub fn is_public(self) -> bool {
        self == Self::PUBLIC
    }
}
