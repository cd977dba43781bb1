//! What a folder has that a runner.toml can be made of.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What was found. Paths are relative to the folder.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// Each playbook with the name that its job gets, sorted by path.
    pub(super) playbooks: Vec<(String, String)>,
    pub(super) inventory: Inventory,
    /// A virtual environment with Ansible.
    pub(super) venv: Option<&'static str>,
    /// The folder is a private data dir of ansible-runner.
    pub(super) private: bool,
    /// An `ansible.cfg` that Ansible would not find where it is started.
    pub(super) config: Option<&'static str>,
}

/// Which hosts there are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Inventory {
    /// Nothing says so.
    #[default]
    None,
    /// This file or folder.
    One(String),
    /// Several, and none of them is the obvious one.
    Several(Vec<String>),
    /// `ansible.cfg` says so itself.
    Configured,
}

/// The usual names, best first.
const INVENTORIES: [&str; 8] =
    ["inventory", "inventory.yml", "inventory.yaml", "inventory.ini", "hosts", "hosts.yml", "hosts.yaml", "hosts.ini"];

impl Project {
    /// Looks at a folder.
    pub(super) fn find(folder: &Path) -> io::Result<Self> {
        let is_folder = |name: &str| folder.join(name).is_dir();
        let private = is_folder("project") && (is_folder("env") || is_folder("inventory"));
        let base = if private { "project/" } else { "" };
        let mut paths = playbooks(folder, base)?;
        paths.extend(playbooks(folder, &format!("{base}playbooks/"))?);
        let config = "project/ansible.cfg";
        Ok(Self {
            playbooks: named(paths),
            inventory: inventory(folder, base)?,
            venv: [".venv", "venv"].into_iter().find(|venv| folder.join(venv).join("bin/ansible-playbook").exists()),
            private,
            config: (private && folder.join(config).is_file()).then_some(config),
        })
    }
}

/// Returns the names in a folder below another one, sorted; none when it is not there.
fn names(folder: &Path, below: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder.join(below)) {
        Err(err) if matches!(err.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}

fn playbooks(folder: &Path, below: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for name in names(folder, below)? {
        let path = PathBuf::from(format!("{below}{name}"));
        let is_yaml = path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml");
        // What cannot be read as text is no playbook that Ansible could read.
        if is_yaml && fs::read_to_string(folder.join(&path)).is_ok_and(|text| is_playbook(&text)) {
            found.push(format!("{below}{name}"));
        }
    }
    Ok(found)
}

/// Whether a text looks like a list of plays: an item of its outermost list has `hosts` or imports a playbook.
fn is_playbook(text: &str) -> bool {
    let (mut dashes, mut keys) = (None, None);
    for line in text.trim_start_matches('\u{feff}').lines() {
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', '%']) || content.starts_with("---") {
            continue;
        }
        let mut column = line.len() - line.trim_start().len();
        let mut key = content;
        if dashes.is_none_or(|dashes| dashes == column)
            && let Some(rest) = content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' '))
        {
            dashes = Some(column);
            key = rest.trim_start();
            if key.is_empty() {
                continue;
            }
            column += content.len() - key.len();
        }
        if dashes.is_none() {
            return false;
        }
        let flow = key.strip_prefix('{');
        let is_play = |key: &str| {
            let name = key.split(':').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            ["hosts", "import_playbook", "ansible.builtin.import_playbook"].contains(&name)
        };
        if *keys.get_or_insert(column) == column && flow.map_or(is_play(key), |all| all.split(',').any(is_play)) {
            return true;
        }
    }
    false
}

/// Gives each playbook a name that a job can have, and no other one has.
fn named(paths: Vec<String>) -> Vec<(String, String)> {
    let mut taken = BTreeSet::new();
    let mut named = Vec::new();
    for path in paths {
        let stem = Path::new(&path).with_extension("");
        let last = stem.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let candidates = [word(&last), word(&stem.display().to_string())];
        let mut numbered = (2..).map(|number| format!("{}-{number}", candidates[0]));
        let mut free = candidates.iter().find(|name| !taken.contains(*name)).cloned();
        while free.is_none() {
            free = numbered.next().filter(|name| !taken.contains(name));
        }
        let name = free.unwrap_or_default();
        taken.insert(name.clone());
        named.push((path, name));
    }
    named
}

/// Leaves what the name of a job may have.
fn word(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let word: String = text.chars().map(|c| if fits(c) { c } else { '-' }).take(60).collect();
    let word = word.trim_matches('-');
    if word.is_empty() { "playbook".to_owned() } else { word.to_owned() }
}

fn inventory(folder: &Path, base: &str) -> io::Result<Inventory> {
    for below in BTreeSet::from(["", base]) {
        let config = fs::read_to_string(folder.join(below).join("ansible.cfg")).unwrap_or_default();
        let sets = |line: &str| line.split_once('=').is_some_and(|(key, _)| key.trim() == "inventory");
        if config.lines().any(sets) {
            return Ok(Inventory::Configured);
        }
        for name in INVENTORIES {
            let path = folder.join(below).join(name);
            let is_empty = path.is_dir() && names(&path, "")?.is_empty();
            if path.exists() && !is_empty {
                return Ok(Inventory::One(format!("{below}{name}")));
            }
        }
        let several = names(folder, &format!("{below}inventories"))?;
        let several: Vec<_> = several.into_iter().map(|name| format!("{below}inventories/{name}")).collect();
        match &several[..] {
            [] => {}
            [one] => return Ok(Inventory::One(one.clone())),
            _ => return Ok(Inventory::Several(several)),
        }
    }
    Ok(Inventory::None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_is_a_list_of_plays() {
        for text in [
            "- hosts: all\n  tasks: []\n",
            "---\n# Deploys.\n- name: Deploy\n  hosts: web\n",
            "  -\n    name: x\n    \"hosts\": web\n",
            "- {name: x, hosts: all}\n",
            "- name: all\n  ansible.builtin.import_playbook: site.yml\n",
            "- name: one\n  gather_facts: false\n\n  vars:\n    a: 1\n  hosts: all\n",
        ] {
            assert!(is_playbook(text), "{text}");
        }
        for text in [
            "",
            "hosts: all\n",
            "all:\n  hosts:\n    a:\n",
            "- name: a task\n  ansible.builtin.debug:\n    hosts: all\n",
            "- debug:\n    msg: x\n  vars:\n    - hosts: a\n",
            "$ANSIBLE_VAULT;1.1;AES256\n3162\n",
            "-hosts: all\n",
        ] {
            assert!(!is_playbook(text), "{text}");
        }
    }

    #[test]
    fn each_job_has_a_name_of_its_own() {
        let paths = ["site.yml", "playbooks/site.yml", "site.yaml", "über uns.yml", "ü.yml"];
        let names: Vec<_> = named(paths.map(str::to_owned).to_vec()).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["site", "playbooks-site", "site-2", "ber-uns", "playbook"]);
    }
}
