//! `playwarden worker`: a job from a stream, and what happens as a stream.

mod cleanup;
mod folder;
mod info;
mod sender;

use std::fs::File;
use std::io::{self, BufReader};
use std::time::Duration;
use std::{env, fs, thread};

use clap::{Args, Subcommand};
use playwarden_event::{Cause, EventKind, Outcome, Status};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use serde_json::{Map, Value, json};
use tokio::sync::{oneshot, watch};

use self::cleanup::CleanupArguments;
use self::folder::Folder;
use self::sender::{Order, Sender};
use super::context::Context;
use super::exit::Exit;
use super::run::{prepared, runtime, sandbox, signals};
use super::terminal;
use crate::config::Config;
use crate::plan::{EventData, JobPlan};
use crate::remote::{Bounds, Links, Message, StreamReader, at_worker, pack, unpack};
use crate::report::diagnostic;
use crate::run::{self, Closures, Settings, Update};

#[derive(Args, Debug)]
pub(super) struct WorkerArguments {
    /// Remove the private data dir before the job is unpacked, and afterwards
    #[arg(long)]
    delete: bool,
    /// Write a line whenever nothing happened for so long [default: ANSIBLE_RUNNER_KEEPALIVE_SECONDS, else never]
    #[arg(long, value_name = "N")]
    keepalive_seconds: Option<f64>,
    /// Print what this machine has, and do nothing else
    #[arg(long)]
    worker_info: bool,
    /// Refuse an archive that comes to more
    #[arg(long, value_name = "SIZE", value_parser = super::parse_size, default_value = "4GiB")]
    max_size: u64,
    #[command(subcommand)]
    command: Option<WorkerCommand>,
}

#[derive(Debug, Subcommand)]
enum WorkerCommand {
    /// Remove private data dirs of earlier jobs, and images
    Cleanup(CleanupArguments),
}

/// The exit code when there was no run, as ansible-runner has it.
const NO_RUN: u8 = 1;

/// Why there was no run.
enum NoRun {
    /// Something is wrong, which whoever sent the job is told.
    Because(String),
    /// Somebody asked for the end.
    Canceled,
}

/// Serves one job. Returns Ansible's exit code.
pub(super) fn worker(context: &Context, arguments: &WorkerArguments) -> u8 {
    if let Some(WorkerCommand::Cleanup(arguments)) = &arguments.command {
        return cleanup::cleanup(context, arguments).code();
    }
    if arguments.worker_info {
        terminal::out(&info::info(context));
        return Exit::Success.code();
    }
    let fatal = |err: &io::Error, hint: &str| {
        terminal::error(err, Some(hint), context.color());
        NO_RUN
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(err) => return fatal(&err, "check how many files and processes are allowed"),
    };
    runtime.block_on(async {
        // Before there is a folder: whoever ends us from here on finds nothing left.
        let (asks, asked) = watch::channel(0);
        if let Err(err) = signals(&asks) {
            return fatal(&err, "check what this process may do");
        }
        let folder = match Folder::new(context, arguments.delete) {
            Ok(folder) => folder,
            Err(err) => return fatal(&err, "name another folder, or check who may write there"),
        };
        let sender = match Sender::start(keepalive(context, arguments), asks) {
            Ok(sender) => sender,
            Err(err) => return fatal(&err, "check what this process may do"),
        };
        let ended = serve(context, arguments, &folder, &sender, asked.clone()).await;
        let code = match ended {
            Ok(code) => code,
            Err(NoRun::Because(why)) => {
                sender.send(Order::Line(json!({"status": "error", "job_explanation": why})));
                NO_RUN
            }
            Err(NoRun::Canceled) => {
                sender.send(Order::Line(json!({"status": "canceled"})));
                NO_RUN
            }
        };
        sender.send(Order::Line(json!({"eof": true})));
        sender.finish(asked).await;
        drop(folder);
        code
    })
}

