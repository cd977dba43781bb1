//! A private ansible-core in a virtual environment. The system's Python packages are neither used nor touched.

use std::fs;
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::python::{Python, clean, find, probe};
use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::steps::{Done, note};

/// The pinned version for each Python it supports, by Python's minor version.
const PINS: [(u32, &str); 4] = [(10, "2.17.14"), (11, "2.19.14"), (12, "2.19.14"), (13, "2.19.14")];

/// The newest patch release of each series that the whole of the end-to-end tests is run on.
pub(crate) const SERIES: [Series; 5] = [
    Series { name: "2.14", version: "2.14.18", pythons: 10..=11 },
    Series { name: "2.16", version: "2.16.19", pythons: 10..=12 },
    Series { name: "2.18", version: "2.18.19", pythons: 11..=13 },
    Series { name: "2.19", version: "2.19.14", pythons: 11..=13 },
    Series { name: "2.21", version: "2.21.5", pythons: 12..=14 },
];

/// The file that says what an environment holds. Without it, an environment is not ours.
const STAMP: &str = "playwarden-stamp";

/// The ansible-runner that Playwarden is compared with.
pub(crate) const RUNNER: &str = "2.4.3";

/// The file that says which ansible-runner an environment holds beside its ansible-core. It goes when that is made anew.
const RUNNER_STAMP: &str = "ansible-runner-stamp";

/// Stands in the stamp until the environment is complete.
const UNFINISHED: &str = "unfinished\n";

/// Which Ansible.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The one that the project is pinned to.
    Pinned,
    /// A version of one's choice.
    Version {
        /// Such as `2.16.14`.
        version: String,
        /// The Python to make it with; any when absent.
        python: Option<PathBuf>,
    },
}

/// A series of releases of ansible-core.
#[derive(Debug)]
pub(crate) struct Series {
    /// Such as `2.16`.
    pub(crate) name: &'static str,
    /// Its newest release.
    pub(crate) version: &'static str,
    /// The minor versions of Python that it runs on.
    pythons: RangeInclusive<u32>,
}

/// Where the environment of a version is that only tests are run in.
pub(crate) fn environment(project: &Project, version: &str) -> PathBuf {
    project.path("target/ansible").join(version)
}

/// Makes the environment, unless it is there and what is wanted.
pub(crate) fn install(project: &Project, wanted: &Wanted, venv: &Path) -> Result<Done, Failure> {
    let stamp_file = venv.join(STAMP);
    let stamp = fs::read_to_string(&stamp_file).ok();
    if let Some(stamp) = &stamp
        && is_complete(venv)
        && suits(stamp, wanted, venv)?
    {
        return Ok(Done::Already);
    }
    let (python, version) = choose(wanted)?;
    clear(project, venv, stamp.is_some())?;

    note(&format!("ansible-core {version}, Python 3.{} ({})", python.minor, python.program.display()));
    fs::create_dir_all(venv)
        .and_then(|()| fs::write(&stamp_file, UNFINISHED))
        .map_err(|err| Failure::new(format!("cannot write `{}`", project.shown(&stamp_file))).because(err))?;
    let mut make = clean(&python.program);
    make.args(["-m", "venv"]).arg(venv);
    command::run(&mut make, &format!("make the virtual environment `{}`", project.shown(venv)))?;
    let mut pip = clean(&venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    pip.arg(format!("ansible-core=={version}"));
    command::run(&mut pip, &format!("install ansible-core {version} into `{}`", project.shown(venv)))?;
    let mut ask = clean(&venv.join("bin/ansible-playbook"));
    command::output(ask.arg("--version"), "start the new ansible-playbook")?;

    fs::write(&stamp_file, stamp_text(version, &python, venv))
        .map_err(|err| Failure::new(format!("cannot write `{}`", project.shown(&stamp_file))).because(err))?;
    Ok(Done::Now)
}

/// Installs ansible-runner into an environment that [`install`] made, unless it is there.
pub(crate) fn install_runner(project: &Project, venv: &Path) -> Result<Done, Failure> {
    let stamp = venv.join(RUNNER_STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|text| text.trim() == RUNNER) {
        return Ok(Done::Already);
    }
    let mut pip = clean(&venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    pip.arg(format!("ansible-runner=={RUNNER}"));
    command::run(&mut pip, &format!("install ansible-runner {RUNNER} into `{}`", project.shown(venv)))?;
    fs::write(&stamp, format!("{RUNNER}\n"))
        .map_err(|err| Failure::new(format!("cannot write `{}`", project.shown(&stamp))).because(err))?;
    Ok(Done::Now)
}

/// The version of ansible-core in an environment that [`install`] made.
pub(crate) fn version(venv: &Path) -> Option<String> {
    fs::read_to_string(venv.join(STAMP)).ok()?.lines().next().map(str::to_owned)
}

/// An environment knows its own folder, so that has to be in the stamp too: the repository may have been moved.
fn stamp_text(version: &str, python: &Python, venv: &Path) -> String {
    format!("{version}\n3.{}\n{}\n{}\n", python.minor, python.program.display(), venv.display())
}

/// Returns whether the environment that the stamp describes is what is wanted.
fn suits(stamp: &str, wanted: &Wanted, venv: &Path) -> Result<bool, Failure> {
    let mut lines = stamp.lines();
    let (Some(version), Some(python), Some(program), Some(folder)) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return Ok(false);
    };
    if Path::new(folder) != venv {
        return Ok(false);
    }
    Ok(match wanted {
        Wanted::Pinned => PINS.iter().any(|(minor, pinned)| python == format!("3.{minor}") && version == *pinned),
        Wanted::Version { version: wanted, python: None } => version == wanted,
        Wanted::Version { version: wanted, python: Some(python) } => {
            version == wanted && Path::new(program) == probe(python).map_err(unusable(python))?.program
        }
    })
}

/// Returns whether the programs are there; the Python is a link to one that may be gone.
fn is_complete(venv: &Path) -> bool {
    venv.join("bin/python").exists() && venv.join("bin/ansible-playbook").exists()
}

/// Removes an earlier environment of ours.
fn clear(project: &Project, venv: &Path, is_ours: bool) -> Result<(), Failure> {
    let is_empty = fs::read_dir(venv).is_ok_and(|mut entries| entries.next().is_none());
    if venv.exists() && !is_ours && !is_empty {
        return Err(Failure::new(format!("`{}` is there, but was not made by this command", project.shown(venv)))
            .hint("move it away or delete it, then try again"));
    }
    match fs::remove_dir_all(venv) {
        Err(err) if err.kind() != ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove the earlier `{}`", project.shown(venv))).because(err))
        }
        _ => Ok(()),
    }
}

