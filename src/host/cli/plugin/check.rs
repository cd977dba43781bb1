//! `plugin check` and `plugin compile`: loads plugins as a run would.

use clap::Args;

use super::chosen::{self, ConfigArguments};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::run::{runtime, sandbox};
use crate::cli::terminal;
use crate::plan::PluginPlan;
use crate::run::load;

#[derive(Args, Debug)]
pub(in crate::cli) struct CheckArguments {
    /// A plugin of runner.toml, a built-in one, or the path of a component
    plugin: String,
    #[command(flatten)]
    config: ConfigArguments,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct CompileArguments {
    /// Plugins of runner.toml, built-in ones, or paths of components; all of runner.toml when left out
    plugins: Vec<String>,
}

pub(super) fn check(context: &Context, arguments: &CheckArguments) -> Result<Exit, Exit> {
    let mut plan = chosen::plan(context, &arguments.plugin, None)?;
    arguments.config.over(&mut plan);
    loaded(context, &plan)?;
    terminal::out(&format!("plugin `{}` is fine\n", plan.name));
    Ok(Exit::Success)
}

pub(super) fn compile(context: &Context, arguments: &CompileArguments) -> Result<Exit, Exit> {
    let names = match &arguments.plugins[..] {
        [] => {
            let (config, _) = context.config().map_err(|findings| {
                terminal::note(&crate::report::diagnostic::render_findings(&findings, context.cwd(), context.color()));
                Exit::Configuration
            })?;
            config.plugins.iter().map(|plugin| plugin.name.clone()).collect()
        }
        named => named.to_vec(),
    };
    let mut worst = Exit::Success;
    for name in names {
        let plan = chosen::plan(context, &name, None)?;
        let sandbox = sandbox(context)?;
        let runtime = runtime().map_err(|err| {
            terminal::error(&err, None, context.color());
            Exit::CouldNotStart
        })?;
        // Its config is none of our business here.
        match runtime.block_on(crate::run::compile(&plan, &sandbox)) {
            Ok(sha256) => terminal::out(&format!("{name}  {sha256}\n")),
            Err(kind) => worst = chosen::unusable(context, &name, vec![kind]),
        }
    }
    Ok(worst)
}

/// Loads a plugin and asks it about its config; prints what it has to say.
fn loaded(context: &Context, plan: &PluginPlan) -> Result<(), Exit> {
    let sandbox = sandbox(context)?;
    let runtime = runtime().map_err(|err| {
        terminal::error(&err, None, context.color());
        Exit::CouldNotStart
    })?;
    let (_, warnings) =
        runtime.block_on(load(plan, &sandbox)).map_err(|troubles| chosen::unusable(context, &plan.name, troubles))?;
    warnings.into_iter().for_each(|warning| chosen::warn(&plan.name, warning));
    Ok(())
}
