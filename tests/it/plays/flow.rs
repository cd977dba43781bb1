//! Includes, handlers, strategies, batches.

use std::collections::BTreeSet;

use playwarden_event::{Event, EventKind};

use super::{play, project};
use crate::evidence::Evidence;
use crate::support::core_since;

#[test]
fn files_and_roles_that_are_included_or_imported() {
    let project = project(
        2,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: more
      include_tasks: more.yml
    - name: role
      include_role: {name: greeter}
    - import_tasks: imported.yml
    - name: none
      include_tasks: nosuch.yml
      ignore_errors: true
",
    )
    .file("more.yml", "- name: inner\n  debug: msg=x\n")
    .file("imported.yml", "- name: static\n  debug: msg=x\n")
    .file("roles/greeter/tasks/main.yml", "- name: greet\n  debug: msg=x\n");
    // A file that is not there fails its hosts, whatever the task says about errors.
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let included = |event: &Event| match event.kind() {
        EventKind::PlaybookOnInclude(include) => {
            // In the order in which the results came.
            let mut hosts = include.hosts.clone();
            hosts.sort();
            (include.included_file.clone().unwrap(), hosts)
        }
        _ => unreachable!(),
    };
    let includes: Vec<_> = run.named("playbook_on_include").into_iter().map(included).collect();
    // Of roles that are included Ansible tells since 2.17.
    let expected = if core_since((2, 17)) { 2 } else { 1 };
    assert_eq!(includes.len(), expected, "{}", run.list());
    if let Some((role, hosts)) = includes.get(1) {
        assert_eq!((role.as_str(), hosts.len()), ("greeter", 2));
    }
    assert!(includes[0].0.ends_with("/more.yml") && includes[0].1 == ["h1", "h2"], "{includes:?}");
    for task in ["more", "role", "inner", "greeter : greet", "greet", "static", "none"] {
        let found = run.hosts("runner_on_ok", task).len();
        assert!(found == 2 || task.contains("greet"), "{task} in\n{}", run.list());
    }
    let greeted = run.named("runner_on_ok").into_iter().find(|event| event.context().role.is_some()).unwrap();
    assert_eq!(greeted.context().role.as_deref(), Some("greeter"));
    assert_eq!(run.hosts("runner_on_failed", "none").len(), 2);
    assert_eq!(run.outcome.totals.run.hosts_failed, 2);
}

#[test]
fn handlers_run_when_they_are_flushed_and_each_start_is_its_own_event() {
    let run = play(
        2,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: first
      raw: 'true'
      notify: restart
    - meta: flush_handlers
    - name: second
      raw: 'true'
      notify: [restart, reload]
  handlers:
    - name: restart
      raw: 'true'
    - name: other
      listen: reload
      debug: msg=x
",
        0,
    );
    // That the uuids differ is checked for every run; here are two that Ansible gives the same.
    let starts: Vec<_> =
        run.named("playbook_on_task_start").into_iter().filter(|event| event.marks().handler).collect();
    let names: Vec<_> = starts.iter().filter_map(|event| event.context().task.as_deref()).collect();
    assert_eq!(names, ["restart", "restart", "other"]);
    assert_eq!(starts[0].context().task_uuid, starts[1].context().task_uuid);
    assert_ne!(starts[0].head().uuid, starts[1].head().uuid);
    let results = run.about("runner_on_ok", "restart");
    assert_eq!(results.len(), 4);
    for (index, result) in results.iter().enumerate() {
        assert!(result.marks().handler);
        assert_eq!(result.head().parent_uuid.as_ref(), Some(&starts[index / 2].head().uuid));
    }
    let notified = |event: &&Event| match event.kind() {
        EventKind::PlaybookOnNotify(notify) => (notify.handler.clone().unwrap(), notify.host.clone().unwrap()),
        _ => unreachable!(),
    };
    let notified: Vec<_> = run.named("playbook_on_notify").iter().map(notified).collect();
    assert_eq!(notified.len(), 6, "{notified:?}");
    assert!(notified.contains(&("other".to_owned(), "h2".to_owned())), "{notified:?}");
    run.counts_as_ansible_does();
}

