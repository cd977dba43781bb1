//! From a file to a plugin that can be asked.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, thread};

use playwarden_event::{Json, PluginIdentity};
use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio::time::timeout;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::caller::{Caller, unserved};
use crate::capture::Notes;
use crate::census;
use crate::contract::{Hooks, Indices, Misfit, misfits};
use crate::engine::Sandbox;
use crate::fault::Fault;
use crate::grants::Grants;
use crate::guest::Guest;
use crate::limits::{self, Limits};
use crate::outputs::Outputs;
use crate::survey::Survey;

/// Where a component is.
#[derive(Clone, Copy)]
pub enum Code<'a> {
    /// In a file.
    File(&'a Path),
    /// Carried with the program: a built-in.
    Bytes {
        /// The component.
        bytes: &'a [u8],
    },
}

impl<'a> Code<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// When the file cannot be read, is no regular file, or has more than 256 MiB.
    pub fn read(self) -> io::Result<Cow<'a, [u8]>> {
        match self {
            Self::File(path) => read(path).map(Cow::Owned),
            Self::Bytes { bytes } => Ok(Cow::Borrowed(bytes)),
        }
    }

    fn path(self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.to_owned()),
            Self::Bytes { .. } => None,
        }
    }
}

impl fmt::Debug for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Bytes { bytes } => f.debug_struct("Bytes").field("length", &bytes.len()).finish(),
        }
    }
}

/// A compiled component that was looked at and found allowed. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    identity: PluginIdentity,
    pub(crate) pre: InstancePre<Guest>,
    pub(crate) indices: Arc<Indices>,
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// A component cannot be used as a plugin.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.what())]
pub struct LoadError {
    name: String,
    /// None for a built-in.
    path: Option<PathBuf>,
    #[source]
    kind: LoadErrorKind,
}

impl LoadError {
    fn what(&self) -> String {
        let name = &self.name;
        match &self.path {
            Some(path) => format!("plugin `{name}` cannot be loaded from `{}`", path.display()),
            None => format!("the built-in plugin `{name}` cannot be loaded"),
        }
    }

    /// Returns what stood in the way.
    #[must_use]
    pub fn kind(&self) -> &LoadErrorKind {
        &self.kind
    }

    /// Returns what can be done about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match &self.kind {
            LoadErrorKind::Imports(names) if names.iter().any(|name| name.starts_with("wasi:http/")) => {
                let import =
                    names.iter().find(|name| name.starts_with("wasi:http/")).map_or("wasi:http", String::as_str);
                let table = format!("[plugins.{}.grants]", self.name);
                format!("`{import}` is linked only for granted origins: add `http = [\"https://HOST\"]` to `{table}`")
            }
            LoadErrorKind::Digest { .. } if self.path.is_none() => {
                "another version of Playwarden carries another version of it: correct or remove `sha256`".to_owned()
            }
            _ if self.path.is_none() => "the program is damaged: build or install it again".to_owned(),
            LoadErrorKind::Read(_) => "build the component, or correct `path`".to_owned(),
            LoadErrorKind::NotAComponent { core_module: true } => {
                "build it for `wasm32-wasip2`, or make it a component with `wasm-tools component new`".to_owned()
            }
            LoadErrorKind::NotAComponent { core_module: false } => {
                "`path` must name a WebAssembly component, such as `cargo build --target wasm32-wasip2` makes"
                    .to_owned()
            }
            LoadErrorKind::Unfolds(_) => "no tool for components makes such a one: build it again, and do not trust it".to_owned(),
            LoadErrorKind::Slow(_) => {
                "where the machine was only busy, try again: `playwarden plugin compile` does nothing else; else build it of \
                 smaller functions"
                    .to_owned()
            }
            LoadErrorKind::Compile(_) => "the file may be damaged: build it again".to_owned(),
            LoadErrorKind::Digest { .. } => {
                "the file is not the one that was approved: restore it, or correct `sha256`".to_owned()
            }
            LoadErrorKind::Imports(names) if names.iter().any(|name| name.starts_with("playwarden:")) => {
                "the component was made for another version of the contract: build it with this version's `wit`"
                    .to_owned()
            }
            LoadErrorKind::Imports(_) => {
                "no grant of runner.toml can allow this: the host does not offer it".to_owned()
            }
            LoadErrorKind::Link(_) | LoadErrorKind::Contract(_) => {
                "the component was made for another version of the contract: build it with this version's `wit`"
                    .to_owned()
            }
        }
    }
}

