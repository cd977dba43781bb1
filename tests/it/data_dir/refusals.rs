//! Bad input: the place, the remedy, and nothing started.

use serde_json::json;

use super::{data_dir, run, run_with};
use crate::support::Project;

fn refused(project: &Project, arguments: &[&str], code: i32, words: &[&str]) {
    let shown = run(project, arguments).expect(code);
    for word in words {
        assert!(shown.stderr.contains(word), "`{word}` is not said:\n{}", shown.stderr);
    }
    assert!(!project.path("d/artifacts").exists(), "something was started");
}

#[test]
fn what_cannot_be_run_is_refused_with_a_remedy() {
    let project = data_dir("    - debug: msg=x\n");
    refused(&project, &[], 2, &["nothing says what to run", "(`-p`)"]);
    refused(&project, &["-p", "tset.yml"], 2, &["playbook `tset.yml` does not exist", "did you mean `test.yml`?"]);
    refused(&project, &["-p", "test.yml", "-m", "ping"], 2, &["cannot be used with"]);
    refused(&project, &["-m", "ping"], 2, &["on which hosts", "--hosts"]);
    refused(&project, &["-p", "test.yml", "-i", "demo"], 2, &["inventory `demo` does not exist", "`--ident`"]);
    refused(&project, &["-p", "test.yml", "--cmdline", "-e 'x"], 2, &["a quote in `env/cmdline` is not closed"]);
    refused(
        &project,
        &["-p", "test.yml", "--kwargs", "nowhere"],
        2,
        &["`--kwargs nowhere` cannot be used", "No such file"],
    );
    refused(&project, &["-p", "test.yml", "--ident", "../x"], 2, &["cannot be a run id"]);
    refused(&project, &["-p", "test.yml", "-b", "no-such-program"], 2, &["there is no program `no-such-program`"]);
    refused(
        &project,
        &["-p", "test.yml", "--process-isolation", "--process-isolation-executable", "bwrap"],
        2,
        &["isolation by `bwrap` is not offered", "`podman` or `docker`"],
    );
    // What is to be isolated does not run without that.
    refused(&project, &["-p", "test.yml", "--process-isolation"], 2, &["no image is named"]);
    let nobody = ["--process-isolation-executable", "/no/such/podman", "--container-image", "x"];
    refused(
        &project,
        &[&["-p", "test.yml", "--process-isolation"], &nobody[..]].concat(),
        2,
        &["there is no `podman`", "choose the other one"],
    );
    let project =
        project.file("d/env/settings", "process_isolation: true\ncontainer_image: x\ncontainer_auth_data: {host: h}\n");
    refused(&project, &["-p", "test.yml"], 2, &["no usable `username`"]);
    let project = project.file("d/env/settings", "container_image: x\n");
    let shown = run(&project, &["-p", "test.yml"]).expect(0);
    assert!(shown.stderr.contains("without `process_isolation` it is not used"), "{}", shown.stderr);
    let shown = project.playwarden(&["run", "-p", "test.yml"]).expect(30);
    assert!(shown.stderr.contains("no `runner.toml`"), "{}", shown.stderr);
}

#[test]
fn a_file_that_cannot_be_used_is_named_and_not_shown() {
    for (name, text, why) in [
        ("env/settings", "a: [b\n", "neither JSON nor YAML"),
        ("env/settings", "job_timeout: soon\n", "invalid type"),
        ("env/envvars", "- a\n- b\n", "it holds no keys and values"),
        ("env/envvars", "\"A=B\": c\n", "cannot be a variable"),
        ("env/passwords", "hunter2: [x\n", "neither JSON nor YAML"),
        ("args", "sh -c 'echo", "a quote in `args` is not closed"),
    ] {
        let project = data_dir("    - debug: msg=x\n").file(&format!("d/{name}"), text);
        let shown = run(&project, &["-p", "test.yml"]);
        assert!(matches!(shown.code, Some(2 | 30)), "{name}: {shown:?}");
        assert!(shown.stderr.contains(why) && shown.stderr.contains(name), "{name}: {}", shown.stderr);
        assert!(!shown.stderr.contains("hunter2"), "{}", shown.stderr);
        assert!(!project.path("d/artifacts").exists(), "something was started");
    }
}

#[test]
fn keywords_that_nobody_knows_are_named() {
    let project = data_dir("    - debug: msg=x\n");
    for (keywords, why) in [
        (json!({"playbok": "test.yml"}), "unknown field `playbok`"),
        (json!({"playbook": "test.yml", "timeout": "soon"}), "invalid type"),
        (json!([1]), "invalid type: sequence"),
        (json!({"playbook": 3}), "a playbook is a name, a play or a list of plays"),
        (json!({"playbook": "test.yml", "extravars": 3}), "extra vars are a mapping"),
        (json!({"playbook": "test.yml", "fact_cache": "../x"}), "cannot be the folder of the fact cache"),
        (json!({"playbook": "test.yml", "fact_cache": "stdout"}), "cannot be the folder of the fact cache"),
    ] {
        let shown = run_with(&project, &keywords, &[]).expect(2);
        assert!(shown.stderr.contains(why), "{keywords}: {}", shown.stderr);
        assert!(!project.path("d/artifacts").exists(), "something was started");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let project = Project::empty();
    let shown = project.playwarden(&["run", "--private-data-dir", "nowhere", "-p", "x.yml"]).expect(2);
    assert!(shown.stderr.contains("nowhere` does not exist"), "{}", shown.stderr);
}
