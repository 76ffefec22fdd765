//! Placement policies and resource groups.

use super::Written;
use super::writer::{Writer, unsupported};
use crate::ddl::{Ddl, PlacementOption, ResourceGroupOption};

impl Writer<'_> {
    /// Placement policies and resource groups, which only TiDB has.
    pub(super) fn policy_ddl(&mut self, ddl: &Ddl) -> Written {
        match ddl {
            Ddl::CreatePlacementPolicy(create) => {
                if self.options.skip_placement {
                    return Ok(());
                }
                self.special_statement("placement", |w| {
                    w.plain(if create.or_replace {
                        "CREATE OR REPLACE PLACEMENT POLICY "
                    } else {
                        "CREATE PLACEMENT POLICY "
                    });
                    if create.if_not_exists {
                        w.plain("IF NOT EXISTS ");
                    }
                    w.name(&create.name);
                    w.placement_options(&create.options)
                })
            }
            Ddl::AlterPlacementPolicy(alter) => {
                if self.options.skip_placement {
                    return Ok(());
                }
                self.special_statement("placement", |w| {
                    w.drop_words("ALTER PLACEMENT POLICY ", alter.if_exists);
                    w.name(&alter.name);
                    w.placement_options(&alter.options)
                })
            }
            Ddl::DropPlacementPolicy(drop) => self.special_statement("placement", |w| {
                w.drop_words("DROP PLACEMENT POLICY ", drop.if_exists);
                w.name(&drop.name);
                Ok(())
            }),
            Ddl::CreateResourceGroup(create) => self.special_statement("resource_group", |w| {
                w.plain(if create.if_not_exists {
                    "CREATE RESOURCE GROUP IF NOT EXISTS "
                } else {
                    "CREATE RESOURCE GROUP "
                });
                w.name(&create.name);
                w.resource_group_options(&create.options)
            }),
            Ddl::AlterResourceGroup(alter) => self.special_statement("resource_group", |w| {
                w.drop_words("ALTER RESOURCE GROUP ", alter.if_exists);
                w.name(&alter.name);
                w.resource_group_options(&alter.options)
            }),
            Ddl::DropResourceGroup(drop) => self.special_statement("resource_group", |w| {
                w.drop_words("DROP RESOURCE GROUP ", drop.if_exists);
                w.name(&drop.name);
                Ok(())
            }),
            _ => unsupported("this statement"),
        }
    }

    /// Options of a policy, each with a blank before it.
    pub(super) fn placement_options(&mut self, options: &[PlacementOption]) -> Written {
        for option in options {
            self.plain(" ");
            self.placement(option)?;
        }
        Ok(())
    }

    /// Options of a resource group.
    pub(super) fn resource_group_options(&mut self, options: &[ResourceGroupOption]) -> Written {
        for (i, option) in options.iter().enumerate() {
            self.plain(if i > 0 { ", " } else { " " });
            match option {
                ResourceGroupOption::RuPerSecond(None) => self.plain("RU_PER_SEC = UNLIMITED"),
                ResourceGroupOption::RuPerSecond(Some(rate)) => self.number_option("RU_PER_SEC", *rate),
                ResourceGroupOption::Priority(priority) => {
                    self.plain("PRIORITY = ");
                    self.plain(priority);
                }
                ResourceGroupOption::Burstable(mode) => {
                    self.plain("BURSTABLE = ");
                    self.plain(mode.as_deref().unwrap_or("TRUE"));
                }
                ResourceGroupOption::Block { .. } => return unsupported("QUERY_LIMIT or BACKGROUND"),
            }
        }
        Ok(())
    }
}
