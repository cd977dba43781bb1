//! Plays made by chance, a store of their recorded runs, and policies over it: what is counted is what Ansible counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use playwarden_event::{Outcome, Stats, Tallies};
use serde_json::Value;

use crate::chance::Chance;
use crate::support::Project;

const HOSTS: usize = 4;
const RUNS: usize = 10;

/// Hosts of the fleet, by chance, as a list in a condition.
fn some(chance: &mut Chance) -> String {
    let hosts: Vec<String> =
        (1..=HOSTS).filter(|_| chance.below(3) == 0).map(|number| format!("'h{number}'")).collect();
    format!("inventory_hostname in [{}]", hosts.join(", "))
}

/// A task, by chance, which does something else on some hosts.
fn task(chance: &mut Chance, number: usize) -> String {
    let some = some(chance);
    let name = format!("    - name: t{number}\n");
    let body = match chance.below(9) {
        0 => "      debug: {}\n".to_owned(),
        1 => format!("      raw: \"true\"\n      changed_when: {some}\n"),
        2 => format!("      raw: \"true\"\n      when: {some}\n"),
        3 => format!("      fail: {{}}\n      when: {some}\n"),
        4 => format!("      fail: {{}}\n      when: {some}\n      ignore_errors: true\n"),
        5 => format!(
            "      block:\n        - {{ name: f{number}, fail: {{}}, when: \"{some}\" }}\n      rescue:\n        \
             - {{ name: r{number}, raw: \"true\" }}\n"
        ),
        6 => format!("      raw: \"true\"\n      loop: [1, 2]\n      failed_when: item == 2 and {some}\n"),
        7 => format!(
            "      ping: {{}}\n      when: {some}\n      ignore_unreachable: {}\n      \
             vars: {{ ansible_connection: ssh, ansible_ssh_executable: /bin/false }}\n",
            chance.below(2) == 0
        ),
        _ => format!("      raw: \"true\"\n      changed_when: {some}\n      notify: later\n"),
    };
    name + &body
}

/// A playbook by chance.
fn playbook(seed: u64) -> String {
    // The first numbers of near seeds are near each other.
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut plays = Vec::new();
    for play in 0..=chance.below(2) {
        let strategy = ["linear", "free", "host_pinned"][chance.below(3)];
        let serial = ["1", "2", "50%", "100%"][chance.below(4)];
        let tasks: String = (0..2 + chance.below(4)).map(|number| task(&mut chance, play * 10 + number)).collect();
        plays.push(format!(
            "- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n  serial: {serial}\n  tasks:\n{tasks}  handlers:\n    \
             - {{ name: later, raw: \"true\" }}\n"
        ));
    }
    plays.concat()
}

/// A project with the recorded runs `run-1`, `run-2`, …, each of a job of its own, and how they ended.
fn store() -> (Project, BTreeMap<String, (String, Outcome)>) {
    let jobs: String = (1..=RUNS).map(|run| format!("[jobs.run-{run}]\nplaybook = \"run-{run}.yml\"\n")).collect();
    let mut project = Project::new(HOSTS, &jobs);
    let mut runs = BTreeMap::new();
    for seed in 1..=RUNS {
        let job = format!("run-{seed}");
        let playbook = playbook(seed as u64);
        project = project.file(&format!("{job}.yml"), &playbook);
        let shown = project.playwarden(&["run", &job, "--run-id", &job]);
        assert!([Some(0), Some(10), Some(11)].contains(&shown.code), "{playbook}\n{}{}", shown.stdout, shown.stderr);
        let record = fs::read_to_string(project.path(&format!("artifacts/{job}/run.json"))).unwrap();
        let record: playwarden::store::RunRecord = serde_json::from_str(&record).unwrap();
        runs.insert(job, (playbook, record.outcome.unwrap()));
    }
    (project, runs)
}

/// Hosts that Ansible counted something for.
fn with(counts: &BTreeMap<String, u64>) -> BTreeSet<&str> {
    counts.iter().filter(|(_, count)| **count > 0).map(|(host, _)| host.as_str()).collect()
}

