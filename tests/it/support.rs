//! A project of its own for each test: folder, home, environment, and the real program run in it.

use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::LazyLock;

use playwarden_event::reader::JournalReader;
use playwarden_event::{Event, Outcome};
use tempfile::TempDir;

/// What a command came to.
#[derive(Debug)]
#[must_use = "check how it ended"]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Asserts the exit code, and shows everything if it is another one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// A folder with a runner.toml, removed at the end of the test.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// Makes an empty project.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("playwarden-").tempdir().unwrap();
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    /// Makes a project whose runner.toml begins with the test's Ansible and an inventory of local hosts h1, h2, ….
    /// `rest` follows below `[defaults]`, so that it may begin with more defaults.
    pub(crate) fn new(hosts: usize, rest: &str) -> Self {
        let project = Self::empty();
        let venv = venv();
        let head = format!(
            "schema-version = 1\n[ansible]\nuse = {{ venv = {:?} }}\n[defaults]\ninventory = \"hosts\"\n",
            venv.display().to_string()
        );
        let python = venv.join("bin/python");
        // Ansible takes the home folder of the user instead of `HOME`.
        let home = project.path("home");
        let (home, python) = (home.display(), python.display());
        let fleet: String = (1..=hosts).map(|number| format!("h{number}\n")).collect();
        let inventory = format!(
            "[all:vars]\nansible_connection=local\nansible_remote_tmp={home}/remote\nansible_async_dir={home}/async\n\
             ansible_python_interpreter={python}\n[fleet]\n{fleet}"
        );
        project.file("runner.toml", &format!("{head}{rest}")).file("hosts", &inventory)
    }

    /// Writes a file.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Makes a folder.
    pub(crate) fn folder(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    /// Returns a path in the project.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Returns the program with arguments, in this project and an environment of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_playwarden"));
        command.args(arguments);
        self.adopt(&mut command);
        command
    }

    /// Runs any program as if from a shell in this project.
    pub(crate) fn adopt(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("LANG", "C.UTF-8")
            // Compiled guests are worth keeping between tests.
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .stdin(Stdio::null());
    }

    /// Runs the program to its end.
    pub(crate) fn playwarden(&self, arguments: &[&str]) -> Ran {
        ran(self.command(arguments).output().unwrap())
    }

    /// Runs the program without privileges. Root is then, for files and other processes, a user like any other.
    pub(crate) fn unprivileged(&self, arguments: &[&str]) -> Ran {
        let program = env!("CARGO_BIN_EXE_playwarden");
        let mut command = if rustix::process::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", program]);
            command
        } else {
            Command::new(program)
        };
        self.adopt(&mut command);
        ran(command.args(arguments).output().unwrap())
    }

    /// Starts the program and goes on.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Returns the folder of the only run.
    pub(crate) fn run_folder(&self) -> PathBuf {
        let mut runs: Vec<_> = fs::read_dir(self.path("artifacts")).unwrap().map(|run| run.unwrap().path()).collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }

    /// Returns the events of the only run, after checking that its journal is whole.
    pub(crate) fn events(&self) -> Vec<Event> {
        let path = self.run_folder().join("events.jsonl");
        let open = || BufReader::new(fs::File::open(&path).unwrap());
        let count = playwarden::store::verify(open()).unwrap().events;
        let events: Vec<Event> = JournalReader::new(open()).map(Result::unwrap).collect();
        assert_eq!(events.len() as u64, count);
        events
    }

    /// Returns how the only run ended, as run.json says.
    pub(crate) fn outcome(&self) -> Outcome {
        let text = fs::read_to_string(self.run_folder().join("run.json")).unwrap();
        let record: playwarden::store::RunRecord = serde_json::from_str(&text).unwrap();
        record.outcome.unwrap()
    }

    /// Returns the names of files in a folder of the project, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Returns what a finished command printed.
pub(crate) fn ran(output: Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Returns the virtual environment with Ansible: `PLAYWARDEN_TEST_ANSIBLE`, else `.venv`.
pub(crate) fn venv() -> PathBuf {
    let named = std::env::var_os("PLAYWARDEN_TEST_ANSIBLE").map(PathBuf::from);
    let venv = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv"));
    assert!(venv.join("bin/ansible-playbook").exists(), "no Ansible in {}: run `cargo xtask setup`", venv.display());
    venv
}

/// Returns the version of that Ansible, such as `2.19.14`.
pub(crate) fn core() -> &'static str {
    static CORE: LazyLock<String> = LazyLock::new(|| {
        let script = "from ansible.release import __version__; print(__version__)";
        let said = ran(Command::new(venv().join("bin/python")).args(["-c", script]).output().unwrap()).expect(0).stdout;
        said.trim().to_owned()
    });
    &CORE
}

/// Returns whether that Ansible is of this series, such as `(2, 19)`, or of a later one.
pub(crate) fn core_since(series: (u32, u32)) -> bool {
    let mut numbers = core().split('.').map(|number| number.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap()) >= series
}

/// Returns a compiled guest by its name with underscores.
pub(crate) fn guest(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/target/wasm32-wasip2/release");
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.exists(), "no guest {}: run `cargo xtask setup`", path.display());
    path
}
