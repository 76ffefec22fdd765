//! One decoder, named by the environment, under libFuzzer. Without a name: the list of them.
#![no_main]

use std::sync::LazyLock;

use fuzz_targets::{TARGETS, Target, target};
use libfuzzer_sys::fuzz_target;

/// The variable that names the decoder.
const VARIABLE: &str = "TIDEGATE_FUZZ_TARGET";

/// The decoder.
static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("{VARIABLE} names no decoder: {name:?}"))
});

/// Lists the decoders with the longest input of each, and ends, if none is named.
fn list() {
    if std::env::var(VARIABLE).is_ok_and(|name| !name.is_empty()) {
        return;
    }
    for target in TARGETS {
        println!("{}\t{}", target.name, target.max_len);
    }
    std::process::exit(0);
}

fuzz_target!(init: list(), |data: &[u8]| (TARGET.run)(data));
