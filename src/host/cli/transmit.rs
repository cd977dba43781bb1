//! `playwarden transmit`: a job as a stream.

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde_json::json;

use super::RunArguments;
use super::context::Context;
use super::exit::Exit;
use super::run::overrides;
use super::terminal;
use crate::plan::JobPlan;
use crate::remote::{for_worker, pack, write_archive, write_line};
use crate::report::diagnostic;

/// Writes the job, once it is known that nothing stands against it.
pub(super) fn transmit(context: &Context, mut arguments: RunArguments) -> Exit {
    let Some(folder) = context.private_data_dir() else {
        let hint = "name the folder that holds its inputs with `--private-data-dir`";
        terminal::complain("only a private data dir can be transmitted", Some(hint), context.color());
        return Exit::Usage;
    };
    if let Some(job) = arguments.jobs.first() {
        let text = format!("`{job}` is no job: what is transmitted is a private data dir");
        terminal::complain(&text, Some("say what to run with `-p`, `-m` or `-r`"), context.color());
        return Exit::Usage;
    }
    let Ok((config, _)) = context.config() else { return Exit::Configuration };
    let overrides = match overrides(context, &mut arguments) {
        Ok(overrides) => overrides,
        Err(exit) => return exit,
    };
    let note = |list| {
        let mut findings = config.findings(list);
        findings.settle();
        if !findings.list.is_empty() {
            terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        }
        findings
    };
    let name = config.jobs.first().map_or("", |job| job.name.as_str());
    let plan = match JobPlan::resolve_elsewhere(&config, name, &overrides, &context.environment) {
        Ok(plan) => plan,
        Err(list) => {
            let usage = note(list).list.iter().all(|finding| finding.path.as_os_str().is_empty());
            return if usage { Exit::Usage } else { Exit::Configuration };
        }
    };
    note(plan.warnings.clone());
    let job = match for_worker(&plan, &overrides, folder) {
        Ok(job) => job,
        Err(err) => {
            terminal::error(&err, Some(err.hint()), context.color());
            return Exit::Usage;
        }
    };
    let runs = plan.artifacts.strip_prefix(folder).unwrap_or(Path::new("artifacts")).to_owned();
    let only_keywords = overrides.keywords.only_transmit_kwargs == Some(true);
    let sent = || -> io::Result<()> {
        let archive = match only_keywords {
            true => None,
            // Runs are not inputs.
            false => Some(pack(folder, &job.added, &|path| path == Path::new("artifacts") || path == runs)?),
        };
        let mut stdout = BufWriter::new(io::stdout().lock());
        write_line(&mut stdout, &json!({"kwargs": job.keywords}))?;
        if let Some(archive) = archive {
            write_archive(&mut stdout, archive)?;
        }
        write_line(&mut stdout, &json!({"eof": true}))?;
        stdout.flush()
    };
    match sent() {
        Ok(()) => Exit::Success,
        Err(err) => {
            let hint = "the job was not sent whole: check what can be read, and that somebody takes the stream";
            terminal::error(&err, Some(hint), context.color());
            Exit::Evidence
        }
    }
}
