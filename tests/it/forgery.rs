//! Nothing that a play prints, names or starts makes an event or a verdict.
//!
//! The runs of the stronger attacks have no privileges, as when playwarden is not started by root: what the kernel then
//! refuses to a process of the same user is what is promised.

use std::fs;

use playwarden_event::{Cause, Status};
use serde_json::Value;

use crate::evidence::{Evidence, at};
use crate::support::{Project, guest};

const ATTACK: &str = include_str!("forgery/attack.py");
const INTRUDER: &str = include_str!("forgery/intruder.py");

/// Returns a project with one host, the job `play` under a policy that lets everything pass, and the attacker's programs.
fn project(playbook: &str) -> Project {
    let rest = format!(
        "[plugins.policy]\npath = {:?}\nlimits = {{ call = \"1m\" }}\n[jobs.play]\nplaybook = \"play.yml\"\n\
         cancel-policies = [\"policy\"]\n",
        guest("counts_everything").display().to_string()
    );
    let intruder = |wrapper: &str| format!("{INTRUDER}\n\n{wrapper}");
    Project::new(1, &rest)
        .file("play.yml", playbook)
        .file("attack.py", ATTACK)
        .file("action_plugins/intrude.py", &intruder(IN_A_WORKER))
        .file("forger/forger.py", &intruder(IN_THE_MAIN_PROCESS))
}

/// An action plugin: it runs in a worker, and here once more in a fork of it.
const IN_A_WORKER: &str = r#"
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        here = intrude()
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, b"%d" % intrude())
            os._exit(0)
        os.wait()
        return {"here": here, "below": int(os.read(reader, 16)), "changed": False}
"#;

/// A callback: it runs in the main process, which is trusted, but what it forks is not. A fork that Python knows nothing
/// of still has the socket.
const IN_THE_MAIN_PROCESS: &str = r#"
import ctypes
from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "forger"
    CALLBACK_NEEDS_ENABLED = False

    def v2_playbook_on_task_start(self, task, is_conditional):
        counts = []
        for fork in (os.fork, ctypes.PyDLL(None).fork):      # one that keeps Python's lock
            reader, writer = os.pipe()
            child = fork()
            if child == 0:
                os.write(writer, b"%d" % intrude())
                os._exit(0)
            os.close(writer)
            counts.append(os.read(reader, 16).decode())
            os.waitpid(child, 0)
        with open(os.environ["FORGER"], "w") as file:
            file.write(" ".join(counts))
"#;

/// A task that runs one of the attacker's programs.
fn attack(name: &str, arguments: &str) -> String {
    format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: attack\n      raw: \"{{{{ ansible_python_interpreter }}}} \
         {{{{ playbook_dir }}}}/{name} {arguments}\"\n    - {{name: after, debug: msg=x}}\n"
    )
}

/// Asserts that the policy was told nothing that the journal does not say.
#[track_caller]
fn policy_saw_the_journal(run: &Evidence) {
    let log = fs::read_to_string(run.folder.join("plugins/policy/log")).unwrap_or_default();
    assert!(!log.contains("mismatch"), "{log}");
    let seen = run.text("plugins/policy/seen.txt");
    let judged: Vec<_> = seen
        .lines()
        // A task's name may have several lines.
        .filter_map(|line| Some((line.split(' ').next()?.parse::<u64>().ok()?, line.split(' ').nth(1)?)))
        .collect();
    let events: Vec<_> = run.events.iter().map(|event| (event.counter(), event.name())).take(judged.len()).collect();
    assert_eq!(judged, events);
}

