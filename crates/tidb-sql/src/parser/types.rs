//! Column types, with the synonyms and defaults of TiDB's grammar.

use super::cursor::{Outcome, Parser};
use crate::ddl::{ColumnType, TypeName};
use crate::lexer::Symbol;

/// Above this precision in bits, `FLOAT(p)` is a `DOUBLE`.
const MAX_FLOAT_PRECISION: u64 = 24;
/// Above this precision in bits, `FLOAT(p)` is kept as written (and refused later).
const MAX_DOUBLE_PRECISION: u64 = 53;

/// What a type's first word leads to.
enum Family {
    /// Whole number with an optional width.
    Integer(TypeName),
    /// `TINYINT(1)`.
    Boolean,
    /// `DECIMAL`.
    Decimal,
    /// `FLOAT`, `DOUBLE`.
    Floating(TypeName),
    /// Time with optional fractional digits.
    Temporal(TypeName),
    /// No parameters.
    Plain(TypeName),
    /// Bytes with an optional length.
    Bytes(TypeName),
    /// Characters with an optional length.
    Characters(TypeName),
    /// Characters without length.
    Text(TypeName),
    /// `ENUM`, `SET`.
    Elements(TypeName),
}

impl Parser<'_> {
    /// A column's type.
    pub(super) fn column_type(&mut self) -> Outcome<ColumnType> {
        match self.type_family()? {
            Family::Integer(name) => self.integer_type(name),
            Family::Boolean => {
                let mut column_type = ColumnType::new(TypeName::TinyInt);
                column_type.length = Some(1);
                self.number_attributes(&mut column_type);
                Ok(column_type)
            }
            Family::Decimal => {
                let mut column_type = self.precise_type(TypeName::Decimal)?;
                self.number_attributes(&mut column_type);
                Ok(column_type)
            }
            Family::Floating(name) => self.floating_type(name),
            Family::Temporal(name) => {
                let mut column_type = ColumnType::new(name);
                column_type.decimals = self.optional_length()?;
                Ok(column_type)
            }
            Family::Plain(name) => Ok(ColumnType::new(name)),
            Family::Bytes(name) => self.bytes_type(name),
            Family::Characters(name) => self.character_type(name),
            Family::Text(name) => {
                let mut column_type = ColumnType::new(name);
                self.charset_attributes(&mut column_type)?;
                Ok(as_binary(column_type))
            }
            Family::Elements(name) => self.element_type(name),
        }
    }

    /// The words of a type's name.
    fn type_family(&mut self) -> Outcome<Family> {
        let position = self.position();
        let word = self.advance().text(self.source).to_ascii_uppercase();
        Ok(match word.as_str() {
            "TINYINT" | "INT1" => Family::Integer(TypeName::TinyInt),
            "SMALLINT" | "INT2" => Family::Integer(TypeName::SmallInt),
            "MEDIUMINT" | "INT3" | "MIDDLEINT" => Family::Integer(TypeName::MediumInt),
            "INT" | "INTEGER" | "INT4" => Family::Integer(TypeName::Int),
            "BIGINT" | "INT8" => Family::Integer(TypeName::BigInt),
            "BIT" => Family::Integer(TypeName::Bit),
            "YEAR" | "SQL_TSI_YEAR" => Family::Integer(TypeName::Year),
            "BOOL" | "BOOLEAN" => Family::Boolean,
            "DECIMAL" | "NUMERIC" | "FIXED" | "DEC" => Family::Decimal,
            "FLOAT" | "FLOAT4" => Family::Floating(TypeName::Float),
            "REAL" if self.mode.real_as_float => Family::Floating(TypeName::Float),
            "REAL" | "FLOAT8" => Family::Floating(TypeName::Double),
            "DOUBLE" => {
                self.eat("PRECISION");
                Family::Floating(TypeName::Double)
            }
            "DATE" => Family::Plain(TypeName::Date),
            "TIME" => Family::Temporal(TypeName::Time),
            "DATETIME" => Family::Temporal(TypeName::DateTime),
            "TIMESTAMP" => Family::Temporal(TypeName::Timestamp),
            "JSON" => Family::Plain(TypeName::Json),
            "VECTOR" => {
                self.vector_element()?;
                Family::Bytes(TypeName::Vector)
            }
            "ENUM" => Family::Elements(TypeName::Enum),
            "SET" => Family::Elements(TypeName::Set),
            _ => return self.string_family(&word, position),
        })
    }

    /// The words of a character or byte type's name.
    fn string_family(&mut self, word: &str, position: usize) -> Outcome<Family> {
        Ok(match word {
            "CHAR" | "CHARACTER" | "NCHAR" => self.varying(),
            "VARCHAR" | "VARCHARACTER" | "NVARCHAR" => Family::Characters(TypeName::VarChar),
            "NATIONAL" => match self.expect_one_of(&["CHAR", "CHARACTER", "VARCHAR", "VARCHARACTER"])? {
                "VARCHAR" | "VARCHARACTER" => Family::Characters(TypeName::VarChar),
                _ => self.varying(),
            },
            "BINARY" => Family::Bytes(TypeName::Binary),
            "VARBINARY" => Family::Bytes(TypeName::VarBinary),
            "TINYTEXT" => Family::Text(TypeName::TinyText),
            "TEXT" => Family::Characters(TypeName::Text),
            "MEDIUMTEXT" => Family::Text(TypeName::MediumText),
            "LONGTEXT" => Family::Text(TypeName::LongText),
            "TINYBLOB" => Family::Plain(TypeName::TinyBlob),
            "BLOB" => Family::Bytes(TypeName::Blob),
            "MEDIUMBLOB" => Family::Plain(TypeName::MediumBlob),
            "LONGBLOB" => Family::Plain(TypeName::LongBlob),
            "LONG" if self.eat("VARBINARY") => Family::Plain(TypeName::MediumBlob),
            "LONG" => {
                if self.eat_one_of(&["VARCHAR", "VARCHARACTER"]).is_none()
                    && !self.eat_all(&["CHAR", "VARYING"])
                {
                    self.eat_all(&["CHARACTER", "VARYING"]);
                }
                Family::Text(TypeName::MediumText)
            }
            _ => {
                self.reset(position);
                return self.unexpected();
            }
        })
    }

    /// `VARYING`, `VARCHAR` behind `CHAR`.
    fn varying(&mut self) -> Family {
        match self.eat_one_of(&["VARYING", "VARCHAR", "VARCHARACTER"]) {
            Some(_) => Family::Characters(TypeName::VarChar),
            None => Family::Characters(TypeName::Char),
        }
    }

    /// `<FLOAT>` of a vector.
    fn vector_element(&mut self) -> Outcome<()> {
        if self.eat_symbol(Symbol::Less) {
            self.expect("FLOAT")?;
            self.expect_symbol(Symbol::Greater)?;
        }
        Ok(())
    }

    /// `INT(n) UNSIGNED ZEROFILL`, `BIT(n)`, `YEAR(4)`.
    fn integer_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = ColumnType::new(name);
        column_type.length = self.optional_length()?;
        match name {
            TypeName::Bit => column_type.length = column_type.length.or(Some(1)),
            TypeName::Year => {
                let mut ignored = ColumnType::new(name);
                self.number_attributes(&mut ignored);
            }
            _ => self.number_attributes(&mut column_type),
        }
        Ok(column_type)
    }

    /// A type with `(p[, s])`.
    fn precise_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = ColumnType::new(name);
        if self.eat_symbol(Symbol::LeftParen) {
            column_type.length = Some(self.number()?);
            if self.eat_symbol(Symbol::Comma) {
                column_type.decimals = Some(self.number()?);
            }
            self.expect_symbol(Symbol::RightParen)?;
        }
        Ok(column_type)
    }

    /// `FLOAT(p)`, `FLOAT(m, d)`, `DOUBLE(m, d)`.
    fn floating_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = self.precise_type(name)?;
        if let (TypeName::Float, Some(precision), None) = (name, column_type.length, column_type.decimals)
            && precision <= MAX_DOUBLE_PRECISION
        {
            if precision > MAX_FLOAT_PRECISION {
                column_type.name = TypeName::Double;
            }
            column_type.length = None;
        }
        self.number_attributes(&mut column_type);
        Ok(column_type)
    }

    /// `UNSIGNED`, `SIGNED`, `ZEROFILL`.
    fn number_attributes(&mut self, column_type: &mut ColumnType) {
        while let Some(word) = self.eat_one_of(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {
            match word {
                "UNSIGNED" => column_type.unsigned = true,
                "ZEROFILL" => {
                    column_type.unsigned = true;
                    column_type.zerofill = true;
                }
                _ => {}
            }
        }
    }

    /// `BINARY(n)`, `VARBINARY(n)`, `BLOB(n)`, `VECTOR(n)`.
    fn bytes_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = ColumnType::new(name);
        if name == TypeName::VarBinary && !self.is_symbol(Symbol::LeftParen) {
            return self.unexpected();
        }
        column_type.length = self.optional_length()?;
        if name != TypeName::Vector {
            column_type.charset = Some("binary".to_owned());
        }
        Ok(column_type)
    }

    /// `CHAR(n)`, `VARCHAR(n)`, `TEXT(n)` with charset.
    fn character_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = ColumnType::new(name);
        if name == TypeName::VarChar && !self.is_symbol(Symbol::LeftParen) {
            return self.unexpected();
        }
        column_type.length = self.optional_length()?;
        self.charset_attributes(&mut column_type)?;
        Ok(as_binary(column_type))
    }

    /// `ENUM('a', …)`, `SET('a', …)`. Elements lose their trailing spaces.
    fn element_type(&mut self, name: TypeName) -> Outcome<ColumnType> {
        let mut column_type = ColumnType::new(name);
        column_type.elements = self.paren_list(Self::text_literal)?;
        for element in &mut column_type.elements {
            element.truncate(element.trim_end_matches(' ').len());
        }
        self.charset_attributes(&mut column_type)?;
        Ok(column_type)
    }

    /// `BINARY`, `CHARACTER SET c`, `ASCII`, `UNICODE`, `BYTE`.
    fn charset_attributes(&mut self, column_type: &mut ColumnType) -> Outcome<()> {
        loop {
            if self.eat_charset_keyword() {
                column_type.charset = Some(self.charset_name()?);
            } else if self.eat("BINARY") {
                column_type.binary = true;
            } else if self.eat("ASCII") {
                column_type.charset = Some("latin1".to_owned());
            } else if self.eat("UNICODE") {
                column_type.charset = Some("ucs2".to_owned());
            } else if !self.eat("BYTE") {
                return Ok(());
            }
        }
    }
}

/// A character type with the charset `binary` is its byte type.
fn as_binary(mut column_type: ColumnType) -> ColumnType {
    if column_type.charset.as_deref() == Some("binary") {
        column_type.name = match column_type.name {
            TypeName::Char => TypeName::Binary,
            TypeName::VarChar => TypeName::VarBinary,
            TypeName::TinyText => TypeName::TinyBlob,
            TypeName::Text => TypeName::Blob,
            TypeName::MediumText => TypeName::MediumBlob,
            TypeName::LongText => TypeName::LongBlob,
            other => other,
        };
    }
    column_type
}
