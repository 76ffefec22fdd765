//! Tests over the committed corpus.

mod corpus;