fn choose(wanted: &Wanted) -> Result<(Python, &str), Failure> {
    match wanted {
        Wanted::Version { version, python: Some(python) } => Ok((probe(python).map_err(unusable(python))?, version)),
        Wanted::Version { version, python: None } => Ok((find(&pythons_for(version))?, version)),
        Wanted::Pinned => {
            let python = find(&(10..=13))?;
            let version = pin(&python).ok_or_else(|| Failure::new("no version is pinned for this Python"))?;
            Ok((python, version))
        }
    }
}

/// The minor versions of Python that a version runs on, as far as its series is known.
fn pythons_for(version: &str) -> RangeInclusive<u32> {
    let is_of = |series: &&Series| version.strip_prefix(series.name).is_some_and(|rest| rest.starts_with('.'));
    SERIES.iter().find(is_of).map_or(10..=14, |series| series.pythons.clone())
}

fn pin(python: &Python) -> Option<&'static str> {
    PINS.iter().find(|(minor, _)| *minor == python.minor).map(|(_, version)| *version)
}

fn unusable(python: &Path) -> impl Fn(String) -> Failure {
    move |reason| Failure::new(format!("cannot use the Python `{}`", python.display())).because(reason)
}

#[cfg(test)]
mod tests {
    use super::super::python::NAMES;
    use super::*;

    #[test]
    fn a_version_gets_a_python_that_its_series_runs_on() {
        assert_eq!(pythons_for("2.16.3"), 10..=12);
        assert_eq!(pythons_for("2.21.0rc1"), 12..=14);
        assert_eq!(pythons_for("2.1.6"), 10..=14);
        assert!(SERIES.iter().all(|series| pythons_for(series.version) == series.pythons));
    }

    #[test]
    fn a_stamp_suits_only_what_it_says() {
        let venv = Path::new("/project/.venv");
        let python = Python { minor: 11, program: "/usr/bin/python3".into() };
        let stamp = stamp_text("2.19.14", &python, venv);
        let version = |version: &str| Wanted::Version { version: version.to_owned(), python: None };
        assert!(suits(&stamp, &Wanted::Pinned, venv).unwrap());
        assert!(suits(&stamp, &version("2.19.14"), venv).unwrap());
        assert!(!suits(&stamp, &version("2.16.14"), venv).unwrap());
        assert!(!suits(&stamp, &Wanted::Pinned, Path::new("/moved/.venv")).unwrap());
        assert!(!suits(&stamp_text("2.19.13", &python, venv), &Wanted::Pinned, venv).unwrap());
        assert!(!suits(UNFINISHED, &Wanted::Pinned, venv).unwrap());
    }

    #[test]
    fn every_python_is_looked_for_that_has_a_pin() {
        for minor in PINS.iter().map(|(minor, _)| *minor).chain(SERIES.iter().flat_map(|series| series.pythons.clone()))
        {
            assert!(NAMES.contains(&format!("python3.{minor}").as_str()));
        }
    }
}
