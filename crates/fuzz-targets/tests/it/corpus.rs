//! What a fuzzer once found to reach new code, or to break it, is decoded again with every run of the suite; so are
//! damaged copies of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fuzz_targets::TARGETS;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Fewest inputs of a decoder: a folder that is nearly empty shows nothing.
const FEWEST: usize = 8;
/// Damaged copies of each input.
const COPIES: usize = 200;

/// Where the inputs are.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a decoder with their files.
fn inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(corpus().join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

/// The input with one to four changes: bits turned, bytes replaced by telling ones, taken out, doubled, cut off.
fn damaged(input: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..5) {
            0 => bytes[at] ^= 1 << random.random_range(0..8),
            1 => bytes[at] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF][random.random_range(0..6)],
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, bytes[at]),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

#[test]
fn every_decoder_has_a_corpus_and_every_corpus_a_decoder() {
    let folders: BTreeSet<String> = std::fs::read_dir(corpus())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(folders, names);
    for target in TARGETS {
        let count = inputs(target.name).len();
        assert!(count >= FEWEST, "{}: {count} inputs", target.name);
    }
}

#[test]
fn inputs_and_damaged_copies_end_in_a_value_or_an_error() {
    let seed = std::env::var("TIDEGATE_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().unwrap());
    println!("TIDEGATE_SEED={seed}");
    for target in TARGETS {
        for (file, input) in inputs(target.name) {
            // The name comes first, so that it is the last line above a panic.
            println!("{}", file.display());
            (target.run)(&input);
            let mut random = StdRng::seed_from_u64(seed);
            for _ in 0..COPIES {
                let bytes = damaged(&input, &mut random);
                (target.run)(&bytes);
            }
        }
    }
}
