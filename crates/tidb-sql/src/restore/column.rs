//! Column definitions, keys, constraints.

use sqlparser::ast::Expr;

use super::Written;
use super::writer::Writer;
use crate::ddl::{ColumnDef, ColumnOption, ColumnPosition, ColumnType, TypeName};

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
                self.string_value(text);
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

    /// `DEFAULT value`; a function other than `CURRENT_TIMESTAMP` stands in parentheses, a literal never does.
    fn default_value(&mut self, expr: &Expr) -> Written {
        self.plain("DEFAULT ");
        if let Expr::Nested(inner) = expr
            && matches!(**inner, Expr::Value(_) | Expr::UnaryOp { .. } | Expr::Prefixed { .. })
        {
            return self.expr(inner);
        }
        let wrapped = matches!(expr, Expr::Function(f) if !f.name.to_string().eq_ignore_ascii_case("CURRENT_TIMESTAMP"));
        let is_call =
            !matches!(expr, Expr::Value(_) | Expr::UnaryOp { .. } | Expr::Prefixed { .. } | Expr::Nested(_));
        if wrapped || (is_call && !matches!(expr, Expr::Function(_))) {
            return self.in_parentheses(|w| w.expr(expr));
        }
        self.expr(expr)
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
}
