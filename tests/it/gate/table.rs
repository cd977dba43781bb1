//! Nothing starts after the breaking event: strategies × shapes × ways to stop × forks, counted in the journal and on disk.
//!
//! One round goes over all strategies and shapes, and turns the wheel of stops and forks by one; ten rounds are all there
//! is. `PLAYWARDEN_SOAK` says how many rounds; without it there is one.

use std::collections::BTreeSet;
use std::time::Duration;

use playwarden_event::kind::PolicyVerdict;
use playwarden_event::{Event, EventKind, Status};

use super::shapes::{SHAPES, Scene};
use super::{nothing_starts_after, under, verdict};
use crate::alive::{mark, marked};
use crate::evidence::Evidence;
use crate::figures;
use crate::support::{Project, guest};

const STRATEGIES: [&str; 4] = ["linear", "free", "host_pinned", "serial"];
const STOPS: [&str; 2] = ["now", "after-running-tasks"];
const FORKS: [usize; 5] = [1, 2, 5, 20, 50];

/// What was counted, for whoever reads the figures.
#[derive(Default)]
struct Figures {
    runs: usize,
    starts: usize,
    held: usize,
    left: usize,
    to_verdict: Vec<Duration>,
    to_end: Vec<Duration>,
}

impl Figures {
    fn line(&mut self, of: &str) -> String {
        let Self { runs, starts, held, left, .. } = self;
        format!(
            "gate, {of}: {runs} runs with {starts} starts and {held} tasks in flight; 0 starts after the breaking event, \
             {left} processes left and named; to the verdict {}, to the end {}",
            spread(&mut self.to_verdict),
            spread(&mut self.to_end),
        )
    }
}

/// The middle and the worst of some times.
fn spread(times: &mut [Duration]) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
    let [middle, worst] = [50, 99].map(|percent| at(percent).copied().unwrap_or_default().as_secs_f64() * 1e3);
    format!("p50 {middle:.1} ms, p99 {worst:.1} ms")
}

/// All shapes under one strategy, in every round. What was counted.
fn turns(strategy: &'static str) -> String {
    let place = STRATEGIES.iter().position(|known| *known == strategy).unwrap();
    let mut figures = Figures::default();
    for round in figures::rounds(1).map(|round| round as usize) {
        for (index, shape) in SHAPES.into_iter().enumerate() {
            let turn = round + place * SHAPES.len() + index;
            let scene = Scene { strategy, shape, stop: STOPS[turn % 2], forks: FORKS[turn % FORKS.len()] };
            holds(scene, &mut figures);
        }
    }
    figures.line(strategy)
}

/// Breaks a run, and looks at everything that it left.
fn holds(scene: Scene, figures: &mut Figures) {
    let mark = mark();
    let defaults = format!("forks = {}\nenv = {{ PW_MARK = \"{mark}\" }}", scene.forks);
    let (kind, host) = (scene.kind(), scene.breaking());
    let settings =
        format!("config = {{ kind = \"{kind}\", host = \"{host}\", task = \"breaks\", stop = \"{}\" }}", scene.stop);
    let project = scene.write(under("verdict_table", &settings, scene.hosts(), &defaults, ""));
    let ran = project.playwarden(&["run"]);
    assert_eq!(ran.code, Some(21), "{scene:?}\n{}\n{}", ran.stdout, ran.stderr);
    let alive = marked(&mark);
    let run = Evidence::of(&project);
    assert!(alive.is_empty(), "{scene:?}: {alive:?}");
    assert_eq!(run.outcome.status, Status::Canceled, "{scene:?}");

    let (said, verdict) = verdict(&run);
    let breaking = breaking(scene, &run, verdict);
    assert_eq!(said.counter(), breaking.counter() + 1, "{scene:?}\n{}", run.list());
    nothing_starts_after(breaking.counter(), &run, &project);

    let granted: BTreeSet<_> = run.named("runner_on_start").into_iter().map(name).collect();
    let ended: BTreeSet<_> = run.events.iter().filter(|event| is_result(event)).map(name).collect();
    let mut in_flight: Vec<_> = run.outcome.in_flight.iter().map(|at| format!("{}_{}", at.task, at.host)).collect();
    in_flight.sort();
    assert_eq!(in_flight, granted.difference(&ended).cloned().collect::<Vec<_>>(), "{scene:?}\n{}", run.list());
    let held = files(&project, "held");
    assert!(scene.others().iter().all(|host| held.contains(host)), "{scene:?}: {held:?}");
    let done = files(&project, "done");
    match scene.stop {
        "now" => {
            let finished = held.iter().filter(|host| done.contains(&format!("breaks_{host}"))).count();
            assert_eq!(finished, 0, "{scene:?}: what was in flight is interrupted\n{}", run.list());
        }
        _ => all_came_to_an_end(scene, &granted, &done, &run, &project),
    }
    if scene.shape == "loop" {
        items(scene, &held, &project);
    }
    figures.runs += 1;
    figures.starts += granted.len();
    figures.held += held.len();
    figures.left += alive.len();
    figures.to_verdict.push(between(breaking, said));
    figures.to_end.push(between(breaking, run.events.last().unwrap()));
}

