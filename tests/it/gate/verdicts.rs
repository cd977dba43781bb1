//! What is asked, and what becomes of the answers.

use std::fs;

use playwarden_event::kind::{Question, VerdictWord};
use playwarden_event::{Cause, Status, Stop};
use sha2::{Digest as _, Sha256};

use super::{nothing_starts_after, under, verdict};
use crate::evidence::{Evidence, at};
use crate::support::guest;

const TWO_TASKS: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: one
      raw: '{{ ''false'' if inventory_hostname == ''h2'' else ''true'' }}'
    - name: two
      debug: msg=x
";

#[test]
fn a_verdict_names_who_said_it_and_why_and_the_run_ends_canceled() {
    let settings = "config = { kind = \"runner_on_failed\" }";
    let project = under("verdict_table", settings, 2, "", TWO_TASKS);
    let shown = project.playwarden(&["run"]).expect(21);
    assert!(shown.stderr.contains("canceled: policy `policy`: runner_on_failed on h2"), "{}", shown.stderr);
    let run = Evidence::of(&project);
    let (event, verdict) = verdict(&run);
    let breaking = run.result("runner_on_failed", "one", "h2").0;
    assert_eq!(event.counter(), breaking.counter() + 1);
    let digest = Sha256::digest(fs::read(guest("verdict_table")).unwrap());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((verdict.plugin.name.as_str(), verdict.plugin.sha256.as_str()), ("policy", digest.as_str()));
    assert_eq!(verdict.plugin.version.as_deref(), Some("0.1.0"), "of the guest's crate");
    assert_eq!(
        (verdict.question, verdict.verdict, verdict.stop),
        (Question::Evaluate, VerdictWord::Cancel, Some(Stop::Now))
    );
    assert_eq!(verdict.reason.code.as_deref(), Some("in-the-table"));
    assert_eq!((verdict.reason.event, verdict.acted_on), (Some(breaking.counter()), true));
    assert_eq!(verdict.start, None);
    assert_eq!((run.outcome.status, run.outcome.rc), (Status::Canceled, Some(254)));
    let cause = Cause::Plugin { name: "policy".to_owned(), reason: verdict.reason.clone() };
    assert_eq!(run.outcome.cause, Some(cause));
    assert_eq!((run.text("rc"), run.text("status")), ("254".to_owned(), "canceled".to_owned()));
    assert!(run.outcome.left_alive.is_empty() && run.outcome.faulty_plugins.is_empty());
}

#[test]
fn in_monitor_mode_a_verdict_is_written_down_and_nothing_else() {
    let settings = "mode = \"monitor\"\nconfig = { max-failed-hosts = 0 }";
    let project = under("fail_budget", settings, 3, "", TWO_TASKS);
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let (_, verdict) = verdict(&run);
    assert_eq!((verdict.verdict, verdict.acted_on), (VerdictWord::Cancel, false));
    assert_eq!(run.hosts("runner_on_ok", "two").len(), 2);
    assert_eq!((run.outcome.status, run.outcome.rc), (Status::Failed, Some(2)));
    run.counts_as_ansible_does();
}

#[test]
fn a_start_that_is_refused_is_no_start() {
    for (stop, strategy) in [("now", "linear"), ("after-running-tasks", "free")] {
        let settings = format!("config = {{ task = \"two\", host = \"h2\", stop = \"{stop}\" }}");
        let playbook = format!(
            "- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n  tasks:\n    - name: one\n      raw: touch {{{{ \
             playbook_dir }}}}/started/one_{{{{ inventory_hostname }}}}\n    - name: two\n      raw: touch {{{{ playbook_dir \
             }}}}/started/two_{{{{ inventory_hostname }}}}\n"
        );
        let project = under("cancels_on_start", &settings, 3, "forks = 1", &playbook).file("started/one_h1", "");
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let (event, verdict) = verdict(&run);
        assert_eq!((verdict.question, verdict.reason.event), (Question::Admit, None));
        let start = verdict.start.as_ref().unwrap();
        assert_eq!((start.host.as_str(), start.task.as_str()), ("h2", "two"));
        assert_eq!(start.groups, ["fleet"]);
        assert!(!run.hosts("runner_on_start", "two").contains(&"h2"), "{}", run.list());
        nothing_starts_after(event.counter(), &run, &project);
        assert!(!project.names("started").contains(&"two_h2".to_owned()));
        // What was granted before has ended: with one fork there was nothing beside it.
        let granted: Vec<_> = ["one", "two"].iter().flat_map(|task| run.hosts("runner_on_start", task)).collect();
        assert_eq!(project.names("started").len(), granted.len(), "{}", run.list());
    }
}

#[test]
fn a_policy_that_asks_the_clock_ends_a_task_that_never_ends() {
    let settings = "tick = \"100ms\"\nconfig = { after = 30 }";
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: sleeps\n      raw: sleep 600\n    \
                    - name: after\n      debug: msg=x\n";
    let project = under("cancels_on_tick", settings, 1, "", playbook);
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let (event, verdict) = verdict(&run);
    assert_eq!((verdict.question, verdict.reason.code.as_deref()), (Question::Tick, Some("ticked-out")));
    assert!(run.hosts("runner_on_ok", "sleeps").is_empty());
    nothing_starts_after(event.counter(), &run, &project);
    assert_eq!(run.outcome.status, Status::Canceled);
}

