//! `stats`, `facts`: what a run came to, and what it learned, host by host.

use clap::Args;
use playwarden_event::Json;

use super::context::Context;
use super::exit::Exit;
use super::runs::{damaged, print_json, with_run};
use super::{OneRun, terminal};
use crate::config::{did_you_mean, near};
use crate::report::{json, recap};

/// What to do about a journal that cannot be read to its end.
const DAMAGED: &str = "`playwarden events` shows what can be read of it";

#[derive(Args, Debug)]
pub(super) struct FactsArguments {
    /// Run id, the beginning of one, or `@` for the newest
    #[arg(default_value = "@")]
    run: String,
    /// The inventory host; without one, the hosts that have facts
    host: Option<String>,
    /// Only the fact of this name, or the place that a JSON pointer leads to, such as `/ansible_mounts/0`
    #[arg(value_name = "POINTER")]
    pointer: Option<String>,
    /// Print the list of hosts as JSON; facts are JSON anyway
    #[arg(long)]
    json: bool,
}

pub(super) fn stats(context: &Context, arguments: &OneRun) -> Exit {
    with_run(context, &arguments.run, |run| match run.recap() {
        Ok(found) if arguments.json => {
            print_json(&found);
            Exit::Success
        }
        Ok(found) => {
            if found.hosts.is_empty() {
                terminal::note("nothing was started on any host\n");
            } else {
                terminal::out(&recap::table(&found));
            }
            terminal::note(&recap::remark(&found).unwrap_or_default());
            Exit::Success
        }
        Err(err) => damaged(context, run, err, DAMAGED),
    })
}

pub(super) fn facts(context: &Context, arguments: &FactsArguments) -> Exit {
    with_run(context, &arguments.run, |run| {
        let all = match run.facts() {
            Ok(all) => all,
            Err(err) => return damaged(context, run, err, DAMAGED),
        };
        let refuse = |text: String, hint: &str| {
            terminal::complain(&text, Some(hint), context.color());
            Exit::Usage
        };
        let none = "facts come from `gather_facts: true`, the module `setup` and `set_fact`";
        let Some(host) = &arguments.host else {
            if arguments.json {
                print_json(&all.keys().collect::<Vec<_>>());
            } else if all.is_empty() {
                terminal::note(&format!("no facts were gathered in run `{}`: {none}\n", run.record.id));
            } else {
                terminal::out(&all.keys().map(|host| format!("{host}\n")).collect::<String>());
            }
            return Exit::Success;
        };
        let Some(facts) = all.get(host) else {
            let hint = did_you_mean(host, all.keys().map(String::as_str));
            let hint = match hint {
                Some(hint) => hint,
                None if all.is_empty() => none.to_owned(),
                None => format!("`playwarden facts {}` lists the hosts that have some", arguments.run),
            };
            return refuse(format!("there are no facts of host `{host}` in run `{}`", run.record.id), &hint);
        };
        let whole = facts.json();
        let found = match &arguments.pointer {
            None => Some(whole),
            Some(pointer) if pointer.is_empty() || pointer.starts_with('/') => whole.pointer(pointer),
            Some(name) => whole.pointer(&format!("/{}", name.replace('~', "~0").replace('/', "~1"))),
        };
        match found {
            Some(found) => {
                print(&found);
                Exit::Success
            }
            None => {
                let pointer = arguments.pointer.as_deref().unwrap_or_default();
                let name = pointer.trim_start_matches('/').split('/').next().unwrap_or_default();
                let meant = near(name, facts.names().filter(|known| *known != name));
                let hint = match meant {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("`playwarden facts {} {host}` shows all of them", arguments.run),
                };
                refuse(format!("host `{host}` has no fact at `{pointer}`"), &hint)
            }
        }
    })
}

fn print(found: &Json) {
    terminal::out(&format!("{}\n", json::pretty(found)));
}
