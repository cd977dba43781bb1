//! Types answers at the run's terminal, and notices who waits for one in vain.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use playwarden_event::{Cause, Event, EventKind, Stop};
use tokio::time::Instant;

use super::dispatcher::Run;
use super::prompts::{Prompts, Source};
use crate::plan::{Answer, Secret};
use crate::process::{Terminal, tree};

/// A program that reads keys throws away what was typed before it did. So long is waited for it to begin.
const READY: Duration = Duration::from_secs(1);

/// What interrupts Ansible's reading of keys, of which no key of this terminal is a signal, and aborts the play when it asks
/// what then.
const ABORT: &[u8] = b"\0\x03a";

/// Of what was printed between two looks no more is read.
const PIECE: u64 = 4096;

/// The terminal of a run and what is typed there.
#[derive(Debug)]
pub(super) struct Typist {
    terminal: Terminal,
    prompts: Prompts,
    /// What Ansible prints into, and how far it was read.
    outputs: [(Source, File, u64); 2],
    /// Found, and not typed yet.
    pending: Option<(Secret, Instant)>,
    /// Typed for who reads keys; it may have been thrown away.
    unsure: Option<(Secret, Instant, u32)>,
    /// Keys were read already when it was looked last.
    raw: bool,
    /// Ansible asks for a variable: nothing has happened since it said so.
    asks: bool,
    /// The terminal is that of a container's client, which reads it key by key whatever happens in there.
    contained: bool,
    /// Hosts on which something waits that ends by itself.
    timed: BTreeSet<String>,
}

impl Typist {
    /// Makes a terminal. `private` has what Ansible prints into.
    ///
    /// # Errors
    /// Returns what stands against it, such as a pattern that is none.
    pub(super) fn new(answers: &[Answer], private: &Path, contained: bool) -> Result<Self, String> {
        let prompts = Prompts::new(answers)?;
        let open = |name| File::options().read(true).append(true).open(private.join(name));
        let made = || io::Result::Ok((Terminal::new()?, open("stdout")?, open("stderr")?));
        let (terminal, stdout, stderr) =
            made().map_err(|err| format!("there is no terminal to answer prompts at: {err}"))?;
        Ok(Self {
            terminal,
            prompts,
            outputs: [(Source::Stdout, stdout, 0), (Source::Stderr, stderr, 0)],
            pending: None,
            unsure: None,
            raw: false,
            asks: false,
            contained,
            timed: BTreeSet::new(),
        })
    }

    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Ansible reported something.
    pub(super) fn heed(&mut self, event: &Event) {
        self.prompts.progress();
        self.unsure = None;
        self.asks = event.name() == "playbook_on_vars_prompt";
        let Some(host) = event.host() else { return };
        if event.host_result().is_some() {
            self.timed.remove(host);
        }
        if matches!(event.kind(), EventKind::RunnerOnStart(_)) {
            if is_timed_pause(event) {
                self.timed.insert(host.to_owned());
            } else {
                self.timed.remove(host);
            }
        }
    }

    /// Takes what was written at the terminal into what was printed.
    pub(super) fn collect(&mut self) -> io::Result<Vec<u8>> {
        let text = self.terminal.read()?;
        self.outputs[0].1.write_all(&text)?;
        Ok(text)
    }

    /// Looks for prompts and types what is due. Whether something was typed.
    fn look(&mut self) -> io::Result<bool> {
        let text = self.collect()?;
        for (source, file, read) in &mut self.outputs {
            let length = file.metadata()?.len();
            let from = (*read).max(length.saturating_sub(PIECE));
            let mut bytes = vec![0; usize::try_from(length.saturating_sub(from)).unwrap_or(0)];
            file.read_exact_at(&mut bytes, from)?;
            *read = length;
            self.prompts.push(*source, &bytes);
        }
        self.prompts.push(Source::Terminal, &text);
        let raw = !self.contained && self.terminal.is_raw();
        // Between its first step and its last one keys may still be thrown away.
        let settled = raw && std::mem::replace(&mut self.raw, raw);
        if self.pending.is_none()
            && let Some((secret, source)) = self.prompts.answer()
        {
            // Who asks at the terminal has made it ready before.
            if source == Source::Terminal || self.asks {
                return self.enter(&secret, 1).map(|()| true);
            }
            self.pending = Some((secret, Instant::now()));
        }
        match (self.pending.take(), self.unsure.take()) {
            (Some((secret, since)), _) if settled || since.elapsed() >= READY => self.enter(&secret, 1).map(|()| true),
            (Some(pending), _) => {
                self.pending = Some(pending);
                Ok(false)
            }
            (None, Some((secret, at, times))) if settled && at.elapsed() >= READY && self.terminal.is_read() => {
                self.enter(&secret, times + 1).map(|()| true)
            }
            (None, Some(unsure)) if raw => {
                self.unsure = Some(unsure);
                Ok(false)
            }
            (None, _) => Ok(false),
        }
    }

    /// Has who reads keys give up: in its own thread it would keep Ansible from ending.
    fn interrupt(&self) -> io::Result<()> {
        if !self.contained && self.terminal.is_raw() {
            self.terminal.type_keys(ABORT)?;
        }
        Ok(())
    }

    fn enter(&mut self, secret: &Secret, times: u32) -> io::Result<()> {
        self.terminal.type_line(secret.reveal())?;
        self.unsure = (times < 3 && self.raw).then(|| (secret.clone(), Instant::now(), times));
        Ok(())
    }

    /// Returns the prompt that waits for an answer nobody has. `main` is Ansible.
    fn unanswered(&self, main: Option<u32>) -> Option<String> {
        if self.pending.is_some() || (self.raw && !self.timed.is_empty()) {
            return None;
        }
        let awaited = self.asks || main.is_some_and(|main| tree::reads_input(main.cast_signed()));
        self.prompts.standing(self.raw, awaited)
    }
}

/// Whether a task waits for a key or for its time to pass. Where its arguments are hidden that is not known, and it may.
fn is_timed_pause(event: &Event) -> bool {
    let text = |pointer: &str| event.data().pointer(pointer).and_then(|json| json.read::<serde_json::Value>().ok());
    let action = text("/start/action").unwrap_or_default();
    let is_pause = action.as_str().is_some_and(|action| action.rsplit('.').next() == Some("pause"));
    let args = text("/start/args").unwrap_or_default();
    is_pause && args.as_object().is_none_or(|args| args.contains_key("seconds") || args.contains_key("minutes"))
}

impl Run<'_> {
    /// Answers prompts, where there is a terminal.
    pub(super) fn answer_prompts(&mut self) {
        let is_over = self.state.ending().is_some_and(|ending| ending.stop == Stop::Now);
        let Some(typist) = &mut self.typist else { return };
        if is_over {
            // What does not heed it is ended in another way.
            typist.interrupt().ok();
        }
        match typist.look() {
            Ok(false) => {}
            Ok(true) => self.heard = Instant::now(),
            Err(err) => {
                let text = format!("prompts cannot be answered: {err}");
                self.end(Cause::CouldNotStart { text }, Stop::Now);
            }
        }
    }

    /// Ends a run in which somebody waits for an answer that nobody has.
    pub(super) fn notice_unanswered(&mut self) {
        let Some(typist) = self.typist.as_ref().filter(|_| self.heard.elapsed() >= self.settings.prompt_patience)
        else {
            return;
        };
        if let Some(text) = typist.unanswered(self.publisher.pid) {
            self.end(Cause::UnansweredPrompt { text }, Stop::Now);
        }
    }
}
