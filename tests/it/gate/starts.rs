//! What a verdict lets start, and what it interrupts, in cases of their own.

use playwarden_event::{Cause, Status};

use super::{nothing_starts_after, under, verdict};
use crate::evidence::Evidence;
use crate::support::Project;

const NOW: &str = "config = { kind = \"runner_on_failed\" }";
const AFTER: &str = "config = { kind = \"runner_on_failed\", stop = \"after-running-tasks\" }";

/// The first host loops over three items, and waits in the second until the run is canceled; `wait` is how.
fn loop_in_flight(wait: &str) -> String {
    format!(
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: work
      raw: |
        {{% if inventory_hostname == 'h2' %}}
        until [ -e {{{{ playbook_dir }}}}/items/2 ]; do sleep 0.02; done; exit 1
        {{% else %}}
        touch {{{{ playbook_dir }}}}/items/{{{{ item }}}}
        [ {{{{ item }}}} != 2 ] || {{ {wait}; }}
        {{% endif %}}
      loop: '{{{{ [0] if inventory_hostname == ''h2'' else [1, 2, 3, 4] }}}}'
    - name: after
      raw: touch {{{{ playbook_dir }}}}/items/after
"
    )
}

fn cancel_a_loop(settings: &str, wait: &str) -> (Project, Evidence) {
    let settings = settings.replace("}", ", host = \"h2\" }");
    let project = under("verdict_table", &settings, 2, "", &loop_in_flight(wait)).file("items/0", "");
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    assert!(run.about("runner_on_start", "after").is_empty());
    (project, run)
}

#[test]
fn now_interrupts_a_loop_between_its_items() {
    let (project, run) = cancel_a_loop(NOW, "sleep 600");
    assert_eq!(project.names("items"), ["0", "1", "2"]);
    assert!(run.hosts("runner_on_ok", "work").is_empty());
    let flying: Vec<_> = run.outcome.in_flight.iter().map(|flight| flight.host.as_str()).collect();
    assert_eq!(flying, ["h1"]);
}

#[test]
fn after_running_tasks_lets_a_loop_come_to_its_end() {
    let (project, run) =
        cancel_a_loop(AFTER, "until grep -q canceling {{ playbook_dir }}/artifacts/*/status; do sleep 0.02; done");
    assert_eq!(project.names("items"), ["0", "1", "2", "3", "4"]);
    assert_eq!(run.hosts("runner_on_ok", "work"), ["h1"]);
    assert_eq!(run.about("runner_item_on_ok", "work").len(), 4);
    let canceling = run.events.iter().position(|event| event.name() == "policy_verdict").unwrap();
    let ended = run.events.iter().position(|event| event.name() == "runner_on_ok").unwrap();
    assert!(canceling < ended, "{}", run.list());
}

#[test]
fn now_interrupts_a_task_between_its_retries() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: work
      raw: |
        {% if inventory_hostname == 'h2' %}
        until [ -e {{ playbook_dir }}/items/tried ]; do sleep 0.02; done; exit 1
        {% else %}
        touch {{ playbook_dir }}/items/tried; exit 1
        {% endif %}
      register: work
      until: work.rc == 0
      retries: '{{ 0 if inventory_hostname == ''h2'' else 100 }}'
      delay: 600
";
    let project = under("verdict_table", NOW, 2, "", playbook).file("items/.keep", "");
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    assert_eq!(run.hosts("runner_on_failed", "work"), ["h2"]);
    assert!(run.hosts("runner_retry", "work").len() <= 1, "{}", run.list());
}

#[test]
fn handlers_rescue_and_always_do_not_start_after_a_cancel() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - block:
        - name: first
          raw: touch {{ playbook_dir }}/started/first_h1
          changed_when: true
          notify: handler
        - name: breaks
          raw: 'false'
      rescue:
        - name: rescue
          raw: touch {{ playbook_dir }}/started/rescue_h1
      always:
        - name: always
          raw: touch {{ playbook_dir }}/started/always_h1
  handlers:
    - name: handler
      raw: touch {{ playbook_dir }}/started/handler_h1
";
    for settings in [NOW, AFTER] {
        let project = under("verdict_table", settings, 1, "", playbook).file("started/first_h1", "");
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        assert!(run.result("runner_on_failed", "breaks", "h1").1.rescued);
        assert_eq!(project.names("started"), ["first_h1"]);
        nothing_starts_after(verdict(&run).0.counter(), &run, &project);
        // No host had failed for good; the run is canceled all the same.
        assert_eq!((run.outcome.status, run.outcome.totals.run.hosts_failed), (Status::Canceled, 0));
    }
}

#[test]
fn a_budget_for_failures_holds() {
    for stop in ["now", "after-running-tasks"] {
        let settings = format!("config = {{ max-failed-hosts = 2, stop = \"{stop}\" }}");
        let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: one\n      raw: touch {{ playbook_dir \
                        }}/started/one_{{ inventory_hostname }}; test h5 \\< {{ inventory_hostname }}\n    - name: two\n      \
                        raw: touch {{ playbook_dir }}/started/two_{{ inventory_hostname }}\n";
        let project = under("fail_budget", &settings, 9, "forks = 2", playbook).file("started/one_h1", "");
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let third = run.named("runner_on_failed")[2];
        let (_, verdict) = verdict(&run);
        assert_eq!(
            (verdict.reason.event, verdict.reason.code.as_deref()),
            (Some(third.counter()), Some("too-many-failed"))
        );
        nothing_starts_after(third.counter(), &run, &project);
        assert!(matches!(&run.outcome.cause, Some(Cause::Plugin { name, .. }) if name == "policy"));
    }
}