fn keepalive(context: &Context, arguments: &WorkerArguments) -> Option<Duration> {
    let said =
        context.environment.vars.get("ANSIBLE_RUNNER_KEEPALIVE_SECONDS").and_then(|text| text.to_str()?.parse().ok());
    let seconds = arguments.keepalive_seconds.or(said).filter(|seconds| *seconds > 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Takes the job and runs it.
async fn serve(
    context: &Context,
    arguments: &WorkerArguments,
    own: &Folder,
    sender: &Sender,
    mut asked: watch::Receiver<u32>,
) -> Result<u8, NoRun> {
    let because = |err: &dyn std::fmt::Display| NoRun::Because(err.to_string());
    let folder = &own.path();
    let (done, read) = oneshot::channel();
    let most = arguments.max_size;
    // A thread of its own: nobody ends it before its input comes.
    thread::spawn(move || done.send(read_job(most)).ok());
    let (keywords, archives) = tokio::select! {
        job = read => job.unwrap_or_else(|_| Err("the stream was not read".to_owned())).map_err(NoRun::Because)?,
        _ = asked.changed() => return Err(NoRun::Canceled),
    };
    let bounds = Bounds { size: most, links: Links::Any };
    for archive in archives {
        unpack(archive, folder, bounds).map_err(|err| because(&err))?;
    }
    let mut overrides = at_worker(&keywords, folder).map_err(|err| because(&err))?;
    let id = overrides.run_id.get_or_insert_with(|| uuid::Uuid::new_v4().to_string()).clone();
    overrides.user = context.user();

    let config = Config::bare(folder);
    let name = config.jobs.first().map_or("", |job| job.name.as_str());
    let mut plan = JobPlan::resolve(&config, name, &overrides, &context.environment).map_err(|list| {
        let mut findings = config.findings(list);
        findings.settle();
        NoRun::Because(diagnostic::render_findings(&findings, folder, false))
    })?;
    let temporary = own.temporary().display().to_string();
    plan.env.entry("TMPDIR".to_owned()).or_insert(temporary);
    let could_not = |_: Exit| NoRun::Because("the worker cannot run jobs: its standard error says why".to_owned());
    let sandbox = sandbox(context).map_err(could_not)?;
    let plugins = prepared(context, &config, &plan, &sandbox).await.map_err(could_not)?;
    let settings = Settings {
        guard: env::current_exe().map_err(|err| because(&err))?,
        environment: context.inherited.clone(),
        cache: context.cache(),
        color: false,
        prompt_patience: run::PROMPT_PATIENCE,
    };
    // Or a process of the run could take over what the guard tells us.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|err| because(&err))?;
    let mut told = Told { sender, folder: plan.artifacts.join(&id), id, data: plan.keep.event_data, begun: false };
    let finished =
        run::run(&plan, plugins, Closures::default(), &settings, asked, &mut |update| told.update(&update)).await;
    let finished = finished.map_err(|err| because(&err))?;
    told.begin();
    told.end(&finished.outcome);
    let archive = pack(&finished.folder, &std::collections::BTreeMap::new(), &|_| false);
    sender.send(Order::Archive(archive.map_err(|err| because(&err))?));
    let rc = finished.outcome.rc.map(|rc| u8::try_from(rc).unwrap_or(u8::MAX));
    Ok(rc.unwrap_or_else(|| Exit::of(&finished.outcome).code()))
}

/// Reads the stream to its end; what is wrong is said in words.
fn read_job(most: u64) -> Result<(String, Vec<File>), String> {
    let mut stream = StreamReader::new(BufReader::with_capacity(1 << 16, io::stdin().lock()));
    let (mut keywords, mut archives) = (None, Vec::new());
    loop {
        match stream.next().map_err(|err| err.to_string())? {
            Message::Keywords(text) => keywords = Some(text),
            Message::Archive(length) => archives.push(stream.archive(length, most).map_err(|err| err.to_string())?),
            Message::Eof => break,
            // Nobody sends them this way.
            Message::Keepalive | Message::Status { .. } | Message::Event(_) => {}
        }
    }
    let keywords = keywords.ok_or("the stream has no job: a line `{\"kwargs\": …}` is missing")?;
    Ok((keywords, archives))
}

/// What of a run was told so far.
struct Told<'a> {
    sender: &'a Sender,
    folder: std::path::PathBuf,
    id: String,
    data: EventData,
    begun: bool,
}

impl Told<'_> {
    fn update(&mut self, update: &Update<'_>) {
        let Update::Event(event, _) = update else { return };
        if let EventKind::StatusChanged(change) = event.kind()
            && change.to == Status::Running
        {
            self.begin();
            self.status("running", Map::new());
        }
        self.sender.send(Order::Event { journal: self.folder.join("events.jsonl"), data: self.data });
    }

    /// Says how Ansible is started, which is known only then. Its file has no secret, and of the environment only what
    /// the run adds.
    fn begin(&mut self) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let text = fs::read_to_string(self.folder.join("command")).unwrap_or_default();
        self.status("starting", serde_json::from_str(&text).unwrap_or_default());
    }

    fn end(&self, outcome: &Outcome) {
        let word = outcome.status.word();
        let why = match &outcome.cause {
            Some(Cause::CouldNotStart { text } | Cause::HostTrouble { text }) => Some(text.clone()),
            _ => None,
        };
        let more = why.map(|why| ("job_explanation".to_owned(), Value::from(why)));
        self.status(word, more.into_iter().collect());
    }

    fn status(&self, word: &str, mut more: Map<String, Value>) {
        more.insert("status".to_owned(), word.into());
        more.insert("runner_ident".to_owned(), self.id.as_str().into());
        self.sender.send(Order::Line(more.into()));
    }
}
