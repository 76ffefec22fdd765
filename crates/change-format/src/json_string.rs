//! JSON strings as Go's encoder writes them with HTML escaping on: what consumers of Canal-JSON are used to.

/// Bytes looked at together while searching for one that needs escaping.
const BLOCK: usize = 32;
/// First byte of U+2028 and U+2029 in UTF-8.
const SEPARATOR_LEAD: u8 = 0xE2;
/// What stands for a byte that is not UTF-8.
const REPLACEMENT: &[u8] = b"\\ufffd";
/// Lower-case hexadecimal digits.
const HEX: [u8; 16] = *b"0123456789abcdef";

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become `\ufffd`, one each.
pub(crate) fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    write_text_content(text, out);
    out.push(b'"');
}

/// Appends binary data as a JSON string with its quotes: each byte stands for the code point of its value.
pub(crate) fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let (plain, tail) = rest.split_at(plain_ascii_len(rest));
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        if *byte < 0x80 {
            write_escape(*byte, out);
        } else {
            out.extend_from_slice(&[0xC0 | byte >> 6, 0x80 | byte & 0x3F]);
        }
        rest = tail;
    }
    out.push(b'"');
}

/// Replaces the raw text that stands in `out` from `start` on by its escaped form.
pub(crate) fn escape_tail(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    let is_plain = out.get(start..end).is_none_or(|raw| plain_ascii_len(raw) == raw.len());
    if is_plain {
        return;
    }
    // The escaped form is built behind the raw one and then moved over it: no second buffer.
    let mut position = start;
    while position < end {
        let step = out.get(position..end).map_or(Step::End, next_step);
        match step {
            Step::Copy(len) => {
                out.extend_from_within(position..position + len);
                position += len;
            }
            Step::Escape(byte) => {
                write_escape(byte, out);
                position += 1;
            }
            Step::Separator(last) => {
                write_separator(last, out);
                position += 3;
            }
            Step::Invalid(len) => {
                (0..len).for_each(|_| out.extend_from_slice(REPLACEMENT));
                position += len;
            }
            Step::End => break,
        }
    }
    out.copy_within(end.., start);
    let escaped = out.len() - end;
    out.truncate(start + escaped);
}

/// Appends the escaped form of `text`.
fn write_text_content(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while !rest.is_empty() {
        let consumed = match next_step(rest) {
            Step::Copy(len) => {
                out.extend_from_slice(rest.get(..len).unwrap_or_default());
                len
            }
            Step::Escape(byte) => {
                write_escape(byte, out);
                1
            }
            Step::Separator(last) => {
                write_separator(last, out);
                3
            }
            Step::Invalid(len) => {
                (0..len).for_each(|_| out.extend_from_slice(REPLACEMENT));
                len
            }
            Step::End => return,
        };
        rest = rest.get(consumed..).unwrap_or_default();
    }
}

/// What to do with the front of a text.
pub(crate) enum Step {
    /// Copy this many bytes.
    Copy(usize),
    /// Escape one ASCII byte.
    Escape(u8),
    /// Escape U+2028 or U+2029; the last byte of its UTF-8 form.
    Separator(u8),
    /// Replace this many bytes that are not UTF-8.
    Invalid(usize),
    /// Nothing is left.
    End,
}

/// Decides on the front of `rest`.
#[inline]
pub(crate) fn next_step(rest: &[u8]) -> Step {
    let plain = plain_ascii_len(rest);
    if plain > 0 {
        return Step::Copy(plain);
    }
    match rest.first() {
        None => Step::End,
        Some(byte) if *byte < 0x80 => Step::Escape(*byte),
        Some(_) => beyond_ascii(rest),
    }
}

/// Decides on a front that begins with a byte above ASCII.
fn beyond_ascii(rest: &[u8]) -> Step {
    let len = rest.iter().position(|byte| *byte < 0x80).unwrap_or(rest.len());
    let run = rest.get(..len).unwrap_or_default();
    let valid = match std::str::from_utf8(run) {
        Ok(_) => run.len(),
        Err(error) => error.valid_up_to(),
    };
    if valid == 0 {
        // One replacement per byte of the malformed sequence, as Go does.
        let bad = std::str::from_utf8(run).err().and_then(|error| error.error_len()).unwrap_or(run.len());
        return Step::Invalid(bad.max(1));
    }
    let run = run.get(..valid).unwrap_or_default();
    match memchr::memchr_iter(SEPARATOR_LEAD, run).find(|at| separator_at(run, *at).is_some()) {
        Some(0) => separator_at(run, 0).map_or(Step::End, Step::Separator),
        Some(at) => Step::Copy(at),
        None => Step::Copy(valid),
    }
}

