//! Views.

use serde::{Deserialize, Serialize};

use crate::CIStr;

/// The definition of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewInfo {
    /// 0 undefined, 1 merge, 2 temptable.
    pub view_algorithm: i64,
    /// Who defined it.
    pub view_definer: Option<UserIdentity>,
    /// 0 definer, 1 invoker.
    pub view_security: i64,
    /// The `SELECT` in TiDB's normalised form, with schema names.
    pub view_select: String,
    /// 0 local, 1 cascaded.
    pub view_checkoption: i64,
    /// Column names given in the statement.
    pub view_cols: Option<Vec<CIStr>>,
}

/// A user as TiDB stores the definer of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct UserIdentity {
    /// User name.
    pub username: String,
    /// Host part.
    pub hostname: String,
    /// Whether `CURRENT_USER` was given.
    pub current_user: bool,
    /// The name that matched in `mysql.user`.
    pub auth_username: String,
    /// The host that matched in `mysql.user`.
    pub auth_hostname: String,
    /// Authentication plugin.
    pub auth_plugin: String,
}
