//! Compiled components, so that each is compiled once.
//!
//! A file is named by the component's SHA-256 and by what the engine says it must be compatible with. wasmtime trusts
//! the bytes of such a file, so they are taken only from a folder and a file that nobody else can write.

use std::fs::{self, DirBuilder, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    engine: u64,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf, engine: &Engine) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Self { folder, engine: hasher.finish() }
    }

    /// Returns the compiled component, if it is there and can be trusted.
    pub(crate) fn get(&self, engine: &Engine, sha256: &str) -> Option<Component> {
        let path = self.path(sha256);
        if !private(&fs::symlink_metadata(&self.folder).ok()?) || !private(&fs::symlink_metadata(&path).ok()?) {
            return None;
        }
        #[expect(unsafe_code, reason = "the file was written by `put`, in a folder that only this user can write")]
        let component = unsafe { Component::deserialize_file(engine, &path) };
        component.ok()
    }

    /// Keeps a compiled component. A reader sees all of it or nothing.
    pub(crate) fn put(&self, component: &Component, sha256: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        if !private(&fs::symlink_metadata(&self.folder)?) {
            return Err(io::Error::other("the folder can be written by others"));
        }
        let code = component.serialize().map_err(io::Error::other)?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(&code)?;
        file.as_file().sync_all()?;
        file.persist(self.path(sha256)).map(drop).map_err(|err| err.error)
    }

    fn path(&self, sha256: &str) -> PathBuf {
        self.folder.join(Path::new(&format!("{sha256}-{:016x}.cwasm", self.engine)))
    }
}

fn private(metadata: &Metadata) -> bool {
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    ours && metadata.mode() & 0o022 == 0 && !metadata.is_symlink()
}
