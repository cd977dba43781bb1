//! Plugins that misbehave, one test for each way: denied, named, and the run goes on or ends as `on-fault` says.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use playwarden_event::kind::{PluginFault, PolicyVerdict, VerdictWord};
use playwarden_event::{Cause, EventKind, Status};
use sha2::{Digest as _, Sha256};

use crate::evidence::Evidence;
use crate::support::{Project, Ran, guest};

const PLAYBOOK: &str = "\
- hosts: all
  gather_facts: false
  tasks:
    - debug: msg=one
    - debug: msg=two
";

/// Those that would never come back. The others get all the time that a busy computer may need.
const ENDLESS: &[&str] = &["never_returns", "sleeps_in_host", "floods_output"];

/// Makes a project whose job is watched by a guest under the name of `bad`.
fn project(name: &str, on_fault: &str, playbook: &str) -> Project {
    let policies = "cancel-policies = [\"bad\"]\n[jobs.site]\nplaybook = \"site.yml\"\n";
    Project::new(2, &format!("{policies}{}", plugin("bad", name, on_fault))).file("site.yml", playbook)
}

fn plugin(name: &str, of: &str, on_fault: &str) -> String {
    let path = guest(of).display().to_string();
    let call = if ENDLESS.contains(&of) { "500ms" } else { "1m" };
    format!(
        "[plugins.{name}]\npath = {path:?}\non-fault = {on_fault:?}\n\
         limits = {{ call = {call:?}, log = \"64KiB\", output = \"1MiB\" }}\n"
    )
}

