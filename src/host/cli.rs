//! The command line: takes arguments, calls the other rooms, prints what they return.
//!
//! Results go to standard output, everything else to standard error. The only room that reads the environment.

mod audit;
mod background;
mod cancel;
mod check;
mod context;
mod data_dir;
mod exit;
mod explain;
mod export;
mod facts;
mod follow;
mod init;
mod install;
mod pages;
mod plugin;
mod process;
mod replay;
mod run;
mod runs;
mod terminal;
mod tools;
mod transmit;
mod worker;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use self::context::Context;
use self::exit::Exit;

/// Run Ansible under policies that nobody has to trust.
#[derive(Debug, Parser)]
#[command(name = "playwarden", version, about, max_term_width = 100)]
struct Arguments {
    /// Use this runner.toml instead of looking for one from the current folder upward
    #[arg(short, long, global = true, value_name = "PATH")]
    file: Option<PathBuf>,
    /// Use this folder of inputs in the manner of ansible-runner instead of a runner.toml
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "file")]
    private_data_dir: Option<PathBuf>,
    /// Where its runs are kept instead of its `artifacts`
    #[arg(long, global = true, value_name = "DIR", requires = "private_data_dir")]
    artifact_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run jobs of runner.toml, in order, until one is not successful
    Run(Box<RunArguments>),
    /// Run jobs in the background, and print the run id once it has begun
    Start(Box<RunArguments>),
    /// End a run that was started in the background, and wait for its end
    Stop(background::StopArguments),
    /// Say whether a run is running: exit code 0, else 1
    IsAlive(background::IsAliveArguments),
    /// Write a job to standard output, for a worker
    Transmit(Box<RunArguments>),
    /// Run the job on standard input, and write what happens to standard output
    Worker(worker::WorkerArguments),
    /// Show and keep what a worker writes, from standard input
    Process(process::ProcessArguments),
    /// Check everything that can be known before a run
    Check(CheckArguments),
    /// List the runs, newest first
    List(runs::ListArguments),
    /// Show what was run and how it ended
    Show(OneRun),
    /// Show the events of a run
    Events(follow::EventsArguments),
    /// Show what Ansible printed
    Stdout(follow::StdoutArguments),
    /// Show what each host came to, as Ansible's recap has it
    Stats(OneRun),
    /// Show the facts that a run gathered about a host
    Facts(facts::FactsArguments),
    /// End a run that another process works on
    Cancel(cancel::CancelArguments),
    /// Prove what was run: find what was changed, bundle it, keep the keys
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make something else of recorded runs
    Export(export::ExportArguments),
    /// Show recorded runs to a plugin again
    Replay(replay::ReplayArguments),
    /// Make, build, look at, try and approve plugins
    #[command(subcommand)]
    Plugin(plugin::PluginCommand),
    /// Explain an exit code, or the code of a finding
    Explain(explain::ExplainArguments),
    /// Write a runner.toml for a folder of playbooks, or for a private data dir of ansible-runner
    Init(init::InitArguments),
    /// Install private copies of ansible-core, and ask Ansible's other programs
    #[command(subcommand)]
    Ansible(AnsibleCommand),
    /// Print the JSON Schema of runner.toml
    Schema,
    /// Print the completions of a shell
    Completions(pages::CompletionsArguments),
    /// Print the manual page, or write all of them
    Man(pages::ManArguments),
    /// Stand between the host and Ansible
    #[command(name = "__guard", hide = true)]
    Guard,
}

#[derive(Debug, Subcommand)]
enum AnsibleCommand {
    #[command(flatten)]
    Install(install::InstallCommand),
    #[command(flatten)]
    Tool(tools::ToolCommand),
}

