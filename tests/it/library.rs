//! Running Ansible from a Rust program: what a `Run` answers while it lasts and afterwards, and closures as hooks.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use playwarden::plan::{Component, PluginPlan};
use playwarden::{Caller, Error, Plan, Run, run, run_async};
use playwarden_event::{Cause, Event, Outcome, Reason, Status, Stop, Verdict};
use serde_json::json;

use crate::alive::appears;
use crate::evidence::Evidence;
use crate::support::{Project, guest};

/// Its second task waits for the file `go`.
const PLAY: &str = r"
- hosts: all
  gather_facts: false
  tasks:
    - {name: one, set_fact: {color: blue}}
    - {name: waits, raw: 'touch {{ playbook_dir }}/reached; until [ -e {{ playbook_dir }}/go ]; do sleep 0.02; done'}
    - {name: two, debug: msg=two}
";

fn project() -> Project {
    Project::new(2, "[jobs.play]\nplaybook = \"play.yml\"\n").file("play.yml", PLAY)
}

/// One in which nothing waits.
fn ready() -> Project {
    project().file("go", "")
}

fn caller(project: &Project) -> Caller {
    let vars = [("PATH", std::env::var_os("PATH").unwrap()), ("HOME", project.path("home").into())];
    Caller {
        program: env!("CARGO_BIN_EXE_playwarden").into(),
        folder: project.path(""),
        vars: vars.map(|(name, value)| (OsString::from(name), value)).into_iter().collect::<BTreeMap<_, _>>(),
        cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache/playwarden")),
    }
}

fn plan(project: &Project) -> Plan {
    Plan::load("runner.toml", "play", &caller(project)).unwrap()
}

/// Waits for the end of a run, which must come by itself.
#[track_caller]
fn wait(run: &Run) -> Result<Outcome, Error> {
    let (sender, ended) = channel();
    let run = run.clone();
    thread::spawn(move || sender.send(run.wait()).is_ok());
    ended.recv_timeout(Duration::from_secs(60)).unwrap()
}

#[track_caller]
fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(Duration::from_secs(60)).unwrap()
}

// ---- a run ------------------------------------------------------------------------------------------------------------

#[test]
fn a_run_answers_all_questions_afterwards() {
    let project = ready();
    let run = run(plan(&project)).unwrap();
    let evidence = Evidence::of(&project);
    assert_eq!(
        (run.status(), run.rc(), run.outcome().as_ref()),
        (Status::Successful, Some(0), Some(&evidence.outcome))
    );
    assert_eq!(run.folder(), evidence.folder);
    assert_eq!(run.id(), evidence.folder.file_name().unwrap());
    let mut text = String::new();
    run.stdout().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, evidence.text("stdout"));
    let events: Vec<Event> = run.events().unwrap().map(Result::unwrap).collect();
    assert_eq!(events, evidence.events);
    let about: Vec<_> = run.host_events("h2").unwrap().map(|event| event.unwrap().name().to_owned()).collect();
    assert_eq!(about, ["runner_on_start", "runner_on_ok"].repeat(3));
    assert_eq!(run.host_events("nobody").unwrap().count(), 0);
    let stats = serde_json::to_value(run.stats().unwrap()).unwrap();
    assert_eq!((&stats["from"], &stats["hosts"]["h1"]["ok"]), (&json!("ansible"), &json!(3)));
    assert_eq!(run.fact_cache("h1").unwrap().unwrap().text(), r#"{"color":"blue"}"#);
    assert_eq!(run.fact_cache("nobody").unwrap(), None);
    // Asking for the end of what has ended does nothing.
    run.cancel().unwrap();
    assert_eq!(wait(&run).unwrap(), evidence.outcome);

    let found = Run::find(&project.path("artifacts"), "@").unwrap();
    assert_eq!((found.id(), found.status(), found.outcome()), (run.id(), Status::Successful, run.outcome()));
    assert_eq!(found.wait().unwrap(), evidence.outcome);
    assert!(found.cancel().unwrap_err().to_string().contains("the run has ended"));
    assert!(Run::find(&project.path("artifacts"), "nobody").is_err());
}

#[test]
fn a_run_may_begin_in_asynchronous_code() {
    let project = ready();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let run = runtime.block_on(async { run_async(plan(&project)) }).unwrap();
    assert_eq!(wait(&run).unwrap().status, Status::Successful);
    assert!(run.is_over());
}

#[test]
fn a_run_that_could_not_begin_does_not_answer_for_another() {
    let project = ready();
    let again = || {
        let mut plan = plan(&project);
        plan.job.run_id = Some("the-run".to_owned());
        run_async(plan).unwrap()
    };
    let first = again();
    wait(&first).unwrap();
    let second = again();
    assert!(matches!(wait(&second), Err(Error::Store(_))));
    assert!(second.is_over() && second.outcome().is_none());
    assert!(second.events().is_err() && second.stats().is_err() && first.events().is_ok());
}

