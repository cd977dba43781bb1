//! The configuration, key by key as in README.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use playwarden_sdk::prelude::*;
use serde::de::{SeqAccess, Visitor};

use crate::task::Aspect;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) modules: Option<Patterns>,
    pub(crate) allowed_modules: Option<Patterns>,
    pub(crate) commands: Option<Patterns>,
    pub(crate) become_users: Option<Patterns>,
    pub(crate) connections: Option<Patterns>,
    pub(crate) delegate_to: Option<Patterns>,
    pub(crate) hosts: Option<Patterns>,
    pub(crate) groups: Option<Patterns>,
    pub(crate) roles: Option<Patterns>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) unknown: Unknown,
    pub(crate) in_check_mode: bool,
    pub(crate) stop: When,
}

/// What may not come together in one task.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) message: Option<String>,
    pub(crate) module: Option<Patterns>,
    pub(crate) command: Option<Patterns>,
    #[serde(default)]
    pub(crate) arguments: Option<BTreeMap<String, Patterns>>,
    pub(crate) become_user: Option<Patterns>,
    pub(crate) connection: Option<Patterns>,
    pub(crate) delegate_to: Option<Patterns>,
    pub(crate) host: Option<Patterns>,
    pub(crate) group: Option<Patterns>,
    pub(crate) role: Option<Patterns>,
}

/// What follows where a template leaves open whether a task is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unknown {
    Refuse,
    Allow,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    Now,
    AfterRunningTasks,
}

/// One pattern or a list of them; any of a list is enough.
#[derive(Debug, Clone)]
pub(crate) struct Patterns(pub(crate) Vec<String>);

impl<'de> serde::Deserialize<'de> for Patterns {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// An untagged enum would not say which entry of a list is wrong.
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Patterns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern or a list of patterns")
            }

            fn visit_str<E>(self, pattern: &str) -> Result<Patterns, E> {
                Ok(Patterns(vec![pattern.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Patterns, A::Error> {
                let mut patterns = Vec::new();
                while let Some(pattern) = list.next_element()? {
                    patterns.push(pattern);
                }
                Ok(Patterns(patterns))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            modules: None,
            allowed_modules: None,
            commands: None,
            become_users: None,
            connections: None,
            delegate_to: None,
            hosts: None,
            groups: None,
            roles: None,
            rules: Vec::new(),
            unknown: Unknown::Refuse,
            in_check_mode: true,
            stop: When::Now,
        }
    }
}

impl Config {
    /// Returns the lists of what is forbidden by itself: the key, and what it is about.
    pub(crate) fn lists(&self) -> impl Iterator<Item = (&'static str, Aspect, &Patterns)> {
        [
            ("modules", Aspect::Module, &self.modules),
            ("commands", Aspect::Command, &self.commands),
            ("become-users", Aspect::BecomeUser, &self.become_users),
            ("connections", Aspect::Connection, &self.connections),
            ("delegate-to", Aspect::DelegateTo, &self.delegate_to),
            ("hosts", Aspect::Host, &self.hosts),
            ("groups", Aspect::Group, &self.groups),
            ("roles", Aspect::Role, &self.roles),
        ]
        .into_iter()
        .filter_map(|(key, aspect, patterns)| Some((key, aspect, patterns.as_ref()?)))
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, aspect, patterns) in self.lists() {
            problems.extend(patterns.problems(&format!("/{key}"), &aspect));
        }
        if let Some(allowed) = &self.allowed_modules {
            problems.extend(allowed.problems("/allowed-modules", &Aspect::Module));
        }
        let mut names = BTreeSet::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let pointer = format!("/rules/{number}");
            problems.extend(rule.problems(&pointer));
            if !names.insert(&rule.name) {
                let message =
                    format!("`{}` is the name of an earlier rule: give each its own, it is the code", rule.name);
                problems.push(Problem::error(format!("{pointer}/name"), message));
            }
        }
        if self.lists().next().is_none() && self.allowed_modules.is_none() && self.rules.is_empty() {
            let needed =
                "nothing is forbidden: a list such as `modules` or `allowed-modules`, or one of `rules` is needed";
            problems.push(Problem::error("", needed));
        }
        problems
    }
}

/// The longest code that a verdict keeps whole.
const LONGEST_NAME: usize = 128;

impl Rule {
    /// Returns the conditions: the pointer to each within the rule, what it is about, and what it takes.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = (String, Aspect, &Patterns)> {
        let named = [
            ("/module", Aspect::Module, &self.module),
            ("/command", Aspect::Command, &self.command),
            ("/become-user", Aspect::BecomeUser, &self.become_user),
            ("/connection", Aspect::Connection, &self.connection),
            ("/delegate-to", Aspect::DelegateTo, &self.delegate_to),
            ("/host", Aspect::Host, &self.host),
            ("/group", Aspect::Group, &self.group),
            ("/role", Aspect::Role, &self.role),
        ];
        let named = named
            .into_iter()
            .filter_map(|(pointer, aspect, patterns)| Some((pointer.to_owned(), aspect, patterns.as_ref()?)));
        let arguments = self.arguments.iter().flatten().map(|(name, patterns)| {
            let pointer = format!("/arguments/{}", name.replace('~', "~0").replace('/', "~1"));
            (pointer, Aspect::Argument(name.clone()), patterns)
        });
        named.chain(arguments)
    }

    fn problems(&self, pointer: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !self.name.chars().all(is_word) {
            let message =
                "it is the code of a verdict: up to 128 letters, digits, `-`, `_` and `.`, such as `no-shell-in-prod`";
            problems.push(Problem::error(format!("{pointer}/name"), message));
        }
        for (place, aspect, patterns) in self.conditions() {
            problems.extend(patterns.problems(&format!("{pointer}{place}"), &aspect));
        }
        if self.conditions().next().is_none() {
            let message = "it has no condition and would refuse every task: add `module`, `command`, `host` or another";
            problems.push(Problem::error(pointer, message));
        }
        problems
    }
}

impl Patterns {
    fn problems(&self, pointer: &str, aspect: &Aspect) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.0.is_empty() {
            problems.push(Problem::error(pointer, "it has no pattern: add one, or leave the key out"));
        }
        for (number, pattern) in self.0.iter().enumerate() {
            let message = match aspect {
                _ if pattern.is_empty() => "an empty pattern fits nothing",
                Aspect::Command if *pattern != one_blank(pattern) => {
                    "fits nothing: command lines are compared with one blank between words, and none around them"
                }
                Aspect::Group if pattern == "all" => {
                    "every host is in `all`, and no start names it: write a pattern of hosts such as `*` instead"
                }
                _ => continue,
            };
            problems.push(Problem::error(format!("{pointer}/{number}"), message));
        }
        problems
    }
}

/// Returns a command line with one blank between its words.
pub(crate) fn one_blank(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}
