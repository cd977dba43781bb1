//! What Ansible prints, and callbacks of the user's own.

use std::fs;
use std::process::Command;

use playwarden_event::{Event, EventKind};

use super::{play, project};
use crate::evidence::Evidence;
use crate::support::{Project, Ran, core_since, ran, venv};

/// Runs bare Ansible in the project.
fn bare(project: &Project, arguments: &[&str]) -> Ran {
    let mut command = Command::new(venv().join("bin/ansible-playbook"));
    project.adopt(&mut command);
    ran(command.args(["-i", "hosts"]).args(arguments).output().unwrap())
}

/// Takes the times out of results.
fn timeless(text: &str) -> String {
    let keys = ["\"delta\": \"", "\"start\": \"", "\"end\": \""];
    let mut text = text.to_owned();
    for key in keys {
        let mut pieces = text.split(key);
        let mut clean = pieces.next().unwrap().to_owned();
        for piece in pieces {
            clean += key;
            clean += piece.split_once('"').map_or(piece, |(_, rest)| rest);
        }
        text = clean;
    }
    text
}

const VARIED: &str = r"
- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: say
      debug: msg=grüße
    - name: several
      raw: echo {{ item }}
      loop: [a, b]
      notify: handle
    - name: skipped
      debug: msg=x
      when: false
    - name: timed
      command: sh -c 'echo out; echo err >&2; exit 3'
      ignore_errors: true
      run_once: true
    - name: breaks
      fail: msg='{{ inventory_hostname }} is broken'
      when: inventory_hostname == 'h2'
  handlers:
    - name: handle
      debug: msg=x
- name: second
  hosts: all:nosuch
  gather_facts: false
  tasks:
    - include_tasks: more.yml
";

#[test]
fn what_ansible_prints_is_passed_on_byte_for_byte() {
    // One fork: the order of hosts is the same every time.
    let config = "[defaults]\nforks = 1\n";
    let more = "- name: included\n  debug: msg=x\n- name: no newline\n  raw: printf x\n";
    let project = project(2, VARIED).file("more.yml", more).file("ansible.cfg", config);
    for arguments in [&[][..], &["-vv"]] {
        let bare = bare(&project, &[arguments, &["play.yml"]].concat()).expect(2);
        let guarded = project.playwarden(&[&["run"], arguments].concat()).expect(10);
        // Verbose text names the arguments' files, which is where the two must differ.
        let plain = |text: &str| timeless(text).replace(project.path("").to_str().unwrap(), "");
        assert_eq!(plain(&guarded.stdout), plain(&bare.stdout));
        assert!(plain(&guarded.stderr).starts_with(&plain(&bare.stderr)), "{}\n{}", guarded.stderr, bare.stderr);
        let run = Evidence::of(&project);
        assert_eq!(run.text("stdout"), guarded.stdout);
        assert_eq!(run.text("stderr"), bare.stderr);
        fs::remove_dir_all(&run.folder).unwrap();
    }
}

#[test]
fn each_event_has_the_text_that_ansible_printed_for_it() {
    let run = play(
        1,
        "- name: short\n  hosts: all\n  gather_facts: false\n  tasks:\n    - name: say\n      debug: msg=hello\n",
        0,
    );
    let text = |name: &str| run.only(name).head().stdout.as_str();
    assert!(text("playbook_on_play_start").starts_with("\nPLAY [short] ***"), "{}", text("playbook_on_play_start"));
    assert!(text("playbook_on_task_start").starts_with("\nTASK [say] ***"), "{}", text("playbook_on_task_start"));
    assert_eq!(text("runner_on_ok"), "ok: [h1] => {\n    \"msg\": \"hello\"\n}");
    assert!(text("playbook_on_stats").starts_with("\nPLAY RECAP ***"), "{}", text("playbook_on_stats"));
    assert!(text("playbook_on_stats").contains("\nh1 "), "{}", text("playbook_on_stats"));
}

