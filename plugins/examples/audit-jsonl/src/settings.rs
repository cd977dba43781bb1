//! The configuration, key by key as in plugins/README.md.

use playwarden_sdk::folder::Folder;
use playwarden_sdk::prelude::*;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) folder: Option<String>,
    pub(crate) file: String,
    pub(crate) durable: bool,
    pub(crate) include_start: bool,
    pub(crate) include_skipped: bool,
    pub(crate) include_args: bool,
    pub(crate) except_actions: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: None,
            file: "{run}.jsonl".to_owned(),
            durable: false,
            include_start: false,
            include_skipped: true,
            include_args: false,
            except_actions: Vec::new(),
        }
    }
}

impl Config {
    /// Returns the file of a run within the folder.
    pub(crate) fn file(&self, source: &Source) -> String {
        self.file.replace("{run}", &source.run).replace("{job}", &source.job.replace('/', "_"))
    }

    /// Returns what is wrong with values that are each of the right type.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.folder.as_deref().and_then(|name| Folder::problem("/folder", name)).into_iter().collect();
        if !self.file.contains("{run}") {
            problems.push(Problem::error("/file", "must contain `{run}`: two runs never write the same file"));
        }
        if self.file.contains('/') {
            problems.push(Problem::error("/file", "must be the name of a file; where it goes is `folder`"));
        }
        problems
    }
}
