//! From a file to a plugin that can be asked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use playwarden_event::{Json, PluginIdentity};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::caller::{Caller, unserved};
use crate::capture::Notes;
use crate::engine::Sandbox;
use crate::fault::Fault;
use crate::grants::Grants;
use crate::guest::Guest;
use crate::limits::Limits;
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

impl Code<'_> {
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

/// What a component offers, found by looking at its exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// It can check its config.
    pub config_check: bool,
    /// It wants to know when it starts and stops.
    pub lifecycle: bool,
    /// Hook `event-handler`.
    pub event_handler: bool,
    /// Hook `status-handler`.
    pub status_handler: bool,
    /// Hook `cancel-policy`, by any of its three questions.
    pub cancel_policy: bool,
    /// Hook `finished-callback`.
    pub finished_callback: bool,
}

impl Hooks {
    /// Returns the names of the hooks that are offered.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        [
            (self.event_handler, "event-handler"),
            (self.status_handler, "status-handler"),
            (self.cancel_policy, "cancel-policy"),
            (self.finished_callback, "finished-callback"),
        ]
        .into_iter()
        .filter_map(|(offered, name)| offered.then_some(name))
        .collect()
    }
}

/// Where the exports of a component are.
#[derive(Clone)]
pub(crate) struct Indices {
    pub(crate) config_check: Option<hooks::config_check::GuestIndices>,
    pub(crate) lifecycle: Option<hooks::lifecycle::GuestIndices>,
    pub(crate) event_handler: Option<hooks::event_handler::GuestIndices>,
    pub(crate) status_handler: Option<hooks::status_handler::GuestIndices>,
    pub(crate) cancel_policy: Option<hooks::cancel_policy::GuestIndices>,
    pub(crate) start_policy: Option<hooks::start_policy::GuestIndices>,
    pub(crate) tick_policy: Option<hooks::tick_policy::GuestIndices>,
    pub(crate) finished_callback: Option<hooks::finished_callback::GuestIndices>,
    hooks: Hooks,
}

impl Indices {
    fn of(pre: &InstancePre<Guest>) -> Self {
        let config_check = hooks::config_check::GuestIndices::new(pre).ok();
        let lifecycle = hooks::lifecycle::GuestIndices::new(pre).ok();
        let event_handler = hooks::event_handler::GuestIndices::new(pre).ok();
        let status_handler = hooks::status_handler::GuestIndices::new(pre).ok();
        let cancel_policy = hooks::cancel_policy::GuestIndices::new(pre).ok();
        let start_policy = hooks::start_policy::GuestIndices::new(pre).ok();
        let tick_policy = hooks::tick_policy::GuestIndices::new(pre).ok();
        let finished_callback = hooks::finished_callback::GuestIndices::new(pre).ok();
        let hooks = Hooks {
            config_check: config_check.is_some(),
            lifecycle: lifecycle.is_some(),
            event_handler: event_handler.is_some(),
            status_handler: status_handler.is_some(),
            cancel_policy: cancel_policy.is_some() || start_policy.is_some() || tick_policy.is_some(),
            finished_callback: finished_callback.is_some(),
        };
        Self {
            config_check,
            lifecycle,
            event_handler,
            status_handler,
            cancel_policy,
            start_policy,
            tick_policy,
            finished_callback,
            hooks,
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
    Read(#[source] std::io::Error),
    /// The file is something else.
    #[error("{}", if *core_module { "it is a core WebAssembly module, not a component" } else { "it is not a WebAssembly component" })]
    NotAComponent {
        /// It is WebAssembly, but a core module.
        core_module: bool,
    },
    /// The component is not valid.
    #[error("the component is not valid: {0}")]
    Compile(String),
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
    #[error("it exports {}, but not as the contract has it", list(.0))]
    Contract(Vec<String>),
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
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
        let bytes = match code {
            Code::File(path) => std::fs::read(path).map_err(LoadErrorKind::Read)?,
            Code::Bytes { bytes } => bytes.to_vec(),
        };
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
            None => self.compile(bytes, &found).await?,
        };
        let unknown = self.unknown_imports(&component, http);
        if !unknown.is_empty() {
            return Err(LoadErrorKind::Imports(unknown));
        }
        let linker = if http { &self.http_linker } else { &self.linker };
        let pre = linker.instantiate_pre(&component).map_err(|err| LoadErrorKind::Link(format!("{err:#}")))?;
        let indices = Indices::of(&pre);
        let misfits = misfits(&self.engine, &component, indices.hooks, &indices);
        if !misfits.is_empty() {
            return Err(LoadErrorKind::Contract(misfits));
        }
        let identity = PluginIdentity { name: name.to_owned(), version, sha256: found };
        Ok(Plugin { identity, pre, indices: Arc::new(indices) })
    }

    async fn compile(&self, bytes: Vec<u8>, sha256: &str) -> Result<Component, LoadErrorKind> {
        let engine = self.engine.clone();
        let compiled = tokio::task::spawn_blocking(move || Component::new(&engine, bytes)).await;
        let component = compiled
            .map_err(|err| LoadErrorKind::Compile(err.to_string()))?
            .map_err(|err| LoadErrorKind::Compile(err.root_cause().to_string()))?;
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

/// Names the interfaces of the contract that are exported but could not be found as such.
fn misfits(engine: &Engine, component: &Component, found: Hooks, indices: &Indices) -> Vec<String> {
    let fits = |interface: &str| match interface {
        "config-check" => found.config_check,
        "lifecycle" => found.lifecycle,
        "event-handler" => found.event_handler,
        "status-handler" => found.status_handler,
        "finished-callback" => found.finished_callback,
        "cancel-policy" => indices.cancel_policy.is_some(),
        "start-policy" => indices.start_policy.is_some(),
        "tick-policy" => indices.tick_policy.is_some(),
        // Not of this version's contract: a plugin may offer more than this host asks for.
        _ => true,
    };
    let ty = component.component_type();
    ty.exports(engine)
        .map(|(name, _)| name.to_owned())
        .filter(|name| {
            let interface = name.strip_prefix("playwarden:plugin/").and_then(|rest| rest.split('@').next());
            interface.is_some_and(|interface| !fits(interface))
        })
        .collect()
}

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