#[test]
fn batches_of_a_play_are_numbered_and_name_their_hosts() {
    let run = play(
        5,
        "- name: rolling\n  hosts: fleet:!h5\n  serial: 3\n  gather_facts: false\n  tasks:\n    - name: say\n      \
         debug: msg=x\n- name: last\n  hosts: h5\n  gather_facts: false\n  tasks: [{debug: msg=x}]\n",
        0,
    );
    let batch = |event: &&Event| match event.kind() {
        EventKind::PlaybookOnPlayStart(start) => {
            (event.context().play_number.unwrap(), start.hosts.join(" "), start.batch.join(" "))
        }
        _ => unreachable!(),
    };
    let starts = run.named("playbook_on_play_start");
    let groups = starts.iter().map(|event| event.data().pointer("/groups").map(|groups| groups.text().to_owned()));
    // Once a play: the second batch does not say it again.
    let fleet = |hosts: &str| Some(format!(r#"{{"fleet":{hosts}}}"#));
    assert_eq!(groups.collect::<Vec<_>>(), [fleet(r#"["h1","h2","h3","h4"]"#), None, fleet(r#"["h5"]"#)]);
    let expected = [(1, "h1 h2 h3 h4", "h1 h2 h3"), (2, "h1 h2 h3 h4", "h4"), (3, "h5", "h5")];
    let expected = expected.map(|(number, hosts, batch)| (number, hosts.to_owned(), batch.to_owned()));
    assert_eq!(starts.iter().map(batch).collect::<Vec<_>>(), expected);
    assert_eq!(starts[0].context().play_uuid, starts[1].context().play_uuid);
    assert_ne!(starts[0].head().uuid, starts[1].head().uuid);
    let (event, _) = run.result("runner_on_ok", "say", "h4");
    assert_eq!(event.context().play_number, Some(2));
    assert_eq!((run.outcome.totals.run.hosts, run.outcome.totals.play.hosts), (5, 1));
    run.counts_as_ansible_does();
}

#[test]
fn under_free_and_host_pinned_each_result_belongs_to_its_own_start() {
    for strategy in ["free", "host_pinned"] {
        let run = play(
            3,
            &format!(
                "- hosts: all\n  strategy: {strategy}\n  gather_facts: false\n  tasks:\n    \
                 - {{name: one, raw: 'true'}}\n    - {{name: two, raw: 'true'}}\n    - {{name: three, debug: msg=x}}\n"
            ),
            0,
        );
        let starts = run.named("playbook_on_task_start");
        assert_eq!(starts.len(), 9, "{}", run.list());
        for task in ["one", "two", "three"] {
            let hosts: BTreeSet<_> = run.hosts("runner_on_ok", task).into_iter().collect();
            assert_eq!(hosts.len(), 3);
            let parents: BTreeSet<_> =
                run.about("runner_on_ok", task).iter().filter_map(|event| event.head().parent_uuid.clone()).collect();
            assert_eq!(parents.len(), 3, "{strategy}: results of `{task}` belong to {parents:?}");
        }
        run.counts_as_ansible_does();
    }
}

#[test]
fn hosts_that_are_added_on_the_way_and_hosts_that_leave() {
    let run = play(
        3,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: ends early
      meta: end_host
      when: inventory_hostname == 'h3'
    - name: add
      add_host: {name: late, groups: newcomers, ansible_connection: local}
    - name: stay
      debug: msg=x
- hosts: newcomers
  gather_facts: false
  tasks:
    - name: meet
      debug: msg=x
",
        0,
    );
    assert_eq!(run.hosts("runner_on_ok", "stay").len(), 2);
    assert_eq!(run.hosts("runner_on_ok", "meet"), ["late"]);
    assert_eq!(run.outcome.totals.run.hosts, 4);
}

#[test]
fn a_play_whose_hosts_are_all_gone_says_so() {
    let run = play(
        2,
        "- hosts: all\n  gather_facts: false\n  any_errors_fatal: true\n  tasks:\n    - name: one\n      raw: 'false'\n    \
         - name: two\n      debug: msg=x\n- hosts: all\n  gather_facts: false\n  tasks: [{debug: msg=x}]\n",
        10,
    );
    assert_eq!(run.outcome.totals.run.hosts_failed, 2);
    assert!(run.about("runner_on_start", "two").is_empty());
    run.counts_as_ansible_does();
}
