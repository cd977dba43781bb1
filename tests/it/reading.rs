//! What the commands tell of runs: of those that are over, and of one that goes on.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Child;

use playwarden_event::Status;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::alive::{appears, eventually, send};
use crate::evidence::Evidence;
use crate::support::{Project, guest, ran};

/// Waits in its second task until the file `go` is there.
const GATED: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      set_fact: {color: blue, big: 1180591620717411303424, list: [{a: 1}, {}]}
    - name: waits
      raw: touch {{ playbook_dir }}/reached; until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done
    - {name: fails, fail: msg=broken, ignore_errors: true}
    - {name: skips, debug: msg=no, when: false}
";

fn gated(hosts: usize) -> Project {
    Project::new(hosts, "[jobs.gated]\nplaybook = \"gated.yml\"\n").file("gated.yml", GATED)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|err| panic!("{err} in {text}"))
}

fn stdout(project: &Project, arguments: &[&str]) -> String {
    project.playwarden(arguments).expect(0).stdout
}

/// Waits for the end of a command, which must come by itself.
#[track_caller]
fn ends(child: &mut Child) -> std::process::ExitStatus {
    let mut status = None;
    eventually("its end", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

#[test]
fn a_live_run_is_followed_to_its_end() {
    let project = gated(2);
    let mut run = project.start(&["run", "--quiet"]);
    appears(&project.path("reached"));
    let mut events = project.start(&["events", "--follow", "--json"]);
    let text = project.start(&["stdout", "--follow"]);
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    let mut seen = String::new();
    while !seen.contains("\"task\":\"waits\"") {
        seen += &lines.next().unwrap().unwrap();
        seen.push('\n');
    }
    // What is there now is shown without waiting.
    let now = stdout(&project, &["events"]);
    assert!(now.contains("waits") && !now.contains("run_finished"), "{now}");
    let stats = json(&stdout(&project, &["stats", "--json"]));
    assert_eq!((&stats["from"], &stats["status"]), (&"journal".into(), &"running".into()));
    assert_eq!(stats["hosts"]["h1"]["ok"], 1);
    let shown = project.playwarden(&["stats"]).expect(0);
    assert_eq!(shown.stderr, "counted from the journal so far: the run goes on\n");
    assert_eq!(json(&stdout(&project, &["facts", "@", "h2", "color"])), "blue");

    fs::write(project.path("go"), "").unwrap();
    assert!(ends(&mut run).success());
    assert!(ends(&mut events).success());
    for line in lines {
        seen += &line.unwrap();
        seen.push('\n');
    }
    let evidence = Evidence::of(&project);
    assert_eq!(seen, evidence.text("events.jsonl"));
    assert_eq!(ran(text.wait_with_output().unwrap()).expect(0).stdout, evidence.text("stdout"));
    assert_eq!(stdout(&project, &["events", "--follow", "--json"]), seen);
}

#[test]
fn a_follower_goes_when_nobody_reads_or_waits_for_it() {
    let project = gated(1);
    let mut run = project.start(&["run", "--quiet"]);
    appears(&project.path("reached"));
    let mut unread = project.start(&["events", "--follow", "--event", "run_started"]);
    let mut first = String::new();
    let mut out = BufReader::new(unread.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert!(first.contains("run_started"), "{first}");
    drop(out);
    assert!(ends(&mut unread).success());

    let mut stopped = project.start(&["events", "--follow"]);
    let mut out = BufReader::new(stopped.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    send(&stopped, Signal::INT);
    assert_eq!(ends(&mut stopped).signal(), Some(Signal::INT.as_raw()));
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    stopped.stderr.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.ends_with('\n') && !rest.contains("panicked"), "{rest}");

    // The run knows nothing of all this.
    fs::write(project.path("go"), "").unwrap();
    assert!(ends(&mut run).success());
}

#[test]
fn the_end_of_a_killed_host_is_the_end_of_its_followers() {
    let project = gated(1);
    let mut run = project.start(&["run", "--quiet"]);
    appears(&project.path("reached"));
    let follower = project.start(&["events", "--follow", "--json"]);
    send(&run, Signal::KILL);
    ends(&mut run);
    let shown = ran(follower.wait_with_output().unwrap()).expect(0);
    assert!(shown.stdout.contains("\"waits\""), "{}", shown.stdout);
    let stats = json(&stdout(&project, &["stats", "--json"]));
    assert_eq!((&stats["from"], &stats["status"]), (&"journal".into(), &"lost".into()));
    assert_eq!(project.outcome().status, Status::Lost);
}

#[test]
fn counts_are_ansibles_and_facts_are_what_was_set() {
    let project = gated(2).file("go", "");
    let _shown = project.playwarden(&["run", "--run-id", "r-1"]).expect(0);
    let stats = json(&stdout(&project, &["stats", "r", "--json"]));
    let one = json!({"ok": 3, "changed": 1, "unreachable": 0, "failed": 0, "skipped": 1, "rescued": 0, "ignored": 1});
    let expected =
        json!({"run": "r-1", "status": "successful", "from": "ansible", "hosts": {"h1": one.clone(), "h2": one}});
    assert_eq!(stats, expected);
    let table = stdout(&project, &["stats"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["HOST", "OK", "CHANGED", "UNREACHABLE", "FAILED", "SKIPPED", "RESCUED", "IGNORED"]);
    assert_eq!(rows[2], ["h2", "3", "1", "0", "0", "1", "0", "1"]);

    assert_eq!(stdout(&project, &["facts"]), "h1\nh2\n");
    assert_eq!(json(&stdout(&project, &["facts", "--json"])), json!(["h1", "h2"]));
    let facts = "{\n  \"big\": 1180591620717411303424,\n  \"color\": \"blue\",\n  \"list\": [\n    {\n      \"a\": 1\n    },\n    \
                 {}\n  ]\n}\n";
    assert_eq!(stdout(&project, &["facts", "@", "h1"]), facts);
    assert_eq!(stdout(&project, &["facts", "r-1", "h1", "/list/0/a"]), "1\n");
    let shown = project.playwarden(&["facts", "@", "h3"]).expect(2);
    assert!(
        shown.stderr.contains("no facts of host `h3`") && shown.stderr.contains("did you mean"),
        "{}",
        shown.stderr
    );
    let shown = project.playwarden(&["facts", "@", "h1", "colour"]).expect(2);
    assert!(shown.stderr.contains("did you mean `color`?"), "{}", shown.stderr);
}

#[test]
fn events_are_chosen_by_name_task_and_failure() {
    let project = gated(1).file("go", "");
    let _shown = project.playwarden(&["run", "--quiet"]).expect(0);
    let names = |arguments: &[&str]| {
        let mut all = vec!["events", "--json"];
        all.extend(arguments);
        let lines = stdout(&project, &all);
        let name = |line: &str| json(line)["event"].as_str().unwrap().to_owned();
        lines.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["--failed"]), ["runner_on_failed"]);
    assert_eq!(names(&["--event", "run_*"]), ["run_started", "run_finished"]);
    assert_eq!(names(&["--event", "runner_on_ok,runner_on_skipped", "--task", "s"]).len(), 3);
    assert_eq!(names(&["--task", "skip"]), ["playbook_on_task_start", "runner_on_start", "runner_on_skipped"]);
    let shown = project.playwarden(&["events", "--event", "runner_on_k"]).expect(2);
    assert!(shown.stderr.contains("did you mean `runner_on_ok`?"), "{}", shown.stderr);
}

#[test]
fn runs_are_listed_by_host_job_state_and_time() {
    let jobs = "[jobs.good]\nplaybook = \"gated.yml\"\n[jobs.none]\nplaybook = \"no.yml\"\n";
    let project = Project::new(2, jobs).file("gated.yml", GATED).file("go", "").file("no.yml", "- hosts: nobody\n");
    let _shown = project.playwarden(&["run", "good", "--run-id", "a", "--limit", "h1"]).expect(0);
    let _shown = project.playwarden(&["run", "none", "--run-id", "b"]).expect(13);
    let _shown = project.playwarden(&["run", "good", "--run-id", "c"]).expect(0);
    let ids = |arguments: &[&str]| {
        let mut all = vec!["list", "--json"];
        all.extend(arguments);
        let rows = json(&stdout(&project, &all));
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--host", "h1"]), ["c", "a"]);
    assert_eq!(ids(&["--host", "h2"]), ["c"]);
    assert_eq!(ids(&["--job", "none"]), ["b"]);
    assert_eq!(ids(&["--status", "successful"]), ["c", "a"]);
    assert_eq!(ids(&["--status", "failed,lost", "--since", "7d"]), ["b"]);
    assert_eq!(ids(&["--since", "2999-01-01"]), [""; 0]);
    assert_eq!(project.playwarden(&["list", "--host", "h9"]).expect(0).stderr, "no run is like that\n");
    for wrong in [["--since", "soon"], ["--status", "sucessful"]] {
        let shown = project.playwarden(&["list", wrong[0], wrong[1]]).expect(2);
        assert!(shown.stderr.contains("7d") || shown.stderr.contains("successful"), "{}", shown.stderr);
    }
}

#[test]
fn a_run_is_shown_with_what_its_plugins_left() {
    let rest = format!(
        "cancel-policies = [\"says\"]\n[plugins.says]\npath = {:?}\n[jobs.gated]\nplaybook = \"gated.yml\"\n",
        guest("warns_always").display().to_string()
    );
    let project = Project::new(1, &rest).file("gated.yml", GATED).file("go", "");
    let _shown = project.playwarden(&["run", "--quiet", "--run-id", "r"]).expect(0);
    let output = project.path("artifacts/r/plugins/says/more");
    fs::create_dir_all(&output).unwrap();
    fs::write(output.join("report.txt"), "12345").unwrap();
    let shown = stdout(&project, &["show"]);
    assert!(shown.contains("  output  artifacts/r/plugins/says/more/report.txt (5 bytes)\n"), "{shown}");
    let record = json(&stdout(&project, &["show", "--json"]));
    let sha256 = record["plugins"][0]["sha256"].as_str().unwrap();
    assert!(shown.contains(&format!("plugin    says 0.1.0  sha256:{}\n", &sha256[..12])), "{shown}");
}

#[test]
fn every_exit_code_is_explained() {
    let project = Project::empty();
    let all = json(&stdout(&project, &["explain", "--json"]));
    let mut codes = BTreeMap::new();
    for one in all.as_array().unwrap() {
        let code = one["code"].as_str().unwrap();
        let text = one["text"].as_str().unwrap();
        assert!(text.len() > 100, "{code}: {text}");
        codes.insert(text.to_owned(), code.to_owned());
        assert_eq!(json(&stdout(&project, &["explain", code, "--json"])), *one);
    }
    assert_eq!(codes.len(), all.as_array().unwrap().len(), "two codes have one text");
    let shown = stdout(&project, &["explain", "21"]);
    assert!(shown.starts_with("21: canceled by a policy's verdict\n\n"), "{shown}");
    let list = stdout(&project, &["explain"]);
    assert!(codes.values().all(|code| list.lines().any(|line| line.split_whitespace().next() == Some(code))), "{list}");
    let shown = stdout(&project, &["explain", "bad-origin"]);
    assert!(shown.contains("\n    [plugins.siem.grants]\n"), "an example is a block of its own: {shown}");
    let shown = project.playwarden(&["explain", "99"]).expect(2);
    assert!(shown.stderr.contains("no code `99`"), "{}", shown.stderr);
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let project = Project::empty();
    let help = stdout(&project, &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A line that goes on is indented further.
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<_> = names.filter(|name| !name.is_empty() && *name != "help").collect();
    assert!(commands.len() > 10, "{help}");
    let out = stdout(&project, &["man", "--out", "man"]);
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&project, &["completions", shell]);
        assert!(commands.iter().all(|command| script.contains(command)), "{shell}");
    }
    for command in commands {
        let page = fs::read_to_string(project.path(&format!("man/playwarden-{command}.1"))).unwrap();
        assert!(
            page.contains(".SH NAME") && page.contains(&format!("playwarden\\-{}", command.replace('-', "\\-"))),
            "{page}"
        );
        assert!(out.contains(&format!("man/playwarden-{command}.1\n")), "{out}");
    }
    assert_eq!(stdout(&project, &["man"]), fs::read_to_string(project.path("man/playwarden.1")).unwrap());
    assert!(!project.names("man").iter().any(|name| name.contains("guard")));
    let shown = project.file("in-the-way", "").playwarden(&["man", "--out", "in-the-way"]).expect(74);
    assert!(shown.stderr.contains("`in-the-way`"), "{}", shown.stderr);
}
