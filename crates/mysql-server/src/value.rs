//! Values of result rows, in text and binary form.

use crate::column::{Column, column_type};
use crate::wire::put_lenenc_bytes;

/// A point in time without zone; all zero is MySQL's zero date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DateTime {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// True for spans below zero.
    pub negative: bool,
    /// Whole hours, up to 838.
    pub hours: u32,
    /// 0 to 59.
    pub minutes: u8,
    /// 0 to 59.
    pub seconds: u8,
    /// 0 to 999,999.
    pub micros: u32,
}

/// One value of a row. The column's type decides the width of numbers on the binary protocol.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A signed integer, also YEAR.
    Int(i64),
    /// An unsigned integer.
    UInt(u64),
    /// FLOAT, with the text that the text protocol sends.
    Float(f32, &'a str),
    /// DOUBLE, with the text that the text protocol sends.
    Double(f64, &'a str),
    /// Strings, blobs, decimals, JSON, enums, sets, bits: the bytes as they go out.
    Bytes(&'a [u8]),
    /// DATE, DATETIME, TIMESTAMP; fraction digits come from the column.
    DateTime(DateTime),
    /// TIME; fraction digits come from the column.
    Time(Time),
}

/// Appends `.` and the first `digits` digits of a fraction.
fn put_fraction(out: &mut Vec<u8>, micros: u32, digits: u8) {
    let digits = usize::from(digits.min(6));
    if digits > 0 {
        out.push(b'.');
        out.extend_from_slice(&format!("{micros:06}").as_bytes()[..digits]);
    }
}

impl Value<'_> {
    /// Appends the text form, with its length prefix.
    pub(crate) fn put_text(&self, column: &Column, out: &mut Vec<u8>) {
        let mut text = Vec::new();
        match *self {
            Self::Null => {
                out.push(0xfb);
                return;
            }
            Self::Bytes(bytes) => return put_lenenc_bytes(out, bytes),
            Self::Float(_, text) | Self::Double(_, text) => return put_lenenc_bytes(out, text.as_bytes()),
            Self::Int(n) => text.extend_from_slice(n.to_string().as_bytes()),
            Self::UInt(n) => text.extend_from_slice(n.to_string().as_bytes()),
            Self::DateTime(t) => {
                text.extend_from_slice(format!("{:04}-{:02}-{:02}", t.year, t.month, t.day).as_bytes());
                if column.kind != column_type::DATE {
                    text.extend_from_slice(
                        format!(" {:02}:{:02}:{:02}", t.hour, t.minute, t.second).as_bytes(),
                    );
                    put_fraction(&mut text, t.micros, column.decimals);
                }
            }
            Self::Time(t) => {
                let sign = if t.negative { "-" } else { "" };
                text.extend_from_slice(
                    format!("{sign}{:02}:{:02}:{:02}", t.hours, t.minutes, t.seconds).as_bytes(),
                );
                put_fraction(&mut text, t.micros, column.decimals);
            }
        }
        put_lenenc_bytes(out, &text);
    }

    /// Appends the binary form; NULL is in the row's bitmap and writes nothing.
    pub(crate) fn put_binary(&self, column: &Column, out: &mut Vec<u8>) {
        match *self {
            Self::Null => {}
            Self::Int(n) => put_integer(out, column.kind, n as u64),
            Self::UInt(n) => put_integer(out, column.kind, n),
            Self::Float(f, _) if column.kind == column_type::FLOAT => out.extend_from_slice(&f.to_le_bytes()),
            Self::Float(f, _) => out.extend_from_slice(&f64::from(f).to_le_bytes()),
            Self::Double(f, _) => out.extend_from_slice(&f.to_le_bytes()),
            Self::Bytes(bytes) => put_lenenc_bytes(out, bytes),
            Self::DateTime(t) => put_datetime(out, t, column.kind == column_type::DATE),
            Self::Time(t) => put_time(out, t),
        }
    }
}

/// An integer in the width of its column; columns that are not integers get its text.
fn put_integer(out: &mut Vec<u8>, kind: u8, n: u64) {
    match kind {
        column_type::TINY => out.push(n as u8),
        column_type::SHORT | column_type::YEAR => out.extend_from_slice(&(n as u16).to_le_bytes()),
        column_type::LONG | column_type::INT24 => out.extend_from_slice(&(n as u32).to_le_bytes()),
        column_type::LONGLONG => out.extend_from_slice(&n.to_le_bytes()),
        _ => put_lenenc_bytes(out, (n as i64).to_string().as_bytes()),
    }
}

/// Date, or date and time, in its shortest form.
fn put_datetime(out: &mut Vec<u8>, t: DateTime, date_only: bool) {
    let has_time = !date_only && (t.hour, t.minute, t.second, t.micros) != (0, 0, 0, 0);
    let length = match (t == DateTime::default(), has_time, t.micros != 0) {
        (true, _, _) => 0,
        (_, false, _) => 4,
        (_, true, false) => 7,
        (_, true, true) => 11,
    };
    out.push(length);
    if length >= 4 {
        out.extend_from_slice(&t.year.to_le_bytes());
        out.extend_from_slice(&[t.month, t.day]);
    }
    if length >= 7 {
        out.extend_from_slice(&[t.hour, t.minute, t.second]);
    }
    if length == 11 {
        out.extend_from_slice(&t.micros.to_le_bytes());
    }
}

/// A span of time in its shortest form.
fn put_time(out: &mut Vec<u8>, t: Time) {
    if (t.hours, t.minutes, t.seconds, t.micros) == (0, 0, 0, 0) {
        out.push(0);
        return;
    }
    out.push(if t.micros == 0 { 8 } else { 12 });
    out.push(t.negative.into());
    out.extend_from_slice(&(t.hours / 24).to_le_bytes());
    out.extend_from_slice(&[(t.hours % 24) as u8, t.minutes, t.seconds]);
    if t.micros != 0 {
        out.extend_from_slice(&t.micros.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: Value<'_>, kind: u8, decimals: u8) -> String {
        let mut out = Vec::new();
        value.put_text(&Column { kind, decimals, ..Column::default() }, &mut out);
        String::from_utf8(out[1..].to_vec()).expect("ascii")
    }

    #[test]
    fn text_forms_follow_the_column() {
        let at = DateTime { year: 2026, month: 1, day: 2, hour: 3, minute: 4, second: 5, micros: 60_000 };
        assert_eq!(text(Value::DateTime(at), column_type::DATE, 0), "2026-01-02");
        assert_eq!(text(Value::DateTime(at), column_type::DATETIME, 0), "2026-01-02 03:04:05");
        assert_eq!(text(Value::DateTime(at), column_type::DATETIME, 3), "2026-01-02 03:04:05.060");
        let span = Time { negative: true, hours: 838, minutes: 59, seconds: 59, micros: 1 };
        assert_eq!(text(Value::Time(span), column_type::TIME, 6), "-838:59:59.000001");
        assert_eq!(
            text(Value::DateTime(DateTime::default()), column_type::DATETIME, 0),
            "0000-00-00 00:00:00"
        );
    }

    #[test]
    fn binary_forms_have_the_width_of_the_column() {
        let binary = |value: Value<'_>, kind| {
            let mut out = Vec::new();
            value.put_binary(&Column { kind, ..Column::default() }, &mut out);
            out
        };
        assert_eq!(binary(Value::Int(-2), column_type::TINY), [0xfe]);
        assert_eq!(binary(Value::Int(-2), column_type::LONG), [0xfe, 0xff, 0xff, 0xff]);
        assert_eq!(binary(Value::UInt(7), column_type::LONGLONG), [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(binary(Value::DateTime(DateTime::default()), column_type::DATETIME), [0]);
        let noon = DateTime { year: 2026, month: 1, day: 2, hour: 12, ..DateTime::default() };
        assert_eq!(binary(Value::DateTime(noon), column_type::DATETIME), [7, 0xea, 7, 1, 2, 12, 0, 0]);
        let span = Time { hours: 25, ..Time::default() };
        assert_eq!(binary(Value::Time(span), column_type::TIME), [8, 0, 1, 0, 0, 0, 1, 0, 0]);
    }
}
