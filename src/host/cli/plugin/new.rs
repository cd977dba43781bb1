//! `plugin new` and `plugin wit`: what is written for an author.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use playwarden_kit::{Language, NAME_RULE, NewError};

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal;

#[derive(Args, Debug)]
pub(in crate::cli) struct NewArguments {
    /// The plugin's name, and the folder; a path makes it there
    name: PathBuf,
    /// What it is written in
    #[arg(short, long, value_name = "LANGUAGE", value_parser = PossibleValuesParser::new(Language::ALL.map(Language::word)))]
    lang: String,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct WitArguments {
    /// Where to
    #[arg(default_value = "wit", value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn new(context: &Context, arguments: &NewArguments) -> Result<Exit, Exit> {
    let folder = context.cwd().join(&arguments.name);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let language = Language::from_word(&arguments.lang).unwrap_or(Language::Rust);
    playwarden_kit::create(&folder, &name, language).map_err(|err| refused(context, &err))?;
    let shown = arguments.name.display();
    terminal::out(&format!(
        "`{shown}` is a policy in {language} that works; its README.md says what is where\n  \
         playwarden plugin build {shown}\n  playwarden plugin test {shown}\n"
    ));
    Ok(Exit::Success)
}

pub(super) fn wit(context: &Context, arguments: &WitArguments) -> Result<Exit, Exit> {
    let folder = context.cwd().join(&arguments.folder);
    let written = playwarden_kit::write_contract(&folder).map_err(|err| refused(context, &err))?;
    for file in written {
        terminal::out(&format!("{}\n", arguments.folder.join(file).display()));
    }
    Ok(Exit::Success)
}

fn refused(context: &Context, err: &NewError) -> Exit {
    let hint = match err {
        NewError::Name(_) => format!("use {NAME_RULE}"),
        NewError::Exists(_) => "name a folder that is not there yet, or empty".to_owned(),
        NewError::Io(..) => "check that the folder may be written to".to_owned(),
    };
    terminal::complain(&err.to_string(), Some(&hint), context.color());
    match err {
        NewError::Io(..) => Exit::Evidence,
        NewError::Name(_) | NewError::Exists(_) => Exit::Usage,
    }
}
