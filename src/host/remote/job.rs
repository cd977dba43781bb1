//! A job on its way: what a worker is told beside the folder, in the words that ansible-runner 2.4's `run()` takes.

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Added;
use crate::plan::{JobPlan, Keywords, Overrides, Work};

/// The worker's, whatever the stream says: where things lie, and who is told.
const NOT_OF_THE_JOB: [&str; 11] = [
    "private_data_dir",
    "artifact_dir",
    "streamer",
    "_input",
    "_output",
    "keepalive_seconds",
    "event_handler",
    "status_handler",
    "artifacts_handler",
    "cancel_callback",
    "finished_callback",
];

/// A job for a worker.
#[derive(Debug, Default)]
pub(crate) struct Job {
    /// The keyword arguments.
    pub(crate) keywords: Map<String, Value>,
    /// What the folder has besides.
    pub(crate) added: Added,
}

/// A job that cannot be sent, or was not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// Ansible-runner takes one inventory in a stream.
    #[error("several inventories cannot be transmitted")]
    Inventories,
    /// A file that the worker could not find.
    #[error("`{flag}` names `{path}`, which the worker could not find")]
    Path {
        /// Who names it.
        flag: &'static str,
        /// The path.
        path: String,
    },
    /// What a stream says is not what `run()` takes.
    #[error("the job is not what ansible-runner's `run()` takes: {0}")]
    Keywords(#[from] serde_json::Error),
}

impl JobError {
    /// Returns what can be done about it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Inventories => "name one, or put them into the folder `inventory`",
            Self::Path { .. } => "put it where a private data dir has it: `project`, `roles` or `env/extravars`",
            Self::Keywords(_) => "check who sends the job",
        }
    }
}

/// Says what a worker has to be told, so that it does what the plan says. `folder` is the private data dir, absolute.
///
/// # Errors
/// When something is named that does not go with the folder.
pub(crate) fn for_worker(plan: &JobPlan, overrides: &Overrides, folder: &Path) -> Result<Job, JobError> {
    let mut job = Job::default();
    let Keywords { project_dir, role, roles_path, command, .. } = &overrides.keywords;
    let project = folder.join("project");
    if let Some(path) = project_dir.as_ref().filter(|path| **path != project.to_string_lossy()) {
        let is_usual = path.trim_end_matches('/').ends_with("project") && plan.root == project;
        if !is_usual {
            elsewhere("--project-dir", path, folder)?;
            job.put("project_dir", Some(path));
        }
    }
    let usual_roles = folder.join("roles").display().to_string();
    let roles: Vec<&String> = roles_path.iter().flatten().filter(|path| **path != usual_roles).collect();
    for path in &roles {
        elsewhere("--roles-path", path, folder)?;
    }
    if role.is_some() {
        // There it is put before the folder's own, as a text.
        job.put(
            "roles_path",
            Some(&roles)
                .filter(|roles| !roles.is_empty())
                .map(|roles| roles.iter().map(|path| path.as_str()).collect::<Vec<_>>().join(":")),
        );
    } else {
        job.put("roles_path", Some(&roles).filter(|roles| !roles.is_empty()));
    }
    if let Some(words) = command.as_ref().filter(|words| !words.is_empty()) {
        job.added.insert("args".into(), join(words).into_bytes());
    }
    job.plain(&overrides.keywords, &project);
    job.inventory(plan, folder)?;

    job.put("ident", overrides.run_id.as_ref());
    job.put("limit", plan.limit.as_ref());
    job.put("forks", plan.forks);
    job.put("verbosity", Some(plan.verbosity).filter(|verbosity| *verbosity > 0));
    job.put("tags", Some(plan.tags.join(",")).filter(|tags| !tags.is_empty()));
    job.put("skip_tags", Some(plan.skip_tags.join(",")).filter(|tags| !tags.is_empty()));
    // In whole seconds, which is what it reads everywhere.
    job.put("timeout", overrides.timeout.map(|limit| limit.as_secs().max(1)));

    // What ansible-runner has no keyword for goes where it takes anything.
    let mut words = Vec::new();
    for id in &overrides.vault_ids {
        words.extend(["--vault-id".to_owned(), id.clone()]);
    }
    words.extend(plan.check.then(|| "--check".to_owned()));
    words.extend(plan.diff.then(|| "--diff".to_owned()));
    for vars in &overrides.extra_vars {
        if vars.starts_with('@') {
            return Err(JobError::Path { flag: "--extra-vars", path: vars.clone() });
        }
        words.extend(["-e".to_owned(), vars.clone()]);
    }
    if words.is_empty() {
        job.put("cmdline", overrides.keywords.cmdline.as_ref());
    } else if !matches!(plan.work, Work::Command { .. }) {
        // It is said, so that the folder's `env/cmdline` does not count: that is in it.
        let words: Vec<String> = plan.more_arguments.iter().cloned().chain(words).collect();
        job.put("cmdline", Some(join(&words)));
    }
    Ok(job)
}

impl Job {
    fn put<T: Serialize>(&mut self, name: &str, value: Option<T>) {
        // What cannot be JSON came from none.
        if let Some(value) = value
            && let Ok(value) = serde_json::to_value(&value)
            && !value.is_null()
        {
            self.keywords.insert(name.to_owned(), value);
        }
    }