/// What stood in the way of loading a plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadErrorKind {
    /// The file could not be read.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// The file is something else.
    #[error("{}", if *core_module { "it is a core WebAssembly module, not a component" } else { "it is not a WebAssembly component" })]
    NotAComponent {
        /// It is WebAssembly, but a core module.
        core_module: bool,
    },
    /// The component is not valid.
    #[error("the component is not valid: {0}")]
    Compile(String),
    /// The compiler would need more for it than any machine has.
    #[error("{0}")]
    Unfolds(String),
    /// Compiling it took too long.
    #[error("compiling it took longer than {0:?}")]
    Slow(Duration),
    /// The file has another digest than runner.toml states.
    #[error("its sha256 is `{found}`, but `{expected}` is expected")]
    Digest {
        /// What runner.toml says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The component imports what was not granted.
    #[error("it imports {}, which {} not granted", list(.0), if .0.len() == 1 { "was" } else { "were" })]
    Imports(Vec<String>),
    /// The imports have the right names and the wrong types.
    #[error("its imports do not fit: {0}")]
    Link(String),
    /// It exports an interface of the contract with other types.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Contract(Vec<Misfit>),
}

/// How long compiling may take. What tools make takes seconds, on a slow machine a minute.
const PATIENCE: Duration = Duration::from_secs(300);

/// So many bytes a component may have. The largest that tools make is a tenth of it.
const LARGEST: u64 = 256 << 20;

/// Reads a component's file, and nothing that has no end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe would wait for somebody who writes.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {}", limits::bytes(LARGEST))));
    }
    Ok(bytes)
}

/// So many names a message has.
const NAMES: usize = 12;

fn list(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMES);
    let names: Vec<_> = names.iter().take(NAMES).map(|name| format!("`{name}`")).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    names.join(", ") + &more
}

/// What a plugin says of its config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where in the config, as an RFC 6901 pointer.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The plugin can work.
    Warning,
    /// It cannot.
    Error,
}

impl Sandbox {
    /// Loads a component and looks at it: its imports are held against `grants`, nothing is opened yet. `name` is the
    /// plugin's in runner.toml; `sha256`, in hex, is what the component must have, where that is known.
    ///
    /// Compiling takes long for some languages; it runs on a thread of its own, and its result is kept in the cache.
    ///
    /// # Errors
    /// See [`LoadErrorKind`].
    pub async fn load(
        &self,
        name: &str,
        code: Code<'_>,
        sha256: Option<&str>,
        grants: &Grants,
    ) -> Result<Plugin, LoadError> {
        let loaded = self.load_kind(name, code, sha256, !grants.http.is_empty()).await;
        loaded.map_err(|kind| LoadError { name: name.to_owned(), path: code.path(), kind })
    }

    /// Loads a component to look at it: whatever can be granted is there, and nothing can be reached.
    ///
    /// # Errors
    /// See [`LoadErrorKind`].
    pub async fn inspect(&self, name: &str, code: Code<'_>) -> Result<Plugin, LoadError> {
        let loaded = self.load_kind(name, code, None, true).await;
        loaded.map_err(|kind| LoadError { name: name.to_owned(), path: code.path(), kind })
    }

