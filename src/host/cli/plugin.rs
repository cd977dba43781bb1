//! `playwarden plugin`: what a plugin's author needs, from nothing to a component that is tried and approved.

mod bench;
mod build;
mod check;
pub(super) mod chosen;
mod inspect;
mod lock;
mod new;
mod run;
mod test;

use clap::Subcommand;

use super::context::Context;
use super::exit::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum PluginCommand {
    /// Write a new project for a plugin: a folder NAME with a policy that works
    New(new::NewArguments),
    /// Build a project's component with its language's own tools
    Build(build::BuildArguments),
    /// Show what a component offers, needs and is made of
    Inspect(inspect::InspectArguments),
    /// Load a plugin as a run would, and ask it about its config
    Check(check::CheckArguments),
    /// Show a plugin a list of events, and show what it says
    Run(run::RunArguments),
    /// Try a plugin on a folder of cases
    Test(test::TestArguments),
    /// Measure what a plugin costs, beside the built-in ones
    Bench(bench::BenchArguments),
    /// Compile plugins now, so that no run has to wait for it
    Compile(check::CompileArguments),
    /// Write the contract, for tools that generate from it
    Wit(new::WitArguments),
    /// Write runner.lock: what each plugin of runner.toml is and may reach
    Lock(lock::LockArguments),
}

pub(super) fn plugin(context: &Context, command: &PluginCommand) -> Exit {
    let done = match command {
        PluginCommand::New(arguments) => new::new(context, arguments),
        PluginCommand::Build(arguments) => build::build(context, arguments),
        PluginCommand::Inspect(arguments) => inspect::inspect(context, arguments),
        PluginCommand::Check(arguments) => check::check(context, arguments),
        PluginCommand::Run(arguments) => run::run(context, arguments),
        PluginCommand::Test(arguments) => test::test(context, arguments),
        PluginCommand::Bench(arguments) => bench::bench(context, arguments),
        PluginCommand::Compile(arguments) => check::compile(context, arguments),
        PluginCommand::Wit(arguments) => new::wit(context, arguments),
        PluginCommand::Lock(arguments) => lock::lock(context, arguments),
    };
    done.unwrap_or_else(|exit| exit)
}
