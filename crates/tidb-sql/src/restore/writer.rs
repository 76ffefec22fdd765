//! The text under construction and its smallest parts.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::Written;
use super::options::RestoreOptions;
use crate::ddl::{ColumnName, TableName};
use crate::error::RestoreError;

/// A text under construction.
pub(super) struct Writer<'o> {
    /// The text so far.
    out: String,
    /// How to write.
    pub(super) options: RestoreOptions<'o>,
    /// Names of common table expressions in scope, which are not qualified.
    pub(super) ctes: Vec<String>,
}

impl<'o> Writer<'o> {
    /// Writes one text.
    pub(super) fn run(
        options: RestoreOptions<'o>,
        write: impl FnOnce(&mut Self) -> Written,
    ) -> Result<String, RestoreError> {
        let mut writer = Self { out: String::new(), options, ctes: Vec::new() };
        write(&mut writer)?;
        Ok(writer.out)
    }

    /// Text as it is.
    pub(super) fn plain(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// A keyword that may be in lower case.
    pub(super) fn upper(&mut self, keyword: &str) {
        self.out.push_str(&keyword.to_uppercase());
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl std::fmt::Display) {
        self.out.push_str(&number.to_string());
    }

    /// An identifier in back quotes.
    pub(super) fn name(&mut self, name: &str) {
        self.out.push('`');
        self.out.push_str(&name.replace('`', "``"));
        self.out.push('`');
    }

    /// A string in single quotes that is part of a clause: the text of a table's comment, an element of an ENUM.
    pub(super) fn string(&mut self, text: &str) {
        self.quoted(text, self.options.escape_backslash);
    }

    /// A string that is a value of an expression. TiDB doubles backslashes in these, whatever the SQL mode.
    pub(super) fn string_value(&mut self, text: &str) {
        self.quoted(text, true);
    }

    /// A string in single quotes, backslashes doubled or not.
    fn quoted(&mut self, text: &str, escape_backslash: bool) {
        let text = if escape_backslash { text.replace('\\', "\\\\") } else { text.to_owned() };
        self.out.push('\'');
        self.out.push_str(&text.replace('\'', "''"));
        self.out.push('\'');
    }

    /// `name = 'text'`.
    pub(super) fn text_option(&mut self, name: &str, text: &str) {
        self.plain(name);
        self.plain(" = ");
        self.string(text);
    }

    /// `name = number`.
    pub(super) fn number_option(&mut self, name: &str, number: u64) {
        self.plain(name);
        self.plain(" = ");
        self.number(number);
    }

    /// TiDB-only syntax, in a comment that names its feature (empty: TiDB at large).
    pub(super) fn special(&mut self, feature: &str, write: impl FnOnce(&mut Self) -> Written) -> Written {
        if !self.options.special_comments {
            return write(self);
        }
        self.plain("/*T!");
        if !feature.is_empty() {
            self.plain("[");
            self.plain(feature);
            self.plain("]");
        }
        self.plain(" ");
        write(self)?;
        self.plain(" */");
        Ok(())
    }

    /// Words that only TiDB has, with the blank before or after them, in a comment.
    pub(super) fn special_words(&mut self, words: &str) {
        let (before, after) = if self.options.special_comments { ("/*T! ", " */") } else { ("", "") };
        self.plain(before);
        self.plain(words);
        self.plain(after);
    }

    /// A whole statement that only TiDB has; inside there are no further comments.
    pub(super) fn special_statement(
        &mut self,
        feature: &str,
        write: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        self.special(feature, |w| {
            let comments = std::mem::take(&mut w.options.special_comments);
            let written = write(w);
            w.options.special_comments = comments;
            written
        })
    }

    /// Items with a separator between.
    pub(super) fn separated<T>(
        &mut self,
        items: &[T],
        separator: &str,
        mut write: impl FnMut(&mut Self, &T) -> Written,
    ) -> Written {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            write(self, item)?;
        }
        Ok(())
    }

    /// Names with a separator between.
    pub(super) fn names(&mut self, names: &[String], separator: &str) {
        for (i, name) in names.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            self.name(name);
        }
    }

    /// A table's name.
    pub(super) fn table_name(&mut self, table: &TableName) {
        if let Some(schema) = &table.schema {
            self.name(schema);
            self.plain(".");
        } else if !self.options.default_schema.is_empty() {
            self.name(self.options.default_schema);
            self.plain(".");
        }
        self.name(&table.name);
    }

    /// Tables with a separator between.
    pub(super) fn table_names(&mut self, tables: &[TableName], separator: &str) {
        for (i, table) in tables.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            self.table_name(table);
        }
    }

    /// A column's name.
    pub(super) fn column_name(&mut self, column: &ColumnName) {
        for qualifier in [&column.schema, &column.table].into_iter().flatten() {
            self.name(qualifier);
            self.plain(".");
        }
        self.name(&column.name);
    }

    /// Columns with a separator between.
    pub(super) fn column_names(&mut self, columns: &[ColumnName], separator: &str) {
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                self.plain(separator);
            }
            self.column_name(column);
        }
    }

    /// Identifiers with dots between.
    pub(super) fn idents(&mut self, parts: &[Ident]) {
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.plain(".");
            }
            self.name(&part.value);
        }
    }

    /// A qualified name.
    pub(super) fn object_name(&mut self, name: &ObjectName) -> Written {
        for (i, part) in name.0.iter().enumerate() {
            if i > 0 {
                self.plain(".");
            }
            match part {
                ObjectNamePart::Identifier(ident) => self.name(&ident.value),
                ObjectNamePart::Function(_) => return unsupported("a function as name"),
            }
        }
        Ok(())
    }
}

/// A node without canonical text.
pub(super) fn unsupported<T>(what: impl Into<String>) -> Result<T, RestoreError> {
    Err(RestoreError::Unsupported(what.into()))
}
