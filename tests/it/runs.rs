//! Files, ids, and reading runs back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use playwarden_event::{Cause, Status};
use serde_json::Value;

use crate::evidence::{Evidence, at};
use crate::support::{Project, ran};

const GOOD: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: say\n      debug: msg=hello\n";
const BAD: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: breaks\n      fail: msg=broken\n";

/// Returns a project with the jobs `good` and `bad`.
fn project() -> Project {
    let jobs = "[jobs.good]\nplaybook = \"good.yml\"\n[jobs.bad]\nplaybook = \"bad.yml\"\n";
    Project::new(1, jobs).file("good.yml", GOOD).file("bad.yml", BAD)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|err| panic!("{err} in {text}"))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_run_leaves_its_files_and_only_its_owner_reads_them() {
    let project = project();
    let _shown = project.playwarden(&["run", "good"]).expect(0);
    let run = Evidence::of(&project);
    let mut names: Vec<_> = fs::read_dir(&run.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["command", "events.jsonl", "plugins", "rc", "run.json", "status", "stderr", "stdout"]);
    for name in names {
        let path = run.folder.join(&name);
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    assert_eq!((mode(&run.folder), mode(&project.path("artifacts"))), (0o700, 0o700));
    let record = json(&run.text("run.json"));
    assert_eq!((&record["schema"], &record["job"]), (&1.into(), &"good".into()));
    assert!(record["ansible"]["core"].as_str().unwrap().starts_with("2."), "{record}");
    assert_eq!(record["plan"]["work"]["playbook"]["path"], project.path("good.yml").to_str().unwrap());
    assert!(!run.text("stdout").contains('\r'));
}

#[test]
fn a_run_that_could_not_start_leaves_the_same_files() {
    let project = project().file("good.yml", "- hosts: [\n");
    let _shown = project.playwarden(&["run", "good"]).expect(12);
    let run = Evidence::of(&project);
    for name in ["events.jsonl", "rc", "run.json", "status", "stderr", "stdout"] {
        assert_eq!(mode(&run.folder.join(name)), 0o600, "{name}");
    }
    assert_eq!((run.text("status").as_str(), run.text("stdout").as_str()), ("failed", ""));
}

#[test]
fn a_run_id_is_given_once() {
    let project = project();
    let _shown = project.playwarden(&["run", "good", "--run-id", "release-1"]).expect(0);
    let before = fs::read(project.path("artifacts/release-1/events.jsonl")).unwrap();
    let shown = project.playwarden(&["run", "bad", "--run-id", "release-1"]).expect(2);
    assert!(shown.stderr.contains("there is a run `release-1` already"), "{}", shown.stderr);
    assert!(shown.stderr.contains("--run-id"), "{}", shown.stderr);
    assert_eq!(fs::read(project.path("artifacts/release-1/events.jsonl")).unwrap(), before);
    assert_eq!(Evidence::of(&project).outcome.status, Status::Successful);
    for id in ["../out", ".hidden", "a/b", ""] {
        let shown = project.playwarden(&["run", "good", "--run-id", id]).expect(2);
        assert!(shown.stderr.contains("cannot be a run id"), "{}", shown.stderr);
    }
    let _shown = project.playwarden(&["run", "good", "bad", "--run-id", "x"]).expect(2);
    assert_eq!(project.names("artifacts"), ["release-1"]);
}

#[test]
fn runs_are_found_by_the_beginning_of_their_id_and_the_newest_by_a_sign() {
    let project = project();
    for (id, job, code) in [("alpha-1", "good", 0), ("alpha-2", "bad", 10)] {
        let _shown = project.playwarden(&["run", job, "--ident", id]).expect(code);
    }
    let id = |wanted: &str| json(&project.playwarden(&["show", wanted, "--json"]).expect(0).stdout)["id"].clone();
    assert_eq!((id("alpha-1"), id("alpha-2"), id("@")), ("alpha-1".into(), "alpha-2".into(), "alpha-2".into()));
    let shown = project.playwarden(&["show", "alpha"]).expect(2);
    assert!(shown.stderr.contains("alpha-1") && shown.stderr.contains("alpha-2"), "{}", shown.stderr);
    let shown = project.playwarden(&["show", "beta"]).expect(2);
    assert!(shown.stderr.contains("there is no run `beta`"), "{}", shown.stderr);

    let rows = json(&project.playwarden(&["list", "--json"]).expect(0).stdout);
    let brief: Vec<_> = rows.as_array().unwrap().iter().map(|row| (&row["id"], &row["status"], &row["rc"])).collect();
    assert_eq!(
        brief,
        [(&"alpha-2".into(), &"failed".into(), &2.into()), (&"alpha-1".into(), &"successful".into(), &Value::from(0))]
    );
    let failed = json(&project.playwarden(&["list", "--failed", "--json"]).expect(0).stdout);
    assert_eq!((failed.as_array().unwrap().len(), &failed[0]["id"]), (1, &"alpha-2".into()));
    let table = project.playwarden(&["list"]).expect(0).stdout;
    assert!(table.starts_with("RUN") && table.lines().count() == 3, "{table}");
    assert!(table.lines().nth(1).unwrap().contains("hosts failed"), "{table}");
    let shown = project.playwarden(&["show", "alpha-2"]).expect(0).stdout;
    assert!(shown.contains("failed: hosts failed") && shown.contains("job       bad"), "{shown}");
}

#[test]
fn a_run_is_read_back_as_it_was() {
    let project = project();
    let live = project.playwarden(&["run", "bad"]).expect(10);
    let run = Evidence::of(&project);
    assert_eq!(project.playwarden(&["stdout"]).expect(0).stdout, live.stdout);
    assert_eq!(project.playwarden(&["events", "--json"]).expect(0).stdout, run.text("events.jsonl"));
    let lines = project.playwarden(&["events"]).expect(0).stdout;
    assert_eq!(lines.lines().count(), run.events.len());
    let about = project.playwarden(&["events", "--host", "h1"]).expect(0).stdout;
    assert_eq!(about.lines().count(), 2, "{about}");
    assert!(about.contains("runner_on_failed") && about.contains("broken"), "{about}");
    assert_eq!(project.playwarden(&["events", "--host", "nobody", "--json"]).expect(0).stdout, "");
    assert_eq!(json(&project.playwarden(&["show", "--json"]).expect(0).stdout), json(&run.text("run.json")));
}

#[test]
fn before_the_first_run_there_is_none() {
    let project = project();
    assert_eq!(project.playwarden(&["list", "--json"]).expect(0).stdout, "[]\n");
    let shown = project.playwarden(&["show"]).expect(2);
    assert!(shown.stderr.contains("there is no run"), "{}", shown.stderr);
    assert!(!project.path("artifacts").exists());
}

#[test]
fn events_as_json_are_those_of_the_journal() {
    let project = project();
    let shown = project.playwarden(&["run", "good", "--json"]).expect(0);
    let run = Evidence::of(&project);
    let printed: Vec<playwarden_event::Event> =
        shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(printed, run.events);
    let quiet = project.playwarden(&["run", "good", "--quiet"]).expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let quiet = project.playwarden(&["run", "bad", "--quiet"]).expect(10);
    assert!(quiet.stdout.is_empty() && quiet.stderr.contains("failed: hosts failed\n"), "{}", quiet.stderr);
}

#[test]
fn several_jobs_run_in_order_up_to_the_first_that_fails() {
    let project = project();
    let _shown = project.playwarden(&["run", "good", "bad", "good"]).expect(10);
    let rows = json(&project.playwarden(&["list", "--json"]).expect(0).stdout);
    let jobs: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["bad", "good"]);
    let shown = project.playwarden(&["run"]).expect(2);
    assert_eq!(shown.stdout, "  good\n  bad\n");
    let shown = project.playwarden(&["run", "goof"]).expect(2);
    assert!(shown.stderr.contains("good"), "{}", shown.stderr);
    // A mistake in a later job is found before the first one runs.
    fs::remove_file(project.path("bad.yml")).unwrap();
    let _shown = project.playwarden(&["run", "good", "bad"]).expect(30);
    assert_eq!(project.names("artifacts").len(), 2);
}

