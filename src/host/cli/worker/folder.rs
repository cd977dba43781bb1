//! The folder that a worker unpacks a job into.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::super::context::Context;

/// Folders that nobody means when they say that a private data dir can go.
const NEVER: [&str; 17] = [
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/mnt", "/opt", "/proc", "/root", "/run", "/sbin", "/sys",
    "/tmp", "/usr", "/var",
];

/// A job's private data dir in our own folder.
pub(super) const OWN_JOB: &str = "job";

const OWN_TEMPORARY: &str = "tmp";

/// A folder for one job, and one for what its processes put away for a while. What should go is gone when the value is dropped.
pub(super) struct Folder {
    /// Only we can enter it.
    own: PathBuf,
    named: Option<PathBuf>,
    delete: bool,
}

impl Folder {
    /// The private data dir that somebody named, else a new one.
    pub(super) fn new(context: &Context, delete: bool) -> io::Result<Self> {
        let named = context.private_data_dir().map(Path::to_owned);
        if let Some(path) = &named {
            if delete {
                if is_never_removed(path, context) {
                    let text = format!("`{}` is not removed: the system, or a user, needs it", path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
                remove(path)?;
            }
            DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        }
        let own = tempfile::Builder::new().prefix("playwarden-worker-").tempdir()?.keep();
        let folder = Self { own, named, delete };
        for part in [OWN_JOB, OWN_TEMPORARY] {
            DirBuilder::new().mode(0o700).create(folder.own.join(part))?;
        }
        Ok(folder)
    }

    /// Where the job is unpacked.
    pub(super) fn path(&self) -> PathBuf {
        self.named.clone().unwrap_or_else(|| self.own.join(OWN_JOB))
    }

    /// Where modules that were interrupted leave what they cannot remove.
    pub(super) fn temporary(&self) -> PathBuf {
        self.own.join(OWN_TEMPORARY)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is private.
        remove(&self.own).ok();
        if let Some(path) = self.named.as_ref().filter(|_| self.delete) {
            remove(path).ok();
        }
    }
}

/// Whether a folder, or what is in it, belongs to more than a job.
pub(super) fn is_never_removed(path: &Path, context: &Context) -> bool {
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let path = real(path);
    let ours = [std::env::temp_dir(), context.cwd().to_owned()].into_iter().chain(context.environment.home.clone());
    NEVER.iter().map(PathBuf::from).chain(ours).any(|kept| real(&kept).starts_with(&path))
}

/// Removes a folder, also when a job took away the right to.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(err) if err.kind() == io::ErrorKind::PermissionDenied => {
            allow(path)?;
            fs::remove_dir_all(path)
        }
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn allow(folder: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(folder)?.is_dir() {
        return Ok(());
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        allow(&entry?.path())?;
    }
    Ok(())
}
