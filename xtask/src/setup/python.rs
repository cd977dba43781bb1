//! The Pythons of this machine.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Where a suitable Python may be found, best first. After these come the ones that pyenv keeps: its programs of the
/// path are only those that somebody chose.
pub(super) const NAMES: [&str; 6] = ["python3", "python3.11", "python3.12", "python3.13", "python3.14", "python3.10"];

/// A Python that can make environments.
#[derive(Debug)]
pub(super) struct Python {
    pub(super) minor: u32,
    pub(super) program: PathBuf,
}

/// Finds a Python whose minor version is one of these.
pub(super) fn find(minors: &RangeInclusive<u32>) -> Result<Python, Failure> {
    let mut tried = Vec::new();
    for program in NAMES.iter().map(PathBuf::from).chain(kept_by_pyenv(minors)) {
        match probe(&program) {
            Ok(python) if minors.contains(&python.minor) => return Ok(python),
            Ok(python) => tried.push(format!("`{}` is 3.{}", program.display(), python.minor)),
            Err(reason) => tried.push(format!("`{}`: {reason}", program.display())),
        }
    }
    let (oldest, newest) = (minors.start(), minors.end());
    Err(Failure::new(format!("there is no Python from 3.{oldest} to 3.{newest} that can make virtual environments"))
        .because(tried.join("; "))
        .hint(format!(
            "install Python 3.{oldest} or a later one (with pyenv: `pyenv install 3.{oldest}`); on Debian and Ubuntu also \
             the package `python3-venv`"
        )))
}

/// Asks a Python for its version and place. On failure returns why it cannot be used, in a few words.
pub(super) fn probe(python: &Path) -> Result<Python, String> {
    // Debian's Python has `venv` without `ensurepip` until python3-venv is installed. A shim of a version manager
    // says the real program's name, which keeps working when the shim chooses another.
    let script = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1], sys.executable)";
    let output = clean(python).args(["-c", script]).output().map_err(|err| match err.kind() {
        ErrorKind::NotFound => "not found".to_owned(),
        _ => err.to_string(),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let mut lines = said.lines().filter(|line| !line.is_empty());
        // Python says it last, others first.
        let line = if said.starts_with("Traceback") { lines.next_back() } else { lines.next() };
        return Err(line.unwrap_or("does not start").trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut words = said.trim().splitn(3, ' ');
    match (words.next(), words.next().and_then(|minor| minor.parse().ok()), words.next()) {
        (Some("3"), Some(minor), Some(program)) => Ok(Python { minor, program: program.into() }),
        _ => Err("not a Python 3".to_owned()),
    }
}

/// A program of Python's world, with the settings that would lead it elsewhere taken away.
pub(super) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"] {
        command.env_remove(name);
    }
    command
}

/// The Pythons in pyenv's folder, whichever of them it has put in the path.
fn kept_by_pyenv(minors: &RangeInclusive<u32>) -> Vec<PathBuf> {
    let folder = |name: &str| env::var_os(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let Some(root) = folder("PYENV_ROOT").or_else(|| folder("HOME").map(|home| home.join(".pyenv"))) else {
        return Vec::new();
    };
    installed_below(&root.join("versions"), minors)
}

/// The Pythons of a folder with one subfolder for each version, such as `3.12.1`: oldest minor version first, and of it
/// the newest.
fn installed_below(versions: &Path, minors: &RangeInclusive<u32>) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(versions) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let parts: Option<Vec<u32>> =
            name.to_str().and_then(|name| name.split('.').map(|part| part.parse().ok()).collect());
        if let Some([3, minor, patch]) = parts.as_deref()
            && minors.contains(minor)
        {
            found.push((*minor, u32::MAX - patch, entry.path().join("bin/python")));
        }
    }
    found.sort();
    found.into_iter().map(|(_, _, program)| program).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_of_a_version_manager_are_found_by_their_folders() {
        let folder = env::temp_dir().join(format!("playwarden-xtask-{}", std::process::id()));
        for name in ["2.7.18", "3.9.18", "3.10.4", "3.10.13", "3.12.1", "3.13.0t", "3.14-dev", "miniconda3"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let found = installed_below(&folder, &(10..=14));
        let nothing = installed_below(&folder.join("nothing"), &(10..=14));
        fs::remove_dir_all(&folder).unwrap();
        let names = ["3.10.13", "3.10.4", "3.12.1"].map(|name| folder.join(name).join("bin/python"));
        assert_eq!(found, names);
        assert_eq!(nothing, Vec::<PathBuf>::new());
    }
}
