//! Column definitions, keys, constraints.

use sqlparser::ast::Expr;

use super::Written;
use super::writer::{Writer, unsupported};
use crate::ddl::{
    ColumnDef, ColumnOption, ColumnPosition, ColumnType, ForeignKey, IndexColumn, IndexOptions, IndexPart,
    IndexPreSplit, IndexType, MatchKind, PrimaryKeyKind, ReferenceAction, ReferenceDef, TableConstraint,
    TypeName,
};
use crate::utility::SplitMethod;

/// A type's name in a column definition.
fn type_name(name: TypeName) -> &'static str {
    match name {
        TypeName::TinyInt => "TINYINT",
        TypeName::SmallInt => "SMALLINT",
        TypeName::MediumInt => "MEDIUMINT",
        TypeName::Int => "INT",
        TypeName::BigInt => "BIGINT",
        TypeName::Decimal => "DECIMAL",
        TypeName::Float => "FLOAT",
        TypeName::Double => "DOUBLE",
        TypeName::Bit => "BIT",
        TypeName::Year => "YEAR",
        TypeName::Date => "DATE",
        TypeName::Time => "TIME",
        TypeName::DateTime => "DATETIME",
        TypeName::Timestamp => "TIMESTAMP",
        TypeName::Char => "CHAR",
        TypeName::VarChar => "VARCHAR",
        TypeName::Binary => "BINARY",
        TypeName::VarBinary => "VARBINARY",
        TypeName::TinyText => "TINYTEXT",
        TypeName::Text => "TEXT",
        TypeName::MediumText => "MEDIUMTEXT",
        TypeName::LongText => "LONGTEXT",
        TypeName::TinyBlob => "TINYBLOB",
        TypeName::Blob => "BLOB",
        TypeName::MediumBlob => "MEDIUMBLOB",
        TypeName::LongBlob => "LONGBLOB",
        TypeName::Enum => "ENUM",
        TypeName::Set => "SET",
        TypeName::Json => "JSON",
        TypeName::Vector => "VECTOR",
    }
}

