//! Reads a private data dir: the folder in which ansible-runner finds its inputs.
//!
//! **Invariant:** nothing is written there. What is said in code or by flags wins over what lies in files.

mod settings;
mod yaml;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use self::settings::Settings;
use super::container::Wanted;
use super::keywords::Keywords;
use super::resolve::Resolver;
use super::{Answer, EventData, FactCache, Handed, Keep, Overrides, Secret, Work, files};
use crate::config::{Finding, JobWork};

/// What a private data dir and the keywords come to.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// Where Ansible is started.
    pub(super) folder: PathBuf,
    pub(super) artifacts: PathBuf,
    pub(super) work: Option<Work>,
    /// What there is when nothing else says which inventory.
    pub(super) inventory: Option<PathBuf>,
    /// The folder whose entries an inventory can be named by.
    pub(super) inventories: PathBuf,
    pub(super) handed: Handed,
    pub(super) more_arguments: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) answers: Vec<Answer>,
    pub(super) ssh_key: Option<Secret>,
    pub(super) timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) keep: Keep,
    /// Where Ansible is to be isolated.
    pub(super) container: Option<Wanted>,
    /// Values in files that look secret.
    pub(super) hidden: Vec<Secret>,
}

impl Resolver<'_> {
    /// Reads the folder and joins it with what was said.
    pub(super) fn given(&mut self, folder: &Path, overrides: &Overrides) -> Given {
        let keywords = &overrides.keywords;
        if !folder.is_dir() {
            let what = if folder.exists() { "is not a folder" } else { "does not exist" };
            let message = format!("the private data dir `{}` {what}", folder.display());
            let span = self.config.span_of_job_key(&self.job.name, "private-data-dir");
            let finding = self.of_this_job(Finding::error("missing-file", self.config.path(), message).at(span));
            self.findings.push(finding.help("name the folder that holds `project`, `inventory` and `env`"));
            return Given::default();
        }
        let said = |path: &Option<String>| {
            path.as_ref().map(|path| files::absolute(path, &self.environment.cwd, self.environment))
        };
        let project = said(&keywords.project_dir).unwrap_or_else(|| folder.join("project"));
        let artifacts = said(&keywords.artifact_dir).unwrap_or_else(|| folder.join("artifacts"));

        let (settings, unknown) = match Settings::join(self.mapping(folder, "env/settings"), keywords) {
            Ok(settings) => settings,
            Err(err) => {
                self.bad_file(
                    &folder.join("env/settings"),
                    &err,
                    "each setting has the type that ansible-runner gives it",
                );
                (Settings::default(), Vec::new())
            }
        };
        for key in unknown {
            let message = format!("`{key}` in `env/settings` is no setting that Playwarden or ansible-runner knows");
            let help = match key.starts_with("runner_") {
                true => {
                    "it may be meant for a plugin of ansible-runner: choose an event handler in runner.toml instead"
                }
                false => "remove it, or correct its name",
            };
            self.warnings.push(Finding::warning("unknown-key", &folder.join("env/settings"), message).help(help));
        }
        let (container, unused) = settings.container();
        self.contained |= container.is_some();
        if unused {
            let message = "a container's image is named, and without `process_isolation` it is not used".to_owned();
            let warning = Finding::warning("unused-key", Path::new(""), message);
            self.warnings.push(warning.help("add `process_isolation`, or leave the image out"));
        }

        let mut given = Given {
            inventories: folder.join("inventory"),
            inventory: Some(folder.join("inventory")).filter(|path| path.exists()),
            artifacts,
            timeout: settings.job_timeout(),
            idle_timeout: settings.idle_timeout(),
            keep: self.keep(&settings, keywords),
            // Who runs the job elsewhere is told of it there.
            container: container.filter(|_| !self.elsewhere),
            ..Given::default()
        };
        self.said_extra_vars(&mut given, keywords, folder);
        given.env = self.env(folder, keywords);
        given.answers = self.answers(folder, keywords);
        given.ssh_key = keywords.ssh_key.clone().or_else(|| self.text(folder, "env/ssh_key").map(Secret::new));
        let base = if project.is_dir() { &project } else { folder };
        given.work = self.given_work(folder, base, keywords, &mut given.env);
        // A module has no project, in ansible-runner either.
        let has_project = project.is_dir() && !matches!(given.work, Some(Work::Module { .. }));
        given.folder = if has_project { project } else { folder.to_owned() };
        if !matches!(given.work, Some(Work::Command { .. })) {
            let text = keywords.cmdline.clone().filter(|text| !text.trim().is_empty());
            if let Some(text) = text.or_else(|| self.text(folder, "env/cmdline")) {
                given.more_arguments = self.split(&text, "env/cmdline");
            }
        }
        given
    }

    fn given_work(
        &mut self,
        folder: &Path,
        project: &Path,
        keywords: &Keywords,
        env: &mut BTreeMap<String, String>,
    ) -> Option<Work> {
        if let Some(words) = keywords.command.clone().filter(|words| !words.is_empty()) {
            return Some(Work::Command { words });
        }
        if let Some(text) = self.text(folder, "args") {
            let words = self.split(&text, "args");
            return (!words.is_empty()).then_some(Work::Command { words });
        }
        if let Some(program) = &keywords.binary {
            return Some(Work::Program { name: program.clone() });
        }
        let playbook = keywords.playbook.clone().filter(|playbook| playbook.as_str() != Some(""));
        let module = keywords.module.clone().filter(|module| !module.is_empty());
        let role = keywords.role.clone().filter(|role| !role.is_empty());
        let named = [playbook.is_some(), module.is_some(), role.is_some()];
        if named.into_iter().filter(|named| *named).count() > 1 {
            self.usage("only one of playbook, module and role can be run", "leave out the others");
            return None;
        }
        if module.is_none() && keywords.module_args.is_some() {
            self.usage("module arguments belong to a module", "name it with `--module`");
        }
        match (playbook, module, role) {
            (Some(Value::String(name)), ..) => Some(Work::Playbook { path: self.playbook_of(project, &name) }),
            (Some(plays @ (Value::Array(_) | Value::Object(_))), ..) => {
                Some(Work::Play { plays: listed(plays), beside: project.to_owned() })
            }
            (Some(_), ..) => {
                self.usage("a playbook is a name, a play or a list of plays", "write it as one of them");
                None
            }
            (_, Some(name), _) => {
                let hosts =
                    keywords.host_pattern.clone().or_else(|| keywords.hosts.as_ref().map(|list| list.join(",")));
                if hosts.is_none() {
                    self.usage("a module needs to know on which hosts", "add `--hosts PATTERN`");
                }
                Some(Work::Module { name, args: keywords.module_args.clone(), hosts: hosts.unwrap_or_default() })
            }
            (_, _, Some(name)) => {
                let paths = keywords.roles_path.clone().unwrap_or_default();
                let paths = paths.iter().map(|path| files::absolute(path, &self.environment.cwd, self.environment));
                self.needed = paths.collect();
                let mut paths: Vec<_> = self.needed.iter().map(|path| path.display().to_string()).collect();
                if paths.is_empty() {
                    paths.push(folder.join("roles").display().to_string());
                }
                env.insert("ANSIBLE_ROLES_PATH".to_owned(), paths.join(":"));
                let hosts = keywords.hosts.clone().or_else(|| keywords.host_pattern.clone().map(|hosts| vec![hosts]));
                let vars = keywords.role_vars.clone().unwrap_or_default();
                let plays = role_play(&name, hosts, vars, !keywords.role_skip_facts.unwrap_or(false));
                Some(Work::Play { plays, beside: project.to_owned() })
            }
            (None, None, None) => match &self.job.work {
                JobWork::Args => {
                    let message = format!("nothing says what to run: `{}` has no file `args`", folder.display());
                    let finding = Finding::error("bad-argument", Path::new(""), message);
                    self.findings.push(finding.help("name a playbook (`-p`), a module (`-m`) or a role (`-r`)"));
                    None
                }
                // As the job of runner.toml says, but in the folder's project.
                JobWork::Playbook(name) => Some(Work::Playbook { path: self.playbook_of(project, &name.clone()) }),
                JobWork::Module { name, args, hosts } => {
                    Some(Work::Module { name: name.clone(), args: args.clone(), hosts: hosts.clone() })
                }
                JobWork::Role { name, hosts } => {
                    env.insert("ANSIBLE_ROLES_PATH".to_owned(), folder.join("roles").display().to_string());
                    let plays = role_play(name, Some(vec![hosts.clone()]), Map::new(), true);
                    Some(Work::Play { plays, beside: project.to_owned() })
                }
            },
        }
    }

    /// Extra vars that were said win over the file's.
    fn said_extra_vars(&mut self, given: &mut Given, keywords: &Keywords, folder: &Path) {
        let path = folder.join("env/extravars");
        if path.exists() {
            // Only to know what is secret; what cannot be read here, Ansible reads or refuses.
            let is_file = path.is_file();
            let text = if is_file { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
            given.handed.extra_vars_files.push(path.into());
            let vars = yaml::parse(&text).unwrap_or_default();
            given.hidden.extend(self.config.redact.secret_values(&vars).into_iter().map(Secret::new));
        }
        match &keywords.extravars {
            None | Some(Value::Null) => {}
            Some(Value::Object(vars)) if vars.is_empty() => {}
            Some(Value::Object(vars)) => {
                given.hidden.extend(
                    self.config.redact.secret_values(&Value::Object(vars.clone())).into_iter().map(Secret::new),
                );
                given.handed.extra_vars = Some(Secret::new(Value::Object(vars.clone()).to_string()));
            }
            Some(Value::String(path)) => {
                let path = files::absolute(path, folder, self.environment);
                match files::missing_file(&path, &path.display().to_string()) {
                    Some(missing) => {
                        let message = format!("file of extra vars {}", missing.message(&path.display().to_string()));
                        self.usage(&message, "name a file, or give the variables themselves");
                    }
                    None => given.handed.extra_vars_files.push(path.into()),
                }
            }
            Some(_) => self.usage("extra vars are a mapping, or the path of a file", "write them as one of them"),
        }
    }

    /// What is said over what lies there, over what ansible-runner always sets.
    fn env(&mut self, folder: &Path, keywords: &Keywords) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([("ANSIBLE_RETRY_FILES_ENABLED".to_owned(), "False".to_owned())]);
        if !self.environment.vars.contains_key("ANSIBLE_HOST_KEY_CHECKING") {
            env.insert("ANSIBLE_HOST_KEY_CHECKING".to_owned(), "False".to_owned());
        }
        for vars in [self.mapping(folder, "env/envvars"), keywords.envvars.clone().unwrap_or_default()] {
            for (name, value) in vars {
                let value = yaml::as_text(&value);
                if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                    let message = format!("`{name}` in `env/envvars` cannot be a variable of the environment");
                    let finding = Finding::error("bad-value", &folder.join("env/envvars"), message);
                    self.findings.push(finding.help("a name has no `=`, and neither name nor value a NUL"));
                    continue;
                }
                env.insert(name, value);
            }
        }
        env
    }

    fn answers(&mut self, folder: &Path, keywords: &Keywords) -> Vec<Answer> {
        let said = keywords.passwords.clone().unwrap_or_default();
        let lying = self.mapping(folder, "env/passwords");
        let lying = lying.into_iter().filter(|(pattern, _)| !said.contains_key(pattern)).collect::<Vec<_>>();
        let answer =
            |(pattern, answer): (String, Value)| Answer { pattern, answer: Secret::new(yaml::as_text(&answer)) };
        said.clone().into_iter().chain(lying).map(answer).collect()
    }

    fn keep(&mut self, settings: &Settings, keywords: &Keywords) -> Keep {
        let fact_cache = match settings.fact_cache() {
            Some(name) if crate::is_run_id(&name) && !RESERVED.contains(&name.as_str()) => Some(FactCache { name }),
            Some(name) => {
                let message = format!("`{name}` cannot be the folder of the fact cache");
                self.usage(&message, "use letters, digits, `-`, `_` and `.`, and no name of a run's own file");
                None
            }
            None => None,
        };
        Keep {
            // ansible-runner's readers look for them.
            job_events: keywords.job_events.unwrap_or(true),
            event_data: match (keywords.omit_event_data, keywords.only_failed_event_data) {
                (Some(true), _) => EventData::None,
                (_, Some(true)) => EventData::Failed,
                _ => EventData::All,
            },
            quiet: settings.is_quiet(),
            newest: keywords.rotate_artifacts.filter(|number| *number > 0),
            fact_cache,
        }
    }

    // ---- files --------------------------------------------------------------------------------------------------------

    fn playbook_of(&mut self, project: &Path, name: &str) -> PathBuf {
        if files::is_collection_name(name) && !project.join(name).exists() {
            return name.into();
        }
        let path = files::absolute(name, project, self.environment);
        if let Some(missing) = files::missing_file(&path, name).filter(|_| !self.is_inside(&path)) {
            let message = format!("playbook {}", missing.message(name));
            let finding = Finding::error("missing-file", Path::new(""), message).help_if(missing.help(&path));
            let finding = self.of_this_job(finding);
            self.findings.push(finding);
        }
        // Ansible is started in the project, and names the playbook as it was named to it.
        if Path::new(name).is_relative() && !name.starts_with(['~', '-']) { name.into() } else { path }
    }

    /// Reads a file of key and value, as JSON or YAML; empty without one.
    fn mapping(&mut self, folder: &Path, name: &str) -> Map<String, Value> {
        let Some(text) = self.text(folder, name) else { return Map::new() };
        match yaml::parse(&text) {
            Ok(Value::Object(map)) => map,
            Ok(Value::Null) => Map::new(),
            Ok(_) => {
                let help = "write `key: value` lines, or a JSON object";
                self.bad_file(&folder.join(name), "it holds no keys and values", help);
                Map::new()
            }
            Err(err) => {
                self.bad_file(&folder.join(name), &err, "write `key: value` lines, or a JSON object");
                Map::new()
            }
        }
    }

    /// Reads a file, which may be a pipe that somebody writes; none without one.
    fn text(&mut self, folder: &Path, name: &str) -> Option<String> {
        let path = folder.join(name);
        match fs::read(&path).map(String::from_utf8) {
            Ok(Ok(text)) => Some(text),
            Ok(Err(_)) => {
                self.bad_file(&path, "it is not UTF-8 text", "write it as UTF-8");
                None
            }
            Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => None,
            Err(err) => {
                self.bad_file(&path, &err.to_string(), "make it readable, or move it away");
                None
            }
        }
    }

    fn split(&mut self, text: &str, name: &str) -> Vec<String> {
        shlex::split(text).unwrap_or_else(|| {
            let message = format!("a quote in `{name}` is not closed");
            self.usage(&message, "close it, as for a shell");
            Vec::new()
        })
    }

    fn bad_file(&mut self, path: &Path, why: &str, help: &str) {
        let shown = path.display();
        self.findings.push(Finding::error("bad-file", path, format!("`{shown}` cannot be used: {why}")).help(help));
    }

    fn usage(&mut self, message: &str, help: &str) {
        self.findings.push(Finding::error("bad-argument", Path::new(""), message).help(help));
    }

    /// Without a runner.toml there is no place in it.
    fn of_this_job(&self, finding: Finding) -> Finding {
        if self.config.is_bare() { Finding { path: PathBuf::new(), span: None, ..finding } } else { finding }
    }
}

/// Names that a run's folder has already.
const RESERVED: [&str; 9] =
    ["events.jsonl", "run.json", "stdout", "stderr", "rc", "status", "command", "job_events", "plugins"];

/// Returns the play that runs a role.
pub(super) fn role_play(name: &str, hosts: Option<Vec<String>>, vars: Map<String, Value>, facts: bool) -> Value {
    let mut role = Map::from_iter([("name".to_owned(), Value::from(name))]);
    if !vars.is_empty() {
        role.insert("vars".to_owned(), vars.into());
    }
    let hosts = hosts.unwrap_or_else(|| vec!["all".to_owned()]);
    let hosts = if let [one] = &hosts[..] { Value::from(one.as_str()) } else { Value::from(hosts) };
    serde_json::json!([{"hosts": hosts, "gather_facts": facts, "roles": [role]}])
}

fn listed(plays: Value) -> Value {
    if plays.is_array() { plays } else { Value::Array(vec![plays]) }
}