    async fn load_kind(
        &self,
        name: &str,
        code: Code<'_>,
        expected: Option<&str>,
        http: bool,
    ) -> Result<Plugin, LoadErrorKind> {
        let bytes = code.read().map_err(LoadErrorKind::Read)?;
        let found = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        if let Some(expected) = expected
            && !expected.eq_ignore_ascii_case(&found)
        {
            return Err(LoadErrorKind::Digest { expected: expected.to_owned(), found });
        }
        // The magic number, then the version and layer: 1 and 0 is a core module, 13 and 1 a component.
        match bytes.get(..8) {
            Some(b"\0asm\x0d\0\x01\0") => {}
            Some(b"\0asm\x01\0\0\0") => return Err(LoadErrorKind::NotAComponent { core_module: true }),
            _ => return Err(LoadErrorKind::NotAComponent { core_module: false }),
        }

        let version = Survey::of(&bytes).version;
        let component = match self.cache.as_ref().and_then(|cache| cache.get(&self.engine, &found)) {
            Some(component) => component,
            None => self.compile(bytes.into_owned(), &found, PATIENCE).await?,
        };
        let unknown = self.unknown_imports(&component, http);
        if !unknown.is_empty() {
            return Err(LoadErrorKind::Imports(unknown));
        }
        let linker = if http { &self.http_linker } else { &self.linker };
        let pre = linker.instantiate_pre(&component).map_err(|err| LoadErrorKind::Link(format!("{err:#}")))?;
        let indices = Indices::of(&pre);
        let misfits = misfits(&self.engine, &component.component_type(), &indices);
        if !misfits.is_empty() {
            return Err(LoadErrorKind::Contract(misfits));
        }
        let identity = PluginIdentity { name: name.to_owned(), version, sha256: found };
        Ok(Plugin { identity, pre, indices: Arc::new(indices) })
    }

    async fn compile(&self, bytes: Vec<u8>, sha256: &str, patience: Duration) -> Result<Component, LoadErrorKind> {
        if let Some(why) = census::refused(&bytes) {
            return Err(LoadErrorKind::Unfolds(why));
        }
        let engine = self.engine.clone();
        let (done, compiled) = oneshot::channel();
        // Not a thread that the runtime would wait for: a compiler cannot be told to end.
        let compiler = thread::Builder::new().name("wasm-compiler".to_owned()).spawn(move || {
            // Nobody may wait for it any more.
            drop(done.send(Component::new(&engine, bytes)));
        });
        compiler.map_err(|err| LoadErrorKind::Compile(err.to_string()))?;
        let component = made_within(patience, compiled).await?;
        if let Some(cache) = &self.cache {
            // A cache that cannot be written costs time at the next run and nothing else.
            drop(cache.put(&component, sha256));
        }
        Ok(component)
    }

    /// Names the imports that nothing is linked for. Versions are compared as the linker does: by compatible track.
    fn unknown_imports(&self, component: &Component, http: bool) -> Vec<String> {
        let ty = component.component_type();
        let offered = |name: &str| {
            let package = name.split_once('/').map_or(name, |(package, _)| package);
            let interface = name.split_once('/').map_or("", |(_, rest)| rest.split('@').next().unwrap_or(""));
            match package {
                "playwarden:plugin" => OUR_IMPORTS.contains(&interface),
                "wasi:cli" | "wasi:clocks" | "wasi:filesystem" | "wasi:io" | "wasi:random" | "wasi:sockets" => true,
                "wasi:http" => http && matches!(interface, "types" | "outgoing-handler"),
                _ => false,
            }
        };
        ty.imports(&self.engine).map(|(name, _)| name.to_owned()).filter(|name| !offered(name)).collect()
    }
}

const OUR_IMPORTS: &[&str] = &["types", "log", "config", "journal", "state", "output"];

impl Plugin {
    /// Returns its name in runner.toml and its digest.
    #[must_use]
    pub fn identity(&self) -> &PluginIdentity {
        &self.identity
    }

    /// Returns what it offers.
    #[must_use]
    pub fn hooks(&self) -> Hooks {
        self.indices.hooks
    }

    /// Whether it is asked about events.
    #[must_use]
    pub fn judges_events(&self) -> bool {
        self.indices.cancel_policy.is_some()
    }

    /// Whether it is asked before a task starts on a host.
    #[must_use]
    pub fn judges_starts(&self) -> bool {
        self.indices.start_policy.is_some()
    }

