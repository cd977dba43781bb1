//! One command of a language's tools after the other.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Told of each step as it begins.
pub type Told<'t> = &'t mut dyn FnMut(&str);

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A program is not on this machine, and a project may not install it.
    #[error("`{program}` is needed, and is not there")]
    Missing {
        /// Its name.
        program: String,
        /// How it is installed.
        hint: String,
    },
    /// A step ended badly; this is what it printed.
    #[error("{what} failed")]
    Step {
        /// What it was to do.
        what: String,
        /// The command.
        command: String,
        /// The end of what it printed.
        output: String,
        /// What can be done about it, where that is known.
        hint: Option<String>,
    },
    /// The world or what the tools made cannot become a component.
    #[error("{what}: {text}")]
    Component {
        /// What was to be done.
        what: &'static str,
        /// What stood in the way.
        text: String,
    },
    /// A file cannot be read or written.
    #[error("`{}`: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
}

/// So much of what a tool printed is shown.
const SHOWN: usize = 16 << 10;

/// A command on its way.
pub(crate) struct Step {
    what: String,
    command: Command,
    install: String,
    data: bool,
    hints: Vec<(&'static str, String)>,
}

impl Step {
    /// A command that does this; `install` says how its program gets onto a machine.
    pub(crate) fn new(what: &str, program: impl AsRef<OsStr>, folder: &Path, install: &str) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        // Tools in Rust would show where they are themselves.
        command.env_remove("RUST_BACKTRACE").env_remove("RUST_LIB_BACKTRACE");
        Self { what: what.to_owned(), command, install: install.to_owned(), data: false, hints: Vec::new() }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it prints to standard output is for us, and not shown to anyone.
    pub(crate) fn prints_data(mut self) -> Self {
        self.data = true;
        self
    }

    /// What can be done when it ends badly.
    pub(crate) fn hint(self, hint: &str) -> Self {
        self.hint_at("", hint)
    }

    /// What can be done when it ends badly with these words. The first that suits is given.
    pub(crate) fn hint_at(mut self, words: &'static str, hint: &str) -> Self {
        self.hints.push((words, hint.to_owned()));
        self
    }

    /// Runs it to its end; returns what it printed to standard output.
    pub(crate) fn run(mut self, told: Told<'_>) -> Result<String, BuildError> {
        told(&self.what);
        let output = self.command.output().map_err(|err| match err.kind() {
            io::ErrorKind::NotFound => BuildError::Missing {
                program: self.command.get_program().to_string_lossy().into_owned(),
                hint: self.install.clone(),
            },
            _ => BuildError::Io(PathBuf::from(self.command.get_program()), err),
        })?;
        if output.status.success() {
            // Warnings.
            let said = String::from_utf8_lossy(&output.stderr);
            if !said.trim().is_empty() {
                told(said.trim());
            }
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let is_data = self.data && !output.stderr.is_empty();
        let printed = if is_data { output.stderr } else { [output.stdout, output.stderr].concat() };
        let from = printed.len().saturating_sub(SHOWN);
        let mut output = String::from_utf8_lossy(&printed[from..]).trim().to_owned();
        if output.is_empty() {
            output = "it printed nothing".to_owned();
        }
        let hint = self.hints.into_iter().find(|(words, _)| output.contains(words)).map(|(_, hint)| hint);
        Err(BuildError::Step { what: self.what.clone(), command: shown(&self.command), output, hint })
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
