//! Finding a Python that can make virtual environments, and which ansible-core runs on it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version that is installed when none is named, for each Python by its minor version. These are tested with.
const PINS: [(u32, &str); 5] = [(10, "2.17.14"), (11, "2.19.14"), (12, "2.19.14"), (13, "2.19.14"), (14, "2.21.5")];

/// The Pythons that versions of ansible-core run on, by the minor versions of both: first and last.
const RANGES: [(u32, u32, u32); 8] =
    [(14, 10, 11), (15, 10, 11), (16, 10, 12), (17, 10, 12), (18, 11, 13), (19, 11, 13), (20, 12, 14), (21, 12, 14)];

/// Where a Python may be found, best first.
const PYTHONS: [&str; 6] = ["python3", "python3.13", "python3.12", "python3.11", "python3.14", "python3.10"];

/// A Python that can make virtual environments.
#[derive(Debug)]
pub(super) struct Python {
    pub(super) minor: u32,
    pub(super) program: PathBuf,
}

/// No Python fits.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoPython {
    /// The one that was named does not.
    #[error("the Python `{}` cannot be used: {why}", program.display())]
    Named { program: PathBuf, why: String },
    /// None of those on the PATH does.
    #[error("there is no Python from 3.{first} to 3.{last} that can make virtual environments: {tried}")]
    None { first: u32, last: u32, tried: String },
}

impl NoPython {
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Named { .. } => "name another one with `--python`, or leave it out to have one looked for",
            Self::None { .. } => {
                "install one, on Debian and Ubuntu with the package `python3-venv`, or name one with `--python`"
            }
        }
    }
}

/// Returns a Python and the version to install with it.
pub(super) fn choose(named: Option<&Path>, version: Option<&str>) -> Result<(Python, String), NoPython> {
    let (first, last) = version.map_or((10, 14), range);
    let suits = |python: &Python| (first..=last).contains(&python.minor);
    let with_version = |python: Python| {
        let pinned = PINS.iter().find(|(minor, _)| *minor == python.minor).map_or(PINS[1].1, |(_, version)| version);
        (python, version.unwrap_or(pinned).to_owned())
    };
    if let Some(program) = named {
        let refused = |why| NoPython::Named { program: program.to_owned(), why };
        let python = probe(program).map_err(refused)?;
        // Whoever names both may know better than the table; a Python that is too old for all of it cannot do.
        if version.is_none() && !suits(&python) {
            return Err(refused(format!("it is 3.{}, and must be from 3.{first} to 3.{last}", python.minor)));
        }
        return Ok(with_version(python));
    }
    let mut tried = Vec::new();
    for name in PYTHONS {
        match probe(Path::new(name)) {
            Ok(python) if suits(&python) => return Ok(with_version(python)),
            Ok(python) => tried.push(format!("`{name}` is 3.{}", python.minor)),
            Err(why) => tried.push(format!("`{name}`: {why}")),
        }
    }
    Err(NoPython::None { first, last, tried: tried.join("; ") })
}

/// Returns the Pythons that a version runs on; all of ours for one that is not known.
fn range(version: &str) -> (u32, u32) {
    let minor = version.strip_prefix("2.").and_then(|rest| rest.split('.').next()).and_then(|minor| minor.parse().ok());
    RANGES.iter().find(|(core, ..)| minor == Some(*core)).map_or((10, 14), |(_, first, last)| (*first, *last))
}

/// Asks a Python for its version and place. On failure returns why it cannot be used, in a few words.
fn probe(python: &Path) -> Result<Python, String> {
    // Debian's Python has `venv` without `ensurepip` until python3-venv is installed. A shim of a version manager says
    // the real program's name, which keeps working when the shim chooses another.
    let script = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1], sys.executable)";
    let output = clean(python).args(["-c", script]).output().map_err(|err| match err.kind() {
        ErrorKind::NotFound => "not found".to_owned(),
        _ => err.to_string(),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or("it does not start").trim();
        let lacks = ["venv", "ensurepip"].iter().find(|module| last.contains(&format!("No module named '{module}'")));
        return Err(lacks.map_or_else(|| last.to_owned(), |module| format!("it lacks the module `{module}`")));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let mut words = said.trim().splitn(3, ' ');
    match (words.next(), words.next().and_then(|minor| minor.parse().ok()), words.next()) {
        (Some("3"), Some(minor), Some(program)) => Ok(Python { minor, program: program.into() }),
        _ => Err("it is no Python 3".to_owned()),
    }
}

/// A program of Python's world, with the settings taken away that would lead it elsewhere. Where pip finds packages stays.
pub(super) fn clean(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "VIRTUAL_ENV"] {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_runs_on_its_python_and_every_python_is_looked_for() {
        for (minor, version) in PINS {
            let (first, last) = range(version);
            assert!((first..=last).contains(&minor), "{version} on 3.{minor}");
            assert!(PYTHONS.contains(&format!("python3.{minor}").as_str()));
        }
        assert_eq!((range("2.14.18"), range("3.0"), range("2.99.1")), ((10, 11), (10, 14), (10, 14)));
    }
}
