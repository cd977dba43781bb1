//! The text of `runner.lock`: what each plugin was, and could reach, when somebody approved it.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::finding::{Finding, Findings};
use super::read_text;

/// The name of that file, beside `runner.toml`.
pub const LOCK_FILE: &str = "runner.lock";

const HEAD: &str = "# What each plugin of runner.toml is and may reach. Written by `playwarden plugin lock`: a plugin that is\n\
                    # another one does not load until somebody locks it again.\n";

/// The plugins that were approved, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Lock {
    schema_version: u32,
    /// By name in runner.toml.
    #[serde(default)]
    pub plugins: BTreeMap<String, Locked>,
}

/// What one plugin was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Locked {
    /// SHA-256 of the component, in hex.
    pub sha256: String,
    /// The version that it stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where it came from: a path as runner.toml has it, or `builtin:NAME`.
    pub source: String,
    /// The interfaces of the contract that it exported.
    #[serde(default)]
    pub exports: Vec<String>,
    /// Everything that it imported.
    #[serde(default)]
    pub imports: Vec<String>,
}

impl Lock {
    /// Makes one of these.
    #[must_use]
    pub fn new(plugins: BTreeMap<String, Locked>) -> Self {
        Self { schema_version: 1, plugins }
    }

    /// Reads the file; none when there is none.
    ///
    /// # Errors
    /// Returns what is wrong with it.
    pub fn load(path: &Path) -> Result<Option<Self>, Findings> {
        if !path.exists() {
            return Ok(None);
        }
        let text = read_text(path)?;
        let wrong = |message: String| {
            let help = "restore it, or remove it and let `playwarden plugin lock` write it again";
            let finding = Finding::error("bad-lock", path, message).help(help);
            let mut findings = Findings::new(vec![finding]);
            findings.add_source(path, text.as_str().into());
            findings
        };
        let lock: Self = toml::from_str(&text)
            .map_err(|err| wrong(format!("`{LOCK_FILE}` cannot be read: {}", err.to_string().trim_end())))?;
        if lock.schema_version != 1 {
            let version = lock.schema_version;
            return Err(wrong(format!("`{LOCK_FILE}` has schema version {version}, which this version does not know")));
        }
        Ok(Some(lock))
    }

    /// Returns the text of the file.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{HEAD}{}", toml::to_string_pretty(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_comes_back_as_it_was_written() {
        let locked =
            Locked { sha256: "ab".into(), source: "p.wasm".into(), imports: vec!["i".into()], ..Locked::default() };
        let lock = Lock::new(BTreeMap::from([("p".to_owned(), locked)]));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOCK_FILE);
        assert_eq!(Lock::load(&path).unwrap(), None);
        std::fs::write(&path, lock.text()).unwrap();
        assert_eq!(Lock::load(&path).unwrap(), Some(lock));
        for (text, wrong) in [
            ("schema-version = 2", "has schema version 2"),
            ("schema-version = 1\nplugin = 1", "unknown field `plugin`"),
            ("<<<<<<< HEAD", "cannot be read"),
        ] {
            std::fs::write(&path, text).unwrap();
            let findings = Lock::load(&path).unwrap_err();
            assert!(findings.list[0].message.contains(wrong), "{:?}", findings.list);
        }
    }
}
