//! The text of a new runner.toml: what was found, a line of why for each choice, and what may come next.

use std::fs;
use std::path::Path;

use super::flat::{Flat, quoted, table};
use super::project::{Inventory, Project};

const ANSIBLE: &str = "\
# Which Ansible: the first one of the PATH, else the newest of `playwarden ansible install`.
# [ansible]
# use = \"private\"
";

const LIMITS: &str = "
# End a run that takes so long, or in which nothing happens for so long.
# timeout = \"2h\"
# idle-timeout = \"10m\"
";

const POLICY: &str = "
# A policy that cancels a run when more hosts fail than this. To have it, take the `# ` away here and in the jobs.
# [plugins.fail-budget]
# builtin = \"fail-budget\"
# config = { max-failed-percent = 5 }
";

/// Returns the text. Of the folder only files are read that cannot be named in runner.toml.
pub(super) fn lay_out(folder: &Path, project: &Project, schema: &str) -> String {
    let mut text = vec![format!("{schema}schema-version = 1\n\n")];
    match project.venv {
        Some(venv) => {
            text.push(format!(
                "# The Ansible of this folder's virtual environment.\n[ansible]\nuse = {{ venv = {venv:?} }}\n"
            ));
        }
        None => text.push(ANSIBLE.to_owned()),
    }
    text.push("\n[defaults]\n".to_owned());
    let mut env = Flat::default();
    text.push(inventory(&project.inventory, &mut env));
    if let Some(config) = project.config {
        env.values.insert("ANSIBLE_CONFIG".to_owned(), config.into());
    }
    if project.private {
        text.push(private(folder, &mut env));
    } else if let Some(table) = table(&env.values).filter(|_| !env.values.is_empty()) {
        text.push(format!("env = {table}\n"));
    }
    text.extend([LIMITS, POLICY].map(str::to_owned));
    for (path, name) in &project.playbooks {
        text.push(format!("\n[jobs.{name}]\nplaybook = {}\n# cancel-policies = [\"fail-budget\"]\n", quoted(path)));
    }
    text.concat()
}

/// The hosts. Where nothing names any, the one that is surely there.
fn inventory(inventory: &Inventory, env: &mut Flat) -> String {
    let mut text = match inventory {
        Inventory::One(path) => {
            return format!("# The hosts, as found in this folder.\ninventory = {}\n", quoted(path));
        }
        Inventory::Configured => return "# The hosts: ansible.cfg has `inventory`.\n".to_owned(),
        Inventory::Several(paths) => {
            let head = "# There are several inventories, and none was chosen for you:\n".to_owned();
            paths.iter().fold(head, |text, path| text + &format!("# inventory = {}\n", quoted(path)))
        }
        Inventory::None => "# No inventory was found.\n".to_owned(),
    };
    env.values.insert("ANSIBLE_TRANSPORT".to_owned(), "local".into());
    text += "# So only this machine is a host, reached without ssh: name an inventory here, and take `ANSIBLE_TRANSPORT` away.\n";
    text += "inventory = \"localhost,\"\n";
    text
}

/// Returns a command line; of one that sets variables only the options, since secrets may stand there.
fn options(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().collect();
    if words.iter().all(|word| !word.starts_with("-e") && !word.starts_with("--extra-vars")) {
        return words.join(" ");
    }
    let names = words.iter().filter(|word| word.starts_with('-'));
    let names: Vec<_> = names
        .map(|word| {
            if word.starts_with("--") {
                word.split('=').next().unwrap_or_default()
            } else {
                word.get(..2).unwrap_or(word)
            }
        })
        .collect();
    names.join(" … ")
}

/// What `env/` of a private data dir says.
fn private(folder: &Path, env: &mut Flat) -> String {
    let read = |name: &str| fs::read_to_string(folder.join("env").join(name)).ok();
    let mut text = Vec::new();
    let told = |flat: &Flat, file: &str, remedy: &str| {
        let left: Vec<_> = flat.left.iter().map(|(name, why)| format!("{} ({why})", quoted(name))).collect();
        match &left[..] {
            [] => String::new(),
            left => format!("# Not taken over from {file}: {}; {remedy}\n", left.join(", ")),
        }
    };
    if let Some(extra_vars) = read("extravars") {
        let flat = Flat::read(&extra_vars);
        if let Some(table) = table(&flat.values).filter(|_| !flat.values.is_empty()) {
            text.push(format!("# From env/extravars.\nextra-vars = {table}\n"));
        }
        text.push(told(&flat, "env/extravars", "hand the file over with `playwarden run JOB -e @env/extravars`"));
    }
    if let Some(variables) = read("envvars") {
        let flat = Flat::read(&variables);
        // Variables are text, whatever they look like.
        let word = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        env.values.extend(flat.values.into_iter().map(|(name, value)| (name, word(value).into())));
        env.left.extend(flat.left);
    }
    if let Some(table) = table(&env.values).filter(|_| !env.values.is_empty()) {
        text.push(format!("# What Ansible gets beside the environment of `playwarden`.\nenv = {table}\n"));
    }
    text.push(told(env, "env/envvars", "set them where `playwarden` is started"));
    for line in read("cmdline").iter().flat_map(|cmdline| cmdline.lines()).filter(|line| !line.trim().is_empty()) {
        let words = quoted(&options(line));
        text.push(format!(
            "# env/cmdline has {words}: `limit`, `tags`, `forks`, … are keys here; give others to `playwarden run`.\n"
        ));
    }
    for (name, instead) in [
        ("passwords", "name a source for each of its patterns in `passwords`"),
        ("ssh_key", "name its source as `ssh-key`, such as `ssh-key = { file = \"env/ssh_key\" }`"),
        ("settings", "`timeout` and `idle-timeout` are keys here"),
    ] {
        if folder.join("env").join(name).exists() {
            text.push(format!("# Not taken over: env/{name}; {instead}.\n"));
        }
    }
    text.concat()
}
