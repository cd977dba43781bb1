//! Finds the Ansible that a job uses.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::private::PrivateAnsible;
use super::{AnsiblePlan, Environment, files};
use crate::config::{AnsibleUse, Config, Finding, Job, JobWork};

const CONFIG: &str = "ansible-config";

/// The command that makes a private installation.
const INSTALL: &str = "playwarden ansible install";

/// Returns the executables, or what to do to have them.
pub(super) fn find(
    config: &Config,
    job: &Job,
    root: &Path,
    environment: &Environment,
) -> Result<AnsiblePlan, Box<Finding>> {
    let name = match job.work {
        JobWork::Playbook(_) => "ansible-playbook",
        JobWork::Module { .. } => "ansible",
    };
    let refuse = |message: String, help: String| {
        let span = config.span_of_ansible_use();
        Box::new(Finding::error("no-ansible", config.path(), message).at(span).help(help))
    };
    let executable = match &config.ansible.used {
        AnsibleUse::Path => on_path(name, environment).or_else(|| newest_private(name, environment)).ok_or_else(|| {
            let help = format!(
                "install a private one with `{INSTALL}`; or make one with {}, and write `use = {{ venv = \".venv\" }}` in \
                 `[ansible]`",
                remedy(&root.join(".venv"))
            );
            refuse(format!("there is no `{name}` on the PATH"), help)
        })?,
        AnsibleUse::Private => newest_private(name, environment).ok_or_else(|| {
            refuse("no private Ansible is installed".to_owned(), format!("install one with `{INSTALL}`"))
        })?,
        AnsibleUse::Venv(written) => {
            let venv = files::absolute(written, root, environment);
            let executable = venv.join("bin").join(name);
            if !is_executable(&executable) {
                let problem = if venv.is_dir() { format!("has no `bin/{name}`") } else { "does not exist".to_owned() };
                let message = format!("the virtual environment `{written}` {problem}");
                return Err(refuse(message, format!("make it with {}", remedy(&venv))));
            }
            executable
        }
    };
    let ansible_config = sibling(&executable).ok_or_else(|| {
        let message = format!("there is no `{CONFIG}` beside `{}`", executable.display());
        refuse(message, "this installation of ansible-core is not complete; install it anew".to_owned())
    })?;
    Ok(AnsiblePlan { executable, config: ansible_config, on_host_loss: config.ansible.on_host_loss })
}

/// The program of the newest private installation.
fn newest_private(name: &str, environment: &Environment) -> Option<PathBuf> {
    let newest = PrivateAnsible::installed(environment).into_iter().next()?;
    Some(newest.folder.join("bin").join(name))
}

fn remedy(venv: &Path) -> String {
    let venv = venv.display();
    format!("`python3 -m venv {venv} && {venv}/bin/pip install ansible-core`")
}

fn on_path(name: &str, environment: &Environment) -> Option<PathBuf> {
    let path = environment.vars.get("PATH")?;
    env::split_paths(path)
        // An empty entry means the current folder, which must not decide
        // which program is started.
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| environment.cwd.join(folder).join(name))
        .find(|path| is_executable(path))
}

/// Finds `ansible-config` beside an executable, also if that is a lone link
/// into an installation, as pipx and uv make them.
fn sibling(executable: &Path) -> Option<PathBuf> {
    let beside = executable.with_file_name(CONFIG);
    if is_executable(&beside) {
        return Some(beside);
    }
    let beside = fs::canonicalize(executable).ok()?.with_file_name(CONFIG);
    is_executable(&beside).then_some(beside)
}

pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
