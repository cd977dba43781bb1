//! What `list`, `show` and `events` make of runs: `tests/golden/reports/artifacts` gives the texts beside it.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::golden::Golden;
use crate::support::Project;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reports")
}

/// Copies one run of the golden files.
pub(crate) fn copy(run: &str, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(folder().join("artifacts").join(run)).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
    }
    let id = to.file_name().unwrap().to_str().unwrap();
    let record = fs::read_to_string(to.join("run.json")).unwrap();
    fs::write(to.join("run.json"), record.replace(&format!("\"id\": \"{run}\""), &format!("\"id\": \"{id}\"")))
        .unwrap();
}

fn runs() -> Vec<String> {
    let entries = fs::read_dir(folder().join("artifacts")).unwrap();
    let mut runs: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    runs.sort();
    runs
}

#[test]
fn runs_are_shown_as_they_always_were() {
    let project = Project::empty().file("runner.toml", "schema-version = 1\n");
    for run in runs() {
        copy(&run, &project.path("artifacts").join(&run));
    }
    let root = project.path("").canonicalize().unwrap();
    let mut golden = Golden::default();
    let mut compare = |name: &str, arguments: &[&str]| {
        let shown = project.playwarden(arguments).expect(0);
        let text = shown.stdout.replace(root.to_str().unwrap(), "$PROJECT") + &shown.stderr;
        golden.compare(&folder().join(name), Some(&text));
    };
    compare("list.txt", &["list"]);
    compare("list-failed.txt", &["list", "--failed"]);
    compare("list.json", &["list", "--json"]);
    for run in runs() {
        compare(&format!("{run}.show.txt"), &["show", &run]);
        compare(&format!("{run}.events.txt"), &["events", &run]);
    }
    compare("host.events.txt", &["events", "20261122-b", "--host", "web2"]);
    golden.finish();
}

#[test]
fn the_journals_among_the_golden_files_are_whole() {
    for run in runs() {
        let journal = File::open(folder().join("artifacts").join(&run).join("events.jsonl")).unwrap();
        let counted = playwarden::store::verify(BufReader::new(journal));
        assert!(counted.as_ref().is_ok_and(|counted| counted.events > 0), "{run}: {counted:?}");
    }
}
