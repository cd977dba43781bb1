//! `playwarden audit`: proves what was run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::Exit;
use super::runs::{not_found, print_json};
use super::terminal;
use crate::audit::{self, LogError, PublicKey, Sealer, Trust};
use crate::plan::audit_plan;
use crate::remote::{Bounds, Links, pack, unpack};
use crate::report::{audited, diagnostic};
use crate::store::{NotFound, Store};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Find whatever of runs was changed, removed or added. Reads only
    Verify(VerifyArguments),
    /// Put runs, with what proves them, into one file that `verify` takes anywhere
    Bundle(BundleArguments),
    /// Print the latest checkpoint of the log, to be kept elsewhere
    Checkpoint,
    /// Make a private key that signs, and print its public key; of one that is there, only print it
    Key(KeyArguments),
    /// Hand over from the configured key to another one. Both sign that
    Rotate(RotateArguments),
}

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    /// Run ids, beginnings of them, `@` for the newest, or one file that `playwarden audit bundle` made
    #[arg(required_unless_present = "all")]
    runs: Vec<String>,
    /// All runs, and whether one is missing
    #[arg(long, conflicts_with = "runs")]
    all: bool,
    /// A public key whose signatures count, as `playwarden audit key` prints it; again for another one
    #[arg(long, value_name = "KEY")]
    key: Vec<PublicKey>,
    /// A file with a checkpoint that was kept elsewhere: the log must contain it
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct BundleArguments {
    /// Run ids, beginnings of them, or `@` for the newest
    #[arg(required_unless_present = "all")]
    runs: Vec<String>,
    /// All runs
    #[arg(long, conflicts_with = "runs")]
    all: bool,
    /// The file to write, which must not be there yet
    #[arg(long, short, value_name = "FILE", default_value = "audit.zip")]
    output: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct KeyArguments {
    /// The file
    #[arg(value_name = "FILE")]
    private_key: PathBuf,
    /// The name of the log that the key is for; without it that of runner.toml, or the machine's
    #[arg(long, value_name = "NAME")]
    origin: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct RotateArguments {
    /// The file of the key that signs from then on
    #[arg(value_name = "FILE")]
    to: PathBuf,
}

pub(super) fn audit(context: &Context, command: &AuditCommand) -> Exit {
    let done = match command {
        AuditCommand::Verify(arguments) => verify(context, arguments),
        AuditCommand::Bundle(arguments) => bundle(context, arguments),
        AuditCommand::Checkpoint => checkpoint(context),
        AuditCommand::Key(arguments) => key(context, arguments),
        AuditCommand::Rotate(arguments) => rotate(context, arguments),
    };
    done.unwrap_or_else(|exit| exit)
}

fn verify(context: &Context, arguments: &VerifyArguments) -> Result<Exit, Exit> {
    let mut trust = Trust { keys: arguments.key.clone(), checkpoints: Vec::new() };
    for path in &arguments.checkpoint {
        trust.checkpoints.push(fs::read_to_string(path).map_err(|err| unreadable(context, path, &err))?);
    }
    let bundle = match &arguments.runs[..] {
        [file] if context.cwd().join(file).is_file() => Some(context.cwd().join(file)),
        _ => None,
    };
    let report = match &bundle {
        Some(file) => {
            let folder = tempfile::tempdir().map_err(|err| unreadable(context, file, &err))?;
            let bounds = Bounds { size: u64::MAX, links: Links::Inside };
            let unpacked = File::open(file).map_err(|err| unreadable(context, file, &err))?;
            unpack(unpacked, folder.path(), bounds).map_err(|err| {
                terminal::error(&err, Some("make it again with `playwarden audit bundle`"), context.color());
                Exit::Tampered
            })?;
            // A bundle of some runs says which; others are missing on purpose.
            let runs = fs::read_to_string(folder.path().join(RUNS)).ok();
            let runs: Option<Vec<String>> = runs.map(|text| text.lines().map(str::to_owned).collect());
            audit::verify(folder.path(), runs.as_deref(), &trust).map_err(|err| unreadable(context, file, &err))?
        }
        None => {
            let store = store(context)?;
            let runs = if arguments.all { None } else { Some(ids(context, &store, &arguments.runs)?) };
            let artifacts = store.artifacts();
            audit::verify(artifacts, runs.as_deref(), &trust).map_err(|err| unreadable(context, artifacts, &err))?
        }
    };
    if arguments.json {
        print_json(&report);
    } else {
        terminal::out(&audited(&report));
    }
    Ok(if report.wrong.is_empty() { Exit::Success } else { Exit::Tampered })
}

/// The runs as they are: what is verified is not written to.
fn store(context: &Context) -> Result<Store, Exit> {
    Ok(Store::new(context.store()?.artifacts().to_owned(), |_| Ok(None)))
}

/// Returns the ids that are meant. One that the store does not have may be one that was removed.
fn ids(context: &Context, store: &Store, wanted: &[String]) -> Result<Vec<String>, Exit> {
    let id = |wanted: &String| match store.find(wanted) {
        Ok(run) => Ok(run.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()),
        Err(NotFound::NoSuch { .. } | NotFound::Unreadable(..)) if wanted != "@" => Ok(wanted.clone()),
        Err(err) => Err(not_found(context, &err)),
    };
    wanted.iter().map(id).collect()
}

/// The file of a bundle that names its runs; none in one of all runs.
const RUNS: &str = "RUNS";

/// What of a run is not evidence: it is made from the journal, or is only there while the run lasts.
const LEFT_OUT: [&str; 2] = [".private", "job_events"];

fn bundle(context: &Context, arguments: &BundleArguments) -> Result<Exit, Exit> {
    let store = store(context)?;
    let wanted = if arguments.all { None } else { Some(ids(context, &store, &arguments.runs)?) };
    if let Some(missing) = wanted.iter().flatten().find(|run| !store.artifacts().join(run).is_dir()) {
        let err = NotFound::NoSuch { wanted: missing.clone(), artifacts: store.artifacts().to_owned() };
        return Err(not_found(context, &err));
    }
    let leave_out = |path: &Path| {
        let mut parts = path.iter().map(|part| part.to_string_lossy());
        let (first, second) = (parts.next().unwrap_or_default(), parts.next());
        let second = second.unwrap_or_default();
        if first == ".audit" {
            return second == "lock";
        }
        let is_run = store.artifacts().join(&*first).join("run.json").exists();
        let is_meant = wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|run| *run == first));
        !is_run || !is_meant || LEFT_OUT.contains(&&*second)
    };
    let mut added = crate::remote::Added::new();
    if let Some(wanted) = &wanted {
        added.insert(RUNS.into(), format!("{}\n", wanted.join("\n")).into_bytes());
    }
    added.insert("verify.py".into(), audit::VERIFIER.as_bytes().to_vec());
    let path = context.cwd().join(&arguments.output);
    let mut packed = pack(store.artifacts(), &added, &leave_out).map_err(|err| unreadable(context, &path, &err))?;
    let written = File::create_new(&path).and_then(|mut file| io::copy(&mut packed, &mut file));
    let written = written.map_err(|err| {
        let hint = "name another file with `--output`";
        terminal::complain(&format!("`{}` cannot be written: {err}", path.display()), Some(hint), context.color());
        Exit::Evidence
    })?;
    terminal::note(&format!("{}: {written} bytes\n", arguments.output.display()));
    Ok(Exit::Success)
}

