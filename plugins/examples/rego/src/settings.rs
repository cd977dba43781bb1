//! The configuration, key by key as in README.md.

use playwarden_sdk::prelude::*;
use rules_input::{Moments, Stop};

use crate::policy::Policy;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) rules: Option<String>,
    pub(crate) files: Vec<String>,
    pub(crate) package: String,
    pub(crate) launch: Option<String>,
    pub(crate) on: Moments,
    pub(crate) stop: Stop,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            rules: None,
            files: Vec::new(),
            package: "playwarden".to_owned(),
            launch: None,
            on: Moments::default(),
            stop: Stop::Now,
        }
    }
}

/// A file of the configuration, or the rules in it.
#[derive(Debug)]
pub(crate) struct Text {
    /// Where it stands in the configuration.
    pub(crate) pointer: String,
    /// What it is called in messages.
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Config {
    /// Makes the policy, or returns all that is wrong with it.
    pub(crate) fn policy(&self) -> Result<Policy, Vec<Problem>> {
        let mut problems = self.on.problems("/on");
        if self.rules.is_none() && self.files.is_empty() {
            problems.push(Problem::error("", "one of `rules` and `files` is needed: what is to be judged"));
        }
        let mut texts = Vec::new();
        if let Some(text) = &self.rules {
            texts.push(Text { pointer: "/rules".to_owned(), name: "rules".to_owned(), text: text.clone() });
        }
        for (index, path) in self.files.iter().enumerate() {
            let pointer = format!("/files/{index}");
            match rules_input::read_file(path) {
                Ok(text) => texts.push(Text { pointer, name: path.clone(), text }),
                Err(why) => problems.push(Problem::error(pointer, why)),
            }
        }
        // Without one of its files a policy would only seem to lack a rule.
        if !problems.is_empty() {
            return Err(problems);
        }
        Policy::new(&texts, &self.package, self.launch.as_deref())
    }
}
