//! One decoder, named by the environment, under libFuzzer.
#![no_main]

use std::sync::LazyLock;

use fuzz_targets::{Target, target};
use libfuzzer_sys::fuzz_target;

/// The variable that names the decoder.
const VARIABLE: &str = "TIDEGATE_FUZZ_TARGET";

/// The decoder.
static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    target(&name).unwrap_or_else(|| panic!("{VARIABLE} names no decoder: {name:?}"))
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
