//! Running Ansible from a Rust program.
//!
//! What ansible-runner's `run` and `run_async` are for Python. A [`Plan`] is made from runner.toml, may be changed, and is
//! carried out by [`run`], which waits, or [`run_async`], which does not. Either way a [`Run`] answers all questions, while
//! it lasts and afterwards.
//!
//! ```standalone_crate
//! use playwarden::{Caller, Plan};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // The guard over Ansible is this program, started once more.
//!     if playwarden::is_guard(std::env::args_os()) {
//!         return Ok(playwarden::process::guard_main()?);
//!     }
//! #   let project = tempfile::tempdir()?;
//! #   let venv = std::env::var("PLAYWARDEN_TEST_ANSIBLE").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv").into());
//! #   std::fs::write(project.path().join("runner.toml"), format!("schema-version = 1\n[ansible]\nuse = {{ venv = {venv:?} }}\n\
//! #       [jobs.deploy]\nplaybook = \"site.yml\"\ninventory = \"web1,web2,\"\n"))?;
//! #   std::fs::write(project.path().join("site.yml"), "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n  \
//! #       - name: release\n    debug: msg=1.2.3\n")?;
//!     let caller = Caller {
//!         program: std::env::current_exe()?,
//!         folder: std::env::current_dir()?,
//!         vars: std::env::vars_os().collect(),
//!         cache: None,
//!     };
//! #   let caller = Caller { folder: project.path().canonicalize()?, ..caller };
//!     let mut plan = Plan::load("runner.toml", "deploy", &caller)?;
//!     plan.job.limit = Some("web1".to_owned());
//!     let run = playwarden::run(plan)?;
//!     assert_eq!((run.status().word(), run.rc()), ("successful", Some(0)));
//!     for event in run.host_events("web1")? {
//!         println!("{}", event?.name());
//!     }
//!     assert_eq!(run.stats()?.hosts["web1"].ok, 1);
//!     Ok(())
//! }
//! ```
//!
//! All four hooks can be closures too. Here one host may fail, but not two:
//!
//! ```standalone_crate
//! use playwarden::{Caller, Plan};
//! use playwarden_event::{Reason, Stop, Verdict};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   if playwarden::is_guard(std::env::args_os()) {
//! #       return Ok(playwarden::process::guard_main()?);
//! #   }
//! #   let project = tempfile::tempdir()?;
//! #   let venv = std::env::var("PLAYWARDEN_TEST_ANSIBLE").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/.venv").into());
//! #   std::fs::write(project.path().join("runner.toml"), format!("schema-version = 1\n[ansible]\nuse = {{ venv = {venv:?} }}\n\
//! #       [jobs.deploy]\nplaybook = \"site.yml\"\ninventory = \"a,b,c,d,\"\nforks = 1\n"))?;
//! #   std::fs::write(project.path().join("site.yml"), "- hosts: all\n  connection: local\n  gather_facts: false\n  tasks:\n  \
//! #       - name: release\n    fail: msg=no\n")?;
//! #   let caller = Caller {
//! #       program: std::env::current_exe()?,
//! #       folder: project.path().canonicalize()?,
//! #       vars: std::env::vars_os().collect(),
//! #       cache: None,
//! #   };
//!     let plan = Plan::load("runner.toml", "deploy", &caller)?
//!         .cancel_policy("two-failures", |event, totals| match totals.run.hosts_failed {
//!             0 | 1 => Verdict::Proceed,
//!             _ => Verdict::Cancel(
//!                 Reason { text: "two hosts failed".to_owned(), code: None, event: Some(event.counter()) },
//!                 Stop::Now,
//!             ),
//!         })
//!         .on_event(|event| println!("{} {}", event.counter(), event.name()))
//!         .on_status(|change| println!("{} -> {}", change.from, change.to))
//!         .on_finished(|outcome| println!("{}", outcome.status));
//!     let run = playwarden::run_async(plan)?;
//!     let outcome = run.wait()?;
//!     assert_eq!(outcome.status.word(), "canceled");
//!     assert_eq!(outcome.totals.run.hosts_failed, 2);
//!     Ok(())
//! }
//! ```

mod live;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use playwarden_event::kind::StatusChanged;
use playwarden_event::reader::ReadError;
use playwarden_event::{Event, Outcome, Totals, Verdict};

pub use self::live::{Events, Run, run, run_async};
use crate::config::{Config, Findings};
use crate::plan::{Environment, JobPlan, Keywords, Overrides};
use crate::report::diagnostic;
use crate::run::{Closures, PROMPT_PATIENCE, Settings, Trouble};
use crate::store::StoreError;

/// What a plan may know of the program that makes it: a snapshot, which nothing here takes by itself.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// A program that calls [`guard_main`](crate::process::guard_main) when [`is_guard`] says so: usually the caller itself, or
    /// `playwarden`.
    pub program: PathBuf,
    /// The current folder, absolute.
    pub folder: PathBuf,
    /// The environment, which Ansible inherits.
    pub vars: BTreeMap<OsString, OsString>,
    /// Where compiled plugins are kept between runs; none compiles them each time.
    pub cache: Option<PathBuf>,
}

/// Whether these arguments, the program's name first, ask it to stand guard over Ansible.
#[must_use]
pub fn is_guard(arguments: impl IntoIterator<Item = OsString>) -> bool {
    arguments.into_iter().nth(1).is_some_and(|first| first == crate::process::GUARD)
}

