//! A run of our own: a few events, totals, a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use playwarden_event::{Event, Head, Json, Tally, Totals};
use playwarden_sandbox::{
    Code, Fault, Grants, Instance, Limits, Payload, Plugin, RunInfo, RunView, Sandbox, Setup, Subscription,
};
use serde_json::Value;
use tempfile::TempDir;

/// Returns a compiled guest by its name with underscores.
pub(crate) fn guest(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/target/wasm32-wasip2/release");
    let path = folder.join(format!("{name}.wasm"));
    assert!(path.exists(), "no guest {}: run `cargo xtask setup`", path.display());
    path
}

/// Returns the engine, with one cache for all tests.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))).unwrap()
}

/// Runs a test as the host runs: on one thread, and without waiting for threads that a guest left behind.
pub(crate) fn block_on<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let done = runtime.block_on(test);
    runtime.shutdown_background();
    done
}

/// The run as the plugin may see it: ten events. Each question about totals finds one more result that is ok.
#[derive(Default)]
pub(crate) struct View {
    asked: AtomicU32,
}

pub(crate) const LAST: u64 = 10;

/// Returns an event with some data.
pub(crate) fn event(counter: u64) -> Arc<Event> {
    let data = Json::of(&serde_json::json!({ "host": "web1", "task": "wait", "res": { "msg": "done" } }));
    Arc::new(Event::decode(Head::numbered(counter), "runner_on_ok", data))
}

pub(crate) fn events(counters: impl IntoIterator<Item = u64>) -> Vec<Arc<Event>> {
    counters.into_iter().map(event).collect()
}

impl RunView for View {
    fn last(&self) -> u64 {
        LAST
    }
    fn event(&self, counter: u64) -> Option<Arc<Event>> {
        (1..=LAST).contains(&counter).then(|| event(counter))
    }
    fn facts(&self, _: &str) -> Option<Json> {
        None
    }
    fn totals(&self) -> Totals {
        let ok = self.asked.fetch_add(1, Ordering::Relaxed);
        Totals { run: Tally { ok, ..Tally::default() }, play: Tally::default() }
    }
    fn batch(&self) -> Tally {
        Tally::default()
    }
    fn host(&self, _: &str) -> Option<Tally> {
        None
    }
    fn group(&self, _: &str) -> Option<Tally> {
        None
    }
}

/// A plugin, and the folder of its run.
pub(crate) struct Project {
    folder: TempDir,
    sandbox: Sandbox,
    pub(crate) config: Value,
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) handler: Subscription,
}

impl Project {
    pub(crate) fn new(config: Value) -> Self {
        Self {
            folder: tempfile::Builder::new().prefix("playwarden-").tempdir().unwrap(),
            sandbox: sandbox(),
            config,
            grants: Grants::default(),
            // All the time that a busy computer may need; tests of deadlines have their own.
            limits: Limits { call: Duration::from_secs(60), finish: Duration::from_secs(60), ..Limits::default() },
            handler: Subscription { events: Vec::new(), payload: Payload::Full },
        }
    }

    /// Returns a path beside the run.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) async fn plugin(&self, name: &str) -> Plugin {
        self.sandbox.load("p", Code::File(&guest(name)), None, &self.grants).await.unwrap()
    }

    pub(crate) fn setup(&self, incarnation: u32, state: BTreeMap<String, Vec<u8>>) -> Setup {
        let outputs = self.path("outputs");
        fs::create_dir_all(&outputs).unwrap();
        let data = Json::default();
        let (id, job) = ("run-1".to_owned(), "site".to_owned());
        let run = RunInfo { id, job, incarnation, check_mode: false, diff_mode: false, data };
        Setup {
            config: Json::of(&self.config),
            limits: self.limits,
            grants: self.grants.clone(),
            subscription: Subscription::default(),
            handler: self.handler.clone(),
            outputs,
            run,
            view: Arc::new(View::default()),
            state,
            clock: None,
        }
    }

    pub(crate) async fn try_start(&self, name: &str) -> Result<Instance, Fault> {
        self.plugin(name).await.start(self.setup(1, BTreeMap::new())).await
    }

    pub(crate) async fn start(&self, name: &str) -> Instance {
        self.try_start(name).await.unwrap()
    }

    /// Returns the lines of an output; none when there is no such file.
    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path("outputs").join(name)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the messages of the plugin's log.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lines("log.jsonl").into_iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }
}
