//! Literals.

use sqlparser::ast::{DataType, Expr, Value};

use super::Written;
use super::writer::{Writer, unsupported};
use crate::error::RestoreError;

impl Writer<'_> {
    /// A literal.
    pub(super) fn value(&mut self, value: &Value) -> Written {
        match value {
            Value::Number(text, _) => {
                let number = canonical_number(text)?;
                self.plain(&number);
            }
            Value::SingleQuotedString(text) => {
                let charset = self.options.charset;
                self.charset_string(charset, text);
            }
            Value::NationalStringLiteral(text) => self.charset_string("utf8", text),
            Value::HexStringLiteral(digits) => {
                self.plain("x'");
                self.plain(&digits.to_ascii_lowercase());
                self.plain("'");
            }
            Value::SingleQuotedByteStringLiteral(digits) => {
                let significant = digits.trim_start_matches('0');
                self.plain("b'");
                self.plain(if significant.is_empty() && !digits.is_empty() { "0" } else { significant });
                self.plain("'");
            }
            Value::Boolean(true) => self.plain("TRUE"),
            Value::Boolean(false) => self.plain("FALSE"),
            Value::Null => self.plain("NULL"),
            Value::Placeholder(_) => self.plain("?"),
            other => return unsupported(format!("the literal {other}")),
        }
        Ok(())
    }

    /// A string with the introducer of a charset (empty: none).
    pub(super) fn charset_string(&mut self, charset: &str, text: &str) {
        if !charset.is_empty() {
            self.plain("_");
            self.upper(charset);
        }
        self.string_value(text);
    }

    /// A literal with an introducer.
    pub(super) fn introduced(&mut self, prefix: &str, value: &Expr) -> Written {
        let Expr::Value(value) = value else { return unsupported("an introducer before an expression") };
        let charset = prefix.strip_prefix('_').unwrap_or(prefix);
        let charset = if charset == "utf8mb3" { "utf8" } else { charset };
        if let Value::SingleQuotedString(text) = &value.value {
            self.charset_string(charset, text);
            return Ok(());
        }
        if charset != "utf8mb4" && charset != "binary" {
            self.plain("_");
            self.upper(charset);
            self.plain(" ");
        }
        self.value(&value.value)
    }

    /// `DATE '…'`.
    pub(super) fn typed_string(&mut self, typed: &sqlparser::ast::TypedString) -> Written {
        self.plain(match typed.data_type {
            DataType::Date => "DATE ",
            DataType::Time(..) => "TIME ",
            DataType::Timestamp(..) => "TIMESTAMP ",
            _ => return unsupported("a typed string"),
        });
        match &typed.value.value {
            Value::SingleQuotedString(text) => self.string_value(text),
            _ => return unsupported("a typed string"),
        }
        Ok(())
    }
}

/// A number as TiDB prints it: no needless zeros before the point, an exponent with sign and two digits.
fn canonical_number(text: &str) -> Result<String, RestoreError> {
    if text.contains(['e', 'E']) {
        let value: f64 = text.parse().map_err(|_| RestoreError::Unsupported(format!("the number {text}")))?;
        if !value.is_finite() {
            return unsupported(format!("the number {text}"));
        }
        let printed = format!("{value:e}");
        let (mantissa, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return Ok(format!("{mantissa}e{sign}{digits:0>2}"));
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

#[cfg(test)]
mod tests {
    use super::canonical_number;

    #[test]
    fn numbers_are_printed_as_tidb_does() {
        for (typed, printed) in [
            ("007", "7"),
            ("0", "0"),
            (".5", "0.5"),
            ("1.50", "1.50"),
            ("1.", "1"),
            ("1e10", "1e+10"),
            ("1.5E-7", "1.5e-07"),
            ("12e100", "1.2e+101"),
        ] {
            assert_eq!(canonical_number(typed).as_deref(), Ok(printed), "{typed}");
        }
    }
}
