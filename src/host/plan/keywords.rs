//! The keyword arguments of ansible-runner's `run()`.
//!
//! They come as one JSON object: from a program that calls us, from the command line's flags, or over a stream from who
//! transmits a job. Names and meanings are ansible-runner's; what is null counts as left out.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::Secret;

/// What ansible-runner's `run()` is told. Everything may be left out.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Keywords {
    /// The run id.
    #[serde(deserialize_with = "text")]
    pub ident: Option<String>,
    /// The name of a playbook in the project, or the plays themselves.
    pub playbook: Option<Value>,
    /// A module to run instead.
    pub module: Option<String>,
    /// The module's arguments.
    pub module_args: Option<String>,
    /// The hosts that a module runs on.
    pub host_pattern: Option<String>,
    /// A role to run instead.
    pub role: Option<String>,
    /// The role's variables, or a text of `key=value` pairs.
    #[serde(deserialize_with = "role_vars")]
    pub role_vars: Option<Map<String, Value>>,
    /// Whether the role's play leaves facts alone.
    pub role_skip_facts: Option<bool>,
    /// The hosts that a role runs on.
    #[serde(deserialize_with = "words")]
    pub hosts: Option<Vec<String>>,
    /// Where roles are looked for.
    #[serde(deserialize_with = "words")]
    pub roles_path: Option<Vec<String>>,
    /// An inventory, or paths and host lists.
    pub inventory: Option<Value>,
    /// Added to Ansible's environment.
    pub envvars: Option<Map<String, Value>>,
    /// Variables, or the path of a file with them.
    pub extravars: Option<Value>,
    /// Answers by the pattern of the prompt.
    pub passwords: Option<Map<String, Value>>,
    /// What else `env/settings` may say.
    pub settings: Option<Map<String, Value>>,
    /// The text of a private key.
    pub ssh_key: Option<Secret>,
    /// Further arguments, as a shell would split them.
    pub cmdline: Option<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--forks`.
    pub forks: Option<u32>,
    /// How many `-v`.
    pub verbosity: Option<u8>,
    /// `--tags`.
    #[serde(deserialize_with = "words")]
    pub tags: Option<Vec<String>>,
    /// `--skip-tags`.
    #[serde(deserialize_with = "words")]
    pub skip_tags: Option<Vec<String>>,
    /// `--vault-id`; not in ansible-runner.
    #[serde(deserialize_with = "words")]
    pub vault_ids: Option<Vec<String>>,
    /// `--check`; not in ansible-runner.
    pub check: Option<bool>,
    /// `--diff`; not in ansible-runner.
    pub diff: Option<bool>,
    /// A whole command that is run instead; not in ansible-runner's `run()`, which has another function for that.
    pub command: Option<Vec<String>>,
    /// The program that is started instead of Ansible's own.
    pub binary: Option<String>,
    /// The longest that the run may take, in seconds.
    pub timeout: Option<f64>,
    /// Where runs are kept.
    pub artifact_dir: Option<String>,
    /// Where playbooks are looked for, and Ansible is started.
    pub project_dir: Option<String>,
    /// Where Ansible is started instead.
    pub host_cwd: Option<String>,
    /// How many runs are kept; none removes none.
    pub rotate_artifacts: Option<u32>,
    /// Whether each event is also written into a file of its own; not in ansible-runner, which always does.
    pub job_events: Option<bool>,
    /// Whether such files lack `event_data`.
    pub omit_event_data: Option<bool>,
    /// Whether only those of failures have it.
    pub only_failed_event_data: Option<bool>,
    /// The folder of facts, in that of the run.
    pub fact_cache: Option<String>,
    /// The kind of cache.
    pub fact_cache_type: Option<String>,
    /// Whether nothing is shown while the run lasts.
    pub quiet: Option<bool>,
    /// Whether events are shown instead of Ansible's text.
    pub json_mode: Option<bool>,
    /// What Ansible prints is evidence, and always kept.
    pub suppress_output_file: Option<bool>,
    /// As [`Keywords::quiet`].
    pub suppress_ansible_output: Option<bool>,
    /// Whether Ansible runs in a container.
    pub process_isolation: Option<bool>,
    /// By which program.
    pub process_isolation_executable: Option<String>,
    /// Of bubblewrap.
    pub process_isolation_path: Option<String>,
    /// Of bubblewrap.
    #[serde(deserialize_with = "words")]
    pub process_isolation_hide_paths: Option<Vec<String>>,
    /// Of bubblewrap.
    #[serde(deserialize_with = "words")]
    pub process_isolation_show_paths: Option<Vec<String>>,
    /// Of bubblewrap.
    #[serde(deserialize_with = "words")]
    pub process_isolation_ro_paths: Option<Vec<String>>,
    /// Where a copy of the project is made for an isolated run.
    pub directory_isolation_base_path: Option<String>,
    /// The container's image.
    pub container_image: Option<String>,
    /// What is mounted besides, as the engine's `-v` takes it.
    #[serde(deserialize_with = "words")]
    pub container_volume_mounts: Option<Vec<String>>,
    /// Further arguments of the engine.
    #[serde(deserialize_with = "words")]
    pub container_options: Option<Vec<String>>,
    /// The folder in which Ansible is started there.
    pub container_workdir: Option<String>,
    /// How a registry is logged in to.
    pub container_auth_data: Option<Map<String, Value>>,
    /// Nothing is ever written into `env`: needs no saying.
    pub suppress_env_files: Option<bool>,
    /// Every event has its data: needs no checking.
    pub check_job_event_data: Option<bool>,
    /// Of a logger that is not ours.
    pub ignore_logging: Option<bool>,
    /// Of a logger that is not ours.
    pub debug: Option<bool>,
    /// Of a logger that is not ours.
    pub logfile: Option<String>,
    /// Only of who transmits.
    pub only_transmit_kwargs: Option<bool>,
}

impl Keywords {
    /// Reads them from JSON.
    ///
    /// # Errors
    /// Says which keyword is unknown, or has a value that it cannot have.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        // A list would be taken for the keywords in their order.
        let map: Map<String, Value> = serde_json::from_str(json)?;
        serde_json::from_value(Value::Object(map))
    }
    /// Reads the variables of a role from `key=value` pairs, separated by blanks. A value is what it looks like: a number, a truth
    /// value, JSON, else a text.
    ///
    /// # Errors
    /// Returns the word that is no pair, or the whole text when a quote in it is not closed.
    pub fn role_vars(text: &str) -> Result<Map<String, Value>, String> {
        let words = shlex::split(text).ok_or_else(|| text.to_owned())?;
        let pair = |word: String| match word.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                let read = match value {
                    "True" => Value::Bool(true),
                    "False" => Value::Bool(false),
                    "None" => Value::Null,
                    value => serde_json::from_str(value).unwrap_or_else(|_| value.into()),
                };
                Ok((key.to_owned(), read))
            }
            _ => Err(word),
        };
        words.into_iter().map(pair).collect()
    }
}

/// A text, or what becomes one.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => Some(other.to_string()),
    })
}

/// A list of texts, or one.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text or a list of texts")]
    enum Words {
        One(String),
        Several(Vec<String>),
    }
    Ok(Option::<Words>::deserialize(from)?.map(|words| match words {
        Words::One(word) => vec![word],
        Words::Several(words) => words,
    }))
}

/// Variables, or a text that stands for them.
fn role_vars<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Map<String, Value>>, D::Error> {
    match Option::<Value>::deserialize(from)? {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(vars)) => Ok(Some(vars)),
        Some(Value::String(text)) => Keywords::role_vars(&text)
            .map(Some)
            .map_err(|word| D::Error::custom(format_args!("`role_vars` has `{word}`, which is no `key=value`"))),
        Some(_) => Err(D::Error::custom("`role_vars` is a mapping or a text of `key=value` pairs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_null_is_left_out_and_what_is_unknown_is_named() {
        let keywords = Keywords::parse(r#"{"ident": 7, "tags": "a,b", "hosts": ["x"], "limit": null}"#).unwrap();
        assert_eq!(keywords.ident.as_deref(), Some("7"));
        assert_eq!(keywords.tags, Some(vec!["a,b".to_owned()]));
        assert_eq!(keywords.limit, None);
        let err = Keywords::parse(r#"{"playbok": "x"}"#).unwrap_err().to_string();
        assert!(err.contains("playbok"), "{err}");
        let err = Keywords::parse(r#"{"tags": 3}"#).unwrap_err().to_string();
        assert!(err.contains("a text or a list of texts"), "{err}");
    }

    #[test]
    fn variables_of_a_role_may_hold_equals_signs_and_blanks() {
        let vars = Keywords::role_vars("a=1 b='x y' c=k=v d=True e=[1,2] f=").unwrap();
        let expected = serde_json::json!({"a": 1, "b": "x y", "c": "k=v", "d": true, "e": [1, 2], "f": ""});
        assert_eq!(Value::Object(vars.clone()), expected);
        let keywords = Keywords::parse(r#"{"role_vars": "a=1 b='x y' c=k=v d=True e=[1,2] f="}"#).unwrap();
        assert_eq!(keywords.role_vars, Some(vars));
        assert_eq!(Keywords::role_vars("a=1 b").unwrap_err(), "b");
    }
}
