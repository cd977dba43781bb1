//! A run in the hands of the program that started it, or found it.

use std::fs::File;
use std::io::{self, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use playwarden_event::reader::{JournalReader, ReadError};
use playwarden_event::{Event, EventKind, Facts, Json, Outcome, Status};
use playwarden_sandbox::Sandbox;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Error, Plan};
use crate::run::{self, CancelError, Finished, Prepared, Update};
use crate::store::{NotFound, Recap, Store, StoredRun};

/// Carries a plan out and waits for its end.
///
/// # Errors
/// When the run could not begin; nothing was started then.
pub fn run(plan: Plan) -> Result<Run, Error> {
    let run = run_async(plan)?;
    run.wait()?;
    Ok(run)
}

/// Begins to carry a plan out, on a thread of its own. The run goes on whatever becomes of the handle.
///
/// Takes as long as the plugins take to load. May be called from asynchronous code too, which it blocks that long.
///
/// # Errors
/// When a plugin cannot be used or there is no thread to be had; nothing was started then. What goes wrong later is said
/// by [`Run::wait`].
pub fn run_async(mut plan: Plan) -> Result<Run, Error> {
    let id = plan.job.run_id.get_or_insert_with(|| Uuid::new_v4().to_string()).clone();
    let folder = plan.job.artifacts.join(&id);
    let (cancel, canceled) = watch::channel(0);
    let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
    let teller = Arc::clone(&shared);
    let (ready, is_ready) = mpsc::channel();
    let whole = move || {
        let prepared = prepare(&plan);
        let (runtime, sandbox, plugins) = match prepared {
            Ok(prepared) => prepared,
            // Whoever asked waits for it.
            Err(err) => return drop(ready.send(Err(err))),
        };
        ready.send(Ok(())).ok();
        // Whatever happens there, nobody waits for ever.
        let work = AssertUnwindSafe(|| runtime.block_on(carry_out(plan, plugins, canceled, &teller)));
        let gone = |_| Err(Error::System(io::Error::other("the run's thread panicked")));
        let result = catch_unwind(work).unwrap_or_else(gone);
        // Plugins are made by it and must be gone before.
        drop(sandbox);
        teller.end(result);
    };
    thread::Builder::new().name(format!("run {id}")).spawn(whole).map_err(Error::System)?;
    is_ready.recv().unwrap_or_else(|_| Err(Error::System(io::Error::other("the run's thread panicked"))))?;
    Ok(Run { id, folder, live: Some(Live { shared, cancel: Arc::new(cancel) }) })
}

fn prepare(plan: &Plan) -> Result<(Runtime, Sandbox, Prepared), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
    let sandbox = Sandbox::new(plan.settings.cache.as_ref().map(|cache| cache.join("plugins")));
    let sandbox = sandbox.map_err(Error::Engine)?;
    let plugins = runtime.block_on(run::prepare(&plan.job, &sandbox)).map_err(Error::Plugins)?;
    Ok((runtime, sandbox, plugins))
}

async fn carry_out(
    plan: Plan,
    plugins: Prepared,
    canceled: watch::Receiver<u32>,
    shared: &Shared,
) -> Result<Finished, Error> {
    let Plan { job, settings, closures } = plan;
    let mut tell = |update: Update<'_>| {
        if let Update::Event(event, _) = update
            && let EventKind::StatusChanged(change) = event.kind()
            && !change.to.is_terminal()
        {
            shared.state().status = change.to;
        }
        // Its first event: now there is a folder, and it is this run's.
        shared.state().begun = true;
    };
    run::run(&job, plugins, closures, &settings, canceled, &mut tell).await.map_err(Error::Store)
}

/// A run, while it lasts and afterwards.
///
/// What is not kept in memory is read from the run's folder, so a run that another process started answers as well.
#[derive(Clone, Debug)]
pub struct Run {
    id: String,
    folder: PathBuf,
    live: Option<Live>,
}

#[derive(Clone, Debug)]
struct Live {
    shared: Arc<Shared>,
    cancel: Arc<watch::Sender<u32>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    status: Status,
    /// There is a folder, and it is this run's.
    begun: bool,
    /// How it ended, until somebody took the error.
    end: Option<Result<Outcome, Option<Error>>>,
}

impl Default for State {
    fn default() -> Self {
        Self { status: Status::Unstarted, begun: false, end: None }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, result: Result<Finished, Error>) {
        let mut state = self.state();
        state.status = result.as_ref().map_or(Status::Failed, |finished| finished.outcome.status);
        state.end = Some(result.map(|finished| finished.outcome).map_err(Some));
        self.changed.notify_all();
    }
}

impl Run {
    /// Finds a run that was started by whomever, by its id, a unique beginning of one, or `@` for the newest.
    ///
    /// # Errors
    /// When that is not exactly one.
    pub fn find(artifacts: &Path, id: &str) -> Result<Self, NotFound> {
        let found = Store::new(artifacts.to_owned(), run::close).find(id)?;
        Ok(Self { id: found.record.id, folder: found.folder, live: None })
    }

