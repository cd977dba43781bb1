//! Progress: numbered steps on standard error, each with its time.

use std::time::{Duration, Instant};

use crate::failure::Failure;

/// What a step found or did.
pub(crate) enum Done {
    /// There was nothing to do.
    Already,
    /// It was done.
    Now,
    /// It was done, and this is where or what.
    At(String),
}

/// A numbered series of steps.
#[derive(Debug)]
pub(crate) struct Steps {
    total: usize,
    begun: usize,
}

impl Steps {
    /// A series of so many steps.
    pub(crate) fn new(total: usize) -> Self {
        Self { total, begun: 0 }
    }

    /// Announces a step, takes it, and says how long it took.
    pub(crate) fn take(&mut self, title: &str, step: impl FnOnce() -> Result<Done, Failure>) -> Result<(), Failure> {
        self.begun += 1;
        eprintln!("[{}/{}] {title}", self.begun, self.total);
        let start = Instant::now();
        let done = step()?;
        let time = seconds(start.elapsed());
        match done {
            Done::Already => eprintln!("      already there"),
            Done::Now => eprintln!("      done in {time}"),
            Done::At(what) => eprintln!("      done in {time}: {what}"),
        }
        Ok(())
    }
}

/// A line that belongs to the step that is being taken.
pub(crate) fn note(text: &str) {
    eprintln!("      {text}");
}

/// A time for people: `0.42 s`, `12.3 s`, `9 min 40 s`.
pub(crate) fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0..10 => format!("{:.2} s", time.as_secs_f64()),
        10..100 => format!("{:.1} s", time.as_secs_f64()),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_exact_as_people_need() {
        assert_eq!(seconds(Duration::from_millis(423)), "0.42 s");
        assert_eq!(seconds(Duration::from_millis(12_345)), "12.3 s");
        assert_eq!(seconds(Duration::from_secs(580)), "9 min 40 s");
    }
}
