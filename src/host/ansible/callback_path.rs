//! The folders in which the user's Ansible looks for callbacks.
//!
//! Only `ansible-config` knows, and asking it costs as much as starting Ansible. So what it said is kept until something
//! that it may have looked at changes.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::hex;

/// What decides about the callback path.
#[derive(Debug)]
pub(crate) struct CallbackPath<'a> {
    /// `ansible-config` of the installation.
    pub(crate) program: &'a Path,
    /// Where Ansible is started.
    pub(crate) folder: &'a Path,
    /// The whole environment that Ansible will have, without what we add.
    pub(crate) environment: &'a BTreeMap<OsString, OsString>,
    /// Where answers are kept.
    pub(crate) cache: Option<&'a Path>,
}

/// One setting of `ansible-config dump`.
#[derive(Deserialize)]
struct Setting {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: serde_json::Value,
}

impl CallbackPath<'_> {
    /// Returns the folders, joined as in a PATH.
    ///
    /// # Errors
    /// When `ansible-config` cannot be started or says that the configuration is wrong; its words are the text.
    pub(crate) fn find(&self) -> io::Result<String> {
        let kept = self.cache.map(|cache| cache.join(self.key()));
        if let Some(text) = kept.as_ref().and_then(|kept| fs::read_to_string(kept).ok()) {
            return Ok(text);
        }
        let path = self.ask()?;
        if let (Some(kept), Some(cache)) = (kept, self.cache) {
            // Not being able to keep it costs time at the next run and nothing else.
            keep(cache, &kept, &path).ok();
        }
        Ok(path)
    }

    fn ask(&self) -> io::Result<String> {
        let output = Command::new(self.program)
            .args(["dump", "--format", "json"])
            .env_clear()
            .envs(self.environment)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let settings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout)?;
        let setting = settings
            .into_iter()
            .filter_map(|setting| serde_json::from_value::<Setting>(setting).ok())
            .find(|setting| setting.name == "DEFAULT_CALLBACK_PLUGIN_PATH");
        let folders = setting.map(|setting| setting.value).unwrap_or_default();
        Ok(match folders {
            serde_json::Value::Array(list) => list.iter().filter_map(|one| one.as_str()).collect::<Vec<_>>().join(":"),
            serde_json::Value::String(one) => one,
            _ => String::new(),
        })
    }

    /// Everything that the answer may depend on: the installation, the files that may be the configuration, and every
    /// variable that Ansible may read.
    fn key(&self) -> String {
        let get = |name: &str| self.environment.get(&OsString::from(name));
        let home = get("HOME").map(PathBuf::from);
        let mut files =
            vec![self.program.to_owned(), self.folder.join("ansible.cfg"), "/etc/ansible/ansible.cfg".into()];
        files.extend(get("ANSIBLE_CONFIG").map(|path| self.folder.join(path)));
        files.extend(home.map(|home| home.join(".ansible.cfg")));

        let mut hash = Sha256::new();
        let mut add = |text: &[u8]| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        add(env!("CARGO_PKG_VERSION").as_bytes());
        for file in files {
            add(file.as_os_str().as_encoded_bytes());
            let metadata = fs::metadata(&file).ok();
            let changed = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
            let since =
                changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos());
            add(&since.to_le_bytes());
            add(&metadata.map_or(0, |metadata| metadata.len()).to_le_bytes());
        }
        for (name, value) in self.environment {
            let name = name.as_encoded_bytes();
            if name.starts_with(b"ANSIBLE_") || matches!(name, b"HOME" | b"XDG_CONFIG_HOME") {
                add(name);
                add(value.as_encoded_bytes());
            }
        }
        format!("callback-path-{}", hex(&hash.finalize()))
    }
}

/// A reader sees all of it or nothing.
fn keep(cache: &Path, kept: &Path, text: &str) -> io::Result<()> {
    fs::create_dir_all(cache)?;
    let file = tempfile::NamedTempFile::new_in(cache)?;
    fs::write(file.path(), text)?;
    file.persist(kept).map(drop).map_err(|err| err.error)
}
