//! Keys, indexes, constraints, references.

use super::cursor::{Outcome, Parser};
use crate::ddl::{
    CreateIndex, CreateIndexKind, Ddl, DropIndex, ForeignKey, IndexAlgorithm, IndexColumn, IndexLock,
    IndexOptions, IndexPart, IndexPreSplit, IndexType, MatchKind, ReferenceAction, ReferenceDef,
    TableConstraint,
};
use crate::lexer::Symbol;

/// `ALGORITHM` and `LOCK` of an index change.
type AlgorithmAndLock = (Option<IndexAlgorithm>, Option<IndexLock>);

impl Parser<'_> {
    /// Whether a key or constraint is next, rather than a column.
    pub(super) fn is_constraint(&self) -> bool {
        self.is_one_of(&[
            "CONSTRAINT",
            "PRIMARY",
            "KEY",
            "INDEX",
            "UNIQUE",
            "FULLTEXT",
            "FOREIGN",
            "CHECK",
            "SPATIAL",
        ]) || (self.is_one_of(&["VECTOR", "COLUMNAR"])
            && (self.keyword_at(1, "INDEX") || self.keyword_at(1, "KEY")))
    }

    /// A key or constraint.
    pub(super) fn constraint(&mut self) -> Outcome<TableConstraint> {
        let mut outer = None;
        if self.eat("CONSTRAINT") && self.identifier_at(0) {
            outer = Some(self.identifier()?);
        }
        if self.eat_all(&["PRIMARY", "KEY"]) {
            let (name, parts, options) = self.key_body()?;
            return Ok(TableConstraint::PrimaryKey { name: outer.or(name), parts, options });
        }
        if self.eat("UNIQUE") {
            let _ = self.eat_one_of(&["KEY", "INDEX"]);
            let if_not_exists = self.if_not_exists();
            let (name, parts, options) = self.key_body()?;
            return Ok(TableConstraint::Unique { name: outer.or(name), if_not_exists, parts, options });
        }
        if self.eat_all(&["FOREIGN", "KEY"]) {
            return self.foreign_key(outer).map(TableConstraint::ForeignKey);
        }
        if self.eat("CHECK") {
            let expr = self.parenthesized(Self::expr)?;
            return Ok(TableConstraint::Check { name: outer, expr, enforced: self.enforced() });
        }
        if outer.is_some() {
            return self.unexpected();
        }
        self.plain_key()
    }

    /// `KEY`, `FULLTEXT KEY`, `VECTOR INDEX`, `COLUMNAR INDEX`.
    fn plain_key(&mut self) -> Outcome<TableConstraint> {
        if self.eat("FULLTEXT") {
            let _ = self.eat_one_of(&["KEY", "INDEX"]);
            let (name, parts, options) = self.key_body()?;
            return Ok(TableConstraint::FullText { name, parts, options });
        }
        let kind = self.eat_one_of(&["VECTOR", "COLUMNAR"]);
        self.expect_one_of(&["KEY", "INDEX"])?;
        let if_not_exists = self.if_not_exists();
        let (name, parts, options) = self.key_body()?;
        Ok(match kind {
            Some("VECTOR") => TableConstraint::Vector { name, if_not_exists, parts, options },
            Some(_) => TableConstraint::Columnar { name, if_not_exists, parts, options },
            None => TableConstraint::Index { name, if_not_exists, parts, options },
        })
    }

    /// `[name] [USING type] (parts) options`.
    fn key_body(&mut self) -> Outcome<(Option<String>, Vec<IndexPart>, Option<IndexOptions>)> {
        let name = if self.identifier_at(0) { Some(self.identifier()?) } else { None };
        let index_type = match self.eat("USING") || (name.is_some() && self.eat("TYPE")) {
            true => Some(self.index_type()?),
            false => None,
        };
        let parts = self.paren_list(Self::index_part)?;
        let mut options = self.index_options()?;
        if let Some(index_type) = index_type {
            let options = options.get_or_insert_default();
            options.index_type = options.index_type.or(Some(index_type));
        }
        Ok((name, parts, options))
    }

    /// A part of a key.
    pub(super) fn index_part(&mut self) -> Outcome<IndexPart> {
        let column = if self.is_symbol(Symbol::LeftParen) {
            IndexColumn::Expr(self.parenthesized(Self::expr)?)
        } else {
            let name = self.column_name()?;
            IndexColumn::Column { name, length: self.optional_length()? }
        };
        let desc = self.eat_one_of(&["ASC", "DESC"]) == Some("DESC");
        Ok(IndexPart { column, desc })
    }

    /// `BTREE`, `HASH`, ….
    fn index_type(&mut self) -> Outcome<IndexType> {
        Ok(match self.expect_one_of(&["BTREE", "HASH", "RTREE", "HYPO", "HNSW", "INVERTED"])? {
            "BTREE" => IndexType::Btree,
            "HASH" => IndexType::Hash,
            "RTREE" => IndexType::Rtree,
            "HYPO" => IndexType::Hypo,
            "HNSW" => IndexType::Hnsw,
            _ => IndexType::Inverted,
        })
    }

    /// Options behind the parts; `None` if there are none.
    fn index_options(&mut self) -> Outcome<Option<IndexOptions>> {
        let mut options = None;
        while self.index_option(&mut options)? {}
        Ok(options)
    }

    /// One option. False if none is next.
    fn index_option(&mut self, options: &mut Option<IndexOptions>) -> Outcome<bool> {
        let mut new = IndexOptions::default();
        if let Some(kind) = self.primary_key_kind() {
            new.primary_key = Some(kind);
        } else if self.eat("KEY_BLOCK_SIZE") {
            self.eat_equal();
            new.key_block_size = Some(self.number()?);
        } else if self.eat_one_of(&["USING", "TYPE"]).is_some() {
            new.index_type = Some(self.index_type()?);
        } else if self.eat_all(&["WITH", "PARSER"]) {
            new.parser = Some(self.identifier()?);
        } else if self.eat("COMMENT") {
            new.comment = Some(self.string()?);
        } else if let Some(word) = self.eat_one_of(&["VISIBLE", "INVISIBLE"]) {
            new.visible = Some(word == "VISIBLE");
        } else if let Some(word) = self.eat_one_of(&["GLOBAL", "LOCAL"]) {
            new.global = Some(word == "GLOBAL");
        } else if self.eat("ADD_COLUMNAR_REPLICA_ON_DEMAND") {
            new.add_columnar_replica_on_demand = true;
        } else if self.eat("PRE_SPLIT_REGIONS") {
            self.eat_equal();
            new.pre_split = Some(self.index_pre_split()?);
        } else if self.eat("SECONDARY_ENGINE_ATTRIBUTE") {
            self.eat_equal();
            new.secondary_engine_attribute = Some(self.string()?);
        } else if self.eat("WHERE") {
            new.condition = Some(self.expr()?);
        } else {
            return Ok(false);
        }
        merge(options.get_or_insert_default(), new);
        Ok(true)
    }

    /// What follows `PRE_SPLIT_REGIONS =`.
    fn index_pre_split(&mut self) -> Outcome<IndexPreSplit> {
        if self.is_symbol(Symbol::LeftParen) {
            return self.parenthesized(Self::split_method).map(IndexPreSplit::Points);
        }
        self.number().map(IndexPreSplit::Count)
    }

    /// What follows `FOREIGN KEY`.
    fn foreign_key(&mut self, outer: Option<String>) -> Outcome<ForeignKey> {
        let if_not_exists = self.if_not_exists();
        let name = if self.identifier_at(0) { Some(self.identifier()?) } else { None };
        let columns = self.paren_list(Self::index_part)?;
        let references = self.reference()?;
        Ok(ForeignKey { name: outer.or(name), if_not_exists, columns, references })
    }

    /// `REFERENCES t [(columns)] [MATCH …] [ON DELETE …] [ON UPDATE …]`.
    pub(super) fn reference(&mut self) -> Outcome<ReferenceDef> {
        self.expect("REFERENCES")?;
        let table = self.table_name()?;
        let columns = match self.is_symbol(Symbol::LeftParen) {
            true => self.paren_list(Self::index_part)?,
            false => Vec::new(),
        };
        let match_kind = match self.eat("MATCH") {
            true => Some(match self.expect_one_of(&["FULL", "PARTIAL", "SIMPLE"])? {
                "FULL" => MatchKind::Full,
                "PARTIAL" => MatchKind::Partial,
                _ => MatchKind::Simple,
            }),
            false => None,
        };
        let mut reference = ReferenceDef { table, columns, match_kind, on_delete: None, on_update: None };
        loop {
            if reference.on_delete.is_none() && self.eat_all(&["ON", "DELETE"]) {
                reference.on_delete = Some(self.reference_action()?);
            } else if reference.on_update.is_none() && self.eat_all(&["ON", "UPDATE"]) {
                reference.on_update = Some(self.reference_action()?);
            } else {
                return Ok(reference);
            }
        }
    }

    /// `RESTRICT`, `CASCADE`, ….
    fn reference_action(&mut self) -> Outcome<ReferenceAction> {
        if self.eat("RESTRICT") {
            Ok(ReferenceAction::Restrict)
        } else if self.eat("CASCADE") {
            Ok(ReferenceAction::Cascade)
        } else if self.eat_all(&["SET", "NULL"]) {
            Ok(ReferenceAction::SetNull)
        } else if self.eat_all(&["SET", "DEFAULT"]) {
            Ok(ReferenceAction::SetDefault)
        } else if self.eat_all(&["NO", "ACTION"]) {
            Ok(ReferenceAction::NoAction)
        } else {
            self.unexpected()
        }
    }

    /// What follows `CREATE … INDEX`.
    pub(super) fn create_index(&mut self, kind: CreateIndexKind) -> Outcome<Ddl> {
        let if_not_exists = self.if_not_exists();
        let name = self.identifier()?;
        let mut index_type = match self.eat_one_of(&["USING", "TYPE"]) {
            Some(_) => Some(self.index_type()?),
            None => None,
        };
        self.expect("ON")?;
        let table = self.table_name()?;
        let parts = self.paren_list(Self::index_part)?;
        let mut options = self.index_options()?.unwrap_or_default();
        index_type = options.index_type.or(index_type);
        options.index_type = index_type;
        let (algorithm, lock) = self.algorithm_and_lock()?;
        Ok(Ddl::CreateIndex(CreateIndex {
            kind,
            if_not_exists,
            name,
            table,
            parts,
            options,
            algorithm,
            lock,
        }))
    }

    /// What follows `DROP INDEX`.
    pub(super) fn drop_index(&mut self, hypo: bool) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = if self.eat("PRIMARY") { "PRIMARY".to_owned() } else { self.identifier()? };
        self.expect("ON")?;
        let table = self.table_name()?;
        let (algorithm, lock) = self.algorithm_and_lock()?;
        Ok(Ddl::DropIndex(DropIndex { hypo, if_exists, name, table, algorithm, lock }))
    }

    /// `ALGORITHM [=] …` and `LOCK [=] …` in any order.
    fn algorithm_and_lock(&mut self) -> Outcome<AlgorithmAndLock> {
        let (mut algorithm, mut lock) = (None, None);
        loop {
            if algorithm.is_none() && self.eat("ALGORITHM") {
                algorithm = Some(self.algorithm()?);
            } else if lock.is_none() && self.eat("LOCK") {
                lock = Some(self.index_lock()?);
            } else {
                return Ok((algorithm, lock));
            }
        }
    }

    /// What follows `ALGORITHM`.
    pub(super) fn algorithm(&mut self) -> Outcome<IndexAlgorithm> {
        self.eat_equal();
        Ok(match self.expect_one_of(&["DEFAULT", "COPY", "INPLACE", "INSTANT"])? {
            "COPY" => IndexAlgorithm::Copy,
            "INPLACE" => IndexAlgorithm::Inplace,
            "INSTANT" => IndexAlgorithm::Instant,
            _ => IndexAlgorithm::Default,
        })
    }

    /// What follows `LOCK`.
    pub(super) fn index_lock(&mut self) -> Outcome<IndexLock> {
        self.eat_equal();
        Ok(match self.expect_one_of(&["DEFAULT", "NONE", "SHARED", "EXCLUSIVE"])? {
            "NONE" => IndexLock::None,
            "SHARED" => IndexLock::Shared,
            "EXCLUSIVE" => IndexLock::Exclusive,
            _ => IndexLock::Default,
        })
    }
}

/// Adds an option to those before it; a later one of the same kind wins.
fn merge(options: &mut IndexOptions, new: IndexOptions) {
    options.primary_key = new.primary_key.or(options.primary_key);
    options.global = new.global.or(options.global);
    options.key_block_size = new.key_block_size.or(options.key_block_size);
    options.index_type = new.index_type.or(options.index_type);
    options.visible = new.visible.or(options.visible);
    options.add_columnar_replica_on_demand |= new.add_columnar_replica_on_demand;
    if new.parser.is_some() {
        options.parser = new.parser;
    }
    if new.comment.is_some() {
        options.comment = new.comment;
    }
    if new.pre_split.is_some() {
        options.pre_split = new.pre_split;
    }
    if new.condition.is_some() {
        options.condition = new.condition;
    }
    if new.secondary_engine_attribute.is_some() {
        options.secondary_engine_attribute = new.secondary_engine_attribute;
    }
}
