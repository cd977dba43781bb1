//! Large results, many events, many hosts. `PLAYWARDEN_SOAK` makes the figures those that are promised.

use playwarden_event::EventKind;

use super::{agrees_with_the_witness, witnessed};
use crate::evidence::{Evidence, at};
use crate::support::{Project, guest};

fn soak(quick: usize, full: usize) -> usize {
    if std::env::var_os("PLAYWARDEN_SOAK").is_some() { full } else { quick }
}

/// A project whose policy and handler write down everything that they are told.
fn counted(hosts: usize, playbook: &str) -> Project {
    let plugin = guest("counts_everything");
    let rest = format!(
        "forks = 20\n[plugins.counts]\npath = {:?}\nlimits = {{ call = \"1m\", finish = \"10m\", memory = \"2GiB\" }}\n[jobs.play]\n\
         playbook = \"play.yml\"\ncancel-policies = [\"counts\"]\nevent-handlers = [\"counts\"]\n",
        plugin.display().to_string()
    );
    Project::new(hosts, &rest).file("play.yml", playbook)
}

/// Asserts that the plugin was told every event, by both hooks, and found no fault with them.
#[track_caller]
fn told_everything(run: &Evidence) {
    let faults = run.named("plugin_fault");
    assert!(faults.is_empty(), "{faults:?}");
    for file in ["seen.txt", "handled.txt"] {
        let text = run.text(&format!("plugins/counts/{file}"));
        let told: Vec<&str> = text.lines().filter(|line| !line.starts_with("start ")).collect();
        for (line, event) in told.iter().zip(&run.events) {
            assert!(line.starts_with(&format!("{} {} ", event.counter(), event.name())), "{file}: {line}");
        }
        // A policy is not asked about how the run ended.
        assert!(told.len() + 2 >= run.events.len(), "{file}: {} of {}", told.len(), run.events.len());
    }
}

#[test]
fn many_events_arrive_each_with_its_number() {
    let (hosts, items) = (50, soak(90, 2000));
    let playbook = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: many\n      debug: msg={{{{ item }}}}\n      \
         loop: '{{{{ range({items}) | list }}}}'\n"
    );
    let project = witnessed(counted(hosts, &playbook));
    let _shown = project.playwarden(&["run", "--quiet"]).expect(0);
    let run = Evidence::of(&project);
    let found = run.named("runner_item_on_ok");
    assert_eq!(found.len(), hosts * items);
    let mut next = std::collections::BTreeMap::new();
    for event in found {
        let number = next.entry(event.host().unwrap()).or_insert(0);
        assert_eq!(at(event, "/res/msg").to_string().trim_matches('"'), number.to_string());
        *number += 1;
        assert_eq!(at(event, "/item_number"), *number);
    }
    run.counts_as_ansible_does();
    told_everything(&run);
    let calls = agrees_with_the_witness(&project, &run);
    assert!(calls > hosts * items, "{calls}");
}

#[test]
fn many_hosts_are_each_counted_under_every_strategy() {
    let hosts = soak(150, 2000);
    let play = |strategy: &str| {
        format!(
            "- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n  tasks:\n    - name: {strategy}\n      \
             debug: msg={{{{ inventory_hostname }}}}\n      failed_when: inventory_hostname == 'h7' and '{strategy}' == \
             'free'\n    - meta: noop\n"
        )
    };
    let project = witnessed(counted(hosts, &["linear", "free"].map(play).concat()));
    let _shown = project.playwarden(&["run", "--quiet"]).expect(10);
    let run = Evidence::of(&project);
    assert_eq!(run.hosts("runner_on_ok", "linear").len(), hosts);
    assert_eq!(run.hosts("runner_on_ok", "free").len(), hosts - 1);
    let mut each: Vec<_> = run.hosts("runner_on_ok", "linear");
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), hosts);
    let starts = run.named("playbook_on_play_start");
    assert!(starts.iter().all(|event| at(event, "/hosts").as_array().unwrap().len() == hosts));
    let stats = run.outcome.stats.as_ref().unwrap();
    assert_eq!((stats.processed.len(), stats.failures.len()), (hosts, 1));
    assert_eq!(run.outcome.totals.run.hosts as usize, hosts);
    run.counts_as_ansible_does();
    told_everything(&run);
    agrees_with_the_witness(&project, &run);
}

/// One task whose result has a text of so many bytes, twice: as it is and by lines.
fn printing(bytes: usize) -> Evidence {
    let playbook = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: much\n      raw: head -c {bytes} /dev/zero | tr '\\0' x\n    \
         - {{name: after, debug: msg=x}}\n"
    );
    let project = counted(1, &playbook);
    let _shown = project.playwarden(&["run"]).expect(0);
    Evidence::keep(project)
}

#[test]
fn a_result_of_twenty_megabytes_arrives_whole() {
    let run = printing(20_000_000);
    let (event, result) = run.result("runner_on_ok", "much", "h1");
    assert_eq!(result.truncated, None);
    assert_eq!(at(event, "/res/stdout").as_str().map(str::len), Some(20_000_000));
    assert_eq!(run.hosts("runner_on_ok", "after"), ["h1"]);
    told_everything(&run);
}

#[test]
fn what_is_larger_than_the_largest_event_is_cut_and_says_how_large_it_was() {
    let run = printing(40_000_000);
    let (event, result) = run.result("runner_on_ok", "much", "h1");
    assert!(result.truncated.is_some_and(|size| size > 80_000_000), "{:?}", result.truncated);
    // What the result is judged by is left.
    assert_eq!(at(event, "/res/rc"), 0);
    assert_eq!(at(event, "/res/stdout").as_str().map(str::len), Some(1024));
    assert!(matches!(event.kind(), EventKind::RunnerOnOk(_)));
    assert_eq!(run.hosts("runner_on_ok", "after"), ["h1"]);
    run.counts_as_ansible_does();
    told_everything(&run);
}