/// A job that can be run. Everything may be changed until then.
#[derive(Debug)]
pub struct Plan {
    /// What is run, under whose eyes.
    pub job: JobPlan,
    /// What the run needs besides.
    pub settings: Settings,
    pub(crate) closures: Closures,
}

impl Plan {
    /// Takes a job of a runner.toml. A relative path is meant from the caller's folder.
    ///
    /// # Errors
    /// [`Error::Findings`] when the file is wrong or something that the job names is not there.
    pub fn load(path: impl AsRef<Path>, job: &str, caller: &Caller) -> Result<Self, Error> {
        let path = caller.folder.join(path);
        let (config, _) = Config::load(&path).map_err(|findings| Error::findings(findings, caller))?;
        Self::of(&config, job, &Overrides::default(), caller)
    }

    /// Takes a private data dir of ansible-runner, with what its `run()` would be told; it needs no runner.toml, and nothing is
    /// written there but the run below `artifacts`. A relative path is meant from the caller's folder.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn private_data_dir(folder: impl AsRef<Path>, keywords: Keywords, caller: &Caller) -> Result<Self, Error> {
        let config = Config::bare(&caller.folder.join(folder));
        let mut overrides = Overrides::default();
        overrides.take(keywords);
        Self::of(&config, Config::BARE_JOB, &overrides, caller)
    }

    /// Takes a job of a checked file, with what a command line would say about it.
    ///
    /// # Errors
    /// As [`Plan::load`].
    pub fn of(config: &Config, job: &str, overrides: &Overrides, caller: &Caller) -> Result<Self, Error> {
        let text = |(name, value): (&OsString, &OsString)| Some((name.to_str()?.to_owned(), value.clone()));
        let vars: BTreeMap<String, OsString> = caller.vars.iter().filter_map(text).collect();
        let home = vars.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let environment = Environment { cwd: caller.folder.clone(), home, vars };
        let resolved = JobPlan::resolve(config, job, overrides, &environment);
        let job = resolved.map_err(|list| Error::findings(config.findings(list), caller))?;
        let settings = Settings {
            guard: caller.program.clone(),
            environment: caller.vars.clone(),
            cache: caller.cache.clone(),
            color: false,
            prompt_patience: PROMPT_PATIENCE,
        };
        Ok(Self { job, settings, closures: Closures::default() })
    }

    /// Adds an event handler: called for every event, in order, once it is in the journal.
    ///
    /// Closures are called by the run's own loop: what they take, Ansible waits for. One that panics ends the run.
    #[must_use]
    pub fn on_event(mut self, handler: impl FnMut(&Event) + Send + 'static) -> Self {
        self.closures.events.push(Box::new(handler));
        self
    }

    /// Adds a status handler: called at every change of the run's status.
    #[must_use]
    pub fn on_status(mut self, handler: impl FnMut(&StatusChanged) + Send + 'static) -> Self {
        self.closures.statuses.push(Box::new(handler));
        self
    }

    /// Adds a cancel policy: asked about every event, before Ansible may start the next task on any host. `name` stands for
    /// it in the journal.
    ///
    /// A policy that panics cancels the run.
    #[must_use]
    pub fn cancel_policy(
        mut self,
        name: &str,
        policy: impl FnMut(&Event, &Totals) -> Verdict + Send + 'static,
    ) -> Self {
        self.closures.policies.push((name.to_owned(), crate::run::Judge::new(policy)));
        self
    }

    /// Adds a finished callback: called once, with the outcome, when the run's files are written. A panic there changes
    /// nothing any more.
    #[must_use]
    pub fn on_finished(mut self, callback: impl FnOnce(&Outcome) + Send + 'static) -> Self {
        self.closures.finished.push(Box::new(callback));
        self
    }
}

/// A run could not begin, or its evidence could not be kept. A run that failed is no error: its [`Outcome`] says so.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// runner.toml, or what it names, stands against it.
    Findings {
        /// What was found.
        findings: Findings,
        /// The same as text, with the lines that are meant.
        text: String,
    },
    /// Plugins cannot be used.
    Plugins(Vec<Trouble>),
    /// The WebAssembly engine cannot be started.
    Engine(playwarden_sandbox::SandboxError),
    /// The run's folder cannot be made or written.
    Store(StoreError),
    /// The journal cannot be read.
    Journal(ReadError),
    /// The run goes on elsewhere, or somebody else was told why it did not begin.
    NotHere,
    /// The system refused a thread, or to read what was written.
    System(std::io::Error),
}

impl Error {
    fn findings(findings: Findings, caller: &Caller) -> Self {
        let text = diagnostic::render_findings(&findings, &caller.folder, false);
        Self::Findings { findings, text }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Findings { text, .. } => f.write_str(text.trim_end()),
            Self::Plugins(troubles) => {
                let lines: Vec<String> = troubles.iter().map(ToString::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
            Self::Engine(err) => err.fmt(f),
            Self::Store(err) => err.fmt(f),
            Self::Journal(err) => err.fmt(f),
            Self::NotHere => f.write_str("the outcome of the run is not known here"),
            Self::System(err) => err.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Findings { .. } | Self::Plugins(_) | Self::NotHere => None,
            Self::Engine(err) => err.source(),
            Self::Store(err) => err.source(),
            Self::Journal(err) => err.source(),
            Self::System(err) => err.source(),
        }
    }
}
