//! What must hold for the evidence of every run, whatever the play did.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use playwarden_event::{Event, EventKind, HostResult, Outcome, Stats, Status, Tallies};
use serde_json::Value;

use crate::figures;
use crate::support::Project;

/// A finished run, read back and checked.
pub(crate) struct Evidence {
    pub(crate) folder: PathBuf,
    pub(crate) events: Vec<Event>,
    pub(crate) outcome: Outcome,
    /// Where the files are, so that they stay until the end of the test.
    _project: Option<Project>,
}

impl Evidence {
    /// Reads the only run of a project. Its journal must be whole, complete and in agreement with the other files.
    #[track_caller]
    pub(crate) fn of(project: &Project) -> Self {
        let evidence =
            Self { folder: project.run_folder(), events: project.events(), outcome: project.outcome(), _project: None };
        evidence.check_envelopes();
        evidence.check_kinds();
        evidence.check_text();
        evidence.check_end();
        figures::of_run(&evidence.events);
        evidence
    }

    /// As [`Evidence::of`], for who needs nothing else of the project.
    #[track_caller]
    pub(crate) fn keep(project: Project) -> Self {
        let evidence = Self::of(&project);
        Self { _project: Some(project), ..evidence }
    }

    /// Returns the events of a name.
    pub(crate) fn named(&self, name: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.name() == name).collect()
    }

    /// Returns the events of a name that are about a task, as `HOST`s in order.
    pub(crate) fn hosts(&self, name: &str, task: &str) -> Vec<&str> {
        self.about(name, task).into_iter().filter_map(Event::host).collect()
    }

    /// Returns the events of a name that are about a task.
    pub(crate) fn about(&self, name: &str, task: &str) -> Vec<&Event> {
        self.named(name).into_iter().filter(|event| event.context().task.as_deref() == Some(task)).collect()
    }

    /// Returns the only event of a name that is about a task on a host, and the typed form of its data.
    #[track_caller]
    pub(crate) fn result(&self, name: &str, task: &str, host: &str) -> (&Event, &HostResult) {
        let found: Vec<_> = self.about(name, task).into_iter().filter(|event| event.host() == Some(host)).collect();
        assert_eq!(found.len(), 1, "{name} of `{task}` on {host} in\n{}", self.list());
        (found[0], found[0].host_result().unwrap())
    }

    /// Returns the only event of a name.
    #[track_caller]
    pub(crate) fn only(&self, name: &str) -> &Event {
        let found = self.named(name);
        assert_eq!(found.len(), 1, "{name} in\n{}", self.list());
        found[0]
    }

    /// Returns the whole journal as one line for each event.
    pub(crate) fn list(&self) -> String {
        let line = |event: &Event| {
            let task = event.context().task.as_deref().unwrap_or_default();
            format!("{} {} {} {task}\n", event.counter(), event.name(), event.host().unwrap_or_default())
        };
        self.events.iter().map(line).collect()
    }

    /// Asserts that our counts are Ansible's. They are not where files are included: Ansible counts each as one more ok.
    #[track_caller]
    pub(crate) fn counts_as_ansible_does(&self) {
        let stats = self.outcome.stats.as_ref().unwrap();
        let run = self.outcome.totals.run;
        let ours = [run.ok, run.changed, run.failed, run.unreachable, run.skipped, run.rescued, run.ignored];
        let Stats { ok, changed, failures, dark, skipped, rescued, ignored, .. } = stats;
        let theirs = [ok, changed, failures, dark, skipped, rescued, ignored].map(|hosts| hosts.values().sum::<u64>());
        assert_eq!(ours.map(u64::from), theirs, "{stats:?}\n{}", self.list());
    }

    fn check_envelopes(&self) {
        let id = self.folder.file_name().unwrap().to_str().unwrap();
        let mut known = HashSet::new();
        for event in &self.events {
            let head = event.head();
            assert_eq!(head.runner_ident, id);
            if let Some(parent) = &head.parent_uuid {
                assert!(known.contains(parent), "{} {} has no parent", head.counter, event.name());
            } else {
                assert!(event.host_result().is_none(), "{} {} belongs to nothing", head.counter, event.name());
            }
            assert!(known.insert(head.uuid.clone()), "the uuid of {} is not its own", head.counter);
        }
    }

    fn check_kinds(&self) {
        for event in &self.events {
            let known = !matches!(event.kind(), EventKind::Other(_) | EventKind::CallbackFailed(_));
            assert!(known, "{} {}", event.name(), event.data().text());
        }
        assert!(matches!(self.events.first().unwrap().kind(), EventKind::RunStarted(_)));
        let last = self.events.last().unwrap();
        assert!(matches!(last.kind(), EventKind::RunFinished(outcome) if **outcome == self.outcome), "{last:?}");
        let mut status = Status::Unstarted;
        let mut tallies = Tallies::default();
        for event in &self.events {
            tallies.apply(event);
            if let EventKind::StatusChanged(change) = event.kind() {
                assert_eq!(change.from, status);
                status = change.to;
            }
        }
        assert_eq!(status, self.outcome.status);
        assert_eq!(tallies.totals(), self.outcome.totals);
    }

    /// Every byte that Ansible printed belongs to one event, and the events say where.
    fn check_text(&self) {
        let mut text = String::new();
        let mut lines = 0;
        for event in &self.events {
            let head = event.head();
            assert_eq!(head.start_line, lines, "{} {}", head.counter, event.name());
            let inside = head.stdout.matches('\n').count() as u64;
            let printed = head.end_line - head.start_line;
            assert!(printed == inside || printed == inside + 1, "{} {}", head.counter, event.name());
            text += &head.stdout;
            if printed > inside {
                text.push('\n');
            }
            lines = head.end_line;
        }
        assert_eq!(text, self.text("stdout"));
    }

    fn check_end(&self) {
        assert_eq!(self.text("status"), self.outcome.status.word());
        assert_eq!(self.text("rc"), self.outcome.rc.map_or_else(|| "None".to_owned(), |rc| rc.to_string()));
        assert!(!self.folder.join(".private").exists(), "what only a live run needs is still there");
    }

    /// Returns a file of the run.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// Asserts that a secret is in none of the run's files.
    #[track_caller]
    pub(crate) fn hides(&self, secret: &str) {
        let mut files = Vec::new();
        files_below(&self.folder, &mut files);
        assert!(files.len() > 5, "{files:?}");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} has `{secret}`", file.display());
        }
    }
}

/// Returns what an event says at a pointer into its data.
#[track_caller]
pub(crate) fn at(event: &Event, pointer: &str) -> Value {
    event.data().pointer(pointer).map_or(Value::Null, |json| json.read().unwrap())
}

/// Collects all files below a folder.
pub(crate) fn files_below(folder: &Path, to: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_below(&path, to) } else { to.push(path) }
    }
}
