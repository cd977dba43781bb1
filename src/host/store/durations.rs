//! How long tasks took in recorded runs: what policies compare a task with.

use std::collections::BTreeMap;

use playwarden_event::reader::ReadError;
use playwarden_event::{Event, EventKind};
use serde::Serialize;

use super::StoredRun;

/// How long each task took on each host, over some runs.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    runs: Vec<String>,
    /// In milliseconds, by play, task and action.
    tasks: BTreeMap<[String; 3], Vec<u64>>,
}

/// What `playwarden export --to durations` prints.
#[derive(Debug, Serialize)]
pub struct DurationsFile<'d> {
    schema: u32,
    runs: &'d [String],
    tasks: Vec<TaskDurations<'d>>,
}

/// How long a task took. All in milliseconds, each the duration of one of the results.
#[derive(Debug, Serialize)]
struct TaskDurations<'d> {
    play: &'d str,
    task: &'d str,
    action: &'d str,
    samples: usize,
    median_ms: u64,
    p95_ms: u64,
    max_ms: u64,
}

impl Durations {
    /// Takes the results of a run. Only those that are good count: a failure ends at any time, and what was skipped took none.
    /// Those of a run in check mode are left out too, and so are items of loops, since the result of the task follows them.
    ///
    /// # Errors
    /// When the journal cannot be read or is damaged.
    pub fn take(&mut self, run: &StoredRun) -> Result<(), ReadError> {
        run.each_event(|event| self.apply(event))?;
        self.runs.push(run.record.id.clone());
        Ok(())
    }

    fn apply(&mut self, event: &Event) {
        let EventKind::RunnerOnOk(result) = event.kind() else { return };
        let Some(seconds) = result.duration.filter(|_| !result.check_mode) else { return };
        let context = event.context();
        let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let task = [name(context.play.as_deref()), name(context.task.as_deref()), name(context.action())];
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, and NaN is 0")]
        self.tasks.entry(task).or_default().push((seconds * 1000.0).round() as u64);
    }

    /// Returns the durations in the order of play, task and action.
    pub fn file(&mut self) -> DurationsFile<'_> {
        self.tasks.values_mut().for_each(|samples| samples.sort_unstable());
        let tasks = self.tasks.iter().map(|([play, task, action], samples)| TaskDurations {
            play,
            task,
            action,
            samples: samples.len(),
            median_ms: rank(samples, 50),
            p95_ms: rank(samples, 95),
            max_ms: rank(samples, 100),
        });
        DurationsFile { schema: 1, runs: &self.runs, tasks: tasks.collect() }
    }
}

/// Returns the smallest sample that so many percent of them do not exceed. There is at least one, in order.
fn rank(samples: &[u64], percent: usize) -> u64 {
    samples[(samples.len() * percent).div_ceil(100) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_samples() {
        for (samples, median, p95) in [
            (vec![7], 7, 7),
            (vec![1, 9], 1, 9),
            (vec![1, 2, 9], 2, 9),
            ((1..=100).collect(), 50, 95),
            ((1..=20).collect(), 10, 19),
        ] {
            assert_eq!(
                (rank(&samples, 50), rank(&samples, 95), rank(&samples, 100)),
                (median, p95, *samples.last().unwrap())
            );
        }
    }
}
