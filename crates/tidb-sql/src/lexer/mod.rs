//! SQL text to tokens.

mod comment;
mod literal;
mod scan;
mod token;

pub(crate) use literal::string_value;
pub(crate) use scan::tokenize;
pub(crate) use token::{Symbol, Token, TokenKind};
