//! Everything about plugins that can be known before a run.

use std::borrow::Cow;
use std::fmt;

use playwarden_event::Json;
use playwarden_sandbox::{Code, Fault, Folder, Grants, Hooks, Limits, LoadError, Plugin, Sandbox, Severity, Survey};

use super::observers::Uses;
use crate::builtin;
use crate::config::Locked;
use crate::plan::{Approval, Component, JobPlan, PluginPlan};

/// Plugins that can be used.
#[derive(Debug)]
pub struct Prepared {
    /// In the order of the plan's plugins.
    pub(crate) plugins: Vec<Plugin>,
    /// What they have to say nevertheless.
    pub warnings: Vec<Trouble>,
}

/// Something about one plugin.
#[derive(Debug)]
pub struct Trouble {
    /// Its name in runner.toml.
    pub plugin: String,
    /// What it is.
    pub kind: TroubleKind,
}

/// What can be wrong with a plugin before a run.
#[derive(Debug)]
pub enum TroubleKind {
    /// It does not load.
    Load(LoadError),
    /// This program was built without its built-in plugins.
    NotBuiltIn,
    /// `runner.lock` does not name it.
    NotLocked,
    /// It is another than `runner.lock` has.
    Changed {
        /// What it can do that the one before could not.
        newly: Option<String>,
    },
    /// It does not offer the hook that it was chosen for.
    NoHook {
        /// The hook.
        hook: &'static str,
        /// The key of runner.toml that names it for this hook.
        key: &'static str,
        /// What it does offer.
        offered: Vec<&'static str>,
    },
    /// runner.toml gives a `tick`, but the plugin has no question for it.
    NoTick,
    /// The plugin has a question for each tick, but runner.toml gives none.
    Tickless,
    /// The plugin says something about its config.
    Config {
        /// How bad it is.
        severity: Severity,
        /// Where in the config.
        pointer: String,
        /// What it says.
        message: String,
    },
    /// The plugin broke while it was asked about its config.
    Fault(Fault),
}

impl TroubleKind {
    /// Whether the plugin does not load.
    #[must_use]
    pub fn is_load(&self) -> bool {
        matches!(self, Self::Load(_) | Self::NotBuiltIn | Self::NotLocked | Self::Changed { .. })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plugin `{}` ", self.plugin)?;
        match &self.kind {
            TroubleKind::Load(err) => {
                f.write_str("cannot be loaded")?;
                let mut source = std::error::Error::source(err);
                while let Some(cause) = source {
                    write!(f, ": {cause}")?;
                    source = cause.source();
                }
                Ok(())
            }
            TroubleKind::NotBuiltIn => f.write_str("is built in, but this program was built without its plugins"),
            TroubleKind::NotLocked => f.write_str("is not in `runner.lock`"),
            TroubleKind::Changed { newly } => {
                let newly = newly.as_ref().map(|newly| format!(", and {newly}")).unwrap_or_default();
                write!(f, "is another one than `runner.lock` has{newly}")
            }
            TroubleKind::NoHook { hook, .. } => write!(f, "does not offer the hook `{hook}`"),
            TroubleKind::NoTick => f.write_str("has nothing to ask every `tick`"),
            TroubleKind::Tickless => f.write_str("can judge by time, but is never asked"),
            TroubleKind::Config { message, .. } => write!(f, "says: {message}"),
            TroubleKind::Fault(fault) => fault.fmt(f),
        }
    }
}

impl Trouble {
    /// Whether the plugin cannot be used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        !matches!(self.kind, TroubleKind::Tickless | TroubleKind::Config { severity: Severity::Warning, .. })
    }
}

/// Loads the plugins of a plan, looks at what they offer, and asks them about their config.
///
/// # Errors
/// Returns everything that was found when a plugin cannot be used.
pub async fn prepare(plan: &JobPlan, sandbox: &Sandbox) -> Result<Prepared, Vec<Trouble>> {
    let mut plugins = Vec::new();
    let mut troubles = Vec::new();
    for wanted in &plan.plugins {
        let mut found = Vec::new();
        match load(wanted, sandbox).await {
            Ok((plugin, warnings)) => {
                found.extend(misfits(plan, wanted, &plugin));
                found.extend(warnings);
                plugins.push(plugin);
            }
            Err(troubles) => found = troubles,
        }
        troubles.extend(found.into_iter().map(|kind| Trouble { plugin: wanted.name.clone(), kind }));
    }
    if troubles.iter().any(Trouble::is_error) { Err(troubles) } else { Ok(Prepared { plugins, warnings: troubles }) }
}

/// Loads one plugin and asks it about its config; returns what it has to say nevertheless.
pub(crate) async fn load(
    wanted: &PluginPlan,
    sandbox: &Sandbox,
) -> Result<(Plugin, Vec<TroubleKind>), Vec<TroubleKind>> {
    let grants = grants(wanted);
    let code = code(&wanted.component).map_err(|kind| vec![kind])?;
    approved(wanted).map_err(|kind| vec![kind])?;
    let plugin = sandbox.load(&wanted.name, code, wanted.sha256.as_deref(), &grants).await;
    let plugin = plugin.map_err(|err| vec![TroubleKind::Load(err)])?;
    let problems = plugin.check(&Json::of(&wanted.config), limits(wanted), &grants).await;
    let problems = problems.map_err(|fault| vec![TroubleKind::Fault(fault)])?;
    let is_bad = problems.iter().any(|problem| problem.severity == Severity::Error);
    let said = problems.into_iter().map(|problem| TroubleKind::Config {
        severity: problem.severity,
        pointer: problem.pointer,
        message: problem.message,
    });
    let said = said.collect();
    if is_bad { Err(said) } else { Ok((plugin, said)) }
}

