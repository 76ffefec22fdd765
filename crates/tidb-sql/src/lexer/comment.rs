//! Comments, of which some are SQL and some are hints.

use super::scan::Scanner;
use super::token::TokenKind;

/// Features whose `/*T![feature] … */` comments are read as SQL; others are skipped.
const KNOWN_FEATURES: [&str; 10] = [
    "auto_rand",
    "auto_id_cache",
    "auto_rand_base",
    "clustered_index",
    "force_inc",
    "placement",
    "ttl",
    "global_index",
    "pre_split",
    "affinity",
];

/// Words after which `/*+ … */` is an optimizer hint.
const HINTED_WORDS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE"];

impl Scanner<'_> {
    /// Whether `--` here starts a comment: a blank, a control character or the end follows.
    pub(super) fn is_dash_comment(&self) -> bool {
        self.at + 2 >= self.bytes.len()
            || self.peek(2).is_ascii_whitespace()
            || self.peek(2).is_ascii_control()
    }

    /// Handles `/*`: a comment, a hint, or the start of a version comment whose text is SQL.
    pub(super) fn comment(&mut self, start: usize) -> bool {
        self.at += 2;
        if self.peek(0) == b'!' {
            self.at += 1;
            let rest = self.bytes.get(self.at..).unwrap_or(&[]);
            let digits = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            self.at += if digits >= 5 { digits } else { 0 };
            self.in_version_comment = true;
            return true;
        }
        if self.starts_with("T!") && self.known_features() {
            self.in_version_comment = true;
            return true;
        }
        let hint = self.peek(0) == b'+' && self.after_hinted_word();
        let Some(length) = self.bytes.get(self.at..).and_then(|rest| memchr::memmem::find(rest, b"*/"))
        else {
            return self.invalid(start);
        };
        self.at += length + 2;
        if hint {
            self.push(TokenKind::Hint, start);
        }
        true
    }

    /// Reads the feature list of `T![a,b]` and moves behind it. False, without moving, if one is unknown.
    pub(super) fn known_features(&mut self) -> bool {
        let Some(rest) = self.source.get(self.at + 2..) else { return false };
        if !rest.starts_with('[') {
            self.at += 2;
            return true;
        }
        let Some(end) = rest.find(']') else { return false };
        let list = rest.get(1..end).unwrap_or("");
        if !list.split(',').all(|feature| KNOWN_FEATURES.contains(&feature)) {
            return false;
        }
        self.at += 2 + end + 1;
        true
    }

    /// Whether the token before is a word that takes hints.
    pub(super) fn after_hinted_word(&self) -> bool {
        self.tokens.last().is_some_and(|t| {
            t.kind == TokenKind::Word
                && HINTED_WORDS.iter().any(|word| t.text(self.source).eq_ignore_ascii_case(word))
        })
    }
}
