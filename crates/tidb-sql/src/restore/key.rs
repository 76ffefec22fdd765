//! Keys, indexes, constraints.

use sqlparser::ast::Expr;

use super::Written;
use super::writer::Writer;
use crate::ddl::{
    ForeignKey, IndexColumn, IndexOptions, IndexPart, IndexPreSplit, IndexType, MatchKind, PrimaryKeyKind,
    ReferenceAction, ReferenceDef, TableConstraint,
};
use crate::utility::SplitMethod;

impl Writer<'_> {
    /// `CLUSTERED`, `NONCLUSTERED` in its comment.
    pub(super) fn primary_key_kind(&mut self, kind: PrimaryKeyKind) -> Written {
        self.special("clustered_index", |w| {
            w.plain(match kind {
                PrimaryKeyKind::Clustered => "CLUSTERED",
                PrimaryKeyKind::NonClustered => "NONCLUSTERED",
            });
            Ok(())
        })
    }

    /// `[CONSTRAINT name ]CHECK(expr)`.
    pub(super) fn check(&mut self, name: &Option<String>, expr: &Expr) -> Written {
        if let Some(name) = name {
            self.plain("CONSTRAINT ");
            self.name(name);
            self.plain(" ");
        }
        self.plain("CHECK");
        self.in_parentheses(|w| w.expr(expr))
    }

    /// A key or constraint.
    pub(super) fn constraint(&mut self, constraint: &TableConstraint) -> Written {
        match constraint {
            TableConstraint::PrimaryKey { name, parts, options } => {
                self.key("PRIMARY KEY", false, name, parts, options)
            }
            TableConstraint::Unique { name, parts, options, .. } => {
                self.key("UNIQUE", false, name, parts, options)
            }
            TableConstraint::Index { name, if_not_exists, parts, options } => {
                self.key("INDEX", *if_not_exists, name, parts, options)
            }
            TableConstraint::FullText { name, parts, options } => {
                self.key("FULLTEXT", false, name, parts, options)
            }
            TableConstraint::Vector { name, if_not_exists, parts, options } => {
                self.key("VECTOR INDEX", *if_not_exists, name, parts, options)
            }
            TableConstraint::Columnar { name, if_not_exists, parts, options } => {
                self.key("COLUMNAR INDEX", *if_not_exists, name, parts, options)
            }
            TableConstraint::ForeignKey(key) => self.foreign_key(key),
            TableConstraint::Check { name, expr, enforced } => {
                self.check(name, expr)?;
                self.plain(if *enforced { " ENFORCED" } else { " NOT ENFORCED" });
                Ok(())
            }
        }
    }

    /// A key: words, name, parts, options.
    pub(super) fn key(
        &mut self,
        words: &str,
        if_not_exists: bool,
        name: &Option<String>,
        parts: &[IndexPart],
        options: &Option<IndexOptions>,
    ) -> Written {
        self.plain(words);
        if if_not_exists {
            self.special_words(" IF NOT EXISTS");
        }
        if let Some(name) = name {
            self.plain(" ");
            self.name(name);
        }
        self.index_parts(parts)?;
        match options {
            Some(options) => self.index_options(options),
            None => Ok(()),
        }
    }

    /// `(parts)`.
    pub(super) fn index_parts(&mut self, parts: &[IndexPart]) -> Written {
        self.in_parentheses(|w| {
            w.separated(parts, ", ", |w, part| {
                match &part.column {
                    IndexColumn::Expr(expr) => w.in_parentheses(|w| w.expr(expr))?,
                    IndexColumn::Column { name, length } => {
                        w.column_name(name);
                        if let Some(length) = length.filter(|length| *length > 0) {
                            w.plain("(");
                            w.number(length);
                            w.plain(")");
                        }
                    }
                }
                if part.desc {
                    w.plain(" DESC");
                }
                Ok(())
            })
        })
    }

    /// Options of an index, each with a blank before it.
    pub(super) fn index_options(&mut self, options: &IndexOptions) -> Written {
        if let Some(kind) = options.primary_key {
            self.plain(" ");
            self.primary_key_kind(kind)?;
        }
        if let Some(size) = options.key_block_size.filter(|size| *size > 0) {
            self.plain(" KEY_BLOCK_SIZE=");
            self.number(size);
        }
        if let Some(index_type) = options.index_type {
            self.plain(" USING ");
            self.plain(index_type_name(index_type));
        }
        if let Some(parser) = &options.parser {
            self.plain(" WITH PARSER ");
            self.name(parser);
        }
        if let Some(comment) = options.comment.as_ref().filter(|comment| !comment.is_empty()) {
            self.plain(" COMMENT ");
            self.string(comment);
        }
        if options.global == Some(true) {
            self.plain(" ");
            self.special("global_index", |w| {
                w.plain("GLOBAL");
                Ok(())
            })?;
        }
        if let Some(visible) = options.visible {
            self.plain(if visible { " VISIBLE" } else { " INVISIBLE" });
        }
        if let Some(split) = &options.pre_split {
            self.plain(" ");
            self.special("pre_split", |w| w.pre_split(split))?;
        }
        self.rare_index_options(options)
    }

    /// Options that only newer versions have.
    pub(super) fn rare_index_options(&mut self, options: &IndexOptions) -> Written {
        if options.add_columnar_replica_on_demand {
            self.plain(" ADD_COLUMNAR_REPLICA_ON_DEMAND");
        }
        if let Some(text) = &options.secondary_engine_attribute {
            self.plain(" ");
            self.text_option("SECONDARY_ENGINE_ATTRIBUTE", text);
        }
        if let Some(condition) = &options.condition {
            self.plain(" WHERE ");
            self.expr(condition)?;
        }
        Ok(())
    }

    /// `PRE_SPLIT_REGIONS = …`.
    pub(super) fn pre_split(&mut self, split: &IndexPreSplit) -> Written {
        self.plain("PRE_SPLIT_REGIONS = ");
        match split {
            IndexPreSplit::Count(count) => {
                self.number(count);
                Ok(())
            }
            IndexPreSplit::Points(method) => self.in_parentheses(|w| w.split_method(method)),
        }
    }

    /// `BETWEEN (…) AND (…) REGIONS n`, `BY (…),(…)`.
    pub(super) fn split_method(&mut self, method: &SplitMethod) -> Written {
        match method {
            SplitMethod::Between { lower, upper, regions } => {
                self.plain("BETWEEN ");
                self.in_parentheses(|w| w.separated(lower, ",", Self::expr))?;
                self.plain(" AND ");
                self.in_parentheses(|w| w.separated(upper, ",", Self::expr))?;
                self.plain(" REGIONS ");
                self.number(regions);
                Ok(())
            }
            SplitMethod::By(points) => {
                self.plain("BY ");
                self.separated(points, ",", |w, point| {
                    w.in_parentheses(|w| w.separated(point, ",", Self::expr))
                })
            }
        }
    }

    /// A foreign key.
    pub(super) fn foreign_key(&mut self, key: &ForeignKey) -> Written {
        self.plain("CONSTRAINT ");
        if let Some(name) = &key.name {
            self.name(name);
            self.plain(" ");
        }
        self.plain("FOREIGN KEY ");
        if key.if_not_exists {
            self.special_words("IF NOT EXISTS ");
        }
        self.index_parts(&key.columns)?;
        self.plain(" ");
        self.reference(&key.references)
    }

    /// `REFERENCES …`.
    pub(super) fn reference(&mut self, reference: &ReferenceDef) -> Written {
        self.plain("REFERENCES ");
        self.table_name(&reference.table);
        if !reference.columns.is_empty() {
            self.index_parts(&reference.columns)?;
        }
        self.plain(match reference.match_kind {
            Some(MatchKind::Full) => " MATCH FULL",
            Some(MatchKind::Partial) => " MATCH PARTIAL",
            Some(MatchKind::Simple) => " MATCH SIMPLE",
            None => "",
        });
        for (words, action) in [(" ON DELETE ", reference.on_delete), (" ON UPDATE ", reference.on_update)] {
            if let Some(action) = action {
                self.plain(words);
                self.plain(action_name(action));
            }
        }
        Ok(())
    }
}

/// An index type's text.
fn index_type_name(index_type: IndexType) -> &'static str {
    match index_type {
        IndexType::Btree => "BTREE",
        IndexType::Hash => "HASH",
        IndexType::Rtree => "RTREE",
        IndexType::Hypo => "HYPO",
        IndexType::Hnsw => "HNSW",
        IndexType::Inverted => "INVERTED",
    }
}

/// A reference action's text.
fn action_name(action: ReferenceAction) -> &'static str {
    match action {
        ReferenceAction::Restrict => "RESTRICT",
        ReferenceAction::Cascade => "CASCADE",
        ReferenceAction::SetNull => "SET NULL",
        ReferenceAction::NoAction => "NO ACTION",
        ReferenceAction::SetDefault => "SET DEFAULT",
    }
}
