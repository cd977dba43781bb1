//! From traits to a component: the [`export!`](crate::export) macro and what it stands on.
//!
//! **Invariant:** one plugin, one value. The host calls an instance from one thread and never while a call is running.

use std::any::Any;
use std::cell::RefCell;
use std::marker::PhantomData;

use crate::bindings::{
    cancel_policy, config_check, event_handler, finished_callback, lifecycle, start_policy, status_handler, tick_policy,
};
use crate::{
    CancelPolicy, Change, ConfigCheck, Event, EventHandler, Failure, Finish, FinishedCallback, Lifecycle, Plugin,
    Problem, Run, Source, Start, StartPolicy, StatusHandler, TickPolicy, Totals, Verdict,
};

/// Makes a component of a plugin, offering the hooks named and no others.
///
/// ```ignore
/// playwarden_sdk::export!(FailBudget: ConfigCheck + CancelPolicy);
/// ```
///
/// Each name is a trait that the type implements. Call it once in a crate of type `cdylib`.
#[macro_export]
macro_rules! export {
    ($plugin:ident: $hook:ident $(+ $more:ident)*) => {
        const _: () = {
            type Exported = $crate::Exported<$plugin>;
            /// The version of the plugin's crate, where the host finds it. `unsafe` because a section could be one that means
            /// something to the linker; this one is a custom section, which holds bytes that nobody executes.
            #[cfg(target_arch = "wasm32")]
            #[used]
            #[unsafe(link_section = "version")]
            static VERSION: [u8; env!("CARGO_PKG_VERSION").len()] = $crate::__version(env!("CARGO_PKG_VERSION"));
            $crate::__export_hook!($hook);
            $($crate::__export_hook!($more);)*
        };
    };
}

/// Returns a version's bytes.
///
/// # Panics
/// When it has another length, which the macro does not let happen.
#[doc(hidden)]
#[must_use]
pub const fn __version<const LENGTH: usize>(version: &str) -> [u8; LENGTH] {
    *version.as_bytes().first_chunk().expect("an array should be as long as what it is made of")
}

/// Calls the generated macro of one hook for the alias `Exported` of the caller.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    (ConfigCheck) => {
        $crate::bindings::config_check::export!(Exported with_types_in $crate::bindings::config_check);
    };
    (Lifecycle) => {
        $crate::bindings::lifecycle::export!(Exported with_types_in $crate::bindings::lifecycle);
    };
    (EventHandler) => {
        $crate::bindings::event_handler::export!(Exported with_types_in $crate::bindings::event_handler);
    };
    (StatusHandler) => {
        $crate::bindings::status_handler::export!(Exported with_types_in $crate::bindings::status_handler);
    };
    (CancelPolicy) => {
        $crate::bindings::cancel_policy::export!(Exported with_types_in $crate::bindings::cancel_policy);
    };
    (StartPolicy) => {
        $crate::bindings::start_policy::export!(Exported with_types_in $crate::bindings::start_policy);
    };
    (TickPolicy) => {
        $crate::bindings::tick_policy::export!(Exported with_types_in $crate::bindings::tick_policy);
    };
    (FinishedCallback) => {
        $crate::bindings::finished_callback::export!(Exported with_types_in $crate::bindings::finished_callback);
    };
    ($other:ident) => {
        compile_error!(concat!(
            "`", stringify!($other), "` is no hook: name ConfigCheck, Lifecycle, EventHandler, StatusHandler, \
             CancelPolicy, StartPolicy, TickPolicy or FinishedCallback"
        ));
    };
}

/// A plugin as the generated code wants it: functions without a value to call them on.
#[derive(Debug)]
pub struct Exported<P>(PhantomData<P>);

thread_local! {
    /// The plugin of this instance, made at the first call. Boxed without its type so that one place serves every `P`.
    static PLUGIN: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Calls the plugin, making it first if need be.
fn with<P: Plugin, R>(call: impl FnOnce(&mut P) -> Result<R, Failure>) -> Result<R, Failure> {
    PLUGIN.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Box::new(P::new()?));
        }
        let plugin = slot.as_mut().and_then(|plugin| plugin.downcast_mut::<P>());
        call(plugin.expect("a component exports one plugin"))
    })
}

impl<P: ConfigCheck> config_check::exports::playwarden::plugin::config_check::Guest for Exported<P> {
    fn schema() -> String {
        P::schema().to_owned()
    }
    fn validate() -> Vec<Problem> {
        P::validate()
    }
}

impl<P: Lifecycle> lifecycle::exports::playwarden::plugin::lifecycle::Guest for Exported<P> {
    fn start(run: Run) -> Result<(), Failure> {
        with(|plugin: &mut P| plugin.start(&run))
    }
    fn stop() {
        // A plugin that was never made has nothing to stop.
        if let Some(mut plugin) = PLUGIN.take().and_then(|plugin| plugin.downcast::<P>().ok()) {
            plugin.stop();
        }
    }
}

impl<P: EventHandler> event_handler::exports::playwarden::plugin::event_handler::Guest for Exported<P> {
    fn on_events(source: Source, events: Vec<Event>) -> Result<u64, Failure> {
        with(|plugin: &mut P| plugin.on_events(&source, &events))
    }
}

impl<P: StatusHandler> status_handler::exports::playwarden::plugin::status_handler::Guest for Exported<P> {
    fn on_status(change: Change) -> Result<(), Failure> {
        with(|plugin: &mut P| plugin.on_status(&change))
    }
}

impl<P: CancelPolicy> cancel_policy::exports::playwarden::plugin::cancel_policy::Guest for Exported<P> {
    fn evaluate(source: Source, events: Vec<Event>, totals: Totals) -> Result<Verdict, Failure> {
        with(|plugin: &mut P| plugin.evaluate(&source, &events, &totals))
    }
}

impl<P: StartPolicy> start_policy::exports::playwarden::plugin::start_policy::Guest for Exported<P> {
    fn admit(source: Source, start: Start, totals: Totals) -> Result<Verdict, Failure> {
        with(|plugin: &mut P| plugin.admit(&source, &start, &totals))
    }
}

impl<P: TickPolicy> tick_policy::exports::playwarden::plugin::tick_policy::Guest for Exported<P> {
    fn tick(source: Source, now_ns: u64, totals: Totals) -> Result<Verdict, Failure> {
        with(|plugin: &mut P| plugin.tick(&source, now_ns, &totals))
    }
}

impl<P: FinishedCallback> finished_callback::exports::playwarden::plugin::finished_callback::Guest for Exported<P> {
    fn on_finished(finish: Finish) -> Result<(), Failure> {
        with(|plugin: &mut P| plugin.on_finished(&finish))
    }
}
