//! What lay where a run found its work when it began. Digests take time, so they are made only for runs that are signed.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use playwarden_event::kind::Input;

use crate::audit::digest;
use crate::plan::{JobPlan, Work};

/// Returns what lies where the run finds its work, with digests.
pub(super) fn inputs(plan: &JobPlan) -> Vec<Input> {
    let mut without = vec![plan.artifacts.clone()];
    without.extend(plan.secret_files.iter().cloned());
    let mut inputs = Vec::new();
    let mut add = |kind: &str, plugin: Option<&str>, path: &Path| {
        let mut input = Input {
            kind: kind.to_owned(),
            plugin: plugin.map(str::to_owned),
            path: path.display().to_string(),
            ..Input::default()
        };
        match digest(path, &without) {
            Ok(files) => (input.sha256, input.files) = (Some(files.sha256), files.count),
            Err(err) => input.trouble = Some(err.to_string()),
        }
        inputs.push(input);
    };
    if let Some(config) = plan.config_file.as_deref() {
        add("config", None, config);
    }
    add("project", None, &plan.root);
    if let Work::Playbook { path } = &plan.work
        && !plan.root.join(path).starts_with(&plan.root)
    {
        add("playbook", None, path);
    }
    for inventory in &plan.inventory {
        // Not a list of hosts, which stands in the plan.
        let path = plan.root.join(inventory);
        if path.exists() {
            add("inventory", None, &path);
        }
    }
    let files = plan.more_extra_vars.iter().filter_map(|vars| vars.to_str()?.strip_prefix('@').map(PathBuf::from));
    for path in plan.handed.extra_vars_files.iter().map(PathBuf::from).chain(files) {
        add("extra-vars", None, &plan.root.join(path));
    }
    for plugin in &plan.plugins {
        for granted in &plugin.grants.read {
            add("grant", Some(&plugin.name), &granted.path);
        }
    }
    for input in inputs.iter_mut().filter(|input| input.kind == "project") {
        (input.commit, input.dirty) = git(&plan.root, &plan.artifacts).unwrap_or_default();
    }
    inputs
}

/// Returns the commit that a folder is at, and whether something in it is not as committed; nothing where git knows nothing of it.
fn git(folder: &Path, artifacts: &Path) -> io::Result<(Option<String>, Option<bool>)> {
    let ask = |arguments: &[&str]| {
        let mut git = Command::new("git");
        // No watcher is started, and no index rewritten, by being asked.
        git.arg("-C").arg(folder).args(["--no-optional-locks", "-c", "core.fsmonitor=false"]).args(arguments);
        for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            git.env_remove(variable);
        }
        let output = git.output()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok::<_, io::Error>(output.status.success().then_some(text))
    };
    let Some(commit) = ask(&["rev-parse", "--verify", "HEAD"])? else { return Ok((None, None)) };
    let kept = artifacts.strip_prefix(folder).map(|inside| format!(":(exclude){}", inside.display()));
    let mut status = vec!["status", "--porcelain", "--untracked-files=all", "--", "."];
    status.extend(kept.as_deref());
    let dirty = ask(&status)?.map(|changes| !changes.is_empty());
    Ok((Some(commit), dirty))
}
