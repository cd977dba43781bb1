//! The configuration, key by key as in README.md.

use std::collections::BTreeSet;

use playwarden_sdk::prelude::*;
use rules_input::{Moments, Severity as What, Stop};

use crate::rules::{Compiler, Rule};

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) rules: Vec<RuleConfig>,
    pub(crate) files: Vec<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RuleConfig {
    pub(crate) name: String,
    pub(crate) on: Moments,
    pub(crate) when: String,
    #[serde(default = "cancel")]
    pub(crate) verdict: What,
    #[serde(default)]
    pub(crate) message: Option<String>,
    #[serde(default)]
    pub(crate) message_expression: Option<String>,
    #[serde(default)]
    pub(crate) stop: Stop,
}

/// A file of rules.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<RuleConfig>,
}

fn cancel() -> What {
    What::Cancel
}

impl Config {
    /// Makes the rules, or returns all that is wrong with them.
    pub(crate) fn rules(&self, compiler: &Compiler) -> Result<Vec<Rule>, Vec<Problem>> {
        let mut problems = Vec::new();
        if self.rules.is_empty() && self.files.is_empty() {
            problems.push(Problem::error("", "one of `rules` and `files` is needed: what is to be judged"));
        }
        let mut rules = Vec::new();
        let mut names = BTreeSet::new();
        for (index, rule) in self.rules.iter().enumerate() {
            let at = |key: &str| format!("/rules/{index}{key}");
            rules.extend(made(rule, compiler, &mut names, at, "", &mut problems));
        }
        for (index, path) in self.files.iter().enumerate() {
            let pointer = format!("/files/{index}");
            match rules_input::read_file(path).and_then(|text| read(path, &text)) {
                Ok(file) => {
                    for rule in &file.rules {
                        let at = |_: &str| pointer.clone();
                        let place = format!("{path}: rule `{}`: ", rule.name);
                        rules.extend(made(rule, compiler, &mut names, at, &place, &mut problems));
                    }
                }
                Err(why) => problems.push(Problem::error(pointer, why)),
            }
        }
        if problems.is_empty() { Ok(rules) } else { Err(problems) }
    }
}

/// Makes one rule. `at` gives the pointer of one of its keys, `place` is what messages begin with.
fn made(
    rule: &RuleConfig,
    compiler: &Compiler,
    names: &mut BTreeSet<String>,
    at: impl Fn(&str) -> String,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<Rule> {
    let mut wrong = Vec::new();
    if !names.insert(rule.name.clone()) {
        wrong.push(("/name", format!("there is a rule `{}` already; its name is the code of its verdicts", rule.name)));
    }
    wrong.extend(rule.on.problems("").into_iter().map(|problem| ("/on", problem.message)));
    let (key, message) = match (&rule.message, &rule.message_expression) {
        (Some(text), None) => ("/message", Ok(text)),
        (None, Some(expression)) => ("/message-expression", Err(expression)),
        _ => {
            wrong.push(("", "one of `message` and `message-expression` is needed".to_owned()));
            ("", Err(&rule.name))
        }
    };
    let made = if key.is_empty() { None } else { compiler.rule(rule, message, key, &mut wrong) };
    problems.extend(wrong.into_iter().map(|(key, message)| Problem::error(at(key), format!("{place}{message}"))));
    made
}

fn read(path: &str, text: &str) -> Result<File, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("{path}:{line}:{column}: {}", error.message())
    })
}