    /// Whether it is asked every `tick`.
    #[must_use]
    pub fn has_tick(&self) -> bool {
        self.indices.tick_policy.is_some()
    }

    /// Asks the plugin for the JSON Schema of its config; empty for none.
    ///
    /// # Errors
    /// When the instance cannot be made or the call does not come to an answer.
    pub async fn schema(&self, limits: Limits) -> Result<String, Fault> {
        let Some(indices) = &self.indices.config_check else { return Ok(String::new()) };
        let mut caller = self.asked(&Json::default(), limits, Grants::default()).await?;
        let call = caller.call("config-check.schema", limits.call, async |store, instance| {
            indices.load(&mut *store, instance)?.call_schema(store).await
        });
        call.await
    }

    /// Makes an instance that belongs to no run.
    async fn asked(&self, config: &Json, limits: Limits, grants: Grants) -> Result<Caller, Fault> {
        let call = "instantiate";
        let notes = Notes::open(None, limits.log).map_err(|err| unserved(call, err))?;
        let guest = Guest::new(config.clone(), &limits, notes, Outputs::nowhere(), grants, None);
        Caller::instantiate(self, guest.map_err(|why| unserved(call, why))?, limits).await
    }

    /// Asks the plugin about a config, in an instance of its own. A plugin that does not check its config has nothing
    /// to say. It gets its secrets and variables, but no folder, and its HTTP requests are refused.
    ///
    /// # Errors
    /// When the instance cannot be made or the call does not come to an answer.
    pub async fn check(&self, config: &Json, limits: Limits, grants: &Grants) -> Result<Vec<Problem>, Fault> {
        let Some(indices) = &self.indices.config_check else { return Ok(Vec::new()) };
        let mut caller = self.asked(config, limits, grants.for_check()).await?;
        let problems = caller
            .call("config-check.validate", limits.call, async |store, instance| {
                indices.load(&mut *store, instance)?.call_validate(store).await
            })
            .await?;
        let severity = |severity| match severity {
            hooks::config_check::Severity::Warning => Severity::Warning,
            hooks::config_check::Severity::Error => Severity::Error,
        };
        let problem = |problem: hooks::config_check::Problem| Problem {
            severity: severity(problem.severity),
            pointer: problem.pointer,
            message: caller.guest().notes.hidden(problem.message),
        };
        Ok(problems.into_iter().map(problem).collect())
    }
}

/// Waits for the compiler, and not for ever.
async fn made_within(
    patience: Duration,
    compiled: oneshot::Receiver<wasmtime::Result<Component>>,
) -> Result<Component, LoadErrorKind> {
    let compiled = timeout(patience, compiled).await.map_err(|_| LoadErrorKind::Slow(patience))?;
    compiled
        .map_err(|_| LoadErrorKind::Compile("the compiler panicked".to_owned()))?
        .map_err(|err| LoadErrorKind::Compile(err.root_cause().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_does_not_come_to_an_end_is_not_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (at_work, compiled) = oneshot::channel();
        let Err(err) = runtime.block_on(made_within(Duration::from_millis(1), compiled)) else {
            panic!("nothing was made")
        };
        assert_eq!(err.to_string(), "compiling it took longer than 1ms");
        drop(at_work);
        let (panicked, compiled) = oneshot::channel();
        drop(panicked);
        let Err(err) = runtime.block_on(made_within(Duration::from_secs(60), compiled)) else {
            panic!("nothing was made")
        };
        assert!(err.to_string().contains("the compiler panicked"), "{err}");
    }

    #[test]
    fn what_has_no_end_or_waits_for_a_writer_is_not_read() {
        for path in ["/dev/zero", "/"] {
            assert_eq!(read(Path::new(path)).unwrap_err().to_string(), "it is not a file");
        }
        let folder = tempfile::tempdir().unwrap();
        let large = folder.path().join("large");
        File::create(&large).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(read(&large).unwrap_err().to_string(), "it is larger than 256 MiB");
    }
}
