//! Window clauses.

use sqlparser::ast::{
    Expr, Function, NamedWindowDefinition, NamedWindowExpr, NullTreatment, WindowFrame, WindowFrameBound,
    WindowFrameUnits, WindowSpec, WindowType,
};

use super::cursor::{Outcome, Parser};
use crate::lexer::Symbol;

impl Parser<'_> {
    /// `[FROM FIRST] [RESPECT NULLS | IGNORE NULLS] OVER …` after a call.
    pub(super) fn window_suffix(&mut self, function: &mut Function) -> Outcome<()> {
        if self.are_keywords(&["FROM", "FIRST"]) && !self.symbol_at(2, Symbol::Dot) && self.over_follows(2) {
            self.eat_all(&["FROM", "FIRST"]);
        }
        if self.eat_all(&["RESPECT", "NULLS"]) {
            function.null_treatment = Some(NullTreatment::RespectNulls);
        } else if self.eat_all(&["IGNORE", "NULLS"]) {
            function.null_treatment = Some(NullTreatment::IgnoreNulls);
        }
        if !self.eat("OVER") {
            return Ok(());
        }
        let over = match self.is_symbol(Symbol::LeftParen) {
            true => WindowType::WindowSpec(self.nested(|p| p.parenthesized(Self::window_spec))?),
            false => WindowType::NamedWindow(self.ident()?),
        };
        super::function::set_over(function, over);
        Ok(())
    }

    /// Whether a window clause goes on at a distance.
    fn over_follows(&self, distance: usize) -> bool {
        ["OVER", "RESPECT", "IGNORE"].iter().any(|keyword| self.keyword_at(distance, keyword))
    }

    /// `[name] [PARTITION BY …] [ORDER BY …] [frame]`.
    fn window_spec(&mut self) -> Outcome<WindowSpec> {
        let window_name = if self.identifier_at(0) { Some(self.ident()?) } else { None };
        let partition_by = match self.eat_all(&["PARTITION", "BY"]) {
            true => self.expr_list()?,
            false => Vec::new(),
        };
        let order_by = match self.are_keywords(&["ORDER", "BY"]) {
            true => self.order_by_list()?,
            false => Vec::new(),
        };
        let units = self.eat_one_of(&["ROWS", "RANGE"]).map(|keyword| match keyword {
            "ROWS" => WindowFrameUnits::Rows,
            _ => WindowFrameUnits::Range,
        });
        let window_frame = match units {
            Some(units) => Some(self.window_frame(units)?),
            None => None,
        };
        Ok(WindowSpec { window_name, partition_by, order_by, window_frame })
    }

    /// The bounds of a frame.
    fn window_frame(&mut self, units: WindowFrameUnits) -> Outcome<WindowFrame> {
        if !self.eat("BETWEEN") {
            return Ok(WindowFrame { units, start_bound: self.frame_bound()?, end_bound: None });
        }
        let start_bound = self.frame_bound()?;
        self.expect("AND")?;
        Ok(WindowFrame { units, start_bound, end_bound: Some(self.frame_bound()?) })
    }

    /// One bound.
    fn frame_bound(&mut self) -> Outcome<WindowFrameBound> {
        if self.eat_all(&["CURRENT", "ROW"]) {
            return Ok(WindowFrameBound::CurrentRow);
        }
        let distance: Option<Box<Expr>> = if self.eat("UNBOUNDED") {
            None
        } else if self.interval_follows() {
            Some(self.interval()?)
        } else {
            Some(self.expr_box()?)
        };
        Ok(match self.expect_one_of(&["PRECEDING", "FOLLOWING"])? {
            "PRECEDING" => WindowFrameBound::Preceding(distance),
            _ => WindowFrameBound::Following(distance),
        })
    }

    /// `WINDOW name AS (…), …`.
    pub(super) fn named_windows(&mut self) -> Outcome<Vec<NamedWindowDefinition>> {
        if !self.eat("WINDOW") {
            return Ok(Vec::new());
        }
        self.comma_list(|p| {
            let name = p.ident()?;
            p.expect("AS")?;
            let spec = p.parenthesized(Self::window_spec)?;
            Ok(NamedWindowDefinition(name, NamedWindowExpr::WindowSpec(spec)))
        })
    }
}
