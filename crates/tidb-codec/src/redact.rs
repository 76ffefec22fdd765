//! Values and keys of users' rows in messages: shown, marked, or hidden.
//!
//! The mode belongs to the process, as a log does. Whoever puts a value or a key of a row into a log line or an error
//! wraps it in [`Sensitive`].

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// What messages show of rows, from the least to the most restrictive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redaction {
    /// Everything.
    Off,
    /// Everything, between `‹` and `›`, so that a tool can take it out later.
    Marker,
    /// A question mark.
    On,
}

/// A word that is no mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid redact mode '{0}': must be 'off', 'on', or 'marker'")]
pub struct UnknownRedaction(pub String);

/// The mode of the process.
static MODE: AtomicU8 = AtomicU8::new(0);

impl Redaction {
    /// The modes by their number in [`MODE`].
    const ALL: [Self; 3] = [Self::Off, Self::Marker, Self::On];

    /// The mode of the process.
    pub fn current() -> Self {
        Self::of(MODE.load(Ordering::Relaxed))
    }

    /// The mode with a number; what is unknown counts as the strictest.
    fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::On)
    }

    /// Makes this the mode of the process if it is at least as restrictive as the one that holds, which is returned.
    ///
    /// # Errors
    /// The mode that holds, if it is more restrictive: nothing is changed then. Concurrent calls end with the strictest.
    pub fn tighten(self) -> Result<Self, Self> {
        let stricter = |number| (Self::of(number) <= self).then_some(self as u8);
        match MODE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, stricter) {
            Ok(previous) => Ok(Self::of(previous)),
            Err(current) => Err(Self::of(current)),
        }
    }

    /// TiCDC's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "OFF",
            Self::Marker => "MARKER",
            Self::On => "ON",
        }
    }

    /// Writes a value in this mode.
    fn write(self, f: &mut fmt::Formatter<'_>, value: &dyn fmt::Display) -> fmt::Result {
        match self {
            Self::Off => value.fmt(f),
            Self::On => f.write_str("?"),
            // Marks inside of the value are doubled, so that its end can be told.
            Self::Marker => {
                let text = value.to_string().replace('‹', "‹‹").replace('›', "››");
                write!(f, "‹{text}›")
            }
        }
    }
}

impl FromStr for Redaction {
    type Err = UnknownRedaction;

    /// Reads a mode as TiCDC does: its name or a word that means the same, in any case.
    fn from_str(text: &str) -> Result<Self, UnknownRedaction> {
        match text.trim().to_ascii_lowercase().as_str() {
            "off" | "false" | "0" | "disable" | "disabled" => Ok(Self::Off),
            "on" | "true" | "1" | "enable" | "enabled" => Ok(Self::On),
            "marker" | "mark" => Ok(Self::Marker),
            _ => Err(UnknownRedaction(text.to_owned())),
        }
    }
}

/// A value or a key of a row; how it is shown is up to the mode at that moment.
#[derive(Debug, Clone, Copy)]
pub struct Sensitive<T>(pub T);

impl<T: fmt::Display> fmt::Display for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Redaction::current().write(f, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value as a mode shows it. The mode of the process is left alone: other tests read messages.
    fn shown(mode: Redaction, value: &str) -> String {
        struct In<'a>(Redaction, &'a str);
        impl fmt::Display for In<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write(f, &self.1)
            }
        }
        In(mode, value).to_string()
    }

    #[test]
    fn values_are_shown_marked_or_hidden() {
        assert_eq!(shown(Redaction::Off, "a‹b"), "a‹b");
        assert_eq!(shown(Redaction::On, "a"), "?");
        assert_eq!(shown(Redaction::Marker, "a"), "‹a›");
        assert_eq!(shown(Redaction::Marker, "a‹b›c"), "‹a‹‹b››c›");
    }

    #[test]
    fn words_for_modes_are_those_of_the_reference_system() {
        for (word, mode) in [
            ("off", Redaction::Off),
            ("FALSE", Redaction::Off),
            ("0", Redaction::Off),
            (" On ", Redaction::On),
            ("enable", Redaction::On),
            ("1", Redaction::On),
            ("Marker", Redaction::Marker),
            ("mark", Redaction::Marker),
        ] {
            assert_eq!(word.parse(), Ok(mode), "{word}");
        }
        let error = "maybe".parse::<Redaction>().unwrap_err();
        assert_eq!(error.to_string(), "invalid redact mode 'maybe': must be 'off', 'on', or 'marker'");
        assert!("".parse::<Redaction>().is_err());
        assert!(Redaction::Off < Redaction::Marker && Redaction::Marker < Redaction::On);
        assert_eq!(Redaction::of(9), Redaction::On, "what is unknown hides");
    }
}
