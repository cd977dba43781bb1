//! What the callback wrote beside the journal when the host was gone: the same frames as on the socket.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use super::record::{Record, RecordError};

/// The records of a spill, in the order in which they were sent. The first ones the host may have had.
pub(crate) struct Spill {
    frames: Option<BufReader<File>>,
    largest: u64,
}

/// Why a spill cannot be read further.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpillError {
    #[error("the records that were written beside the journal cannot be read")]
    Io(#[from] io::Error),
    #[error("the records that were written beside the journal end in the middle of one")]
    Torn,
    #[error("the records that were written beside the journal are damaged")]
    Record(#[from] RecordError),
}

impl Spill {
    /// Opens a spill, which need not be there. No record is larger than the largest event and its envelope.
    pub(crate) fn open(path: &Path, max_event: u64) -> io::Result<Self> {
        // What stands there may have been put there: it must neither lead elsewhere nor keep us waiting.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let frames = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) if file.metadata()?.is_file() => Some(BufReader::new(file)),
            Ok(_) => return Err(io::Error::other(format!("`{}` is not a file", path.display()))),
            Err(err) if err.kind() == io::ErrorKind::NotFound => None,
            Err(err) => return Err(err),
        };
        Ok(Self { frames, largest: max_event + super::link::ENVELOPE })
    }

    /// Returns the next record; none at the end. Read nothing after an error.
    pub(crate) fn record(&mut self) -> Result<Option<Record>, SpillError> {
        let Some(frames) = &mut self.frames else { return Ok(None) };
        let mut length = [0; 4];
        if frames.read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        let torn = |err: io::Error| match err.kind() {
            io::ErrorKind::UnexpectedEof => SpillError::Torn,
            _ => err.into(),
        };
        frames.read_exact(&mut length[1..]).map_err(torn)?;
        let length = u64::from(u32::from_be_bytes(length));
        if length > self.largest {
            return Err(SpillError::Torn);
        }
        let mut frame = Vec::new();
        frames.take(length).read_to_end(&mut frame)?;
        if frame.len() as u64 != length {
            return Err(SpillError::Torn);
        }
        Ok(Some(Record::decode(&frame)?))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(bytes: &[u8]) -> (Vec<Record>, Option<SpillError>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill");
        fs::write(&path, bytes).unwrap();
        let mut spill = Spill::open(&path, 1024).unwrap();
        let mut records = Vec::new();
        loop {
            match spill.record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => return (records, None),
                Err(err) => return (records, Some(err)),
            }
        }
    }

    fn frame(text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&length, text.as_bytes()].concat()
    }

    #[test]
    fn whole_records_are_read_and_what_is_behind_them_is_told() {
        let end = frame(r#"{"record":"end","stdout":7,"stderr":null}"#);
        let granted = frame(r#"{"record":"granted","uuid":"u"}"#);
        let (records, err) = read(&[granted.clone(), end.clone()].concat());
        assert!(matches!(&records[..], [Record::Granted { uuid }, Record::End { .. }] if uuid == "u"), "{records:?}");
        assert!(err.is_none());
        for cut in [1, 3, 4, end.len() - 1] {
            let (records, err) = read(&[&granted[..], &end[..cut]].concat());
            assert!(matches!((records.len(), &err), (1, Some(SpillError::Torn))), "{cut} {err:?}");
        }
        let (records, err) = read(&[&granted[..], &[255, 0, 0, 0], &end].concat());
        assert!(matches!((records.len(), &err), (1, Some(SpillError::Torn))), "{err:?}");
        let (records, err) = read(&[granted, frame("no JSON")].concat());
        assert!(matches!((records.len(), &err), (1, Some(SpillError::Record(_)))), "{err:?}");
    }

    #[test]
    fn a_spill_need_not_be_there() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Spill::open(&folder.path().join("spill"), 1024).unwrap().record().unwrap().is_none());
    }
}
