//! Users, roles and privileges.

use crate::ddl::TableName;

/// A user or role: name and host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserName {
    /// `CURRENT_USER[()]` or `USER()`.
    Current,
    /// `'name'@'host'`.
    Named {
        /// Name.
        user: String,
        /// Host, `%` if not given.
        host: String,
    },
}

/// How a user proves who they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authentication {
    /// `WITH plugin`.
    pub plugin: Option<String>,
    /// `BY 'password'`.
    pub password: Option<String>,
    /// `AS 'hash'` (or `BY PASSWORD 'hash'`).
    pub hash: Option<String>,
}

/// A user with authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// Who.
    pub user: UserName,
    /// `IDENTIFIED …`.
    pub authentication: Option<Authentication>,
}

/// A privilege of `GRANT` and `REVOKE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privilege {
    /// Name in upper case with single spaces, e.g. `SELECT`, `ALL`, `CREATE TEMPORARY TABLES`; dynamic privileges too.
    pub name: String,
    /// Only these columns.
    pub columns: Vec<String>,
}

/// What privileges are on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivilegeLevel {
    /// `*.*`.
    Global,
    /// `schema.*`; `None` is `*`, the current schema.
    Schema(Option<String>),
    /// A table.
    Table(TableName),
}

/// A statement on users, roles or privileges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountStatement {
    /// `CREATE USER`.
    CreateUser {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The users.
        users: Vec<UserSpec>,
        /// What follows the users (`REQUIRE`, `WITH`, `PASSWORD EXPIRE`, `ACCOUNT LOCK`, `COMMENT`, …) as typed.
        options: String,
    },
    /// `ALTER USER`.
    AlterUser {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The users.
        users: Vec<UserSpec>,
        /// What follows the users as typed.
        options: String,
    },
    /// `DROP USER`.
    DropUser {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The users.
        users: Vec<UserName>,
    },
    /// `RENAME USER a TO b, …`.
    RenameUser(Vec<(UserName, UserName)>),
    /// `CREATE ROLE`.
    CreateRole {
        /// `IF NOT EXISTS`.
        if_not_exists: bool,
        /// The roles.
        roles: Vec<UserName>,
    },
    /// `DROP ROLE`.
    DropRole {
        /// `IF EXISTS`.
        if_exists: bool,
        /// The roles.
        roles: Vec<UserName>,
    },
    /// `GRANT privileges ON level TO users`.
    Grant {
        /// The privileges.
        privileges: Vec<Privilege>,
        /// On what.
        level: PrivilegeLevel,
        /// To whom.
        users: Vec<UserSpec>,
        /// `WITH GRANT OPTION`.
        with_grant_option: bool,
    },
    /// `GRANT roles TO users`.
    GrantRoles {
        /// The roles.
        roles: Vec<UserName>,
        /// To whom.
        users: Vec<UserName>,
    },
    /// `GRANT PROXY ON user TO users`.
    GrantProxy {
        /// Who is represented.
        proxied: UserName,
        /// By whom.
        users: Vec<UserName>,
        /// `WITH GRANT OPTION`.
        with_grant_option: bool,
    },
    /// `REVOKE privileges ON level FROM users`.
    Revoke {
        /// The privileges.
        privileges: Vec<Privilege>,
        /// On what.
        level: PrivilegeLevel,
        /// From whom.
        users: Vec<UserName>,
    },
    /// `REVOKE roles FROM users`.
    RevokeRoles {
        /// The roles.
        roles: Vec<UserName>,
        /// From whom.
        users: Vec<UserName>,
    },
    /// `SET PASSWORD [FOR user] = 'password'`.
    SetPassword {
        /// Whose; `None` is the current user.
        user: Option<UserName>,
        /// The password.
        password: String,
    },
    /// `SET ROLE …`: the words as typed.
    SetRole(String),
    /// `SET DEFAULT ROLE …`: the words as typed.
    SetDefaultRole(String),
}
