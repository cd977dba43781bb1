//! Many cancels: each way to end a run, at a random moment, in the middle of everything that a play can be in the middle of.
//!
//! The long form is `cargo xtask soak`. What is random follows from a seed, which stands in every failure; the variable
//! `PLAYWARDEN_SEED` repeats it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{panic, thread};

use playwarden_event::{Cause, Status};
use rustix::process::Signal;

use crate::alive::{self, mark, send};
use crate::chance::Chance;
use crate::evidence::Evidence;
use crate::figures;
use crate::support::{Project, guest};

/// Nothing takes so long but what hangs.
const BOUND: Duration = Duration::from_secs(240);

/// Who ends the run, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    VerdictAtAnEvent,
    VerdictByTheClock,
    VerdictAfterRunningTasks,
    Command,
    ControlC,
    ControlCTwice,
    Timeout,
    IdleTimeout,
}

use Way::{
    Command, ControlC, ControlCTwice, IdleTimeout, Timeout, VerdictAfterRunningTasks, VerdictAtAnEvent,
    VerdictByTheClock,
};

const WAYS: [Way; 7] =
    [VerdictAtAnEvent, VerdictAfterRunningTasks, Command, ControlC, ControlCTwice, Timeout, IdleTimeout];

/// What a run can be in the middle of: tasks, and the event and the task that a verdict is about. `LONG` is a time that is
/// not over before the run is, and `MANY` a number that is not reached, unless the play has to come to rest by itself.
const SHAPES: [(&str, &str, &str, &str); 6] = [
    ("loops", "runner_item_on_ok", "loop", LOOP),
    (
        "async",
        "runner_on_async_poll",
        "async_status",
        "- name: background\n  command: sh -c 'BEGIN; sleep LONG; END'\n  async: 900\n  poll: 1\n",
    ),
    (
        "retries",
        "runner_retry",
        "retry",
        "- name: retry\n  command: sh -c 'BEGIN; END; exit 1'\n  register: tried\n  until: tried.rc == 0\n  retries: MANY\n  \
         delay: '{{ [0, 1] | random }}'\n  ignore_errors: true\n",
    ),
    (
        "pause",
        "runner_on_start",
        "wait",
        "- name: step\n  command: sh -c 'BEGIN; sleep 0.1; END'\n- name: wait\n  pause: seconds=LONG\n",
    ),
    ("included", "runner_item_on_ok", "loop", INCLUDE),
    (
        "long",
        "runner_on_start",
        "long",
        "- name: long\n  command: sh -c 'BEGIN; sleep {{ (inventory_hostname == \"h1\") | ternary(LONG, 0.1) }}; END'\n",
    ),
];

const LOOP: &str = "- name: loop\n  command: sh -c 'BEGIN; sleep 0.1; END'\n  loop: [1, 2, 3]\n";
const INCLUDE: &str = "- {name: include, include_tasks: more.yml, loop: [1, 2]}\n";

impl Chance {
    fn of(&mut self, start: usize, end: usize) -> usize {
        start + self.below(end - start)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.of(0, all.len())]
    }
}

/// One run and its end.
struct Round {
    way: Way,
    /// Everything that was chosen, for who reads a failure.
    about: String,
    /// Lines of the journal that a person waits for, and the time after these.
    moment: (usize, Duration),
    mark: String,
    project: Project,
}

