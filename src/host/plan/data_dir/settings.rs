//! `env/settings`, and what keywords say in its place.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::plan::container::Wanted;
use crate::plan::keywords::Keywords;

/// Settings that are known and have no meaning here: of a terminal that is asked again and again, of bubblewrap, which is
/// refused as such, and against keeping what Ansible prints, which is evidence.
const WITHOUT_MEANING: [&str; 9] = [
    "suppress_output_file",
    "pexpect_timeout",
    "pexpect_use_poll",
    "process_isolation_path",
    "process_isolation_hide_paths",
    "process_isolation_show_paths",
    "process_isolation_ro_paths",
    "directory_isolation_base_path",
    "directory_isolation_cleanup",
];

/// The settings of ansible-runner that are not keywords only. Everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Settings {
    idle_timeout: Option<f64>,
    job_timeout: Option<f64>,
    subprocess_timeout: Option<f64>,
    suppress_ansible_output: Option<bool>,
    fact_cache: Option<String>,
    fact_cache_type: Option<String>,
    process_isolation: Option<bool>,
    process_isolation_executable: Option<String>,
    container_image: Option<String>,
    container_volume_mounts: Option<Vec<String>>,
    container_options: Option<Vec<String>>,
    container_workdir: Option<String>,
    container_auth_data: Option<Map<String, Value>>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
    #[serde(skip)]
    quiet: bool,
}

impl Settings {
    /// Puts what was said over what lies there. Returns the names that nobody knows, too.
    pub(super) fn join(file: Map<String, Value>, keywords: &Keywords) -> Result<(Self, Vec<String>), String> {
        let mut all = file;
        all.extend(keywords.settings.clone().unwrap_or_default());
        let mut settings: Self = serde_json::from_value(Value::Object(all)).map_err(|err| err.to_string())?;
        let unknown = std::mem::take(&mut settings.unknown).into_iter().map(|(name, _)| name);
        let unknown = unknown.filter(|name| !WITHOUT_MEANING.contains(&name.as_str())).collect();

        let said = keywords.clone();
        let put = |to: &mut Option<bool>, from: Option<bool>| *to = from.or(*to);
        put(&mut settings.suppress_ansible_output, said.suppress_ansible_output);
        put(&mut settings.process_isolation, said.process_isolation);
        settings.quiet = said.quiet.unwrap_or(false);
        settings.fact_cache = said.fact_cache.or(settings.fact_cache);
        settings.fact_cache_type = said.fact_cache_type.or(settings.fact_cache_type);
        settings.process_isolation_executable =
            said.process_isolation_executable.or(settings.process_isolation_executable);
        settings.container_image = said.container_image.or(settings.container_image);
        settings.container_volume_mounts = said.container_volume_mounts.or(settings.container_volume_mounts);
        settings.container_options = said.container_options.or(settings.container_options);
        settings.container_workdir = said.container_workdir.or(settings.container_workdir);
        settings.container_auth_data = said.container_auth_data.or(settings.container_auth_data);
        Ok((settings, unknown))
    }

    pub(super) fn job_timeout(&self) -> Option<Duration> {
        self.job_timeout.or(self.subprocess_timeout).and_then(duration)
    }

    pub(super) fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout.and_then(duration)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.suppress_ansible_output.unwrap_or(self.quiet)
    }

    /// Returns the folder of the fact cache; none where the user has a cache of another kind.
    pub(super) fn fact_cache(&self) -> Option<String> {
        let is_file = self.fact_cache_type.as_deref().is_none_or(|kind| kind == "jsonfile");
        is_file.then(|| self.fact_cache.clone().unwrap_or_else(|| "fact_cache".to_owned()))
    }

    /// Returns the container in which a run is to be isolated from this machine, and whether one is named that is not used.
    pub(super) fn container(&self) -> (Option<Wanted>, bool) {
        if !self.process_isolation.unwrap_or(false) {
            return (None, self.container_image.as_ref().is_some_and(|image| !image.is_empty()));
        }
        let wanted = Wanted {
            engine: self.process_isolation_executable.clone(),
            image: self.container_image.clone(),
            mounts: self.container_volume_mounts.clone().unwrap_or_default(),
            options: self.container_options.clone().unwrap_or_default(),
            folder: self.container_workdir.clone(),
            auth: self.container_auth_data.clone(),
        };
        (Some(wanted), false)
    }
}

/// Seconds; zero and less mean none, as in ansible-runner.
pub(super) fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero())
}
