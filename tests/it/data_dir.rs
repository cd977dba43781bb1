//! Private data dirs, as ansible-runner's users have them: what is read, what wins, what is left behind.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::alive::{appears, eventually};
use crate::support::{Project, Ran, guest, ran, venv};

mod refusals;

/// A play on all hosts; tasks follow.
const PLAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n";

/// A private data dir `d` with two local hosts and a playbook `test.yml` of these tasks.
fn data_dir(tasks: &str) -> Project {
    let home = |project: &Project| project.path("home").display().to_string();
    let project = Project::empty();
    let hosts = format!(
        "[all:vars]\nansible_connection=local\nansible_remote_tmp={home}/remote\nansible_async_dir={home}/async\n\
         ansible_python_interpreter={python}\n[fleet]\nh1\nh2\n",
        home = home(&project),
        python = venv().join("bin/python").display()
    );
    project.file("d/inventory/hosts", &hosts).file("d/project/test.yml", &format!("{PLAY}{tasks}"))
}

/// Runs the program in its data dir, with the test's Ansible on the PATH.
fn command(project: &Project, arguments: &[&str]) -> std::process::Command {
    let mut command = project.command(&[arguments, &["--private-data-dir", "d"]].concat());
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", venv().join("bin").display()));
    command
}

fn run(project: &Project, arguments: &[&str]) -> Ran {
    ran(command(project, &[&["run"], arguments].concat()).output().unwrap())
}