#[test]
fn a_policy_is_told_every_event_once_and_in_order() {
    let playbook = r"
- hosts: all
  gather_facts: false
  tasks:
    - name: many
      debug: msg=x
      loop: '{{ range(40) }}'
    - name: fails
      raw: 'false'
      ignore_errors: true
    - name: facts
      set_fact: {a: 1}
- hosts: all
  serial: 2
  strategy: free
  gather_facts: false
  tasks:
    - name: one
      raw: '{{ ''false'' if inventory_hostname == ''h2'' else ''true'' }}'
    - name: two
      debug: msg=x
";
    let project = under("counts_everything", "", 3, "", playbook);
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    let log = run.text("plugins/policy/log.jsonl");
    assert!(!log.contains("mismatch:"), "{log}");
    assert!(log.contains("judged"), "{log}");
    let seen = run.text("plugins/policy/seen.txt");
    let mut events = run.events.iter();
    let mut starts = 0;
    for line in seen.lines() {
        if let Some(start) = line.strip_prefix("start ") {
            starts += 1;
            // What was granted is the next event of the journal that the policy had not seen.
            let granted = events.clone().find(|event| event.name() == "runner_on_start").unwrap();
            let expected = format!("{} {}", granted.context().task.as_deref().unwrap(), granted.host().unwrap());
            assert_eq!(start, expected);
        } else {
            let event = events.next().unwrap();
            assert_eq!(line, format!("{} {} {}", event.counter(), event.name(), event.host().unwrap_or("-")));
        }
    }
    assert_eq!(starts, run.named("runner_on_start").len());
    // The last two say how the run ended, which the policy decides about.
    let unseen: Vec<_> = events.map(playwarden_event::Event::name).collect();
    assert_eq!(unseen, ["status_changed", "run_finished"]);
}

#[test]
fn the_first_of_several_policies_that_cancels_is_the_cause() {
    let extra = format!(
        "[plugins.second]\npath = {:?}\nconfig = {{ kind = \"runner_on_failed\" }}\n[jobs.both]\nplaybook = \
         \"play.yml\"\ncancel-policies = [\"second\", \"policy\"]\n",
        guest("verdict_table").display().to_string()
    );
    let project = under("fail_budget", "config = { max-failed-hosts = 0 }", 2, "", TWO_TASKS);
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let project = project.file("runner.toml", &format!("{text}{extra}"));
    let _shown = project.playwarden(&["run", "both"]).expect(21);
    let run = Evidence::of(&project);
    assert!(
        matches!(&run.outcome.cause, Some(Cause::Plugin { name, .. }) if name == "second"),
        "{:?}",
        run.outcome.cause
    );
    let acted: Vec<_> = run
        .named("policy_verdict")
        .into_iter()
        .map(|event| match event.kind() {
            playwarden_event::EventKind::PolicyVerdict(verdict) => (verdict.plugin.name.clone(), verdict.acted_on),
            _ => unreachable!(),
        })
        .collect();
    assert_eq!(acted[0], ("second".to_owned(), true));
    assert!(acted[1..].iter().all(|(_, acted_on)| !acted_on), "{acted:?}");
}

#[test]
fn a_policy_about_modules_knows_them_by_every_name() {
    for action in ["reboot", "ansible.builtin.reboot"] {
        let playbook = format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - {action}:\n");
        let project = under("no_reboot", "", 2, "", &playbook);
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let (_, verdict) = verdict(&run);
        let start = verdict.start.as_ref().unwrap();
        assert_eq!((start.action.as_str(), start.host.as_str()), ("ansible.builtin.reboot", "h1"));
        assert!(run.named("runner_on_start").is_empty(), "{}", run.list());
    }
}

#[test]
fn what_a_start_is_judged_by_stands_in_the_journal() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: one\n      raw: 'true'\n      become: true\n      \
                    tags: [t]\n";
    let project = under("warns_always", "", 1, "check = true", playbook);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let start = run.only("runner_on_start");
    let facts: playwarden_event::StartRequest = start.data().pointer("/start").unwrap().read().unwrap();
    assert_eq!((facts.action.as_str(), facts.become_user.as_deref()), ("ansible.builtin.raw", Some("root")));
    assert_eq!((facts.tags.as_slice(), facts.check_mode), (["t".to_owned()].as_slice(), true));
}

#[test]
fn a_secret_among_the_arguments_of_a_task_is_not_written_down() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: key\n      rpm_key:\n        key: k\n        \
                    password: zinnia-88\n      when: false\n    - name: user\n      user:\n        name: nobody\n        password: \
                    zinnia-88\n        update_password: always\n";
    let project = under("counts_everything", "", 1, "check = true", playbook);
    let _shown = project.playwarden(&["run"]);
    let run = Evidence::of(&project);
    run.hides("zinnia-88");
    // By its name, and where the module says so by Ansible, whose mark stays.
    let passwords: Vec<_> =
        run.named("runner_on_start").into_iter().map(|start| at(start, "/start/args/password")).collect();
    assert_eq!(passwords, ["********", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"]);
}