#[test]
fn ansibles_own_exit_code_is_passed_on_where_that_is_wanted() {
    let project = project().file("parse.yml", "- hosts: [\n");
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let project = project.file("runner.toml", &format!("{text}[jobs.parse]\nplaybook = \"parse.yml\"\n"));
    for (job, code) in [("good", 0), ("bad", 2), ("parse", 4)] {
        let _shown = project.playwarden(&["run", job, "--ansible-exit-code"]).expect(code);
    }
}

#[test]
fn the_command_line_goes_over_the_file() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: a\n      debug: msg={{ word }}\n      tags: \
                    [a]\n    - name: b\n      debug: msg={{ word }}\n      tags: [b]\n";
    let jobs = "extra-vars = { word = \"file\" }\n[jobs.good]\nplaybook = \"good.yml\"\n";
    let project = Project::new(3, jobs).file("good.yml", playbook);
    let _shown = project.playwarden(&["run", "-l", "h2", "-t", "b", "-e", "word=line", "-C"]).expect(0);
    let run = Evidence::of(&project);
    assert_eq!(run.named("runner_on_ok").len(), 1);
    let (event, result) = run.result("runner_on_ok", "b", "h2");
    assert_eq!((result.res.msg.as_deref(), result.check_mode), (Some("line"), true));
    assert_eq!(at(event, "/task_action"), "debug");
}

