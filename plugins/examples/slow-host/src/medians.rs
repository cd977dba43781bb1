//! How long tasks took in recorded runs: the file that `playwarden export --to durations` makes.

use std::collections::BTreeMap;
use std::fs;

/// The form of the file that is read here.
const SCHEMA: u32 = 1;

#[derive(Debug, serde::Deserialize)]
struct File {
    schema: u32,
    tasks: Vec<Task>,
}

/// The keys that are needed; the file has more.
#[derive(Debug, serde::Deserialize)]
struct Task {
    play: String,
    task: String,
    action: String,
    samples: u64,
    median_ms: u64,
}

/// Which task is meant: names of the play and of the task, and the action.
pub(crate) type Key = [String; 3];

/// The median of each task that has enough samples, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Medians(BTreeMap<Key, u64>);

impl Medians {
    /// Reads the file at this place.
    pub(crate) fn read(path: &str, minimum_samples: u64) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| {
            let folder = path.rsplit_once('/').map_or("FOLDER", |(folder, _)| folder);
            format!("`{path}` cannot be read: {error}; has the plugin `grants.read = [\"{folder}\"]`?")
        })?;
        Self::parse(&text, minimum_samples).map_err(|error| {
            format!("`{path}` {error}; make it with `playwarden export --last 20 --to durations > {path}`")
        })
    }

    pub(crate) fn parse(text: &str, minimum_samples: u64) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|error| format!("is no file of durations: {error}"))?;
        if file.schema != SCHEMA {
            return Err(format!("is of the form {}, and {SCHEMA} is what this plugin reads", file.schema));
        }
        let enough = file.tasks.into_iter().filter(|task| task.samples >= minimum_samples);
        Ok(Self(enough.map(|task| ([task.play, task.task, task.action], task.median_ms)).collect()))
    }

    pub(crate) fn of(&self, key: &Key) -> Option<u64> {
        self.0.get(key).copied()
    }
}
