//! What `no_log` hides is nowhere: in no file, event, plugin or message.
//!
//! The play has each secret under a name of its own, so that a leak says where it comes from.

mod redacted;

use std::collections::BTreeSet;
use std::fs;

use playwarden_event::Status;

use crate::evidence::{Evidence, at, files_below};
use crate::support::{Project, guest};

const PLAY: &str = include_str!("canary/play.yml");
const PINNED: &str = include_str!("canary/pinned.py");

/// A project under the eyes of everything that writes down what it is told.
fn project() -> Project {
    let rest = format!(
        "extra-vars = {{ api_token = \"canary-extra-x1\" }}\nenv = {{ DB_PASSWORD = \"canary-job-x1\" }}\n\
         [plugins.counts]\npath = {:?}\npayload = \"full\"\nlimits = {{ call = \"1m\" }}\nconfig = {{ password = \"canary-config-x1\" }}\n\
         [plugins.audit]\nbuiltin = \"audit-jsonl\"\npayload = \"full\"\ngrants.write = [\"audit\"]\n\
         [plugins.junit]\nbuiltin = \"junit\"\npayload = \"full\"\n[plugins.summary]\nbuiltin = \"summary\"\npayload = \"full\"\n\
         [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"counts\"]\n\
         event-handlers = [\"counts\", \"audit\", \"junit\", \"summary\"]\nstatus-handlers = [\"counts\"]\n\
         finished-callbacks = [\"counts\", \"audit\", \"junit\", \"summary\"]\n",
        guest("counts_everything").display().to_string()
    );
    Project::new(2, &rest)
        .file("play.yml", PLAY)
        .file("library/pinned.py", PINNED)
        .file("inc.yml", "- {name: included, raw: 'echo {{ c }}-include-x1'}\n")
        .file("secretvars.yml", "fromfile: canary-varsfile-x1\n")
        .file("tpl.j2", "{{ c }}-template-x1\n")
        .file("say.sh", "#!/bin/sh\necho $1\n")
        .file("roles/secretive/tasks/main.yml", "- {name: in a role, debug: {msg: canary-role-x1}}\n")
}

/// Returns the secrets in a text.
fn secrets(text: &str) -> BTreeSet<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices("canary-").map(|(at, _)| text[at..].chars().take_while(|c| fits(*c)).collect()).collect()
}

/// Runs the play and looks for its secrets wherever anything was written or said.
fn leaks(project: &Project, arguments: &[&str]) -> Vec<String> {
    let shown = project.playwarden(&[&["run", "--diff"], arguments].concat()).expect(0);
    let mut found = vec![("screen", shown.stdout), ("messages", shown.stderr)];
    for command in [&["events"][..], &["events", "--json"], &["show"], &["show", "--json"], &["stdout"], &["stats"]] {
        let shown = project.playwarden(command).expect(0);
        found.push((command[0], shown.stdout + &shown.stderr));
    }
    let mut leaks: Vec<String> = Vec::new();
    for (place, text) in found {
        leaks.extend(secrets(&text).into_iter().map(|secret| format!("{secret} in {place}")));
    }
    let mut files = Vec::new();
    for folder in [project.run_folder(), project.path("audit")] {
        files_below(&folder, &mut files);
    }
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        leaks.extend(secrets(&text).into_iter().map(|secret| format!("{secret} in {}", file.display())));
    }
    leaks
}

#[test]
fn no_canary_is_seen_or_heard_outside_its_cage() {
    for arguments in [&["--json", "-v"][..], &["-vvvv"]] {
        let project = project();
        let leaks = leaks(&project, arguments);
        assert!(leaks.is_empty(), "{arguments:?}:\n{}", leaks.join("\n"));
        let run = Evidence::of(&project);
        assert_eq!(run.outcome.status, Status::Successful);
        // The play did what it should have, and it is told that something was hidden.
        assert_eq!(fs::read_to_string(project.path("template")).unwrap(), "canary-template-x1\n");
        assert!(run.events.iter().filter(|event| event.marks().no_log).count() > 80, "{}", run.list());
        assert!(run.result("runner_on_failed", "fail", "h1").1.no_log);
        let start = run.about("runner_on_start", "parameter")[0];
        let pin = at(start, "/start/args/pin");
        assert_eq!(pin, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER");
    }
}

#[test]
fn what_is_typed_is_not_seen_or_heard_either() {
    let play = "- hosts: h1\n  gather_facts: false\n  vars_prompt: [{name: asked, prompt: What, private: true}]\n  tasks:\n    \
                - {name: said, raw: 'echo {{ asked }}; echo {{ asked }} >&2', changed_when: '\"answer\" in asked'}\n";
    let project = project().file("play.yml", play).file("answer", "canary-answer-x1\n");
    let config = fs::read_to_string(project.path("runner.toml")).unwrap();
    let project =
        project.file("runner.toml", &format!("{config}passwords = {{ '^What: $' = {{ file = \"answer\" }} }}\n"));
    let leaks = leaks(&project, &["--json", "-vv"]);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    let run = Evidence::of(&project);
    assert_eq!(run.result("runner_on_ok", "said", "h1").1.res.changed, Some(true), "{}", run.list());
}

#[test]
fn what_a_hidden_task_left_alive_is_named_without_its_arguments() {
    let mark = crate::alive::mark();
    let playbook = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: stays\n      raw: (setsid sleep {mark} >/dev/null 2>&1 &)\n      \
         no_log: true\n"
    );
    let project = Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", &playbook);
    let shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let left: Vec<_> = run.outcome.left_alive.iter().map(|process| process.command.as_str()).collect();
    assert_eq!(left, ["sleep …"]);
    run.hides(&mark);
    assert!(!shown.stderr.contains(&mark), "{}", shown.stderr);
    for (pid, _) in crate::alive::marked(&mark) {
        crate::alive::kill(pid, rustix::process::Signal::KILL);
    }
}
