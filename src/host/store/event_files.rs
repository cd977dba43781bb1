//! Each event in a file of its own, as ansible-runner's readers look for them: `job_events/<counter>-<uuid>.json`.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use playwarden_event::Event;

/// The folder of such files.
#[derive(Debug)]
pub(crate) struct EventFiles {
    folder: PathBuf,
}

impl EventFiles {
    const FOLDER: &str = "job_events";

    /// Makes the folder in that of a run.
    pub(crate) fn create(run: &Path) -> io::Result<Self> {
        let folder = run.join(Self::FOLDER);
        DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    /// Goes on in the folder of a run that has one.
    pub(crate) fn resume(run: &Path) -> Option<Self> {
        let folder = run.join(Self::FOLDER);
        folder.is_dir().then_some(Self { folder })
    }

    /// Writes the file of an event that is in the journal. A reader sees it whole or not at all.
    pub(crate) fn write(&self, event: &Event) -> io::Result<()> {
        // A uuid of whoever made it up must not lead elsewhere.
        let uuid: String =
            event.head().uuid.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        let path = self.folder.join(format!("{}-{uuid}.json", event.counter()));
        let partial = path.with_extension("json.tmp");
        let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&partial)?;
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, event)?;
        file.flush()?;
        fs::rename(partial, path)
    }
}
