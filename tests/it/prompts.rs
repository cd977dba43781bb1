//! Prompts: what is typed at them, what nobody answers, and keys for an agent.
//!
//! The keys beside this file are made for it and open nothing. They need `ssh-agent` and `ssh-add`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use playwarden::plan::{Answer, Secret};
use playwarden::{Caller, Plan};
use playwarden_event::{Cause, Outcome, Status};
use rustix::process::Signal;

use crate::alive::{appears, eventually, mark, marked, nothing_with, send};
use crate::evidence::{Evidence, at};
use crate::support::{Project, Ran, ran, venv};

const PLAIN: &str = include_str!("prompts/plain.key");
const LOCKED: &str = include_str!("prompts/locked.key");

/// What is in the environment of the host, for `passwords` to name.
const TYPED: [(&str, &str); 7] = [
    ("CODE", "canary-code-x1"),
    ("WORD", "canary-word-x2"),
    ("GO", "canary-go-x3"),
    ("SSH", "canary-ssh-x4"),
    ("BECOME", "canary-become-x5"),
    ("VAULT", "canary-vault-x6"),
    ("PHRASE", "passphrase-x"),
];

const VARIABLES: &str = r"
- hosts: all
  gather_facts: false
  vars_prompt:
    - {name: code, prompt: Which code, private: false}
    - {name: word, prompt: Which word, private: true, confirm: true}
  tasks:
    - {name: lengths, debug: {msg: 'code {{ code | length }} word {{ word | length }}'}}
";

const PAUSES: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: shown, pause: {prompt: Go on}, register: shown}
    - {name: hidden, pause: {prompt: Go on, echo: false}, register: hidden}
    - {name: lengths, debug: {msg: 'shown {{ shown.user_input | length }} hidden {{ hidden.user_input | length }}'}}
";

const KEY: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: keys, command: ssh-add -l}
    - {name: waits, raw: 'touch {{ playbook_dir }}/reached; until [ -e {{ playbook_dir }}/go ]; do sleep 0.05; done'}
";

/// A project with one job and these passwords in it.
fn project(playbook: &str, job: &str) -> Project {
    Project::new(1, &format!("[jobs.play]\nplaybook = \"play.yml\"\n{job}\n")).file("play.yml", playbook)
}

fn command(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.envs(TYPED);
    command
}

fn play(project: &Project) -> Ran {
    ran(command(project, &["run"]).output().unwrap())
}

/// Runs with less patience than people have.
fn impatient(project: &Project, change: impl FnOnce(&mut Plan)) -> Outcome {
    let path = [("PATH", std::env::var_os("PATH").unwrap()), ("HOME", project.path("home").into())];
    let vars = path.into_iter().chain(TYPED.map(|(name, value)| (name, value.into())));
    let caller = Caller {
        program: env!("CARGO_BIN_EXE_playwarden").into(),
        folder: project.path(""),
        vars: vars.map(|(name, value)| (OsString::from(name), value)).collect::<BTreeMap<_, _>>(),
        cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/playwarden")),
    };
    let mut plan = Plan::load("runner.toml", "play", &caller).unwrap();
    plan.settings.prompt_patience = Duration::from_millis(500);
    change(&mut plan);
    playwarden::run(plan).unwrap().outcome().unwrap()
}

/// Nothing that was typed is in a file of the run, or was shown.
#[track_caller]
fn hides(run: &Evidence, shown: &Ran) {
    for (_, typed) in TYPED {
        run.hides(typed);
        assert!(!shown.stdout.contains(typed) && !shown.stderr.contains(typed), "{typed}: {shown:?}");
    }
}

// ---- answered ---------------------------------------------------------------------------------------------------------

#[test]
fn variables_are_asked_for_and_answered() {
    let job = "passwords = { '^Which code: $' = { env = 'CODE' }, '(?<!\\w)Which word:\\s*?$' = { env = 'WORD' } }";
    let project = project(VARIABLES, job);
    let shown = play(&project).expect(0);
    let run = Evidence::of(&project);
    assert!(run.text("stdout").contains("code 14 word 14"), "{}", run.text("stdout"));
    // Each prompt stands where it was printed, and belongs to one event.
    for prompt in ["Which code: ", "Which word: ", "confirm Which word: "] {
        let with: Vec<_> = run.events.iter().filter(|event| event.head().stdout.contains(prompt.trim_end())).collect();
        assert!(!with.is_empty(), "{prompt} in\n{}", run.text("stdout"));
    }
    hides(&run, &shown);
}

#[test]
fn pauses_are_answered_when_they_read_keys() {
    let project = project(PAUSES, "passwords = { 'Go on.*:\\s*?$' = { env = 'GO' } }");
    let shown = play(&project).expect(0);
    let run = Evidence::of(&project);
    assert!(run.text("stdout").contains("shown 12 hidden 12"), "{}", run.text("stdout"));
    assert!(!run.text("stderr").contains("interactive"), "{}", run.text("stderr"));
    hides(&run, &shown);
}