    /// What goes as it was said.
    fn plain(&mut self, keywords: &Keywords, project: &Path) {
        let inside = |value: &Value| {
            let path = value.as_str().and_then(|name| Path::new(name).strip_prefix(project).ok());
            path.map_or_else(|| value.clone(), |path| path.to_string_lossy().into())
        };
        self.put("playbook", keywords.playbook.as_ref().map(inside));
        macro_rules! put {
            ($($name:ident)*) => { $(self.put(stringify!($name), keywords.$name.as_ref());)* };
        }
        put!(
            module module_args host_pattern role role_vars role_skip_facts hosts envvars extravars passwords settings
            binary host_cwd rotate_artifacts omit_event_data only_failed_event_data fact_cache fact_cache_type quiet
            json_mode suppress_output_file suppress_ansible_output process_isolation process_isolation_executable
            process_isolation_path process_isolation_hide_paths process_isolation_show_paths process_isolation_ro_paths
            directory_isolation_base_path container_image container_volume_mounts container_options container_workdir
            container_auth_data suppress_env_files check_job_event_data
        );
        if keywords.role.is_none() {
            // Its `run()` knows them only with a role.
            ["role_vars", "role_skip_facts", "hosts"].iter().for_each(|name| drop(self.keywords.remove(*name)));
        } else {
            self.keywords.remove("host_pattern");
        }
        self.put("ssh_key", keywords.ssh_key.as_ref().map(crate::plan::Secret::reveal));
    }

    fn inventory(&mut self, plan: &JobPlan, folder: &Path) -> Result<(), JobError> {
        let mut add = |name: &str, text: String| {
            let path = format!("inventory/playwarden-{name}");
            self.keywords.insert("inventory".to_owned(), path.as_str().into());
            self.added.insert(path.into(), text.into_bytes());
        };
        if let Some(inventory) = &plan.handed.inventory {
            add(&inventory.name, inventory.text.reveal().to_owned());
            return Ok(());
        }
        let texts: Vec<_> = plan.inventory.iter().map(|source| source.to_string_lossy()).collect();
        match &texts[..] {
            [] => Ok(()),
            lists if lists.iter().all(|list| list.contains(',')) => {
                let hosts = lists.iter().flat_map(|list| list.split(',')).map(str::trim);
                let lines: Vec<_> = hosts.filter(|host| !host.is_empty()).map(|host| format!("{host}\n")).collect();
                add("hosts", lines.concat());
                Ok(())
            }
            [path] => {
                // Without one, it takes the folder's.
                if let Some(path) = relative(path, folder) {
                    self.put("inventory", Some(path).filter(|path| path != "inventory"));
                } else {
                    self.put("inventory", Some(path));
                }
                Ok(())
            }
            _ => Err(JobError::Inventories),
        }
    }
}

/// Refuses a path that is in the folder, of which nobody knows where it will lie.
fn elsewhere(flag: &'static str, path: &str, folder: &Path) -> Result<(), JobError> {
    let is_lost = !Path::new(path).is_absolute() || relative(path, folder).is_some();
    if is_lost { Err(JobError::Path { flag, path: path.to_owned() }) } else { Ok(()) }
}

/// Returns a path as it is seen from the folder, when it is in it.
fn relative(path: &str, folder: &Path) -> Option<String> {
    Path::new(path).strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned())
}

/// Joins words so that a shell would split them again.
fn join(words: &[String]) -> String {
    let quoted = words.iter().map(|word| match shlex::try_quote(word) {
        Ok(word) => word.into_owned(),
        // A NUL can be in no argument.
        Err(_) => word.replace('\0', ""),
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// Reads what a worker was told. Its paths are in the folder that the job was unpacked into.
///
/// # Errors
/// When something is said that `run()` does not take.
pub(crate) fn at_worker(json: &str, folder: &Path) -> Result<Overrides, JobError> {
    let mut map: Map<String, Value> = serde_json::from_str(json)?;
    NOT_OF_THE_JOB.iter().for_each(|name| drop(map.remove(*name)));
    let folder_text = folder.display();
    if let Some(Value::String(inventory)) = map.get_mut("inventory")
        && !inventory.is_empty()
    {
        *inventory = folder.join(&*inventory).display().to_string();
    }
    if let Some(Value::String(roles)) = map.get_mut("envvars").and_then(|vars| vars.get_mut("ANSIBLE_ROLES_PATH")) {
        // The other one looks below `roles`, but says it as seen from the folder.
        let paths = roles.split(':').map(|path| match Path::new(path).is_absolute() {
            true => path.to_owned(),
            false => format!("{folder_text}/{path}:{folder_text}/roles/{path}"),
        });
        *roles = paths.collect::<Vec<_>>().join(":");
    }
    if let Some(Value::String(paths)) = map.get_mut("roles_path")
        && paths.contains(':')
    {
        let list: Vec<Value> = paths.split(':').map(Value::from).collect();
        map.insert("roles_path".to_owned(), list.into());
    }
    let mut overrides = Overrides::default();
    overrides.take(serde_json::from_value(Value::Object(map))?);
    Ok(overrides)
}
