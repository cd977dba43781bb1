//! The command line that Ansible is given.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use super::{Ask, JobPlan, Work};

impl JobPlan {
    /// Returns the arguments behind the executable.
    ///
    /// No value can be read as an option, whatever it starts with. Extra vars
    /// of the command line stand last, so that they win.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut to: Vec<OsString> = Vec::new();
        to.extend(self.ask.iter().map(|ask| OsString::from(option_of(*ask))));
        for id in self.vault_ids.iter().filter(|id| is_asked_for(id)) {
            option(&mut to, "--vault-id", id);
        }
        to.extend(self.arguments_without_prompts());
        to
    }

    /// As [`arguments`](Self::arguments), without what makes Ansible ask for passwords: for when nobody answers.
    pub(crate) fn arguments_without_prompts(&self) -> Vec<OsString> {
        let mut to = Vec::new();
        for id in self.vault_ids.iter().filter(|id| !is_asked_for(id)) {
            option(&mut to, "--vault-id", id);
        }
        for source in &self.inventory {
            option(&mut to, "--inventory", source);
        }
        if let Some(limit) = &self.limit {
            option(&mut to, "--limit", limit);
        }
        for (name, tags) in [("--tags", &self.tags), ("--skip-tags", &self.skip_tags)] {
            if !tags.is_empty() {
                option(&mut to, name, tags.join(","));
            }
        }
        if let Some(forks) = self.forks {
            option(&mut to, "--forks", forks.to_string());
        }
        if self.check {
            to.push("--check".into());
        }
        if self.diff {
            to.push("--diff".into());
        }
        if self.verbosity > 0 {
            to.push(format!("-{}", "v".repeat(self.verbosity.into())).into());
        }
        if !self.extra_vars.is_empty() {
            option(&mut to, "--extra-vars", Value::Object(self.extra_vars.clone()).to_string());
        }
        for vars in &self.more_extra_vars {
            option(&mut to, "--extra-vars", vars);
        }
        match &self.work {
            Work::Playbook { path } => to.push(path.into()),
            Work::Module { name, args, hosts } => {
                option(&mut to, "--module-name", name);
                if let Some(args) = args {
                    option(&mut to, "--args", args);
                }
                // Behind `--` nothing is an option.
                to.extend([OsString::from("--"), hosts.into()]);
            }
        }
        to
    }
}

fn is_asked_for(vault_id: &str) -> bool {
    vault_id.ends_with("@prompt")
}

fn option_of(ask: Ask) -> &'static str {
    match ask {
        Ask::Ssh => "--ask-pass",
        Ask::Become => "--ask-become-pass",
        Ask::Vault => "--ask-vault-pass",
    }
}

/// Adds an option and its value, as one word where argparse would otherwise
/// take the value for another option.
fn option(to: &mut Vec<OsString>, name: &str, value: impl AsRef<OsStr>) {
    let value = value.as_ref();
    if value.as_bytes().starts_with(b"-") {
        let mut word = OsString::from(name);
        word.push("=");
        word.push(value);
        to.push(word);
    } else {
        to.extend([name.into(), value.to_owned()]);
    }
}
