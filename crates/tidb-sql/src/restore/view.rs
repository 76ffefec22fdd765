//! Views, sequences, recovery.

use super::Written;
use super::writer::Writer;
use crate::ddl::{
    CheckOption, CreateView, Definer, FlashbackCluster, FlashbackUntil, RecoverTable, SequenceOption,
    ViewAlgorithm, ViewSecurity,
};

impl Writer<'_> {
    /// `CREATE VIEW …`, with a given text in place of the query.
    pub(super) fn create_view(&mut self, view: &CreateView, select: Option<&str>) -> Written {
        self.plain(if view.or_replace { "CREATE OR REPLACE ALGORITHM = " } else { "CREATE ALGORITHM = " });
        self.plain(match view.algorithm {
            ViewAlgorithm::Undefined => "UNDEFINED",
            ViewAlgorithm::Merge => "MERGE",
            ViewAlgorithm::TempTable => "TEMPTABLE",
        });
        self.plain(" DEFINER = ");
        match &view.definer {
            Definer::CurrentUser => self.plain("CURRENT_USER"),
            Definer::User { user, host } => {
                self.name(user);
                if !host.is_empty() {
                    self.plain("@");
                    self.name(host);
                }
            }
        }
        self.plain(match view.security {
            ViewSecurity::Definer => " SQL SECURITY DEFINER VIEW ",
            ViewSecurity::Invoker => " SQL SECURITY INVOKER VIEW ",
        });
        self.table_name(&view.name);
        if !view.columns.is_empty() {
            self.plain(" (");
            self.names(&view.columns, ",");
            self.plain(")");
        }
        self.plain(" AS ");
        match select {
            Some(text) => self.plain(text),
            None => self.query(&view.query)?,
        }
        if view.check_option == CheckOption::Local {
            self.plain(" WITH LOCAL CHECK OPTION");
        }
        Ok(())
    }

    /// An option of a sequence with a blank before it.
    pub(super) fn sequence_option(&mut self, option: SequenceOption) {
        let (words, value) = match option {
            SequenceOption::IncrementBy(n) => (" INCREMENT BY ", Some(n)),
            SequenceOption::StartWith(n) => (" START WITH ", Some(n)),
            SequenceOption::MinValue(n) => (" MINVALUE ", Some(n)),
            SequenceOption::NoMinValue => (" NO MINVALUE", None),
            SequenceOption::MaxValue(n) => (" MAXVALUE ", Some(n)),
            SequenceOption::NoMaxValue => (" NO MAXVALUE", None),
            SequenceOption::Cache(n) => (" CACHE ", Some(n)),
            SequenceOption::NoCache => (" NOCACHE", None),
            SequenceOption::Cycle => (" CYCLE", None),
            SequenceOption::NoCycle => (" NOCYCLE", None),
            SequenceOption::Restart => (" RESTART", None),
            SequenceOption::RestartWith(n) => (" RESTART WITH ", Some(n)),
        };
        self.plain(words);
        if let Some(value) = value {
            self.number(value);
        }
    }

    /// `RECOVER TABLE …`.
    pub(super) fn recover_table(&mut self, recover: &RecoverTable) {
        match recover {
            RecoverTable::ByJob(job) => {
                self.plain("RECOVER TABLE BY JOB ");
                self.number(job);
            }
            RecoverTable::ByName { table, jobs } => {
                self.plain("RECOVER TABLE ");
                self.table_name(table);
                if let Some(jobs) = jobs.filter(|jobs| *jobs > 0) {
                    self.plain(" ");
                    self.number(jobs);
                }
            }
        }
    }

    /// `FLASHBACK … TO …`.
    pub(super) fn flashback_cluster(&mut self, flashback: &FlashbackCluster) -> Written {
        self.plain("FLASHBACK ");
        if !flashback.tables.is_empty() {
            self.plain("TABLE ");
            self.table_names(&flashback.tables, ", ");
        } else if let Some(database) = &flashback.database {
            self.plain("DATABASE ");
            self.name(database);
        } else {
            self.plain("CLUSTER");
        }
        match &flashback.until {
            FlashbackUntil::Timestamp(expr) => {
                self.plain(" TO TIMESTAMP ");
                // The one place where TiDB's parser gives a string no character set.
                let charset = std::mem::take(&mut self.options.charset);
                let written = self.expr(expr);
                self.options.charset = charset;
                written
            }
            FlashbackUntil::Tso(tso) => {
                self.plain(" TO TSO ");
                self.number(tso);
                Ok(())
            }
        }
    }
}
