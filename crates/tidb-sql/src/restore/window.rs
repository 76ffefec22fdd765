//! Window clauses.

use sqlparser::ast::{
    Expr, NamedWindowDefinition, NamedWindowExpr, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowSpec, WindowType,
};

use super::Written;
use super::writer::{Writer, unsupported};

impl Writer<'_> {
    /// What follows `OVER`.
    pub(super) fn window(&mut self, window: &WindowType) -> Written {
        match window {
            WindowType::WindowSpec(spec) => self.window_spec(spec),
            WindowType::NamedWindow(name) => {
                self.name(&name.value);
                Ok(())
            }
        }
    }

    /// `name AS (…)`.
    pub(super) fn named_window(&mut self, definition: &NamedWindowDefinition) -> Written {
        self.name(&definition.0.value);
        self.plain(" AS ");
        match &definition.1 {
            NamedWindowExpr::WindowSpec(spec) => self.window_spec(spec),
            NamedWindowExpr::NamedWindow(_) => unsupported("a window named by another"),
        }
    }

    /// `([name] [PARTITION BY …] [ORDER BY …] [frame])`.
    fn window_spec(&mut self, spec: &WindowSpec) -> Written {
        self.plain("(");
        let mut separator = "";
        if let Some(name) = &spec.window_name {
            self.name(&name.value);
            separator = " ";
        }
        if !spec.partition_by.is_empty() {
            self.plain(separator);
            self.plain("PARTITION BY ");
            self.separated(&spec.partition_by, ", ", Self::expr)?;
            separator = " ";
        }
        if !spec.order_by.is_empty() {
            self.plain(separator);
            self.order_by(&spec.order_by)?;
            separator = " ";
        }
        if let Some(frame) = &spec.window_frame {
            self.plain(separator);
            self.frame(frame)?;
        }
        self.plain(")");
        Ok(())
    }

    /// `ROWS BETWEEN … AND …`.
    fn frame(&mut self, frame: &WindowFrame) -> Written {
        self.plain(match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => return unsupported("a frame of groups"),
        });
        self.plain(" BETWEEN ");
        self.bound(&frame.start_bound)?;
        self.plain(" AND ");
        match &frame.end_bound {
            Some(bound) => self.bound(bound),
            None => {
                self.plain("CURRENT ROW");
                Ok(())
            }
        }
    }

    /// One bound.
    fn bound(&mut self, bound: &WindowFrameBound) -> Written {
        let (distance, side) = match bound {
            WindowFrameBound::CurrentRow => {
                self.plain("CURRENT ROW");
                return Ok(());
            }
            WindowFrameBound::Preceding(distance) => (distance, " PRECEDING"),
            WindowFrameBound::Following(distance) => (distance, " FOLLOWING"),
        };
        match distance.as_deref() {
            None => self.plain("UNBOUNDED"),
            Some(interval @ Expr::Interval(_)) => self.interval(interval)?,
            Some(expr) => self.expr(expr)?,
        }
        self.plain(side);
        Ok(())
    }
}
