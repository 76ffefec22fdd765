//! Table options.

use super::cursor::{Outcome, Parser};
use crate::ddl::{CharsetForm, TableOption};
use crate::lexer::{Symbol, TokenKind};

/// Options whose value is a number.
const NUMBERS: [&str; 9] = [
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "DELAY_KEY_WRITE",
    "NODEGROUP",
    "TABLE_CHECKSUM",
    "AUTOEXTEND_SIZE",
];

/// Options whose value is a string.
const TEXTS: [&str; 6] =
    ["COMPRESSION", "CONNECTION", "PASSWORD", "ENCRYPTION", "SECONDARY_ENGINE_ATTRIBUTE", "ENGINE_ATTRIBUTE"];

/// Row formats.
const ROW_FORMATS: [&str; 15] = [
    "DEFAULT",
    "DYNAMIC",
    "FIXED",
    "COMPRESSED",
    "REDUNDANT",
    "COMPACT",
    "TOKUDB_DEFAULT",
    "TOKUDB_FAST",
    "TOKUDB_SMALL",
    "TOKUDB_ZLIB",
    "TOKUDB_ZSTD",
    "TOKUDB_QUICKLZ",
    "TOKUDB_LZMA",
    "TOKUDB_SNAPPY",
    "TOKUDB_UNCOMPRESSED",
];

