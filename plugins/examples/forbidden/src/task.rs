//! What a task is about to use, as far as it can be told before it runs.

use playwarden_sdk::prelude::*;
use serde_json::{Map, Value};

use crate::pattern::{MASKS, Text};
use crate::settings::one_blank;

/// What a condition can be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aspect {
    Module,
    Command,
    Argument(String),
    BecomeUser,
    Connection,
    DelegateTo,
    Host,
    Group,
    Role,
}

impl Aspect {
    /// Returns the word for it in codes and texts.
    pub(crate) fn word(&self) -> String {
        let word = match self {
            Self::Module => "module",
            Self::Command => "command",
            Self::Argument(name) => return format!("argument {name}"),
            Self::BecomeUser => "become-user",
            Self::Connection => "connection",
            Self::DelegateTo => "delegate-to",
            Self::Host => "host",
            Self::Group => "group",
            Self::Role => "role",
        };
        word.to_owned()
    }
}

/// Modules whose command line is what they do.
const RUNNERS: [&str; 8] =
    ["shell", "command", "raw", "script", "expect", "win_shell", "win_command", "win_powershell"];

/// Arguments with a command line, of whatever module.
const COMMAND_LINES: [&str; 5] = ["_raw_params", "cmd", "command", "argv", "script"];

/// Modules of Ansible's own that have something else than a command line in `_raw_params`.
const FREE_FORM: [&str; 7] =
    ["include", "include_tasks", "include_vars", "include_role", "add_host", "group_by", "set_fact"];

/// Modules of Ansible's own that hand their arguments on to the module that `use` names.
const HAND_ON: [&str; 2] = ["package", "service"];

/// A start, read for conditions.
#[derive(Debug)]
pub(crate) struct Task {
    modules: Vec<Text>,
    commands: Vec<Text>,
    arguments: Arguments,
    become_user: Option<Text>,
    connection: Text,
    delegate_to: Option<Text>,
    host: Text,
    groups: Vec<Text>,
    role: Option<Text>,
}

impl Task {
    pub(crate) fn of(start: &Start) -> Self {
        let arguments = Arguments::of(start);
        let own = own_name(&start.action);
        let mut modules = vec![module(&start.action)];
        if own.is_some_and(|name| HAND_ON.contains(&name)) {
            let handed_on = arguments.values("use").into_iter().filter(|module| module.shown != "auto");
            modules.extend(handed_on.map(|text| module(&full_name(&text.shown))));
        }
        let commands = match own {
            Some(name) if FREE_FORM.contains(&name) => Vec::new(),
            _ => arguments.command_lines(may_run_commands(&start.action)),
        };
        Self {
            modules,
            commands,
            arguments,
            become_user: start.become_user.as_deref().map(Text::new),
            connection: start.connection.as_deref().map_or_else(|| Text::unknown("(not told)"), Text::new),
            delegate_to: start.delegate_to.as_deref().map(Text::new),
            host: Text::new(&start.host),
            groups: groups(&start.data),
            role: start.role.as_deref().map(Text::new),
        }
    }

    /// Returns what the task has of an aspect: nothing, one text, or several.
    pub(crate) fn values(&self, aspect: &Aspect) -> Vec<Text> {
        let one = |text: &Option<Text>| text.iter().cloned().collect();
        match aspect {
            Aspect::Module => self.modules.clone(),
            Aspect::Command => self.commands.clone(),
            Aspect::Argument(name) => self.arguments.values(name),
            Aspect::BecomeUser => one(&self.become_user),
            Aspect::Connection => vec![self.connection.clone()],
            Aspect::DelegateTo => one(&self.delegate_to),
            Aspect::Host => vec![self.host.clone()],
            Aspect::Group => self.groups.clone(),
            Aspect::Role => one(&self.role),
        }
    }
}

/// Returns whether a module is one for certain; a template becomes a name of which nothing is known, since `sh{{ x }}` may
/// be short for `ansible.builtin.shell`, and names are redirected.
fn is_name(module: &str) -> bool {
    !module.is_empty() && module.chars().all(|letter| letter.is_alphanumeric() || "._-".contains(letter))
}

fn module(name: &str) -> Text {
    if is_name(name) { Text::new(name) } else { Text::unknown(name) }
}

/// Returns the name of a module that Ansible has not looked up.
fn full_name(module: &str) -> String {
    if is_name(module) && !module.contains('.') { format!("ansible.builtin.{module}") } else { module.to_owned() }
}

/// Returns the name of a module of Ansible's own, or of the project's in its place, without what stands before it.
fn own_name(module: &str) -> Option<&str> {
    let name = ["ansible.builtin.", "ansible.legacy."].into_iter().find_map(|prefix| module.strip_prefix(prefix));
    Some(name.unwrap_or(module)).filter(|name| !name.contains('.'))
}

fn may_run_commands(module: &str) -> bool {
    let name = module.rsplit('.').next().unwrap_or_default();
    !is_name(module) || RUNNERS.contains(&name)
}

fn groups(data: &str) -> Vec<Text> {
    let data: Value = serde_json::from_str(data).unwrap_or_default();
    match &data["groups"] {
        Value::Array(groups) => groups.iter().filter_map(Value::as_str).map(Text::new).collect(),
        _ => vec![Text::unknown("(not told)")],
    }
}

/// The arguments as they are written.
#[derive(Debug)]
struct Arguments {
    named: Map<String, Value>,
    /// Why there may be others; none when these are all.
    others: Option<String>,
}

impl Arguments {
    fn of(start: &Start) -> Self {
        let args = start.args.as_deref().and_then(|args| serde_json::from_str(args).ok());
        match args {
            Some(Value::Object(mut named)) => {
                // `args: "{{ all_of_them }}"`. What the task names itself wins over these.
                let others = named.remove("_variable_params").map(|variable| written(&variable));
                Self { named, others }
            }
            _ => {
                let why = if start.no_log { "(hidden by no_log)" } else { "(too large to be told)" };
                Self { named: Map::new(), others: Some(why.to_owned()) }
            }
        }
    }

    /// Returns an argument's text, or the texts of a list; nothing when the task has no such argument.
    fn values(&self, name: &str) -> Vec<Text> {
        self.named.get(name).map_or_else(|| self.others.iter().map(Text::unknown).collect(), texts)
    }

    /// Returns arguments that are command lines: a list is joined, and any blanks between words are one. Whether others
    /// are meant is up to the module: most have none.
    fn command_lines(&self, with_others: bool) -> Vec<Text> {
        let line = |value: &Value| match value {
            Value::Null => None,
            Value::Array(words) => Some(words.iter().map(written).collect::<Vec<_>>().join(" ")),
            word => Some(written(word)),
        };
        let named = COMMAND_LINES.iter().filter_map(|name| line(self.named.get(*name)?));
        let mut lines: Vec<Text> = named.map(|line| Text::new(&one_blank(&line))).collect();
        lines.extend(self.others.iter().filter(|_| with_others).map(Text::unknown));
        lines
    }
}

fn texts(value: &Value) -> Vec<Text> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        value => vec![Text::new(&written(value))],
    }
}

/// Returns a value as text; what is encrypted by Vault is a secret.
fn written(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if !value.is_string() && text.contains("\"__ansible_vault\"") { MASKS[0].to_owned() } else { text }
}
