//! `playwarden ansible`: private installations of ansible-core, a virtual environment for each version.

mod python;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::{Args, Subcommand};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use self::python::{NoPython, Python, clean};
use super::context::Context;
use super::exit::Exit;
use super::runs::print_json;
use super::terminal;
use crate::config::did_you_mean;
use crate::plan::PrivateAnsible;

#[derive(Debug, Subcommand)]
pub(super) enum InstallCommand {
    /// Install ansible-core into a folder of its own, where nothing else can change it
    Install(InstallArguments),
    /// List what is installed, newest first
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an installation
    Remove {
        /// Its version
        version: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct InstallArguments {
    /// This version of ansible-core instead of the one that Playwarden is tested with
    #[arg(long, value_name = "V", value_parser = version)]
    version: Option<String>,
    /// Make it with this Python instead of one that is looked for on the PATH
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
}

fn version(text: &str) -> Result<String, String> {
    let fits = PrivateAnsible::is_version(text);
    if fits { Ok(text.to_owned()) } else { Err("a version looks like `2.19.14`".to_owned()) }
}

/// The packages that an installation got, as `pip freeze` has them.
const PACKAGES: &str = "packages.txt";

/// How the folder of an installation begins that is being made or removed.
const UNFINISHED: &str = ".unfinished-";

/// Lines of pip's own words that are shown.
const LAST_WORDS: usize = 8;

/// Why nothing was installed or removed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("there is no place for it: neither `XDG_DATA_HOME` nor `HOME` is set")]
    NoHome,
    #[error("another `playwarden ansible` is at work in `{}`", .0.display())]
    Busy(PathBuf),
    #[error(transparent)]
    Python(#[from] NoPython),
    #[error("`{}` {problem}", path.display())]
    Io { path: PathBuf, problem: &'static str, source: io::Error },
    #[error("{what}:\n{words}")]
    Program { what: String, words: String },
    #[error("no private ansible-core `{0}` is installed")]
    NoSuch(String, Option<String>),
}

impl Failed {
    fn hint(&self) -> String {
        match self {
            Self::NoHome => "set one of them to a folder that you may write".to_owned(),
            Self::Busy(_) => "wait until it is done".to_owned(),
            Self::Python(err) => err.hint().to_owned(),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room on its disk".to_owned()
            }
            Self::Io { .. } => "check who may write there".to_owned(),
            Self::Program { words, .. } => remedy(words).to_owned(),
            Self::NoSuch(_, meant) => {
                meant.clone().unwrap_or_else(|| "`playwarden ansible list` shows them".to_owned())
            }
        }
    }

    fn exit(&self) -> Exit {
        if matches!(self, Self::NoSuch(..)) { Exit::Usage } else { Exit::CouldNotStart }
    }
}

/// Returns what can be done about what pip or `venv` said.
fn remedy(words: &str) -> &'static str {
    let says = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
    // Without a network pip also says that no version can be found.
    if says(&[
        "NewConnectionError",
        "ConnectTimeout",
        "ReadTimeout",
        "NameResolution",
        "ProxyError",
        "Connection to",
        "Errno 101",
        "(from versions: none)",
    ]) {
        "the package index cannot be reached, or is another one: check the network, its proxy, and the `index-url` of pip"
    } else if says(&["SSLError", "CERTIFICATE_VERIFY"]) {
        "the package index is not trusted: check the time of this machine, and the `cert` of pip"
    } else if says(&["No space left", "Errno 28"]) {
        "make room on the disk"
    } else if says(&["Permission denied", "Errno 13"]) {
        "check who may write there"
    } else if says(&["No matching distribution", "Could not find a version"]) {
        "that version is not there for this Python: name another one with `--version` or `--python`"
    } else if says(&["ensurepip", "venv"]) {
        "on Debian and Ubuntu install the package `python3-venv`, or name another Python with `--python`"
    } else {
        "what it says above is all that is known; `--python` names another Python"
    }
}

pub(super) fn ansible(context: &Context, command: &InstallCommand) -> Exit {
    let done = match command {
        InstallCommand::Install(arguments) => install(context, arguments),
        InstallCommand::List { json } => {
            list(context, *json);
            Ok(())
        }
        InstallCommand::Remove { version } => remove(context, version),
    };
    match done {
        Ok(()) => Exit::Success,
        Err(failed) => {
            terminal::error(&failed, Some(&failed.hint()), context.color());
            failed.exit()
        }
    }
}

fn install(context: &Context, arguments: &InstallArguments) -> Result<(), Failed> {
    let home = PrivateAnsible::home(&context.environment).ok_or(Failed::NoHome)?;
    let already = |version: &str| {
        let folder = home.join(version);
        let whole = PrivateAnsible::is_whole(&folder);
        if whole {
            terminal::out(&format!("ansible-core {version} is installed already, in {}\n", folder.display()));
        }
        whole
    };
    if arguments.version.as_deref().is_some_and(already) {
        return Ok(());
    }
    let (python, version) = python::choose(arguments.python.as_deref(), arguments.version.as_deref())?;
    if already(&version) {
        return Ok(());
    }
    let _lock = lock(&home)?;
    // Another one may have been at work until now.
    if already(&version) {
        return Ok(());
    }
    let folder = home.join(&version);
    // What stands there is not whole: its Python may be gone.
    discard(&home, &folder)?;
    terminal::note(&format!("installing ansible-core {version} with Python 3.{} …\n", python.minor));
    let making =
        tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(&home).map_err(about("cannot be written", &home))?;
    make(making.path(), &folder, &python, &version)?;
    fs::rename(making.path(), &folder).map_err(about("cannot be put into place", &folder))?;
    // It is no longer there to be removed.
    let _moved = making.keep();
    let packages = fs::read_to_string(folder.join(PACKAGES)).unwrap_or_default();
    let packages: String = packages.lines().map(|line| format!("  {line}\n")).collect();
    terminal::out(&format!("installed ansible-core {version} in {}, with\n{packages}", folder.display()));
    Ok(())
}

/// Makes the environment, ready to be moved to its place.
fn make(making: &Path, place: &Path, python: &Python, version: &str) -> Result<(), Failed> {
    run(clean(&python.program).args(["-m", "venv"]).arg(making), "the virtual environment could not be made")?;
    let inside = making.join("bin/python");
    let what = format!("pip could not install ansible-core {version}");
    let wanted = format!("ansible-core=={version}");
    run(clean(&inside).args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", &wanted]), &what)?;
    run(clean(&making.join("bin/ansible-playbook")).arg("--version"), "the new `ansible-playbook` does not start")?;
    let packages = run(clean(&inside).args(["-m", "pip", "freeze", "--disable-pip-version-check"]), "pip fails")?;
    let list = making.join(PACKAGES);
    fs::write(&list, packages.stdout).map_err(about("cannot be written", &list))?;
    settle(making, place).map_err(about("cannot be prepared for its place", making))
}

/// The programs of an environment name the folder that they were made in: names the one that they will be in.
fn settle(making: &Path, place: &Path) -> io::Result<()> {
    let (from, to) = (making.display().to_string(), place.display().to_string());
    let mut files = vec![making.join("pyvenv.cfg")];
    for entry in fs::read_dir(making.join("bin"))? {
        files.extend(entry.map(|entry| entry.path()).ok().filter(|path| !path.is_symlink()));
    }
    for file in files {
        // What is no text is a program, and holds no such name.
        if let Ok(text) = fs::read_to_string(&file)
            && text.contains(&from)
        {
            fs::write(&file, text.replace(&from, &to))?;
        }
    }
    Ok(())
}

/// Runs a program to its end.
fn run(command: &mut Command, what: &str) -> Result<Output, Failed> {
    let failed = |words: String| Failed::Program { what: what.to_owned(), words };
    let output = command.output().map_err(|err| failed(err.to_string()))?;
    if output.status.success() {
        return Ok(output);
    }
    let words = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    let words: Vec<_> = words.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(failed(words[words.len().saturating_sub(LAST_WORDS)..].join("\n")))
}

/// Makes the folder of all installations, keeps others out of it, and removes what a killed one left.
fn lock(home: &Path) -> Result<File, Failed> {
    fs::create_dir_all(home).map_err(about("cannot be made", home))?;
    let path = home.join(".lock");
    let lock = File::create(&path).map_err(about("cannot be written", &path))?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| Failed::Busy(home.to_owned()))?;
    for entry in fs::read_dir(home).map_err(about("cannot be read", home))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            fs::remove_dir_all(entry.path()).map_err(about("cannot be removed", &entry.path()))?;
        }
    }
    Ok(lock)
}

