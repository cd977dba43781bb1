//! How runs end, and with which exit code.

use playwarden_event::{Cause, EventKind, Status};

use super::{play, project};
use crate::evidence::{Evidence, at};
use crate::support::Project;

#[test]
fn a_playbook_that_succeeds() {
    let run = play(
        2,
        "- hosts: fleet\n  gather_facts: false\n  tasks:\n    - name: say\n      debug: msg=hello\n    \
         - name: touch\n      raw: 'true'\n",
        0,
    );
    assert_eq!((run.outcome.status, run.outcome.rc, &run.outcome.cause), (Status::Successful, Some(0), &None));
    assert_eq!(run.text("stderr"), "");
    let mut hosts = run.hosts("runner_on_ok", "touch");
    hosts.sort_unstable();
    assert_eq!(hosts, ["h1", "h2"]);
    assert_eq!(run.hosts("runner_on_start", "say").len(), 2);
    let (event, said) = run.result("runner_on_ok", "say", "h1");
    assert_eq!(said.res.msg.as_deref(), Some("hello"));
    let context = event.context();
    assert_eq!(context.action(), Some("ansible.builtin.debug"));
    assert!(context.task_path.as_ref().unwrap().ends_with("play.yml:4"), "{context:?}");
    assert_eq!((context.play.as_deref(), context.play_number), (Some("fleet"), Some(1)));
    assert!(run.result("runner_on_ok", "touch", "h2").0.marks().changed);
    assert_eq!(run.only("playbook_on_play_start").context().play.as_deref(), Some("fleet"));
    run.counts_as_ansible_does();
}

#[test]
fn hosts_that_fail() {
    let run = play(
        2,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: breaks\n      fail: msg=broken\n      \
         when: inventory_hostname == 'h2'\n    - name: after\n      debug: msg=x\n",
        10,
    );
    assert_eq!((run.outcome.rc, &run.outcome.cause), (Some(2), &Some(Cause::HostsFailed)));
    let (event, failed) = run.result("runner_on_failed", "breaks", "h2");
    assert_eq!((failed.ignored(), failed.rescued, failed.message()), (false, false, Some("broken")));
    assert!(event.marks().failed);
    assert_eq!(run.hosts("runner_on_ok", "after"), ["h1"]);
    assert_eq!(run.outcome.totals.run.hosts_failed, 1);
    run.counts_as_ansible_does();
}

/// A host that nobody answers for.
const NOBODY: &str = "nobody ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n";

fn with_nobody(playbook: &str, code: i32) -> Evidence {
    let project = Project::new(1, "env = { ANSIBLE_TIMEOUT = \"5\" }\n[jobs.play]\nplaybook = \"play.yml\"\n");
    let inventory = std::fs::read_to_string(project.path("hosts")).unwrap() + NOBODY;
    let project = project.file("hosts", &inventory).file("play.yml", playbook);
    let _shown = project.playwarden(&["run"]).expect(code);
    Evidence::keep(project)
}

#[test]
fn hosts_that_cannot_be_reached() {
    let run = with_nobody("- hosts: all\n  gather_facts: false\n  tasks:\n    - name: call\n      raw: 'true'\n", 11);
    assert_eq!((run.outcome.rc, &run.outcome.cause), (Some(4), &Some(Cause::HostsUnreachable)));
    let (event, result) = run.result("runner_on_unreachable", "call", "nobody");
    assert!(event.marks().unreachable && !event.marks().ignored);
    assert!(result.message().unwrap().contains("onnect"), "{result:?}");
    assert_eq!(run.outcome.totals.run.hosts_unreachable, 1);
    run.counts_as_ansible_does();
}