#[test]
fn the_usual_prompts_are_known_by_name() {
    let playbook = "- hosts: all\n  gather_facts: false\n  vars_files: [one.yml, two.yml]\n  tasks:\n    - debug: msg={{ one }}{{ two }}\n";
    let project = project(
        playbook,
        "passwords = { ssh = { env = 'SSH' }, become = { env = 'BECOME' }, vault = { env = 'VAULT' }, 'vault.prod' = { file = 'prod' } }",
    );
    let project = project.file("one.yml", "one: first").file("two.yml", "two: second");
    let project = project.file("prod", "canary-prod-x7\n").file("vault", "canary-vault-x6\n");
    for (file, with) in [("one.yml", "vault"), ("two.yml", "prod@prod")] {
        let mut vault = Command::new(venv().join("bin/ansible-vault"));
        project.adopt(vault.args(["encrypt", "--vault-id", with, file]));
        let _encrypted = ran(vault.output().unwrap()).expect(0);
    }
    let shown = play(&project).expect(0);
    let run = Evidence::of(&project);
    let printed = run.text("stdout");
    assert!(printed.contains("firstsecond"), "{printed}");
    for prompt in
        ["SSH password:", "BECOME password[defaults to SSH password]:", "Vault password:", "Vault password (prod):"]
    {
        assert!(printed.contains(prompt), "{prompt} in\n{printed}");
    }
    let command = run.text("command");
    for option in ["--ask-pass", "--ask-become-pass", "--ask-vault-pass", "prod@prompt"] {
        assert!(command.contains(option), "{command}");
    }
    hides(&run, &shown);
    run.hides("canary-prod-x7");
    // What is typed into a run is not there when the playbook is checked.
    let _checked = ran(self::command(&project, &["check"]).output().unwrap()).expect(0);
}

#[test]
fn a_file_of_a_vault_id_needs_no_prompt() {
    let playbook =
        "- hosts: all\n  gather_facts: false\n  vars_files: [one.yml]\n  tasks:\n    - debug: msg={{ one }}\n";
    let project = project(playbook, "vault-ids = ['prod@secret']").file("one.yml", "one: first").file("secret", "s\n");
    let mut vault = Command::new(venv().join("bin/ansible-vault"));
    project.adopt(vault.args(["encrypt", "--vault-id", "prod@secret", "one.yml"]));
    let _encrypted = ran(vault.output().unwrap()).expect(0);
    let _shown = play(&project).expect(0);
    assert!(Evidence::of(&project).text("stdout").contains("first"));
}

// ---- not answered -----------------------------------------------------------------------------------------------------

#[test]
fn a_prompt_that_nobody_answers_ends_the_run_and_is_named() {
    let ending = "stop = { interrupt = '300ms', terminate = '5s' }\npasswords = { '^Never: $' = { env = 'CODE' } }\n";
    let asks = |private: bool| {
        format!(
            "- hosts: all\n  gather_facts: false\n  vars_prompt: [{{name: x, prompt: Which x, private: {private}}}]\n  tasks: []\n"
        )
    };
    for (playbook, more, prompt) in [
        (asks(false), "", "Which x:"),
        (asks(true), "", "Which x:"),
        (PAUSES.to_owned(), "", "Go on:"),
        (asks(true), "vault-ids = ['prod@prompt']", "Vault password (prod):"),
        (asks(true), "env = { ANSIBLE_ASK_PASS = '1' }", "SSH password:"),
    ] {
        let project = project(&playbook, &format!("{ending}{more}"));
        let outcome = impatient(&project, |_| {});
        let expected = Cause::UnansweredPrompt { text: prompt.to_owned() };
        assert_eq!((outcome.status, outcome.rc, outcome.cause), (Status::Timeout, Some(254), Some(expected)));
        let run = Evidence::of(&project);
        assert!(run.text("stdout").contains(prompt), "{}", run.text("stdout"));
    }
}

#[test]
fn a_prompt_that_nobody_answers_has_an_exit_code_and_a_remedy() {
    let job = "stop = { interrupt = '300ms' }\npasswords = { '^Which code: $' = { env = 'CODE' } }";
    let project = project(VARIABLES, job);
    let shown = play(&project).expect(23);
    assert!(shown.stderr.contains("`Which word:`") && shown.stderr.contains("`passwords`"), "{}", shown.stderr);
    hides(&Evidence::of(&project), &shown);
}

