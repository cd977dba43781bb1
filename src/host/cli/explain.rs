//! `playwarden explain`: what a code means, and where to look next.

use clap::Args;
use serde::Serialize;

use super::context::Context;
use super::exit::Exit;
use super::runs::print_json;
use super::terminal;
use crate::config::{self, near};

#[derive(Args, Debug)]
pub(super) struct ExplainArguments {
    /// An exit code, or the code of a finding such as `unknown-key`; without one, all exit codes
    code: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One code in `explain --json`.
#[derive(Serialize)]
struct Explained<'c> {
    code: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<&'static str>,
    text: &'static str,
}

pub(super) fn explain(context: &Context, arguments: &ExplainArguments) -> Exit {
    let codes: Vec<(String, Exit)> = Exit::ALL.iter().map(|exit| (exit.code().to_string(), *exit)).collect();
    let explained: Vec<Explained<'_>> = match &arguments.code {
        None => {
            let exits = codes.iter().map(|(code, exit)| of_exit(code, *exit));
            exits.chain(config::CODES.iter().map(|(code, text)| Explained { code, meaning: None, text })).collect()
        }
        Some(wanted) => {
            let exit = codes.iter().find(|(code, _)| code == wanted).map(|(code, exit)| of_exit(code, *exit));
            let finding = || config::explain(wanted).map(|text| Explained { code: wanted, meaning: None, text });
            match exit.or_else(finding) {
                Some(explained) => vec![explained],
                None => return unknown(context, wanted),
            }
        }
    };
    match (&explained[..], arguments.json) {
        ([one], true) if arguments.code.is_some() => print_json(one),
        (all, true) => print_json(all),
        ([one], false) if arguments.code.is_some() => {
            let head = one.meaning.map_or(String::new(), |meaning| format!(": {meaning}"));
            terminal::out(&format!(
                "{}{head}\n\n{}\n",
                one.code,
                if one.meaning.is_some() { wrap(one.text) } else { one.text.to_owned() }
            ));
        }
        (all, false) => {
            let row = |one: &Explained<'_>| match one.meaning {
                Some(meaning) => format!("{:>4}  {meaning}\n", one.code),
                None => format!("      {}\n", one.code),
            };
            let (exits, findings): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.meaning.is_some());
            let [exits, findings] = [exits, findings].map(|list| list.into_iter().map(row).collect::<String>());
            terminal::out(&format!("EXIT  MEANING\n{exits}\nEXIT 30 AND 31 COME WITH ONE OF THESE\n{findings}"));
        }
    }
    Exit::Success
}

fn of_exit(code: &str, exit: Exit) -> Explained<'_> {
    Explained { code, meaning: Some(exit.meaning()), text: exit.explanation() }
}

fn unknown(context: &Context, wanted: &str) -> Exit {
    let hint = match near(wanted, config::CODES.iter().map(|(code, _)| *code)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`playwarden explain` lists all codes; with `--ansible-exit-code` the code is Ansible's own".to_owned(),
    };
    terminal::complain(&format!("there is no code `{wanted}`"), Some(&hint), context.color());
    Exit::Usage
}

/// Breaks a paragraph into lines that a terminal has room for.
fn wrap(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let fits = length + 1 + word.chars().count() <= 90;
        match length {
            0 => {}
            _ if fits => lines.push(' '),
            _ => lines.push('\n'),
        }
        length = word.chars().count() + if fits && length > 0 { length + 1 } else { 0 };
        lines += word;
    }
    lines
}
