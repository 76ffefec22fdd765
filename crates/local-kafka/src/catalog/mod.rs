//! The topics of the broker, kept in `topics.json`.

mod files;
mod names;
mod settings;
mod store;
mod topic;

pub(crate) use settings::{BROKER_SETTINGS, ConfigChange, Overrides, Setting, SettingKind, TOPIC_SETTINGS};
pub(crate) use store::{Catalog, CatalogError};
pub(crate) use topic::Topic;
