//! COMPAT.md names a test for each column type and each kind of DDL. A test that is named must exist.

use xtask::Failure;

/// The document.
const DOCUMENT: &str = "COMPAT.md";
/// Sections whose tables name tests in their last column.
const SECTIONS: [&str; 2] = ["## Column types", "## DDL"];

/// Checks the rows of both sections against the sources and, where they are, the recordings.
pub(super) fn run(files: &[(String, String)]) -> Result<(), Failure> {
    let document = files.iter().find(|(name, _)| name == DOCUMENT);
    let (_, text) = document.ok_or_else(|| Failure::check(format!("there is no {DOCUMENT}")))?;
    let recordings = crate::golden::default_folder().join("cluster");
    let exists = |test: &str| {
        let function = format!("fn {test}(");
        if is_recording(test) {
            !recordings.is_dir() || recordings.join(test).is_dir()
        } else {
            files.iter().any(|(name, text)| name.ends_with(".rs") && text.contains(&function))
        }
    };
    let problems: Vec<String> =
        SECTIONS.iter().flat_map(|section| problems(text, section, &exists)).collect();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::check(format!("{DOCUMENT}:\n{}", problems.join("\n"))))
    }
}

/// Whether a name is that of a recording: two digits, then words.
fn is_recording(name: &str) -> bool {
    matches!(name.as_bytes(), [a, b, b'_', ..] if a.is_ascii_digit() && b.is_ascii_digit())
}

/// Rows of a section that name no test, or one that does not exist.
fn problems(text: &str, section: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().skip_while(|line| *line != section).skip(1);
    let rows: Vec<&str> = lines
        .take_while(|line| !line.starts_with("## "))
        .filter(|line| line.starts_with('|') && !line.starts_with("|-"))
        .collect();
    if rows.len() < 2 {
        return vec![format!("{section}: no table")];
    }
    let mut problems = Vec::new();
    for row in rows.iter().filter(|row| !row.ends_with("| test |")) {
        let cells = row.trim_end().strip_suffix('|').unwrap_or(row);
        let last = cells.rsplit('|').next().unwrap_or_default();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            problems.push(format!("no test is named in {row}"));
        }
        let missing = tests.iter().filter(|test| !exists(test));
        problems.extend(missing.map(|test| format!("there is no test {test}, named in {row}")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_name_tests_that_exist() {
        let text = "## DDL\n\n| a | test |\n|---|---|\n| `X` | `known`, `01_there` |\n| `Y` | `gone` |\n| `Z` | |\n\n## SQL\n| `W` | |\n";
        let found = problems(text, "## DDL", &|test| test != "gone");
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("gone") && found[1].contains("`Z`"), "{found:?}");
        assert_eq!(problems(text, "## Types", &|_| true), ["## Types: no table"]);
    }

    #[test]
    fn recordings_are_told_from_functions() {
        assert!(is_recording("08_ddl") && !is_recording("rows_of_both_formats_round_trip"));
    }
}