impl Round {
    fn new(seed: u64, number: u32) -> Self {
        let mut dice = Chance(seed ^ u64::from(number + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        dice.below(1);
        let way = match WAYS[number as usize % WAYS.len()] {
            VerdictAtAnEvent => dice.one_of(&[VerdictAtAnEvent, VerdictByTheClock]),
            way => way,
        };
        let (shape, kind, task, tasks) = SHAPES[number as usize % SHAPES.len()];
        // Ansible takes no `pause` where each host goes its own way.
        let strategies = ["linear", "linear", "free", "host_pinned"];
        let strategy = if shape == "pause" { "linear" } else { dice.one_of(&strategies) };
        let (hosts, forks) = (dice.of(3, 6), dice.of(1, 7));
        let moment = (dice.of(6, 46), Duration::from_millis(dice.below(1200) as u64));
        let mark = mark();

        let stop = if way == VerdictAfterRunningTasks { "after-running-tasks" } else { "now" };
        let limit = match way {
            Timeout => format!("timeout = \"{}ms\"", dice.of(1500, 6500)),
            IdleTimeout => format!("idle-timeout = \"{}ms\"", dice.of(2500, 4500)),
            _ => String::new(),
        };
        let (policy, settings) = match way {
            VerdictAtAnEvent | VerdictAfterRunningTasks => {
                ("verdict_table", format!("config = {{ kind = \"{kind}\", task = \"{task}\", stop = \"{stop}\" }}"))
            }
            VerdictByTheClock => {
                ("cancels_on_tick", format!("tick = \"50ms\"\nconfig = {{ after = {} }}", dice.of(20, 100)))
            }
            _ => ("", String::new()),
        };
        let about = format!(
            "round {number} of seed {seed}: {way:?}, {shape}, {strategy}, {hosts} hosts, {forks} forks, {moment:?} {limit} {settings}"
        );

        let defaults = format!("env = {{ PW_MARK = \"{mark}\" }}\nforks = {forks}\n{limit}\n");
        let playbook = playbook(way, strategy, tasks);
        let (plugin, chosen) = match policy {
            "" => (String::new(), ""),
            policy => {
                let path = guest(policy).display().to_string();
                (format!("[plugins.policy]\npath = {path:?}\n{settings}\n"), "cancel-policies = [\"policy\"]\n")
            }
        };
        let rest = format!("{defaults}{plugin}[jobs.play]\nplaybook = \"play.yml\"\n{chosen}");
        let project = Project::new(hosts, &rest).file("play.yml", &playbook);
        let project = project.file("more.yml", &filled(LOOP, false));
        fs::create_dir(project.path("running")).unwrap();
        Self { way, about, moment, mark, project }
    }

    /// Runs it to the end that it is to have, and checks everything.
    fn take(&self) {
        let mut run = self.start();
        match self.way {
            Command | ControlC | ControlCTwice => self.interfere(&mut run),
            _ => {}
        }
        let code = self.end_of(&mut run);
        let said = fs::read_to_string(self.project.path("stderr")).unwrap();
        alive::nothing_with(&self.mark);

        let evidence = Evidence::of(&self.project);
        let outcome = &evidence.outcome;
        let (expected, status) = match self.way {
            VerdictAtAnEvent | VerdictByTheClock | VerdictAfterRunningTasks => (21, Status::Canceled),
            Command | ControlC | ControlCTwice => (20, Status::Canceled),
            Timeout => (22, Status::Timeout),
            IdleTimeout => (23, Status::Timeout),
        };
        assert_eq!((code, outcome.status), (Some(expected), status), "{said}");
        match (&outcome.cause, expected) {
            (Some(Cause::Plugin { name, .. }), 21) => assert_eq!(name, "policy"),
            (Some(Cause::Person), 20) | (Some(Cause::JobTimeout), 22) | (Some(Cause::IdleTimeout), 23) => {}
            (cause, _) => panic!("{cause:?}\n{said}"),
        }
        assert!(outcome.left_alive.is_empty(), "{:?}", outcome.left_alive);
        self.check_flights(&evidence);
        if let Some(verdict) = evidence.named("policy_verdict").first() {
            let starts = evidence.named("runner_on_start");
            let late = starts.iter().filter(|start| start.counter() > verdict.counter()).count();
            assert_eq!(late, 0, "after the verdict {}\n{}", verdict.counter(), evidence.list());
        }
    }

    fn start(&self) -> Child {
        let file = |name: &str| File::create(self.project.path(name)).unwrap();
        let mut command = self.project.command(&["run", "--run-id", "the-run"]);
        command.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap()
    }

    /// Does what a person does, at its moment.
    fn interfere(&self, run: &mut Child) {
        let journal = self.project.path("artifacts/the-run/events.jsonl");
        let lines = || fs::read(&journal).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
        alive::eventually(&self.about, || lines() >= self.moment.0 || run.try_wait().unwrap().is_some());
        // Nobody waits for anything here: it is the moment that is random.
        thread::sleep(self.moment.1);
        if self.way == Command {
            let _shown = self.project.playwarden(&["cancel", "the-run", "--no-wait"]).expect(0);
            return;
        }
        send(run, Signal::INT);
        if self.way == ControlCTwice {
            thread::sleep(self.moment.1 / 8);
            // It may be over already, but nobody has waited for it yet.
            send(run, Signal::INT);
        }
    }

    /// Waits for the end. One that does not come fails the test.
    fn end_of(&self, run: &mut Child) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = run.try_wait().unwrap() {
                figures::note("cancels", 1);
                figures::note("hung", 0);
                return status.code();
            }
            if begun.elapsed() > BOUND {
                figures::note("cancels", 1);
                figures::note("hung", 1);
                let alive = alive::marked(&self.mark);
                let journal =
                    fs::read_to_string(self.project.path("artifacts/the-run/events.jsonl")).unwrap_or_default();
                let mut last: Vec<_> =
                    journal.lines().rev().take(5).map(|line| line.get(..250).unwrap_or(line)).collect();
                last.reverse();
                run.kill().unwrap();
                run.wait().unwrap();
                panic!("it hung: {}\n{alive:?}\n{}", self.about, last.join("\n"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What had started and gave no result is named, and nothing else; whatever was in the middle of its work is among it.
    fn check_flights(&self, evidence: &Evidence) {
        let mut expected = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for event in &evidence.events {
            let (Some(host), Some(task)) = (event.host(), event.context().task.as_deref()) else { continue };
            match event.name() {
                "runner_on_start" => {
                    expected.insert((host, task));
                    ended.remove(host);
                }
                "runner_on_ok" | "runner_on_failed" | "runner_on_unreachable" | "runner_on_skipped" => {
                    expected.remove(&(host, task));
                    ended.insert(host);
                }
                _ => {}
            }
        }
        let flights: BTreeSet<_> =
            evidence.outcome.in_flight.iter().map(|flight| (flight.host.as_str(), flight.task.as_str())).collect();
        assert_eq!(flights, expected, "{}", evidence.list());
        for host in self.project.names("running") {
            let is_told = flights.iter().any(|(flying, _)| *flying == host) || ended.contains(host.as_str());
            assert!(is_told, "{host} was at work, in flight are {flights:?}\n{}", evidence.list());
        }
    }
}

/// A play that is in the middle of these tasks for as long as it takes.
fn playbook(way: Way, strategy: &str, tasks: &str) -> String {
    // Running tasks that are waited for have to end, a run is only idle when all is still, and what is no failure is
    // judged when the next task is to start.
    let rests = matches!(way, VerdictAtAnEvent | VerdictAfterRunningTasks | IdleTimeout);
    let tasks = filled(tasks, !rests).repeat(if way == VerdictAfterRunningTasks { 40 } else { 2 });
    let (first, include) = ("- {name: first, debug: msg=x}\n", filled(INCLUDE, false));
    let last = if way == VerdictAfterRunningTasks { "sleep 2" } else { "sleep 600" };
    let all = format!("{first}{include}{tasks}- {{name: last, command: {last}}}\n");
    let indented: String = all.lines().map(|line| format!("    {line}\n")).collect();
    format!("- hosts: all\n  gather_facts: false\n  strategy: {strategy}\n  tasks:\n{indented}")
}

fn filled(tasks: &str, is_endless: bool) -> String {
    tasks
        .replace("BEGIN", "touch {{ playbook_dir }}/running/{{ inventory_hostname }}")
        .replace("END", "rm -f {{ playbook_dir }}/running/{{ inventory_hostname }}")
        .replace("LONG", if is_endless { "600" } else { "3" })
        .replace("MANY", if is_endless { "100000" } else { "2" })
}

#[test]
fn what_detached_is_ended_too_after_running_tasks_were_waited_for() {
    let mark = mark();
    let path = guest("verdict_table").display().to_string();
    let rest = format!(
        "env = {{ PW_MARK = \"{mark}\" }}\n[jobs.play]\nplaybook = \"play.yml\"\ncancel-policies = [\"policy\"]\n\
         [plugins.policy]\npath = {path:?}\nconfig = {{ kind = \"runner_on_failed\", stop = \"after-running-tasks\" }}\n"
    );
    let playbook = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: background\n      command: sleep 600\n      \
                    async: 900\n      poll: 0\n    - name: detached\n      raw: setsid sleep 600 >/dev/null 2>&1 &\n    \
                    - name: breaks\n      raw: 'false'\n";
    let project = Project::new(1, &rest).file("play.yml", playbook);
    let _shown = project.playwarden(&["run"]).expect(21);
    alive::nothing_with(&mark);
    assert!(Evidence::of(&project).outcome.left_alive.is_empty());
}

#[test]
fn of_many_cancels_none_hangs_and_nothing_is_alive_afterwards() {
    let given = std::env::var("PLAYWARDEN_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = given.unwrap_or_else(|| u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()));
    println!("PLAYWARDEN_SEED={seed}");
    let rounds = Mutex::new(figures::rounds(7));
    let next = || rounds.lock().unwrap().next();
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(number) = next() {
                    let round = Round::new(seed, number);
                    if panic::catch_unwind(panic::AssertUnwindSafe(|| round.take())).is_err() {
                        failed.lock().unwrap().push(round.about.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
