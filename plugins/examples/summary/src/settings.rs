//! The configuration, key by key as in plugins/README.md.

use playwarden_sdk::folder::Folder;
use playwarden_sdk::prelude::*;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) folder: Option<String>,
    pub(crate) file: String,
    pub(crate) slowest: usize,
    pub(crate) lines: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { folder: None, file: "{run}".to_owned(), slowest: 10, lines: 50 }
    }
}

impl Config {
    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.folder.as_deref().and_then(|name| Folder::problem("/folder", name)).into_iter().collect();
        if self.file.is_empty() || self.file.contains('/') {
            problems.push(Problem::error("/file", "must be the name of a file; where it goes is `folder`"));
        }
        if self.folder.is_none() && self.file != Self::default().file {
            problems.push(Problem::warning("/file", "has no effect without `folder`"));
        }
        if self.lines == 0 {
            problems.push(Problem::error("/lines", "must be at least 1"));
        }
        problems
    }
}
