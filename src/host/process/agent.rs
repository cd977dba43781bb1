//! An ssh agent that has one key and ends with the program it is for.
//!
//! The key crosses a pipe and is in no file and no command line. The agent is the child of a program that ends when the
//! guard does, whatever ends that one, and ends itself when that has happened.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::tree::{self, Found};
use super::wire::Key;

/// The longest path of a socket, its closing NUL not counted.
const MAX_PATH: usize = 107;

/// What `ssh-agent` appends to the path while it makes its socket, in some versions.
const ROOM: usize = 17;

/// How long the agent may take to begin. It makes a socket and nothing else.
const BEGINS: Duration = Duration::from_secs(10);

/// How often is looked whether something has happened.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// A running agent. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Agent {
    /// The agent's parent, and its hold on life.
    keeper: Child,
    /// Both of them.
    processes: Vec<Found>,
    socket: PathBuf,
    /// A folder that is removed with it.
    folder: Option<PathBuf>,
}

impl Agent {
    /// Starts one without a key.
    ///
    /// # Errors
    /// Returns what stands against it.
    pub(super) fn start(key: &Key, environment: &[(OsString, OsString)]) -> Result<Self, String> {
        let (socket, folder) = place(&key.folders)?;
        let mut command = Command::new("ssh-agent");
        // `cat` lives as long as we hold its standard input, and the agent as long as its parent.
        command.arg("-a").arg(&socket).arg("cat").envs(environment.iter().cloned());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let keeper = command.spawn().map_err(|err| absent("ssh-agent", &err))?;
        let mut agent = Self { keeper, processes: Vec::new(), socket, folder };
        let begun = Instant::now();
        let keeper = agent.keeper.id().cast_signed();
        // It listens before it becomes a process of its own.
        while agent.processes.is_empty() || UnixStream::connect(&agent.socket).is_err() {
            if agent.keeper.try_wait().is_ok_and(|ended| ended.is_some()) || begun.elapsed() > BEGINS {
                let said = last_words(&mut agent.keeper);
                return Err(format!("`ssh-agent` did not begin{said}"));
            }
            std::thread::sleep(LOOK);
            agent.processes = tree::descendants(&[keeper]);
        }
        agent.processes.extend(tree::look(keeper).map(|(keeper, _)| keeper));
        Ok(agent)
    }

    /// Begins to give it the key.
    pub(super) fn add(&self, key: &Key, environment: &[(OsString, OsString)]) -> Result<Adding, String> {
        let mut command = Command::new("ssh-add");
        command.arg("-").envs(environment.iter().cloned()).env("SSH_AUTH_SOCK", &self.socket);
        // A passphrase is asked for at the terminal, or not at all.
        command.env("SSH_ASKPASS_REQUIRE", "never").env_remove("SSH_ASKPASS").env_remove("DISPLAY");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut adding = Adding(command.spawn().map_err(|err| absent("ssh-add", &err))?);
        if let Some(mut stdin) = adding.0.stdin.take() {
            // It takes no key whose last line does not end. One that has ended says itself why.
            let text = key.text.0.replace("\r\n", "\n");
            stdin.write_all(text.trim_end().as_bytes()).and_then(|()| stdin.write_all(b"\n")).ok();
        }
        Ok(adding)
    }

    /// Where it listens.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Whether a process is the agent's and not the program's.
    pub(super) fn owns(&self, process: Found) -> bool {
        self.processes.iter().any(|own| own.is(process))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        for process in &self.processes {
            // It may be gone already.
            tree::signal(*process, Signal::KILL).ok();
        }
        // Who looks for what is left must not find it on its last way.
        let begun = Instant::now();
        while self.processes.iter().any(|process| process.is_alive()) && begun.elapsed() < BEGINS {
            std::thread::sleep(LOOK);
        }
        // Where it did not begin nobody else has waited for it; elsewhere that is for who waits for all.
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
        fs::remove_file(&self.socket).ok();
        if let Some(folder) = &self.folder {
            fs::remove_dir(folder).ok();
        }
    }
}

/// `ssh-add`, while it asks for the passphrase or reads the key. Ended when it is dropped.
#[derive(Debug)]
pub(super) struct Adding(Child);

impl Adding {
    /// Returns whether the agent has the key now, or why not; none as long as neither is known.
    pub(super) fn outcome(&mut self) -> Option<Result<(), String>> {
        match self.0.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) if status.success() => Some(Ok(())),
            Ok(Some(status)) => {
                let code = status.code().map_or_else(|| "a signal".to_owned(), |code| code.to_string());
                let said = last_words(&mut self.0);
                Some(Err(format!(
                    "the ssh key cannot be used: `ssh-add` ended with {code}{said}; it must be a whole private key, and \
                     `ssh-key` in `passwords` is its passphrase, if it has one"
                )))
            }
            Err(err) => Some(Err(format!("`ssh-add` was lost: {err}"))),
        }
    }
}

impl Drop for Adding {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Returns where the socket is, and a folder that was made for it.
fn place(folders: &[PathBuf]) -> Result<(PathBuf, Option<PathBuf>), String> {
    let fits = |path: &Path| path.as_os_str().as_bytes().len() + ROOM <= MAX_PATH;
    for (index, folder) in folders.iter().enumerate() {
        if index == 0 {
            let socket = folder.join("agent");
            if fits(&socket) {
                return Ok((socket, None));
            }
            continue;
        }
        let own = folder.join(format!("playwarden-{}", std::process::id()));
        let socket = own.join("agent");
        // One that is there already is somebody else's.
        if fits(&socket) && DirBuilder::new().mode(0o700).create(&own).is_ok() {
            return Ok((socket, Some(own)));
        }
    }
    Err("there is no folder for the socket of the ssh agent: set XDG_RUNTIME_DIR to a private folder with a short path"
        .to_owned())
}

fn absent(program: &str, err: &std::io::Error) -> String {
    format!("`{program}` cannot be started: {err}; install OpenSSH's client, or leave `ssh-key` out")
}

/// Returns what a program that has ended said on standard error, as the end of a sentence.
fn last_words(child: &mut Child) -> String {
    let mut said = String::new();
    // One that cannot be understood has said nothing.
    child.kill().ok();
    if let Some(stderr) = &mut child.stderr {
        stderr.read_to_string(&mut said).ok();
    }
    let said: Vec<_> =
        said.lines().map(|line| line.trim().trim_end_matches(':')).filter(|line| !line.is_empty()).collect();
    if said.is_empty() { String::new() } else { format!(": {}", said.join("; ")) }
}
