//! The engine that every plugin of a process shares.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Engine, OptLevel};

use crate::bindings::All;
use crate::cache::Cache;
use crate::guest::Guest;

/// How often running guests look at their deadline.
const TICK: Duration = Duration::from_millis(10);

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine cannot be started on this machine")]
pub struct SandboxError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// Loads plugins. Make one and keep it: it holds a thread that wakes running guests every 10 ms.
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    /// The same with `wasi:http`, for plugins that were granted origins.
    pub(crate) http_linker: Linker<Guest>,
    pub(crate) cache: Option<Cache>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts the engine. Compiled code is kept in the folder `cache`, which is made when missing and used only while no
    /// one else can write to it; without a folder everything is compiled each time.
    ///
    /// # Errors
    /// When this machine cannot run WebAssembly.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, SandboxError> {
        Self::build(cache).map_err(|err| SandboxError(err.into()))
    }

    fn build(cache: Option<PathBuf>) -> wasmtime::Result<Self> {
        let mut config = Config::new();
        // Not fuel: it costs interpreted languages a quarter of their speed, and wall-clock time is what hurts a run.
        config.epoch_interruption(true);
        config.cranelift_opt_level(OptLevel::Speed);
        let engine = Engine::new(&config)?;

        let weak = engine.weak();
        thread::Builder::new().name("wasm-ticker".to_owned()).spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                thread::sleep(TICK);
            }
        })?;

        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        All::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;

        let mut http_linker = linker.clone();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut http_linker)?;

        let cache = cache.map(|folder| Cache::new(folder, &engine));
        Ok(Self { engine, linker, http_linker, cache })
    }
}
