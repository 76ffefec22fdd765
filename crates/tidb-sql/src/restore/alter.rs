//! `ALTER TABLE`.

use sqlparser::ast::Expr;

use super::Written;
use super::writer::Writer;
use crate::ddl::{
    AlterColumnDefault, AlterTable, AlterTableSpec, CharsetForm, IndexAlgorithm, IndexLock, TableOption,
};

impl Writer<'_> {
    /// `ALTER TABLE …`. Nothing if it is about placement of partitions only and placement is left out.
    pub(super) fn alter_table(&mut self, alter: &AlterTable) -> Written {
        let only_placement =
            alter.specs.iter().all(|spec| matches!(spec, AlterTableSpec::PartitionOptions { .. }));
        if self.options.skip_placement && only_placement {
            return Ok(());
        }
        self.plain("ALTER TABLE ");
        self.table_name(&alter.table);
        let specs: Vec<AlterTableSpec> =
            alter.specs.iter().filter_map(|spec| self.effective_spec(spec)).collect();
        for (i, spec) in specs.iter().enumerate() {
            let joined = matches!(
                spec,
                AlterTableSpec::PartitionBy(_)
                    | AlterTableSpec::RemovePartitioning
                    | AlterTableSpec::Tablespace { .. }
            );
            self.plain(if i == 0 || joined { " " } else { ", " });
            self.alter_spec(spec)?;
        }
        Ok(())
    }

    /// A change without what is left out; `None` if nothing remains.
    fn effective_spec(&self, spec: &AlterTableSpec) -> Option<AlterTableSpec> {
        match spec {
            // TiDB takes attributes for placement here, too.
            AlterTableSpec::PartitionOptions { .. }
            | AlterTableSpec::PartitionAttributes { .. }
            | AlterTableSpec::Attributes(_)
                if self.options.skip_placement =>
            {
                None
            }
            AlterTableSpec::Options(options) => {
                let is_placement = |option: &TableOption| matches!(option, TableOption::Placement(_));
                if self.options.skip_placement && options.iter().all(is_placement) {
                    return None;
                }
                let effective = self.effective_options(options);
                if effective.is_empty() { None } else { Some(AlterTableSpec::Options(effective)) }
            }
            other => Some(other.clone()),
        }
    }

    /// One change of columns and keys; then the others.
    fn alter_spec(&mut self, spec: &AlterTableSpec) -> Written {
        match spec {
            AlterTableSpec::AddColumn { if_not_exists, column, position } => {
                self.plain("ADD COLUMN ");
                self.if_not_exists(*if_not_exists);
                self.column_def(column)?;
                self.column_position(position);
            }
            AlterTableSpec::AddColumns { if_not_exists, columns, constraints } => {
                self.plain("ADD COLUMN ");
                self.if_not_exists(*if_not_exists);
                self.plain("(");
                self.separated(columns, ", ", Self::column_def)?;
                if !columns.is_empty() && !constraints.is_empty() {
                    self.plain(", ");
                }
                self.separated(constraints, ", ", Self::constraint)?;
                self.plain(")");
            }
            AlterTableSpec::AddConstraint(constraint) => {
                self.plain("ADD ");
                self.constraint(constraint)?;
            }
            AlterTableSpec::ModifyColumn { if_exists, column, position } => {
                self.plain("MODIFY COLUMN ");
                self.if_exists(*if_exists);
                self.column_def(column)?;
                self.column_position(position);
            }
            AlterTableSpec::ChangeColumn { if_exists, old, column, position } => {
                self.plain("CHANGE COLUMN ");
                self.if_exists(*if_exists);
                self.column_name(old);
                self.plain(" ");
                self.column_def(column)?;
                self.column_position(position);
            }
            AlterTableSpec::AlterColumn { column, default } => {
                self.plain("ALTER COLUMN ");
                self.column_name(column);
                self.altered_default(default)?;
            }
            AlterTableSpec::Options(options) => self.altered_options(options)?,
            AlterTableSpec::RenameTable(table) => {
                self.plain("RENAME AS ");
                self.table_name(table);
            }
            other => return self.alter_name(other),
        }
        Ok(())
    }

    /// ` SET DEFAULT …`, ` DROP DEFAULT`. What is not a plain value stands in parentheses.
    fn altered_default(&mut self, default: &AlterColumnDefault) -> Written {
        match default {
            AlterColumnDefault::Drop => {
                self.plain(" DROP DEFAULT");
                Ok(())
            }
            AlterColumnDefault::Set(value) => {
                self.plain(" SET DEFAULT ");
                match value {
                    Expr::Nested(inner)
                        if matches!(inner.as_ref(), Expr::Value(_) | Expr::Prefixed { .. }) =>
                    {
                        self.expr(inner)
                    }
                    Expr::Value(_) | Expr::Prefixed { .. } | Expr::Nested(_) => self.expr(value),
                    other => self.in_parentheses(|w| w.expr(other)),
                }
            }
        }
    }

    /// Table options of `ALTER TABLE`; charset with collation has a form of its own.
    fn altered_options(&mut self, options: &[TableOption]) -> Written {
        match options {
            [TableOption::Charset { form, charset }, TableOption::Collate(collation)] => {
                self.plain(convert_words(*form));
                self.plain("CHARACTER SET ");
                self.upper(charset.as_deref().unwrap_or("DEFAULT"));
                self.plain(" COLLATE ");
                self.upper(collation);
                Ok(())
            }
            [TableOption::Charset { form, charset: None }, ..] => {
                self.plain(convert_words(*form));
                self.plain("CHARACTER SET DEFAULT");
                Ok(())
            }
            options => self.separated(options, " ", Self::table_option),
        }
    }

    /// Changes that take names only; then those of partitions.
    fn alter_name(&mut self, spec: &AlterTableSpec) -> Written {
        match spec {
            AlterTableSpec::DropColumn { if_exists, column } => {
                self.plain("DROP COLUMN ");
                self.if_exists(*if_exists);
                self.column_name(column);
            }
            AlterTableSpec::DropPrimaryKey => self.plain("DROP PRIMARY KEY"),
            AlterTableSpec::DropIndex { if_exists, name } => self.drop_named("DROP INDEX ", *if_exists, name),
            AlterTableSpec::DropForeignKey { if_exists, name } => {
                self.drop_named("DROP FOREIGN KEY ", *if_exists, name);
            }
            AlterTableSpec::DropCheck(name) => self.drop_named("DROP CHECK ", false, name),
            AlterTableSpec::AlterCheck { name, enforced } => {
                self.plain("ALTER CHECK ");
                self.name(name);
                self.plain(if *enforced { " ENFORCED" } else { " NOT ENFORCED" });
            }
            AlterTableSpec::RenameColumn { old, new } => {
                self.plain("RENAME COLUMN ");
                self.column_name(old);
                self.plain(" TO ");
                self.column_name(new);
            }
            AlterTableSpec::RenameIndex { old, new } => {
                self.plain("RENAME INDEX ");
                self.name(old);
                self.plain(" TO ");
                self.name(new);
            }
            AlterTableSpec::AlterIndexVisibility { name, visible } => {
                self.plain("ALTER INDEX ");
                self.name(name);
                self.plain(if *visible { " VISIBLE" } else { " INVISIBLE" });
            }
            AlterTableSpec::OrderBy(items) => {
                self.plain("ORDER BY ");
                self.separated(items, ",", |w, item| {
                    w.column_name(&item.column);
                    if item.desc {
                        w.plain(" DESC");
                    }
                    Ok(())
                })?;
            }
            AlterTableSpec::AddStatistics { if_not_exists, name, kind, columns } => {
                self.plain("ADD STATS_EXTENDED ");
                self.plain(if *if_not_exists { "IF NOT EXISTS " } else { "" });
                self.name(name);
                self.plain(" ");
                self.plain(kind);
                self.plain("(");
                self.column_names(columns, ", ");
                self.plain(")");
            }
            AlterTableSpec::DropStatistics { if_exists, name } => {
                self.drop_named("DROP STATS_EXTENDED ", *if_exists, name);
            }
            other => return self.alter_partitions(other),
        }
        Ok(())
    }

    /// Words, `IF EXISTS`, name.
    fn drop_named(&mut self, words: &str, if_exists: bool, name: &str) {
        self.plain(words);
        self.if_exists(if_exists);
        self.name(name);
    }

    /// `IF EXISTS ` of a part of a table, which MySQL does not have.
    pub(super) fn if_exists(&mut self, written: bool) {
        if written {
            self.special_words("IF EXISTS ");
        }
    }

    /// `IF NOT EXISTS ` of a part of a table, which MySQL does not have.
    fn if_not_exists(&mut self, written: bool) {
        if written {
            self.special_words("IF NOT EXISTS ");
        }
    }
}

/// `CONVERT TO ` or nothing.
fn convert_words(form: CharsetForm) -> &'static str {
    match form {
        CharsetForm::ConvertTo => "CONVERT TO ",
        CharsetForm::Default => "",
    }
}

/// An algorithm's text.
pub(super) fn algorithm_name(algorithm: IndexAlgorithm) -> &'static str {
    match algorithm {
        IndexAlgorithm::Default => "DEFAULT",
        IndexAlgorithm::Copy => "COPY",
        IndexAlgorithm::Inplace => "INPLACE",
        IndexAlgorithm::Instant => "INSTANT",
    }
}

/// A lock's text.
pub(super) fn lock_name(lock: IndexLock) -> &'static str {
    match lock {
        IndexLock::Default => "DEFAULT",
        IndexLock::None => "NONE",
        IndexLock::Shared => "SHARED",
        IndexLock::Exclusive => "EXCLUSIVE",
    }
}