impl Writer<'_> {
    /// `name type options`.
    pub(super) fn column_def(&mut self, column: &ColumnDef) -> Written {
        self.column_name(&column.name);
        self.plain(" ");
        self.column_type(&column.column_type);
        for option in &column.options {
            self.plain(" ");
            self.column_option(option)?;
        }
        Ok(())
    }

    /// A column's type.
    fn column_type(&mut self, column_type: &ColumnType) {
        self.plain(type_name(column_type.name));
        if matches!(column_type.name, TypeName::Enum | TypeName::Set) {
            self.plain("(");
            for (i, element) in column_type.elements.iter().enumerate() {
                if i > 0 {
                    self.plain(",");
                }
                self.string(element);
            }
            self.plain(")");
        }
        self.type_length(column_type);
        if column_type.unsigned {
            self.plain(" UNSIGNED");
        }
        if column_type.zerofill {
            self.plain(" ZEROFILL");
        }
        let charset = column_type.charset.as_deref().filter(|charset| *charset != "binary");
        if column_type.binary && column_type.charset.as_deref() != Some("binary") {
            self.plain(" BINARY");
        }
        let shows_charset = !matches!(column_type.name, TypeName::Enum | TypeName::Set);
        if let Some(charset) = charset
            && shows_charset
        {
            self.plain(" CHARACTER SET ");
            self.upper(charset);
        }
    }

    /// `(n)`, `(p,s)`.
    fn type_length(&mut self, column_type: &ColumnType) {
        let (first, second) = match column_type.name {
            TypeName::Time | TypeName::DateTime | TypeName::Timestamp => (column_type.decimals, None),
            _ => (column_type.length, column_type.decimals),
        };
        if let Some(first) = first {
            self.plain("(");
            self.number(first);
            if let Some(second) = second {
                self.plain(",");
                self.number(second);
            }
            self.plain(")");
        }
    }

    /// A column's option.
    fn column_option(&mut self, option: &ColumnOption) -> Written {
        match option {
            ColumnOption::PrimaryKey { kind, global } => {
                self.plain("PRIMARY KEY");
                if let Some(kind) = kind {
                    self.plain(" ");
                    self.primary_key_kind(*kind)?;
                }
                self.global(*global);
            }
            ColumnOption::Unique { global } => {
                self.plain("UNIQUE KEY");
                self.global(*global);
            }
            ColumnOption::NotNull => self.plain("NOT NULL"),
            ColumnOption::Null => self.plain("NULL"),
            ColumnOption::AutoIncrement => self.plain("AUTO_INCREMENT"),
            ColumnOption::Default(expr) => self.default_value(expr)?,
            ColumnOption::OnUpdateNow(fraction) => {
                self.plain("ON UPDATE CURRENT_TIMESTAMP(");
                if let Some(fraction) = fraction {
                    self.number(fraction);
                }
                self.plain(")");
            }
            ColumnOption::Comment(text) => {
                self.plain("COMMENT ");
                self.string(text);
            }
            ColumnOption::Generated(generated) => {
                self.plain("GENERATED ALWAYS AS(");
                self.expr(&generated.expr)?;
                self.plain(if generated.stored { ") STORED" } else { ") VIRTUAL" });
            }
            ColumnOption::References(reference) => self.reference(reference)?,
            ColumnOption::Collate(collation) => {
                self.plain("COLLATE ");
                self.plain(collation);
            }
            ColumnOption::Check { name, expr, enforced } => {
                self.check(name, expr)?;
                self.plain(if *enforced { " ENFORCED" } else { " NOT ENFORCED" });
            }
            ColumnOption::ColumnFormat(format) => {
                self.plain("COLUMN_FORMAT ");
                self.plain(format);
            }
            ColumnOption::Storage(storage) => {
                self.plain("STORAGE ");
                self.plain(storage);
            }
            ColumnOption::AutoRandom { shard_bits, range_bits } => {
                self.auto_random(*shard_bits, *range_bits)?
            }
            ColumnOption::SecondaryEngineAttribute(text) => {
                self.text_option("SECONDARY_ENGINE_ATTRIBUTE", text)
            }
        }
        Ok(())
    }

    /// ` GLOBAL`.
    fn global(&mut self, global: bool) {
        if global {
            self.plain(" GLOBAL");
        }
    }

    /// `CLUSTERED`, `NONCLUSTERED` in its comment.
    fn primary_key_kind(&mut self, kind: PrimaryKeyKind) -> Written {
        self.special("clustered_index", |w| {
            w.plain(match kind {
                PrimaryKeyKind::Clustered => "CLUSTERED",
                PrimaryKeyKind::NonClustered => "NONCLUSTERED",
            });
            Ok(())
        })
    }

    /// `AUTO_RANDOM[(a[, b])]` in its comment.
    fn auto_random(&mut self, shard_bits: Option<u64>, range_bits: Option<u64>) -> Written {
        self.special("auto_rand", |w| {
            w.plain("AUTO_RANDOM");
            if let Some(shard) = shard_bits {
                w.plain("(");
                w.number(shard);
                if let Some(range) = range_bits {
                    w.plain(", ");
                    w.number(range);
                }
                w.plain(")");
            }
            Ok(())
        })
    }

    /// `DEFAULT value`; a function other than `CURRENT_TIMESTAMP` stands in parentheses.
    fn default_value(&mut self, expr: &Expr) -> Written {
        self.plain("DEFAULT ");
        let wrapped = matches!(expr, Expr::Function(f) if !f.name.to_string().eq_ignore_ascii_case("CURRENT_TIMESTAMP"));
        let is_call =
            !matches!(expr, Expr::Value(_) | Expr::UnaryOp { .. } | Expr::Prefixed { .. } | Expr::Nested(_));
        if wrapped || (is_call && !matches!(expr, Expr::Function(_))) {
            return self.in_parentheses(|w| w.expr(expr));
        }
        self.expr(expr)
    }

    /// `[CONSTRAINT name ]CHECK(expr)`.
    fn check(&mut self, name: &Option<String>, expr: &Expr) -> Written {
        if let Some(name) = name {
            self.plain("CONSTRAINT ");
            self.name(name);
            self.plain(" ");
        }
        self.plain("CHECK");
        self.in_parentheses(|w| w.expr(expr))
    }

    /// `FIRST`, `AFTER c`, with the blank before it.
    pub(super) fn column_position(&mut self, position: &Option<ColumnPosition>) {
        match position {
            Some(ColumnPosition::First) => self.plain(" FIRST"),
            Some(ColumnPosition::After(column)) => {
                self.plain(" AFTER ");
                self.column_name(column);
            }
            None => {}
        }
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
    fn key(
        &mut self,
        words: &str,
        if_not_exists: bool,
        name: &Option<String>,
        parts: &[IndexPart],
        options: &Option<IndexOptions>,
    ) -> Written {
        self.plain(words);
        if if_not_exists {
            self.plain(" IF NOT EXISTS");
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
    fn rare_index_options(&mut self, options: &IndexOptions) -> Written {
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
    fn pre_split(&mut self, split: &IndexPreSplit) -> Written {
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
    fn split_method(&mut self, method: &SplitMethod) -> Written {
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
    fn foreign_key(&mut self, key: &ForeignKey) -> Written {
        self.plain("CONSTRAINT ");
        if let Some(name) = &key.name {
            self.name(name);
            self.plain(" ");
        }
        self.plain("FOREIGN KEY ");
        if key.if_not_exists {
            self.plain("IF NOT EXISTS ");
        }
        self.index_parts(&key.columns)?;
        self.plain(" ");
        self.reference(&key.references)
    }

    /// `REFERENCES …`.
    fn reference(&mut self, reference: &ReferenceDef) -> Written {
        self.plain("REFERENCES ");
        self.table_name(&reference.table);
        if reference.columns.is_empty() {
            return unsupported("REFERENCES without columns");
        }
        self.index_parts(&reference.columns)?;
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
