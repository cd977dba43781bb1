//! Results, loops, retries, background tasks.

use playwarden_event::Event;
use serde_json::json;

use super::{play, project};
use crate::evidence::{Evidence, at};
use crate::support::core_since;

#[test]
fn a_skipped_task_says_why() {
    let run = play(
        1,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: refused
      debug: msg=x
      when: 1 > 2
    - name: empty
      debug: msg=x
      loop: []
    - name: hollow
      debug: msg=x
      loop: [1, 2]
      when: item > 2
",
        0,
    );
    let (event, result) = run.result("runner_on_skipped", "refused", "h1");
    assert!(event.marks().skipped && result.res.changed == Some(false));
    assert_eq!(at(event, "/res/skip_reason"), "Conditional result was False");
    // Before 2.15 Ansible does not say which condition it was.
    if core_since((2, 15)) {
        assert_eq!(at(event, "/res/false_condition"), "1 > 2");
    }
    assert_eq!(at(run.result("runner_on_skipped", "empty", "h1").0, "/res/skipped_reason"), "No items in the list");
    assert_eq!(at(run.result("runner_on_skipped", "hollow", "h1").0, "/res/msg"), "All items skipped");
    assert_eq!(run.hosts("runner_item_on_skipped", "hollow").len(), 2);
    run.counts_as_ansible_does();
}

#[test]
fn the_items_of_a_loop_are_numbered_and_labeled_and_the_result_comes_once() {
    let run = play(
        2,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: plain
      raw: echo {{ item }}
      loop: [a, b, c]
    - name: labeled
      raw: '{{ item.run }}'
      loop: [{name: one, run: 'true'}, {name: two, run: 'false'}, {name: three, run: 'true'}]
      loop_control: {label: '{{ item.name }}'}
      ignore_errors: true
    - name: numbers
      debug: msg=x
      loop: [1, 2]
      when: item == 2
",
        0,
    );
    for host in ["h1", "h2"] {
        let items = |name: &str, task: &str| -> Vec<(Option<u32>, Option<String>)> {
            let here = |event: &&&Event| event.host() == Some(host);
            let all = run.about(name, task);
            let results = all.iter().filter(here).map(|event| event.host_result().unwrap());
            results.map(|result| (result.item_number, result.item_label.clone())).collect()
        };
        let item = |number: u32, label: &str| (Some(number), Some(label.to_owned()));
        assert_eq!(items("runner_item_on_ok", "plain"), [item(1, "a"), item(2, "b"), item(3, "c")]);
        assert_eq!(items("runner_item_on_ok", "labeled"), [item(1, "one"), item(3, "three")]);
        assert_eq!(items("runner_item_on_failed", "labeled"), [item(2, "two")]);
        // A label that is no text is not lost, only not typed.
        assert_eq!(items("runner_item_on_skipped", "numbers").iter().map(|item| item.0).collect::<Vec<_>>(), [Some(1)]);
        assert_eq!(items("runner_item_on_ok", "numbers").iter().map(|item| item.0).collect::<Vec<_>>(), [Some(2)]);

        let (whole, _) = run.result("runner_on_ok", "plain", host);
        assert_eq!(at(whole, "/res/results").as_array().map(Vec::len), Some(3));
        let (whole, result) = run.result("runner_on_failed", "labeled", host);
        assert!(result.ignored() && result.item_number.is_none());
        assert_eq!(at(whole, "/res/msg"), "One or more items failed");
    }
    run.counts_as_ansible_does();
}

#[test]
fn a_task_that_is_tried_again_tells_each_attempt() {
    let run = play(
        1,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: third time
      raw: 'echo x >> {{ playbook_dir }}/tries; test $(wc -l < {{ playbook_dir }}/tries) -ge 3'
      register: tried
      until: tried.rc == 0
      retries: 5
      delay: 0
    - name: never
      raw: 'false'
      register: tried
      until: tried.rc == 0
      retries: 2
      delay: 0
      ignore_errors: true
",
        0,
    );
    let attempts = |task: &str| -> Vec<Option<u64>> {
        let retries = run.about("runner_retry", task);
        retries.iter().map(|event| event.host_result().unwrap().res.attempts).collect()
    };
    // Since 2.21 Ansible names the attempt that is to come, before that the one that failed.
    let told = if core_since((2, 21)) { [Some(2), Some(3)] } else { [Some(1), Some(2)] };
    assert_eq!(attempts("third time"), told);
    assert_eq!(run.result("runner_on_ok", "third time", "h1").1.res.attempts, Some(3));
    assert_eq!(attempts("never"), told);
    assert!(run.result("runner_on_failed", "never", "h1").1.ignored());
    run.counts_as_ansible_does();
}