impl Parser<'_> {
    /// Options of `CREATE TABLE`, with optional commas between.
    pub(super) fn table_options(&mut self) -> Outcome<Vec<TableOption>> {
        let mut options = Vec::new();
        while let Some(option) = self.table_option()? {
            options.push(option);
            while self.is_symbol(Symbol::Comma) {
                self.advance();
                match self.table_option()? {
                    Some(option) => options.push(option),
                    None => return self.unexpected(),
                }
            }
        }
        Ok(options)
    }

    /// One option, if one is next.
    pub(super) fn table_option(&mut self) -> Outcome<Option<TableOption>> {
        if let Some(option) = self.charset_option()? {
            return Ok(Some(option));
        }
        if let Some(option) = self.placement_option()? {
            return Ok(Some(TableOption::Placement(option)));
        }
        if let Some(option) = self.identifier_option()? {
            return Ok(Some(option));
        }
        if let Some(option) = self.statistics_option()? {
            return Ok(Some(option));
        }
        if let Some(name) = self.eat_one_of(&NUMBERS) {
            self.eat_equal();
            return self.number_or_text(name).map(Some);
        }
        if let Some(name) = self.eat_one_of(&TEXTS) {
            self.eat_equal();
            return Ok(Some(TableOption::Text { name, value: self.string()? }));
        }
        self.other_option()
    }

    /// A number; some are accepted as strings too.
    fn number_or_text(&mut self, name: &'static str) -> Outcome<TableOption> {
        if name == "AUTOEXTEND_SIZE" && self.kind() != TokenKind::Integer {
            return Ok(TableOption::Text { name, value: self.string_or_identifier()? });
        }
        Ok(TableOption::Number { name, value: self.number()? })
    }

    /// `[DEFAULT] CHARACTER SET`, `[DEFAULT] COLLATE`.
    fn charset_option(&mut self) -> Outcome<Option<TableOption>> {
        let position = self.position();
        self.eat("DEFAULT");
        if self.eat_charset_keyword() {
            self.eat_equal();
            let charset = if self.eat("DEFAULT") { None } else { Some(self.charset_name()?) };
            return Ok(Some(TableOption::Charset { form: CharsetForm::Default, charset }));
        }
        if self.eat("COLLATE") {
            self.eat_equal();
            return self.collation_name().map(|collation| Some(TableOption::Collate(collation)));
        }
        self.reset(position);
        Ok(None)
    }

    /// Options on row identifiers, TTL and regions.
    fn identifier_option(&mut self) -> Outcome<Option<TableOption>> {
        let force = self.is_keyword("FORCE")
            && (self.keyword_at(1, "AUTO_INCREMENT") || self.keyword_at(1, "AUTO_RANDOM_BASE"))
            && self.eat("FORCE");
        let words = [
            "AUTO_INCREMENT",
            "AUTO_ID_CACHE",
            "AUTO_RANDOM_BASE",
            "SHARD_ROW_ID_BITS",
            "PRE_SPLIT_REGIONS",
            "TTL",
            "TTL_ENABLE",
            "TTL_JOB_INTERVAL",
        ];
        let Some(word) = self.eat_one_of(&words) else { return Ok(None) };
        self.eat_equal();
        Ok(Some(match word {
            "AUTO_INCREMENT" => TableOption::AutoIncrement { value: self.number()?, force },
            "AUTO_ID_CACHE" => TableOption::AutoIdCache(self.number()?),
            "AUTO_RANDOM_BASE" => TableOption::AutoRandomBase { value: self.number()?, force },
            "SHARD_ROW_ID_BITS" => TableOption::ShardRowIdBits(self.number()?),
            "PRE_SPLIT_REGIONS" => TableOption::PreSplitRegions(self.number()?),
            "TTL" => self.ttl()?,
            "TTL_ENABLE" => {
                let value = self.string()?;
                match value.to_ascii_uppercase().as_str() {
                    "ON" => TableOption::TtlEnable(true),
                    "OFF" => TableOption::TtlEnable(false),
                    _ => return self.refuse(" The TTL_ENABLE option has to be set 'ON' or 'OFF'"),
                }
            }
            _ => TableOption::TtlJobInterval(self.string()?),
        }))
    }

    /// `column + INTERVAL value unit`.
    fn ttl(&mut self) -> Outcome<TableOption> {
        let column = self.column_name()?;
        self.expect_symbol(Symbol::Plus)?;
        self.expect("INTERVAL")?;
        let value = match self.literal()? {
            Some(value) => value,
            None => return self.unexpected(),
        };
        let unit = self.time_unit()?.to_string().to_ascii_uppercase();
        Ok(TableOption::Ttl { column, value, unit })
    }

    /// Options on statistics.
    fn statistics_option(&mut self) -> Outcome<Option<TableOption>> {
        let words = [
            "STATS_PERSISTENT",
            "STATS_AUTO_RECALC",
            "STATS_SAMPLE_PAGES",
            "STATS_BUCKETS",
            "STATS_TOPN",
            "STATS_SAMPLE_RATE",
            "STATS_COL_CHOICE",
            "STATS_COL_LIST",
        ];
        let Some(word) = self.eat_one_of(&words) else { return Ok(None) };
        self.eat_equal();
        let default = self.eat("DEFAULT");
        Ok(Some(match word {
            "STATS_PERSISTENT" => {
                if !default {
                    self.number()?;
                }
                TableOption::StatsPersistent
            }
            "STATS_AUTO_RECALC" => TableOption::StatsAutoRecalc(self.unless(default, Self::number)?),
            "STATS_SAMPLE_PAGES" => TableOption::StatsSamplePages(self.unless(default, Self::number)?),
            "STATS_BUCKETS" => TableOption::StatsBuckets(self.unless(default, Self::number)?),
            "STATS_TOPN" => TableOption::StatsTopN(self.unless(default, Self::number)?),
            "STATS_SAMPLE_RATE" => TableOption::StatsSampleRate(self.unless(default, Self::any_number)?),
            "STATS_COL_CHOICE" => TableOption::StatsColumnsChoice(self.unless(default, Self::string)?),
            _ => TableOption::StatsColumnList(self.unless(default, Self::string)?),
        }))
    }

    /// A value unless `DEFAULT` was written.
    fn unless<T>(&mut self, default: bool, rule: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<Option<T>> {
        if default { Ok(None) } else { rule(self).map(Some) }
    }

    /// A number of any form, as typed.
    fn any_number(&mut self) -> Outcome<String> {
        if !matches!(self.kind(), TokenKind::Integer | TokenKind::Decimal | TokenKind::Float) {
            return self.unexpected();
        }
        Ok(self.advance().text(self.source).to_owned())
    }

    /// Options of other forms.
    fn other_option(&mut self) -> Outcome<Option<TableOption>> {
        let words = [
            "ENGINE",
            "COMMENT",
            "ROW_FORMAT",
            "PACK_KEYS",
            "TABLESPACE",
            "STORAGE",
            "INSERT_METHOD",
            "UNION",
            "SECONDARY_ENGINE",
            "AFFINITY",
            "DATA",
            "INDEX",
        ];
        if self.is_one_of(&["DATA", "INDEX"]) && !self.keyword_at(1, "DIRECTORY") {
            return Ok(None);
        }
        if self.is_keyword("UNION")
            && !(self.symbol_at(1, Symbol::Equal) || self.symbol_at(1, Symbol::LeftParen))
        {
            return Ok(None);
        }
        let Some(word) = self.eat_one_of(&words) else { return Ok(None) };
        if matches!(word, "DATA" | "INDEX") {
            self.expect("DIRECTORY")?;
        }
        self.eat_equal();
        Ok(Some(match word {
            "ENGINE" => TableOption::Engine(self.string_or_identifier()?),
            "COMMENT" => TableOption::Comment(self.string()?),
            "ROW_FORMAT" => TableOption::RowFormat(self.expect_one_of(&ROW_FORMATS)?.to_owned()),
            "PACK_KEYS" => {
                if !self.eat("DEFAULT") {
                    self.number()?;
                }
                TableOption::PackKeys
            }
            "TABLESPACE" => TableOption::Tablespace(self.string_or_identifier()?),
            "STORAGE" if self.eat("ENGINE") => {
                self.eat_equal();
                TableOption::Engine(self.string_or_identifier()?)
            }
            "STORAGE" => TableOption::Storage(self.expect_one_of(&["DISK", "MEMORY"])?.to_owned()),
            "INSERT_METHOD" => {
                TableOption::InsertMethod(self.expect_one_of(&["NO", "FIRST", "LAST"])?.to_owned())
            }
            "UNION" => TableOption::Union(self.union_tables()?),
            "AFFINITY" => TableOption::Affinity(self.string()?),
            "DATA" => TableOption::Text { name: "DATA DIRECTORY", value: self.string()? },
            "INDEX" => TableOption::Text { name: "INDEX DIRECTORY", value: self.string()? },
            _ if self.eat("NULL") => TableOption::SecondaryEngineNull,
            name => TableOption::Text { name, value: self.string_or_identifier()? },
        }))
    }

    /// `(t, …)` or `()`.
    fn union_tables(&mut self) -> Outcome<Vec<crate::ddl::TableName>> {
        self.expect_symbol(Symbol::LeftParen)?;
        let tables =
            if self.is_symbol(Symbol::RightParen) { Vec::new() } else { self.comma_list(Self::table_name)? };
        self.expect_symbol(Symbol::RightParen)?;
        Ok(tables)
    }
}
