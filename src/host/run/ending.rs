//! The end of a run: what is left is handed over, the outcome is decided and written, and who waits for it is told.
//!
//! The order is fixed: observers take what they have not taken; the last change of the status and `run_finished` are
//! published and taken too; finished callbacks are called; each plugin is stopped; then `run.json`, `rc` and `status` are
//! written, once, and closures are told of the end. After `run_finished` only `plugin_fault` follows, of a plugin that broke then.

use std::sync::Arc;

use playwarden_event::kind::StartFailed;
use playwarden_event::{Cause, EventKind, Outcome, Status, Timestamp};
use playwarden_sandbox::{Finish, RunView as _};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Finished;
use super::conclude::conclude;
use super::dispatcher::Run;
use super::launch::write_record;
use super::plugin::{Broken, Hook};
use super::publish::journal_error;
use crate::store::{StoreError, rc_text};

impl Run<'_> {
    pub(super) async fn finish(mut self) -> Finished {
        let end = Instant::now();
        self.settle(true).await;
        let drained = self.observers.drain(self.publisher.last(), end);
        self.wait_for(drained).await;
        // What observers reported, policies judge too.
        self.settle(true).await;
        self.carry_out(None).await;

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
        };
        // As it stands in the journal: without what is secret.
        let published = self.publish("run_finished", &outcome);
        let outcome = match published.as_deref().map(playwarden_event::Event::kind) {
            Some(EventKind::RunFinished(written)) => Outcome::clone(written),
            _ => outcome,
        };
        let last_event = self.publisher.last();
        let drained = self.observers.drain(last_event, end);
        self.wait_for(drained).await;
        let finish = Arc::new(Finish { outcome: outcome.clone(), last_event });
        let told = self.observers.finish(&finish);
        self.wait_for(told).await;
        self.stop_plugins().await;

        self.close(outcome)
    }

    /// Waits for observers, and takes what they report meanwhile. Who asks twice for the end does not want to wait.
    async fn wait_for(&mut self, waiting: Vec<oneshot::Receiver<()>>) {
        for mut over in waiting {
            loop {
                tokio::select! {
                    biased;
                    (said, consequence) = self.observers.said() => {
                        self.hear(said, consequence);
                    }
                    times = self.person.asked() => {
                        if times >= 2 {
                            self.observers.hurry();
                        }
                    }
                    _ = &mut over => break,
                }
            }
        }
        while let Some((said, consequence)) = self.observers.said_now() {
            self.hear(said, consequence);
        }
    }

    async fn stop_plugins(&mut self) {
        let stopped = self.observers.stop();
        self.wait_for(stopped).await;
        let plugins: Vec<_> = self.plugins.iter().map(|(plugin, _)| Arc::clone(plugin)).collect();
        for plugin in plugins {
            // Those that observe were stopped by their own threads.
            if let Err(fault) = plugin.stop().await {
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
        self.folder.replace("status", outcome.status.word())
    }
}