#[derive(Args, Debug)]
struct RunArguments {
    /// Names of jobs; may be left out when there is only one
    jobs: Vec<String>,
    /// Run only on these inventory hosts
    #[arg(short, long, value_name = "PATTERN")]
    limit: Option<String>,
    /// Use this inventory instead of the job's: a path or a list with commas
    #[arg(short, long, value_name = "PATH")]
    inventory: Vec<String>,
    /// Run only tasks with these tags
    #[arg(short, long, value_delimiter = ',', value_name = "TAG")]
    tags: Vec<String>,
    /// Leave out tasks with these tags
    #[arg(long, value_delimiter = ',', value_name = "TAG")]
    skip_tags: Vec<String>,
    /// Set variables: `key=value`, JSON or `@file`
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    /// A vault identity and where its password is, as Ansible takes them: `NAME@FILE`; may be repeated
    #[arg(long, value_name = "ID")]
    vault_id: Vec<String>,
    /// Change nothing, only say what would change
    #[arg(short = 'C', long)]
    check: bool,
    /// Show differences
    #[arg(short = 'D', long)]
    diff: bool,
    /// Run on so many hosts at a time
    #[arg(long, value_name = "N")]
    forks: Option<u32>,
    /// Make Ansible say more
    #[arg(short, action = clap::ArgAction::Count)]
    verbose: u8,
    /// End the run after so long, such as `90s` or `1h30m`
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<std::time::Duration>,
    /// Give the run this id instead of a new one
    #[arg(long, visible_alias = "ident", value_name = "ID")]
    run_id: Option<String>,
    /// Say why; it is kept with the run
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Say what allows it, such as the number of a change; it is kept with the run
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Print each event as a line of JSON instead of Ansible's text
    #[arg(short, long)]
    json: bool,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
    /// End with Ansible's own exit code, 254 for canceled and timeout
    #[arg(long)]
    ansible_exit_code: bool,
    /// Leave the terminal, and keep the process id here
    #[arg(long, hide = true, value_name = "FILE")]
    detached: Option<PathBuf>,
    #[command(flatten)]
    data_dir: data_dir::DataDirArguments,
}

#[derive(Args, Debug)]
struct CheckArguments {
    /// Names of jobs; all when left out
    jobs: Vec<String>,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct OneRun {
    /// Run id, the beginning of one, or `@` for the newest
    #[arg(default_value = "@")]
    run: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    crate::config::parse_duration(text).ok_or_else(|| "a time looks like `90s`, `10m` or `1h30m`".to_owned())
}

fn parse_size(text: &str) -> Result<u64, String> {
    crate::config::parse_size(text).ok_or_else(|| "a size looks like `512MiB` or `4GiB`".to_owned())
}

/// Runs the program with this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.command, Command::Guard) {
        return guard();
    }
    let context = match Context::new(arguments.file, arguments.private_data_dir, arguments.artifact_dir) {
        Ok(context) => context,
        Err(exit) => return ExitCode::from(exit.code()),
    };
    let code = match arguments.command {
        Command::Run(arguments) => run::run(&context, *arguments),
        Command::Start(arguments) => background::start(&context, &arguments).code(),
        Command::Stop(arguments) => background::stop(&context, &arguments).code(),
        Command::IsAlive(arguments) => background::is_alive(&context, &arguments).code(),
        Command::Transmit(arguments) => transmit::transmit(&context, *arguments).code(),
        Command::Worker(arguments) => worker::worker(&context, &arguments),
        Command::Process(arguments) => process::process(&context, &arguments),
        Command::Check(arguments) => check::check(&context, &arguments).code(),
        Command::List(arguments) => runs::list(&context, &arguments).code(),
        Command::Show(arguments) => runs::show(&context, &arguments).code(),
        Command::Events(arguments) => follow::events(&context, &arguments).code(),
        Command::Stdout(arguments) => follow::stdout(&context, &arguments).code(),
        Command::Stats(arguments) => facts::stats(&context, &arguments).code(),
        Command::Facts(arguments) => facts::facts(&context, &arguments).code(),
        Command::Explain(arguments) => explain::explain(&context, &arguments).code(),
        Command::Init(arguments) => init::init(&context, &arguments).code(),
        Command::Ansible(AnsibleCommand::Install(command)) => install::ansible(&context, &command).code(),
        Command::Ansible(AnsibleCommand::Tool(command)) => tools::tool(&context, &command),
        Command::Schema => pages::schema().code(),
        Command::Completions(arguments) => pages::completions(&arguments).code(),
        Command::Man(arguments) => pages::man(&context, &arguments).code(),
        Command::Audit(command) => audit::audit(&context, &command).code(),
        Command::Export(arguments) => export::export(&context, &arguments).code(),
        Command::Replay(arguments) => replay::replay(&context, &arguments).code(),
        Command::Plugin(command) => plugin::plugin(&context, &command).code(),
        Command::Cancel(arguments) => cancel::cancel(&context, &arguments).code(),
        Command::Guard => Exit::Success.code(),
    };
    ExitCode::from(code)
}

fn guard() -> ExitCode {
    match crate::process::guard_main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            terminal::error(&err, None, false);
            ExitCode::from(Exit::Usage.code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_readme_has_the_table_of_exit_codes() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(readme.contains(&row), "README.md lacks the row `{row}`");
        }
        let is_row =
            |line: &&str| line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        assert_eq!(readme.lines().filter(is_row).count(), Exit::ALL.len());
    }
}
