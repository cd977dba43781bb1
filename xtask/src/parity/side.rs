//! Runs a case under one of the two programs.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::case::{Case, FILE};
use super::evidence::{self, Evidence};

/// The run that is compared.
pub(super) const IDENT: &str = "x";

/// The run before it, where there is one.
const EARLIER: &str = "before";

/// After so long a run is killed, and has not ended.
const LIMIT: Duration = Duration::from_secs(60);

/// How often what happens outside is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// One of the two programs.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// ansible-runner, of the environment.
    Runner,
    /// Playwarden, at this place.
    Playwarden(PathBuf),
}

/// Where and with which Ansible cases are run.
#[derive(Debug)]
pub(super) struct Place {
    /// A folder that is the case's own.
    pub(super) folder: PathBuf,
    /// The home of both programs.
    pub(super) home: PathBuf,
    pub(super) venv: PathBuf,
}

/// Runs a case in a copy of its folder and reads what is there afterwards. The copy is at the same place for both sides,
/// so that no path differs, and is called `name` in the end.
pub(super) fn run(case: &Case, side: &Side, place: &Place, name: &str) -> io::Result<Evidence> {
    let copy = place.folder.join("data");
    clear(&copy)?;
    copy_folder(&case.folder, &copy)?;
    fs::remove_file(copy.join(FILE))?;
    if let Some(line) = &case.asked.prepare {
        let mut prepare = Command::new("sh");
        environment(prepare.args(["-euc", line]).current_dir(&copy), case, place);
        let status = prepare.stdin(Stdio::null()).status()?;
        if !status.success() {
            return Err(io::Error::other(format!("`prepare` of {} ended with {status}", case.name)));
        }
    }
    let given = evidence::files(&copy)?;
    let start = |arguments: &[String], ident: &str| -> io::Result<Option<ExitStatus>> {
        let mut command = side.command(place, &copy);
        command.args(arguments).args(["--ident", ident]);
        environment(&mut command, case, place);
        command.current_dir(&place.folder).process_group(0).stdin(Stdio::null());
        command.stdout(File::create(place.folder.join(format!("{name}.out")))?);
        command.stderr(File::create(place.folder.join(format!("{name}.err")))?);
        let interrupt = case.asked.interrupt_at.as_ref().filter(|_| ident == IDENT).map(|file| copy.join(file));
        wait(&mut command.spawn()?, interrupt.as_deref())
    };
    if let Some(arguments) = &case.asked.before {
        start(arguments, EARLIER)?;
    }
    let exit = start(&case.asked.arguments, IDENT)?;
    let exit = exit.map(|status| status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
    let evidence = evidence::read(&copy, exit, &given)?;
    let kept = place.folder.join(name);
    clear(&kept)?;
    fs::rename(&copy, kept)?;
    Ok(evidence)
}

impl Side {
    fn command(&self, place: &Place, data: &Path) -> Command {
        match self {
            Self::Runner => {
                let mut command = Command::new(place.venv.join("bin/ansible-runner"));
                command.arg("run").arg(data);
                command
            }
            Self::Playwarden(program) => {
                let mut command = Command::new(program);
                command.args(["run", "--ansible-exit-code", "--private-data-dir"]).arg(data);
                command
            }
        }
    }
}

/// The same for both, and nothing of who calls.
fn environment(command: &mut Command, case: &Case, place: &Place) {
    let programs = place.venv.join("bin");
    command.env_clear().env("HOME", &place.home).env("LC_ALL", "C.UTF-8").env("ANSIBLE_NOCOLOR", "1");
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()));
    // Looking for a Python would warn, and take long.
    command.env("ANSIBLE_PYTHON_INTERPRETER", programs.join("python"));
    command.envs(&case.asked.environment);
}

/// Waits for a program; nothing when it had to be killed.
fn wait(child: &mut Child, mut interrupt_at: Option<&Path>) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if interrupt_at.is_some_and(Path::exists) {
            signal("INT", &child.id().to_string())?;
            interrupt_at = None;
        }
        if start.elapsed() > LIMIT {
            // The group, for what it may have started; Playwarden's guard is not in it and does the rest.
            signal("KILL", &format!("-{}", child.id()))?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

fn signal(name: &str, whom: &str) -> io::Result<()> {
    Command::new("kill").args(["-s", name, "--", whom]).stdin(Stdio::null()).status().map(drop)
}

/// Removes what an earlier run of this command left.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
        _ => Ok(()),
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
