//! Holds the table of ARCHITECTURE.md: who may use whom.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room of the host with the rooms it may use. Everybody may use the crate `playwarden_event`.
const ROOMS: &[(&str, &[&str])] = &[
    ("redact", &[]),
    ("config", &["redact"]),
    ("plan", &["config", "redact"]),
    ("ansible", &["plan"]),
    ("builtin", &[]),
    ("process", &[]),
    ("store", &["redact"]),
    ("audit", &["store"]),
    ("run", &["redact", "config", "plan", "ansible", "builtin", "process", "store", "audit"]),
    ("tools", &["plan"]),
    ("remote", &["plan"]),
    ("trial", &["config", "plan", "run"]),
    ("report", &["config", "store", "audit", "run"]),
    ("library", &["config", "plan", "process", "store", "run", "report"]),
    (
        "cli",
        &[
            "redact", "config", "plan", "ansible", "process", "store", "audit", "run", "tools", "remote", "trial",
            "report",
        ],
    ),
];

/// Each package, and each way to the environment, that only some rooms may name.
const PACKAGES: &[(&str, &[&str])] = &[
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("anstream", &["cli"]),
    ("toml", &["config"]),
    ("annotate_snippets", &["report"]),
    ("playwarden_kit", &["cli"]),
    ("playwarden_sandbox", &["run", "trial", "library", "cli"]),
    ("tokio", &["ansible", "process", "run", "library", "cli"]),
    ("wasmtime", &[]),
    ("env::vars", &["cli"]),
    ("env::vars_os", &["cli"]),
    ("env::var", &["cli"]),
    ("env::var_os", &["cli"]),
    ("env::current_dir", &["cli"]),
    ("env::current_exe", &["cli"]),
    ("env::args", &["cli"]),
    ("process::exit", &[]),
];

/// Lines in a file of code; more means that it holds two things.
const FILE_LINES: usize = 600;

fn host() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/host")
}

/// Adds every file of code in a folder.
pub(crate) fn files(folder: &Path, to: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, to);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            to.push(path);
        }
    }
}

/// Every line of code in the host, with its room and place; comments left out.
fn lines() -> Vec<(String, String, String)> {
    let mut paths = Vec::new();
    files(&host(), &mut paths);
    let mut lines = Vec::new();
    for path in paths {
        let inside = path.strip_prefix(host()).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((room.clone(), format!("{}:{}", inside.display(), number + 1), line.to_owned()));
            }
        }
    }
    lines
}

/// Whether a line names a path, and not only a longer one that ends like it.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + path.len()..].chars().next();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        !before.is_some_and(|c| word(c) || c == ':' || c == '"') && !after.is_some_and(word)
    })
}

#[test]
fn rooms_use_only_the_rooms_that_they_may() {
    let mut wrong = Vec::new();
    for (room, place, line) in lines() {
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else { continue };
        for (other, _) in ROOMS.iter().filter(|(name, _)| *name != room && !allowed.contains(name)) {
            if names(&line, &format!("crate::{other}")) {
                wrong.push(format!("{place}: {room} uses {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn packages_are_named_only_where_they_may_be() {
    let mut wrong = Vec::new();
    for (room, place, line) in lines() {
        for (package, _) in PACKAGES.iter().filter(|(_, rooms)| !rooms.contains(&room.as_str())) {
            if names(&line, &format!("{package}::"))
                || line.contains(&format!("{package}("))
                || names(&line, &format!("use {package}"))
            {
                wrong.push(format!("{place}: {room} names {package}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_table_and_in_the_architecture() {
    let lib = fs::read_to_string(host().join("lib.rs")).unwrap();
    let architecture = fs::read_to_string(host().join("../../ARCHITECTURE.md")).unwrap();
    let rooms: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    let known = |room: &&str| ROOMS.iter().any(|(name, _)| name == room);
    assert!(rooms.len() == ROOMS.len() && rooms.iter().all(known), "lib.rs has the rooms {rooms:?}");
    for (room, uses) in ROOMS {
        let uses = if uses.is_empty() { "–".to_owned() } else { uses.join(", ") };
        let row = architecture.lines().find(|line| line.starts_with(&format!("| `{room}` |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for `{room}`"));
        assert!(row.contains(&format!("| {uses} |")), "ARCHITECTURE.md should say that `{room}` uses {uses}: {row}");
    }
}

#[test]
fn no_file_has_grown_too_long() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["src", "tests", "xtask", "plugins/sdk", "plugins/examples", "plugins/test-guests"] {
        files(&root.join(folder), &mut paths);
    }
    let long: Vec<String> = paths
        .into_iter()
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            (lines > FILE_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_first_policy_of_the_readme_is_the_one_that_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let policy = fs::read_to_string(root.join("plugins/examples/no-reboot/src/lib.rs")).unwrap();
    assert!(readme.contains(&format!("```rust\n{policy}```")));
}

#[test]
fn the_runner_toml_of_the_readme_is_right_and_its_error_is_what_is_said() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, text) = readme.split_once("```toml\n").unwrap();
    let (text, _) = text.split_once("```").unwrap();
    let path = Path::new("runner.toml");
    let (_, warnings) = playwarden::config::Config::parse(path, text).unwrap();
    assert!(warnings.list.is_empty(), "{warnings:?}");

    let wrong = text.replace("playbook = \"site.yml\"", "playbok = \"site.yml\"");
    let findings = playwarden::config::Config::parse(path, &wrong).unwrap_err();
    let said = playwarden::report::diagnostic::render_findings(&findings, Path::new(""), false);
    let (_, shown) = readme.split_once("```text\nerror[").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert!(said.contains(&format!("error[{shown}")), "{said}");
}
