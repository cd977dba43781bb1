//! The configuration, key by key as in README.md.

use std::collections::BTreeSet;

use playwarden_sdk::prelude::*;
use regex::{Regex, RegexBuilder};
use wildmatch::WildMatch;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) signatures: Vec<Signature>,
    #[serde(default)]
    pub(crate) stop: When,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) pattern: String,
    #[serde(default)]
    pub(crate) ignore_case: bool,
    #[serde(default)]
    pub(crate) verdict: Word,
    /// Names of events.
    #[serde(default = "failures")]
    pub(crate) on: Vec<String>,
    /// Where in an event: [`WORDS`], or pointers into its data.
    #[serde(default = "usual_places", rename = "in")]
    pub(crate) places: Vec<String>,
    #[serde(default)]
    pub(crate) tasks: Option<Vec<String>>,
    #[serde(default = "one")]
    pub(crate) hosts: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    #[default]
    Cancel,
    Warn,
}

#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum When {
    #[default]
    Now,
    AfterRunningTasks,
}

/// Places that have a name, and what they stand for in the data of an event.
pub(crate) const WORDS: [(&str, &[&str]); 3] = [
    ("message", &["/res/msg", "/res/reason"]),
    ("stdout", &["/res/stdout", "/res/module_stdout"]),
    ("stderr", &["/res/stderr", "/res/module_stderr", "/res/exception"]),
];

fn failures() -> Vec<String> {
    ["runner_on_failed", "runner_on_unreachable", "runner_item_on_failed"].map(str::to_owned).to_vec()
}

fn usual_places() -> Vec<String> {
    WORDS.map(|(word, _)| word.to_owned()).to_vec()
}

fn one() -> u32 {
    1
}

impl Signature {
    /// Makes the pattern ready.
    pub(crate) fn regex(&self) -> Result<Regex, String> {
        let built = RegexBuilder::new(&self.pattern).case_insensitive(self.ignore_case).multi_line(true).build();
        built.map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => format!("is too large: it needs more than {limit} bytes"),
            // The last line says what, those before it repeat the pattern and point at the place.
            error => {
                let text = error.to_string();
                let column = text.lines().find_map(|line| Some(line.find('^')?.saturating_sub(3)));
                let what = text.lines().last().unwrap_or_default();
                let what = what.strip_prefix("error: ").unwrap_or(what);
                match column.filter(|_| !self.pattern.contains('\n')) {
                    Some(column) => format!("is no regular expression: {what}, at character {column}"),
                    None => format!("is no regular expression: {what}"),
                }
            }
        })
    }

    /// Returns whether it is about events of this name and task.
    pub(crate) fn is_about(&self, event: &str, task: &str) -> bool {
        let fits =
            |patterns: &[String], text: &str| patterns.iter().any(|pattern| WildMatch::new(pattern).matches(text));
        fits(&self.on, event) && self.tasks.as_ref().is_none_or(|tasks| fits(tasks, task))
    }

    /// Returns the pointers into an event's data, each with how the place is called.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.places.iter().flat_map(|place| {
            let word = WORDS.iter().find(|(word, _)| word == place);
            let pointers: Vec<&str> = word.map_or_else(|| vec![place.as_str()], |(_, pointers)| pointers.to_vec());
            pointers.into_iter().map(move |pointer| (place.as_str(), pointer))
        })
    }

    fn problems(&self, at: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, message: String| problems.push(Problem::error(format!("{at}/{key}"), message));
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            wrong("name", format!("`{}` is no code: use small letters, digits and `-`", self.name));
        }
        match self.regex() {
            Err(why) => wrong("pattern", why),
            Ok(regex) if regex.is_match("") => {
                wrong("pattern", "fits where there is nothing, and so everywhere".to_owned());
            }
            Ok(_) => {}
        }
        for (index, name) in self.on.iter().enumerate() {
            if !name.contains(['*', '?']) && matches!(EventKind::from_name(name), EventKind::Other(_)) {
                wrong(
                    &format!("on/{index}"),
                    format!("there is no event `{name}`; such as `runner_on_failed` or `runner_*`"),
                );
            }
        }
        for (index, place) in self.places.iter().enumerate() {
            if !place.starts_with('/') && !WORDS.iter().any(|(word, _)| word == place) {
                let known =
                    "write `message`, `stdout`, `stderr` or a pointer into the event's data, such as `/res/msg`";
                wrong(&format!("in/{index}"), format!("`{place}` is no place: {known}"));
            }
        }
        for (key, is_empty) in [("on", self.on.is_empty()), ("in", self.places.is_empty())] {
            if is_empty {
                wrong(key, "is empty, so that nothing would ever match; leave it out for the usual".to_owned());
            }
        }
        if self.tasks.as_ref().is_some_and(Vec::is_empty) {
            wrong("tasks", "names no task; leave it out for all of them".to_owned());
        }
        if self.hosts == 0 {
            wrong("hosts", "must be 1 or more".to_owned());
        }
        problems
    }
}

impl Config {
    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.signatures.is_empty() {
            problems.push(Problem::error("/signatures", "at least one is needed"));
        }
        let mut names = BTreeSet::new();
        for (index, signature) in self.signatures.iter().enumerate() {
            let at = format!("/signatures/{index}");
            problems.extend(signature.problems(&at));
            if !names.insert(&signature.name) {
                problems.push(Problem::error(format!("{at}/name"), format!("`{}` is there twice", signature.name)));
            }
        }
        problems
    }
}
