//! Which interfaces of the contract a component exports, and whether with the contract's types.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::types::{Component, ComponentFunc, ComponentInstance, ComponentItem};
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

use crate::bindings::exports::playwarden::plugin as hooks;
use crate::bindings::playwarden::plugin::types::{Event, Failure, Source, Totals, Verdict};
use crate::guest::Guest;

/// The versions of the contract that this host speaks.
const TRACK: &str = "0.1.";

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
    pub(crate) hooks: Hooks,
}

impl Indices {
    pub(crate) fn of(pre: &InstancePre<Guest>) -> Self {
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

    /// Whether an interface of the contract is there; none for what is not one.
    fn has(&self, interface: &str) -> Option<bool> {
        match interface {
            "config-check" => Some(self.config_check.is_some()),
            "lifecycle" => Some(self.lifecycle.is_some()),
            "event-handler" => Some(self.event_handler.is_some()),
            "status-handler" => Some(self.status_handler.is_some()),
            "cancel-policy" => Some(self.cancel_policy.is_some()),
            "start-policy" => Some(self.start_policy.is_some()),
            "tick-policy" => Some(self.tick_policy.is_some()),
            "finished-callback" => Some(self.finished_callback.is_some()),
            // Not of this version's contract: a plugin may offer more than this host asks for.
            _ => None,
        }
    }
}

/// An export with the name of one of the contract's interfaces that is something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The name, with package and version.
    pub export: String,
    /// What is not as the contract has it.
    pub why: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it exports `{}`, but not as the contract has it: {}", self.export, self.why)
    }
}

/// What an interface of the contract is held against.
struct Face<'a> {
    engine: &'a Engine,
    component: &'a Component,
    instance: ComponentInstance,
}

impl Face<'_> {
    /// Whether it has a function with the parameters and the result that will be asked for. This is the check of wasmtime's
    /// own that a typed call begins with, which would come only when the plugin is at work.
    fn has<Params, Return>(&self, name: &str) -> Result<(), String>
    where
        Params: ComponentNamedList + Lower,
        Return: ComponentNamedList + Lift,
    {
        let Some(export) = self.instance.get_export(self.engine, name) else {
            return Err(format!("there is no `{name}`"));
        };
        let ComponentItem::ComponentFunc(function) = export.ty else { return Err(format!("`{name}` is no function")) };
        let fits = ComponentFunc::typecheck::<Params, Return>(&function, &self.component.instance_type());
        fits.map_err(|err| format!("`{name}` has another type: {err:#}"))
    }

    fn fits(&self, interface: &str) -> Result<(), String> {
        match interface {
            "config-check" => {
                self.has::<(), (String,)>("schema")?;
                self.has::<(), (Vec<hooks::config_check::Problem>,)>("validate")
            }
            "lifecycle" => {
                self.has::<(&hooks::lifecycle::Run,), (Answer<()>,)>("start")?;
                self.has::<(), ()>("stop")
            }
            "event-handler" => self.has::<(&Source, &[Event]), (Answer<u64>,)>("on-events"),
            "status-handler" => self.has::<(&hooks::status_handler::Change,), (Answer<()>,)>("on-status"),
            "cancel-policy" => self.has::<(&Source, &[Event], Totals), (Answer<Verdict>,)>("evaluate"),
            "start-policy" => self.has::<(&Source, &hooks::start_policy::Start, Totals), (Answer<Verdict>,)>("admit"),
            "tick-policy" => self.has::<(&Source, u64, Totals), (Answer<Verdict>,)>("tick"),
            "finished-callback" => self.has::<(&hooks::finished_callback::Finish,), (Answer<()>,)>("on-finished"),
            _ => Ok(()),
        }
    }
}

type Answer<T> = Result<T, Failure>;

/// Names the exports that have the name of an interface of the contract and are not one. Of another track of versions, an
/// interface may be there beside this track's.
pub(crate) fn misfits(engine: &Engine, component: &Component, indices: &Indices) -> Vec<Misfit> {
    let misfit = |(name, item): (&str, ComponentItem)| {
        let interface = name.strip_prefix("playwarden:plugin/")?;
        let (interface, version) = interface.split_once('@').unwrap_or((interface, "missing"));
        let is_found = indices.has(interface)?;
        let fits = match item {
            _ if !version.starts_with(TRACK) && is_found => Ok(()),
            _ if !version.starts_with(TRACK) => Err(format!("its version is {version}, not {TRACK}x")),
            ComponentItem::ComponentInstance(instance) => Face { engine, component, instance }.fits(interface),
            _ => Err("it is no instance of an interface".to_owned()),
        };
        fits.err().map(|why| Misfit { export: name.to_owned(), why })
    };
    component.exports(engine).filter_map(|(name, export)| misfit((name, export.ty))).collect()
}
