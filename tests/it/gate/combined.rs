//! What several policies have to say until a run is canceled: `cancel-when`.

use playwarden_event::kind::VerdictWord;
use playwarden_event::{Cause, EventKind, Status};

use super::nothing_starts_after;
use crate::evidence::Evidence;
use crate::support::{Project, guest};

/// `one` fails on h2; then `two`, `three` and `four` start, each everywhere.
const TASKS: [&str; 4] = ["one", "two", "three", "four"];

/// Three policies: `fails` cancels at the failure of `one`, `early` at a start of `two`, `late` at one of `three`.
fn project(job: &str) -> Project {
    let path = |name: &str| format!("{:?}", guest(name).display().to_string());
    let rest = format!(
        "forks = 1\n[plugins.fails]\npath = {table}\nconfig = {{ kind = \"runner_on_failed\" }}\n\
         [plugins.early]\npath = {start}\nconfig = {{ task = \"two\" }}\n\
         [plugins.late]\npath = {start}\nconfig = {{ task = \"three\" }}\n\
         [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"fails\", \"early\", \"late\"]\n{job}",
        table = path("verdict_table"),
        start = path("cancels_on_start"),
    );
    let tasks = TASKS.map(|task| {
        let fails = if task == "one" { "; {{ 'false' if inventory_hostname == 'h2' else 'true' }}" } else { "" };
        let effect = format!("touch {{{{ playbook_dir }}}}/started/{task}_{{{{ inventory_hostname }}}}{fails}");
        format!("    - name: {task}\n      raw: {effect:?}\n")
    });
    let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{}", tasks.concat());
    Project::new(3, &rest).file("play.yml", &playbook).folder("started")
}

#[test]
fn a_run_is_canceled_when_those_that_have_to_say_so_have_said_so() {
    // What decides, and the first task that then starts nowhere. Who spoke before is on record.
    for (key, by, spared, spoke) in [
        ("", "fails", "two", vec!["fails"]),
        ("cancel-when = \"any\"", "fails", "two", vec!["fails"]),
        ("cancel-when = \"early or late or fails\"", "fails", "two", vec!["fails"]),
        ("cancel-when = \"fails and (early or late)\"", "early", "two", vec!["fails", "early"]),
        // Asked about each host's start of `two`, it says so each time.
        ("cancel-when = \"late and (early or fails)\"", "late", "three", vec!["fails", "early", "early", "late"]),
        ("cancel-when = \"all\"", "late", "three", vec!["fails", "early", "early", "late"]),
    ] {
        let project = project(key);
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let verdicts: Vec<_> = run
            .named("policy_verdict")
            .into_iter()
            .map(|event| match event.kind() {
                EventKind::PolicyVerdict(verdict) => (event.counter(), verdict),
                _ => unreachable!(),
            })
            .collect();
        let names: Vec<_> = verdicts.iter().map(|(_, verdict)| verdict.plugin.name.as_str()).collect();
        assert_eq!(names, spoke, "{key}\n{}", run.list());
        for (index, (_, verdict)) in verdicts.iter().enumerate() {
            assert_eq!(verdict.verdict, VerdictWord::Cancel);
            assert_eq!(verdict.acted_on, index + 1 == spoke.len(), "{key}: {verdict:?}");
        }
        let (decided, verdict) = verdicts.last().unwrap();
        nothing_starts_after(*decided, &run, &project);
        assert!(run.hosts("runner_on_start", spared).is_empty(), "{key}\n{}", run.list());
        assert_eq!(run.outcome.status, Status::Canceled);
        let cause = Cause::Plugin { name: by.to_owned(), reason: verdict.reason.clone() };
        assert_eq!(run.outcome.cause, Some(cause), "{key}");
    }
}

#[test]
fn where_one_looks_on_or_has_nothing_to_say_all_do_not_agree() {
    for (key, code) in [
        ("cancel-when = \"all\"\nplugins.early.mode = \"monitor\"", 10),
        ("cancel-when = \"all\"\nplugins.late.config.task = \"five\"", 10),
        ("cancel-when = \"late\\u0020or fails and early\"\nplugins.fails.config.kind = \"runner_on_unreachable\"", 21),
    ] {
        let project = project(key);
        let _shown = project.playwarden(&["run"]).expect(code);
        let run = Evidence::of(&project);
        let acted = run
            .named("policy_verdict")
            .into_iter()
            .filter(|event| matches!(event.kind(), EventKind::PolicyVerdict(verdict) if verdict.acted_on));
        assert_eq!(acted.count(), usize::from(code == 21), "{key}\n{}", run.list());
        assert_eq!(run.hosts("runner_on_ok", "four").len(), if code == 21 { 0 } else { 2 }, "{key}");
    }
}
