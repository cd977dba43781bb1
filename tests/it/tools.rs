//! Ansible's other programs, asked by the command line and by a Rust program.

use std::collections::BTreeMap;
use std::ffi::OsString;

use playwarden::tools::{ConfigQuestion, DocsOptions, InventoryOptions, InventoryQuestion, ToolError, Tools};
use serde_json::Value;

use crate::support::{Project, venv};

fn project() -> Project {
    let spec = "argument_specs:\n  main:\n    short_description: paints\n    options:\n      color: {type: str, required: true}\n";
    Project::new(2, "[jobs.play]\nplaybook = \"play.yml\"\n")
        .file("play.yml", "- hosts: all\n")
        .file("roles/paint/meta/argument_specs.yml", spec)
        .file("roles/paint/tasks/main.yml", "[]\n")
}

fn tools(project: &Project) -> Tools {
    let path = std::env::var_os("PATH").unwrap();
    let vars = [("PATH", path), ("HOME", project.path("home").into()), ("LANG", "C.UTF-8".into())];
    Tools {
        programs: venv().join("bin"),
        folder: project.path(""),
        environment: vars.map(|(name, value)| (OsString::from(name), value)).into_iter().collect::<BTreeMap<_, _>>(),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|err| panic!("{err}: {text}"))
}

#[test]
fn the_command_line_asks_the_ansible_that_a_run_would_use() {
    let project = project();
    let ask = |words: &[&str]| project.playwarden(&[&["ansible"], words].concat()).expect(0).stdout;
    let graph = ask(&["inventory", "graph", "-i", "hosts"]);
    assert!(graph.contains("@fleet:") && graph.contains("|--h2"), "{graph}");
    let list = json(&ask(&["inventory", "list", "-i", "hosts"]));
    assert_eq!(list["fleet"]["hosts"], serde_json::json!(["h1", "h2"]));
    assert_eq!(json(&ask(&["inventory", "host", "h1", "-i", "hosts"]))["ansible_connection"], "local");
    assert!(ask(&["inventory", "list", "-i", "hosts", "--format", "yaml"]).contains("fleet:\n"));
    let docs = json(&ask(&["docs", "ansible.builtin.debug", "--json"]));
    assert_eq!(docs["ansible.builtin.debug"]["doc"]["module"], "debug");
    assert!(ask(&["docs", "debug", "--snippet"]).contains("debug:"));
    assert!(ask(&["plugins", "--type", "connection", "--json"]).contains("ansible.builtin.local"));
    assert!(ask(&["plugins", "--type", "connection", "--files"]).contains("local.py"));
    assert!(ask(&["config", "dump"]).contains("DEFAULT_FORKS"));
    assert!(!ask(&["config", "dump", "--only-changed"]).contains("DEFAULT_FORKS"));
    assert!(json(&ask(&["roles", "--playbook-dir", "."]))["paint"].is_object());
    let spec = json(&ask(&["role-spec", "paint", "--playbook-dir", "."]));
    assert!(spec["paint"]["entry_points"]["main"]["options"]["color"]["required"] == true, "{spec}");
}

#[test]
fn a_data_dir_and_no_runner_toml_are_enough() {
    let project = project().file("d/env/envvars", "ANSIBLE_FORKS: 7\n");
    let path = format!("{}:{}", venv().join("bin").display(), std::env::var("PATH").unwrap());
    let ask = |words: &[&str], folder: &str| {
        let mut command = project.command(words);
        let output = command.env("PATH", &path).current_dir(project.path(folder)).output().unwrap();
        crate::support::ran(output).expect(0).stdout
    };
    let shown = ask(&["ansible", "config", "dump", "--only-changed", "--private-data-dir", "d"], "");
    assert!(shown.contains("DEFAULT_FORKS(env: ANSIBLE_FORKS) = 7"), "{shown}");
    let empty = tempfile::tempdir().unwrap();
    let shown = ask(&["ansible", "config", "dump"], empty.path().to_str().unwrap());
    assert!(shown.contains("DEFAULT_FORKS(default) = 5"), "{shown}");
}

#[test]
fn what_a_program_says_against_a_question_is_passed_on() {
    let project = project();
    let shown = project.playwarden(&["ansible", "inventory", "host", "nobody", "-i", "hosts"]);
    assert!(shown.code != Some(0) && shown.stderr.contains("nobody"), "{shown:?}");
    // No value is an option, whatever it looks like.
    let shown = project.playwarden(&["ansible", "docs", "--", "--version"]);
    assert!(!shown.stdout.contains("core 2."), "{shown:?}");
    let shown = project.playwarden(&["ansible", "inventory", "host"]).expect(2);
    assert!(shown.stderr.contains("<HOST>"), "{}", shown.stderr);
    let err = tools(&project).config(ConfigQuestion::View, Some("nowhere.cfg".as_ref()), false).unwrap_err();
    assert!(matches!(&err, ToolError::Ended { said, .. } if said.contains("nowhere.cfg")), "{err}");
}

#[test]
fn a_rust_program_asks_the_same() {
    let project = project();
    let tools = tools(&project);
    let options = InventoryOptions { inventories: vec!["hosts".to_owned()], ..InventoryOptions::default() };
    let host = tools.inventory(&InventoryQuestion::Host("h2".to_owned()), &options).unwrap();
    assert_eq!(json(&host)["ansible_connection"], "local");
    let options = DocsOptions { json: true, ..DocsOptions::default() };
    let docs = tools.docs(&["debug".to_owned()], false, &options).unwrap();
    assert_eq!(json(&docs)["debug"]["doc"]["module"], "debug");
    let spec = tools.role_spec("paint", None, Some(&project.path(""))).unwrap();
    assert!(json(&spec)["paint"].is_object());
}
