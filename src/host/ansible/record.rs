//! Records: what the callback sends, before it is numbered and becomes an event.

use std::borrow::Cow;
use std::path::PathBuf;

use playwarden_event::{Json, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The version of the records' form; the callback states its own in the hello.
pub(crate) const PROTOCOL: u32 = 1;

/// The names of temporary folders that Ansible makes: its main process, whose names end in eight characters of chance, and
/// its workers.
pub(crate) const TEMPORARY: [&str; 2] = ["ansible-local-{pid}????????", "ansible-tmp-*-{pid}-*"];

/// One message of the callback.
#[derive(Debug, PartialEq)]
pub(crate) enum Record {
    /// The first one: the callback is in place and waits for its welcome.
    /// `temporary` are the folders in which it makes temporary ones.
    Hello { core: String, python: String, temporary: Vec<PathBuf>, printed: Printed },
    /// Something happened.
    Event(Box<Reported>),
    /// A task is about to start on a host; at the gate the callback waits for an answer. What there is to judge it by
    /// stands in the data, under `start`.
    Start(Box<Reported>),
    /// The start of this uuid, which was to be judged, happened without: the host was gone, and the run goes on without one.
    Granted { uuid: String },
    /// The last one: Ansible's main process ends.
    End { printed: Printed },
}

/// Something that happened, as reported.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reported {
    pub(crate) name: String,
    pub(crate) uuid: String,
    pub(crate) parent_uuid: Option<String>,
    pub(crate) time: Timestamp,
    pub(crate) printed: Printed,
    pub(crate) data: Json,
    /// Ansible waits for an answer before it happens.
    pub(crate) asked: bool,
}

/// How many bytes were printed up to a moment; none where the stream is no file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) stdout: Option<u64>,
    pub(crate) stderr: Option<u64>,
}

/// A frame that is no record. The callback and this host belong together, so this is never a user's mistake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("a frame is not a record: {0}")]
    Form(#[from] serde_json::Error),
    #[error("a record of the unknown kind `{0}`")]
    Kind(String),
    #[error("a record without its `{0}`")]
    Missing(&'static str),
    #[error("a callback of protocol {0}, where {PROTOCOL} is expected")]
    Protocol(u32),
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    record: Cow<'a, str>,
    #[serde(default)]
    protocol: Option<u32>,
    #[serde(default)]
    core: Option<String>,
    #[serde(default)]
    python: Option<String>,
    #[serde(default)]
    temporary: Vec<PathBuf>,
    #[serde(default)]
    time_ns: u64,
    #[serde(default)]
    stdout: Option<u64>,
    #[serde(default)]
    stderr: Option<u64>,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    uuid: Option<String>,
    #[serde(default)]
    parent_uuid: Option<String>,
    #[serde(default)]
    asked: bool,
    #[serde(default, borrow)]
    event_data: Option<&'a RawValue>,
    #[serde(default, borrow)]
    start: Option<&'a RawValue>,
}

impl Record {
    /// Reads a frame.
    pub(crate) fn decode(frame: &[u8]) -> Result<Self, RecordError> {
        let wire: Wire<'_> = serde_json::from_slice(frame)?;
        let printed = Printed { stdout: wire.stdout, stderr: wire.stderr };
        match &*wire.record {
            "hello" => match wire.protocol {
                Some(PROTOCOL) => Ok(Self::Hello {
                    core: wire.core.unwrap_or_default(),
                    python: wire.python.unwrap_or_default(),
                    temporary: wire.temporary,
                    printed,
                }),
                other => Err(RecordError::Protocol(other.unwrap_or(0))),
            },
            "event" => Ok(Self::Event(Box::new(reported(wire, printed)?))),
            "start" => {
                let start = wire.start.ok_or(RecordError::Missing("start"))?;
                let mut reported = reported(wire, printed)?;
                reported.data = with_start(&reported.data, start)?;
                Ok(Self::Start(Box::new(reported)))
            }
            "granted" => Ok(Self::Granted { uuid: wire.uuid.ok_or(RecordError::Missing("uuid"))? }),
            "end" => Ok(Self::End { printed }),
            other => Err(RecordError::Kind(other.to_owned())),
        }
    }
}

fn reported(wire: Wire<'_>, printed: Printed) -> Result<Reported, RecordError> {
    Ok(Reported {
        name: wire.event.ok_or(RecordError::Missing("event"))?,
        uuid: wire.uuid.ok_or(RecordError::Missing("uuid"))?,
        parent_uuid: wire.parent_uuid,
        time: Timestamp::from_ns(wire.time_ns),
        printed,
        data: wire.event_data.map(Json::from).unwrap_or_default(),
        asked: wire.asked,
    })
}

/// Adds what a start is judged by: a replay has to ask the same.
fn with_start(data: &Json, start: &RawValue) -> Result<Json, serde_json::Error> {
    let text = data.text().trim_end();
    let body = text.strip_suffix('}').unwrap_or(text).trim_end();
    let comma = if body.ends_with('{') { "" } else { "," };
    Json::parse(format!("{body}{comma}\"start\":{start}}}"))
}
