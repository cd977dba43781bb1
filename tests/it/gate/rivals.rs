//! Five cases in which Ansible's own `max_fail_percentage` and `serial` go wrong, by the numbers under which people reported
//! them to ansible/ansible. Each runs twice: bare, where it does go wrong, and under `fail-budget`, which ends it where it
//! was meant to end.

use std::process::Command;

use super::{nothing_starts_after, under, verdict};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, ran, venv};

/// A play whose task `one` fails on some hosts; `keys` are of the play.
fn play(keys: &str, fails: &[&str], one: &str) -> String {
    let effect = |name: &str| format!("touch {{{{ playbook_dir }}}}/started/{name}_{{{{ inventory_hostname }}}}");
    let fails = format!("{fails:?}").replace('"', "'");
    let one = one.replace("ONE", &format!("{{name: one, raw: {:?}}}", format!("{}; {{{{ fails }}}}", effect("one"))));
    format!(
        "- hosts: all\n  gather_facts: false\n{keys}  vars:\n    fails: \"{{{{ 'false' if inventory_hostname in {fails} else \
         'true' }}}}\"\n  tasks:\n{one}    - {{name: two, raw: {:?}}}\n",
        effect("two")
    )
}

/// The task as it is.
const AS_IT_IS: &str = "    - ONE\n";

/// Ansible counts a host out that ends in `rescue`, so that its batch is no bad one; the budget counts it. Before core 2.18 such a
/// host is a failed one as long as its errors are not cleared.
const ENDS: &str =
    "    - block:\n        - ONE\n      rescue:\n        - meta: clear_host_errors\n        - meta: end_host\n";

/// Runs a play with nobody watching. What it started, and how it ended.
fn bare(hosts: usize, playbook: &str) -> (Vec<String>, Ran) {
    let project = Project::new(hosts, "").file("play.yml", playbook).folder("started");
    let mut command = Command::new(venv().join("bin/ansible-playbook"));
    command.args(["-i", "hosts", "play.yml"]);
    project.adopt(&mut command);
    let ran = ran(command.output().unwrap());
    (project.names("started"), ran)
}

/// Runs a play under a budget that cancels it. At which failure and in which words, and what was started.
fn guarded(hosts: usize, config: &str, playbook: &str) -> (String, String, Vec<String>) {
    let settings = format!("config = {{ {config} }}");
    let project = under("fail_budget", &settings, hosts, "", playbook).folder("started");
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let (said, verdict) = verdict(&run);
    assert_eq!((verdict.plugin.name.as_str(), verdict.reason.code.as_deref()), ("policy", Some("too-many-failed")));
    let breaking =
        run.named("runner_on_failed").into_iter().find(|event| Some(event.counter()) == verdict.reason.event);
    let breaking = breaking.unwrap_or_else(|| panic!("{verdict:?}\n{}", run.list()));
    assert_eq!(said.counter(), breaking.counter() + 1, "{}", run.list());
    // No failure sooner and none later: what was in flight may still fail after it, and is not in the reason.
    let failed =
        run.named("runner_on_failed").into_iter().filter(|event| event.counter() <= breaking.counter()).count();
    assert!(verdict.reason.text.starts_with(&format!("{failed} of ")), "{verdict:?}\n{}", run.list());
    nothing_starts_after(breaking.counter(), &run, &project);
    (breaking.host().unwrap().to_owned(), verdict.reason.text.clone(), project.names("started"))
}