#[test]
fn background_tasks_are_polled_or_left_to_themselves() {
    let run = play(
        1,
        r#"
- hosts: all
  gather_facts: false
  tasks:
    - name: waited for  # it ends once it was polled, however slow the machine is
      shell: until grep -q '"runner_on_async_poll"' {{ playbook_dir }}/artifacts/*/events.jsonl; do sleep 0.1; done
      async: 60
      poll: 1
    - name: left
      command: 'true'
      async: 60
      poll: 0
      register: left
    - name: looked at
      async_status: jid={{ left.ansible_job_id }}
      register: looked
      until: looked is not failed and looked.finished
      retries: 100
      delay: 1
    - name: too long
      command: sleep 30
      async: 1
      poll: 1
      ignore_errors: true
"#,
        0,
    );
    let (background, _) = run.result("runner_on_async_ok", "waited for", "h1");
    assert!(at(background, "/jid").as_str().unwrap().starts_with('j'), "{background:?}");
    let (whole, _) = run.result("runner_on_ok", "waited for", "h1");
    assert!(whole.counter() > background.counter());
    assert!(!run.named("runner_on_async_poll").is_empty());
    for poll in run.named("runner_on_async_poll") {
        assert_eq!(poll.host(), Some("h1"));
    }
    let (left, _) = run.result("runner_on_ok", "left", "h1");
    // Ansible says it with numbers before 2.19, and so does the journal.
    let [no, yes] = if core_since((2, 19)) { [json!(false), json!(true)] } else { [json!(0), json!(1)] };
    assert_eq!(at(left, "/res/finished"), no);
    assert_eq!(at(run.result("runner_on_ok", "looked at", "h1").0, "/res/finished"), yes);
    let (failed, _) = run.result("runner_on_async_failed", "too long", "h1");
    assert!(failed.marks().failed);
    assert!(run.result("runner_on_failed", "too long", "h1").1.ignored());
    run.counts_as_ansible_does();
}

#[test]
fn a_delegated_task_keeps_its_host_and_a_task_for_once_has_one() {
    let run = play(
        3,
        r"
- hosts: h1:h2
  gather_facts: false
  tasks:
    - name: elsewhere
      debug: msg=x
      delegate_to: h3
    - name: also elsewhere
      raw: 'true'
      delegate_to: h3
    - name: once
      debug: msg=x
      run_once: true
",
        0,
    );
    for task in ["elsewhere", "also elsewhere"] {
        let mut hosts = run.hosts("runner_on_ok", task);
        hosts.sort_unstable();
        assert_eq!(hosts, ["h1", "h2"]);
    }
    let (event, _) = run.result("runner_on_ok", "also elsewhere", "h2");
    assert!(at(event, "/res/_ansible_delegated_vars").is_object(), "{event:?}");
    assert_eq!(run.hosts("runner_on_start", "once"), ["h1"]);
    assert_eq!(run.hosts("runner_on_ok", "once"), ["h1"]);
    run.counts_as_ansible_does();
}

#[test]
fn in_check_mode_nothing_changes_and_differences_are_shown() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: write
      copy: {content: new, dest: '{{ playbook_dir }}/target'}
    - name: run
      command: 'true'
    - name: always
      raw: 'true'
      check_mode: false
";
    let project = project(1, playbook).file("target", "old");
    let _shown = project.playwarden(&["run", "--check", "--diff"]).expect(0);
    assert_eq!(std::fs::read_to_string(project.path("target")).unwrap(), "old");
    let run = Evidence::of(&project);
    let (event, _) = run.result("runner_on_ok", "write", "h1");
    assert!(event.marks().check_mode && event.marks().changed);
    assert!(run.result("runner_on_skipped", "run", "h1").0.marks().check_mode);
    assert!(!run.result("runner_on_ok", "always", "h1").0.marks().check_mode);
    let (diff, _) = run.result("runner_on_file_diff", "write", "h1");
    assert_eq!((at(diff, "/diff/0/before"), at(diff, "/diff/0/after")), ("old".into(), "new".into()));
    assert!(diff.counter() < event.counter());
    assert!(diff.head().stdout.is_empty() || run.text("stdout").contains("+new"));
}
