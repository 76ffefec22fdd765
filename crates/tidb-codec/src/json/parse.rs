//! JSON text to trees.

use super::{JsonNode, MAX_DEPTH};
use crate::CodecError;

impl JsonNode {
    /// Parses JSON text, see [`super::Json::parse`].
    ///
    /// # Errors
    /// Text that is no JSON, or nesting deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Self, CodecError> {
        let mut parser = Parser { text, at: 0 };
        parser.skip_blanks();
        if parser.peek().is_none() {
            return Err(parser.error("the document is empty"));
        }
        let node = parser.value(0)?;
        parser.skip_blanks();
        match parser.peek() {
            None => Ok(node),
            Some(_) => Err(parser.error("the document root must not be followed by other values")),
        }
    }
}

/// A place in a text.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    /// An error here.
    fn error(&self, reason: &'static str) -> CodecError {
        CodecError::InvalidJsonText { reason, position: self.at }
    }

    /// The next byte.
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The bytes from here on.
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Skips white space.
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips `byte`, if it is next.
    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Parses a value `depth` levels down.
    fn value(&mut self, depth: usize) -> Result<JsonNode, CodecError> {
        match self.peek() {
            Some(b'{') => self.object(deeper(depth)?),
            Some(b'[') => self.array(deeper(depth)?),
            Some(b'"') => self.string().map(JsonNode::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", JsonNode::Bool(true)),
            Some(b'f') => self.word("false", JsonNode::Bool(false)),
            Some(b'n') => self.word("null", JsonNode::Null),
            _ => Err(self.error("a value is expected")),
        }
    }

    /// Parses a literal.
    fn word(&mut self, word: &'static str, node: JsonNode) -> Result<JsonNode, CodecError> {
        if !self.rest().starts_with(word.as_bytes()) {
            return Err(self.error("a literal is misspelt"));
        }
        self.at += word.len();
        Ok(node)
    }

    /// Parses an array.
    fn array(&mut self, depth: usize) -> Result<JsonNode, CodecError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.accept(b']') {
            return Ok(JsonNode::Array(members));
        }
        loop {
            self.skip_blanks();
            members.push(self.value(depth)?);
            self.skip_blanks();
            if self.accept(b']') {
                return Ok(JsonNode::Array(members));
            }
            if !self.accept(b',') {
                return Err(self.error("',' or ']' is expected"));
            }
        }
    }

    /// Parses an object.
    fn object(&mut self, depth: usize) -> Result<JsonNode, CodecError> {
        self.at += 1;
        let mut members = Vec::new();
        self.skip_blanks();
        if self.accept(b'}') {
            return Ok(JsonNode::Object(members));
        }
        loop {
            self.skip_blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key is expected"));
            }
            let key = self.string()?;
            self.skip_blanks();
            if !self.accept(b':') {
                return Err(self.error("':' is expected"));
            }
            self.skip_blanks();
            members.push((key, self.value(depth)?));
            self.skip_blanks();
            if self.accept(b'}') {
                return Ok(JsonNode::Object(members));
            }
            if !self.accept(b',') {
                return Err(self.error("',' or '}' is expected"));
            }
        }
    }

    /// Parses a number.
    fn number(&mut self) -> Result<JsonNode, CodecError> {
        let start = self.at;
        self.accept(b'-');
        if !self.accept(b'0') && self.digits() == 0 {
            return Err(self.error("a digit is expected"));
        }
        let mut whole = true;
        if self.accept(b'.') {
            whole = false;
            if self.digits() == 0 {
                return Err(self.error("a digit is expected"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            if !self.accept(b'+') {
                self.accept(b'-');
            }
            if self.digits() == 0 {
                return Err(self.error("a digit is expected"));
            }
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if whole && let Ok(value) = text.parse() {
            return Ok(JsonNode::Int(value));
        }
        if whole && let Ok(value) = text.parse() {
            return Ok(JsonNode::Uint(value));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(JsonNode::Double(value)),
            _ => Err(self.error("a number is out of range")),
        }
    }

    /// Skips digits; returns their number.
    fn digits(&mut self) -> usize {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    /// Parses a string.
    fn string(&mut self) -> Result<String, CodecError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let plain =
                rest.iter().take_while(|byte| **byte >= 0x20 && !matches!(byte, b'"' | b'\\')).count();
            out.push_str(self.text.get(self.at..self.at + plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    self.at += 1;
                    out.push(self.escape()?);
                }
                Some(_) => return Err(self.error("a control character must be escaped")),
                None => return Err(self.error("a string has no end")),
            }
        }
    }

    /// Parses what follows a backslash.
    fn escape(&mut self) -> Result<char, CodecError> {
        let character = match self.peek() {
            Some(found @ (b'"' | b'\\' | b'/')) => found.into(),
            Some(b'b') => '\x08',
            Some(b'f') => '\x0C',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.error("an escape is unknown")),
        };
        self.at += 1;
        Ok(character)
    }

    /// Parses the digits behind `\u`; half of a surrogate pair becomes U+FFFD.
    fn unicode_escape(&mut self) -> Result<char, CodecError> {
        let first = self.hex()?;
        if !(0xD800..0xDC00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.at;
        if self.rest().starts_with(b"\\u") {
            self.at += 2;
            let second = self.hex()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = before;
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    /// Parses four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, CodecError> {
        let digits = self.rest().get(..4).unwrap_or_default();
        let value = digits
            .iter()
            .try_fold(0, |value, byte| Some(value * 16 + char::from(*byte).to_digit(16)?))
            .filter(|_| digits.len() == 4);
        match value {
            Some(value) => {
                self.at += 4;
                Ok(value)
            }
            None => Err(self.error("four hexadecimal digits are expected")),
        }
    }
}

/// One level down.
fn deeper(depth: usize) -> Result<usize, CodecError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(CodecError::JsonTooDeep { limit: MAX_DEPTH }) }
}
