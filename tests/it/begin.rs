//! How one begins: a runner.toml for what is in a folder, and an Ansible for a machine that has none.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use playwarden::config::Config;
use serde_json::Value;

use crate::support::{Project, Ran, ran, venv};

const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=one\n";

/// Runs a command that finds the tests' Ansible on the PATH.
fn on_path(project: &Project, arguments: &[&str]) -> Ran {
    let path = format!("{}:/usr/bin:/bin", venv().join("bin").display());
    ran(project.command(arguments).env("PATH", path).output().unwrap())
}

fn written(project: &Project, path: &str) -> (String, Config) {
    let path = project.path(path);
    let text = fs::read_to_string(&path).unwrap();
    let (config, warnings) = Config::parse(&path, &text).unwrap();
    assert!(warnings.list.is_empty(), "{warnings:?}");
    (text, config)
}

fn jobs(config: &Config) -> Vec<&str> {
    config.jobs.iter().map(|job| job.name.as_str()).collect()
}

#[test]
fn a_folder_of_playbooks_gets_a_runner_toml_that_runs() {
    let project = Project::empty()
        .file("site.yml", PLAY)
        .file("playbooks/deploy.yaml", PLAY)
        .file("tasks.yml", "- name: a task\n  debug: msg=hosts\n")
        .file("vars.yml", "hosts: all\n");
    let shown = on_path(&project, &["init"]).expect(0);
    assert!(shown.stdout.contains("next: playwarden check, then playwarden run site\n"), "{}", shown.stdout);
    let (text, config) = written(&project, "runner.toml");
    assert_eq!(jobs(&config), ["site", "deploy"]);
    assert_eq!(config.jobs[0].inventory, ["localhost,"]);
    let _shown = on_path(&project, &["check"]).expect(0);
    let shown = on_path(&project, &["run", "site", "deploy"]).expect(0);
    assert!(shown.stdout.contains("ok: [localhost]"), "{}", shown.stdout);
    // What is offered in comments is right too, but for the policy itself.
    let more: String = text
        .lines()
        .map(|line| line.strip_prefix("# timeout").map_or(line.to_owned(), |rest| format!("timeout{rest}")))
        .map(|line| line + "\n")
        .collect();
    assert!(more != text && Config::parse(&project.path("runner.toml"), &more).is_ok(), "{more}");

    let shown = on_path(&project, &["init"]).expect(2);
    assert!(shown.stderr.contains("there is a `runner.toml` already"), "{}", shown.stderr);
    assert_eq!(fs::read_to_string(project.path("runner.toml")).unwrap(), text);
}

#[test]
fn inventories_are_taken_by_name_and_never_guessed() {
    let inventory = |project: &Project| {
        let _shown = project.playwarden(&["init", "p"]).expect(0);
        let (text, config) = written(project, "p/runner.toml");
        (text, config.jobs[0].inventory.clone())
    };
    let base = || Project::empty().file("p/site.yml", PLAY);
    assert_eq!(inventory(&base().file("p/hosts.ini", "h1\n")).1, ["hosts.ini"]);
    assert_eq!(inventory(&base().file("p/inventory/hosts", "h1\n").file("p/hosts", "h2\n")).1, ["inventory"]);
    assert_eq!(inventory(&base().file("p/inventories/test/hosts", "h1\n")).1, ["inventories/test"]);
    assert_eq!(inventory(&base().file("p/ansible.cfg", "[defaults]\ninventory = x\n")).1, [""; 0]);
    let several = base().file("p/inventories/production/hosts", "h1\n").file("p/inventories/test/hosts", "h2\n");
    let (text, several) = inventory(&several);
    assert_eq!(several, ["localhost,"]);
    assert!(text.contains("# inventory = \"inventories/production\"\n"), "{text}");
}

#[test]
fn an_empty_folder_gets_a_playbook_too() {
    let project = Project::empty();
    let shown = on_path(&project, &["init", "new/here"]).expect(0);
    assert!(
        shown.stdout.starts_with("wrote new/here/hello.yml, since there is no playbook here\n"),
        "{}",
        shown.stdout
    );
    assert!(shown.stdout.contains("playwarden --file new/here/runner.toml run hello\n"), "{}", shown.stdout);
    let shown = on_path(&project, &["--file", "new/here/runner.toml", "run", "hello"]).expect(0);
    assert!(shown.stdout.contains("hello from localhost"), "{}", shown.stdout);
}

