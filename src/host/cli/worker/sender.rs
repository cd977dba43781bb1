//! The one thread that writes the stream.
//!
//! **Invariant:** whoever has something to say hands it over and never waits. Events are read from the journal, so that a
//! reader who takes his time costs no memory and does not hold up Ansible.

use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use playwarden_event::reader::JournalReader;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use tokio::sync::{oneshot, watch};

use crate::plan::EventData;
use crate::remote::{write_archive, write_line};

/// What is to be written next.
pub(super) enum Order {
    /// A line.
    Line(Value),
    /// The next event of the journal, which is there.
    Event {
        /// The file.
        journal: PathBuf,
        /// What of it is shown.
        data: EventData,
    },
    /// An archive.
    Archive(File),
}

/// Hands orders to the thread.
pub(super) struct Sender {
    orders: mpsc::Sender<Order>,
    done: oneshot::Receiver<()>,
}

impl Sender {
    /// Starts the thread. When nobody reads any more, that counts as somebody who asks for the end.
    pub(super) fn start(keepalive: Option<Duration>, asks: watch::Sender<u32>) -> io::Result<Self> {
        let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let watched = output.try_clone()?;
        thread::spawn(move || {
            let mut output = [PollFd::new(&watched, PollFlags::empty())];
            // Without a wish only what is wrong is told.
            while poll(&mut output, None).is_err() || output[0].revents().is_empty() {}
            asks.send_modify(|times| *times += 1);
        });
        let (orders, to_do) = mpsc::channel();
        let (over, done) = oneshot::channel();
        thread::spawn(move || {
            // Whoever does not read gets nothing more; the other thread has told of it.
            write(output, &to_do, keepalive).ok();
            over.send(()).ok();
        });
        Ok(Self { orders, done })
    }

    pub(super) fn send(&self, order: Order) {
        // Nobody reads any more.
        self.orders.send(order).ok();
    }

    /// Waits until everything is written, or somebody asks for the end.
    pub(super) async fn finish(self, mut asked: watch::Receiver<u32>) {
        drop(self.orders);
        asked.mark_unchanged();
        tokio::select! {
            _ = self.done => {}
            _ = asked.changed() => {}
        }
    }
}

fn write(mut output: File, orders: &mpsc::Receiver<Order>, keepalive: Option<Duration>) -> io::Result<()> {
    let mut events = None;
    loop {
        let order = match keepalive {
            None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => orders.recv_timeout(time),
        };
        match order {
            Err(RecvTimeoutError::Disconnected) => return output.flush(),
            Err(RecvTimeoutError::Timeout) => {
                write_line(&mut output, &json!({"event": "keepalive", "counter": 0, "uuid": 0}))?;
            }
            Ok(Order::Line(line)) => write_line(&mut output, &line)?,
            Ok(Order::Archive(archive)) => write_archive(&mut output, archive)?,
            Ok(Order::Event { journal, data }) => {
                let reader = match &mut events {
                    Some(reader) => reader,
                    none => none.insert(JournalReader::new(BufReader::new(File::open(journal)?))),
                };
                if let Ok(Some((_, event))) = reader.next_line() {
                    write_line(&mut output, &*data.of(&event))?;
                }
            }
        }
    }
}
