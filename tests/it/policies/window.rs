//! `change-window`, by the clock of this machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use playwarden_event::{EventKind, Timestamp};

use super::{Row, hold, play};
use crate::evidence::Evidence;
use crate::support::Project;

const TASKS: &str = "    - name: one\n      raw: \"true\"\n    - name: two\n      raw: \"true\"\n";

#[test]
fn a_task_starts_inside_of_a_window_only() {
    let always = "windows = [{ from = '00:00', to = '24:00' }]";
    let never = "also = [{ from = '2020-01-01', to = '2020-01-02' }]";
    let frozen = format!("{always}, except = [{{ from = '2020-01-01', to = '2200-01-01' }}]");
    let refused: &[[&str; 3]] = &[["cancel", "outside-window", "start one h1"]];
    for (keys, exit, says) in [
        (always.to_owned(), 0, &[][..]),
        (never.to_owned(), 21, refused),
        (frozen.clone(), 21, refused),
        (format!("{frozen}, also = [{{ from = '2020-01-01', to = '2200-01-01' }}]"), 0, &[]),
        (format!("{never}, at-end = 'finish-task'"), 21, refused),
    ] {
        let (_project, run) = hold(&Row {
            policy: "change-window",
            settings: &format!("config = {{ timezone = \"Asia/Kathmandu\", {keys} }}").replace('\'', "\""),
            inventory: "",
            hosts: 2,
            playbook: &play(TASKS),
            exit,
            says,
        });
        assert_eq!(run.named("runner_on_start").is_empty(), exit == 21, "{keys}\n{}", run.list());
    }
}

#[test]
fn a_run_that_reaches_the_end_is_canceled_or_may_finish_its_task() {
    std::thread::scope(|scope| {
        let both = [("cancel", "cat /dev/zero >/dev/null"), ("finish-task", "true")];
        both.map(|(at_end, then)| scope.spawn(move || reaches_the_end(at_end, then)))
            .map(|thread| thread.join().unwrap())
    });
}

/// Runs into the end of a window with a task that goes on with `then` once the verdict was told.
fn reaches_the_end(at_end: &str, then: &str) {
    let ends = (SystemTime::now() + Duration::from_secs(8)).duration_since(UNIX_EPOCH).unwrap();
    let ends = Timestamp::from_ns(u64::try_from(ends.as_nanos()).unwrap()).to_string();
    let rest = format!(
        "forks = 1\n[plugins.policy]\nbuiltin = \"change-window\"\ntick = \"100ms\"\n\
         config = {{ timezone = \"UTC\", also = [{{ from = \"2020-01-01\", to = {:?} }}], at-end = {at_end:?} }}\n\
         [jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n",
        &ends[..19]
    );
    // The pattern is not in the text of the task itself.
    let tasks = format!(
        "    - name: one\n      raw: >-\n        tail -n +1 -f {{{{ playbook_dir }}}}/artifacts/*/events.jsonl | grep -q 'window[-]ended';\n        \
         {then}; touch {{{{ playbook_dir }}}}/finished\n    - name: two\n      raw: \"true\"\n"
    );
    let project = Project::new(1, &rest).file("play.yml", &play(&tasks));
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let EventKind::PolicyVerdict(verdict) = run.only("policy_verdict").kind() else { unreachable!() };
    assert_eq!(verdict.reason.code.as_deref(), Some("window-ended"), "{}", verdict.reason.text);
    assert_eq!(run.hosts("runner_on_start", "one"), ["h1"], "the machine took 8 s to come to its first task");
    assert_eq!(project.path("finished").exists(), at_end == "finish-task", "{}", run.list());
    assert!(run.hosts("runner_on_start", "two").is_empty(), "{}", run.list());
}
