//! Bytes that others made: the fuzz targets' functions over their corpus and over mutations of it, the same ones each time.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use playwarden_sandbox::Sandbox;

use crate::chance::Chance;
use crate::support::guest;

#[path = "../../fuzz/targets.rs"]
mod targets;

impl Chance {
    /// Changes a seed in one to four places.
    fn mutate(&mut self, seed: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let (at, length) = (self.below(bytes.len()), self.below(40));
            let end = (at + length).min(bytes.len());
            match self.below(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(at..end)),
                3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
                4 => {
                    let other = &others[self.below(others.len())];
                    let from = self.below(other.len());
                    let piece = other[from..(from + length).min(other.len())].to_vec();
                    drop(bytes.splice(at..end, piece));
                }
                // What parsers stumble over.
                _ => {
                    let odd: [&[u8]; 8] =
                        [b"\"", b"\\u", b"\n", b"\xff", b"[[[[", b"1e999", b"\0\0\0\xff", "\u{2028}".as_bytes()];
                    drop(bytes.splice(at..at, odd[self.below(odd.len())].to_vec()));
                }
            }
        }
        bytes
    }
}

/// Calls a target with each seed and with so many mutations of it.
fn fuzz(name: &str, more: Vec<Vec<u8>>, rounds: usize, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(seeds.len() > 1, "{}", folder.display());
    seeds.extend(more);
    let rounds = if std::env::var_os("PLAYWARDEN_SOAK").is_some() { rounds * 100 } else { rounds };
    let mut chance = Chance(0x2026_1122_4711_0815);
    for (number, seed) in seeds.iter().enumerate() {
        for round in 0..=rounds {
            let bytes = if round == 0 { seed.clone() } else { chance.mutate(seed, &seeds) };
            let ended = catch_unwind(AssertUnwindSafe(|| target(&bytes)));
            assert!(ended.is_ok(), "{name}, seed {number}, round {round}: b\"{}\"", bytes.escape_ascii());
        }
    }
}

#[test]
fn no_bytes_of_a_callback_make_the_host_panic() {
    fuzz("records", Vec::new(), 3000, targets::records);
}

#[test]
fn no_journal_makes_its_reader_panic() {
    fuzz("journal", Vec::new(), 1000, targets::journal);
}

#[test]
fn no_component_makes_the_loader_panic() {
    let sandbox = Sandbox::new(None).unwrap();
    let real = fs::read(guest("no_hooks")).unwrap();
    fuzz("component", vec![real], 60, |bytes| targets::component(bytes, &sandbox));
}

#[test]
fn no_runner_toml_makes_its_checks_panic() {
    fuzz("config", Vec::new(), 1500, targets::config);
}

#[test]
fn no_stream_makes_its_reader_panic_or_writes_elsewhere() {
    fuzz("stream", Vec::new(), 600, targets::stream);
}
