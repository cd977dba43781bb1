//! What the guard reports: that Ansible has begun, that it has ended, and what is left of it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader};

use playwarden_event::Status;
use playwarden_event::kind::Message;
use playwarden_event::reader::JournalReader;

use super::dispatcher::Run;
use super::launch::Live;
use crate::ansible::{Link, Record, Spill};
use crate::config::MAX_EVENT;
use crate::process::{Report, tree};
use crate::redact::Masked;

impl Run<'_> {
    pub(super) async fn take_report(&mut self, live: &mut Live, report: Option<Report>) {
        match report {
            Some(Report::Started { pid, .. }) => {
                (self.main, self.publisher.pid) = (Some(pid), Some(pid));
                live.link.listen_to(pid);
                self.orders.extend(self.state.advance(Status::Running));
            }
            Some(Report::NotStarted { text }) => self.seen.words = text,
            Some(Report::Exited(exit)) => {
                self.drain(&mut live.link).await;
                if let Err(err) = self.take_spill() {
                    self.seen.trouble.get_or_insert(err.to_string());
                }
                self.seen.exit = Some(exit);
                // A verdict on the last events still decides about what detached itself.
                self.settle(true).await;
                // Who ended without its statistics was interrupted, or failed: what was at work then is not left on purpose.
                let leave_nothing = self.state.ending().is_some() || self.stats.is_none();
                if let Some(guarded) = &mut self.guarded {
                    guarded.conclude(leave_nothing).await;
                }
            }
            Some(Report::Over { alive }) => {
                live.left_alive = alive;
                live.over = true;
            }
            None => {
                // The guard itself was killed. What did not detach itself is still below Ansible.
                self.seen.trouble.get_or_insert("the guard process was killed".to_owned());
                if let (Some(pid), None) = (self.main, self.seen.exit) {
                    self.end_engine(pid).await;
                    tree::kill(pid.cast_signed());
                }
                self.remove_container().await;
                self.drain(&mut live.link).await;
                live.over = true;
            }
        }
    }

    /// Takes what Ansible sent before it ended: after its death nothing can follow.
    async fn drain(&mut self, link: &mut Link) {
        // There is no one left to stop.
        let guarded = self.guarded.take();
        while link.is_listening() {
            let record = link.record_now();
            let last = !matches!(record, Ok(Some(_)));
            self.take_record(link, record).await;
            self.carry_out().await;
            if last {
                break;
            }
        }
        self.guarded = guarded;
    }

    /// Takes what the callback wrote beside the journal because the socket broke, although we are here: somebody else's signal
    /// tore a record on its way. Such a run has trouble, and loses nothing.
    fn take_spill(&mut self) -> io::Result<()> {
        let path = self.folder.spill();
        if fs::metadata(&path).map_or(0, |spill| spill.len()) == 0 {
            return Ok(());
        }
        if self.said_all {
            let text = "what another process than Ansible wrote beside the journal was not taken".to_owned();
            self.publish("warning", &Message { message: Some(text) });
            return Ok(());
        }
        let journal = File::open(self.folder.path().join("events.jsonl"))?;
        let known = JournalReader::new(BufReader::new(journal)).map_while(Result::ok);
        let known: HashSet<String> = known.map(|event| event.head().uuid.clone()).collect();
        let mut spill = Spill::open(&path, MAX_EVENT)?;
        let mut taken = 0_u32;
        while let Some(record) = spill.record().map_err(io::Error::other)? {
            match record {
                // What was asked about was not granted.
                Record::Event(reported) | Record::Start(reported)
                    if !reported.asked && !known.contains(&reported.uuid) =>
                {
                    self.take_event(*reported, Masked::default());
                    taken += 1;
                }
                _ => {}
            }
        }
        let text = format!("the event socket broke; {taken} events were taken from beside the journal");
        self.seen.trouble.get_or_insert(text);
        Ok(())
    }
}
