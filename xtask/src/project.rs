//! Where things are in the repository, and cargo as each of the two workspaces needs it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// Variables that would move the guests' artifacts or build them for something else.
const NOT_FOR_GUESTS: [&str; 5] =
    ["CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"];

/// The repository.
#[derive(Debug)]
pub(crate) struct Project {
    root: PathBuf,
    cargo: OsString,
    /// A relative folder in these means relative to where the person stands, not to where cargo is started.
    target_dirs: Vec<(&'static str, PathBuf)>,
}

impl Project {
    /// Finds the repository that this program was built from.
    pub(crate) fn find() -> Result<Self, Failure> {
        // Asked of cargo first: the repository may have been moved since this program was compiled.
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&manifest).parent().filter(|root| root.join("plugins/Cargo.toml").is_file());
        let root = root.ok_or_else(|| {
            Failure::new(format!("`{}` is not the project's `xtask` folder", Path::new(&manifest).display()))
                .hint("run `cargo xtask` in the repository")
        })?;
        let mut target_dirs = Vec::new();
        for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
            if let Some(value) = env::var_os(name).filter(|value| !value.is_empty()) {
                let folder = std::path::absolute(value)
                    .map_err(|err| Failure::new(format!("cannot use the folder in `{name}`")).because(err))?;
                target_dirs.push((name, folder));
            }
        }
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Ok(Self { root: root.to_owned(), cargo, target_dirs })
    }

    /// The repository's own folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path in the repository.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A path as short as it can be said: relative if it is in the repository.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// The environment that the repository itself uses.
    pub(crate) fn venv(&self) -> PathBuf {
        self.path(".venv")
    }

    /// Where the built guests are.
    pub(crate) fn guests(&self) -> PathBuf {
        self.path("plugins/target/wasm32-wasip2/release")
    }

    /// Returns whether the host was ever built where cargo puts it unless its configuration files say otherwise.
    pub(crate) fn has_host(&self) -> bool {
        let target = self.target_dirs.first().map_or_else(|| self.path("target"), |(_, folder)| folder.clone());
        target.join("release/playwarden").exists()
    }

    /// Cargo in the root workspace.
    pub(crate) fn host_cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root);
        command.envs(self.target_dirs.iter().map(|(name, folder)| (name, folder)));
        // What cargo says of this program to it. Build scripts of dependencies would run again where that differs from what a
        // person's own `cargo build` has, and everything that depends on them.
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&*name);
            }
        }
        command
    }

    /// Cargo in the guests' workspace. Its artifacts are where runner.toml and the tests look for them, always.
    pub(crate) fn guest_cargo(&self) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(self.path("plugins"));
        for name in NOT_FOR_GUESTS {
            command.env_remove(name);
        }
        command.env("CARGO_TARGET_DIR", self.path("plugins/target"));
        command
    }

    /// The compiler that cargo uses.
    pub(crate) fn rustc(&self) -> Command {
        let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        command.current_dir(&self.root);
        command
    }
}