#[test]
fn a_private_data_dir_is_translated() {
    let play = PLAY.replace("msg=one", "msg='{{ greeting }} {{ lookup(\"env\", \"PLACE\") }} {{ number + 1 }}'");
    let project = Project::empty()
        .file("project/site.yml", &play)
        .file("project/roles/x/tasks/main.yml", "- debug: msg=x\n")
        .file("inventory/hosts", "h1 ansible_connection=local\n")
        .file("env/extravars", "---\ngreeting: good day\nnumber: 6\ndb_password: hunter2-long\nnested:\n  a: 1\n")
        .file("env/envvars", "PLACE: here\nAPI_TOKEN: secret-77\n")
        .file("env/cmdline", "--forks 3 -e pin=4711\n")
        .file("env/passwords", "{}");
    let _shown = on_path(&project, &["init"]).expect(0);
    let (text, config) = written(&project, "runner.toml");
    assert_eq!((jobs(&config), &config.jobs[0].inventory[..]), (vec!["site"], &["inventory".to_owned()][..]));
    for secret in ["hunter2", "secret-77", "4711"] {
        assert!(!text.contains(secret), "{text}");
    }
    for named in
        ["\"db_password\" (looks secret)", "\"nested\" (is not plain)", "\"API_TOKEN\"", "--forks", "env/passwords"]
    {
        assert!(text.contains(named), "{named} in {text}");
    }
    let _shown = on_path(&project, &["check"]).expect(0);
    let shown = on_path(&project, &["run"]).expect(0);
    assert!(shown.stdout.contains("good day here 7"), "{}", shown.stdout);
}

// ---- a private Ansible ------------------------------------------------------------------------------------------------

const PRIVATE: &str = "home/.local/share/playwarden/ansible";

/// A project whose Ansible is what `[ansible]` says.
fn project(ansible: &str) -> Project {
    let text =
        format!("schema-version = 1\n{ansible}[jobs.site]\nplaybook = \"site.yml\"\ninventory = \"localhost,\"\n");
    Project::empty().file("runner.toml", &text).file("site.yml", PLAY)
}

/// Puts the tests' Ansible there under a version.
fn fake(project: &Project, version: &str) {
    let folder = project.path(PRIVATE);
    fs::create_dir_all(&folder).unwrap();
    symlink(venv(), folder.join(version)).unwrap();
}

fn executable(project: &Project) -> PathBuf {
    let record: Value =
        serde_json::from_str(&fs::read_to_string(project.run_folder().join("run.json")).unwrap()).unwrap();
    record["plan"]["ansible"]["executable"].as_str().unwrap().into()
}

#[test]
fn a_private_ansible_is_used_where_that_is_said_or_none_is_on_the_path() {
    for ansible in ["[ansible]\nuse = \"private\"\n", ""] {
        let project = project(ansible);
        let run = || ran(project.command(&["run", "--quiet"]).env("PATH", "/usr/bin:/bin").output().unwrap());
        let shown = run().expect(30);
        assert!(shown.stderr.contains("`playwarden ansible install`"), "{}", shown.stderr);
        fake(&project, "2.9.27");
        fake(&project, "2.19.14");
        // Not whole, and not ours.
        fs::create_dir_all(project.path(PRIVATE).join("2.99.0/bin")).unwrap();
        let _shown = run().expect(0);
        let root = project.path("").canonicalize().unwrap();
        assert_eq!(executable(&project), root.join(PRIVATE).join("2.19.14/bin/ansible-playbook"));
    }
    // What is on the PATH comes first, but only where nothing is said.
    let project = project("");
    fake(&project, "2.19.14");
    let _shown = on_path(&project, &["run", "--quiet"]).expect(0);
    assert_eq!(executable(&project), venv().join("bin/ansible-playbook"));
}