fn all(tasks: &[&str], hosts: &[&str]) -> Vec<String> {
    let names = tasks.iter().flat_map(|task| hosts.iter().map(move |host| format!("{task}_{host}")));
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_limit_holds_under_free_where_ansible_ignores_its_own_16666() {
    let half = ["h1", "h2", "h3", "h4"];
    let playbook = play("  strategy: free\n  max_fail_percentage: 10\n", &half, AS_IT_IS);
    let (started, ran) = bare(8, &playbook);
    assert_eq!(ran.code, Some(2));
    let everywhere = ["h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"];
    let mut expected = [all(&["one"], &everywhere), all(&["two"], &everywhere[4..])].concat();
    expected.sort();
    assert_eq!(started, expected, "half of the hosts failed, and all others went on");

    let (host, text, started) = guarded(8, "max-failed-percent = 10", &playbook);
    assert!(half.contains(&host.as_str()), "{host}");
    assert_eq!(text, format!("1 of 8 hosts failed (12.5 %), more than the 10 % allowed; last: {host}"));
    assert!(started.len() < expected.len(), "{started:?}");
}

#[test]
fn a_whole_bad_batch_ends_a_play_only_if_the_limit_says_so_82267() {
    let bad = ["h1", "h2", "h3", "h5"];
    let (started, ran) = bare(6, &play("  serial: 2\n  max_fail_percentage: 100\n", &bad, AS_IT_IS));
    assert_eq!((ran.code, started), (Some(2), all(&["one"], &["h1", "h2"])), "four hosts were never tried");

    let playbook = play("  serial: 2\n", &bad, ENDS);
    let config = "max-failed-percent = 50, rescued-counts = true";
    let (host, text, started) = guarded(6, config, &playbook);
    assert_eq!(host, "h5");
    assert_eq!(text, "4 of 6 hosts failed (66.67 %), more than the 50 % allowed; last: h5");
    assert!(started.contains(&"two_h4".to_owned()) && !started.contains(&"two_h6".to_owned()), "{started:?}");
}

#[test]
fn one_host_at_a_time_all_may_fail_5073() {
    let hosts = ["h1", "h2", "h3"];
    let (started, ran) = bare(3, &play("  serial: 1\n  max_fail_percentage: 100\n", &hosts, AS_IT_IS));
    assert_eq!((ran.code, started), (Some(2), all(&["one"], &["h1"])), "it ends at the first of three");

    let playbook = play("  serial: 1\n", &hosts, ENDS);
    let settings = "config = { max-failed-percent = 100, rescued-counts = true }";
    let project = under("fail_budget", settings, 3, "", &playbook).folder("started");
    let _shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(project.names("started"), all(&["one"], &hosts), "every host is tried");
    assert!(Evidence::of(&project).named("policy_verdict").is_empty());

    let (host, text, started) = guarded(3, "max-failed-hosts = 1, rescued-counts = true", &playbook);
    assert_eq!((host.as_str(), started), ("h2", all(&["one"], &["h1", "h2"])));
    assert_eq!(text, "2 of 3 hosts failed, more than the 1 allowed; last: h2");
}

#[test]
fn ninety_nine_percent_are_more_than_one_of_two_6781() {
    let hosts = ["h1", "h2"];
    let (started, ran) = bare(2, &play("  serial: 1\n  max_fail_percentage: 99\n", &hosts, AS_IT_IS));
    assert_eq!((ran.code, started), (Some(2), all(&["one"], &["h1"])), "half is enough for it to end");

    // A failure that the task ignores is none to Ansible, and one to the budget.
    let ignored = "    - block: [ONE]\n      ignore_errors: true\n";
    let playbook = play("  serial: 1\n", &hosts, ignored);
    let (host, text, started) = guarded(2, "max-failed-percent = 99, ignored-counts = true", &playbook);
    assert_eq!(host, "h2");
    assert_eq!(text, "2 of 2 hosts failed (100 %), more than the 99 % allowed; last: h2");
    assert_eq!(started, ["one_h1", "one_h2", "two_h1"]);
}

#[test]
fn a_percentage_is_of_the_play_and_not_of_its_batch_33672() {
    let bad = ["h1", "h3"];
    let (started, ran) = bare(4, &play("  serial: 2\n  max_fail_percentage: 30\n", &bad, AS_IT_IS));
    assert_eq!(ran.code, Some(2));
    assert_eq!(started, all(&["one"], &["h1", "h2"]), "one of four hosts is half of a batch");

    let playbook = play("  serial: 2\n", &bad, AS_IT_IS);
    let (host, text, started) = guarded(4, "max-failed-percent = 30", &playbook);
    assert_eq!(host, "h3");
    assert_eq!(text, "2 of 4 hosts failed (50 %), more than the 30 % allowed; last: h3");
    assert!(started.contains(&"two_h2".to_owned()) && !started.contains(&"two_h4".to_owned()), "{started:?}");
}
