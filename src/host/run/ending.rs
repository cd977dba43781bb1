//! The end of a run: what is left is handed over, the outcome is decided and written, and who waits for it is told.
//!
//! The order is fixed: observers take what they have not taken; the last change of the status and `run_finished` are
//! published and taken too; finished callbacks are called; each plugin is stopped; then `run.json`, `rc` and `status` are
//! written, once, and closures are told of the end. After `run_finished` only `plugin_fault` follows, of a plugin that broke then.

use std::sync::Arc;
use std::time::Duration;

use playwarden_event::kind::StartFailed;
use playwarden_event::{Cause, EventKind, Outcome, Status, Timestamp};
use playwarden_sandbox::{Fault, FaultKind, Finish, RunView as _};
use tokio::time::Instant;

use super::Finished;
use super::conclude::conclude;
use super::dispatcher::Run;
use super::launch::{sealer, unsigned, write_record};
use super::observers::Waiting;
use super::plugin::{Broken, Hook, LivePlugin};
use super::publish::journal_error;
use crate::store::{StoreError, rc_text};

/// What observers get at the end of a run that somebody wanted to end at once.
const MOMENT: Duration = Duration::from_secs(1);

impl Run<'_> {
    pub(super) async fn finish(mut self) -> Finished {
        let end = Instant::now();
        self.settle(true).await;
        if self.state.is_hurried() {
            // What was asked for while Ansible ran was its end. Who observes gets a moment to take what there is.
            self.observers.hurry(end + MOMENT);
        }
        let drained = self.observers.drain(self.publisher.last(), end, false);
        self.wait_for(drained).await;
        if !self.observers.is_hurried() {
            // What observers reported, policies judge too.
            self.settle(true).await;
        }
        self.carry_out().await;

        self.seen.totals = self.publisher.view.totals().run;
        self.seen.words = self.seen.words.trim().to_owned();
        let (status, rc, cause) = conclude(&self.seen, self.state.ending(), self.state.failing());
        if let Some(Cause::CouldNotStart { text }) = &cause {
            self.publish("start_failed", &StartFailed { rc, text: text.clone() });
        }
        self.advance(status).await;
        let outcome = Outcome {
            status,
            rc,
            cause,
            started: self.record.started,
            finished: Timestamp::now(),
            totals: self.publisher.view.totals(),
            stats: self.stats.take(),
            in_flight: if status == Status::Successful { Vec::new() } else { self.publisher.view.in_flight() },
            left_alive: std::mem::take(&mut self.survivors),
            faulty_plugins: self.faulty(),
            redacted: self.publisher.view.redacted(),
        };
        // As it stands in the journal: without what is secret.
        let published = self.publish("run_finished", &outcome);
        let outcome = match published.as_deref().map(playwarden_event::Event::kind) {
            Some(EventKind::RunFinished(written)) => Outcome::clone(written),
            _ => outcome,
        };
        let last_event = self.publisher.last();
        let drained = self.observers.drain(last_event, end, true);
        self.wait_for(drained).await;
        let finish = Arc::new(Finish { outcome: outcome.clone(), last_event });
        let told = self.observers.finish(&finish);
        self.wait_for(told).await;
        self.stop_plugins().await;

        self.close(outcome)
    }

    /// Waits for observers, and takes what they report meanwhile. Who asks twice for the end does not want to wait.
    async fn wait_for(&mut self, waiting: Vec<Waiting>) {
        for Waiting { plugin, hook, mut over } in waiting {
            loop {
                tokio::select! {
                    biased;
                    (said, consequence) = self.observers.said() => {
                        self.hear(said, consequence);
                    }
                    times = self.person.asked() => {
                        if times >= 2 {
                            self.observers.hurry(Instant::now());
                        }
                    }
                    done = &mut over => {
                        if done.is_err() {
                            self.lost(&plugin, hook);
                        }
                        break;
                    }
                }
            }
        }
        while let Some((said, consequence)) = self.observers.said_now() {
            self.hear(said, consequence);
        }
    }

    /// The thread of a plugin is gone, which is our fault and not the plugin's.
    fn lost(&mut self, plugin: &LivePlugin, hook: Hook) {
        self.observers.forget(plugin);
        let text = "lost its thread in the host; standard error may say why".to_owned();
        let fault = Fault { call: "observe", kind: FaultKind::Host, text, stderr: String::new(), retry_after: None };
        let (said, consequence) = plugin.said(hook, Broken { fault, again: false });
        self.hear(said, consequence);
    }

    async fn stop_plugins(&mut self) {
        let stopped = self.observers.stop();
        self.wait_for(stopped).await;
        let plugins: Vec<_> = self.plugins.iter().map(|(plugin, _)| Arc::clone(plugin)).collect();
        for plugin in plugins {
            // Those that observe were stopped by their own threads.
            let stopped = async {
                let mut stop = std::pin::pin!(plugin.stop());
                loop {
                    tokio::select! {
                        biased;
                        times = self.person.asked() => {
                            if times >= 2 {
                                self.observers.hurry(Instant::now());
                            }
                        }
                        () = self.observers.hurried() => return Ok(()),
                        stopped = &mut stop => return stopped,
                    }
                }
            };
            if let Err(fault) = stopped.await {
                let (said, consequence) = plugin.said(Hook::CancelPolicy, Broken { fault, again: false });
                self.hear(said, consequence);
            }
        }
    }

    fn faulty(&self) -> Vec<String> {
        let plugins = self.plugins.iter().filter(|(plugin, _)| plugin.is_faulty());
        let closures = self.policies.faulty().map(str::to_owned).chain(self.closures.broken.iter().cloned());
        plugins.map(|(plugin, _)| plugin.identity.name.clone()).chain(closures).collect()
    }

    fn close(mut self, mut outcome: Outcome) -> Finished {
        outcome.faulty_plugins = self.faulty();
        if let Some(cause) = self.late.take() {
            outcome.amend(cause);
        }
        let written = self.write_end(&outcome);
        if let Err(err) = &written {
            self.trouble(err);
        }
        // Trouble that came too late for the event is at least in what the caller gets.
        if let Some(text) = self.seen.trouble.take() {
            outcome.amend(Cause::HostTrouble { text });
        }
        if written.is_ok() {
            self.folder.tidy();
        }
        self.closures.finish(&outcome);
        Finished { id: self.record.id, folder: self.folder.path().to_owned(), outcome }
    }

    fn write_end(&mut self, outcome: &Outcome) -> Result<(), StoreError> {
        self.record.outcome = Some(outcome.clone());
        self.publisher.sync().map_err(|err| journal_error(self.folder.path(), err))?;
        self.folder.replace("rc", &rc_text(outcome))?;
        write_record(&self.folder, &self.record)?;
        self.folder.replace("status", outcome.status.word())?;
        let Some(sealer) = sealer(self.plan) else { return Ok(()) };
        let chain = self.publisher.chain();
        let sealed = sealer.end(self.folder.path(), &self.record.id, outcome.status, chain);
        sealed.map_err(|err| unsigned(&err))
    }
}
