//! `plugin lock`: approves the plugins of runner.toml as they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use playwarden_sandbox::Survey;

use super::inspect;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal;
use crate::config::{self, Config, LOCK_FILE, Lock, Locked, Plugin, did_you_mean};
use crate::plan::Component;
use crate::report::diagnostic;
use crate::run::newly;

#[derive(Args, Debug)]
pub(in crate::cli) struct LockArguments {
    /// Only these plugins of runner.toml; all when left out
    plugins: Vec<String>,
    /// Write nothing; exit code 1 when something would change
    #[arg(long)]
    check: bool,
}

pub(super) fn lock(context: &Context, arguments: &LockArguments) -> Result<Exit, Exit> {
    let findings = |findings| {
        terminal::note(&diagnostic::render_findings(&findings, context.cwd(), context.color()));
        Exit::Configuration
    };
    let (config, _) = context.config().map_err(findings)?;
    if let Some(unknown) = arguments.plugins.iter().find(|name| config.plugin(name).is_none()) {
        let hint = did_you_mean(unknown, config.plugins.iter().map(|plugin| plugin.name.as_str()));
        terminal::complain(&format!("there is no plugin `{unknown}` in runner.toml"), hint.as_deref(), context.color());
        return Err(Exit::Usage);
    }
    let root = config.path().parent().map(std::path::Path::to_owned).unwrap_or_default();
    let path = context.cwd().join(root).join(LOCK_FILE);
    let before = Lock::load(&path).map_err(findings)?;
    let was = before.clone().unwrap_or_default().plugins;

    let mut now = BTreeMap::new();
    let mut text = String::new();
    for plugin in &config.plugins {
        let name = &plugin.name;
        let is_meant = arguments.plugins.is_empty() || arguments.plugins.contains(name);
        let locked = match was.get(name).filter(|_| !is_meant) {
            Some(kept) => kept.clone(),
            None if !is_meant => continue,
            None => look(context, &config, plugin)?,
        };
        text += &line(name, was.get(name), &locked);
        now.insert(name.clone(), locked);
    }
    for gone in was.keys().filter(|name| !now.contains_key(*name)) {
        writeln!(text, "{gone}: gone").ok();
    }
    terminal::out(&text);
    let lock = Lock::new(now);
    if before.as_ref() == Some(&lock) {
        return Ok(Exit::Success);
    }
    if arguments.check {
        terminal::complain(
            &format!("`{LOCK_FILE}` is not what the plugins are"),
            Some("look at what changed, then `playwarden plugin lock`"),
            context.color(),
        );
        return Ok(Exit::Nothing);
    }
    std::fs::write(&path, lock.text()).map_err(|err| {
        terminal::error(&err, Some(&format!("`{}` cannot be written", path.display())), context.color());
        Exit::Evidence
    })?;
    Ok(Exit::Success)
}

fn look(context: &Context, config: &Config, plugin: &Plugin) -> Result<Locked, Exit> {
    let root = config.path().parent().map(std::path::Path::to_owned).unwrap_or_default();
    let (component, source) = match &plugin.component {
        config::Component::Path(written) => (Component::Path(context.cwd().join(&root).join(written)), written.clone()),
        config::Component::Builtin(name) => (Component::Builtin(name.clone()), format!("builtin:{name}")),
    };
    let survey = Survey::of(&inspect::bytes(context, &component)?);
    Ok(Locked {
        exports: survey.offers().map(str::to_owned).collect(),
        sha256: survey.sha256,
        version: survey.version,
        source,
        imports: survey.imports,
    })
}

fn line(name: &str, was: Option<&Locked>, now: &Locked) -> String {
    let short = |locked: &Locked| locked.sha256.get(..12).unwrap_or_default().to_owned();
    match was {
        None => format!("{name}: {} new, exports {}\n", short(now), now.exports.join(", ")),
        Some(was) if was == now => format!("{name}: {} as before\n", short(now)),
        Some(was) => {
            let more = newly(was, now).map(|more| format!(", {more}")).unwrap_or_default();
            format!("{name}: {} was {}{more}\n", short(now), short(was))
        }
    }
}