fn checkpoint(context: &Context) -> Result<Exit, Exit> {
    let store = store(context)?;
    let path = store.artifacts().join(".audit").join("checkpoint");
    match fs::read_to_string(&path) {
        Ok(text) => {
            terminal::out(&text);
            Ok(Exit::Success)
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => {
            let hint = "name a key in `[audit]` of runner.toml: the next run begins one";
            terminal::complain("there is no log over these runs", Some(hint), context.color());
            Err(Exit::Usage)
        }
        Err(err) => Err(unreadable(context, &path, &err)),
    }
}

fn key(context: &Context, arguments: &KeyArguments) -> Result<Exit, Exit> {
    let path = context.cwd().join(&arguments.private_key);
    // The log's own name, where there is one already.
    let begun = context.has_config().then(|| store(context)).transpose()?;
    let begun = begun.and_then(|store| audit::origin(store.artifacts()));
    let config = if context.has_config() { context.config().ok() } else { None };
    let named = config.and_then(|(config, _)| config.audit.and_then(|audit| audit.origin));
    let name = arguments.origin.clone().or(begun).or(named);
    let made = audit::key(&path, name.as_deref());
    let key = made.map_err(|source| log_error(context, &LogError::Key { path, source }))?;
    terminal::out(&format!("{key}\n"));
    Ok(Exit::Success)
}

fn rotate(context: &Context, arguments: &RotateArguments) -> Result<Exit, Exit> {
    let (config, _) = context.config().map_err(|findings| {
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    })?;
    let Some(plan) = audit_plan(&config, &context.environment) else {
        let hint = "only a key that signs can hand over: `[audit]` of runner.toml names it";
        terminal::complain("nobody signs these runs", Some(hint), context.color());
        return Err(Exit::Configuration);
    };
    let store = store(context)?;
    let sealer = Sealer { artifacts: store.artifacts(), key: &plan.key, origin: plan.origin.as_deref() };
    let next = sealer.rotate(&context.cwd().join(&arguments.to)).map_err(|err| log_error(context, &err))?;
    terminal::out(&format!("{next}\n"));
    terminal::note(&format!(
        "name {} as `key` in `[audit]` of runner.toml before the next run\n",
        arguments.to.display()
    ));
    Ok(Exit::Success)
}

fn log_error(context: &Context, err: &LogError) -> Exit {
    terminal::complain(&err.to_string(), Some(&err.hint()), context.color());
    if matches!(err, LogError::Changed { .. }) { Exit::Tampered } else { Exit::Configuration }
}

fn unreadable(context: &Context, path: &Path, err: &io::Error) -> Exit {
    let hint = "check who may read it";
    terminal::complain(&format!("`{}` cannot be read: {err}", path.display()), Some(hint), context.color());
    Exit::Evidence
}
