//! Command line of Tidegate.

fn main() {}