#[test]
fn what_is_wrong_three_times_is_not_answered_again() {
    let job = "passwords = { '^Which code: $' = { env = 'CODE' }, '^Which word: $' = { env = 'WORD' }, '^confirm' = { env = 'GO' } }";
    let project = project(VARIABLES, job);
    let outcome = impatient(&project, |_| {});
    assert_eq!(outcome.cause, Some(Cause::UnansweredPrompt { text: "Which word:".to_owned() }));
    let printed = Evidence::of(&project).text("stdout");
    assert_eq!(printed.matches("VALUES ENTERED DO NOT MATCH").count(), 3, "{printed}");
}

#[test]
fn what_is_no_prompt_does_not_end_the_run() {
    // A line without an end, and keys that are read for a while.
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - raw: sleep 2\n    - pause: {seconds: 2}\n    - {no_log: true, pause: {seconds: 2}}\n";
    let dots = "from ansible.plugins.callback import CallbackBase\nimport sys\n\n\nclass CallbackModule(CallbackBase):\n    \
                CALLBACK_VERSION = 2.0\n    CALLBACK_TYPE = 'stdout'\n    CALLBACK_NAME = 'dots'\n\n    \
                def v2_runner_on_start(self, host, task):\n        sys.stdout.write('Password.')\n        sys.stdout.flush()\n";
    let env = "env = { ANSIBLE_STDOUT_CALLBACK = 'dots', ANSIBLE_CALLBACK_PLUGINS = 'callbacks' }";
    let job = format!("{env}\npasswords = {{ '^Never: $' = {{ env = 'CODE' }} }}");
    let project = project(playbook, &job).file("callbacks/dots.py", dots);
    let outcome = impatient(&project, |_| {});
    assert_eq!((outcome.status, outcome.cause), (Status::Successful, None));
    assert!(Evidence::of(&project).text("stdout").contains("Password."));
}

#[test]
fn without_passwords_nothing_waits_for_a_person() {
    let playbook =
        format!("{VARIABLES}{PAUSES}").replace("private: true, confirm: true", "private: true, default: abc");
    let project = project(&playbook, "");
    let _shown = play(&project).expect(0);
    let run = Evidence::of(&project);
    assert!(run.text("stdout").contains("word 3") && run.text("stdout").contains("shown 0"), "{}", run.text("stdout"));
    assert!(run.text("stderr").contains("interactive"), "{}", run.text("stderr"));

    let project = self::project(&playbook, "vault-ids = ['prod@prompt']");
    let shown = play(&project).expect(12);
    assert!(shown.stderr.contains("`passwords`"), "{}", shown.stderr);
}

#[test]
fn a_pattern_that_is_none_starts_nothing() {
    let project = project(VARIABLES, "");
    let outcome = impatient(&project, |plan| {
        plan.job.answers = vec![Answer { pattern: "(Which".to_owned(), answer: Secret::new("canary-code-x1") }];
    });
    let Some(Cause::CouldNotStart { text }) = outcome.cause else { panic!("{:?}", outcome.cause) };
    assert!(text.contains("`(Which`"), "{text}");
    assert_eq!(outcome.rc, None);
}

// ---- the end at a prompt ----------------------------------------------------------------------------------------------

/// Starts a run and waits until it stands at the prompt that nobody answers.
fn at_a_prompt(mark: &str, more: &str) -> (Project, std::process::Child) {
    let job =
        format!("env = {{ PW_MARK = '{mark}' }}\npasswords = {{ '^Which code: $' = {{ env = 'CODE' }} }}\n{more}");
    let project = project(VARIABLES, &job).file("key", PLAIN);
    let child = command(&project, &["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the prompt", || {
        let runs = project.names("artifacts");
        let printed = runs.first().map(|run| project.path(&format!("artifacts/{run}/.private/stdout")));
        printed.is_some_and(|path| fs::read_to_string(path).unwrap_or_default().contains("Which word:"))
    });
    (project, child)
}

#[test]
fn a_person_can_end_a_run_at_a_prompt() {
    let mark = mark();
    let (project, child) = at_a_prompt(&mark, "");
    send(&child, Signal::INT);
    let shown = ran(child.wait_with_output().unwrap()).expect(20);
    nothing_with(&mark);
    hides(&Evidence::of(&project), &shown);
}

#[test]
fn a_pause_does_not_keep_ansible_from_ending_by_itself() {
    let pause = "- hosts: all\n  gather_facts: false\n  tasks:\n    - pause: {prompt: Really, seconds: 4000}\n";
    let project = project(pause, "passwords = { '^Nobody asks$' = { env = 'CODE' } }");
    let child = command(&project, &["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    eventually("the pause", || {
        let runs = project.names("artifacts");
        let printed = runs.first().map(|run| project.path(&format!("artifacts/{run}/.private/stdout")));
        printed.is_some_and(|path| fs::read_to_string(path).unwrap_or_default().contains("Really"))
    });
    send(&child, Signal::INT);
    let shown = ran(child.wait_with_output().unwrap()).expect(20);
    // One that is ended by a signal says nothing more.
    assert!(shown.stderr.contains("User interrupted execution"), "{shown:?}");
}

#[test]
fn nothing_is_alive_when_the_host_is_killed_at_a_prompt() {
    let mark = mark();
    let _needed = (which("ssh-agent"), which("ssh-add"));
    let (project, mut child) = at_a_prompt(&mark, "ssh-key = { file = 'key' }");
    assert!(marked(&mark).iter().any(|(_, command)| command.contains("ssh-agent")), "{:?}", marked(&mark));
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("nothing of the run is alive", || marked(&mark).is_empty());
    eventually("the run is closed", || project.playwarden(&["list", "--json"]).expect(0).stdout.contains("\"lost\""));
    for (_, typed) in TYPED {
        Evidence::of(&project).hides(typed);
    }
}

// ---- keys -------------------------------------------------------------------------------------------------------------

/// Returns where a program is that these tests need.
#[track_caller]
fn which(program: &str) -> std::path::PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("no `{program}` on the PATH: install OpenSSH's client"))
}