    /// Returns the run id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the run's folder. It is made when the run begins.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns how the run is doing, `unstarted` before it began.
    #[must_use]
    pub fn status(&self) -> Status {
        match &self.live {
            Some(live) => live.shared.state().status,
            None => self.stored().map_or(Status::Unstarted, |run| run.status()),
        }
    }

    /// Whether nothing follows any more, also because the run could not begin.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.live {
            Some(live) => live.shared.state().end.is_some(),
            None => self.outcome().is_some(),
        }
    }

    /// Returns how the run ended; none while it lasts, and of one that could not begin: see [`Run::is_over`].
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match &self.live {
            Some(live) => live.shared.state().end.as_ref().and_then(|end| end.as_ref().ok()).cloned(),
            None => self.stored().ok().and_then(|run| run.record.outcome),
        }
    }

    /// Returns Ansible's exit code, 254 for canceled and timeout; none while the run lasts, and when Ansible never started.
    #[must_use]
    pub fn rc(&self) -> Option<i32> {
        self.outcome().and_then(|outcome| outcome.rc)
    }

    /// Opens what Ansible prints, from its beginning. While the run lasts, reading ends where it was written to and goes on
    /// there later.
    ///
    /// # Errors
    /// When the run has not begun, or its folder cannot be read.
    pub fn stdout(&self) -> io::Result<File> {
        File::open(self.begun()?.join("stdout"))
    }

    /// Returns the events so far, in order.
    ///
    /// # Errors
    /// When the run has not begun, or its folder cannot be read.
    pub fn events(&self) -> io::Result<Events> {
        let file = File::open(self.begun()?.join("events.jsonl"))?;
        Ok(Events { reader: JournalReader::new(BufReader::new(file)), host: None, live: !self.is_over() })
    }

    /// Returns the events so far that are about an inventory host, in order.
    ///
    /// # Errors
    /// As [`Run::events`].
    pub fn host_events(&self, host: &str) -> io::Result<Events> {
        Ok(Events { host: Some(host.to_owned()), ..self.events()? })
    }

    /// Returns what each inventory host came to: Ansible's own counts, or what the events say so far.
    ///
    /// # Errors
    /// When the run has not begun, or its journal cannot be read.
    pub fn stats(&self) -> Result<Recap, Error> {
        self.stored()?.recap().map_err(Error::Journal)
    }

    /// Returns the facts of an inventory host, as gathered so far; none when nothing is known of it.
    ///
    /// # Errors
    /// As [`Run::stats`].
    pub fn fact_cache(&self, host: &str) -> Result<Option<Json>, Error> {
        let facts = self.stored()?.facts().map_err(Error::Journal)?;
        Ok(facts.get(host).map(Facts::json))
    }

    /// Asks for the end of the run, in order; a second time at once. Returns without waiting for it.
    ///
    /// # Errors
    /// When another process works on the run and cannot be asked.
    pub fn cancel(&self) -> Result<(), CancelError> {
        match &self.live {
            // A run that has ended has nobody who listens.
            Some(live) => live.cancel.send_modify(|times| *times += 1),
            None => run::cancel(&self.folder, false)?,
        }
        Ok(())
    }

    /// Waits for the end of the run. One that was only found is not waited for: its outcome is returned if it has one.
    ///
    /// # Errors
    /// When the run's folder could not be made. Of several that wait, one gets the reason, and the others that there was one.
    pub fn wait(&self) -> Result<Outcome, Error> {
        let Some(live) = &self.live else { return self.outcome().ok_or(Error::NotHere) };
        let mut state = live.shared.state();
        loop {
            match &mut state.end {
                None => state = live.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Ok(outcome)) => return Ok(outcome.clone()),
                Some(Err(err)) => return Err(err.take().unwrap_or(Error::NotHere)),
            }
        }
    }

    /// The folder, if there is one: that of its name could be another run's before.
    fn begun(&self) -> io::Result<&Path> {
        let begun = self.live.as_ref().is_none_or(|live| live.shared.state().begun);
        let none = || io::Error::new(io::ErrorKind::NotFound, "the run has not begun");
        begun.then_some(self.folder.as_path()).ok_or_else(none)
    }

    fn stored(&self) -> Result<StoredRun, Error> {
        let folder = self.begun().map_err(Error::System)?;
        StoredRun::load(folder, run::close).map_err(|why| Error::System(io::Error::other(why)))
    }
}

/// Events of a run, read one by one from its journal.
#[derive(Debug)]
pub struct Events {
    reader: JournalReader<BufReader<File>>,
    host: Option<String>,
    live: bool,
}

impl Iterator for Events {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.reader.next()? {
                // The line that is being written.
                Err(ReadError::Torn { .. }) if self.live => return None,
                Err(err) => return Some(Err(err)),
                Ok(event) => event,
            };
            if self.host.as_deref().is_none_or(|host| event.host() == Some(host)) {
                return Some(Ok(event));
            }
        }
    }
}