#[test]
fn hosts_that_fail_weigh_more_than_those_that_cannot_be_reached() {
    let play = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: call\n      raw: 'false'\n";
    let run = with_nobody(play, 10);
    // Ansible says 4 here, as if nothing had failed.
    assert_eq!((run.outcome.rc, &run.outcome.cause), (Some(4), &Some(Cause::HostsFailed)));
    assert_eq!((run.outcome.totals.run.hosts_failed, run.outcome.totals.run.hosts_unreachable), (1, 1));
    run.counts_as_ansible_does();
}

#[test]
fn an_unreachable_host_that_the_task_ignores_goes_on() {
    let run = with_nobody(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: call\n      raw: 'true'\n      \
         ignore_unreachable: true\n    - name: after\n      debug: msg=x\n",
        0,
    );
    let (event, result) = run.result("runner_on_unreachable", "call", "nobody");
    assert_eq!((result.ignore_unreachable, event.marks().ignored), (Some(true), true));
    assert_eq!(run.hosts("runner_on_ok", "after").len(), 2);
    assert_eq!(run.outcome.totals.run.hosts_unreachable, 0);
    run.counts_as_ansible_does();
}

#[test]
fn failures_that_are_ignored_or_rescued_do_not_fail_the_run() {
    let run = play(
        1,
        r"
- hosts: all
  gather_facts: false
  tasks:
    - name: ignored
      raw: 'false'
      ignore_errors: true
    - block:
        - name: broken
          raw: 'false'
      rescue:
        - name: mended
          debug: msg={{ ansible_failed_task.name }}
      always:
        - name: swept
          debug: msg=x
",
        0,
    );
    let (event, ignored) = run.result("runner_on_failed", "ignored", "h1");
    assert_eq!((ignored.ignore_errors, ignored.rescued, event.marks().ignored), (Some(true), false, true));
    let (event, broken) = run.result("runner_on_failed", "broken", "h1");
    assert_eq!((broken.ignored(), broken.rescued), (false, true));
    assert!(event.marks().failed && event.marks().rescued);
    let (_, mended) = run.result("runner_on_ok", "mended", "h1");
    assert_eq!(mended.res.msg.as_deref(), Some("broken"));
    assert_eq!(run.hosts("runner_on_ok", "swept"), ["h1"]);
    assert_eq!(run.outcome.totals.run.hosts_failed, 0);
    run.counts_as_ansible_does();
}

#[test]
fn a_failure_in_a_rescue_section_fails_the_run() {
    let run = play(
        1,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - block:\n        - name: one\n          raw: 'false'\n      \
         rescue:\n        - name: two\n          raw: 'false'\n",
        10,
    );
    assert!(run.result("runner_on_failed", "one", "h1").1.rescued);
    assert!(!run.result("runner_on_failed", "two", "h1").1.rescued);
    run.counts_as_ansible_does();
}

/// Runs what cannot start, and returns what is said about it.
#[track_caller]
fn does_not_start(project: &Project) -> String {
    let ran = project.playwarden(&["run"]).expect(12);
    let run = Evidence::of(project);
    assert_eq!(run.outcome.status, Status::Failed);
    let Some(Cause::CouldNotStart { text }) = &run.outcome.cause else { panic!("{:?}", run.outcome) };
    let event = run.only("start_failed");
    assert!(
        matches!(event.kind(), EventKind::StartFailed(failed) if failed.text == *text && failed.rc == run.outcome.rc)
    );
    assert!(run.named("playbook_on_start").is_empty());
    assert!(text.contains(run.text("stderr").trim()), "{text}");
    assert!(ran.stderr.contains("failed: Ansible ended with"), "{}", ran.stderr);
    text.clone()
}

#[test]
fn what_ansible_cannot_parse_is_told_in_its_own_words() {
    let text = does_not_start(&project(1, "- hosts: all\n  tasks:\n    - nosuchmodule:\n"));
    assert!(text.contains("couldn't resolve module/action 'nosuchmodule'"), "{text}");
    let text = does_not_start(&project(1, "- hosts: [\n"));
    assert!(text.contains("play.yml"), "{text}");
}

