//! What is wrong with a configuration, as data.
//!
//! Config and plan make findings, `report` prints them, `check --json` writes
//! them. A finding points into a text by byte range, so it travels together
//! with that text in [`Findings`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing may be started.
    Error,
    /// Worth a look, stops nothing.
    Warning,
}

/// One thing that is wrong, and where.
///
/// Texts are lowercase fragments with values in backticks and no full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the finding stops a run.
    pub severity: Severity,
    /// A stable kebab-case word for tools and for `explain`.
    pub code: &'static str,
    /// The file it is about; empty for what stood on the command line.
    pub path: PathBuf,
    /// Bytes of that file's text; none when the file as a whole is meant.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// A word or two beside the pointer.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Finding {
    /// Makes an error about a whole file; see [`at`](Self::at) for a place in it.
    pub fn error(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            path: path.to_owned(),
            span: None,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    /// Makes a warning about a whole file.
    pub fn warning(code: &'static str, path: &Path, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, path, message) }
    }

    /// Points the finding at a place; `None` leaves it at the whole file.
    #[must_use]
    pub fn at(mut self, span: impl Into<Option<Range<usize>>>) -> Self {
        self.span = span.into();
        self
    }

    /// Adds the words beside the pointer.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        self.help_if(Some(help.into()))
    }

    /// Adds what to do about it, where anything is known.
    #[must_use]
    pub fn help_if(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }
}

/// Findings together with the texts they point into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// In the order in which they are shown.
    pub list: Vec<Finding>,
    sources: BTreeMap<PathBuf, Arc<str>>,
}

impl Findings {
    /// Returns findings that point into no text.
    pub fn new(list: Vec<Finding>) -> Self {
        Self { list, sources: BTreeMap::new() }
    }

    /// Adds the text of a file that findings point into.
    pub fn add_source(&mut self, path: &Path, text: Arc<str>) {
        self.sources.insert(path.to_owned(), text);
    }

    /// Returns the text of a file, if it was read.
    pub fn source(&self, path: &Path) -> Option<&str> {
        self.sources.get(path).map(|text| &**text)
    }

    /// Adds another set behind this one, with its texts.
    pub fn extend(&mut self, other: Self) {
        self.list.extend(other.list);
        self.sources.extend(other.sources);
    }

    /// Returns whether anything here stops a run.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Sorts by place and drops what was found twice, as happens with a value
    /// that several jobs inherit.
    pub fn settle(&mut self) {
        self.list.sort_by_cached_key(|finding| {
            let span = finding.span.as_ref().map(|span| (span.start, span.end));
            (finding.path.clone(), span)
        });
        let mut kept: Vec<Finding> = Vec::with_capacity(self.list.len());
        for finding in self.list.drain(..) {
            if !kept.contains(&finding) {
                kept.push(finding);
            }
        }
        self.list = kept;
    }
}
