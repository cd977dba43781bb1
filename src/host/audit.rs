//! Evidence: what proves afterwards that nothing of a run was changed, and that no run is missing.
//!
//! A journal's chain shows a change inside it ([`crate::store::verify`]). What shows that a journal was written anew, cut at a line
//! or removed is the log over all runs, which is signed whenever a run begins and ends. [`verify`] holds everything against
//! each other, and never writes.
//!
//! **Invariant:** a signature is only made over what was written since the last one, never over what may have been changed
//! meanwhile.

mod files;
mod key;
mod log;
mod note;
mod seal;
mod tree;
mod verify;

use std::path::Path;

pub(crate) use files::digest;
use key::SigningKey;
pub use key::{KeyError, PublicKey};
pub use log::LogError;
pub(crate) use seal::Sealer;
pub use verify::{Report, RunReport, Sealed, Trust, Wrong, verify};

/// The second verifier: a program in Python that shares nothing with this one.
pub(crate) const VERIFIER: &str = include_str!("audit/verify.py");

/// Returns the public key of a private one, which is made where it is not there. The name is that of the log that it is for.
pub(crate) fn key(path: &Path, name: Option<&str>) -> Result<PublicKey, KeyError> {
    let name = name.map_or_else(log::own_name, str::to_owned);
    if !key::is_name(&name) {
        return Err(KeyError::Name(name));
    }
    let key = if path.exists() { SigningKey::read(path, &name) } else { SigningKey::make(path, &name) };
    key.map(|key| key.public().clone())
}

/// Returns the name of the log over the runs of a folder; none where there is none.
pub(crate) fn origin(artifacts: &Path) -> Option<String> {
    let text = std::fs::read_to_string(artifacts.join(log::FOLDER).join(log::LOG)).ok()?;
    match serde_json::from_str(text.lines().next()?).ok()? {
        log::Entry::Log { origin, .. } => Some(origin),
        _ => None,
    }
}
