//! Tables and joins of queries.

use sqlparser::ast::{
    Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableFactor, TableIndexHintForClause,
    TableIndexHintType, TableIndexHints, TableVersion, TableWithJoins,
};

use super::Written;
use super::writer::{Writer, unsupported};
use crate::ddl::TableName;

/// The tree of joins as TiDB builds it: its shape decides on parentheses.
enum Node<'a> {
    /// A table or derived table.
    Source(&'a TableFactor),
    /// What stands alone where a join could be.
    Single(Box<Node<'a>>),
    /// Two sides.
    Joined {
        /// Left side.
        left: Box<Node<'a>>,
        /// Kind and condition; `None` for a comma.
        operator: Option<&'a JoinOperator>,
        /// Right side.
        right: Box<Node<'a>>,
    },
}

/// The tree of a comma-separated list.
fn list_node(tables: &[TableWithJoins]) -> Option<Node<'_>> {
    let (first, rest) = tables.split_first()?;
    let mut node = match table_node(first)? {
        source @ Node::Source(_) => Node::Single(Box::new(source)),
        joined => joined,
    };
    for table in rest {
        node = Node::Joined { left: Box::new(node), operator: None, right: Box::new(table_node(table)?) };
    }
    Some(node)
}

/// The tree of a table with its joins.
fn table_node(table: &TableWithJoins) -> Option<Node<'_>> {
    let mut node = factor_node(&table.relation)?;
    for Join { relation, join_operator, .. } in &table.joins {
        let right = Box::new(factor_node(relation)?);
        node = Node::Joined { left: Box::new(node), operator: Some(join_operator), right };
    }
    Some(node)
}

/// The tree of a table or of joins in parentheses.
fn factor_node(factor: &TableFactor) -> Option<Node<'_>> {
    match factor {
        TableFactor::NestedJoin { table_with_joins, .. } => list_node(std::slice::from_ref(table_with_joins)),
        other => Some(Node::Source(other)),
    }
}

impl Writer<'_> {
    /// What follows `FROM`.
    pub(super) fn table_references(&mut self, tables: &[TableWithJoins]) -> Written {
        match list_node(tables) {
            Some(node) => self.join_node(&node),
            None => unsupported("FROM without tables"),
        }
    }

    /// A tree of joins.
    fn join_node(&mut self, node: &Node<'_>) -> Written {
        let (left, operator, right) = match node {
            Node::Source(factor) => return self.table_factor(factor),
            Node::Single(inner) => return self.join_node(inner),
            Node::Joined { left, operator, right } => (left, operator, right),
        };
        let comma = matches!(left.as_ref(), Node::Single(inner) if matches!(inner.as_ref(), Node::Source(TableFactor::Derived { .. })));
        self.side(left, comma)?;
        let constraint = match operator {
            Some(operator) => self.join_words(operator)?,
            None => {
                self.plain(if comma { ", " } else { " JOIN " });
                None
            }
        };
        self.side(right, false)?;
        match constraint {
            Some(constraint) => self.join_constraint(constraint),
            None => Ok(()),
        }
    }

    /// A side of a join; a join as side stands in parentheses.
    fn side(&mut self, node: &Node<'_>, bare: bool) -> Written {
        if bare || matches!(node, Node::Source(_)) {
            self.join_node(node)
        } else {
            self.in_parentheses(|w| w.join_node(node))
        }
    }

    /// The words of a join; its constraint comes back.
    fn join_words<'j>(
        &mut self,
        operator: &'j JoinOperator,
    ) -> Result<Option<&'j JoinConstraint>, crate::error::RestoreError> {
        let (words, constraint) = match operator {
            JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => (" JOIN ", c),
            JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (" LEFT JOIN ", c),
            JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (" RIGHT JOIN ", c),
            JoinOperator::StraightJoin(c) => (" STRAIGHT_JOIN ", c),
            _ => return unsupported("this kind of join"),
        };
        if *constraint == JoinConstraint::Natural {
            self.plain(" NATURAL");
        }
        self.plain(words);
        Ok(Some(constraint))
    }

    /// ` ON …`, ` USING (…)`.
    fn join_constraint(&mut self, constraint: &JoinConstraint) -> Written {
        match constraint {
            JoinConstraint::On(condition) => {
                self.plain(" ON ");
                self.expr(condition)
            }
            JoinConstraint::Using(columns) => {
                self.plain(" USING ");
                self.in_parentheses(|w| w.separated(columns, ",", Self::object_name))
            }
            JoinConstraint::Natural | JoinConstraint::None => Ok(()),
        }
    }

    /// A table or derived table with its alias.
    fn table_factor(&mut self, factor: &TableFactor) -> Written {
        match factor {
            TableFactor::Table { name, alias, version, partitions, index_hints, .. } => {
                self.relation(name)?;
                if !partitions.is_empty() {
                    self.plain(" PARTITION(");
                    self.separated(partitions, ", ", |w, name| {
                        w.name(&name.value);
                        Ok(())
                    })?;
                    self.plain(")");
                }
                if let Some(alias) = alias {
                    self.plain(" AS ");
                    self.name(&alias.name.value);
                }
                self.version(version)?;
                index_hints.iter().for_each(|hint| self.index_hint(hint));
                Ok(())
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                if *lateral {
                    self.plain("LATERAL ");
                }
                self.in_parentheses(|w| w.query(subquery))?;
                if let Some(alias) = alias {
                    if !alias.columns.is_empty() {
                        return unsupported("column names of a derived table");
                    }
                    self.plain(" AS ");
                    self.name(&alias.name.value);
                }
                Ok(())
            }
            _ => unsupported("this kind of table"),
        }
    }

    /// A table's name, qualified unless it is a common table expression.
    fn relation(&mut self, name: &ObjectName) -> Written {
        match name.0.as_slice() {
            [ObjectNamePart::Identifier(table)] if self.ctes.contains(&table.value.to_lowercase()) => {
                self.name(&table.value);
                Ok(())
            }
            [ObjectNamePart::Identifier(table)] => {
                self.table_name(&TableName::bare(&table.value));
                Ok(())
            }
            _ => self.object_name(name),
        }
    }

    /// ` AS OF TIMESTAMP …`.
    fn version(&mut self, version: &Option<TableVersion>) -> Written {
        match version {
            Some(TableVersion::TimestampAsOf(expr)) => {
                self.plain(" AS OF TIMESTAMP ");
                self.expr(expr)
            }
            Some(_) => unsupported("this version of a table"),
            None => Ok(()),
        }
    }

    /// ` USE INDEX (…)`.
    fn index_hint(&mut self, hint: &TableIndexHints) {
        self.plain(match hint.hint_type {
            TableIndexHintType::Use => " USE INDEX",
            TableIndexHintType::Ignore => " IGNORE INDEX",
            TableIndexHintType::Force => " FORCE INDEX",
        });
        self.plain(match hint.for_clause {
            Some(TableIndexHintForClause::Join) => " FOR JOIN",
            Some(TableIndexHintForClause::OrderBy) => " FOR ORDER BY",
            Some(TableIndexHintForClause::GroupBy) => " FOR GROUP BY",
            None => "",
        });
        self.plain(" (");
        for (i, name) in hint.index_names.iter().enumerate() {
            if i > 0 {
                self.plain(", ");
            }
            self.name(&name.value);
        }
        self.plain(")");
    }
}
