//! Golden files: what a test produced must be what lies beside its input.
//!
//! `UPDATE_GOLDEN=1` writes what was produced instead; the difference is then
//! read in git.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the inputs of a folder below `tests/golden`, sorted by name.
pub(crate) fn inputs(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display()));
    let mut inputs: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no .{extension} in {}", folder.display());
    inputs
}

/// Collects the differences of many files, so that one run shows all of them.
#[derive(Default)]
pub(crate) struct Golden {
    differences: Vec<String>,
}

impl Golden {
    /// Compares what was produced with a file; `None` stands for no file.
    pub(crate) fn compare(&mut self, file: &Path, produced: Option<&str>) {
        let expected = fs::read_to_string(file).ok();
        if expected.as_deref() == produced {
            return;
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            match produced {
                Some(text) => fs::write(file, text).unwrap(),
                None => fs::remove_file(file).unwrap(),
            }
            return;
        }
        let [expected, produced] = [expected.as_deref(), produced].map(|text| text.unwrap_or("(no file)\n"));
        let differs = expected.lines().zip(produced.lines()).take_while(|(one, other)| one == other).count();
        self.differences.push(format!(
            "{} differs from line {}\n--- expected\n{expected}--- produced\n{produced}",
            file.display(),
            differs + 1
        ));
    }

    /// Notes a rule about the input itself that does not hold.
    pub(crate) fn refuse(&mut self, file: &Path, why: &str) {
        self.differences.push(format!("{}: {why}", file.display()));
    }

    /// Ends the test.
    pub(crate) fn finish(self) {
        let all = self.differences.join("\n");
        assert!(all.is_empty(), "{all}\nUPDATE_GOLDEN=1 accepts what was produced");
    }
}
