//! Kinds of DDL jobs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The kind of a DDL job. Numbers not listed here (of a newer TiDB) are kept and shown as numbers.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionType(pub u8);

/// Declares the constants with their names.
macro_rules! actions {
    ($($number:literal $name:ident $text:literal;)*) => {
        impl ActionType {
            $(#[doc = concat!("Job kind `", $text, "`.")] pub const $name: Self = Self($number);)*

            /// The kind in words, as TiDB names it; `None` for an unknown number.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

actions! {
    0 NONE "none";
    1 CREATE_SCHEMA "create schema";
    2 DROP_SCHEMA "drop schema";
    3 CREATE_TABLE "create table";
    4 DROP_TABLE "drop table";
    5 ADD_COLUMN "add column";
    6 DROP_COLUMN "drop column";
    7 ADD_INDEX "add index";
    8 DROP_INDEX "drop index";
    9 ADD_FOREIGN_KEY "add foreign key";
    10 DROP_FOREIGN_KEY "drop foreign key";
    11 TRUNCATE_TABLE "truncate table";
    12 MODIFY_COLUMN "modify column";
    13 REBASE_AUTO_ID "rebase auto_increment ID";
    14 RENAME_TABLE "rename table";
    15 SET_DEFAULT_VALUE "set default value";
    16 SHARD_ROW_ID "shard row ID";
    17 MODIFY_TABLE_COMMENT "modify table comment";
    18 RENAME_INDEX "rename index";
    19 ADD_PARTITION "add partition";
    20 DROP_PARTITION "drop partition";
    21 CREATE_VIEW "create view";
    22 MODIFY_TABLE_CHARSET "modify table charset and collate";
    23 TRUNCATE_PARTITION "truncate partition";
    24 DROP_VIEW "drop view";
    25 RECOVER_TABLE "recover table";
    26 MODIFY_SCHEMA_CHARSET "modify schema charset and collate";
    27 LOCK_TABLE "lock table";
    28 UNLOCK_TABLE "unlock table";
    29 REPAIR_TABLE "repair table";
    30 SET_TIFLASH_REPLICA "set tiflash replica";
    31 UPDATE_TIFLASH_STATUS "update tiflash replica status";
    32 ADD_PRIMARY_KEY "add primary key";
    33 DROP_PRIMARY_KEY "drop primary key";
    34 CREATE_SEQUENCE "create sequence";
    35 ALTER_SEQUENCE "alter sequence";
    36 DROP_SEQUENCE "drop sequence";
    37 ADD_COLUMNS "add multi-columns";
    38 DROP_COLUMNS "drop multi-columns";
    39 MODIFY_AUTO_ID_CACHE "modify auto id cache";
    40 REBASE_AUTO_RANDOM "rebase auto_random ID";
    41 ALTER_INDEX_VISIBILITY "alter index visibility";
    42 EXCHANGE_PARTITION "exchange partition";
    43 ADD_CHECK_CONSTRAINT "add check constraint";
    44 DROP_CHECK_CONSTRAINT "drop check constraint";
    45 ALTER_CHECK_CONSTRAINT "alter check constraint";
    47 RENAME_TABLES "rename tables";
    48 DROP_INDEXES "drop multi-indexes";
    49 ALTER_TABLE_ATTRIBUTES "alter table attributes";
    50 ALTER_PARTITION_ATTRIBUTES "alter table partition attributes";
    51 CREATE_PLACEMENT_POLICY "create placement policy";
    52 ALTER_PLACEMENT_POLICY "alter placement policy";
    53 DROP_PLACEMENT_POLICY "drop placement policy";
    54 ALTER_PARTITION_PLACEMENT "alter table partition placement";
    55 MODIFY_SCHEMA_PLACEMENT "modify schema default placement";
    56 ALTER_TABLE_PLACEMENT "alter table placement";
    57 CACHE_TABLE "alter table cache";
    58 ALTER_TABLE_STATS_OPTIONS "alter table statistics options";
    59 NO_CACHE_TABLE "alter table nocache";
    60 CREATE_TABLES "create tables";
    61 MULTI_SCHEMA_CHANGE "alter table multi-schema change";
    62 FLASHBACK_CLUSTER "flashback cluster";
    63 RECOVER_SCHEMA "flashback schema";
    64 REORGANIZE_PARTITION "alter table reorganize partition";
    65 ALTER_TTL "alter table ttl";
    67 REMOVE_TTL "alter table no_ttl";
    68 CREATE_RESOURCE_GROUP "create resource group";
    69 ALTER_RESOURCE_GROUP "alter resource group";
    70 DROP_RESOURCE_GROUP "drop resource group";
    71 ALTER_TABLE_PARTITIONING "alter table partition by";
    72 REMOVE_PARTITIONING "alter table remove partitioning";
    73 ADD_COLUMNAR_INDEX "add columnar index";
    74 MODIFY_ENGINE_ATTRIBUTE "modify engine attribute";
    75 ALTER_TABLE_MODE "alter table mode";
    76 REFRESH_META "refresh meta";
    77 MODIFY_SCHEMA_READ_ONLY "modify schema read only";
    230 ADD_FULLTEXT_INDEX "add fulltext index";
    231 CREATE_HYBRID_INDEX "create hybrid index";
}

impl ActionType {
    /// Whether consumers are told of such a job. The others change nothing that a consumer of row changes sees.
    pub fn is_forwarded(self) -> bool {
        matches!(
            self.0,
            1..=15
                | 17..=26
                | 32
                | 33
                | 37
                | 38
                | 41
                | 42
                | 47
                | 60
                | 61
                | 64
                | 65
                | 67
                | 71
                | 72
                | 230
                | 231
        )
    }

    /// Whether the job concerns a database as a whole, not one table.
    pub fn is_schema_level(self) -> bool {
        matches!(
            self,
            Self::CREATE_SCHEMA
                | Self::DROP_SCHEMA
                | Self::MODIFY_SCHEMA_CHARSET
                | Self::MODIFY_SCHEMA_PLACEMENT
                | Self::MODIFY_SCHEMA_READ_ONLY
                | Self::RECOVER_SCHEMA
        )
    }
}

impl fmt::Debug for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionType({self})")
    }
}

impl fmt::Display for ActionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "unknown action {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_kinds_are_the_published_list() {
        let forwarded: Vec<u8> = (0..=u8::MAX).filter(|n| ActionType(*n).is_forwarded()).collect();
        let mut published =
            vec![1, 2, 26, 3, 60, 4, 11, 14, 47, 25, 17, 22, 21, 24, 19, 20, 23, 42, 64, 71, 72];
        published.extend([5, 6, 12, 15, 37, 38, 13, 32, 33, 7, 8, 18, 41, 65, 67, 61, 9, 10, 230, 231]);
        published.sort_unstable();
        assert_eq!(forwarded, published);
    }

    #[test]
    fn unknown_kinds_keep_their_number() {
        let action: ActionType = serde_json::from_str("199").unwrap();
        assert_eq!(action.to_string(), "unknown action 199");
        assert_eq!(serde_json::to_string(&action).unwrap(), "199");
    }
}
