//! Recorded change streams of a real cluster, encoded and compared with what TiCDC sent. The recordings are not part
//! of the repository: their folder is named by `TIDEGATE_GOLDEN` (default `../shared/golden` beside the repository);
//! without it the test says so and passes.

use ::golden::Recording;

use crate::golden;

#[test]
fn recorded_streams_give_the_recorded_messages() {
    let root = ::golden::root();
    let Some(folders) = ::golden::folders(&root) else {
        eprintln!("NOT CHECKED: no recordings at {} (set TIDEGATE_GOLDEN)", root.display());
        return;
    };
    let mut failures = Vec::new();
    for folder in folders {
        let recording = Recording::load(&folder).unwrap();
        for variant in recording.variants() {
            let name = format!("{} {}", recording.name, variant.name);
            match golden::check(&recording, &variant) {
                Ok(comparison) => {
                    eprintln!("{name}: {} messages alike", comparison.alike);
                    failures.extend(comparison.differences.iter().map(|one| format!("{name}: {one}")));
                }
                Err(problem) => failures.push(format!("{name}: {problem}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
