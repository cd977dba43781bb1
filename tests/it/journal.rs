//! The journal has everything that Ansible reported, and it is there whatever happens to the disk.
//!
//! - `amounts`: large results, many events, many hosts
//! - `disk`: folders that cannot be written, lines that were torn

mod amounts;
mod disk;

use std::fs;

use crate::evidence::{Evidence, at};
use crate::support::Project;
use crate::witness::{self, called, reported};

/// Adds a callback of the user's own to the job that stands last in runner.toml. It writes down every call that it gets.
fn witnessed(project: Project) -> Project {
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let env = format!("env = {{ {} }}\n", witness::variables(&project));
    witness::add(project.file("runner.toml", &format!("{text}{env}")))
}

/// Asserts that the journal has what the witness saw on each of core's threads, in the same order, and nothing else of
/// Ansible's. Returns how many calls that were.
#[track_caller]
fn agrees_with_the_witness(project: &Project, run: &Evidence) -> usize {
    let lines = witness::log(project);
    let thread = |main: bool| lines.iter().filter(move |line| line["main"] == main).map(called).peekable();
    let (mut main, mut aside) = (thread(true), thread(false));
    for event in run.events.iter().filter(|event| witness::is_told_of(event)) {
        let ours = reported(event);
        let found = main.next_if_eq(&ours).or_else(|| aside.next_if_eq(&ours));
        assert!(
            found.is_some(),
            "event {} is {ours:?}, called were {:?}, {:?}",
            event.counter(),
            main.peek(),
            aside.peek()
        );
    }
    assert_eq!((main.next(), aside.next()), (None, None), "not in the journal");
    lines.len()
}

#[test]
fn everything_that_another_callback_sees_is_in_the_journal_in_the_same_order() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: loop, debug: {msg: '{{ item }}'}, loop: [a, b, c], changed_when: item == 'b', notify: handle}
    - {name: some items, debug: {msg: '{{ item }}'}, loop: [a, b], when: item == 'a'}
    - {name: skipped, debug: {msg: x}, when: inventory_hostname == 'h1'}
    - name: block
      block:
        - {name: broken, fail: {msg: 'broken on {{ inventory_hostname }}'}}
      rescue:
        - {name: rescued, debug: {msg: rescued}}
      always:
        - {name: always, debug: {msg: always}}
    - {name: ignored, fail: {msg: 'item {{ item }}'}, loop: [1, 2], ignore_errors: true}
    - name: retried
      raw: 'test -e {{ playbook_dir }}/{{ inventory_hostname }} || { touch {{ playbook_dir }}/{{ inventory_hostname }}; exit 1; }'
      register: tried
      until: tried.rc == 0
      retries: 3
      delay: 0
    - {name: background, command: sleep 1, async: 60, poll: 1}
    - {name: difference, copy: {content: x, dest: '{{ playbook_dir }}/{{ inventory_hostname }}.txt'}}
    - {include_tasks: more.yml}
    - {name: once, debug: {msg: once}, run_once: true}
    - {name: odd, debug: {msg: 'zwölf ✓ %s {0}'}}
    - {name: ends, meta: end_host, when: inventory_hostname == 'h3'}
  handlers:
    - {name: handle, debug: {msg: handled}}
- hosts: all
  strategy: free
  gather_facts: false
  tasks:
    - {name: one, debug: {msg: '{{ inventory_hostname }}'}, loop: [1, 2, 3]}
    - {name: gone, ping: {}, when: inventory_hostname == 'h2', vars: {ansible_connection: ssh, ansible_ssh_executable: /bin/false}}
    - {name: two, fail: {msg: at the end}, when: inventory_hostname == 'h4'}
- hosts: nobody
  tasks: [{debug: {msg: x}}]
- {import_playbook: other.yml}
";
    let project = Project::new(4, "[jobs.play]\nplaybook = \"play.yml\"\n")
        .file("play.yml", playbook)
        .file("more.yml", "- {name: included, debug: {msg: x}}\n")
        .file("other.yml", "- hosts: h1\n  serial: 1\n  gather_facts: true\n  gather_subset: min\n  tasks: []\n");
    let project = witnessed(project);
    let _shown = project.playwarden(&["run", "--diff"]).expect(10);
    let run = Evidence::of(&project);
    assert!(agrees_with_the_witness(&project, &run) > 150);
    for name in ["runner_retry", "runner_on_unreachable", "runner_on_file_diff", "runner_item_on_skipped"] {
        assert!(!run.named(name).is_empty(), "{name}");
    }
}

#[test]
fn keys_that_are_no_text_and_numbers_that_json_has_not_arrive_wherever_they_stand() {
    let playbook = r"
- hosts: all
  gather_facts: false
  vars:
    odd: {1: one, '1': text, null: nothing, 2.5: half, nested: {7: [{8: deep}]}}
    large: [1180591620717411303424, -1180591620717411303424, .nan, .inf, -.inf, 1e400]
  tasks:
    - {name: variable, debug: {var: odd}}
    - {name: numbers, debug: {var: large}}
    - {name: items, debug: {msg: '{{ item }}'}, loop: ['{{ odd }}', '{{ large }}']}
    - {name: facts, set_fact: {kept: '{{ odd }}', big: '{{ large }}'}}
    - {name: statistics, set_stats: {data: {odd: '{{ odd }}', large: '{{ large }}'}}}
    - {name: extra, debug: {var: extra}}
";
    let project = Project::new(1, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", playbook);
    let project = witnessed(project);
    let _shown = project
        .playwarden(&["run", "-e", r#"{"extra": {"n": 1180591620717411303424, "s": "\ud83d\ude00"}}"#])
        .expect(0);
    let run = Evidence::of(&project);
    agrees_with_the_witness(&project, &run);
    let text =
        |name: &str, task: &str| run.about(name, task).iter().map(|event| event.data().text()).collect::<String>();
    let stats = run.only("playbook_on_stats").data().text().to_owned();
    for (place, text) in [
        ("variable", text("runner_on_ok", "variable")),
        ("items", text("runner_item_on_ok", "items")),
        ("all items", text("runner_on_ok", "items")),
        ("facts", text("runner_on_ok", "facts")),
        ("statistics", text("runner_on_ok", "statistics")),
        ("stats", stats),
    ] {
        for value in ["one", "text", "nothing", "half", "deep"] {
            assert!(text.contains(value), "{place} without `{value}`: {text}");
        }
    }
    for place in ["numbers", "items", "facts", "statistics", "extra"] {
        assert!(text("runner_on_ok", place).contains("1180591620717411303424"), "{place}");
    }
    // Up to core 2.18 the list becomes a text on its way, with the values as Python writes them.
    let numbers = text("runner_on_ok", "numbers").to_lowercase();
    assert!(numbers.contains("nan") && numbers.contains("-inf"), "{numbers}");
    let (event, _) = run.result("runner_on_ok", "extra", "h1");
    assert_eq!(at(event, "/res/extra/s"), "😀");
}