fn code(component: &Component) -> Result<Code<'_>, TroubleKind> {
    match component {
        Component::Path(path) => Ok(Code::File(path)),
        Component::Builtin(name) => Ok(Code::Bytes { bytes: builtin::get(name).ok_or(TroubleKind::NotBuiltIn)? }),
    }
}

/// Compiles a plugin into the cache, without asking it anything; returns its digest.
pub(crate) async fn compile(wanted: &PluginPlan, sandbox: &Sandbox) -> Result<String, TroubleKind> {
    let plugin = sandbox.inspect(&wanted.name, code(&wanted.component)?).await.map_err(TroubleKind::Load)?;
    Ok(plugin.identity().sha256.clone())
}

/// Reads a component.
pub(crate) fn component(component: &Component) -> Result<Cow<'_, [u8]>, String> {
    match component {
        Component::Path(path) => {
            Code::File(path).read().map_err(|err| format!("`{}` cannot be read: {err}", path.display()))
        }
        Component::Builtin(name) => {
            builtin::get(name).map(Cow::Borrowed).ok_or_else(|| "this program was built without its plugins".to_owned())
        }
    }
}

/// Holds a plugin against `runner.lock`. What cannot be read is left to loading it.
fn approved(wanted: &PluginPlan) -> Result<(), TroubleKind> {
    let was = match &wanted.approval {
        Approval::NotNeeded => return Ok(()),
        Approval::Missing => return Err(TroubleKind::NotLocked),
        Approval::Given(locked) => locked,
    };
    let Ok(bytes) = component(&wanted.component) else { return Ok(()) };
    let survey = Survey::of(&bytes);
    if survey.sha256.eq_ignore_ascii_case(&was.sha256) {
        return Ok(());
    }
    let exports = survey.offers().map(str::to_owned).collect();
    let Survey { sha256, version, imports, .. } = survey;
    let now = Locked { sha256, version, source: was.source.clone(), exports, imports };
    Err(TroubleKind::Changed { newly: newly(was, &now) })
}

/// Says what a plugin can do that the one before could not; none when that is nothing.
#[must_use]
pub(crate) fn newly(was: &Locked, now: &Locked) -> Option<String> {
    let more = |was: &[String], now: &[String]| -> Vec<String> {
        now.iter().filter(|name| !was.contains(name)).map(|name| format!("`{name}`")).collect()
    };
    let told = [("imports", more(&was.imports, &now.imports)), ("exports", more(&was.exports, &now.exports))];
    let told = told.into_iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<_> = told.map(|(word, names)| format!("newly {word} {}", names.join(", "))).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// What the plan wants of a plugin that it does not offer.
fn misfits(plan: &JobPlan, wanted: &PluginPlan, plugin: &Plugin) -> Vec<TroubleKind> {
    let mut found = Vec::new();
    for (hook, key, chosen, offered) in hooks(plan, &wanted.name, plugin.hooks()) {
        if chosen && !offered {
            found.push(TroubleKind::NoHook { hook, key, offered: plugin.hooks().names() });
        }
    }
    match (plugin.has_tick() && is_policy(plan, &wanted.name), wanted.tick.is_some()) {
        (true, false) => found.push(TroubleKind::Tickless),
        (false, true) => found.push(TroubleKind::NoTick),
        _ => {}
    }
    found
}

/// Each hook, its key in runner.toml, whether the plan chose the plugin for it, and whether the plugin offers it.
fn hooks(plan: &JobPlan, name: &str, offered: Hooks) -> [(&'static str, &'static str, bool, bool); 4] {
    let Uses { events, statuses, finish } = uses(plan, name);
    [
        ("cancel-policy", "cancel-policies", is_policy(plan, name), offered.cancel_policy),
        ("event-handler", "event-handlers", events, offered.event_handler),
        ("status-handler", "status-handlers", statuses, offered.status_handler),
        ("finished-callback", "finished-callbacks", finish, offered.finished_callback),
    ]
}

/// Whether the plan has the plugin as a cancel policy.
pub(super) fn is_policy(plan: &JobPlan, name: &str) -> bool {
    plan.cancel_policies.iter().any(|policy| policy == name)
}

/// What the plan has the plugin observe.
pub(super) fn uses(plan: &JobPlan, name: &str) -> Uses {
    let named = |list: &[String]| list.iter().any(|item| item == name);
    Uses {
        events: named(&plan.event_handlers),
        statuses: named(&plan.status_handlers),
        finish: named(&plan.finished_callbacks),
    }
}

/// The plan's limits in the sandbox's words.
pub(super) fn limits(plan: &PluginPlan) -> Limits {
    let limits = &plan.limits;
    Limits { memory: limits.memory, call: limits.call, finish: limits.finish, log: limits.log, output: limits.output }
}

/// The plan's grants in the sandbox's words.
pub(super) fn grants(plan: &PluginPlan) -> Grants {
    let grants = &plan.grants;
    let folder = |folder: &crate::plan::FolderGrant| Folder { name: folder.name.clone(), path: folder.path.clone() };
    Grants {
        read: grants.read.iter().map(folder).collect(),
        write: grants.write.iter().map(folder).collect(),
        http: grants.http.clone(),
        env: grants.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        secrets: grants.secrets.clone(),
    }
}