#[test]
fn secrets_of_runner_toml_are_written_nowhere() {
    let secrets = ["tok-5f2e9c11", "pa\"ss\\wörd-77"];
    let rest = "env = { API_TOKEN = \"tok-5f2e9c11\" }\nextra-vars = { db = { password = 'pa\"ss\\wörd-77' } }\n\
                [jobs.good]\nplaybook = \"good.yml\"\n";
    let playbook = r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: one
      debug: msg="{{ lookup('env', 'API_TOKEN') }} and {{ db.password }}"
    - name: two
      raw: echo $API_TOKEN; echo $API_TOKEN >&2; false
"#;
    let project = Project::new(1, rest).file("good.yml", playbook);
    let shown = project.playwarden(&["run", "--diff"]).expect(10);
    let run = Evidence::of(&project);
    for secret in secrets {
        run.hides(secret);
        assert!(!format!("{}{}", shown.stdout, shown.stderr).contains(secret));
    }
    run.hides("w\\u00f6rd-77");
    run.hides("wörd-77");
    assert_eq!(run.result("runner_on_ok", "one", "h1").1.res.msg.as_deref(), Some("******** and ********"));
    assert!(run.text("stdout").contains("********"));
    let shown = project.playwarden(&["run", "--json"]).expect(10);
    assert!(secrets.iter().all(|secret| !shown.stdout.contains(secret)), "{}", shown.stdout);
}

#[test]
fn on_a_full_disk_the_journal_stays_whole_and_the_run_ends() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: fill
      set_fact: {big: '{{ ''x'' * 15000 }}'}
    - {name: a, set_fact: {big: '{{ ''x'' * 15000 }}'}}
    - {name: b, set_fact: {big: '{{ ''x'' * 15000 }}'}}
    - {name: c, set_fact: {big: '{{ ''x'' * 15000 }}'}}
    - {name: d, set_fact: {big: '{{ ''x'' * 15000 }}'}}
    - {name: e, set_fact: {big: '{{ ''x'' * 15000 }}'}}
    - {name: last, raw: 'touch {{ playbook_dir }}/last'}
";
    let project = Project::new(1, "[jobs.fill]\nplaybook = \"fill.yml\"\n").file("fill.yml", playbook);
    // A limit of the size of files: writing then fails as on a full disk, at the same place every time.
    let mut command = Command::new("bash");
    project.adopt(&mut command);
    let script = "trap '' XFSZ; ulimit -f 64; exec \"$0\" run";
    let shown = ran(command.args(["-c", script, env!("CARGO_BIN_EXE_playwarden")]).output().unwrap()).expect(74);
    assert!(shown.stderr.contains("events.jsonl` cannot be written"), "{}", shown.stderr);
    let events = project.events();
    assert!(!project.path("last").exists());
    let outcome = project.outcome();
    let Some(Cause::HostTrouble { text }) = &outcome.cause else { panic!("{outcome:?}") };
    let whole = text.rsplit_once("; the journal is whole up to event ").and_then(|(_, last)| last.parse().ok());
    assert!(whole.is_some_and(|last: usize| last > 3 && last <= events.len()), "{text}");
    assert!(shown.stderr.contains(text), "{}", shown.stderr);
    assert_eq!(outcome.status, Status::Failed);
    let folder = project.run_folder();
    assert_eq!(fs::read_to_string(folder.join("status")).unwrap(), "failed");
    let _listed = project.playwarden(&["list"]).expect(0);
}
