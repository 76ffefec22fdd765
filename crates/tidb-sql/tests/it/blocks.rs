//! Reading the files of typed and expected texts.

/// Pairs of typed and expected text.
pub(crate) fn pairs(file: &str) -> Vec<(&str, &str)> {
    let file = file.split_once('\n').map_or("", |(_, rest)| rest);
    file.split("\n;;\n").filter_map(|block| block.split_once("\n=>\n")).collect()
}