#[test]
fn private_ansibles_are_listed_and_removed() {
    let project = Project::empty();
    let shown = project.playwarden(&["ansible", "list"]).expect(0);
    assert!(shown.stdout.is_empty() && shown.stderr.contains("playwarden ansible install"), "{}", shown.stderr);
    assert_eq!(project.playwarden(&["ansible", "list", "--json"]).expect(0).stdout, "[]\n");
    fake(&project, "2.9.27");
    fake(&project, "2.19.14");
    let rows: Value =
        serde_json::from_str(&project.playwarden(&["ansible", "list", "--json"]).expect(0).stdout).unwrap();
    let versions: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["2.19.14", "2.9.27"]);
    let shown = project.playwarden(&["ansible", "install", "--version", "2.9.27"]).expect(0);
    assert!(shown.stdout.contains("is installed already"), "{}", shown.stdout);
    let shown = project.playwarden(&["ansible", "remove", "2.19.13"]).expect(2);
    assert!(shown.stderr.contains("did you mean `2.19.14`?"), "{}", shown.stderr);
    let _shown = project.playwarden(&["ansible", "remove", "2.9.27"]).expect(0);
    assert_eq!(project.names(PRIVATE), [".lock", "2.19.14"]);
    assert!(venv().join("bin/ansible").exists());
}

#[test]
fn what_stands_in_the_way_of_an_installation_is_said() {
    let project = Project::empty()
        .file("no-venv", "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'ensurepip'\" >&2\nexit 1\n");
    fs::set_permissions(project.path("no-venv"), fs::Permissions::from_mode(0o755)).unwrap();
    let install = |more: &[&str], environment: &[(&str, &str)]| {
        let mut all = vec!["ansible", "install"];
        all.extend(more);
        ran(project.command(&all).envs(environment.iter().copied()).output().unwrap())
    };
    let no_venv = project.path("no-venv").display().to_string();
    let python = venv().join("bin/python").display().to_string();
    let offline =
        [("PIP_INDEX_URL", "http://127.0.0.1:9/simple"), ("PIP_RETRIES", "0"), ("PIP_CONFIG_FILE", "/dev/null")];
    for (shown, code, said) in [
        (install(&["--version", "../x"], &[]), 2, "a version looks like"),
        (install(&["--python", "/nowhere/python"], &[]), 12, "`/nowhere/python` cannot be used: not found"),
        (install(&["--python", &no_venv], &[]), 12, "it lacks the module `ensurepip`"),
        (install(&[], &[("PATH", "/nowhere")]), 12, "no Python from 3.10 to 3.14"),
        (install(&["--python", &python], &[("XDG_DATA_HOME", "/dev/null")]), 12, "/dev/null"),
        (install(&["--python", &python], &offline), 12, "the package index cannot be reached, or is another one"),
    ] {
        let shown = shown.expect(code);
        assert!(shown.stderr.contains(said), "{said} in {}", shown.stderr);
    }
    assert_eq!(project.names(PRIVATE), [".lock"]);
}

#[test]
fn an_installation_is_whole_and_runs() {
    let project = project("[ansible]\nuse = \"private\"\n");
    fs::create_dir_all(project.path(PRIVATE).join(".unfinished-old/bin")).unwrap();
    // As pip is configured where the tests run.
    let settings: Vec<_> =
        std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(|name| name.starts_with("PIP_"))).collect();
    let install = || ran(project.command(&["ansible", "install"]).envs(settings.iter().cloned()).output().unwrap());
    let shown = install().expect(0);
    assert!(shown.stdout.contains("\n  ansible-core==2."), "{}", shown.stdout);
    let names = project.names(PRIVATE);
    assert!(names.len() == 2 && names[0] == ".lock", "{names:?}");
    let shown = install().expect(0);
    assert!(shown.stdout.contains("is installed already") && shown.stderr.is_empty(), "{shown:?}");
    let _shown = project.playwarden(&["check"]).expect(0);
    let _shown = project.playwarden(&["run", "--quiet"]).expect(0);
    assert!(executable(&project).starts_with(project.path("").canonicalize().unwrap().join(PRIVATE)));
    let _shown = project.playwarden(&["ansible", "remove", &names[1]]).expect(0);
    assert_eq!(project.names(PRIVATE), [".lock"]);
}
