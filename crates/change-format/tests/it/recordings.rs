//! Recorded change streams of a real cluster, encoded and compared with what TiCDC sent. The recordings are not part
//! of the repository: their folder is named by `TIDEGATE_GOLDEN` (default `../shared/golden` beside the repository);
//! without it the test says so and passes.

use crate::golden::{self, Recording};

#[test]
fn recorded_streams_give_the_recorded_messages() {
    let root = golden::root();
    let Some(scripts) = Recording::list(&root) else {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", root.display());
        return;
    };
    let mut failures = Vec::new();
    for script in scripts {
        let recording = Recording::load(&script).unwrap();
        for variant in recording.variants() {
            match golden::check(&recording, &variant) {
                Ok(checked) => eprintln!("{} {}: {checked} messages alike", recording.name, variant.name),
                Err(problem) => failures.push(format!("{} {}: {problem}", recording.name, variant.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
