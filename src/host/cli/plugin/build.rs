//! `plugin build`: from a project to a component that loads.

use std::path::{Path, PathBuf};

use clap::Args;
use playwarden_kit::{BuildError, Project, ProjectError};

use super::chosen;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::{runtime, sandbox};
use crate::cli::terminal;
use crate::report::tried::size;

#[derive(Args, Debug)]
pub(in crate::cli) struct BuildArguments {
    /// The project's folder
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Install the language's tools into this folder instead of `.tools` of the project
    #[arg(long, value_name = "DIR")]
    tools: Option<PathBuf>,
}

pub(super) fn build(context: &Context, arguments: &BuildArguments) -> Result<Exit, Exit> {
    let project = project(context, &arguments.folder)?;
    let tools = arguments.tools.as_ref().map(|tools| context.cwd().join(tools));
    let mut told = |step: &str| terminal::note(&format!("{step}\n"));
    let built = project.build(tools.as_deref(), &mut told).map_err(|err| failed(context, &err))?;

    // What cannot be loaded was not built.
    let plan = chosen::of_path(built.path.clone());
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let code = playwarden_sandbox::Code::File(&built.path);
    let plugin = runtime.block_on(sandbox.inspect(&plan.name, code)).map_err(|err| {
        terminal::error(&err, Some(&err.hint()), context.color());
        Exit::PluginLoad
    })?;
    let path = built.path.strip_prefix(context.cwd()).unwrap_or(&built.path).display();
    let identity = plugin.identity();
    // Each interface, not each hook: who forgot a question of the policy in `wit/plugin.wit` sees it here.
    let survey = playwarden_sandbox::Survey::of(&built.component);
    let offers = survey.offers().collect::<Vec<_>>().join(", ");
    let shown = size(built.component.len() as u64);
    terminal::out(&format!("{path}  {shown}  {offers}\nsha256 {}\n", identity.sha256));
    Ok(Exit::Success)
}

/// Reads a project, or says why it is none.
pub(super) fn project(context: &Context, folder: &Path) -> Result<Project, Exit> {
    Project::read(&context.cwd().join(folder)).map_err(|err| {
        let hint = match &err {
            ProjectError::None(_) => "`playwarden plugin new NAME --lang LANGUAGE` writes a project",
            ProjectError::Io(..) => "check who may read it",
            ProjectError::Wrong(..) => "it has `name`, `version`, `language` and `world`",
        };
        terminal::error(&err, Some(hint), context.color());
        Exit::Configuration
    })
}

fn failed(context: &Context, err: &BuildError) -> Exit {
    let (hint, output) = match err {
        BuildError::Missing { hint, .. } => (Some(hint.clone()), None),
        BuildError::Step { command, output, hint, .. } => {
            let ran = format!("it ran `{command}`");
            (Some(hint.as_ref().map_or_else(|| ran.clone(), |hint| format!("{hint}; {ran}"))), Some(output))
        }
        BuildError::Component { .. } => (
            Some("`wit/` must have the world that `plugin.toml` names, and the code all that it exports".to_owned()),
            None,
        ),
        BuildError::Io(..) => (None, None),
    };
    if let Some(output) = output {
        terminal::note(&format!("{output}\n"));
    }
    terminal::error(err, hint.as_deref(), context.color());
    Exit::CouldNotStart
}
