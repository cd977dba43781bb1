//! `worker cleanup`: what jobs left whose worker was killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use clap::Args;
use rustix::process::{Pid, test_kill_process};

use super::super::context::Context;
use super::super::exit::Exit;
use super::super::terminal;
use super::folder::{OWN_JOB, is_never_removed, remove};
use crate::store::Store;

#[derive(Args, Debug)]
pub(super) struct CleanupArguments {
    /// Remove private data dirs whose path fits, such as `/tmp/playwarden-worker-*`
    #[arg(long, value_name = "PATTERN")]
    file_pattern: Option<String>,
    /// Keep those with one of these texts in their path
    #[arg(long, num_args = 0.., value_name = "TEXT")]
    exclude_strings: Vec<String>,
    /// Remove these images
    #[arg(long, num_args = 0.., value_name = "IMAGE")]
    remove_images: Vec<String>,
    /// Keep what was changed in the last so many minutes; 0 keeps nothing
    #[arg(long, value_name = "MINUTES", default_value = "60")]
    grace_period: u64,
    /// Let the engine remove images that nothing uses
    #[arg(long)]
    image_prune: bool,
    /// The engine of the images: `podman` or `docker`
    #[arg(long, value_name = "PATH", default_value = "podman")]
    process_isolation_executable: String,
}

pub(super) fn cleanup(context: &Context, arguments: &CleanupArguments) -> Exit {
    let mut changed = false;
    if let Some(pattern) = &arguments.file_pattern {
        let found = matching(&context.cwd().join(pattern));
        if let Some(path) = found.iter().find(|path| is_never_removed(path, context)) {
            let text = format!("`{pattern}` fits `{}`, which the system or a user needs", path.display());
            terminal::complain(&text, Some("nothing was removed: write a pattern that fits less"), context.color());
            return Exit::Usage;
        }
        let mut count = 0;
        for folder in found {
            match is_wanted(&folder, arguments) {
                Some(why) => terminal::note(&format!("{} stays: {why}\n", folder.display())),
                None => match remove(&folder) {
                    Ok(()) => count += 1,
                    Err(err) => terminal::error(&err, Some("it stays: check who may remove it"), context.color()),
                },
            }
        }
        if count > 0 {
            changed = true;
            terminal::out(&format!("Removed {count} private data dir(s) in pattern {pattern}\n"));
        }
    }
    let engine = &arguments.process_isolation_executable;
    let mut count = 0;
    for image in &arguments.remove_images {
        // With podman the layers stay, and what runs goes on.
        let words: &[&str] = if engine.ends_with("podman") { &["untag", image] } else { &["rmi", "-f", image] };
        match asked(engine, words) {
            Ok(true) => count += 1,
            Ok(false) => {}
            Err(err) => return no_engine(context, engine, &err),
        }
    }
    if count > 0 {
        changed = true;
        terminal::out(&format!("Removed {count} image(s)\n"));
    }
    if arguments.image_prune {
        match asked(engine, &["image", "prune", "-f"]) {
            Ok(true) => {
                changed = true;
                terminal::out("Pruned images\n");
            }
            Ok(false) => {}
            Err(err) => return no_engine(context, engine, &err),
        }
    }
    terminal::out(if changed { "(changed: True)\n" } else { "(changed: False)\n" });
    Exit::Success
}

fn no_engine(context: &Context, engine: &str, err: &io::Error) -> Exit {
    let hint = format!("install `{engine}`, or name another one with `--process-isolation-executable`");
    terminal::error(err, Some(&hint), context.color());
    Exit::CouldNotStart
}

/// Whether the engine did something.
fn asked(engine: &str, words: &[&str]) -> io::Result<bool> {
    let output = Command::new(engine).args(words).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.trim();
    let nothing = words.first() == Some(&"image") && (text.is_empty() || text == "Total reclaimed space: 0B");
    Ok(output.status.success() && !nothing)
}

/// Why a folder stays; none when it can go.
fn is_wanted(folder: &Path, arguments: &CleanupArguments) -> Option<&'static str> {
    let shown = folder.to_string_lossy();
    if arguments
        .exclude_strings
        .iter()
        .flat_map(|list| list.split(','))
        .any(|text| !text.is_empty() && shown.contains(text))
    {
        return Some("it is excluded");
    }
    let grace = Duration::from_secs(arguments.grace_period.saturating_mul(60));
    let age = fs::metadata(folder).and_then(|data| data.modified()).map(|time| SystemTime::now().duration_since(time));
    if !grace.is_zero() && age.is_ok_and(|age| age.unwrap_or_default() < grace) {
        return Some("it was changed not long ago");
    }
    let pid = fs::read_to_string(folder.join("pid")).ok().and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let is_running = |folder: &Path| {
        let runs = Store::new(folder.join("artifacts"), crate::run::close).list().unwrap_or_default().runs;
        runs.iter().any(|run| run.record.outcome.is_none())
    };
    let is_alive = pid.is_some_and(|pid| test_kill_process(pid).is_ok())
        || is_running(folder)
        || is_running(&folder.join(OWN_JOB));
    is_alive.then_some("a run in it is running")
}

/// The folders that a pattern fits: `*` and `?` stand for anything in one step of a path.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from("/")];
    for step in pattern.components().skip(1) {
        let step = step.as_os_str().to_string_lossy().into_owned();
        found = match step.contains(['*', '?']) {
            false => found.into_iter().map(|folder| folder.join(&step)).filter(|path| path.exists()).collect(),
            true => {
                let entries = found.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
                let named = entries.filter(|entry| {
                    let name = entry.file_name().to_string_lossy().into_owned();
                    (step.starts_with('.') || !name.starts_with('.')) && fits(step.as_bytes(), name.as_bytes())
                });
                named.map(|entry| entry.path()).collect()
            }
        };
    }
    // A link is not what it leads to.
    found.retain(|path| fs::symlink_metadata(path).is_ok_and(|data| data.is_dir()));
    found.sort();
    found
}

fn fits(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => fits(rest, name) || name.split_first().is_some_and(|(_, name)| fits(pattern, name)),
        ([b'?', pattern @ ..], [_, name @ ..]) => fits(pattern, name),
        ([one, pattern @ ..], [other, name @ ..]) => one == other && fits(pattern, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names() {
        for (pattern, name, expected) in [
            ("a*", "abc", true),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*-x", "a-b-x", true),
            ("a", "ab", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
