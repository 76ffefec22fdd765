//! Keys as statements ask for them.

use tidb_sql::ddl::{IndexColumn as KeyPart, IndexOptions, IndexPart, PrimaryKeyKind, TableConstraint};

use crate::ddl::column_def::ImpliedKey;
use tidb_expr::{Result, SqlError};

/// Most columns of a key.
const MAX_KEY_PARTS: usize = 16;

/// A key as asked for, from column options and table constraints alike.
#[derive(Debug, Clone)]
pub(crate) struct KeyDef {
    /// Name, if given.
    pub(crate) name: Option<String>,
    /// It is the primary key.
    pub(crate) primary: bool,
    /// It is unique.
    pub(crate) unique: bool,
    /// `CLUSTERED` or `NONCLUSTERED`.
    pub(crate) kind: Option<PrimaryKeyKind>,
    /// Column names with prefix lengths.
    pub(crate) parts: Vec<(String, Option<u64>)>,
    /// Comment.
    pub(crate) comment: String,
    /// `INVISIBLE`.
    pub(crate) invisible: bool,
}

impl KeyDef {
    /// A key from a table constraint; `None` for constraints that TiDB ignores by default.
    ///
    /// # Errors
    /// Kinds of constraints that are not supported.
    pub(crate) fn from_constraint(constraint: &TableConstraint) -> Result<Self> {
        let (name, parts, options, primary, unique) = match constraint {
            TableConstraint::PrimaryKey { parts, options, .. } => (None, parts, options, true, true),
            TableConstraint::Unique { name, parts, options, .. } => {
                (name.clone(), parts, options, false, true)
            }
            TableConstraint::Index { name, parts, options, .. } => {
                (name.clone(), parts, options, false, false)
            }
            TableConstraint::FullText { .. } => return Err(SqlError::unsupported("FULLTEXT indexes")),
            TableConstraint::Vector { .. } => return Err(SqlError::unsupported("VECTOR indexes")),
            TableConstraint::Columnar { .. } => return Err(SqlError::unsupported("COLUMNAR indexes")),
            TableConstraint::ForeignKey(_) => return Err(SqlError::unsupported("FOREIGN KEY constraints")),
            TableConstraint::Check { .. } => return Err(SqlError::unsupported("CHECK constraints")),
        };
        let default = IndexOptions::default();
        let options = options.as_ref().unwrap_or(&default);
        check_options(options)?;
        Ok(Self {
            name,
            primary,
            unique,
            kind: options.primary_key,
            parts: key_parts(parts)?,
            comment: options.comment.clone().unwrap_or_default(),
            invisible: options.visible == Some(false),
        })
    }

    /// The key that a column's own option asks for.
    pub(super) fn implied(column: &str, key: ImpliedKey) -> Self {
        let (primary, kind) = match key {
            ImpliedKey::Primary(kind) => (true, kind),
            ImpliedKey::Unique => (false, None),
        };
        Self {
            name: None,
            primary,
            unique: true,
            kind,
            parts: vec![(column.to_owned(), None)],
            comment: String::new(),
            invisible: false,
        }
    }
}

/// Columns of a key.
///
/// # Errors
/// Expressions.
fn key_parts(parts: &[IndexPart]) -> Result<Vec<(String, Option<u64>)>> {
    if parts.len() > MAX_KEY_PARTS {
        return Err(SqlError::new(
            1070,
            format!("Too many key parts specified; max {MAX_KEY_PARTS} parts allowed"),
        ));
    }
    parts
        .iter()
        .map(|part| match &part.column {
            KeyPart::Column { name, length } => Ok((name.name.clone(), *length)),
            KeyPart::Expr(_) => Err(SqlError::unsupported("expression indexes")),
        })
        .collect()
}

/// Options of a key that this server has.
///
/// # Errors
/// Those it does not have.
fn check_options(options: &IndexOptions) -> Result<()> {
    if options.global == Some(true) {
        return Err(SqlError::unsupported("GLOBAL indexes"));
    }
    if options.condition.is_some() {
        return Err(SqlError::unsupported("partial indexes"));
    }
    Ok(())
}
