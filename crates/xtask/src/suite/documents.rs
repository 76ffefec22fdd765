//! Checks of the documents: links lead somewhere, nothing speaks of one person's machine.

use std::path::{Component, Path, PathBuf};

use super::tally::Tally;
use super::{compat, dependencies};
use xtask::{Failure, Program, workspace};

/// Text that belongs to one machine, not to the project: folders, and hosts from which packages come. Written in two
/// parts, so that this file does not hold them.
const FOREIGN: [&str; 9] = [
    concat!("/wo", "rk/"),
    concat!("/home", "/"),
    concat!("/ro", "ot/"),
    concat!("registry.npm", "js.org"),
    concat!("crates", ".io/api"),
    concat!("index.crates", ".io"),
    concat!("repo.maven", ".apache"),
    concat!("proxy.gol", "ang.org"),
    concat!("deb.deb", "ian.org"),
];

/// Files that tools write and that hold such text by nature.
const GENERATED: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// Runs the checks.
pub(super) fn run(tally: &mut Tally) {
    tally.check("dependencies", dependencies::run());
    let files = match tracked() {
        Ok(files) => files,
        Err(failure) => return tally.check("list of files", Err(failure)),
    };
    tally.check("wording", wording(&files));
    tally.check("links", links(&files));
    tally.check("tests of COMPAT.md", compat::run(&files));
}

/// Files of the repository, as git knows them, and what they hold. Files that are not text are left out.
fn tracked() -> Result<Vec<(String, String)>, Failure> {
    let list = Program::new("git ls-files").output()?;
    let read =
        |name: &str| Some((name.to_owned(), std::fs::read_to_string(workspace::root().join(name)).ok()?));
    Ok(list.lines().filter_map(read).collect())
}

/// No file speaks of a machine.
fn wording(files: &[(String, String)]) -> Result<(), Failure> {
    let ordinary =
        files.iter().filter(|(name, _)| !GENERATED.iter().any(|generated| name.ends_with(generated)));
    let found: Vec<String> = ordinary.flat_map(|(name, text)| foreign_lines(name, text)).collect();
    if found.is_empty() {
        Ok(())
    } else {
        Err(Failure::check(format!("foreign text:\n{}", found.join("\n"))))
    }
}

/// Lines with foreign text.
fn foreign_lines(name: &str, text: &str) -> Vec<String> {
    let foreign = |line: &&str| FOREIGN.iter().any(|word| line.contains(word));
    let lines = text.lines().enumerate().filter(|(_, line)| foreign(line));
    lines.map(|(number, line)| format!("{name}:{}: {}", number + 1, line.trim())).collect()
}

/// Links of Markdown files to files of the repository lead to files.
fn links(files: &[(String, String)]) -> Result<(), Failure> {
    let documents = files.iter().filter(|(name, _)| name.ends_with(".md"));
    let broken: Vec<String> = documents.flat_map(|(name, text)| broken_links(name, text)).collect();
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::check(format!("broken links:\n{}", broken.join("\n"))))
    }
}

/// Links of a document that lead nowhere.
fn broken_links(name: &str, text: &str) -> Vec<String> {
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let local = link_targets(text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
    let exists = |link: &String| {
        let file = link.split('#').next().unwrap_or_default();
        workspace::root().join(flatten(&folder.join(file))).exists()
    };
    local.filter(|link| !exists(link)).map(|link| format!("{name}: {link}")).collect()
}

/// Targets of `[text](target)`, outside of code blocks.
fn link_targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let mut rest = if code { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, tail)) = after.split_once(')') else { break };
            targets.push(target.to_owned());
            rest = tail;
        }
    }
    targets
}

/// A path without `.` and `..`.
fn flatten(path: &Path) -> PathBuf {
    let mut flat = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                flat.pop();
            }
            Component::CurDir => {}
            other => flat.push(other),
        }
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_found_with_its_line() {
        let text = format!("fine\nsee {}main", FOREIGN[0]);
        assert_eq!(foreign_lines("a.md", &text).len(), 1);
        assert!(foreign_lines("a.md", &text)[0].starts_with("a.md:2:"));
        assert!(foreign_lines("a.md", "nothing here").is_empty());
    }

    #[test]
    fn links_in_code_are_no_links() {
        let text = "[a](x.md) and [b](y.md#part)\n```\n[c](z.md)\n```\n";
        assert_eq!(link_targets(text), ["x.md", "y.md#part"]);
    }

    #[test]
    fn a_link_to_a_missing_file_is_broken() {
        assert!(
            broken_links("README.md", "[a](Cargo.toml) [b](https://example.com/x) [c](#here)").is_empty()
        );
        assert_eq!(broken_links("docs/x.md", "[a](../no-such-file.md)"), ["docs/x.md: ../no-such-file.md"]);
    }

    #[test]
    fn paths_are_flattened() {
        assert_eq!(flatten(Path::new("docs/../a/./b")), Path::new("a/b"));
    }
}