/// Which runs a plugin would have canceled, by a replay of all of them.
fn canceled(project: &Project, plugin: &str, config: &str) -> BTreeMap<String, bool> {
    let last = (RUNS + 5).to_string();
    let shown = project.playwarden(&["replay", "--last", &last, "--plugin", plugin, "-c", config, "--json"]).expect(0);
    let line = |line: &str| {
        let run: Value = serde_json::from_str(line).unwrap();
        (run["run"].as_str().unwrap().to_owned(), run["canceled"].as_bool().unwrap())
    };
    serde_json::Deserializer::from_str(&shown.stdout)
        .into_iter::<Value>()
        .map(|run| line(&run.unwrap().to_string()))
        .collect()
}

#[test]
fn totals_and_policies_count_what_ansible_counts() {
    let (project, runs) = store();
    let mut seen = BTreeSet::new();
    for (run, (playbook, outcome)) in &runs {
        let stats = outcome.stats.as_ref().unwrap();
        let mut tallies = Tallies::default();
        let journal = fs::File::open(project.path(&format!("artifacts/{run}/events.jsonl"))).unwrap();
        for event in playwarden_event::reader::JournalReader::new(std::io::BufReader::new(journal)) {
            tallies.apply(&event.unwrap());
        }
        let Stats { ok, changed, failures, dark, skipped, rescued, ignored, .. } = stats;
        for host in (1..=HOSTS).map(|number| format!("h{number}")) {
            let tally = tallies.host(&host).unwrap();
            let ours =
                [tally.ok, tally.changed, tally.failed, tally.unreachable, tally.skipped, tally.rescued, tally.ignored];
            let theirs =
                [ok, changed, failures, dark, skipped, rescued, ignored].map(|of| of.get(&host).copied().unwrap_or(0));
            assert_eq!(ours.map(u64::from), theirs, "{run} {host}\n{playbook}\n{stats:?}");
            seen.extend(theirs.iter().enumerate().filter(|(_, count)| **count > 0).map(|(kind, _)| kind));
        }
        let totals = outcome.totals.run;
        let hosts = [totals.hosts_failed, totals.hosts_unreachable, totals.hosts_changed].map(|count| count as usize);
        assert_eq!(
            hosts,
            [with(failures).len(), with(dark).len(), with(changed).len()],
            "{run}\n{playbook}\n{stats:?}"
        );
    }
    assert_eq!(seen.len(), 7, "chance should make at least one of each: {seen:?}");

    // What a policy would have stopped follows from Ansible's counts of those runs.
    let mut stopped = BTreeSet::new();
    for limit in 0..HOSTS {
        let failed = canceled(&project, "fail-budget", &format!("max-failed-hosts={limit}"));
        let unreachable = canceled(&project, "fail-budget", &format!("max-unreachable-hosts={limit}"));
        let many_changed = canceled(&project, "blast-radius", &format!("max-changed-hosts={limit}"));
        for (run, (playbook, outcome)) in &runs {
            let stats = outcome.stats.as_ref().unwrap();
            let (bad, gone) = (with(&stats.failures), with(&stats.dark));
            let expected = bad.union(&gone).count() > limit;
            assert_eq!(failed[run], expected, "{run}, more than {limit} failed\n{playbook}\n{stats:?}");
            assert_eq!(
                unreachable[run],
                gone.len() > limit,
                "{run}, more than {limit} out of reach\n{playbook}\n{stats:?}"
            );
            // What failed may have changed something too, which Ansible does not count.
            let changed = with(&stats.changed);
            assert!(
                many_changed[run] || changed.len() <= limit,
                "{run}, more than {limit} changed\n{playbook}\n{stats:?}"
            );
            let at_most = changed.union(&bad).count();
            assert!(!many_changed[run] || at_most > limit, "{run}, {limit} changed at most\n{playbook}\n{stats:?}");
            stopped.extend([("changed", many_changed[run])]);
            stopped.extend([("failed", failed[run]), ("unreachable", unreachable[run])]);
        }
    }
    assert_eq!(stopped.len(), 6, "some runs should be stopped and some not: {stopped:?}");
}