#[test]
fn a_run_is_watched_and_ended_while_it_lasts() {
    let project = project();
    let (go, may_begin) = channel();
    let may_begin = Mutex::new(may_begin);
    // The first event waits for us, and with it the run.
    let plan = plan(&project).on_event(move |event| {
        if event.counter() == 1 {
            next(&may_begin.lock().unwrap());
        }
    });
    let run = run_async(plan).unwrap();
    assert_eq!((run.status(), run.outcome(), run.rc()), (Status::Unstarted, None, None));
    go.send(()).unwrap();
    appears(&project.path("reached"));
    assert_eq!(run.status(), Status::Running);
    let events: Vec<Event> = run.events().unwrap().map(Result::unwrap).collect();
    assert!(events.iter().any(|event| event.context().task.as_deref() == Some("waits")));
    assert!(events.iter().all(|event| event.name() != "run_finished"));
    let stats = serde_json::to_value(run.stats().unwrap()).unwrap();
    assert_eq!(
        (&stats["from"], &stats["status"], &stats["hosts"]["h1"]["ok"]),
        (&json!("journal"), &json!("running"), &json!(1))
    );
    assert_eq!(run.fact_cache("h2").unwrap().unwrap().text(), r#"{"color":"blue"}"#);
    // Who finds it in its folder sees the same, and can end it too.
    let found = Run::find(&project.path("artifacts"), run.id()).unwrap();
    assert_eq!((found.status(), found.outcome()), (Status::Running, None));
    assert!(matches!(found.wait(), Err(Error::NotHere)));
    found.cancel().unwrap();
    let outcome = wait(&run).unwrap();
    assert_eq!((outcome.status, outcome.rc, &outcome.cause), (Status::Canceled, Some(254), &Some(Cause::Person)));
    assert_eq!((run.status(), run.rc(), found.status()), (Status::Canceled, Some(254), Status::Canceled));
    assert_eq!(Evidence::of(&project).outcome, outcome);
}

#[test]
fn a_run_can_be_canceled_by_its_own_program() {
    let project = project();
    let run = run_async(plan(&project)).unwrap();
    appears(&project.path("reached"));
    run.clone().cancel().unwrap();
    assert_eq!(wait(&run).unwrap().cause, Some(Cause::Person));
    assert_eq!(Evidence::of(&project).outcome.status, Status::Canceled);
}

// ---- closures ---------------------------------------------------------------------------------------------------------

#[test]
fn closures_serve_all_four_hooks() {
    let project = ready();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let tell = || {
        let told = Arc::clone(&told);
        move |text: String| told.lock().unwrap().push(text)
    };
    let (event, status, judge, finished) = (tell(), tell(), tell(), tell());
    let record = project.path("artifacts/the-run/run.json");
    let mut plan = plan(&project)
        .on_event(move |told| event(format!("event {}", told.counter())))
        .on_status(move |change| status(format!("status {}", change.to)))
        .cancel_policy("watcher", move |told, totals| {
            assert!(totals.run.hosts <= 2);
            judge(format!("judged {}", told.counter()));
            Verdict::Proceed
        })
        .on_finished(move |outcome| {
            // The files are written.
            let record: serde_json::Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
            finished(format!("finished {} {}", outcome.status, record["outcome"]["status"]));
        });
    plan.job.run_id = Some("the-run".to_owned());
    let run = run(plan).unwrap();
    let evidence = Evidence::of(&project);
    assert_eq!(run.id(), "the-run");
    let told = told.lock().unwrap().clone();
    let of = |kind: &str| -> Vec<&str> { told.iter().filter_map(|text| text.strip_prefix(kind)).collect() };
    let all: Vec<String> = (1..=evidence.events.len()).map(|counter| counter.to_string()).collect();
    assert_eq!(of("event "), all);
    assert_eq!(of("status "), ["starting", "running", "successful"]);
    // All but the last two, which say how it ended.
    assert_eq!(of("judged "), all[..all.len() - 2]);
    assert_eq!(told.last().map(String::as_str), Some("finished successful \"successful\""));
}

#[test]
fn a_closure_that_says_cancel_is_a_policy_like_any_other() {
    let project = ready();
    let plan = plan(&project).cancel_policy("no-facts", |event, _| {
        let reason = Reason { text: "no".to_owned(), code: Some("no".to_owned()), event: Some(event.counter()) };
        if event.name() == "runner_on_ok" { Verdict::Cancel(reason, Stop::AfterRunningTasks) } else { Verdict::Proceed }
    });
    let run = run(plan).unwrap();
    assert_eq!((run.status(), run.rc()), (Status::Canceled, Some(254)));
    let evidence = Evidence::of(&project);
    assert!(
        matches!(&evidence.outcome.cause, Some(Cause::Plugin { name, reason }) if name == "no-facts" && reason.text == "no")
    );
    let verdict = evidence.only("policy_verdict").counter();
    assert!(evidence.named("runner_on_start").iter().all(|event| event.counter() < verdict), "{}", evidence.list());
    assert!(!project.path("reached").exists());
}

#[test]
fn a_policy_that_panics_cancels() {
    let project = ready();
    let plan = plan(&project).cancel_policy("fragile", |event, _| {
        assert_ne!(event.name(), "runner_on_ok", "this closure fails on purpose");
        Verdict::Proceed
    });
    let run = run(plan).unwrap();
    let outcome = run.outcome().unwrap();
    assert_eq!((outcome.status, &outcome.faulty_plugins[..]), (Status::Canceled, &["fragile".to_owned()][..]));
    let said = |text: &str| text.contains("panicked: ") && text.contains("this closure fails on purpose");
    assert!(
        matches!(&outcome.cause, Some(Cause::PluginFault { name, text }) if name == "fragile" && said(text)),
        "{outcome:?}"
    );
    assert!(!project.path("reached").exists());
    Evidence::of(&project);
}

/// What panics in an observing closure ends the run too, and who waits for it learns so.
#[test]
fn an_observer_that_panics_ends_the_run() {
    let project = project();
    let fails_at = |what: &str, breaking: &str| assert_ne!(what, breaking, "this closure fails on purpose");
    for (kind, plan) in [
        ("event", plan(&project).on_event(move |event| fails_at(event.name(), "runner_on_ok"))),
        ("status", plan(&project).on_status(move |change| fails_at(change.to.word(), "running"))),
    ] {
        let outcome = wait(&run_async(plan).unwrap()).unwrap();
        assert_eq!(outcome.status, Status::Canceled, "{kind}");
        let said = |text: &str| text.contains("this closure fails on purpose");
        assert!(matches!(&outcome.cause, Some(Cause::PluginFault { text, .. }) if said(text)), "{kind}: {outcome:?}");
        assert_eq!(outcome.faulty_plugins, [format!("{kind}-handler")]);
        Evidence::of(&project);
        // Without a policy nothing waits at the gate: the next task may have begun. It has no `go` and would wait for ever.
        fs::remove_dir_all(project.path("artifacts")).unwrap();
    }
}

#[test]
fn a_last_closure_that_panics_keeps_nobody_waiting() {
    let project = ready();
    let run = run_async(plan(&project).on_finished(|_| panic!("this closure fails on purpose"))).unwrap();
    let outcome = wait(&run).unwrap();
    assert_eq!(outcome.rc, Some(0));
    assert_eq!(project.outcome().rc, Some(0), "the files are written");
    assert!(!run.folder().join(".private").exists());
}

// ---- a plan -----------------------------------------------------------------------------------------------------------

#[test]
fn a_plan_may_be_changed_in_code() {
    let project = ready();
    let mut plan = plan(&project);
    plan.job.limit = Some("h2".to_owned());
    plan.job.extra_vars.insert("said".to_owned(), "hello".into());
    plan.job.run_id = Some("changed".to_owned());
    let mut policy = PluginPlan::new("table", Component::Path(guest("verdict_table")));
    policy.config = json!({ "kind": "runner_on_ok", "task": "waits" });
    plan.job.plugins.push(policy);
    plan.job.cancel_policies.push("table".to_owned());
    plan.job.plugins.push(PluginPlan::new("junit", Component::Builtin("junit".to_owned())));
    plan.job.finished_callbacks.push("junit".to_owned());
    let run = run(plan).unwrap();
    let evidence = Evidence::of(&project);
    assert_eq!((run.id(), run.status()), ("changed", Status::Canceled));
    assert_eq!(run.host_events("h1").unwrap().count(), 0);
    assert!(matches!(&evidence.outcome.cause, Some(Cause::Plugin { name, .. }) if name == "table"));
    assert!(run.folder().join("plugins/junit/junit.xml").exists());
    assert!(evidence.text("command").contains("hello"));
}

#[test]
fn what_stands_against_a_run_is_an_error() {
    let project = ready();
    let caller = caller(&project);
    let err = Plan::load("runner.toml", "pla", &caller).unwrap_err();
    assert!(matches!(&err, Error::Findings { .. }) && err.to_string().contains("play"), "{err}");
    let err = Plan::load("no.toml", "play", &caller).unwrap_err();
    assert!(matches!(&err, Error::Findings { .. }) && err.to_string().contains("no.toml"), "{err}");

    let mut with_plugin = plan(&project);
    let none = PluginPlan::new("none", Component::Path(project.path("none.wasm")));
    with_plugin.job.plugins.push(none);
    with_plugin.job.cancel_policies.push("none".to_owned());
    let err = run(with_plugin).unwrap_err();
    assert!(matches!(&err, Error::Plugins(_)) && err.to_string().contains("plugin `none` cannot be loaded"), "{err}");
    assert!(!project.path("artifacts").exists());

    let same = || {
        let mut plan = plan(&project);
        plan.job.run_id = Some("same".to_owned());
        plan
    };
    run(same()).unwrap();
    let second = run_async(same()).unwrap();
    let err = wait(&second).unwrap_err();
    assert!(matches!(&err, Error::Store(_)) && err.to_string().contains("there is a run `same` already"), "{err}");
    assert!(matches!(wait(&second), Err(Error::NotHere)));
    assert_eq!(Evidence::of(&project).outcome.status, Status::Successful);
}
