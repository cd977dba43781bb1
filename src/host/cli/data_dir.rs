//! What ansible-runner's users say on its command line, and how it is handed on.

use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::plan::{Keywords, Overrides};

/// Flags for a private data dir, with the names that ansible-runner has for them.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "With a private data dir")]
pub(super) struct DataDirArguments {
    /// Run this playbook of its project
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["module", "role"])]
    playbook: Option<String>,
    /// Run this module
    #[arg(short, long, value_name = "NAME", conflicts_with = "role")]
    module: Option<String>,
    /// Arguments of the module
    #[arg(short, long, value_name = "TEXT", requires = "module")]
    args: Option<String>,
    /// Run this role
    #[arg(short, long, value_name = "NAME")]
    role: Option<String>,
    /// Where roles are looked for instead of its `roles`
    #[arg(long, value_name = "DIR")]
    roles_path: Option<String>,
    /// Variables of the role: `key=value key=value`
    #[arg(long, value_name = "VARS", requires = "role")]
    role_vars: Option<String>,
    /// Gather no facts before the role
    #[arg(long)]
    role_skip_facts: bool,
    /// The hosts that the module or the role runs on
    #[arg(long, value_name = "PATTERN", conflicts_with = "playbook")]
    hosts: Option<String>,
    /// Further arguments of Ansible, as a shell would split them
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    cmdline: Option<String>,
    /// Start this program instead of Ansible's own
    #[arg(short, long, value_name = "PATH")]
    binary: Option<String>,
    /// Where playbooks are looked for instead of its `project`
    #[arg(long, value_name = "DIR")]
    project_dir: Option<String>,
    /// Keep so many runs at most; those that are not over are never removed
    #[arg(long, value_name = "N")]
    rotate_artifacts: Option<u32>,
    /// Write no file for each event, which is done here unless said
    #[arg(long)]
    no_job_events: bool,
    /// Leave `event_data` out of such files and of `--json`
    #[arg(long)]
    omit_event_data: bool,
    /// Keep it there only for failures
    #[arg(long)]
    only_failed_event_data: bool,
    /// Nothing is ever written into `env`
    #[arg(long, hide = true)]
    omit_env_files: bool,
    /// Read the keyword arguments of ansible-runner's `run()` as a JSON object from a file, or from standard input (`-`)
    #[arg(long, value_name = "FILE")]
    kwargs: Option<PathBuf>,
    /// End the run when standard input, of which `--kwargs -` has read the first line, comes to its end
    #[arg(long, requires = "kwargs")]
    until_eof: bool,
    /// Run Ansible in a container
    #[arg(long)]
    process_isolation: bool,
    /// The container's engine: `podman` or `docker`
    #[arg(long, value_name = "PATH")]
    process_isolation_executable: Option<String>,
    /// The container's image
    #[arg(long, value_name = "IMAGE")]
    container_image: Option<String>,
    /// What is mounted there besides: `PLACE:PLACE_THERE[:OPTIONS]`
    #[arg(long, value_name = "MOUNT")]
    container_volume_mount: Vec<String>,
    /// A further argument of the engine
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    container_option: Vec<String>,
}

impl DataDirArguments {
    /// Whether somebody watches the end of standard input.
    pub(super) fn until_eof(&self) -> bool {
        self.until_eof
    }

