//! Placement policies and options, resource groups.

use super::cursor::{Outcome, Parser};
use crate::ddl::{
    AlterPlacementPolicy, AlterResourceGroup, CreatePlacementPolicy, CreateResourceGroup, Ddl,
    DropPlacementPolicy, DropResourceGroup, PlacementOption, PlacementValue, ResourceGroupOption,
};
use crate::lexer::{Symbol, TokenKind};

/// Options whose value is a number.
const COUNTS: [&str; 3] = ["FOLLOWERS", "VOTERS", "LEARNERS"];

/// Options whose value is a string.
const TEXTS: [&str; 9] = [
    "PRIMARY_REGION",
    "REGIONS",
    "SCHEDULE",
    "CONSTRAINTS",
    "LEADER_CONSTRAINTS",
    "FOLLOWER_CONSTRAINTS",
    "VOTER_CONSTRAINTS",
    "LEARNER_CONSTRAINTS",
    "SURVIVAL_PREFERENCES",
];

impl Parser<'_> {
    /// `PLACEMENT POLICY [=] name | 'name' | DEFAULT`, if it is next.
    pub(super) fn placement_option(&mut self) -> Outcome<Option<PlacementOption>> {
        if !self.eat_all(&["PLACEMENT", "POLICY"]) {
            return Ok(None);
        }
        if !self.eat_all(&["SET", "DEFAULT"]) {
            self.eat_equal();
            let name = if self.eat("DEFAULT") { "default".to_owned() } else { self.string_or_identifier()? };
            return Ok(Some(PlacementOption { name: "PLACEMENT POLICY", value: PlacementValue::Name(name) }));
        }
        let value = PlacementValue::Name("default".to_owned());
        Ok(Some(PlacementOption { name: "PLACEMENT POLICY", value }))
    }

    /// The options of a policy, with optional commas between.
    fn policy_options(&mut self) -> Outcome<Vec<PlacementOption>> {
        let mut options = Vec::new();
        loop {
            options.push(self.policy_option()?);
            self.eat_symbol(Symbol::Comma);
            if self.at_statement_end() {
                return Ok(options);
            }
        }
    }

    /// One option of a policy.
    fn policy_option(&mut self) -> Outcome<PlacementOption> {
        if let Some(name) = self.eat_one_of(&COUNTS) {
            self.eat_equal();
            return Ok(PlacementOption { name, value: PlacementValue::Number(self.number()?) });
        }
        let name = self.expect_one_of(&TEXTS)?;
        self.eat_equal();
        Ok(PlacementOption { name, value: PlacementValue::Text(self.string()?) })
    }

    /// What follows `CREATE [OR REPLACE] PLACEMENT POLICY`.
    pub(super) fn create_placement_policy(&mut self, or_replace: bool) -> Outcome<Ddl> {
        let if_not_exists = self.if_not_exists();
        let name = self.identifier()?;
        let options = self.policy_options()?;
        Ok(Ddl::CreatePlacementPolicy(CreatePlacementPolicy { or_replace, if_not_exists, name, options }))
    }

    /// What follows `ALTER PLACEMENT POLICY`.
    pub(super) fn alter_placement_policy(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.identifier()?;
        let options = self.policy_options()?;
        Ok(Ddl::AlterPlacementPolicy(AlterPlacementPolicy { if_exists, name, options }))
    }

    /// What follows `DROP PLACEMENT POLICY`.
    pub(super) fn drop_placement_policy(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.identifier()?;
        Ok(Ddl::DropPlacementPolicy(DropPlacementPolicy { if_exists, name }))
    }

    /// What follows `CREATE RESOURCE GROUP`.
    pub(super) fn create_resource_group(&mut self) -> Outcome<Ddl> {
        let if_not_exists = self.if_not_exists();
        let name = self.resource_group_name()?;
        let options = self.resource_group_options()?;
        Ok(Ddl::CreateResourceGroup(CreateResourceGroup { if_not_exists, name, options }))
    }

    /// What follows `ALTER RESOURCE GROUP`.
    pub(super) fn alter_resource_group(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.resource_group_name()?;
        let options = self.resource_group_options()?;
        Ok(Ddl::AlterResourceGroup(AlterResourceGroup { if_exists, name, options }))
    }

    /// What follows `DROP RESOURCE GROUP`.
    pub(super) fn drop_resource_group(&mut self) -> Outcome<Ddl> {
        let if_exists = self.if_exists();
        let name = self.resource_group_name()?;
        Ok(Ddl::DropResourceGroup(DropResourceGroup { if_exists, name }))
    }

    /// A group's name; `DEFAULT` names the default group.
    pub(super) fn resource_group_name(&mut self) -> Outcome<String> {
        if self.eat("DEFAULT") { Ok("default".to_owned()) } else { self.identifier() }
    }

    /// Options of a group, with optional commas between.
    fn resource_group_options(&mut self) -> Outcome<Vec<ResourceGroupOption>> {
        let mut options = Vec::new();
        loop {
            options.push(self.resource_group_option()?);
            self.eat_symbol(Symbol::Comma);
            if self.at_statement_end() {
                return Ok(options);
            }
        }
    }

    /// One option of a group.
    fn resource_group_option(&mut self) -> Outcome<ResourceGroupOption> {
        let word =
            self.expect_one_of(&["RU_PER_SEC", "PRIORITY", "BURSTABLE", "QUERY_LIMIT", "BACKGROUND"])?;
        let equal = self.eat_symbol(Symbol::Equal);
        Ok(match word {
            "RU_PER_SEC" if self.eat("UNLIMITED") => ResourceGroupOption::RuPerSecond(None),
            "RU_PER_SEC" => ResourceGroupOption::RuPerSecond(Some(self.number()?)),
            "PRIORITY" => {
                ResourceGroupOption::Priority(self.expect_one_of(&["LOW", "MEDIUM", "HIGH"])?.to_owned())
            }
            "BURSTABLE" if !equal => ResourceGroupOption::Burstable(None),
            "BURSTABLE" => {
                let mode = self.expect_one_of(&["TRUE", "FALSE", "OFF", "MODERATED", "UNLIMITED"])?;
                ResourceGroupOption::Burstable(Some(mode.to_owned()))
            }
            name => ResourceGroupOption::Block { name, text: self.block_text()? },
        })
    }

    /// `NULL`, or the text between parentheses as typed.
    fn block_text(&mut self) -> Outcome<Option<String>> {
        if self.eat("NULL") {
            return Ok(None);
        }
        self.expect_symbol(Symbol::LeftParen)?;
        let start = self.offset();
        let mut depth = 1_usize;
        loop {
            match self.kind() {
                TokenKind::Symbol(Symbol::LeftParen) => depth += 1,
                TokenKind::Symbol(Symbol::RightParen) => depth -= 1,
                TokenKind::End | TokenKind::Invalid => return self.unexpected(),
                _ => {}
            }
            if depth == 0 {
                let text = self.slice(start..self.offset()).to_owned();
                self.advance();
                return Ok(if text.is_empty() { None } else { Some(text) });
            }
            self.advance();
        }
    }
}
