//! Canal-JSON rows of a given size.

/// Digits of a row's number.
const DIGITS: usize = 10;

/// Different texts of rows. They are made before anything is measured, as the tool of Kafka makes its own.
pub(crate) const DIFFERENT: u64 = 100_000;

/// Rows that differ in a number and in words.
pub(crate) struct Rows {
    /// Texts, side by side.
    texts: Vec<u8>,
    /// Bytes of each.
    size: usize,
    /// Place of the number in each.
    place: usize,
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
        let place = head.len() - "\",\"c\":\"".len() - DIGITS;
        let words = head.len()..size.max(head.len() + tail.len() + 1) - tail.len();
        let mut text = head.into_bytes();
        text.resize(words.end, b'a');
        text.extend(tail.bytes());
        let mut texts = Vec::with_capacity(text.len() * DIFFERENT as usize);
        for number in 0..DIFFERENT {
            fill(&mut text[words.clone()], number);
            texts.extend_from_slice(&text);
        }
        Self { texts, size: text.len(), place }
    }

    /// The row with a number.
    pub(crate) fn row(&mut self, number: u64) -> &[u8] {
        let start = (number % DIFFERENT) as usize * self.size;
        let text = &mut self.texts[start..start + self.size];
        let mut rest = number;
        for digit in text[self.place..self.place + DIGITS].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        text
    }

    /// The number of a row.
    pub(crate) fn number(row: &[u8]) -> Option<u64> {
        let marker = b"\"data\":[{\"id\":\"";
        let start = row.windows(marker.len()).position(|window| window == marker)? + marker.len();
        std::str::from_utf8(row.get(start..start + DIGITS)?).ok()?.parse().ok()
    }
}

/// Text that codecs can do something with, but not too much: pseudo-random letters of a small alphabet.
fn fill(words: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in words {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = b'a' + (state & 15) as u8;
    }
}
