//! Names of tables and columns with their optional qualifiers.

use std::fmt;

/// A table, view or sequence name as typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema, if given.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
}

impl TableName {
    /// A name without schema.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, name: name.into() }
    }

    /// A name with its schema.
    pub fn qualified(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: Some(schema.into()), name: name.into() }
    }
}

impl fmt::Display for TableName {
    /// For messages: `schema.name`, unquoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)
    }
}

/// A column name, which DDL may qualify by its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnName {
    /// The schema, if given.
    pub schema: Option<String>,
    /// The table, if given.
    pub table: Option<String>,
    /// The name.
    pub name: String,
}

impl ColumnName {
    /// A name without qualifiers.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { schema: None, table: None, name: name.into() }
    }
}

impl fmt::Display for ColumnName {
    /// For messages: `schema.table.name`, unquoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        if let Some(table) = &self.table {
            write!(f, "{table}.")?;
        }
        f.write_str(&self.name)
    }
}
