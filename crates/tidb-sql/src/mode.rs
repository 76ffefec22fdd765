//! The parts of `sql_mode` that change how SQL text is read.

/// Bit of `REAL_AS_FLOAT` in TiDB's numeric `sql_mode` (as stored in a DDL job).
const REAL_AS_FLOAT: u64 = 1;
/// Bit of `PIPES_AS_CONCAT`.
const PIPES_AS_CONCAT: u64 = 1 << 1;
/// Bit of `ANSI_QUOTES`.
const ANSI_QUOTES: u64 = 1 << 2;
/// Bit of `IGNORE_SPACE`.
const IGNORE_SPACE: u64 = 1 << 3;
/// Bit of `NO_BACKSLASH_ESCAPES`.
const NO_BACKSLASH_ESCAPES: u64 = 1 << 20;
/// Bit of `HIGH_NOT_PRECEDENCE`.
const HIGH_NOT_PRECEDENCE: u64 = 1 << 29;

/// The parts of a session's `sql_mode` that the parser depends on. All off is TiDB's default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SqlMode {
    /// `"x"` is an identifier, not a string.
    pub ansi_quotes: bool,
    /// A backslash in a string is an ordinary character.
    pub no_backslash_escapes: bool,
    /// `a || b` concatenates instead of meaning `a OR b`.
    pub pipes_as_concat: bool,
    /// Built-in function names may be separated from their `(` by spaces.
    pub ignore_space: bool,
    /// `REAL` means `FLOAT` instead of `DOUBLE`.
    pub real_as_float: bool,
    /// `NOT` binds as strongly as `!`.
    pub high_not_precedence: bool,
}

impl SqlMode {
    /// Reads TiDB's numeric form, as found in the `sql_mode` field of a DDL job. Bits that do not concern the
    /// parser are ignored.
    pub fn from_bits(bits: u64) -> Self {
        Self {
            ansi_quotes: bits & ANSI_QUOTES != 0,
            no_backslash_escapes: bits & NO_BACKSLASH_ESCAPES != 0,
            pipes_as_concat: bits & PIPES_AS_CONCAT != 0,
            ignore_space: bits & IGNORE_SPACE != 0,
            real_as_float: bits & REAL_AS_FLOAT != 0,
            high_not_precedence: bits & HIGH_NOT_PRECEDENCE != 0,
        }
    }

    /// Reads the textual form of the variable: comma-separated names, case-insensitive. `ANSI` and the names of
    /// other databases stand for the sets of modes that MySQL documents. Unknown names are ignored.
    pub fn from_names(names: &str) -> Self {
        let mut mode = Self::default();
        for name in names.split(',') {
            match name.trim().to_ascii_uppercase().as_str() {
                "ANSI_QUOTES" => mode.ansi_quotes = true,
                "NO_BACKSLASH_ESCAPES" => mode.no_backslash_escapes = true,
                "PIPES_AS_CONCAT" => mode.pipes_as_concat = true,
                "IGNORE_SPACE" => mode.ignore_space = true,
                "REAL_AS_FLOAT" => mode.real_as_float = true,
                "HIGH_NOT_PRECEDENCE" => mode.high_not_precedence = true,
                "ANSI" => {
                    mode.ansi_quotes = true;
                    mode.pipes_as_concat = true;
                    mode.ignore_space = true;
                    mode.real_as_float = true;
                }
                "DB2" | "MAXDB" | "MSSQL" | "ORACLE" | "POSTGRESQL" => {
                    mode.ansi_quotes = true;
                    mode.pipes_as_concat = true;
                    mode.ignore_space = true;
                }
                _ => {}
            }
        }
        mode
    }
}

#[cfg(test)]
mod tests {
    use super::SqlMode;

    #[test]
    fn ansi_stands_for_its_parts() {
        let mode = SqlMode::from_names("strict_trans_tables, ansi");
        assert!(mode.ansi_quotes && mode.pipes_as_concat && mode.ignore_space && mode.real_as_float);
        assert!(!mode.no_backslash_escapes);
    }

    #[test]
    fn bits_and_names_agree() {
        assert_eq!(SqlMode::from_bits(1 << 20 | 4), SqlMode::from_names("ANSI_QUOTES,NO_BACKSLASH_ESCAPES"));
    }
}