/// The event that the verdict is about, which is the one that had to be.
#[track_caller]
fn breaking<'r>(scene: Scene, run: &'r Evidence, verdict: &PolicyVerdict) -> &'r Event {
    let about = run.about(scene.kind(), "breaks");
    let event = about.into_iter().find(|event| event.host() == Some(&scene.breaking())).unwrap();
    assert_eq!(verdict.reason.event, Some(event.counter()), "{scene:?}\n{}", run.list());
    assert!(verdict.acted_on);
    event
}

/// Everything that was granted has a result and left its files.
#[track_caller]
fn all_came_to_an_end(
    scene: Scene,
    granted: &BTreeSet<String>,
    done: &BTreeSet<String>,
    run: &Evidence,
    project: &Project,
) {
    assert!(run.outcome.in_flight.is_empty(), "{scene:?}\n{}", run.list());
    let effective: BTreeSet<_> = granted.iter().filter(|name| !name.starts_with("include_")).cloned().collect();
    let mut started = files(project, "started");
    let mut expected = effective.clone();
    let broke = format!("breaks_{}", scene.breaking());
    if scene.shape == "async" {
        // What was sent to the background is ended with the run, wherever it stands.
        started.retain(|name| name.starts_with("breaks"));
        expected.retain(|name| name.starts_with("breaks"));
    }
    assert_eq!(started, expected, "{scene:?}\n{}", run.list());
    let finished: BTreeSet<_> = expected.into_iter().filter(|name| *name != broke || scene.shape == "loop").collect();
    let done: BTreeSet<_> = done.iter().filter(|name| finished.contains(*name)).cloned().collect();
    assert_eq!(done, finished, "{scene:?}\n{}", run.list());
}

/// At most the one item that was in flight on each host, or all of them where running tasks end by themselves.
#[track_caller]
fn items(scene: Scene, held: &BTreeSet<String>, project: &Project) {
    let items = files(project, "items");
    let of = |host: &str| items.iter().filter(|item| item.starts_with(&format!("breaks_{host}."))).count();
    for host in held {
        let first = usize::from(*host == scene.breaking());
        match scene.stop {
            "now" => assert_eq!(of(host), first + 1, "{scene:?} on {host}: {items:?}"),
            _ => assert_eq!(of(host), 3, "{scene:?} on {host}: {items:?}"),
        }
    }
}

fn files(project: &Project, folder: &str) -> BTreeSet<String> {
    project.names(folder).into_iter().collect()
}

fn name(event: &Event) -> String {
    format!("{}_{}", event.context().task.as_deref().unwrap(), event.host().unwrap())
}

fn is_result(event: &Event) -> bool {
    ["runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable"].contains(&event.name())
}

fn between(one: &Event, other: &Event) -> Duration {
    other.head().created.since(one.head().created)
}

#[test]
fn under_linear_nothing_starts_after_the_breaking_event() {
    println!("{}", turns("linear"));
}

#[test]
fn under_free_nothing_starts_after_the_breaking_event() {
    println!("{}", turns("free"));
}

#[test]
fn under_host_pinned_nothing_starts_after_the_breaking_event() {
    println!("{}", turns("host_pinned"));
}

#[test]
fn in_batches_nothing_starts_after_the_breaking_event() {
    println!("{}", turns("serial"));
}

