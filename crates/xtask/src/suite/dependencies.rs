//! Every dependency has a reason in `docs/dependencies.md`.

use std::collections::BTreeSet;
use xtask::{Failure, workspace};

/// Names of the third-party entries of `[workspace.dependencies]`.
fn declared(manifest: &str) -> Result<BTreeSet<String>, Failure> {
    let manifest: toml::Table =
        manifest.parse().map_err(|error| Failure::check(format!("Cargo.toml is not TOML: {error}")))?;
    let table = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let table = table.and_then(toml::Value::as_table);
    let table = table.ok_or_else(|| Failure::check("Cargo.toml has no [workspace.dependencies]"))?;
    let third_party = table.iter().filter(|(_, value)| value.get("path").is_none());
    Ok(third_party.map(|(name, _)| name.clone()).collect())
}

/// Names in the first column of the tables of the document, each with a reason in the second.
fn explained(document: &str) -> BTreeSet<String> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        let name = cells.next()?.trim().strip_suffix('`')?.to_owned();
        (!cells.next()?.trim().is_empty()).then_some(name)
    };
    document.lines().filter_map(row).collect()
}

/// Compares both lists.
fn compare(manifest: &str, document: &str) -> Result<(), Failure> {
    let (declared, explained) = (declared(manifest)?, explained(document));
    let unexplained: Vec<_> = declared.difference(&explained).cloned().collect();
    let stale: Vec<_> = explained.difference(&declared).cloned().collect();
    if unexplained.is_empty() && stale.is_empty() {
        return Ok(());
    }
    Err(Failure::check(format!(
        "docs/dependencies.md: no reason for [{}]; rows for what is not used: [{}]",
        unexplained.join(", "),
        stale.join(", ")
    )))
}

/// The check.
pub(super) fn run() -> Result<(), Failure> {
    compare(&workspace::read("Cargo.toml")?, &workspace::read("docs/dependencies.md")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "[workspace.dependencies]\nown = { path = \"crates/own\" }\nbytes = \"1\"\ntoml = \"1\"\n";

    #[test]
    fn every_dependency_needs_a_reason() {
        let full = "| crate | reason |\n|---|---|\n| `bytes` | slices |\n| `toml` | files |\n";
        assert!(compare(MANIFEST, full).is_ok());
        let missing = compare(MANIFEST, "| `bytes` | slices |\n").unwrap_err().to_string();
        assert!(missing.contains("no reason for [toml]"), "{missing}");
    }

    #[test]
    fn a_row_without_reason_or_without_use_is_found() {
        let empty = compare(MANIFEST, "| `bytes` | |\n| `toml` | files |\n").unwrap_err().to_string();
        assert!(empty.contains("no reason for [bytes]"), "{empty}");
        let stale =
            compare(MANIFEST, "| `bytes` | a |\n| `toml` | b |\n| `old` | c |\n").unwrap_err().to_string();
        assert!(stale.contains("not used: [old]"), "{stale}");
    }
}
