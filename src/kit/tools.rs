//! Tools that a project may install for itself: from Python's and npm's registries, into one folder.
//!
//! A folder that was installed carries what it was installed from. Where that differs from what is wanted now, it is made
//! again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::steps::{BuildError, Step, Told};

/// How Python gets onto a machine.
const PYTHON: &str = "install Python 3.10 or later with its module `venv`, such as `apt install python3-venv`";
/// How Node.js gets onto a machine.
const NODE: &str = "install Node.js 20 or later with npm, such as `apt install nodejs npm`";

/// What stands beside what was installed.
const STAMP: &str = "installed-from";

/// Returns the folder of programs of a virtual environment with what the project's `requirements.txt` lists.
pub(crate) fn python(tools: &Path, project: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
    let list = project.join("requirements.txt");
    let venv = tools.join("python");
    // An environment knows its place: one that was moved starts no program any more.
    let place = std::path::absolute(&venv).map_err(|err| BuildError::Io(venv.clone(), err))?;
    let wanted = format!("{}\n{}", place.display(), read(&list)?);
    if !is_installed(&venv, &wanted) {
        clear(&venv)?;
        let make = Step::new("making a virtual environment", "python3", project, PYTHON).hint(PYTHON);
        make.args([Path::new("-m"), Path::new("venv"), &venv]).run(told)?;
        let install = Step::new("installing the tools", venv.join("bin/pip"), project, PYTHON);
        install.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).args([&list]).run(told)?;
        stamp(&venv, &wanted)?;
    }
    Ok(venv.join("bin"))
}

/// Returns the folder of programs of the packages that the project's `package-lock.json` lists. They are in the project's
/// `node_modules`, where its own code finds them too; with a folder for tools that is a link to one there.
pub(crate) fn node(tools: Option<&Path>, project: &Path, told: Told<'_>) -> Result<PathBuf, BuildError> {
    let names = ["package.json", "package-lock.json"];
    let texts = [read(&project.join(names[0]))?, read(&project.join(names[1]))?];
    let wanted = texts.concat();
    let folder = tools.map_or_else(|| project.to_owned(), |tools| tools.join("node"));
    let modules = folder.join("node_modules");
    if !is_installed(&modules, &wanted) {
        clear(&modules)?;
        if tools.is_some() {
            for (name, text) in names.iter().zip(&texts) {
                let path = folder.join(name);
                let made = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, text));
                made.map_err(|err| BuildError::Io(path, err))?;
            }
        }
        // Not `ci`: it refuses a list without the optional packages for other machines. Digests are compared all the same.
        let install = Step::new("installing the tools", "npm", &folder, NODE);
        install.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]).run(told)?;
        stamp(&modules, &wanted)?;
    }
    let link = project.join("node_modules");
    if tools.is_some() && fs::symlink_metadata(&link).is_err() {
        std::os::unix::fs::symlink(&modules, &link).map_err(|err| BuildError::Io(link, err))?;
    }
    Ok(modules.join(".bin"))
}

fn read(path: &Path) -> Result<String, BuildError> {
    fs::read_to_string(path).map_err(|err| BuildError::Io(path.to_owned(), err))
}

fn is_installed(folder: &Path, wanted: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|from| from == wanted)
}

fn stamp(folder: &Path, wanted: &str) -> Result<(), BuildError> {
    let path = folder.join(STAMP);
    fs::write(&path, wanted).map_err(|err| BuildError::Io(path, err))
}

/// Removes what was installed before, or only begun.
fn clear(folder: &Path) -> Result<(), BuildError> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => Err(BuildError::Io(folder.to_owned(), err)),
        _ => Ok(()),
    }
}
