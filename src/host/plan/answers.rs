//! What is typed when something asks for it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use super::files;
use super::resolve::Resolver;
use crate::config::{Finding, Prompt, SecretSource};

/// The longest line that a terminal takes, its end included.
const MAX_LINE: usize = 4095;

/// A text that is never shown: neither by `Debug` nor in what is written down.
#[derive(Clone, Default, Deserialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text to itself.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text, for whoever has a use for it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"…\"")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("…")
    }
}

/// What is typed at one prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The prompt: a regular expression in the manner of Python's, in which `^` and `$` are of a line.
    pub pattern: String,
    /// What is typed, without the end of the line.
    pub answer: Secret,
}

/// A prompt that Ansible shows when its command line says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// `--ask-pass`.
    Ssh,
    /// `--ask-become-pass`.
    Become,
    /// `--ask-vault-pass`.
    Vault,
}

/// What the passwords of a job come to.
#[derive(Default)]
pub(super) struct Passwords {
    pub(super) answers: Vec<Answer>,
    pub(super) ask: Vec<Ask>,
    /// The vault ids of the job, and those of its passwords.
    pub(super) vault_ids: Vec<String>,
}

impl Resolver<'_> {
    pub(super) fn passwords(&mut self) -> Passwords {
        let mut found = Passwords { vault_ids: self.job.vault_ids.clone(), ..Passwords::default() };
        for (key, source) in &self.job.passwords {
            let Some(answer) = self.secret_of_job("passwords", key, source) else { continue };
            if answer.lines().any(|line| line.len() >= MAX_LINE) {
                let message = format!("the answer to `{key}` has a line of more than {} bytes", MAX_LINE - 1);
                self.refuse_entry(
                    "bad-secret",
                    "passwords",
                    key,
                    message,
                    "a terminal takes no longer ones".to_owned(),
                );
            }
            let prompt = Prompt::of(key);
            match &prompt {
                Prompt::Ssh => found.ask.push(Ask::Ssh),
                Prompt::Become => found.ask.push(Ask::Become),
                Prompt::Vault => found.ask.push(Ask::Vault),
                Prompt::VaultId(id) => found.vault_ids.push(format!("{id}@prompt")),
                Prompt::SshKey | Prompt::Pattern(_) => {}
            }
            found.answers.push(Answer { pattern: prompt.pattern(), answer: Secret::new(answer) });
        }
        found
    }

    pub(super) fn ssh_key(&mut self) -> Option<Secret> {
        let source = self.job.ssh_key.as_ref()?;
        self.secret_of_job("ssh-key", "", source).map(Secret::new)
    }

    /// Returns the variables in which passwords and the key were found; what the job sets again itself is meant so.
    pub(super) fn withheld(&self) -> Vec<String> {
        let sources = self.job.passwords.iter().map(|(_, source)| source).chain(&self.job.ssh_key);
        let mut names: Vec<_> = sources
            .filter_map(|source| match source {
                SecretSource::Env(name) => Some(name.clone()),
                SecretSource::File(_) => None,
            })
            .filter(|name| !self.job.env.contains_key(name))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Returns the files in which passwords, keys and plugins' secrets are, absolute.
    pub(super) fn secret_files(&self) -> Vec<PathBuf> {
        let granted = self.job.plugins.iter().flat_map(|plugin| plugin.grants.secrets.values());
        let sources = self.job.passwords.iter().map(|(_, source)| source).chain(&self.job.ssh_key).chain(granted);
        let files = sources.filter_map(|source| match source {
            SecretSource::Env(_) => None,
            SecretSource::File(path) => Some(path.as_str()),
        });
        let vaults = self.job.vault_ids.iter().map(|id| id.rsplit_once('@').map_or(id.as_str(), |(_, file)| file));
        let key = self.config.audit.iter().map(|audit| audit.key.as_str());
        files.chain(vaults).chain(key).map(|path| files::absolute(path, &self.root, self.environment)).collect()
    }

    fn secret_of_job(&mut self, key: &str, entry: &str, source: &SecretSource) -> Option<String> {
        let name = if entry.is_empty() { format!("`{key}`") } else { format!("`{key}` of `{entry}`") };
        match self.secret(source) {
            Ok(secret) => Some(secret),
            Err(unreadable) => {
                let message = format!("{name} of job `{}`: {}", self.job.name, unreadable.why);
                self.refuse_entry(unreadable.code, key, entry, message, unreadable.help);
                None
            }
        }
    }

    fn refuse_entry(&mut self, code: &'static str, key: &str, entry: &str, message: String, help: String) {
        let whole = [entry];
        let split: Vec<_> = entry.splitn(2, '.').collect();
        let at = |path: &[&str]| self.config.span_of_job_entry(&self.job.name, key, path);
        let key_itself = self.config.span_of_job_key(&self.job.name, key);
        let span = at(&whole).filter(|span| Some(span) != key_itself.as_ref()).or_else(|| at(&split));
        self.findings.push(Finding::error(code, self.config.path(), message).at(span).help(help));
    }
}