// ---- ad hoc -----------------------------------------------------------------------------------------------------------

#[test]
fn of_one_module_on_many_hosts_nothing_starts_after_the_breaking_event() {
    for (forks, stop) in [(1, "now"), (5, "now"), (2, "after-running-tasks")] {
        let project = under("verdict_table", "", 8, &format!("forks = {forks}"), "").folder("started");
        let text = std::fs::read_to_string(project.path("runner.toml")).unwrap();
        let command = format!("touch {}/raw_{{{{ inventory_hostname }}}}; exit 1", project.path("started").display());
        let job = format!("module = \"raw\"\nargs = {command:?}\nhosts = \"all\"");
        let config = format!("[plugins.policy]\nconfig = {{ kind = \"runner_on_failed\", stop = \"{stop}\" }}");
        let text = text.replace("playbook = \"play.yml\"", &job).replace("[plugins.policy]", &config);
        let project = project.file("runner.toml", &text);
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let breaking = run.named("runner_on_failed")[0];
        let EventKind::PolicyVerdict(first) = run.named("policy_verdict")[0].kind() else { unreachable!() };
        assert_eq!((first.reason.event, first.acted_on), (Some(breaking.counter()), true));
        nothing_starts_after(breaking.counter(), &run, &project);
        let started = run.named("runner_on_start").len();
        assert!(started < 8, "{}", run.list());
        if stop != "now" {
            assert_eq!((project.names("started").len(), run.named("runner_on_failed").len()), (started, started));
        }
    }
}

// ---- several policies ---------------------------------------------------------------------------------------------------

#[test]
fn of_several_policies_the_first_cancel_wins_and_all_verdicts_are_recorded() {
    let table = |name: &str, stop: &str, more: &str| {
        let guest = guest("verdict_table").display().to_string();
        let config = format!("config = {{ kind = \"runner_on_failed\", task = \"breaks\", stop = \"{stop}\" }}");
        format!("[plugins.{name}]\npath = {guest:?}\n{config}\n{more}\n")
    };
    for (strategy, first, second) in [("linear", "after-running-tasks", "now"), ("free", "now", "after-running-tasks")]
    {
        // Held for ever: whoever asks for more haste gets it, in whatever order.
        let scene = Scene { strategy, shape: "plain", stop: "now", forks: 5 };
        let warns = format!("[plugins.warns]\npath = {:?}\n", guest("warns_always").display().to_string());
        let start = "config = { task = \"after\" }";
        let plugins =
            [table("watches", "now", "mode = \"monitor\""), warns, table("one", first, ""), table("two", second, "")];
        let project = scene.write(under("cancels_on_start", start, scene.hosts(), "forks = 5", ""));
        let text = std::fs::read_to_string(project.path("runner.toml")).unwrap();
        let all = "cancel-policies = [\"watches\", \"warns\", \"policy\", \"one\", \"two\"]";
        let text = text.replace("cancel-policies = [\"policy\"]", all);
        let project = project.file("runner.toml", &format!("{text}{}", plugins.concat()));
        let _shown = project.playwarden(&["run"]).expect(21);
        let run = Evidence::of(&project);
        let breaking = run.result("runner_on_failed", "breaks", "h1").0;
        nothing_starts_after(breaking.counter(), &run, &project);
        let said: Vec<_> = run.named("policy_verdict").into_iter().map(heard).collect();
        let expected =
            [("watches", "cancel", false), ("warns", "warn", false), ("one", "cancel", true), ("two", "cancel", false)];
        let expected = expected.map(|(name, word, acted_on)| (name.to_owned(), word.to_owned(), acted_on));
        assert_eq!(said, expected, "{}", run.list());
        let cause = run.outcome.cause.as_ref().unwrap().to_string();
        assert!(cause.contains("`one`"), "{cause}");
    }
}

/// Who gave a verdict, which one, and whether it was acted on.
fn heard(event: &Event) -> (String, String, bool) {
    let EventKind::PolicyVerdict(verdict) = event.kind() else { unreachable!() };
    let word = serde_json::to_value(verdict.verdict).unwrap();
    (verdict.plugin.name.clone(), word.as_str().unwrap().to_owned(), verdict.acted_on)
}