#[test]
fn an_agent_has_the_key_as_long_as_the_run_lasts_and_nobody_sees_it() {
    let _needed = (which("ssh-agent"), which("ssh-add"));
    let phrase = "passwords = { ssh-key = { env = 'PHRASE' } }";
    for (key, passwords, typed) in [(PLAIN, "", None), (LOCKED, phrase, Some("passphrase-x"))] {
        let mark = mark();
        let job = format!("env = {{ PW_MARK = '{mark}' }}\nssh-key = {{ file = 'key' }}\n{passwords}");
        let project = project(KEY, &job).file("key", key);
        let child = command(&project, &["run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        appears(&project.path("reached"));
        let secrets: Vec<_> = key.lines().filter(|line| !line.starts_with('-')).chain(typed).collect();
        let alive = marked(&mark);
        let mut seen = Vec::new();
        for (pid, command) in &alive {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let environment = String::from_utf8_lossy(&environment);
            if secrets.iter().any(|secret| command.contains(secret) || environment.contains(secret)) {
                seen.push(command);
            }
        }
        let project = project.file("go", "");
        let shown = ran(child.wait_with_output().unwrap()).expect(0);
        assert!(alive.len() > 2 && seen.is_empty(), "{seen:?} of {alive:?}");
        nothing_with(&mark);
        let run = Evidence::of(&project);
        let keys = at(run.result("runner_on_ok", "keys", "h1").0, "/res/stdout").to_string();
        assert!(keys.contains("ED25519"), "{keys}");
        assert!(run.outcome.left_alive.is_empty(), "{:?}", run.outcome.left_alive);
        hides(&run, &shown);
        secrets.iter().for_each(|secret| run.hides(secret));
    }
}

#[test]
fn an_agent_has_its_socket_elsewhere_where_the_path_is_long() {
    let _needed = (which("ssh-agent"), which("ssh-add"));
    let deep = "d".repeat(100);
    let project = project(KEY, "ssh-key = { file = 'key' }");
    let read = |name: &str| fs::read_to_string(project.path(name)).unwrap();
    let (config, hosts) = (read("runner.toml"), read("hosts"));
    let inside = |name: &str| format!("{deep}/{name}");
    let project = project.file(&inside("runner.toml"), &config).file(&inside("hosts"), &hosts).folder("run");
    let project = project.file(&inside("play.yml"), KEY).file(&inside("go"), "").file(&inside("key"), PLAIN);
    let mut command = command(&project, &["run"]);
    command.current_dir(project.path(&deep)).env("XDG_RUNTIME_DIR", project.path("run"));
    let shown = ran(command.output().unwrap()).expect(0);
    assert!(shown.stdout.contains("ok=2"), "{}", shown.stdout);
    assert_eq!(project.names("run"), Vec::<String>::new());
}

#[test]
fn a_key_that_cannot_be_used_starts_nothing() {
    let _needed = (which("ssh-agent"), which("ssh-add"));
    for (key, said) in [("canary-no-key", "Error loading key"), (LOCKED, "passphrase")] {
        let mark = mark();
        let job = format!("env = {{ PW_MARK = '{mark}' }}\nssh-key = {{ file = 'key' }}");
        let project = project(KEY, &job).file("key", key);
        let shown = play(&project).expect(12);
        assert!(shown.stderr.contains(said) && shown.stderr.contains("`ssh-key`"), "{}", shown.stderr);
        nothing_with(&mark);
        let run = Evidence::of(&project);
        assert!(run.named("playbook_on_start").is_empty());
        run.hides("canary-no-key");
    }
}
