//! Which moments are judged.

use playwarden_sdk::prelude::*;
use wildmatch::WildMatch;

/// The word for the question before a task starts on a host.
const START: &str = "start";

/// The key `on`: names of events, in which `*` stands for any characters, and the word `start`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(from = "Words")]
pub struct Moments {
    words: Vec<String>,
    patterns: Vec<WildMatch>,
}

/// One word needs no list.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "must be the name of an event, `start`, or a list of them")]
enum Words {
    One(String),
    Many(Vec<String>),
}

impl From<Words> for Moments {
    fn from(words: Words) -> Self {
        match words {
            Words::One(word) => Self::new(vec![word]),
            Words::Many(words) => Self::new(words),
        }
    }
}

impl Default for Moments {
    /// Everything.
    fn default() -> Self {
        Self::new(vec!["*".to_owned(), START.to_owned()])
    }
}

impl Moments {
    fn new(words: Vec<String>) -> Self {
        let patterns = words.iter().map(|word| WildMatch::new(word)).collect();
        Self { words, patterns }
    }

    /// Returns whether an event is judged.
    #[must_use]
    pub fn has_event(&self, event: &Event) -> bool {
        let name = event.kind.name();
        self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// Returns whether starts are judged.
    #[must_use]
    pub fn has_start(&self) -> bool {
        self.words.iter().any(|word| word == START)
    }

    /// Returns what is wrong with the words; `pointer` is where they stand.
    #[must_use]
    pub fn problems(&self, pointer: &str) -> Vec<Problem> {
        if self.words.is_empty() {
            return vec![Problem::error(pointer, "names nothing: write names of events, or `start`")];
        }
        let is_known = |word: &str| {
            word.contains(['*', '?']) || word == START || !matches!(EventKind::from_name(word), EventKind::Other(_))
        };
        let unknown = self.words.iter().filter(|word| !is_known(word));
        unknown
            .map(|word| {
                let remedy = "write one of the journal, such as `runner_on_failed`, or `start`";
                Problem::error(pointer, format!("there is no event `{word}`; {remedy}"))
            })
            .collect()
    }
}