#[test]
fn processes_of_the_same_user_reach_neither_ansible_nor_its_guard_nor_its_host() {
    let playbook = attack("attack.py", "{{ playbook_dir }}/report {{ playbook_dir }}/pwned");
    let project = project(&playbook);
    let _shown = project.unprivileged(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let text = fs::read_to_string(project.path("report")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["capabilities"], "0000000000000000");
    assert!(!project.path("pwned").exists(), "a pipe of Ansible's took a command");
    for what in ["descriptors", "memory", "environment", "read memory", "attach", "seize", "take descriptor"] {
        // What is refused would have worked with a process that does not protect itself.
        assert_eq!(report[what]["control"], "done", "{what}: {report:#}");
        for target in ["worker", "main", "guard", "host"] {
            let answer = report[what][target].as_str().unwrap();
            assert!(matches!(answer, "EPERM" | "EACCES"), "{what} of the {target}: {answer}");
        }
    }
    assert_eq!(report["poison"]["worker"], "EACCES");
    let folder = project.path("").display().to_string();
    let named = |name: &Value| name.as_str().is_some_and(|name| name.contains("playwarden") || name.contains(&folder));
    assert!(!report["sockets"].as_array().unwrap().iter().any(named), "{}", report["sockets"]);
    assert_eq!(report["open"], Value::Array(Vec::new()), "a module has descriptors that are not its own");
    assert_eq!(report["told"], Value::Array(Vec::new()));
    assert_eq!(run.hosts("runner_on_ok", "attack"), ["h1"]);
    policy_saw_the_journal(&run);
}

#[test]
fn a_worker_and_what_it_forks_have_no_socket_to_write_to() {
    let project = project("- hosts: all\n  gather_facts: false\n  tasks:\n    - name: attack\n      intrude: {}\n");
    let _shown = project.unprivileged(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let (event, _) = run.result("runner_on_ok", "attack", "h1");
    assert_eq!((at(event, "/res/here"), at(event, "/res/below")), (0.into(), 0.into()));
    assert!(run.about("runner_on_ok", "forged").is_empty());
    assert!(run.named("warning").is_empty(), "{}", run.list());
}

#[test]
fn what_a_fork_of_the_main_process_writes_to_the_socket_is_refused_and_said() {
    let project = project("- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: one, debug: msg=x}\n");
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let report = project.path("counts");
    let env =
        format!("env = {{ ANSIBLE_CALLBACK_PLUGINS = \"forger\", FORGER = {:?} }}\n", report.display().to_string());
    let project = project.file("runner.toml", &format!("{text}{env}"));
    let _shown = project.unprivileged(&["run"]).expect(0);
    let run = Evidence::of(&project);
    // The first fork closed the socket as it should; the second one could not know.
    assert_eq!(fs::read_to_string(report).unwrap(), "0 1");
    assert!(run.about("runner_on_ok", "forged").is_empty(), "{}", run.list());
    assert_eq!(run.hosts("runner_on_ok", "one"), ["h1"]);
    let said = at(run.only("warning"), "/message");
    assert!(said.as_str().unwrap().contains("came from another process than Ansible and were refused"), "{said}");
    policy_saw_the_journal(&run);
}

#[test]
fn names_labels_hosts_files_and_variables_that_look_like_records_are_only_text() {
    let forged = r#"x"},"record":"event","event":"playbook_on_stats","uuid":"forged"}"#;
    let name = format!("'{forged}\n\n      {{\"counter\":1,\"event\":\"run_finished\"}}\u{2028}'");
    let playbook = format!(
        r"
- hosts: all
  name: {name}
  gather_facts: false
  tasks:
    - name: {name}
      debug: {{msg: {name}}}
      loop: ['{forged}']
      loop_control: {{label: {name}}}
      tags: ['{forged}']
    - name: file
      copy: {{content: x, dest: '{{{{ playbook_dir }}}}/{{{{ file | urlencode }}}}'}}
      vars: {{file: {name}}}
    - name: environment
      raw: env; printf '\n%s\n' '{forged}' >&2
      environment: {{PLAYWARDEN_FD: '3', FORGED: {name}}}
    - name: facts
      set_fact: {{event: run_finished, counter: 1, '{{{{ ''event_data'' }}}}': {name}, record: event}}
    - name: statistics
      set_stats: {{data: {{event: {name}, status: successful}}}}
"
    );
    let project = project(&playbook).file("host_vars/h1.yml", &format!("variable: '{forged}'\n"));
    let _shown = project.playwarden(&["run", "--diff"]).expect(0);
    let run = Evidence::of(&project);
    assert_eq!(run.named("runner_on_start").len(), 5, "{}", run.list());
    assert_eq!((run.named("playbook_on_stats").len(), run.named("run_finished").len()), (1, 1));
    assert!(run.events.iter().all(|event| event.head().uuid != "forged"));
    let journal = run.text("events.jsonl");
    assert_eq!(journal.lines().count(), run.events.len());
    run.counts_as_ansible_does();
    policy_saw_the_journal(&run);
}

/// Appends an event to the journal of the run that it is started by, chained as it should be.
const COUNTERFEITER: &str = r#"
import glob, hashlib, json, sys
(path,) = glob.glob(sys.argv[1] + "/artifacts/*/events.jsonl")
last = json.loads(open(path).read().splitlines()[-1])
event = dict(last, event="policy_verdict", uuid="forged", counter=last["counter"] + 1, prev=last["hash"])
del event["hash"]
text = json.dumps(event, separators=(",", ":"))
digest = hashlib.sha256(text.encode()).hexdigest()
with open(path, "a") as journal:
    journal.write('%s,"hash":"%s"}\n' % (text[:-1], digest))
"#;

#[test]
fn a_line_that_someone_else_wrote_into_the_journal_is_taken_out_and_ends_the_run() {
    let playbook = attack("counterfeit.py", "{{ playbook_dir }}");
    let project = project(&playbook).file("counterfeit.py", COUNTERFEITER);
    let shown = project.unprivileged(&["run"]).expect(74);
    assert!(shown.stderr.contains("another process wrote into it"), "{}", shown.stderr);
    // The journal is whole, and has no event that Ansible or the host did not make.
    let events = project.events();
    assert!(events.iter().all(|event| event.head().uuid != "forged"));
    let outcome = project.outcome();
    assert_eq!(outcome.status, Status::Failed);
    assert!(matches!(outcome.cause, Some(Cause::HostTrouble { .. })), "{outcome:?}");
}

#[test]
fn a_signal_of_the_plays_own_ends_the_run_but_is_nobodys_verdict() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: attack\n      raw: 'kill -USR2 $(ps -o ppid= -p $PPID); \
                    sleep 600'\n    - {name: after, raw: 'touch {{ playbook_dir }}/after'}\n";
    let project = project(playbook);
    let text = fs::read_to_string(project.path("runner.toml")).unwrap();
    let project = project.file("runner.toml", &format!("{text}stop = {{ survivors = \"kill\" }}\n"));
    let shown = project.unprivileged(&["run"]);
    let run = Evidence::of(&project);
    assert_eq!((run.outcome.status, run.outcome.rc), (Status::Failed, Some(99)), "{shown:?}");
    assert!(run.named("policy_verdict").is_empty());
    assert!(!project.path("after").exists() && run.outcome.left_alive.is_empty(), "{:?}", run.outcome);
}

#[test]
fn ansible_that_a_play_starts_is_not_ours_and_runs_as_ever() {
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: nested\n      command: '{{ ansible_playbook_python \
                    | dirname }}/ansible-playbook -i localhost, -c local {{ playbook_dir }}/inner.yml'\n";
    let inner = "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: inner, debug: msg=x}\n";
    let project = project(playbook).file("inner.yml", inner);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let (event, _) = run.result("runner_on_ok", "nested", "h1");
    assert!(at(event, "/res/stdout").as_str().unwrap().contains("ok=1"), "{}", event.data().text());
    assert!(run.about("runner_on_ok", "inner").is_empty(), "{}", run.list());
}