    /// Whether standard input is read.
    pub(super) fn reads_input(&self) -> bool {
        self.kwargs.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// Joins the flags with the JSON of `--kwargs`, over which they win, and puts both into what a plan takes.
    pub(super) fn put_into(self, context: &Context, overrides: &mut Overrides) -> Result<(), Exit> {
        let complain = |text: &str, hint: &str| {
            terminal::complain(text, Some(hint), context.color());
            Err(Exit::Usage)
        };
        let mut keywords = match &self.kwargs {
            None => Keywords::default(),
            Some(path) => {
                let text = read(path, context, self.until_eof);
                match text.map_err(|err| err.to_string()).and_then(|text| {
                    Keywords::parse(&text)
                        .map_err(|err| format!("it is not what ansible-runner's `run()` takes: {err}"))
                }) {
                    Ok(keywords) => keywords,
                    Err(why) => {
                        let text = format!("`--kwargs {}` cannot be used: {why}", path.display());
                        return complain(&text, "write one JSON object, such as {\"playbook\": \"site.yml\"}");
                    }
                }
            }
        };
        let variable = |name: &str| context.environment.vars.get(name)?.to_str().map(str::to_owned);
        let works = [&self.playbook, &self.module, &self.role].into_iter().any(Option::is_some)
            || keywords.playbook.is_some()
            || keywords.module.is_some()
            || keywords.role.is_some();
        let or = |flag: Option<String>, name: &str| flag.or_else(|| if works { None } else { variable(name) });
        if let Some(playbook) = or(self.playbook, "RUNNER_PLAYBOOK") {
            keywords.playbook = Some(playbook.into());
        }
        put(&mut keywords.module, or(self.module, "RUNNER_MODULE"));
        put(&mut keywords.role, or(self.role, "RUNNER_ROLE"));
        put(&mut keywords.binary, self.binary.or_else(|| variable("RUNNER_BINARY")));
        put(&mut keywords.module_args, self.args);
        if let Some(vars) = self.role_vars {
            match Keywords::role_vars(&vars) {
                Ok(vars) => keywords.role_vars = Some(vars),
                Err(word) => {
                    let text = format!("`--role-vars` has `{word}`, which is no `key=value`");
                    return complain(&text, "separate them with blanks, and quote values that have some");
                }
            }
        }
        let roles_path = self.roles_path.or_else(|| variable("ANSIBLE_ROLES_PATH").filter(|_| keywords.role.is_some()));
        put(&mut keywords.roles_path, roles_path.map(|path| path.split(':').map(str::to_owned).collect()));
        put(&mut keywords.role_skip_facts, self.role_skip_facts.then_some(true));
        if let Some(hosts) = self.hosts {
            keywords.host_pattern = Some(hosts.clone());
            keywords.hosts = Some(vec![hosts]);
        }
        put(&mut keywords.cmdline, self.cmdline);
        put(&mut keywords.project_dir, self.project_dir);
        put(&mut keywords.artifact_dir, context.artifact_dir().map(|path| path.display().to_string()));
        put(&mut keywords.rotate_artifacts, self.rotate_artifacts);
        put(&mut keywords.job_events, self.no_job_events.then_some(false));
        put(&mut keywords.omit_event_data, self.omit_event_data.then_some(true));
        put(&mut keywords.only_failed_event_data, self.only_failed_event_data.then_some(true));
        put(&mut keywords.process_isolation, self.process_isolation.then_some(true));
        put(&mut keywords.process_isolation_executable, self.process_isolation_executable);
        put(&mut keywords.container_image, self.container_image);
        put(&mut keywords.container_volume_mounts, several(self.container_volume_mount));
        put(&mut keywords.container_options, several(self.container_option));
        overrides.take(keywords);
        Ok(())
    }
}

fn put<T>(to: &mut Option<T>, from: Option<T>) {
    if from.is_some() {
        *to = from;
    }
}

fn several(list: Vec<String>) -> Option<Vec<String>> {
    (!list.is_empty()).then_some(list)
}

/// Reads a file or standard input; of that only a line when it goes on to say whether we are still wanted.
fn read(path: &std::path::Path, context: &Context, only_a_line: bool) -> io::Result<String> {
    if path.as_os_str() != "-" {
        return fs::read_to_string(context.cwd().join(path));
    }
    let mut text = String::new();
    if only_a_line {
        io::stdin().read_line(&mut text)?;
    } else {
        io::stdin().lock().read_to_string(&mut text)?;
    }
    Ok(text)
}
