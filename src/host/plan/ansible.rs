//! Finds the Ansible that a job uses.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::private::PrivateAnsible;
use super::{AnsiblePlan, Environment, files};
use crate::config::{AnsibleUse, Config, Finding};

const CONFIG: &str = "ansible-config";

/// The command that makes a private installation.
const INSTALL: &str = "playwarden ansible install";

/// Returns the executables, or what to do to have them.
pub(super) fn find(
    config: &Config,
    program: &str,
    root: &Path,
    environment: &Environment,
) -> Result<AnsiblePlan, Box<Finding>> {
    let name = if program == "ansible" { program } else { "ansible-playbook" };
    let refuse = |message: String, help: String| {
        let path = if config.is_bare() { Path::new("") } else { config.path() };
        Box::new(Finding::error("no-ansible", path, message).at(config.span_of_ansible_use()).help(help))
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
        AnsibleUse::Container(_) => {
            let message = "this is asked of an Ansible of this machine, and `use` names a container".to_owned();
            return Err(refuse(message, "ask it in the container's image".to_owned()));
        }
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
    let executable = match program {
        "ansible" | "ansible-playbook" => executable,
        other => other_program(other, &executable, root, environment).ok_or_else(|| {
            let help = "name one of Ansible's programs, one on the PATH, or the path of one";
            Box::new(Finding::error("no-ansible", Path::new(""), format!("there is no program `{other}`")).help(help))
        })?,
    };
    Ok(AnsiblePlan { executable, config: ansible_config, on_host_loss: config.ansible.on_host_loss, container: None })
}

/// A program beside Ansible's, else on the PATH.
fn other_program(name: &str, ansible: &Path, root: &Path, environment: &Environment) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(files::absolute(name, root, environment)).filter(|path| is_executable(path));
    }
    let beside = ansible.with_file_name(name);
    if !name.is_empty() && is_executable(&beside) { Some(beside) } else { on_path(name, environment) }
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

pub(super) fn on_path(name: &str, environment: &Environment) -> Option<PathBuf> {
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
