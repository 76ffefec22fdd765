//! `SHOW …`.

use super::cursor::{Outcome, Parser};
use crate::ddl::TableName;
use crate::lexer::{Symbol, TokenKind};
use crate::statement::Statement;
use crate::utility::{Scope, Show, ShowFilter};

/// Listings that only take a filter: their words, longer ones first.
const LISTINGS: [&[&str]; 44] = [
    &["FUNCTION", "STATUS"],
    &["PROCEDURE", "STATUS"],
    &["ANALYZE", "STATUS"],
    &["PUMP", "STATUS"],
    &["DRAINER", "STATUS"],
    &["IMPORT", "JOBS"],
    &["IMPORT", "JOB"],
    &["IMPORT", "GROUPS"],
    &["BINARY", "LOGS"],
    &["MASTER", "LOGS"],
    &["PLACEMENT", "LABELS"],
    &["PLACEMENT", "FOR"],
    &["STATS_META"],
    &["STATS_HISTOGRAMS"],
    &["STATS_TOPN"],
    &["STATS_BUCKETS"],
    &["STATS_HEALTHY"],
    &["STATS_LOCKED"],
    &["STATS_EXTENDED"],
    &["HISTOGRAMS_IN_FLIGHT"],
    &["COLUMN_STATS_USAGE"],
    &["PLUGINS"],
    &["EVENTS"],
    &["TRIGGERS"],
    &["PLACEMENT"],
    &["CONFIG"],
    &["BACKUPS"],
    &["RESTORES"],
    &["IMPORTS"],
    &["SESSION_STATES"],
    &["BINDINGS"],
    &["BINDING_CACHE", "STATUS"],
    &["BACKUP", "LOGS"],
    &["BACKUP", "METADATA"],
    &["BACKUP", "QUERY"],
    &["BR", "JOB"],
    &["TRAFFIC", "JOBS"],
    &["DISTRIBUTION", "JOBS"],
    &["DISTRIBUTION", "JOB"],
    &["AFFINITY"],
    &["STORAGE", "ENGINES"],
    &["PROFILE"],
    &["AUTHORS"],
    &["CONTRIBUTORS"],
];