/// The last byte of U+2028 or U+2029, if one stands at `at`.
fn separator_at(run: &[u8], at: usize) -> Option<u8> {
    match run.get(at..at + 3) {
        Some([SEPARATOR_LEAD, 0x80, last @ (0xA8 | 0xA9)]) => Some(*last),
        _ => None,
    }
}

/// Length of the front that is ASCII and needs no escape.
#[inline]
fn plain_ascii_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    for block in bytes.chunks(BLOCK) {
        // Without a branch per byte, so that the compiler uses vector instructions.
        let special = block.iter().fold(false, |found, byte| found | is_special(*byte));
        if special {
            return len + block.iter().position(|byte| is_special(*byte)).unwrap_or(block.len());
        }
        len += block.len();
    }
    len
}

/// Whether a byte is escaped or not ASCII.
#[inline]
const fn is_special(byte: u8) -> bool {
    (byte < 0x20)
        | (byte >= 0x80)
        | (byte == b'"')
        | (byte == b'\\')
        | (byte == b'<')
        | (byte == b'>')
        | (byte == b'&')
}

/// Appends the escape of an ASCII byte.
fn write_escape(byte: u8, out: &mut Vec<u8>) {
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        _ => {
            let digit = |value: u8| HEX.get(usize::from(value & 15)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
        }
    }
}

/// Appends the escape of U+2028 or U+2029.
fn write_separator(last: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(if last == 0xA8 { b"\\u2028" } else { b"\\u2029" });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(input: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(input, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn binary(input: &[u8]) -> String {
        let mut out = Vec::new();
        write_binary(input, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(text(b"a\"b\\c/"), r#""a\"b\\c/""#);
        assert_eq!(text(b"\t\n\r\x08\x0c\x00\x1f\x7f"), "\"\\t\\n\\r\\u0008\\u000c\\u0000\\u001f\x7f\"");
        assert_eq!(text(b"<&>"), r#""\u003c\u0026\u003e""#);
        assert_eq!(text("é日😀".as_bytes()), "\"é日😀\"");
        assert_eq!(text("日\u{2028}本\u{2029}\u{2027}".as_bytes()), "\"日\\u2028本\\u2029\u{2027}\"");
    }

    #[test]
    fn each_byte_that_is_not_utf8_is_replaced() {
        assert_eq!(text(b"a\xffb"), r#""a\ufffdb""#);
        assert_eq!(text(b"\xe6\x97"), r#""\ufffd\ufffd""#, "a sequence cut short has two bytes");
        assert_eq!(text(b"\xe6\x97\xa5\xc3x"), "\"日\\ufffdx\"");
    }

    #[test]
    fn binary_is_latin1() {
        assert_eq!(binary(b"\0A\xff\xc3\xa9<"), "\"\\u0000AÿÃ©\\u003c\"");
        assert_eq!(binary(b""), "\"\"");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(input in ".*") {
            prop_assert_eq!(serde_json::from_str::<String>(&text(input.as_bytes())).unwrap(), input);
        }

        #[test]
        fn binary_reads_back(input: Vec<u8>) {
            let read: String = serde_json::from_str(&binary(&input)).unwrap();
            prop_assert_eq!(read.chars().map(|c| c as u32 as u8).collect::<Vec<_>>(), input);
        }

        #[test]
        fn escaping_in_place_is_the_same(prefix: Vec<u8>, input in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..80),
            "[ -~\u{2028}é]*".prop_map(String::into_bytes),
        ]) {
            let mut out = prefix.clone();
            out.extend_from_slice(&input);
            escape_tail(&mut out, prefix.len());
            let mut expected = prefix;
            write_text_content(&input, &mut expected);
            prop_assert_eq!(out, expected);
        }
    }
}
