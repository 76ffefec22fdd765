//! Columns: types and options.

use sqlparser::ast::Expr;

use super::key::{PrimaryKeyKind, ReferenceDef};
use super::names::ColumnName;

/// A column type's name after normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeName {
    /// `TINYINT`; `BOOL` is `TINYINT(1)`.
    TinyInt,
    /// `SMALLINT`.
    SmallInt,
    /// `MEDIUMINT`.
    MediumInt,
    /// `INT`.
    Int,
    /// `BIGINT`.
    BigInt,
    /// `DECIMAL`.
    Decimal,
    /// `FLOAT`.
    Float,
    /// `DOUBLE`.
    Double,
    /// `BIT`.
    Bit,
    /// `YEAR`.
    Year,
    /// `DATE`.
    Date,
    /// `TIME`.
    Time,
    /// `DATETIME`.
    DateTime,
    /// `TIMESTAMP`.
    Timestamp,
    /// `CHAR`.
    Char,
    /// `VARCHAR`.
    VarChar,
    /// `BINARY`.
    Binary,
    /// `VARBINARY`.
    VarBinary,
    /// `TINYTEXT`.
    TinyText,
    /// `TEXT`.
    Text,
    /// `MEDIUMTEXT`.
    MediumText,
    /// `LONGTEXT`.
    LongText,
    /// `TINYBLOB`.
    TinyBlob,
    /// `BLOB`.
    Blob,
    /// `MEDIUMBLOB`.
    MediumBlob,
    /// `LONGBLOB`.
    LongBlob,
    /// `ENUM`.
    Enum,
    /// `SET`.
    Set,
    /// `JSON`.
    Json,
    /// `VECTOR`, whose elements are `FLOAT`.
    Vector,
}

/// A column's type. In a [`ColumnDef`], `BINARY`, charset and collation of the type are those that were written next to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ColumnType {
    /// Which type.
    pub name: TypeName,
    /// Length, display width or precision: the first number in parentheses (for `BIT`, `CHAR` and `BINARY` it is 1 if
    /// none was given). `None` for types with fractional seconds.
    pub length: Option<u64>,
    /// Digits after the point, or fractional second digits.
    pub decimals: Option<u64>,
    /// `UNSIGNED`; `ZEROFILL` implies it.
    pub unsigned: bool,
    /// `ZEROFILL`.
    pub zerofill: bool,
    /// The attribute `BINARY` of character types (stands for the charset's binary collation).
    pub binary: bool,
    /// `CHARACTER SET` written with the type, in lower case; `binary` for the binary types.
    pub charset: Option<String>,
    /// `COLLATE` written with the type is kept as [`ColumnOption::Collate`]; this is used by `ENUM … COLLATE` in
    /// casts only and else `None`.
    pub collate: Option<String>,
    /// Elements of `ENUM` and `SET`.
    pub elements: Vec<String>,
}

impl ColumnType {
    /// A type without any detail.
    pub fn new(name: TypeName) -> Self {
        Self {
            name,
            length: None,
            decimals: None,
            unsigned: false,
            zerofill: false,
            binary: false,
            charset: None,
            collate: None,
            elements: Vec::new(),
        }
    }
}

/// A column definition.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: ColumnName,
    /// Its type.
    pub column_type: ColumnType,
    /// Its options in the order written.
    pub options: Vec<ColumnOption>,
}

/// A generated column's expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The expression.
    pub expr: Expr,
    /// `STORED`, else `VIRTUAL`.
    pub stored: bool,
}

/// An option of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnOption {
    /// `PRIMARY KEY [CLUSTERED | NONCLUSTERED] [GLOBAL]`.
    PrimaryKey {
        /// How the rows are stored, if given.
        kind: Option<PrimaryKeyKind>,
        /// `GLOBAL`.
        global: bool,
    },
    /// `UNIQUE [KEY] [GLOBAL]`.
    Unique {
        /// `GLOBAL`.
        global: bool,
    },
    /// `NOT NULL`.
    NotNull,
    /// `NULL`.
    Null,
    /// `AUTO_INCREMENT`.
    AutoIncrement,
    /// `DEFAULT`: a literal, a signed literal, `CURRENT_TIMESTAMP[(n)]`, a function, or an expression in parentheses
    /// (then [`Expr::Nested`]). `NOW()` and its synonyms come as a function named `CURRENT_TIMESTAMP`.
    Default(Expr),
    /// `ON UPDATE CURRENT_TIMESTAMP[(n)]`: fractional digits, if given.
    OnUpdateNow(Option<u64>),
    /// `COMMENT 'text'`.
    Comment(String),
    /// `[GENERATED ALWAYS] AS (expr) [VIRTUAL | STORED]`.
    Generated(Generated),
    /// `REFERENCES …`.
    References(ReferenceDef),
    /// `COLLATE name`.
    Collate(String),
    /// `[CONSTRAINT [name]] CHECK (expr) [[NOT] ENFORCED]`.
    Check {
        /// The constraint's name, if given.
        name: Option<String>,
        /// The condition.
        expr: Expr,
        /// `NOT ENFORCED` makes it false.
        enforced: bool,
    },
    /// `COLUMN_FORMAT FIXED | DYNAMIC | DEFAULT`, in upper case.
    ColumnFormat(String),
    /// `STORAGE DISK | MEMORY | DEFAULT`, in upper case.
    Storage(String),
    /// `AUTO_RANDOM[(shard bits[, range bits])]`.
    AutoRandom {
        /// Shard bits, if given.
        shard_bits: Option<u64>,
        /// Range bits, if given.
        range_bits: Option<u64>,
    },
    /// `SECONDARY_ENGINE_ATTRIBUTE = 'json'`.
    SecondaryEngineAttribute(String),
}
