//! What a plugin may reach: which folders are meant, what the environment and
//! the secrets are.
//!
//! **Invariant:** no finding and no error text here repeats a secret.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::files::{self, settled};
use super::resolve::Resolver;
use super::{AnsiblePlan, Component, FolderGrant, Grants, PluginPlan, PrivateAnsible};
use crate::config::{Finding, Plugin, SecretSource};

/// The largest secret that is read from a file.
const MAX_SECRET: u64 = 64 << 10;

impl Resolver<'_> {
    pub(super) fn grants(&mut self, plugin: &Plugin) -> Grants {
        let mut folders = |key: &str, names: &[String]| {
            names
                .iter()
                .enumerate()
                .map(|(index, name)| self.folder(plugin, &[key, &index.to_string()], name))
                .collect()
        };
        let read = folders("read", &plugin.grants.read);
        let write = folders("write", &plugin.grants.write);
        let mut env = BTreeMap::new();
        for (index, name) in plugin.grants.env.iter().enumerate() {
            let Some(value) = self.environment.vars.get(name) else { continue };
            match value.to_str() {
                Some(value) => env.extend([(name.clone(), value.to_owned())]),
                None => {
                    let message = format!("the value of the environment variable `{name}` is not UTF-8 text");
                    let help = "set it to UTF-8 text, or remove the grant";
                    self.refuse("bad-value", plugin, &["env", &index.to_string()], message, help);
                }
            }
        }
        let mut secrets = BTreeMap::new();
        for (name, source) in &plugin.grants.secrets {
            let key = match source {
                SecretSource::Env(_) => "env",
                SecretSource::File(_) => "file",
            };
            match self.secret(source) {
                Ok(value) => secrets.extend([(name.clone(), value)]),
                Err(Unreadable { code, why, help }) => {
                    let message = format!("secret `{name}` of plugin `{}`: {why}", plugin.name);
                    self.refuse(code, plugin, &["secrets", name, key], message, help);
                }
            }
        }
        Grants { read, write, http: plugin.grants.http.clone(), env, secrets }
    }

    /// Returns which folder is meant. One that may be written is made when it is used, not here.
    fn folder(&mut self, plugin: &Plugin, at: &[&str], name: &str) -> FolderGrant {
        let is_read = at[0] == "read";
        let path = files::absolute(name, &self.root, self.environment);
        let in_the_way = match fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => Some("is a symbolic link".to_owned()),
            Ok(found) => (!found.is_dir()).then(|| "is not a folder".to_owned()),
            Err(err) if err.kind() == io::ErrorKind::NotFound => is_read.then(|| "does not exist".to_owned()),
            Err(err) => Some(format!("cannot be a folder: {err}")),
        };
        if let Some(why) = in_the_way {
            let message = format!("plugin `{}` may {} `{name}`, which {why}", plugin.name, at[0]);
            let help = match fs::metadata(&path) {
                Ok(found) if is_read && found.is_file() => {
                    "name the folder that the file is in, with what the plugin needs and nothing else"
                }
                _ if is_read => "name a folder that is there; relative names begin where `runner.toml` is",
                _ => "name a folder, or a place where one can be made",
            };
            self.refuse("bad-folder", plugin, at, message, help);
        }
        FolderGrant { name: name.to_owned(), path: settled(&path) }
    }

    /// Reads a secret where it is.
    pub(super) fn secret(&self, source: &SecretSource) -> Result<String, Unreadable> {
        match source {
            SecretSource::Env(variable) => self.variable(variable),
            SecretSource::File(path) => self.secret_file(path),
        }
    }

    fn variable(&self, name: &str) -> Result<String, Unreadable> {
        let Some(value) = self.environment.vars.get(name) else {
            let help = "set it where playwarden is started, not in the job's `env`";
            return Err(Unreadable::missing(format!("the environment variable `{name}` is not set"), help));
        };
        let why = match value.to_str() {
            Some("") => "is empty",
            Some(value) => return Ok(value.to_owned()),
            None => "is not UTF-8 text",
        };
        Err(Unreadable::bad(format!("the environment variable `{name}` {why}")))
    }

    fn secret_file(&self, written: &str) -> Result<String, Unreadable> {
        let path = files::absolute(written, &self.root, self.environment);
        if let Some(missing) = files::missing_file(&path, written) {
            let help = missing.help(&path).unwrap_or_else(|| "name a file".to_owned());
            return Err(Unreadable::missing(missing.message(written), help));
        }
        let bad = |why: &str| Unreadable::bad(format!("`{written}` {why}"));
        // Reading anything but a file could wait for ever.
        if !path.metadata().is_ok_and(|found| found.is_file()) {
            return Err(bad("is not a file that can be read"));
        }
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(MAX_SECRET + 1).read_to_end(&mut bytes));
        read.map_err(|err| bad(&format!("cannot be read: {err}")))?;
        if bytes.len() as u64 > MAX_SECRET {
            return Err(bad("is larger than 64 KiB"));
        }
        let mut text = String::from_utf8(bytes).map_err(|_| bad("is not UTF-8 text"))?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        if text.is_empty() { Err(bad("is empty")) } else { Ok(text) }
    }

    /// Looks at all folders together: what no plugin may write, and what only one may.
    pub(super) fn check_folders(&mut self, plugins: &[PluginPlan], ansible: Option<&AnsiblePlan>) {
        let mut seen: Vec<(&str, &FolderGrant)> = Vec::new();
        let all = plugins.iter().flat_map(|plugin| plugin.grants.write.iter().enumerate().map(move |at| (plugin, at)));
        for (plugin, (index, folder)) in all {
            let (name, written) = (plugin.name.as_str(), &folder.name);
            let other = seen.iter().find(|(_, other)| overlap(&folder.path, &other.path));
            let (code, message, help) = match (self.kept(plugins, ansible, &folder.path), other) {
                (Some(what), _) => {
                    let message = format!("plugin `{name}` may write `{written}`, which {what}");
                    ("forbidden-folder", message, "grant a folder that is for this plugin alone")
                }
                (None, Some((other, folder))) if *other == name => {
                    let message = format!("plugin `{name}` may write `{written}` twice, also as `{}`", folder.name);
                    ("repeated-grant", message, "keep one of them, the outer one")
                }
                (None, Some((other, _))) => {
                    let message = format!("plugins `{other}` and `{name}` may both write `{written}`");
                    ("shared-folder", message, "give each a folder of its own")
                }
                (None, None) => {
                    seen.push((name, folder));
                    continue;
                }
            };
            let span = self.config.span_of_grant(&self.job.name, name, &["write", &index.to_string()]);
            self.findings.push(Finding::error(code, self.config.path(), message).at(span).help(help));
        }
    }

    /// Finds folders that a plugin may read, and write as well: one of the two is not meant.
    pub(super) fn check_read_folders(&mut self, plugins: &[PluginPlan]) {
        for plugin in plugins {
            for (index, read) in plugin.grants.read.iter().enumerate() {
                let earlier = plugin.grants.read[..index].iter().map(|folder| (folder, "read"));
                let others = earlier.chain(plugin.grants.write.iter().map(|folder| (folder, "write")));
                let Some((other, how)) = others.into_iter().find(|(other, _)| overlap(&read.path, &other.path)) else {
                    continue;
                };
                let message = format!("plugin `{}` may read `{}`, and {how} `{}`", plugin.name, read.name, other.name);
                let span = self.config.span_of_grant(&self.job.name, &plugin.name, &["read", &index.to_string()]);
                let finding = Finding::error("repeated-grant", self.config.path(), message).at(span);
                self.findings.push(finding.help("neither may be in the other: keep one of them"));
            }
        }
    }

    /// Returns what a folder holds that decides over later runs or proves earlier ones.
    fn kept(&self, plugins: &[PluginPlan], ansible: Option<&AnsiblePlan>, folder: &Path) -> Option<String> {
        let file = settled(&self.environment.cwd.join(self.config.path()));
        if self.root.starts_with(folder) || file.starts_with(folder) {
            return Some("holds `runner.toml`, and so the choice of policies".to_owned());
        }
        if overlap(folder, &settled(&self.root.join("artifacts"))) {
            return Some("holds what runs left behind".to_owned());
        }
        // Compiled plugins are native code to the host, and Ansible is what it starts.
        let vars = &self.environment.vars;
        let caches = vars.get("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = caches.or_else(|| self.environment.home.as_ref().map(|home| home.join(".cache")));
        if caches.is_some_and(|caches| overlap(folder, &settled(&caches.join("playwarden")))) {
            return Some("holds compiled plugins, or is among them".to_owned());
        }
        let venv = ansible
            .and_then(|ansible| ansible.config.parent()?.parent())
            .filter(|venv| venv.join("pyvenv.cfg").exists());
        let private = PrivateAnsible::home(self.environment);
        if venv.into_iter().chain(private.as_deref()).any(|home| overlap(folder, &settled(home))) {
            return Some("holds an Ansible, or is part of one".to_owned());
        }
        // A link to a component can be turned as well as the component itself.
        let holds = |path: &Path| settled(path).starts_with(folder);
        let component = plugins.iter().find(|plugin| match &plugin.component {
            Component::Path(path) => holds(path) || path.parent().is_some_and(holds),
            Component::Builtin(_) => false,
        });
        component.map(|plugin| format!("holds the component of plugin `{}`", plugin.name))
    }

    fn refuse(&mut self, code: &'static str, plugin: &Plugin, at: &[&str], message: String, help: impl Into<String>) {
        let span = self.config.span_of_grant(&self.job.name, &plugin.name, at);
        self.findings.push(Finding::error(code, self.config.path(), message).at(span).help(help));
    }
}

/// Why a secret cannot be had.
pub(super) struct Unreadable {
    pub(super) code: &'static str,
    pub(super) why: String,
    pub(super) help: String,
}

impl Unreadable {
    fn missing(why: String, help: impl Into<String>) -> Self {
        Self { code: "missing-secret", why, help: help.into() }
    }

    fn bad(why: String) -> Self {
        Self { code: "bad-secret", why, help: "put a text of at most 64 KiB there".to_owned() }
    }
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
