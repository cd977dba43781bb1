//! A checkpoint: size and root of a log at one time, as a signed note (<https://c2sp.org/tlog-checkpoint>).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::key::{PublicKey, SigningKey, is_name};
use super::tree::{Hash, Tree};

/// A checkpoint as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// The name of the log.
    pub(crate) origin: String,
    /// How many entries it had.
    pub(crate) size: u64,
    /// The root over them.
    pub(crate) root: Hash,
    text: String,
    signatures: Vec<String>,
}

impl Checkpoint {
    /// Writes the checkpoint of a log as it is, signed by each of some keys.
    pub(crate) fn write(origin: &str, tree: &Tree, keys: &[&SigningKey]) -> String {
        let text = format!("{origin}\n{}\n{}\n", tree.size(), BASE64.encode(tree.root()));
        let signatures: String = keys.iter().map(|key| format!("{}\n", key.sign(&text))).collect();
        format!("{text}\n{signatures}")
    }

    /// Reads a checkpoint; none where it is something else. Whether it is signed is another question.
    pub(crate) fn read(note: &str) -> Option<Self> {
        let (text, signatures) = note.rsplit_once("\n\n")?;
        let signatures = signatures.strip_suffix('\n')?;
        let signatures: Vec<String> = signatures.split('\n').map(str::to_owned).collect();
        // A witness may have signed it too; anything else is not ours.
        let are_signatures = signatures.iter().all(|line| is_signature(line));
        let are_different = signatures.iter().collect::<BTreeSet<_>>().len() == signatures.len();
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let number: u64 = size.parse().ok()?;
        let root = BASE64.decode(root).ok()?.try_into().ok()?;
        // One number has one form.
        (are_signatures && are_different && !origin.is_empty() && number.to_string() == size && lines.next().is_none())
            .then(|| Self { origin: origin.to_owned(), size: number, root, text: format!("{text}\n"), signatures })
    }

    /// Returns whether a key signed it.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.signatures.iter().any(|line| key.signed(&self.text, line))
    }
}

/// Returns whether a line is that of a signature, whoever made it.
fn is_signature(line: &str) -> bool {
    let Some((name, signature)) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')) else {
        return false;
    };
    is_name(name) && BASE64.decode(signature).is_ok_and(|bytes| bytes.len() > 4)
}