fn sha256(path: &Path) -> String {
    Sha256::digest(fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn faults(run: &Evidence) -> Vec<(u64, &PluginFault)> {
    run.events
        .iter()
        .filter_map(|event| match event.kind() {
            EventKind::PluginFault(data) => Some((event.counter(), &**data)),
            _ => None,
        })
        .collect()
}

fn verdicts(run: &Evidence) -> Vec<&PolicyVerdict> {
    run.events
        .iter()
        .filter_map(|event| match event.kind() {
            EventKind::PolicyVerdict(data) => Some(&**data),
            _ => None,
        })
        .collect()
}

/// What is known of a fault.
struct Expected {
    guest: &'static str,
    call: &'static str,
    fault: &'static str,
    text: &'static str,
    /// The guest's own last words, where it has any.
    words: &'static str,
}

impl Expected {
    /// Runs a play under the guest, and finds the one fault described.
    fn run(&self, on_fault: &str) -> (Project, Evidence, Ran) {
        let project = project(self.guest, on_fault, PLAYBOOK);
        let ran = project.playwarden(&["run"]);
        let run = Evidence::of(&project);
        let [(_, fault)] = faults(&run)[..] else { panic!("one fault is expected\n{}", ran.stderr) };
        assert_eq!((fault.plugin.name.as_str(), &fault.plugin.sha256), ("bad", &sha256(&guest(self.guest))));
        assert_eq!((fault.call.as_str(), fault.fault.as_str()), (self.call, self.fault), "{fault:?}");
        // Where it was at its deadline is chance.
        let (text, _place) = fault.text.split_once(", in `").unwrap_or((&fault.text, ""));
        assert_eq!((text, fault.on_fault.as_str()), (self.text, on_fault));
        assert!(fault.stderr.contains(self.words), "{fault:?}");
        assert!(!self.words.is_empty() || fault.stderr.is_empty(), "{fault:?}");
        assert_eq!(run.outcome.faulty_plugins, ["bad"]);
        // A person reads of it at once, not only at the end.
        let said = format!("playwarden: plugin `bad` broke in `{}`: {}; ", self.call, fault.text);
        assert!(ran.stderr.contains(&said) && ran.stderr.contains(self.words), "{}", ran.stderr);
        (project, run, ran)
    }

    fn is_ignored(&self) -> (Project, Evidence) {
        let (project, run, ran) = self.run("ignore");
        let _shown = ran.expect(0);
        assert_eq!((run.outcome.status, &run.outcome.cause), (Status::Successful, &None));
        assert_eq!(run.named("runner_on_ok").len(), 4);
        (project, run)
    }

    fn fails_the_run(&self) {
        let (_project, run, ran) = self.run("fail");
        let _shown = ran.expect(32);
        assert_eq!(run.outcome.status, Status::Failed);
        assert_eq!(run.outcome.rc, Some(0));
        self.is_the_cause(&run);
        assert_eq!(run.named("runner_on_ok").len(), 4, "the run goes on to its end");
    }

    fn cancels_the_run(&self) {
        let (_project, run, ran) = self.run("cancel");
        let _shown = ran.expect(32);
        assert_eq!(run.outcome.status, Status::Canceled);
        assert_eq!(run.outcome.rc, Some(254));
        self.is_the_cause(&run);
        let (at, _) = faults(&run)[0];
        let later = run.named("runner_on_start").into_iter().filter(|event| event.counter() > at).count();
        assert_eq!(later, 0, "nothing starts after the fault");
    }

    fn is_the_cause(&self, run: &Evidence) {
        let text = format!("broke in `{}`: {}", self.call, self.text);
        assert_eq!(run.outcome.cause, Some(Cause::PluginFault { name: "bad".to_owned(), text }));
    }
}

// ---- one attack each --------------------------------------------------------------------------------------------------

const NEVER_RETURNS: Expected = Expected {
    guest: "never_returns",
    call: "cancel-policy.evaluate",
    fault: "timeout",
    text: "took longer than 500ms",
    words: "",
};

const TRAPS_ON_EVENT: Expected = Expected {
    guest: "traps_on_event",
    call: "cancel-policy.evaluate",
    fault: "trap",
    text: "gave up (an `unreachable` trap: a panic or an exception nobody caught)",
    words: "this guest fails on purpose",
};

const TRAPS_AT_START: Expected = Expected {
    guest: "traps_at_start",
    call: "lifecycle.start",
    fault: "trap",
    text: TRAPS_ON_EVENT.text,
    words: "this guest does not even start",
};

const WRONG_ANSWER: Expected = Expected {
    guest: "wrong_answer",
    call: "cancel-policy.evaluate",
    fault: "failure",
    text: "answered with a failure: this guest never knows the answer",
    words: "",
};

const BAD_TABLE: Expected = Expected {
    guest: "bad_table",
    call: "instantiate",
    fault: "memory",
    text: "needed more memory than its 64 MiB",
    words: "",
};

#[test]
fn an_endless_loop_costs_one_deadline() {
    NEVER_RETURNS.is_ignored();
    NEVER_RETURNS.cancels_the_run();
}

#[test]
fn sleeping_in_the_host_costs_one_deadline_too() {
    Expected { guest: "sleeps_in_host", ..NEVER_RETURNS }.is_ignored();
}

#[test]
fn memory_is_refused_at_the_limit() {
    let words = "memory allocation of 1048576 bytes failed";
    Expected { guest: "grows_memory", call: "cancel-policy.evaluate", words, ..BAD_TABLE }.is_ignored();
}

#[test]
fn memory_wanted_from_the_beginning_is_refused_as_well() {
    BAD_TABLE.is_ignored();
    BAD_TABLE.cancels_the_run();
}

#[test]
fn a_refusal_that_the_guest_survived_is_not_blamed_for_what_follows() {
    let words = "this guest fails for another reason";
    Expected { guest: "survives_refusal", words, ..TRAPS_ON_EVENT }.is_ignored();
}

#[test]
fn a_panic_is_shown_in_the_guests_own_words() {
    TRAPS_ON_EVENT.is_ignored();
    TRAPS_ON_EVENT.fails_the_run();
    TRAPS_ON_EVENT.cancels_the_run();
}

#[test]
fn a_panic_at_the_start_is_a_fault_like_any_other() {
    TRAPS_AT_START.is_ignored();
    TRAPS_AT_START.fails_the_run();
    TRAPS_AT_START.cancels_the_run();
}

#[test]
fn an_answer_that_is_none_is_a_fault() {
    WRONG_ANSWER.is_ignored();
    WRONG_ANSWER.fails_the_run();
}

#[test]
fn a_flood_of_log_lines_ends_at_the_limit() {
    let text = "logged more than 64 KiB";
    let flood = Expected { guest: "floods_log", fault: "log", text, words: "flood flood", ..NEVER_RETURNS };
    let (_project, run) = flood.is_ignored();
    let log = fs::metadata(run.folder.join("plugins/bad/log.jsonl")).unwrap().len();
    assert!((1..=64 << 10).contains(&log), "{log}");
    let (_, fault) = faults(&run)[0];
    assert!(fault.stderr.len() <= 8 << 10, "{}", fault.stderr.len());
}

#[test]
fn a_flood_of_output_is_refused_at_the_limit() {
    let (_project, run) = Expected { guest: "floods_output", ..NEVER_RETURNS }.is_ignored();
    let flood = fs::metadata(run.folder.join("plugins/bad/flood.txt")).unwrap().len();
    assert!((1..=1 << 20).contains(&flood), "{flood}");
}

#[test]
fn a_reason_without_end_is_cut() {
    let project = project("huge_reason", "ignore", PLAYBOOK);
    let ran = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let text = |verdict: &PolicyVerdict| verdict.reason.text.clone();
    let said = verdicts(&run);
    // The last events are judged too, late as they are.
    assert!((1..=2).contains(&said.len()), "{}", said.len());
    assert!(text(said[0]).ends_with("xxx [cut, 1048576 bytes in full]"), "{}", text(said[0]));
    assert!(text(said[0]).len() < 5000);
    assert!(fs::metadata(run.folder.join("events.jsonl")).unwrap().len() < 64 << 10);
    assert!(ran.stderr.lines().all(|line| line.len() < 600), "{}", ran.stderr);
}

#[test]
fn no_file_can_be_opened() {
    let project = project("opens_a_file", "ignore", PLAYBOOK);
    let ran = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert!(faults(&run).is_empty());
    // Asked before each of four starts where anything is new, and at the end; never about its own warnings.
    let said = verdicts(&run);
    assert!((3..=8).contains(&said.len()), "{}", said.len());
    for verdict in said {
        assert_eq!((verdict.verdict, verdict.acted_on), (VerdictWord::Warn, false));
        assert!(verdict.reason.text.starts_with("cannot read /etc/passwd: "), "{verdict:?}");
    }
    assert!(ran.stderr.contains("playwarden: policy `bad` warns: cannot read /etc/passwd: "), "{}", ran.stderr);
}

#[test]
fn warnings_are_recorded_and_shown_and_the_run_goes_on() {
    let playbook = "\
- hosts: all
  gather_facts: false
  tasks:
    - command: 'false'
      ignore_errors: true
    - debug: msg=two
";
    let project = project("warns_always", "cancel", playbook);
    let ran = project.playwarden(&["run"]).expect(0);
    let run = Evidence::of(&project);
    assert!(faults(&run).is_empty());
    let said: Vec<_> = verdicts(&run).into_iter().map(|verdict| verdict.reason.clone()).collect();
    let failed: Vec<_> = run.named("runner_on_failed").into_iter().map(|event| Some(event.counter())).collect();
    assert_eq!(failed.len(), 2);
    assert_eq!(said.iter().map(|reason| reason.event).collect::<Vec<_>>(), failed);
    for reason in said {
        assert_eq!(reason.code.as_deref(), Some("failed"));
        assert!(ran.stderr.contains(&format!("playwarden: policy `bad` warns: {}\n", reason.text)), "{}", ran.stderr);
    }
}

// ---- several ----------------------------------------------------------------------------------------------------------

#[test]
fn two_that_are_faulty_do_not_keep_a_third_from_its_work() {
    let playbook = "\
- hosts: all
  gather_facts: false
  tasks:
    - debug: msg=one
    - command: 'false'
      when: inventory_hostname == 'h1'
    - debug: msg=never
";
    let rest = [
        "[jobs.site]\nplaybook = \"site.yml\"\ncancel-policies = [\"bad\", \"good\", \"worse\"]\n".to_owned(),
        plugin("bad", "traps_at_start", "ignore"),
        plugin("worse", "never_returns", "ignore"),
        plugin("good", "fail_budget", "cancel") + "config = { max-failed-hosts = 0 }\n",
    ];
    let project = Project::new(2, &rest.concat()).file("site.yml", playbook);
    let _shown = project.playwarden(&["run"]).expect(21);
    let run = Evidence::of(&project);
    let names: Vec<_> = faults(&run).into_iter().map(|(_, fault)| fault.plugin.name.as_str()).collect();
    assert_eq!(names, ["bad", "worse"]);
    assert_eq!(run.outcome.faulty_plugins, names);
    assert!(matches!(&run.outcome.cause, Some(Cause::Plugin { name, .. }) if name == "good"), "{:?}", run.outcome);
    let verdict = run.only("policy_verdict").counter();
    assert!(run.named("runner_on_start").iter().all(|event| event.counter() < verdict), "{}", run.list());
}

/// A guest that no test loads would only seem to guard against anything.
#[test]
fn every_guest_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        ["guests", "gate", "kit", "refusals"].iter().map(|name| root.join(format!("tests/it/{name}.rs"))).collect();
    for folder in ["tests/it/gate", "src/sandbox/tests/guests"] {
        let paths = fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
        files.extend(paths.filter(|path| path.is_file()));
    }
    let tests: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let folders = fs::read_dir(root.join("plugins/test-guests")).unwrap();
    let untested: Vec<_> = folders
        .map(|folder| folder.unwrap().file_name().into_string().unwrap().replace('-', "_"))
        .filter(|name| !tests.contains(&format!("\"{name}\"")))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}

// ---- the cache of compiled plugins ------------------------------------------------------------------------------------

/// A project whose plugin is compiled into a cache of its own.
struct Cached {
    project: Project,
}

impl Cached {
    fn new() -> Self {
        let job = "[jobs.site]\nplaybook = \"site.yml\"\ncancel-policies = [\"budget\"]\n";
        let plugin =
            job.to_owned() + &plugin("budget", "fail_budget", "cancel") + "config = { max-failed-hosts = 1 }\n";
        Self { project: Project::new(1, &plugin).file("site.yml", PLAYBOOK) }
    }

    fn check(&self) -> Ran {
        let mut check = self.project.command(&["check"]);
        crate::support::ran(check.env("XDG_CACHE_HOME", self.project.path("cache")).output().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.project.path("cache/playwarden/plugins")
    }

    /// Returns the only compiled file.
    fn file(&self) -> PathBuf {
        let [name] = &self.project.names("cache/playwarden/plugins")[..] else { panic!("one file is expected") };
        self.folder().join(name)
    }

    /// Puts the compiled code of another plugin, which has no hook at all, in the place of this one's.
    fn exchange(&self) {
        let other = Self::new();
        let runner = fs::read_to_string(other.project.path("runner.toml")).unwrap();
        let runner = runner.replace("fail_budget.wasm", "no_hooks.wasm");
        fs::write(other.project.path("runner.toml"), runner).unwrap();
        let _shown = other.check().expect(30);
        fs::write(self.file(), fs::read(other.file()).unwrap()).unwrap();
    }
}

#[test]
fn a_plugin_is_compiled_once() {
    let cached = Cached::new();
    let _shown = cached.check().expect(0);
    let folder = fs::metadata(cached.folder()).unwrap();
    assert_eq!(folder.mode() & 0o777, 0o700);
    let file = cached.file();
    assert!(file.file_name().unwrap().to_str().unwrap().starts_with(&sha256(&guest("fail_budget"))));
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o077, 0);

    let first = fs::metadata(&file).unwrap();
    let _shown = cached.check().expect(0);
    let second = fs::metadata(&file).unwrap();
    // What is compiled anew gets a file of its own.
    assert_eq!((first.ino(), first.mtime_nsec()), (second.ino(), second.mtime_nsec()));

    cached.exchange();
    assert!(cached.check().expect(30).stdout.contains("does not offer the hook"), "the compiled file should be used");
}

#[test]
fn a_cache_that_others_can_write_is_not_used() {
    let cached = Cached::new();
    let _shown = cached.check().expect(0);
    cached.exchange();
    let mode =
        |path: &Path, mode| fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    let before = fs::metadata(cached.file()).unwrap().ino();
    mode(&cached.folder(), 0o770);
    let _shown = cached.check().expect(0);
    assert_eq!(fs::metadata(cached.file()).unwrap().ino(), before, "nothing is written there either");

    mode(&cached.folder(), 0o700);
    mode(&cached.file(), 0o666);
    let _shown = cached.check().expect(0);
    assert_ne!(fs::metadata(cached.file()).unwrap().ino(), before, "the file should be made anew");

    let elsewhere = cached.project.path("elsewhere");
    fs::rename(cached.folder(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, cached.folder()).unwrap();
    let _shown = cached.check().expect(0);
}

#[test]
fn a_damaged_cache_is_made_anew() {
    let cached = Cached::new();
    let _shown = cached.check().expect(0);
    let whole = fs::read(cached.file()).unwrap();
    for damaged in [&whole[..whole.len() / 2], &whole[..100], b"", b"no compiled code at all"] {
        fs::write(cached.file(), damaged).unwrap();
        let _shown = cached.check().expect(0);
        assert_eq!(fs::metadata(cached.file()).unwrap().len(), whole.len() as u64);
    }
}
