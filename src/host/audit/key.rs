//! Keys that sign checkpoints: ed25519, private ones in PKCS#8 as `openssl genpkey -algorithm ed25519` writes them, public ones in
//! the form of the C2SP signed note (`NAME+ID+KEY`, <https://c2sp.org/signed-note>).

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};

use crate::hex;

/// The word for ed25519 in the keys of signed notes.
const ED25519_BYTE: u8 = 1;

/// PKCS#8 of an ed25519 key, up to its 32 bytes.
const PKCS8_HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// A key that signs.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A key that signatures are held against.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    name: String,
    bytes: [u8; 32],
}

/// A key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Others than its owner may read it.
    #[error("it may be read by others (mode {0:o}); `chmod 600` it")]
    Open(u32),
    /// It is something else.
    #[error("it is no ed25519 key in PKCS#8 PEM; make one with `playwarden audit key FILE`")]
    Form,
    /// A log cannot be called like this.
    #[error("`{0}` is no name of a log: it is empty, or has a blank or a `+`")]
    Name(String),
    /// A public key is written otherwise.
    #[error("`{0}` is no public key: it is written NAME+ID+KEY, as `playwarden audit key FILE` prints it")]
    Public(String),
}

impl SigningKey {
    /// Reads a key that nobody but its owner may read. The name is that of the log which it signs.
    pub(crate) fn read(path: &Path, name: &str) -> Result<Self, KeyError> {
        let mode = fs::metadata(path)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Open(mode));
        }
        let text = fs::read(path)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&text).map_err(|_| KeyError::Form)?;
        Self::from_pkcs8(der.secret_pkcs8_der(), name)
    }

    /// Makes a key and writes it to a file that is not there yet.
    pub(crate) fn make(path: &Path, name: &str) -> Result<Self, KeyError> {
        let mut der = PKCS8_HEAD.to_vec();
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| io::Error::other("the machine gives no random bytes"))?;
        der.extend(seed);
        let key = Self::from_pkcs8(&der, name)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(&der)).as_bytes(),
        )?;
        file.sync_all()?;
        Ok(key)
    }

    fn from_pkcs8(der: &[u8], name: &str) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::Form)?;
        let bytes = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Form)?;
        Ok(Self { pair, public: PublicKey { name: name.to_owned(), bytes } })
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a text; returns the signature's line in a note, without a line end.
    pub(super) fn sign(&self, text: &str) -> String {
        let mut bytes = self.public.id().to_vec();
        bytes.extend(self.pair.sign(text.as_bytes()).as_ref());
        format!("\u{2014} {} {}", self.public.name, BASE64.encode(bytes))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Returns the name: that of the log.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what stands before a signature of this key.
    fn id(&self) -> [u8; 4] {
        let mut hash = Sha256::new().chain_update(&self.name).chain_update([b'\n', ED25519_BYTE]);
        hash.update(self.bytes);
        let hash: [u8; 32] = hash.finalize().into();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Returns whether a line of a note is this key's signature of the text.
    pub(super) fn signed(&self, text: &str, line: &str) -> bool {
        let Some((name, signature)) = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')) else {
            return false;
        };
        let Ok(bytes) = BASE64.decode(signature) else { return false };
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        let signature = |bytes: &[u8]| key.verify(text.as_bytes(), bytes).is_ok();
        name == self.name
            && bytes.split_first_chunk::<4>().is_some_and(|(id, rest)| *id == self.id() && signature(rest))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![ED25519_BYTE];
        bytes.extend(self.bytes);
        write!(f, "{}+{}+{}", self.name, hex(&self.id()), BASE64.encode(bytes))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::Public(text.to_owned());
        // The key itself may have a `+`, a name may not.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else { return Err(wrong()) };
        let bytes = BASE64.decode(key).map_err(|_| wrong())?;
        let Some(([ED25519_BYTE], bytes)) = bytes.split_first_chunk::<1>() else { return Err(wrong()) };
        let key = Self { name: name.to_owned(), bytes: bytes.try_into().map_err(|_| wrong())? };
        if hex(&key.id()) == id { Ok(key) } else { Err(wrong()) }
    }
}

/// Returns whether a log can have this name: it stands in lines whose words blanks divide.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '+')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_other_programs_are_read() {
        // The example of Go's package golang.org/x/mod/sumdb/note.
        let text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let key: PublicKey = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        let note =
            "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
        let line = "\u{2014} PeterNeumann \
                    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        assert!(key.signed(note, line));
        assert!(!key.signed(&note.replace("then", "than"), line));
        for wrong in ["", "a", "a+b", "a+00000000+AAAA", "a+00000000+!"] {
            assert!(wrong.parse::<PublicKey>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_made_once_read_again_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.pem");
        let made = SigningKey::make(&path, "log").unwrap();
        let read = SigningKey::read(&path, "log").unwrap();
        assert_eq!(made.public(), read.public());
        assert_eq!(read.public().to_string().parse::<PublicKey>().unwrap(), *read.public());
        assert!(SigningKey::make(&path, "log").is_err());
        let line = made.sign("text\n");
        assert!(read.public().signed("text\n", &line) && !read.public().signed("text", &line));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::read(&path, "log"), Err(KeyError::Open(0o640))));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
        assert!(matches!(SigningKey::read(&path, "log"), Err(KeyError::Form)));
    }
}
