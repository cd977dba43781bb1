//! The two streams, and the live line below Ansible's text.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::EventData;
use crate::report::{Progress, diagnostic, notice};
use crate::run::Update;

/// Prints to standard output. A reader that went away ends nothing: a run goes on without it.
pub(super) fn out(text: &str) {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).ok();
}

/// Prints to standard error.
pub(super) fn note(text: &str) {
    let mut stderr = anstream::stderr().lock();
    stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()).ok();
}

/// Prints an error with its causes.
pub(super) fn error(err: &(dyn Error + 'static), hint: Option<&str>, color: bool) {
    note(&diagnostic::render_error(err, hint, color));
}

/// Prints an error that has no cause.
pub(super) fn complain(text: &str, hint: Option<&str>, color: bool) {
    #[derive(Debug)]
    struct Complaint(String);
    impl fmt::Display for Complaint {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&self.0)
        }
    }
    impl Error for Complaint {}
    error(&Complaint(text.to_owned()), hint, color);
}

/// How a run is shown while it lasts.
pub(super) enum Shown {
    /// Ansible's own text, and on a terminal the live line below it.
    Text(Box<Live>),
    /// Each event as a line of JSON.
    Json(EventData),
    /// Nothing.
    Quiet,
}

impl Shown {
    pub(super) fn update(&mut self, update: Update<'_>) {
        match self {
            Self::Text(live) => live.update(update),
            Self::Json(data) => match update {
                Update::Event(event, _) => {
                    if let Ok(line) = serde_json::to_string(&*data.of(event)) {
                        let mut stdout = io::stdout().lock();
                        writeln!(stdout, "{line}").and_then(|()| stdout.flush()).ok();
                    }
                }
                Update::Stderr(text) => note(text),
                Update::Stdout(_) | Update::Look => {}
            },
            Self::Quiet => {}
        }
    }

    /// Removes the live line.
    pub(super) fn end(&mut self) {
        if let Self::Text(live) = self {
            live.bar.finish_and_clear();
        }
    }
}

pub(super) struct Live {
    bar: ProgressBar,
    progress: Progress,
    begun: Instant,
    /// The last text had no line end: the live line would stand behind it.
    open: bool,
}

impl Live {
    pub(super) fn new(terminal: bool) -> Self {
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { bar, progress: Progress::default(), begun: Instant::now(), open: false }
    }

    fn update(&mut self, update: Update<'_>) {
        match update {
            Update::Stdout(text) => self.print(text, out),
            Update::Stderr(text) => self.print(text, note),
            Update::Event(event, totals) => {
                self.progress.apply(event, totals);
                if let Some(text) = notice(event) {
                    self.print(&text, note);
                }
            }
            Update::Look => self.draw(),
        }
    }

    fn print(&mut self, text: &str, to: fn(&str)) {
        if self.bar.is_hidden() {
            to(text);
        } else {
            self.bar.suspend(|| to(text));
            self.open = !text.ends_with('\n');
            self.draw();
        }
    }

    fn draw(&mut self) {
        if !self.bar.is_hidden() && !self.open {
            self.bar.set_message(self.progress.line(self.begun.elapsed()));
            self.bar.tick();
        }
    }
}
