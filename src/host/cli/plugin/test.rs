//! `plugin test`: a folder of cases.

use std::path::{Path, PathBuf};

use clap::Args;
use playwarden_kit::Project;

use super::chosen;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::{runtime, sandbox};
use crate::cli::terminal;
use crate::report::{counted, diagnostic};
use crate::trial::{self, CaseError, Verdict};

#[derive(Args, Debug)]
pub(in crate::cli) struct TestArguments {
    /// A project's folder; or a plugin of runner.toml, a built-in one, or the path of a component, with `--cases`
    #[arg(default_value = ".", value_name = "PLUGIN")]
    plugin: String,
    /// The folder of cases instead of the project's `cases`
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Only cases with this in their names
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Write what the plugin says now as what is expected of it
    #[arg(long)]
    update: bool,
    /// Write the results as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

pub(super) fn test(context: &Context, arguments: &TestArguments) -> Result<Exit, Exit> {
    let (plan, folder) = meant(context, arguments)?;
    let cases = trial::cases(&folder).map_err(|err| {
        let hint = match &err {
            CaseError::Io(..) => "name the folder of cases with `--cases`",
            CaseError::None(_) => "a case is a folder with `case.toml`, `events.jsonl` and `expected.json`",
        };
        terminal::error(&err, Some(hint), context.color());
        Exit::Usage
    })?;
    let is_meant = |name: &str| arguments.only.as_ref().is_none_or(|word| name.contains(word.as_str()));
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let mut results = Vec::new();
    for case in cases.iter().filter(|case| is_meant(&case.name)) {
        let verdict = runtime
            .block_on(case.run(&plan, &sandbox, arguments.update))
            .unwrap_or_else(|findings| Verdict::Unusable(diagnostic::render_findings(&findings, context.cwd(), false)));
        terminal::out(&line(&case.name, &verdict));
        results.push((case.name.clone(), verdict));
    }
    if let Some(file) = &arguments.junit {
        let path = context.cwd().join(file);
        std::fs::write(&path, trial::junit(&plan.name, &results)).map_err(|err| {
            terminal::error(&err, Some(&format!("`{}` cannot be written", path.display())), context.color());
            Exit::Evidence
        })?;
    }
    if results.is_empty() {
        let known: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        terminal::complain(
            "no case is named like that",
            Some(&format!("there is {}", known.join(", "))),
            context.color(),
        );
        return Err(Exit::Usage);
    }
    let bad = results.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::Holds | Verdict::Written)).count();
    terminal::out(&format!("{}, {bad} bad\n", counted(results.len(), "case")));
    Ok(if bad == 0 { Exit::Success } else { Exit::Nothing })
}

/// The plugin and the folder of its cases.
fn meant(context: &Context, arguments: &TestArguments) -> Result<(crate::plan::PluginPlan, PathBuf), Exit> {
    let named = arguments.cases.as_ref().map(|cases| context.cwd().join(cases));
    let folder = context.cwd().join(&arguments.plugin);
    if folder.is_dir() && (arguments.plugin.contains(['/', '.']) || folder.join("plugin.toml").exists()) {
        let project = super::build::project(context, Path::new(&arguments.plugin))?;
        if !project.component().is_file() {
            let text = format!("plugin `{}` is not built", project.name);
            let hint = format!("`playwarden plugin build {}` builds it", arguments.plugin);
            terminal::complain(&text, Some(&hint), context.color());
            return Err(Exit::PluginLoad);
        }
        if let Some(source) = newer(&project) {
            let text = format!("plugin `{}` was built before `{}` was changed", project.name, source.display());
            let hint = format!("`playwarden plugin build {}` builds it again", arguments.plugin);
            terminal::complain(&text, Some(&hint), context.color());
            return Err(Exit::PluginLoad);
        }
        let cases = named.unwrap_or_else(|| project.cases());
        return Ok((chosen::of_path(project.component()), cases));
    }
    let plan = chosen::plan(context, &arguments.plugin, None)?;
    let cases = named.ok_or_else(|| {
        let text = format!("nothing says where the cases of `{}` are", arguments.plugin);
        terminal::complain(&text, Some("name their folder with `--cases`"), context.color());
        Exit::Usage
    })?;
    Ok((plan, cases))
}

/// What a component is made of, beside Go's sources and the folders below. Other things may lie in a project too.
const FILES: [&str; 9] = [
    "Cargo.lock",
    "Cargo.toml",
    "go.mod",
    "go.sum",
    "package-lock.json",
    "package.json",
    "plugin.toml",
    "requirements.txt",
    "tsconfig.json",
];

/// Finds a source that is newer than the component: the cases would say nothing about it.
fn newer(project: &Project) -> Option<PathBuf> {
    let time = |path: &Path| std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
    let built = time(&project.component());
    let is_go = |path: &PathBuf| path.extension().is_some_and(|of| of == "go");
    let mut files = FILES.map(|name| project.folder.join(name)).to_vec();
    files.extend(entries(&project.folder).into_iter().filter(is_go));
    let mut folders = ["src", "sdk", "wit"].map(|name| project.folder.join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            // What an editor keeps there says nothing, nor do pages.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_made = ["__pycache__", "target"].contains(&&*name) || name.starts_with('.') || name.ends_with('~');
            match path.extension() {
                _ if is_made => {}
                _ if path.is_dir() => folders.push(path),
                Some(of) if of != "md" => files.push(path),
                _ => {}
            }
        }
    }
    let found = files.into_iter().find(|path| time(path) > built)?;
    Some(found.strip_prefix(&project.folder).map_or_else(|_| found.clone(), Path::to_owned))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn line(name: &str, verdict: &Verdict) -> String {
    let (word, why) = match verdict {
        Verdict::Holds => ("ok", ""),
        Verdict::Written => ("written", ""),
        Verdict::Differs(why) => ("differs", why.as_str()),
        Verdict::Unusable(why) => ("bad", why.as_str()),
    };
    let why: String = why.lines().map(|line| format!("  {line}\n")).collect();
    format!("{word:8} {name}\n{why}")
}
