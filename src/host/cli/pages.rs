//! `completions`, `man`: what the shell and the manual should know of the command line.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;

use super::context::Context;
use super::exit::Exit;
use super::terminal;
use crate::config::SCHEMA;

#[derive(Args, Debug)]
pub(super) struct CompletionsArguments {
    /// The shell
    shell: Shell,
}

#[derive(Args, Debug)]
pub(super) struct ManArguments {
    /// Write a page for the program and one for each command into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn completions(arguments: &CompletionsArguments) -> Exit {
    let mut script = Vec::new();
    let mut command = super::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "playwarden", &mut script);
    terminal::out(&String::from_utf8_lossy(&script));
    Exit::Success
}

/// The JSON Schema of runner.toml, for editors and other checkers.
pub(super) fn schema() -> Exit {
    terminal::out(SCHEMA);
    Exit::Success
}

pub(super) fn man(context: &Context, arguments: &ManArguments) -> Exit {
    // Each command has its own page instead of `help COMMAND`.
    let mut command = super::Arguments::command().disable_help_subcommand(true);
    command.build();
    let Some(out) = &arguments.out else {
        let mut page = Vec::new();
        // Nothing that is written into memory fails.
        clap_mangen::Man::new(command).render(&mut page).ok();
        terminal::out(&String::from_utf8_lossy(&page));
        return Exit::Success;
    };
    let mut written = Vec::new();
    if let Err(err) = fs::create_dir_all(out).and_then(|()| write(command, out, &mut written)) {
        let text = format!("the pages cannot be written into `{}`: {err}", out.display());
        terminal::complain(&text, Some("name a folder that you may write, with `--out`"), context.color());
        return Exit::Evidence;
    }
    terminal::out(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>());
    Exit::Success
}

/// Writes the page of a command, and those of the commands below it.
fn write(command: Command, out: &Path, written: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write(below.clone(), out, written)?;
    }
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let path = out.join(format!("{name}.1"));
    let mut page = Vec::new();
    clap_mangen::Man::new(command.display_name(&name)).title(&name).render(&mut page)?;
    fs::write(&path, page)?;
    written.push(path);
    Ok(())
}