/// Removes an installation: first its name, so that nobody finds a part of it.
fn discard(home: &Path, folder: &Path) -> Result<(), Failed> {
    let failed = |source| Failed::Io { path: folder.to_owned(), problem: "cannot be removed", source };
    if folder.is_symlink() {
        return fs::remove_file(folder).map_err(failed);
    }
    if !folder.exists() {
        return Ok(());
    }
    let away = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(home).map_err(failed)?;
    fs::rename(folder, away.path().join("old")).map_err(failed)?;
    away.close().map_err(failed)
}

fn remove(context: &Context, version: &str) -> Result<(), Failed> {
    let installed = PrivateAnsible::installed(&context.environment);
    let found = installed.iter().find(|one| one.version == version).ok_or_else(|| {
        let known = installed.iter().map(|one| one.version.as_str());
        Failed::NoSuch(version.to_owned(), did_you_mean(version, known))
    })?;
    let home = PrivateAnsible::home(&context.environment).ok_or(Failed::NoHome)?;
    let _lock = lock(&home)?;
    discard(&home, &found.folder)?;
    terminal::out(&format!("removed ansible-core {version} from {}\n", found.folder.display()));
    Ok(())
}

/// One installation in `ansible list --json`.
#[derive(Serialize)]
struct Row {
    version: String,
    folder: String,
    packages: Vec<String>,
}

fn list(context: &Context, json: bool) {
    let row = |one: PrivateAnsible| {
        let packages = fs::read_to_string(one.folder.join(PACKAGES)).unwrap_or_default();
        let packages = packages.lines().map(str::to_owned).collect();
        Row { version: one.version, folder: one.folder.display().to_string(), packages }
    };
    let rows: Vec<Row> = PrivateAnsible::installed(&context.environment).into_iter().map(row).collect();
    if json {
        print_json(&rows);
    } else if rows.is_empty() {
        terminal::note("no private ansible-core is installed; `playwarden ansible install` installs one\n");
    } else {
        let line = |row: &Row| format!("{:10}  {}\n", row.version, row.folder);
        terminal::out(&format!("VERSION     FOLDER\n{}", rows.iter().map(line).collect::<String>()));
    }
}

/// An error about a path.
fn about(problem: &'static str, path: &Path) -> impl Fn(io::Error) -> Failed {
    let path = path.to_owned();
    move |source| Failed::Io { path: path.clone(), problem, source }
}
