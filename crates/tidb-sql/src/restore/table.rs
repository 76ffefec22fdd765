//! `CREATE TABLE` and table options.

use super::Written;
use super::writer::Writer;
use crate::ddl::{
    CharsetForm, CreateTable, CreateTableSource, DuplicateHandling, PlacementOption, PlacementValue,
    SelectSource, TableOption, Temporary,
};

impl Writer<'_> {
    /// `CREATE TABLE …`.
    pub(super) fn create_table(&mut self, create: &CreateTable) -> Written {
        self.plain(match create.temporary {
            None => "CREATE TABLE ",
            Some(Temporary::Local) => "CREATE TEMPORARY TABLE ",
            Some(Temporary::Global { .. }) => "CREATE GLOBAL TEMPORARY TABLE ",
        });
        if create.if_not_exists {
            self.plain("IF NOT EXISTS ");
        }
        self.table_name(&create.table);
        let mut select = None;
        match &create.source {
            CreateTableSource::Like(table) => {
                self.plain(" LIKE ");
                self.table_name(table);
            }
            CreateTableSource::Definition { columns, constraints, select: source } => {
                select = source.as_ref();
                if !columns.is_empty() || !constraints.is_empty() {
                    self.plain(" (");
                    self.separated(columns, ",", Self::column_def)?;
                    if !columns.is_empty() && !constraints.is_empty() {
                        self.plain(",");
                    }
                    self.separated(constraints, ",", Self::constraint)?;
                    self.plain(")");
                }
            }
        }
        for option in self.effective_options(&create.options) {
            self.plain(" ");
            self.table_option(&option)?;
        }
        if let Some(partition) = &create.partition {
            self.plain(" ");
            self.partition_by(partition)?;
        }
        if let Some(select) = select {
            self.create_select(select)?;
        }
        if let Some(Temporary::Global { delete_rows }) = create.temporary {
            self.plain(if delete_rows { " ON COMMIT DELETE ROWS" } else { " ON COMMIT PRESERVE ROWS" });
        }
        Ok(())
    }

    /// ` [IGNORE | REPLACE] AS query`.
    fn create_select(&mut self, select: &SelectSource) -> Written {
        self.plain(match select.duplicates {
            DuplicateHandling::Error => " AS ",
            DuplicateHandling::Ignore => " IGNORE AS ",
            DuplicateHandling::Replace => " REPLACE AS ",
        });
        self.query(&select.query)
    }

    /// The options with TTL switched off behind every `TTL`, if so wanted.
    pub(super) fn effective_options(&self, options: &[TableOption]) -> Vec<TableOption> {
        if !self.options.ttl_off {
            return options.to_vec();
        }
        let mut effective = Vec::with_capacity(options.len() + 1);
        for option in options.iter().filter(|option| !matches!(option, TableOption::TtlEnable(_))) {
            effective.push(option.clone());
            if matches!(option, TableOption::Ttl { .. }) {
                effective.push(TableOption::TtlEnable(false));
            }
        }
        effective
    }

    /// A placement option in its comment; nothing if placement is left out.
    pub(super) fn placement(&mut self, option: &PlacementOption) -> Written {
        if self.options.skip_placement {
            return Ok(());
        }
        self.special("placement", |w| {
            w.plain(option.name);
            w.plain(" = ");
            match &option.value {
                PlacementValue::Name(name) => w.name(name),
                PlacementValue::Text(text) => w.string(text),
                PlacementValue::Number(number) => w.number(number),
            }
            Ok(())
        })
    }

    /// A table option.
    pub(super) fn table_option(&mut self, option: &TableOption) -> Written {
        match option {
            TableOption::Engine(name) => {
                self.plain("ENGINE = ");
                self.plain(if name.is_empty() { "''" } else { name });
            }
            TableOption::Charset { form, charset } => {
                self.plain(match form {
                    CharsetForm::Default => "DEFAULT CHARACTER SET = ",
                    CharsetForm::ConvertTo => "CONVERT TO CHARACTER SET ",
                });
                self.upper(charset.as_deref().unwrap_or("DEFAULT"));
            }
            TableOption::Collate(collation) => {
                self.plain("DEFAULT COLLATE = ");
                self.upper(collation);
            }
            TableOption::Comment(text) => self.text_option("COMMENT", text),
            TableOption::Placement(option) => self.placement(option)?,
            TableOption::RowFormat(format) => {
                self.plain("ROW_FORMAT = ");
                self.plain(format);
            }
            TableOption::PackKeys => {
                self.plain("PACK_KEYS = DEFAULT /* TableOptionPackKeys is not supported */ ")
            }
            TableOption::Affinity(level) => {
                self.special("affinity", |w| {
                    w.text_option("AFFINITY", level);
                    Ok(())
                })?;
            }
            TableOption::Number { name, value } => self.number_option(name, *value),
            TableOption::Text { name, value } => self.text_option(name, value),
            TableOption::SecondaryEngineNull => self.plain("SECONDARY_ENGINE = NULL"),
            TableOption::Tablespace(name) => {
                self.plain("TABLESPACE = ");
                self.name(name);
            }
            TableOption::Storage(media) => {
                self.plain("STORAGE ");
                self.plain(media);
            }
            TableOption::InsertMethod(method) => {
                self.plain("INSERT_METHOD = ");
                self.plain(method);
            }
            TableOption::Union(tables) => {
                self.plain("UNION = (");
                self.table_names(tables, ",");
                self.plain(")");
            }
            other => return self.row_id_option(other),
        }
        Ok(())
    }

    /// Options on row identifiers, regions and TTL.
    fn row_id_option(&mut self, option: &TableOption) -> Written {
        match option {
            TableOption::AutoIncrement { value, force } => {
                self.force(*force)?;
                self.number_option("AUTO_INCREMENT", *value);
                Ok(())
            }
            TableOption::AutoRandomBase { value, force } => {
                self.force(*force)?;
                self.special_number("auto_rand_base", "AUTO_RANDOM_BASE", *value)
            }
            TableOption::AutoIdCache(value) => self.special_number("auto_id_cache", "AUTO_ID_CACHE", *value),
            TableOption::ShardRowIdBits(value) => self.special_number("", "SHARD_ROW_ID_BITS", *value),
            TableOption::PreSplitRegions(value) => self.special_number("", "PRE_SPLIT_REGIONS", *value),
            TableOption::Ttl { column, value, unit } => self.special("ttl", |w| {
                w.plain("TTL = ");
                w.name(&column.name);
                w.plain(" + INTERVAL ");
                w.expr(value)?;
                w.plain(" ");
                w.plain(unit);
                Ok(())
            }),
            TableOption::TtlEnable(on) => {
                self.special_text("ttl", "TTL_ENABLE", if *on { "ON" } else { "OFF" })
            }
            TableOption::TtlJobInterval(text) => self.special_text("ttl", "TTL_JOB_INTERVAL", text),
            other => {
                self.statistics_option(other);
                Ok(())
            }
        }
    }

    /// `FORCE` in its comment, and a blank.
    fn force(&mut self, force: bool) -> Written {
        if force {
            self.special("force_inc", |w| {
                w.plain("FORCE ");
                Ok(())
            })?;
        }
        Ok(())
    }

    /// `name = number` in a comment.
    fn special_number(&mut self, feature: &str, name: &str, value: u64) -> Written {
        self.special(feature, |w| {
            w.number_option(name, value);
            Ok(())
        })
    }

    /// `name = 'text'` in a comment.
    fn special_text(&mut self, feature: &str, name: &str, text: &str) -> Written {
        self.special(feature, |w| {
            w.text_option(name, text);
            Ok(())
        })
    }

    /// Options on statistics.
    fn statistics_option(&mut self, option: &TableOption) {
        match option {
            TableOption::StatsPersistent => {
                self.plain("STATS_PERSISTENT = DEFAULT /* TableOptionStatsPersistent is not supported */ ");
            }
            TableOption::StatsAutoRecalc(value) => self.number_or_default("STATS_AUTO_RECALC", value),
            TableOption::StatsSamplePages(value) => self.number_or_default("STATS_SAMPLE_PAGES", value),
            TableOption::StatsBuckets(value) => self.number_or_default("STATS_BUCKETS", value),
            TableOption::StatsTopN(value) => self.number_or_default("STATS_TOPN", value),
            TableOption::StatsSampleRate(value) => self.number_or_default("STATS_SAMPLE_RATE", value),
            TableOption::StatsColumnsChoice(value) => self.text_or_default("STATS_COL_CHOICE", value),
            TableOption::StatsColumnList(value) => self.text_or_default("STATS_COL_LIST", value),
            _ => {}
        }
    }

    /// `name = number` or `name = DEFAULT`.
    fn number_or_default(&mut self, name: &str, value: &Option<impl std::fmt::Display>) {
        self.plain(name);
        self.plain(" = ");
        match value {
            Some(value) => self.number(value),
            None => self.plain("DEFAULT"),
        }
    }

    /// `name = 'text'` or `name = DEFAULT`.
    fn text_or_default(&mut self, name: &str, value: &Option<String>) {
        self.plain(name);
        self.plain(" = ");
        match value {
            Some(value) => self.string(value),
            None => self.plain("DEFAULT"),
        }
    }
}
