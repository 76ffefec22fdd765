//! Canal-JSON rows of a given size.

/// Digits of a row's number.
const DIGITS: usize = 10;

/// Makes rows that differ in a number and in the words that follow from it.
pub(crate) struct Rows {
    /// A row.
    text: Vec<u8>,
    /// Places of the number.
    places: Vec<usize>,
    /// Place and length of the words.
    words: std::ops::Range<usize>,
}

impl Rows {
    /// Rows of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        let number = "0".repeat(DIGITS);
        let head = format!(
            "{{\"id\":0,\"database\":\"shop\",\"table\":\"orders\",\"pkNames\":[\"id\"],\"isDdl\":false,\"type\":\"INSERT\",\
             \"es\":1732000000000,\"ts\":1732000000000,\"sql\":\"\",\"sqlType\":{{\"id\":-5,\"c\":12}},\
             \"mysqlType\":{{\"id\":\"bigint\",\"c\":\"varchar\"}},\"old\":null,\"data\":[{{\"id\":\"{number}\",\"c\":\""
        );
        let tail = "\"}]}";
        let places = vec![head.len() - "\",\"c\":\"".len() - DIGITS];
        let words = head.len()..size.max(head.len() + tail.len() + 1) - tail.len();
        let mut text = head.into_bytes();
        text.resize(words.end, b'a');
        text.extend(tail.bytes());
        Self { text, places, words }
    }

    /// The row with a number.
    pub(crate) fn row(&mut self, number: u64) -> &[u8] {
        let mut rest = number;
        for digit in (0..DIGITS).rev() {
            for place in &self.places {
                self.text[place + digit] = b'0' + (rest % 10) as u8;
            }
            rest /= 10;
        }
        // Text that codecs can do something with, but not too much: pseudo-random letters of a small alphabet.
        let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for byte in &mut self.text[self.words.clone()] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = b'a' + (state & 15) as u8;
        }
        &self.text
    }

    /// The number of a row.
    pub(crate) fn number(row: &[u8]) -> Option<u64> {
        let marker = b"\"data\":[{\"id\":\"";
        let start = row.windows(marker.len()).position(|window| window == marker)? + marker.len();
        std::str::from_utf8(row.get(start..start + DIGITS)?).ok()?.parse().ok()
    }
}
