//! The command line that Ansible is given.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Ask, JobPlan, Work};

/// Options with which Ansible only says something, and asks nobody. As far as they must be written out.
const ONLY_SAYS: [&str; 6] = ["--syntax", "--list-h", "--list-ta", "--vers", "--help", "-h"];

impl JobPlan {
    /// Returns the arguments behind the executable. `handed` is the folder of what the run hands to Ansible.
    ///
    /// No value can be read as an option, whatever it starts with. Extra vars
    /// of the command line stand behind all others, so that they win.
    pub fn arguments(&self, handed: &Path) -> Vec<OsString> {
        if let Work::Command { words } = &self.work {
            return words.iter().skip(1).map(OsString::from).collect();
        }
        let mut to: Vec<OsString> = self.more_arguments.iter().map(OsString::from).collect();
        to.extend(self.ask.iter().map(|ask| OsString::from(option_of(*ask))));
        for id in self.vault_ids.iter().filter(|id| is_asked_for(id)) {
            option(&mut to, "--vault-id", id);
        }
        to.extend(self.own_arguments(handed));
        to
    }

    /// As [`arguments`](Self::arguments), without what makes Ansible ask for passwords: for when nobody answers.
    pub(crate) fn arguments_without_prompts(&self, handed: &Path) -> Vec<OsString> {
        let mut to: Vec<OsString> = self.more_arguments.iter().map(OsString::from).collect();
        to.extend(self.own_arguments(handed));
        to
    }

    fn own_arguments(&self, handed: &Path) -> Vec<OsString> {
        let mut to = Vec::new();
        for id in self.vault_ids.iter().filter(|id| !is_asked_for(id)) {
            option(&mut to, "--vault-id", id);
        }
        for source in &self.inventory {
            option(&mut to, "--inventory", source);
        }
        if let Some(inventory) = &self.handed.inventory {
            option(&mut to, "--inventory", handed.join("inventory").join(&inventory.name));
        }
        if let Some(limit) = &self.limit {
            option(&mut to, "--limit", limit);
        }
        let at = |file: &OsStr| {
            let mut argument = OsString::from("@");
            argument.push(file);
            argument
        };
        for file in &self.handed.extra_vars_files {
            option(&mut to, "--extra-vars", at(file));
        }
        if !self.extra_vars.is_empty() {
            option(&mut to, "--extra-vars", Value::Object(self.extra_vars.clone()).to_string());
        }
        if self.handed.extra_vars.is_some() {
            option(&mut to, "--extra-vars", at(handed_extra_vars(handed).as_os_str()));
        }
        for vars in &self.more_extra_vars {
            option(&mut to, "--extra-vars", vars);
        }
        if self.verbosity > 0 {
            to.push(format!("-{}", "v".repeat(self.verbosity.into())).into());
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
        match &self.work {
            Work::Playbook { path } => to.push(path.into()),
            Work::Play { .. } => to.push(handed_playbook(handed).into()),
            Work::Module { name, args, hosts } => {
                option(&mut to, "--module-name", name);
                if let Some(args) = args {
                    option(&mut to, "--args", args);
                }
                // Behind `--` nothing is an option.
                to.extend([OsString::from("--"), hosts.into()]);
            }
            Work::Program { .. } | Work::Command { .. } => {}
        }
        to
    }

    /// Whether the program is Ansible itself, and runs tasks: then it must greet us, or nothing was guarded.
    pub(crate) fn must_greet(&self) -> bool {
        let name = Path::new(self.work.program()).file_name();
        let is_ansible = name.is_some_and(|name| name == "ansible-playbook" || name == "ansible");
        let words: &[String] = match &self.work {
            Work::Command { words } => words,
            _ => &self.more_arguments,
        };
        let only_says = |word: &String| ONLY_SAYS.iter().any(|option| word.starts_with(option));
        is_ansible && !words.iter().any(only_says)
    }
}

/// Where the plays lie that are in no file.
pub(crate) fn handed_playbook(handed: &Path) -> PathBuf {
    handed.join("project/main.json")
}

/// Where extra vars lie that are in no file.
pub(crate) fn handed_extra_vars(handed: &Path) -> PathBuf {
    handed.join("extravars.json")
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
