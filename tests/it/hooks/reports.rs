//! What the built-in plugins write of a run: `tests/golden/hooks` has it, without what differs from run to run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{PLAY, lines, project};
use crate::evidence::Evidence;
use crate::golden::Golden;
use crate::support::{core_since, ran};

/// Everything that writes, as event handler and finished callback, beside a budget of no failed host.
const PLUGINS: &str = "\
[plugins.audit]
builtin = \"audit-jsonl\"
config = { folder = \"audit\", include-start = true }
grants.write = [\"audit\"]
[plugins.summary]
builtin = \"summary\"
config = { slowest = 0 }
[plugins.junit]
builtin = \"junit\"
config = { folder = \"reports\" }
grants.write = [\"reports\"]
[plugins.budget]
builtin = \"fail-budget\"
config = { max-failed-hosts = 0 }
";

const JOB: &str = "\
forks = 1
cancel-policies = [\"budget\"]
event-handlers = [\"audit\", \"summary\", \"junit\"]
finished-callbacks = [\"audit\", \"summary\", \"junit\"]
";

const MIXED: &str = "\
- name: Mixed
  hosts: all
  gather_facts: false
  tasks:
    - {name: good, debug: msg=fine}
    - {name: not here, debug: msg=no, when: false}
    - {name: forgiven, fail: msg=almost, ignore_errors: true}
    - {name: each, debug: msg=x, loop: [1, 2]}
    - {name: bad, fail: msg=\"<broken> & so on\"}
    - {name: never, debug: msg=x}
";

/// Puts a sign where something differs each time: behind `before`, up to the first of `ends`.
fn blank(text: &str, before: &str, ends: &[char]) -> String {
    let mut parts = text.split(before);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(ends).unwrap_or(part.len());
        clean = [&clean, before, "#", &part[end..]].concat();
    }
    clean
}

fn compare(name: &str, playbook: &str, code: i32) {
    let project = project(1, JOB, PLUGINS, playbook);
    let _shown = project.playwarden(&["run", "--run-id", "the-run"]).expect(code);
    let run = Evidence::of(&project);
    assert!(run.outcome.faulty_plugins.is_empty(), "{:?}", run.outcome);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/hooks").join(name);
    let read = |path: &Path| fs::read_to_string(path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let root = project.path("").canonicalize().unwrap();
    let local = |text: String| text.replace(root.to_str().unwrap().trim_end_matches('/'), "$PROJECT");
    let mut golden = Golden::default();

    let audit = local(read(&project.path("audit/the-run.jsonl")));
    let audit = ["\"time\":\"", "\"user\":\""].iter().fold(audit, |text, key| blank(&text, key, &['"']));
    let audit = ["\"counter\":", "\"duration_ms\":"].iter().fold(audit, |text, key| blank(&text, key, &[',', '}']));
    golden.compare(&folder.join("audit.jsonl"), Some(&audit));
    let junit = local(read(&project.path("reports/the-run.xml")));
    assert_eq!(local(run.text("plugins/junit/junit.xml")), junit);
    let junit = [" time=\"", " timestamp=\""].iter().fold(junit, |text, key| blank(&text, key, &['"']));
    // Before 2.15 Ansible does not say which condition it was.
    let junit = if core_since((2, 15)) { junit } else { junit.replace(" was False\"", " was False: false\"") };
    golden.compare(&folder.join("junit.xml"), Some(&junit));
    let page = local(run.text("plugins/summary/summary.txt"));
    let page: Vec<_> = page.lines().map(|line| if line.contains(" UTC, ") { "(times)" } else { line }).collect();
    let page = page.join("\n") + "\n";
    let page = ["(failed, ", "(ignored, ", "errors "].iter().fold(page, |text, key| blank(&text, key, &[' ', '\n']));
    golden.compare(&folder.join("summary.txt"), Some(&page));
    golden.finish();

    let summary: Value = serde_json::from_str(&run.text("plugins/summary/summary.json")).unwrap();
    assert_eq!(summary["status"], run.outcome.status.word());
}

#[test]
fn a_good_run_is_reported() {
    compare("good", PLAY, 0);
}

#[test]
fn a_canceled_run_is_reported_with_what_canceled_it() {
    compare("canceled", MIXED, 21);
}

#[test]
fn two_runs_at_the_same_time_write_two_audit_trails() {
    // Each goes on only when the other has begun.
    let meet = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: meet\n      raw: \
                'until [ -s {{ playbook_dir }}/audit/one.jsonl ] && [ -s {{ playbook_dir }}/audit/two.jsonl ]; do sleep 0.02; done'\n";
    let audit =
        "[plugins.audit]\nbuiltin = \"audit-jsonl\"\nconfig = { folder = \"audit\" }\ngrants.write = [\"audit\"]\n";
    let project = project(1, "event-handlers = [\"audit\"]", audit, meet);
    let children = ["one", "two"].map(|id| project.start(&["run", "--run-id", id]));
    for child in children {
        let _shown = ran(child.wait_with_output().unwrap()).expect(0);
    }
    assert_eq!(project.names("audit"), ["one.jsonl", "two.jsonl"]);
    for id in ["one", "two"] {
        let trail = lines(&project.path("audit").join(format!("{id}.jsonl")));
        assert!(trail.iter().all(|line| line["run"] == id), "{trail:?}");
        let first_and_last = [&trail[0]["event"], &trail[trail.len() - 1]["event"]];
        assert_eq!(first_and_last, ["run_started", "run_finished"]);
    }
}

#[test]
fn every_built_in_loads_by_its_name() {
    let plugins = [
        ("audit-jsonl", ""),
        ("blast-radius", "config = { max-changed-hosts = 9 }"),
        ("cel", "config.rules = [{ name = \"a\", on = \"start\", when = \"true\", message = \"a\" }]"),
        ("change-window", "config = { timezone = \"UTC\", windows = [{ from = \"00:00\", to = \"24:00\" }] }"),
        ("fail-budget", "config = { max-failed-hosts = 1 }"),
        ("forbidden", "config = { modules = [\"raw\"] }"),
        ("junit", ""),
        ("rego", "config.rules = \"package playwarden\\ndeny contains \\\"a\\\" if false\""),
        ("signature", "config.signatures = [{ name = \"a\", pattern = \"a\" }]"),
        ("slow-host", "config = { max-duration = \"1h\", max-slow-hosts = 1 }"),
        ("summary", ""),
        ("webhook", "config = { url = \"http://127.0.0.1:9/\" }\ngrants.http = [\"http://127.0.0.1:9\"]"),
    ];
    let names = plugins.map(|(name, _)| name);
    assert_eq!(names, playwarden::config::BUILTINS);
    let list = plugins.map(|(name, keys)| format!("[plugins.{name}]\nbuiltin = {name:?}\n{keys}\n")).concat();
    let job = "cancel-policies = [\"blast-radius\", \"cel\", \"change-window\", \"fail-budget\", \"forbidden\", \"rego\", \"signature\", \"slow-host\"]\n\
               event-handlers = [\"audit-jsonl\", \"junit\"]\n\
               status-handlers = [\"webhook\"]\nfinished-callbacks = [\"summary\", \"webhook\"]";
    let all = project(1, job, &list, PLAY);
    let shown = all.playwarden(&["check"]).expect(0);
    assert!(shown.stdout.contains("webhook"), "{}{}", shown.stdout, shown.stderr);
    let other = project(1, "event-handlers = [\"x\"]", "[plugins.x]\nbuiltin = \"audit\"\n", PLAY);
    let shown = other.playwarden(&["check"]).expect(30);
    assert!((shown.stdout + &shown.stderr).contains("audit-jsonl"), "the near word should be named");
}
