//! Everything about plugins that can be known before a run.

use playwarden_event::Json;
use playwarden_sandbox::{Code, Fault, Grants, Limits, LoadError, Plugin, Sandbox, Severity};

use crate::plan::{Component, JobPlan, PluginPlan};

/// Plugins that can be used.
#[derive(Debug)]
pub struct Prepared {
    /// In the order in which they are asked.
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
    /// It does not offer the hook that it was chosen for.
    NoHook {
        /// The hook.
        hook: &'static str,
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
    for name in &plan.cancel_policies {
        let Some(wanted) = plan.plugins.iter().find(|plugin| plugin.name == *name) else { continue };
        let mut trouble = |kind| troubles.push(Trouble { plugin: name.clone(), kind });
        let Component::Path(path) = &wanted.component else { continue };
        let grants = Grants::default();
        let plugin = match sandbox.load(name, Code::File(path), wanted.sha256.as_deref(), &grants).await {
            Ok(plugin) => plugin,
            Err(err) => {
                trouble(TroubleKind::Load(err));
                continue;
            }
        };
        if !plugin.hooks().cancel_policy {
            trouble(TroubleKind::NoHook { hook: "cancel-policy", offered: plugin.hooks().names() });
        }
        match (plugin.has_tick(), wanted.tick.is_some()) {
            (true, false) => trouble(TroubleKind::Tickless),
            (false, true) => trouble(TroubleKind::NoTick),
            _ => {}
        }
        match plugin.check(&Json::of(&wanted.config), limits(wanted), &grants).await {
            Ok(problems) => problems.into_iter().for_each(|problem| {
                let (severity, pointer, message) = (problem.severity, problem.pointer, problem.message);
                trouble(TroubleKind::Config { severity, pointer, message });
            }),
            Err(fault) => trouble(TroubleKind::Fault(fault)),
        }
        plugins.push(plugin);
    }
    if troubles.iter().any(Trouble::is_error) { Err(troubles) } else { Ok(Prepared { plugins, warnings: troubles }) }
}

/// The plan's limits in the sandbox's words.
pub(super) fn limits(plan: &PluginPlan) -> Limits {
    let limits = &plan.limits;
    Limits { memory: limits.memory, call: limits.call, finish: limits.finish, log: limits.log, output: limits.output }
}
