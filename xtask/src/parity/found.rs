//! Differences, and what explains them.

use std::collections::BTreeMap;

use super::case::Case;
use super::closed::Rule;

/// What is compared, in the order of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Counts,
    Sequence,
    Stats,
    Rc,
    Status,
    Stdout,
    Artifacts,
    Events,
    Reader,
}

impl Column {
    pub(super) const ALL: [Self; 9] = [
        Self::Counts,
        Self::Sequence,
        Self::Stats,
        Self::Rc,
        Self::Status,
        Self::Stdout,
        Self::Artifacts,
        Self::Events,
        Self::Reader,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Sequence => "sequence",
            Self::Stats => "stats",
            Self::Rc => "rc",
            Self::Status => "status",
            Self::Stdout => "stdout",
            Self::Artifacts => "artifacts",
            Self::Events => "events",
            Self::Reader => "reader",
        }
    }
}

/// What a comparison found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Differences that nothing explains.
    pub(super) differences: Vec<(Column, String)>,
    /// How often each rule explained one.
    pub(super) explained: BTreeMap<Rule, usize>,
    /// How many `differs` of the case explain.
    pub(super) of_case: usize,
}

impl Found {
    /// Notes a difference.
    pub(super) fn add(&mut self, column: Column, text: impl Into<String>) {
        let text = text.into();
        // The same in every event is one to mend.
        if !self.differences.contains(&(column, text.clone())) {
            self.differences.push((column, text));
        }
    }

    /// Notes a difference that a rule explains.
    pub(super) fn explain(&mut self, rule: Rule) {
        *self.explained.entry(rule).or_default() += 1;
    }

    /// Takes out what the case says must be; what it says and is not there is a difference too.
    pub(super) fn settle(&mut self, case: &Case, version: &str) {
        for differs in case.asked.differs.iter().filter(|differs| differs.is_on(version)) {
            let before = self.differences.len();
            self.differences.retain(|(column, text)| !format!("{}: {text}", column.name()).contains(&differs.what));
            self.of_case += before - self.differences.len();
            if before == self.differences.len() && !differs.sometimes {
                let text = format!("`differs` names what does not differ: {:?} ({})", differs.what, differs.why);
                self.add(Column::Events, text);
            }
        }
    }

    pub(super) fn count(&self, column: Column) -> usize {
        self.differences.iter().filter(|(of, _)| *of == column).count()
    }
}