#[test]
fn a_role_that_is_not_there_is_named() {
    let text = does_not_start(&project(1, "- hosts: all\n  roles: [nosuchrole]\n"));
    assert!(text.to_lowercase().contains("the role 'nosuchrole' was not found"), "{text}");
}

#[test]
fn a_vault_that_nobody_can_open_is_no_start() {
    let vault = "$ANSIBLE_VAULT;1.1;AES256\n6162\n";
    let project = project(1, "- hosts: all\n  vars_files: [secrets.yml]\n  tasks: []\n").file("secrets.yml", vault);
    let ran = project.playwarden(&["run"]);
    assert_ne!(ran.code, Some(0));
    let run = Evidence::of(&project);
    assert!(run.text("stderr").contains("ault"), "{}", run.text("stderr"));
}

#[test]
fn a_limit_that_matches_nothing() {
    let project = project(1, "- hosts: all\n  gather_facts: false\n  tasks: []\n");
    let _shown = project.playwarden(&["run", "--limit", "nosuchhost"]).expect(13);
    let run = Evidence::of(&project);
    assert_eq!(run.outcome.cause, Some(Cause::NoHostsMatched));
    assert!(run.text("stderr").contains("nosuchhost"), "{}", run.text("stderr"));
}

#[test]
fn a_play_that_matches_no_host() {
    let playbook = "- hosts: nosuchgroup\n  gather_facts: false\n  tasks: [{debug: msg=x}]\n";
    let run = play(1, playbook, 13);
    // Ansible calls it a success.
    assert_eq!((run.outcome.status, run.outcome.rc), (Status::Failed, Some(0)));
    assert_eq!(run.outcome.cause, Some(Cause::NoHostsMatched));
    let _unmatched = run.only("playbook_on_no_hosts_matched");

    let other = "- hosts: all\n  gather_facts: false\n  tasks: [{debug: msg=x}]\n";
    let run = play(1, &format!("{playbook}{other}"), 0);
    let _unmatched = run.only("playbook_on_no_hosts_matched");
}

#[test]
fn a_question_without_a_terminal_gets_its_default() {
    let run = play(
        1,
        "- hosts: all\n  gather_facts: false\n  vars_prompt:\n    - {name: color, prompt: Which, default: red, \
         private: false}\n  tasks:\n    - name: say\n      debug: msg={{ color }}\n",
        0,
    );
    let EventKind::PlaybookOnVarsPrompt(prompt) = run.only("playbook_on_vars_prompt").kind() else { unreachable!() };
    assert_eq!((prompt.varname.as_deref(), prompt.prompt.as_deref()), (Some("color"), Some("Which")));
    assert_eq!(prompt.private, Some(false));
    assert_eq!(run.result("runner_on_ok", "say", "h1").1.res.msg.as_deref(), Some("red"));
}

#[test]
fn one_module_without_a_playbook() {
    let job = |args: &str| format!("[jobs.whoami]\nmodule = \"shell\"\nargs = \"{args}\"\nhosts = \"all\"\n");
    let project = Project::new(2, &job("echo $0; whoami"));
    let ran = project.playwarden(&["run"]).expect(0);
    assert!(ran.stdout.contains("h1 | CHANGED | rc=0 >>"), "{}", ran.stdout);
    let run = Evidence::of(&project);
    let (event, _) = run.result("runner_on_ok", "shell", "h1");
    assert_eq!(at(event, "/res/rc"), 0);
    assert_eq!(event.context().playbook.as_deref(), Some("__adhoc_playbook__"));
    assert_eq!(run.hosts("runner_on_start", "shell").len(), 2);
    run.counts_as_ansible_does();

    let project = Project::new(1, &job("exit 3"));
    let _shown = project.playwarden(&["run"]).expect(10);
    let run = Evidence::of(&project);
    assert_eq!(run.result("runner_on_failed", "shell", "h1").1.res.rc, Some(3));
}