#[test]
fn warnings_and_deprecations_are_events() {
    let filter = r"
from ansible.utils.display import Display

def speak(text):
    display = Display()
    display.warning('a warning about ' + text)
    display.system_warning('a system warning about ' + text)
    display.deprecated('what is old about ' + text, version='99.0')
    display.error('an error about ' + text)
    return text

class FilterModule:
    def filters(self):
        return {'speak': speak}
";
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=\"{{ 'trees' | speak }}\"\n";
    let project = project(1, playbook).file("filter_plugins/speak.py", filter);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    let message = |event: &Event| match event.kind() {
        EventKind::Warning(message)
        | EventKind::SystemWarning(message)
        | EventKind::Deprecated(message)
        | EventKind::Error(message) => message.message.clone().unwrap(),
        _ => unreachable!(),
    };
    // The filter runs in a worker, and before 2.17 workers say of no warning that it is one of the system.
    let system = if core_since((2, 17)) { "system_warning" } else { "warning" };
    for (name, expected) in [
        ("warning", "a warning about trees"),
        (system, "a system warning about trees"),
        ("deprecated", "what is old about trees"),
        ("error", "an error about trees"),
    ] {
        let found: Vec<String> = run.named(name).into_iter().map(message).collect();
        assert!(found.iter().any(|text| text.contains(expected)), "{name}: {found:?} in\n{}", run.list());
    }
}

/// A callback that appends what it is told to a file in the project.
fn witness(name: &str, kind: &str) -> String {
    format!(
        "from ansible.plugins.callback import CallbackBase\n\nDOCUMENTATION = '''\nname: {name}\ntype: {kind}\n\
         short_description: a witness\ndescription: a witness\n'''\n\nclass CallbackModule(CallbackBase):\n    \
         CALLBACK_VERSION = 2.0\n    CALLBACK_TYPE = '{kind}'\n    CALLBACK_NAME = '{name}'\n    \
         CALLBACK_NEEDS_ENABLED = True\n\n    def _note(self, text):\n        with open('{name}.log', 'a') as log:\n            \
         log.write(text + '\\n')\n\n    def v2_runner_on_ok(self, result):\n        \
         self._note('ok ' + result._host.get_name())\n\n    def v2_playbook_on_stats(self, stats):\n        \
         self._note('stats')\n"
    )
}

const SAY: &str = "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=hello\n";

#[test]
fn callbacks_that_ansible_cfg_names_run_as_ever() {
    let config = "[defaults]\ncallback_plugins = mine\ncallbacks_enabled = witness\n";
    let project = project(1, SAY)
        .file("ansible.cfg", config)
        .file("mine/witness.py", &witness("witness", "notification"))
        .file("others/witness.py", &witness("witness", "notification").replace("stats'", "others'"));
    let log = || fs::read_to_string(project.path("witness.log")).unwrap_or_default();

    let _shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(log(), "ok h1\nstats\n");
    let run = Evidence::of(&project);
    assert_eq!(run.named("runner_on_ok").len(), 1);
    fs::remove_dir_all(&run.folder).unwrap();

    // A path in the environment replaces the one of the file, as without us.
    fs::remove_file(project.path("witness.log")).unwrap();
    let mut command = project.command(&["run"]);
    command.env("ANSIBLE_CALLBACK_PLUGINS", project.path("others"));
    let _shown = ran(command.output().unwrap()).expect(0);
    assert_eq!(log(), "ok h1\nothers\n");
    let _run = Evidence::of(&project);
}

#[test]
fn a_callback_for_standard_output_of_the_users_choice_prints() {
    for (name, expected) in [("oneline", "h1 | SUCCESS => "), ("minimal", "h1 | SUCCESS => {\n")] {
        let project = project(1, SAY);
        let mut command = project.command(&["run"]);
        command.env("ANSIBLE_STDOUT_CALLBACK", name);
        let shown = ran(command.output().unwrap()).expect(0);
        assert!(shown.stdout.contains(expected) && !shown.stdout.contains("PLAY"), "{name}: {}", shown.stdout);
        let run = Evidence::of(&project);
        assert!(run.only("runner_on_ok").head().stdout.contains(expected), "{}", run.list());
    }

    let config = "[defaults]\ncallback_plugins = mine\nstdout_callback = printer\n";
    let printer = witness("printer", "stdout").replace("_note(self, text):", "_note(self, text):\n        print(text)");
    let project = project(1, SAY).file("ansible.cfg", config).file("mine/printer.py", &printer);
    let shown = project.playwarden(&["run"]).expect(0);
    assert_eq!(shown.stdout, "ok h1\nstats\n");
    assert_eq!(Evidence::of(&project).only("runner_on_ok").head().stdout, "ok h1");
}

#[test]
fn a_callback_that_breaks_harms_nobody() {
    let broken = witness("witness", "notification").replace("self._note('ok '", "raise RuntimeError('x' + 'ok '");
    let config = "[defaults]\ncallback_plugins = mine\ncallbacks_enabled = witness\n";
    let project = project(1, SAY).file("ansible.cfg", config).file("mine/witness.py", &broken);
    let _shown = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert_eq!(run.named("runner_on_ok").len(), 1);
    assert!(run.text("stderr").contains("witness"), "{}", run.text("stderr"));
}