impl Parser<'_> {
    /// `SHOW …`.
    pub(super) fn show(&mut self) -> Outcome<Statement> {
        self.expect("SHOW")?;
        let show = self.show_what()?;
        Ok(Statement::Show(Box::new(show)))
    }

    /// What follows `SHOW`.
    fn show_what(&mut self) -> Outcome<Show> {
        let full = self.is_keyword("FULL") && self.eat("FULL");
        if self.eat("TABLES") {
            let schema = self.schema_clause()?;
            return Ok(Show::Tables { full, schema, filter: self.show_filter()? });
        }
        let extended = self.is_keyword("EXTENDED") && self.eat("EXTENDED");
        let full = full || self.eat("FULL");
        if self.eat_one_of(&["COLUMNS", "FIELDS"]).is_some() {
            let table = self.table_clause()?;
            return Ok(Show::Columns { extended, full, table, filter: self.show_filter()? });
        }
        if self.eat("PROCESSLIST") {
            return Ok(Show::ProcessList { full });
        }
        if full || extended {
            return self.unexpected();
        }
        match self.text(0).to_ascii_uppercase().as_str() {
            "CREATE" => self.show_create(),
            "TABLE" => self.show_table(),
            "GLOBAL" | "SESSION" | "LOCAL" | "VARIABLES" | "STATUS" => self.show_variables(),
            "WARNINGS" | "ERRORS" | "COUNT" => self.show_messages(),
            "GRANTS" => self.show_grants(),
            _ => self.show_listing(),
        }
    }

    /// `{FROM | IN} schema`.
    fn schema_clause(&mut self) -> Outcome<Option<String>> {
        if self.eat_one_of(&["FROM", "IN"]).is_some() { self.identifier().map(Some) } else { Ok(None) }
    }

    /// `{FROM | IN} table [{FROM | IN} schema]`.
    fn table_clause(&mut self) -> Outcome<TableName> {
        self.expect_one_of(&["FROM", "IN"])?;
        let mut table = self.table_name()?;
        if let Some(schema) = self.schema_clause()? {
            table.schema = Some(schema);
        }
        Ok(table)
    }

    /// `LIKE 'pattern'`, `WHERE expr`.
    fn show_filter(&mut self) -> Outcome<Option<ShowFilter>> {
        if self.eat("LIKE") {
            return self.string().map(|pattern| Some(ShowFilter::Like(pattern)));
        }
        if self.eat("WHERE") {
            return self.expr().map(|expr| Some(ShowFilter::Where(expr)));
        }
        Ok(None)
    }

    /// `SHOW CREATE …`.
    fn show_create(&mut self) -> Outcome<Show> {
        self.expect("CREATE")?;
        if self.eat_one_of(&["DATABASE", "SCHEMA"]).is_some() {
            let if_not_exists = self.if_not_exists();
            return Ok(Show::CreateDatabase { if_not_exists, name: self.identifier()? });
        }
        if self.eat_all(&["PLACEMENT", "POLICY"]) {
            return self.identifier().map(Show::CreatePlacementPolicy);
        }
        if self.eat_all(&["RESOURCE", "GROUP"]) {
            return self.resource_group_name().map(Show::CreateResourceGroup);
        }
        Ok(match self.expect_one_of(&["TABLE", "VIEW", "SEQUENCE", "USER", "PROCEDURE"])? {
            "TABLE" => Show::CreateTable(self.table_name()?),
            "VIEW" => Show::CreateView(self.table_name()?),
            "SEQUENCE" => Show::CreateSequence(self.table_name()?),
            "PROCEDURE" => Show::CreateProcedure(self.table_name()?),
            _ => Show::CreateUser(self.user_name()?),
        })
    }

    /// `SHOW TABLE STATUS`, `SHOW TABLE t REGIONS`, `SHOW TABLE t NEXT_ROW_ID`.
    fn show_table(&mut self) -> Outcome<Show> {
        self.expect("TABLE")?;
        if self.eat("STATUS") {
            let schema = self.schema_clause()?;
            return Ok(Show::TableStatus { schema, filter: self.show_filter()? });
        }
        let table = self.table_name()?;
        let partitions = if self.eat("PARTITION") { self.paren_list(Self::identifier)? } else { Vec::new() };
        let index = if self.eat("INDEX") { Some(self.identifier()?) } else { None };
        if self.eat("NEXT_ROW_ID") {
            return Ok(Show::TableNextRowId(table));
        }
        if self.eat_one_of(&["DISTRIBUTIONS", "DISTRIBUTION"]).is_some() {
            let filter = self.show_filter()?;
            return Ok(Show::Other { name: "TABLE DISTRIBUTIONS".to_owned(), schema: None, filter });
        }
        self.expect("REGIONS")?;
        Ok(Show::TableRegions { table, partitions, index, filter: self.show_filter()? })
    }

    /// `SHOW [GLOBAL | SESSION] {VARIABLES | STATUS | BINDINGS}`.
    fn show_variables(&mut self) -> Outcome<Show> {
        let scope = match self.eat_one_of(&["GLOBAL", "SESSION", "LOCAL"]) {
            Some("GLOBAL") => Scope::Global,
            _ => Scope::Session,
        };
        Ok(match self.expect_one_of(&["VARIABLES", "STATUS", "BINDINGS"])? {
            "VARIABLES" => Show::Variables { scope, filter: self.show_filter()? },
            "STATUS" => Show::Status { scope, filter: self.show_filter()? },
            _ => Show::Other { name: "BINDINGS".to_owned(), schema: None, filter: self.show_filter()? },
        })
    }

    /// `SHOW [COUNT(*)] {WARNINGS | ERRORS} [LIMIT …]`.
    fn show_messages(&mut self) -> Outcome<Show> {
        let count = self.eat("COUNT");
        if count {
            self.parenthesized(|p| p.expect_symbol(Symbol::Star))?;
        }
        let warnings = self.expect_one_of(&["WARNINGS", "ERRORS"])? == "WARNINGS";
        let limit = if self.eat("LIMIT") { Some(self.limit_pair()?) } else { None };
        Ok(match warnings {
            true => Show::Warnings { count, limit },
            false => Show::Errors { count, limit },
        })
    }

    /// `n`, `m, n`, `n OFFSET m` as offset and row count.
    fn limit_pair(&mut self) -> Outcome<(u64, u64)> {
        let first = self.number()?;
        if self.eat_symbol(Symbol::Comma) {
            return Ok((first, self.number()?));
        }
        if self.eat("OFFSET") {
            return Ok((self.number()?, first));
        }
        Ok((0, first))
    }

    /// `SHOW GRANTS [FOR user [USING role, …]]`.
    fn show_grants(&mut self) -> Outcome<Show> {
        self.expect("GRANTS")?;
        let user = if self.eat("FOR") { Some(self.user_name()?) } else { None };
        let roles = if self.eat("USING") { self.comma_list(Self::user_name)? } else { Vec::new() };
        Ok(Show::Grants { user, roles })
    }

    /// Listings.
    fn show_listing(&mut self) -> Outcome<Show> {
        if self.eat_one_of(&["DATABASES", "SCHEMAS"]).is_some() {
            return Ok(Show::Databases { filter: self.show_filter()? });
        }
        if self.eat_all(&["OPEN", "TABLES"]) {
            let schema = self.schema_clause()?;
            return Ok(Show::OpenTables { schema, filter: self.show_filter()? });
        }
        if self.eat_one_of(&["INDEX", "INDEXES", "KEYS"]).is_some() {
            let table = self.table_clause()?;
            return Ok(Show::Index { table, filter: self.show_filter()? });
        }
        if self.eat("ENGINES") {
            return Ok(Show::Engines { filter: self.show_filter()? });
        }
        if self.eat("COLLATION") {
            return Ok(Show::Collation { filter: self.show_filter()? });
        }
        if self.eat_charset_keyword() {
            return Ok(Show::Charset { filter: self.show_filter()? });
        }
        let fixed: [(&[&str], Show); 7] = [
            (&["PRIVILEGES"], Show::Privileges),
            (&["PROFILES"], Show::Profiles),
            (&["BUILTINS"], Show::Builtins),
            (&["MASTER", "STATUS"], Show::MasterStatus),
            (&["BINARY", "LOG", "STATUS"], Show::MasterStatus),
            (&["SLAVE", "STATUS"], Show::ReplicaStatus),
            (&["REPLICA", "STATUS"], Show::ReplicaStatus),
        ];
        for (words, show) in fixed {
            if self.eat_all(words) {
                return Ok(show);
            }
        }
        self.other_listing()
    }

    /// Listings that only have a name.
    fn other_listing(&mut self) -> Outcome<Show> {
        let Some(words) = LISTINGS.iter().find(|words| self.are_keywords(words)) else {
            return self.unexpected();
        };
        self.eat_all(words);
        let name = words.join(" ");
        let schema = match self.is_one_of(&["FROM", "IN"]) {
            true => self.schema_clause()?,
            false => None,
        };
        let filter = self.show_filter()?;
        // some take more words, which have no node
        while !self.at_statement_end() {
            if self.kind() == TokenKind::Invalid {
                return self.unexpected();
            }
            self.advance();
        }
        Ok(Show::Other { name, schema, filter })
    }
}
