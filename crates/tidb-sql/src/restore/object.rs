//! Statements other than those on one table's definition.

use super::Written;
use super::alter::{algorithm_name, lock_name};
use super::writer::Writer;
use crate::ddl::{
    AlterDatabase, CreateDatabase, CreateIndex, CreateIndexKind, DatabaseOption, Ddl, DropIndex, DropTable,
    IndexAlgorithm, IndexLock, Temporary,
};

impl Writer<'_> {
    /// A statement on schemas, tables, indexes and views; then the others.
    pub(super) fn ddl(&mut self, ddl: &Ddl) -> Written {
        match ddl {
            Ddl::CreateDatabase(create) => self.create_database(create),
            Ddl::AlterDatabase(alter) => self.alter_database(alter),
            Ddl::DropDatabase(drop) => {
                self.drop_words("DROP DATABASE ", drop.if_exists);
                self.name(&drop.name);
                Ok(())
            }
            Ddl::CreateTable(create) => self.create_table(create),
            Ddl::AlterTable(alter) => self.alter_table(alter),
            Ddl::DropTable(drop) => {
                self.drop_table(drop);
                Ok(())
            }
            Ddl::TruncateTable(truncate) => {
                self.plain("TRUNCATE TABLE ");
                self.table_name(&truncate.table);
                Ok(())
            }
            Ddl::RenameTable(rename) => {
                self.plain("RENAME TABLE ");
                self.separated(&rename.renames, ", ", |w, (old, new)| {
                    w.table_name(old);
                    w.plain(" TO ");
                    w.table_name(new);
                    Ok(())
                })
            }
            Ddl::CreateIndex(create) => self.create_index(create),
            Ddl::DropIndex(drop) => self.drop_index(drop),
            Ddl::CreateView(view) => self.create_view(view, None),
            Ddl::DropView(drop) => {
                self.drop_words("DROP VIEW ", drop.if_exists);
                self.table_names(&drop.views, ", ");
                Ok(())
            }
            other => self.other_ddl(other),
        }
    }

    /// Sequences, recovery, policies, groups.
    fn other_ddl(&mut self, ddl: &Ddl) -> Written {
        match ddl {
            Ddl::CreateSequence(create) => {
                self.plain(if create.if_not_exists {
                    "CREATE SEQUENCE IF NOT EXISTS "
                } else {
                    "CREATE SEQUENCE "
                });
                self.table_name(&create.name);
                create.options.iter().for_each(|option| self.sequence_option(*option));
                for option in &create.table_options {
                    self.plain(" ");
                    self.table_option(option)?;
                }
            }
            Ddl::AlterSequence(alter) => {
                self.drop_words("ALTER SEQUENCE ", alter.if_exists);
                self.table_name(&alter.name);
                alter.options.iter().for_each(|option| self.sequence_option(*option));
            }
            Ddl::DropSequence(drop) => {
                self.drop_words("DROP SEQUENCE ", drop.if_exists);
                self.table_names(&drop.names, ", ");
            }
            Ddl::RecoverTable(recover) => self.recover_table(recover),
            Ddl::FlashbackTable(flashback) => {
                self.plain("FLASHBACK TABLE ");
                self.table_name(&flashback.table);
                self.new_name(&flashback.new_name);
            }
            Ddl::FlashbackDatabase(flashback) => {
                self.plain("FLASHBACK DATABASE ");
                self.name(&flashback.name);
                self.new_name(&flashback.new_name);
            }
            Ddl::FlashbackCluster(flashback) => self.flashback_cluster(flashback)?,
            Ddl::RepairTable { table, create } => {
                self.plain("ADMIN REPAIR TABLE ");
                self.table_name(table);
                self.plain(" ");
                self.create_table(create)?;
            }
            other => return self.policy_ddl(other),
        }
        Ok(())
    }

    /// Words and `IF EXISTS`.
    pub(super) fn drop_words(&mut self, words: &str, if_exists: bool) {
        self.plain(words);
        if if_exists {
            self.plain("IF EXISTS ");
        }
    }

    /// ` TO name`.
    fn new_name(&mut self, name: &Option<String>) {
        if let Some(name) = name {
            self.plain(" TO ");
            self.name(name);
        }
    }

    /// `CREATE DATABASE …`.
    fn create_database(&mut self, create: &CreateDatabase) -> Written {
        self.plain("CREATE DATABASE ");
        if create.if_not_exists {
            self.plain("IF NOT EXISTS ");
        }
        self.name(&create.name);
        self.database_options(&create.options)
    }

    /// `ALTER DATABASE …`.
    fn alter_database(&mut self, alter: &AlterDatabase) -> Written {
        let only_placement =
            alter.options.iter().all(|option| matches!(option, DatabaseOption::Placement(_)));
        if only_placement && self.options.skip_placement {
            return Ok(());
        }
        if only_placement && self.options.special_comments {
            return self.special_statement("placement", |w| w.alter_database_text(alter));
        }
        self.alter_database_text(alter)
    }

    /// `ALTER DATABASE …` without regard to placement.
    fn alter_database_text(&mut self, alter: &AlterDatabase) -> Written {
        self.plain("ALTER DATABASE");
        if let Some(name) = &alter.name {
            self.plain(" ");
            self.name(name);
        }
        self.database_options(&alter.options)
    }

    /// Options of a schema, each with a blank before it.
    fn database_options(&mut self, options: &[DatabaseOption]) -> Written {
        for option in options {
            self.plain(" ");
            match option {
                DatabaseOption::Charset(charset) => {
                    self.plain("CHARACTER SET = ");
                    self.plain(charset);
                }
                DatabaseOption::Collate(collation) => {
                    self.plain("COLLATE = ");
                    self.plain(collation);
                }
                DatabaseOption::Encryption(text) => self.text_option("ENCRYPTION", text),
                DatabaseOption::Placement(option) => self.placement(option)?,
                DatabaseOption::SetTiFlashReplica(replica) => self.tiflash_replica(replica),
            }
        }
        Ok(())
    }

    /// `DROP TABLE …`.
    fn drop_table(&mut self, drop: &DropTable) {
        let words = match drop.temporary {
            None => "DROP TABLE ",
            Some(Temporary::Local) => "DROP TEMPORARY TABLE ",
            Some(Temporary::Global { .. }) => "DROP GLOBAL TEMPORARY TABLE ",
        };
        self.drop_words(words, drop.if_exists);
        self.table_names(&drop.tables, ", ");
    }

    /// `CREATE INDEX …`.
    fn create_index(&mut self, create: &CreateIndex) -> Written {
        self.plain(match create.kind {
            CreateIndexKind::Plain => "CREATE INDEX ",
            CreateIndexKind::Unique => "CREATE UNIQUE INDEX ",
            CreateIndexKind::Spatial => "CREATE SPATIAL INDEX ",
            CreateIndexKind::FullText => "CREATE FULLTEXT INDEX ",
            CreateIndexKind::Vector => "CREATE VECTOR INDEX ",
            CreateIndexKind::Columnar => "CREATE COLUMNAR INDEX ",
        });
        if create.if_not_exists {
            self.special_words("IF NOT EXISTS ");
        }
        self.name(&create.name);
        self.plain(" ON ");
        self.table_name(&create.table);
        self.plain(" ");
        self.index_parts(&create.parts)?;
        self.index_options(&create.options)?;
        self.algorithm_and_lock(create.algorithm, create.lock);
        Ok(())
    }

    /// `DROP INDEX …`.
    fn drop_index(&mut self, drop: &DropIndex) -> Written {
        self.plain("DROP INDEX ");
        if drop.if_exists {
            self.special_words("IF EXISTS ");
        }
        self.name(&drop.name);
        self.plain(" ON ");
        self.table_name(&drop.table);
        self.algorithm_and_lock(drop.algorithm, drop.lock);
        Ok(())
    }

    /// ` ALGORITHM = …`, ` LOCK = …`; defaults are left out.
    fn algorithm_and_lock(&mut self, algorithm: Option<IndexAlgorithm>, lock: Option<IndexLock>) {
        if let Some(algorithm) = algorithm.filter(|algorithm| *algorithm != IndexAlgorithm::Default) {
            self.plain(" ALGORITHM = ");
            self.plain(algorithm_name(algorithm));
        }
        if let Some(lock) = lock.filter(|lock| *lock != IndexLock::Default) {
            self.plain(" LOCK = ");
            self.plain(lock_name(lock));
        }
    }
}