/// The same, with keyword arguments.
fn run_with(project: &Project, keywords: &Value, arguments: &[&str]) -> Ran {
    let mut command = command(project, &[&["run", "--kwargs", "-"], arguments].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(keywords.to_string().as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

fn artifact(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path(&format!("d/artifacts/x/{name}"))).unwrap()
}

/// The events in files of their own, by counter.
fn event_files(project: &Project) -> Vec<Value> {
    let names = project.names("d/artifacts/x/job_events");
    let mut events: Vec<Value> = names
        .iter()
        .map(|name| serde_json::from_str(&artifact(project, &format!("job_events/{name}"))).unwrap())
        .collect();
    events.sort_by_key(|event| event["counter"].as_u64());
    events
}

/// Everything below a folder but its runs, with contents.
fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with("artifacts") => {}
            true => {
                found.push((path.clone(), Vec::new()));
                found.extend(inputs(&path));
            }
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_playbook_of_a_data_dir_is_run_and_leaves_what_its_readers_look_for() {
    let project = data_dir("    - debug: msg=hello\n");
    let before = inputs(&project.path("d"));
    let shown = run(&project, &["-p", "test.yml", "--ident", "x"]).expect(0);
    assert!(shown.stdout.contains("\"msg\": \"hello\""), "{}", shown.stdout);
    assert_eq!(inputs(&project.path("d")), before);

    assert_eq!((artifact(&project, "rc").trim(), artifact(&project, "status").trim()), ("0", "successful"));
    let command: Value = serde_json::from_str(&artifact(&project, "command")).unwrap();
    let words: Vec<&str> = command["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    let folder = project.path("d").display().to_string();
    assert!(words[0].ends_with("/ansible-playbook"), "{words:?}");
    assert_eq!(words[1..], ["--inventory", &format!("{folder}/inventory"), "test.yml"]);
    assert_eq!(command["cwd"], format!("{folder}/project"));
    assert!(artifact(&project, "stdout").contains("PLAY RECAP"));

    let events = event_files(&project);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names.first(), Some(&"run_started"));
    assert_eq!(names.last(), Some(&"run_finished"));
    for event in &events {
        let name = format!("{}-{}.json", event["counter"], event["uuid"].as_str().unwrap());
        let path = project.path(&format!("d/artifacts/x/job_events/{name}"));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let ok: Vec<_> = events.iter().filter(|event| event["event"] == "runner_on_ok").collect();
    assert_eq!(ok.len(), 2);
    assert_eq!(ok[0]["event_data"]["res"]["msg"], "hello");
    let lines = artifact(&project, "events.jsonl").lines().count();
    assert_eq!(lines, events.len());
    // And by the commands.
    let list = ran(command_of(&project, &["list", "--json"])).expect(0).stdout;
    assert!(list.contains("\"test.yml\""), "{list}");
    assert!(ran(command_of(&project, &["show", "x"])).expect(0).stdout.contains("successful"));
}

fn command_of(project: &Project, arguments: &[&str]) -> std::process::Output {
    command(project, arguments).output().unwrap()
}

#[test]
fn every_file_of_env_is_read_as_json_or_yaml() {
    let tasks = "    - debug: msg='{{ lookup(\"env\", \"COLOR\") }} {{ lookup(\"env\", \"FLAG\") }} {{ size }} {{ more }}'\n      \
                 tags: [a]\n    - fail: msg=no\n      tags: [b]\n";
    let project = data_dir(tasks)
        .file("d/env/envvars", "---\nCOLOR: red\nFLAG: yes\n")
        .file("d/env/extravars", "{\"size\": 7, \"more\": \"file\"}")
        .file("d/env/cmdline", "--tags a -e 'more=\"said twice\"'")
        .file(
            "d/env/settings",
            "---\nidle_timeout: 600\njob_timeout: 3600\npexpect_timeout: 10\nsize: 1\nrunner_http_url: x\n",
        );
    let shown = run(&project, &["-p", "test.yml", "--ident", "x", "--limit", "h1"]).expect(0);
    // The file of extra vars comes behind the command line's, as in ansible-runner.
    assert!(shown.stdout.contains("\"msg\": \"red True 7 file\""), "{}", shown.stdout);
    assert!(shown.stderr.contains("`size` in `env/settings` is no setting"), "{}", shown.stderr);
    assert!(shown.stderr.contains("choose an event handler in runner.toml instead"), "{}", shown.stderr);
    assert!(!shown.stderr.contains("pexpect"), "{}", shown.stderr);
    let record: Value = serde_json::from_str(&artifact(&project, "run.json")).unwrap();
    assert_eq!((&record["plan"]["timeout"], &record["plan"]["idle_timeout"]), (&json!("1h"), &json!("10m")));
}

#[test]
fn what_is_said_wins_over_what_lies_there_and_is_written_nowhere() {
    let tasks = "    - debug: msg='{{ lookup(\"env\", \"COLOR\") }} {{ size }} {{ kept }} {{ group_value }}'\n";
    let project = data_dir(tasks)
        .file("d/env/envvars", "COLOR: red\n")
        .file("d/env/extravars", "size: file\nkept: file\n")
        .file("d/env/cmdline", "--tags none")
        .file("d/env/settings", "job_timeout: 1\n")
        .file("d/inventory/group_vars/made.yml", "group_value: near\n");
    let before = inputs(&project.path("d"));
    let python = venv().join("bin/python").display().to_string();
    let inventory =
        json!({"made": {"hosts": {"n1": {"ansible_connection": "local", "ansible_python_interpreter": python}}}});
    let keywords = json!({
        "ident": "x", "playbook": "test.yml", "inventory": inventory, "envvars": {"COLOR": "blue"},
        "extravars": {"size": "said", "api_token": "s3cr3t-said"}, "cmdline": "--forks 3", "settings": {"job_timeout": 900},
        "limit": null, "quiet": false,
    });
    let shown = run_with(&project, &keywords, &[]).expect(0);
    assert!(shown.stdout.contains("\"msg\": \"blue said file near\""), "{}", shown.stdout);
    assert_eq!(inputs(&project.path("d")), before);
    assert!(!project.path("d/artifacts/x/.private").exists());
    let command = artifact(&project, "command");
    assert!(command.contains("--forks") && !command.contains("s3cr3t-said"), "{command}");
    assert!(!artifact(&project, "run.json").contains("s3cr3t-said"));
    let record: Value = serde_json::from_str(&artifact(&project, "run.json")).unwrap();
    assert_eq!(record["plan"]["timeout"], json!("15m"));
}

#[test]
fn plays_that_are_in_no_file_see_the_files_of_the_project() {
    let project = data_dir("")
        .file("d/project/roles/local/tasks/main.yml", "- debug: msg='role {{ lookup(\"file\", \"note.txt\") }}'\n")
        .file("d/project/files/note.txt", "here");
    let before = inputs(&project.path("d"));
    let play = json!([{"hosts": "h1", "gather_facts": false, "roles": ["local"]}]);
    let shown = run_with(&project, &json!({"ident": "x", "playbook": play}), &[]).expect(0);
    assert!(shown.stdout.contains("\"msg\": \"role here\""), "{}", shown.stdout);
    let one = json!({"ident": "y", "playbook": play[0], "inventory": ["h1,"], "envvars": {"ANSIBLE_NOCOLOR": "1"},
                     "extravars": {"ansible_connection": "local"}});
    let shown = run_with(&project, &one, &[]).expect(0);
    assert!(shown.stdout.contains("ok: [h1]"), "{}", shown.stdout);
    assert_eq!(inputs(&project.path("d")), before);
}

#[test]
fn a_role_is_run_in_a_play_that_is_made_for_it() {
    let task = "- debug: msg='{{ color }} {{ formula }} {{ ansible_facts | length }}'\n- debug: msg='in {{ playbook_dir }}'\n\
                - command: ls beside\n  args: {chdir: \"{{ playbook_dir }}\"}\n  delegate_to: localhost\n";
    let project = data_dir("").file("d/roles/paint/tasks/main.yml", task).file("d/project/beside/file", "");
    let before = inputs(&project.path("d"));
    let arguments =
        ["-r", "paint", "--role-vars", "color=red formula=a=b", "--role-skip-facts", "--hosts", "h2", "--ident", "x"];
    let shown = run(&project, &arguments).expect(0);
    assert!(shown.stdout.contains("\"msg\": \"red a=b 0\""), "{}", shown.stdout);
    assert!(shown.stdout.contains("ok: [h2]") && !shown.stdout.contains("[h1]"), "{}", shown.stdout);
    // Whatever is relative is meant from the project, as with a play that is a file there.
    let here = project.path("d/project");
    assert!(shown.stdout.contains(&format!("\"msg\": \"in {}\"", here.display())), "{}", shown.stdout);
    let playbooks: Vec<Value> =
        event_files(&project).iter().map(|event| event["event_data"]["playbook"].clone()).collect();
    assert!(playbooks.contains(&json!(here.join("main.json").display().to_string())), "{playbooks:?}");
    assert_eq!(inputs(&project.path("d")), before);
}

#[test]
fn a_module_is_run_beside_the_project() {
    let project = data_dir("");
    let shown = run(&project, &["-m", "command", "-a", "pwd", "--hosts", "h1", "--ident", "x"]).expect(0);
    assert!(shown.stdout.contains(&format!("{}\n", project.path("d").display())), "{}", shown.stdout);
    let events = event_files(&project);
    assert!(events.iter().any(|event| event["event"] == "runner_on_ok"));
    let command = artifact(&project, "command");
    assert!(command.contains("--module-name") && command.contains("/ansible\""), "{command}");
}

#[test]
fn args_are_a_whole_command() {
    let project =
        data_dir("    - debug: msg=x\n").file("d/args", "ansible-playbook -i 'n1,' -c local test.yml --check");
    let shown = run(&project, &["-p", "ignored.yml", "--ident", "x"]).expect(0);
    assert!(shown.stdout.contains("ok: [n1]"), "{}", shown.stdout);
    // One that is not Ansible is no less a run, but nothing can judge it.
    let project = data_dir("").file("d/args", "sh -c 'echo said; exit 3'");
    let _shown = run(&project, &["--ident", "x", "--ansible-exit-code"]).expect(3);
    assert_eq!((artifact(&project, "rc").trim(), artifact(&project, "status").trim()), ("3", "failed"));
    assert!(artifact(&project, "stdout").contains("said"));
    assert!(event_files(&project).iter().any(|event| event["event"] == "verbose" && event["stdout"] == "said"));
    let project = data_dir("    - debug: msg=x\n");
    let _shown = run(&project, &["-p", "test.yml", "--cmdline", "--list-tasks", "--ident", "x"]).expect(0);
    assert!(artifact(&project, "stdout").contains("tasks:"));
}

#[test]
fn event_data_is_left_out_where_it_is_not_wanted_and_kept_in_the_journal() {
    let tasks =
        "    - debug: msg={{ item }}\n      loop: [1, 2]\n      failed_when: item == 2\n      ignore_errors: true\n";
    let project = data_dir(tasks);
    let shown =
        run(&project, &["-p", "test.yml", "--only-failed-event-data", "--json", "--limit", "h1", "--ident", "x"])
            .expect(0);
    for events in
        [event_files(&project), shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()]
    {
        let with_data = |name: &str| {
            let event = events.iter().find(|event| event["event"] == name).unwrap();
            !event["event_data"].as_object().unwrap().is_empty()
        };
        assert!(with_data("runner_on_failed") && with_data("runner_item_on_failed"), "failed items are failures");
        assert!(!with_data("runner_item_on_ok") && !with_data("playbook_on_stats"));
    }
    assert!(artifact(&project, "events.jsonl").contains("\"ok\":{\"h1\":1}"));
    let project = data_dir(tasks);
    let _shown = run(&project, &["-p", "test.yml", "--omit-event-data", "--no-job-events", "--ident", "x"]).expect(0);
    assert!(!project.path("d/artifacts/x/job_events").exists());
}

#[test]
fn facts_are_cached_in_the_run_and_can_be_read_on_every_core() {
    let project = data_dir("    - set_fact: {color: red, cacheable: true}\n");
    let _shown = run(&project, &["-p", "test.yml", "--ident", "x", "--limit", "h1"]).expect(0);
    let names = project.names("d/artifacts/x/fact_cache");
    assert!(names.len() == 1 && names[0].ends_with("h1"), "{names:?}");
    let facts = ran(command_of(&project, &["facts", "x", "h1"])).expect(0).stdout;
    assert!(facts.contains("\"color\": \"red\""), "{facts}");
    // Facts that were put there before are there.
    let project = data_dir("    - debug: msg={{ ansible_facts.color | default('none') }}\n");
    let cache = "d/artifacts/x/fact_cache";
    for name in ["h1", "s1_h1"] {
        let facts =
            if name == "h1" { json!({"color": "blue"}) } else { json!({"__payload__": "{\"color\": \"blue\"}"}) };
        fs::create_dir_all(project.path(cache)).unwrap();
        fs::write(project.path(&format!("{cache}/{name}")), facts.to_string()).unwrap();
    }
    let shown = run(&project, &["-p", "test.yml", "--ident", "x", "--limit", "h1"]).expect(0);
    assert!(shown.stdout.contains("\"msg\": \"blue\""), "{}", shown.stdout);
}

#[test]
fn old_runs_are_removed_but_none_that_is_alive() {
    let project =
        data_dir("    - command: sh -c 'touch {{ flag }}; while test ! -e {{ flag }}.go; do sleep 0.05; done'\n")
            .file("d/project/quick.yml", &format!("{PLAY}    - debug: msg=x\n"))
            .file("d/artifacts/note.txt", "mine");
    let flag = project.path("flag");
    let keywords = json!({"ident": "alive", "playbook": "test.yml", "limit": "h1", "extravars": {"flag": flag}});
    let mut slow = command(&project, &["run", "--kwargs", "-"]);
    let mut slow = slow.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    slow.stdin.take().unwrap().write_all(keywords.to_string().as_bytes()).unwrap();
    appears(&flag);
    for ident in ["a", "b", "c"] {
        let _shown = run(&project, &["-p", "quick.yml", "--ident", ident, "--rotate-artifacts", "2"]).expect(0);
    }
    let names = project.names("d/artifacts");
    assert_eq!(names, ["alive", "b", "c", "note.txt"]);
    fs::write(flag.with_extension("go"), "").unwrap();
    assert!(slow.wait().unwrap().success());
    assert_eq!(fs::read_to_string(project.path("d/artifacts/alive/status")).unwrap().trim(), "successful");
}

#[test]
fn a_run_in_the_background_is_started_seen_and_really_stopped() {
    let mark = crate::alive::mark();
    let project = data_dir("    - command: sh -c 'touch {{ flag }}; sleep 600'\n")
        .file("d/env/envvars", &format!("PW_MARK: {mark}\n"));
    let flag = project.path("flag");
    fs::write(project.path("d/env/extravars"), json!({"flag": flag}).to_string()).unwrap();
    let _shown = ran(command_of(&project, &["is-alive"])).expect(1);
    let _shown = ran(command_of(&project, &["stop"])).expect(1);
    let shown = ran(command_of(&project, &["start", "-p", "test.yml"])).expect(0);
    let id = shown.stdout.trim();
    appears(&flag);
    let pid: i32 = fs::read_to_string(project.path("d/pid")).unwrap().trim().parse().unwrap();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(ran(command_of(&project, &["is-alive"])).expect(0).stdout.trim(), id);
    let shown = ran(command_of(&project, &["stop"])).expect(0);
    assert!(shown.stdout.contains("canceled"), "{}", shown.stdout);
    assert!(crate::alive::marked(&mark).is_empty());
    eventually("the process id is forgotten", || !project.path("d/pid").exists());
    let _shown = ran(command_of(&project, &["is-alive"])).expect(1);
    assert_eq!(fs::read_to_string(project.path(&format!("d/artifacts/{id}/status"))).unwrap().trim(), "canceled");
    // What cannot begin says so at once.
    let shown = ran(command_of(&project, &["start", "-p", "tset.yml"])).expect(2);
    assert!(shown.stderr.contains("did you mean `test.yml`?"), "{}", shown.stderr);
}

#[test]
fn who_started_a_run_can_end_it_by_going_away() {
    let mark = crate::alive::mark();
    let project = data_dir("    - command: sh -c 'touch {{ flag }}; sleep 600'\n");
    let flag = project.path("flag");
    let keywords =
        json!({"ident": "x", "playbook": "test.yml", "envvars": {"PW_MARK": mark}, "extravars": {"flag": flag}});
    let mut child = command(&project, &["run", "--kwargs", "-", "--until-eof"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{keywords}").unwrap();
    appears(&flag);
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(20));
    assert!(crate::alive::marked(&mark).is_empty());
    assert_eq!(artifact(&project, "status").trim(), "canceled");
}

#[test]
fn a_job_of_runner_toml_can_have_a_data_dir_and_policies() {
    let project = data_dir("    - fail: msg=no\n    - debug: msg=late\n");
    let policy = guest("fail_budget").display().to_string();
    let project = project.file(
        "runner.toml",
        &format!(
            "schema-version = 1\n[ansible]\nuse = {{ venv = {:?} }}\n[plugins.p]\npath = {policy:?}\n\
             config = {{ max-failed-hosts = 0 }}\n[jobs.all]\nprivate-data-dir = \"d\"\nplaybook = \"test.yml\"\nforks = 1\n\
             cancel-policies = [\"p\"]\n",
            venv().display().to_string()
        ),
    );
    let shown = project.playwarden(&["run", "--run-id", "x"]).expect(21);
    assert!(shown.stderr.contains("canceled: policy `p`"), "{}", shown.stderr);
    assert!(project.path("artifacts/x/job_events").exists() && !project.path("d/artifacts").exists());
    // The command line still wins.
    let other = project.file("d/project/other.yml", &format!("{PLAY}    - debug: msg=x\n"));
    let _shown = other.playwarden(&["run", "-p", "other.yml", "--run-id", "y"]).expect(0);
}

#[test]
fn passwords_are_typed_and_a_key_is_in_an_agent_and_neither_is_seen_anywhere() {
    const KEY: &str = include_str!("prompts/plain.key");
    let tasks = "    - debug: msg='{{ code | length }} {{ color }}'\n    - command: ssh-add -l\n";
    let vars = "- hosts: all\n  gather_facts: false\n  vars_prompt:\n    - {name: code, prompt: 'Code'}\n    - {name: color, \
                prompt: 'Color', private: false}\n  tasks:\n";
    for said in [false, true] {
        let project = data_dir("").file("d/project/test.yml", &format!("{vars}{tasks}"));
        let passwords = json!({"^Code: ?$": "t0p-s3cret", "^Color\\s*:\\s*?$": "red"});
        let project = match said {
            true => project.file("d/env/passwords", "{\"^Code: ?$\": \"of the file\"}"),
            false => project.file("d/env/passwords", &passwords.to_string()).file("d/env/ssh_key", KEY),
        };
        let before = inputs(&project.path("d"));
        let mut keywords = json!({"ident": "x", "playbook": "test.yml", "limit": "h1"});
        if said {
            keywords["passwords"] = passwords;
            keywords["ssh_key"] = KEY.into();
        }
        let shown = run_with(&project, &keywords, &[]).expect(0);
        assert!(shown.stdout.contains("\"msg\": \"10 red\""), "{}", shown.stdout);
        assert!(artifact(&project, "stdout").contains("(ED25519)") || shown.stdout.contains("changed: [h1]"));
        assert_eq!(inputs(&project.path("d")), before);
        for (path, text) in inputs(&project.path("d/artifacts/x")) {
            let text = String::from_utf8_lossy(&text);
            let is_seen = text.contains("t0p-s3cret") || KEY.lines().nth(2).is_some_and(|line| text.contains(line));
            assert!(!is_seen, "{} has a secret", path.display());
        }
    }
}
