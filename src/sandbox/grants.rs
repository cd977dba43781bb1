//! What a plugin may reach.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fmt, fs};

use playwarden_event::Origin;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// What a plugin may reach, beyond its config and its run. Nothing unless it stands here.
#[derive(Clone, Default)]
pub struct Grants {
    /// Folders that it may read, also while it is asked about its config.
    pub read: Vec<Folder>,
    /// Folders that it may read and write.
    pub write: Vec<Folder>,
    /// Where it may send HTTP requests. With none, nothing of `wasi:http` is linked.
    pub http: Vec<Origin>,
    /// Environment variables, with their values.
    pub env: Vec<(String, String)>,
    /// Secrets by the name that the plugin asks for.
    pub secrets: BTreeMap<String, String>,
}

/// A folder that a plugin may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// The guest's name of it.
    pub name: String,
    /// Where it is: absolute, and there when an instance is made. A link in its last place is refused.
    pub path: PathBuf,
}

impl fmt::Debug for Grants {
    /// Leaves out every value: those of variables may be secrets too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let env: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        let secrets: Vec<&str> = self.secrets.keys().map(String::as_str).collect();
        f.debug_struct("Grants")
            .field("read", &self.read)
            .field("write", &self.write)
            .field("http", &self.http)
            .field("env", &env)
            .field("secrets", &secrets)
            .finish()
    }
}

impl Grants {
    /// Returns what a plugin has while it is asked about its config: secrets, variables, and what it may only read.
    pub(crate) fn for_check(&self) -> Self {
        Self { write: Vec::new(), http: Vec::new(), ..self.clone() }
    }

    /// Hands folders and variables to a guest that is being built. An error names the folder and says why.
    pub(crate) fn hand_to(&self, builder: &mut WasiCtxBuilder) -> Result<(), String> {
        let read = self.read.iter().map(|folder| (folder, FsPerms::ReadOnly));
        let write = self.write.iter().map(|folder| (folder, FsPerms::ReadWrite));
        for (Folder { name, path }, permissions) in read.chain(write) {
            let failed = |err: &dyn fmt::Display| format!("the folder `{name}` cannot be opened: {err}");
            let kind = fs::symlink_metadata(path).map_err(|err| failed(&err))?.file_type();
            if kind.is_symlink() {
                let to = fs::read_link(path).map_err(|err| failed(&err))?;
                return Err(format!("`{name}` is a link to `{}`; grant the folder itself", to.display()));
            }
            if !kind.is_dir() {
                return Err(format!("`{name}` is not a folder"));
            }
            builder.preopened_dir(path, name, permissions).map_err(|err| failed(&err.root_cause()))?;
        }
        builder.envs(&self.env);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_not_printed() {
        let grants = Grants {
            env: vec![("TZ".into(), "hunter1".into())],
            secrets: BTreeMap::from([("token".into(), "hunter2".into())]),
            ..Grants::default()
        };
        let shown = format!("{grants:?}");
        assert!(shown.contains("TZ") && shown.contains("token") && !shown.contains("hunter"), "{shown}");
    }
}
