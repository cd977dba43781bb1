//! `playwarden process`: what a worker writes, shown and kept.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use clap::Args;
use rustix::fs::OFlags;

use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::remote::{Bounds, Links, Message, StreamReader, StreamedEvent, unpack};

#[derive(Args, Debug)]
pub(super) struct ProcessArguments {
    /// Keep it as the run of this id; else straight in the folder of runs
    #[arg(short, long, visible_alias = "run-id", value_name = "ID")]
    ident: Option<String>,
    /// Print each event as a line of JSON instead of Ansible's text
    #[arg(short, long)]
    json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// Refuse an archive that comes to more
    #[arg(long, value_name = "SIZE", value_parser = super::parse_size, default_value = "4GiB")]
    max_size: u64,
}

/// The exit code of a stream that does not end well, as a worker has it.
const BROKEN: u8 = 1;

/// Reads the stream to its end. Returns the job's own exit code.
pub(super) fn process(context: &Context, arguments: &ProcessArguments) -> u8 {
    let complain = |text: &str, hint: &str| {
        terminal::complain(text, Some(hint), context.color());
        Exit::Usage.code()
    };
    let Some(data_dir) = context.private_data_dir() else {
        return complain("there is no folder to keep it in", "name one with `--private-data-dir`");
    };
    if let Some(id) = arguments.ident.as_deref().filter(|id| !crate::is_run_id(id)) {
        let text = format!("`{id}` cannot be a run id");
        return complain(&text, "use 1 to 100 letters, digits, `-`, `_` and `.`, starting with a letter or digit");
    }
    let runs = context.artifact_dir().map_or_else(|| data_dir.join("artifacts"), Path::to_owned);
    let folder = arguments.ident.as_ref().map_or_else(|| runs.clone(), |id| runs.join(id));
    // Straight in the folder of runs each stream takes the place of the last one, as in ansible-runner.
    if let Some(id) = arguments.ident.as_ref().filter(|_| is_run(&folder)) {
        let text = format!("there is a run `{id}` in `{}` already", runs.display());
        return complain(&text, "choose another `--ident`, or move the run away");
    }
    match take(&folder, arguments) {
        Ok(code) => code,
        Err(why) => {
            let hint = "what came before is kept; look at the worker for the rest";
            terminal::complain(&format!("the job has the status `error`: {why}"), Some(hint), context.color());
            BROKEN
        }
    }
}

/// Whether a folder has a run. One that was made for it, with what its plays shall find there, has none yet.
fn is_run(folder: &Path) -> bool {
    let has_events = fs::read_dir(folder.join("job_events")).is_ok_and(|mut events| events.next().is_some());
    has_events || ["rc", "status", "run.json"].iter().any(|name| folder.join(name).exists())
}

/// Takes everything that comes. What is wrong is an error in words.
fn take(folder: &Path, arguments: &ProcessArguments) -> Result<u8, String> {
    let cannot = |err: io::Error| format!("`{}` cannot be written: {err}", folder.display());
    let events = folder.join("job_events");
    DirBuilder::new().recursive(true).mode(0o700).create(&events).map_err(cannot)?;
    let bounds = Bounds { size: arguments.max_size, links: Links::Inside };
    let mut stream = StreamReader::new(BufReader::with_capacity(1 << 16, io::stdin().lock()));
    let mut status = None;
    let mut unpacked = false;
    loop {
        match stream.next().map_err(|err| err.to_string())? {
            Message::Status { word, explanation } if word == "error" => {
                return Err(explanation.unwrap_or_else(|| "the worker does not say why".to_owned()));
            }
            Message::Status { word, .. } => status = Some(word),
            Message::Event(event) => {
                show(&event, arguments);
                keep(&event, &events).map_err(cannot)?;
            }
            Message::Archive(length) => {
                let archive = stream.archive(length, bounds.size).map_err(|err| err.to_string())?;
                unpack(archive, folder, bounds).map_err(|err| err.to_string())?;
                unpacked = true;
            }
            Message::Keepalive | Message::Keywords(_) => {}
            Message::Eof => break,
        }
    }
    let Some(status) = status else { return Err("the stream says nothing about a run".to_owned()) };
    let rc = fs::read_to_string(folder.join("rc")).ok().filter(|_| unpacked);
    match rc.and_then(|text| text.trim().parse::<i32>().ok()) {
        Some(0) if status == "successful" => Ok(0),
        // As a shell has it for a program that a signal killed.
        Some(rc) if rc < 0 => Ok(u8::try_from(128 - rc).unwrap_or(u8::MAX)),
        Some(rc) if rc > 0 => Ok(u8::try_from(rc).unwrap_or(u8::MAX)),
        _ => Ok(u8::from(status != "successful")),
    }
}

fn show(event: &StreamedEvent, arguments: &ProcessArguments) {
    if arguments.quiet {
        return;
    }
    if arguments.json {
        terminal::out(&format!("{}\n", event.line));
    } else if !event.stdout.is_empty() {
        terminal::out(&format!("{}\n", event.stdout.replace("\r\n", "\n")));
    }
}

/// Writes the event's file. Without a number and an id it has no name, in ansible-runner either.
fn keep(event: &StreamedEvent, folder: &Path) -> io::Result<()> {
    let (Some(counter), Some(uuid)) = (event.counter, &event.uuid) else { return Ok(()) };
    // An id of whoever made it up must not lead elsewhere.
    let uuid: String = uuid.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).take(100).collect();
    let path = folder.join(format!("{counter}-{uuid}.json"));
    let partial = path.with_extension("json.tmp");
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    let mut file = options.create(true).truncate(true).write(true).mode(0o600).custom_flags(flags).open(&partial)?;
    file.write_all(event.line.as_bytes())?;
    fs::rename(partial, path)
}
