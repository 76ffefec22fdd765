//! A difference between a recording and our messages.

use std::fmt;

/// Bytes of each side that are shown before the first difference.
const CONTEXT: usize = 600;

/// Something that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where: partition and table, place among its messages.
    pub place: String,
    /// What was recorded, without what may differ; `None` if nothing.
    pub recorded: Option<String>,
    /// What we sent, without what may differ; `None` if nothing.
    pub ours: Option<String>,
}

impl Difference {
    /// Something that is wrong with our messages alone.
    pub(crate) fn ours(place: impl Into<String>, ours: impl Into<String>) -> Self {
        Self { place: place.into(), recorded: None, ours: Some(ours.into()) }
    }

    /// The first byte in which both sides differ.
    pub fn first_byte(&self) -> usize {
        let (recorded, ours) = (self.recorded.as_deref().unwrap_or(""), self.ours.as_deref().unwrap_or(""));
        recorded.bytes().zip(ours.bytes()).take_while(|(left, right)| left == right).count()
    }
}

/// A text around a byte, cut to a length that fits a terminal.
fn excerpt(text: &str, at: usize) -> String {
    let from = text.floor_char_boundary(at.saturating_sub(CONTEXT));
    let to = text.floor_char_boundary(at + CONTEXT);
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < text.len() { "…" } else { "" });
    format!("{before}{}{after}", text.get(from..to).unwrap_or(text))
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.first_byte();
        let side = |text: &Option<String>| {
            text.as_ref().map_or_else(|| "nothing".to_owned(), |text| excerpt(text, at))
        };
        let byte = match (&self.recorded, &self.ours) {
            (Some(_), Some(_)) => format!(", first differing byte {at}"),
            _ => String::new(),
        };
        write!(
            f,
            "{}{byte}\n    recorded {}\n    ours     {}",
            self.place,
            side(&self.recorded),
            side(&self.ours)
        )
    }
}
