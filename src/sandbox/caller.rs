//! Calls into a guest, each under its deadline, and what is made of the errors they end in.

use std::fmt;
use std::time::Duration;

use wasmtime::component::{Instance as WasmInstance, ResourceTableError};
use wasmtime::{FrameInfo, Store, Trap, UpdateDeadline, WasmBacktrace};

use crate::bindings::playwarden::plugin::types as wit;
use crate::convert;
use crate::fault::{Fault, FaultKind};
use crate::guest::Guest;
use crate::limits::{Deadline, HOST_CALL_BYTES, Limits, RESOURCES, bytes};
use crate::load::Plugin;

/// Time that a call cut at its deadline gets to come back by itself before it is dropped where it stands.
const GRACE: Duration = Duration::from_millis(100);

/// So many functions of a guest are named where it broke.
const FRAMES: usize = 4;

/// A store and the instance in it: what every call goes through.
pub(crate) struct Caller {
    store: Store<Guest>,
    instance: WasmInstance,
    dead: bool,
}

impl Caller {
    pub(crate) async fn instantiate(plugin: &Plugin, guest: Guest, limits: Limits) -> Result<Self, Fault> {
        let mut store = Store::new(plugin.pre.engine(), guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.epoch_deadline_callback(|context| {
            let over = context.data().deadline.is_over();
            // Going on gives the runtime its thread back for a moment, at every tick.
            Ok(if over { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
        });
        let call = "instantiate";
        store.data_mut().deadline = Deadline::after(limits.call);
        // Before anything runs: the deadline of a fresh store is already over.
        store.set_epoch_deadline(1);
        let made = tokio::time::timeout(limits.call + GRACE, plugin.pre.instantiate_async(&mut store)).await;
        match made {
            Ok(Ok(instance)) => Ok(Self { store, instance, dead: false }),
            Ok(Err(err)) => Err(broken(call, limits.call, &err, store.data())),
            Err(_) => Err(timeout(call, limits.call, store.data())),
        }
    }

    /// Makes one call under its deadline. A call that comes to no answer is the last one: the guest is left in the middle
    /// of it, and what it held open (files, requests) is closed.
    pub(crate) async fn call<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(&mut Store<Guest>, &WasmInstance) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        if self.dead {
            return Err(Fault::new(name, FaultKind::Trap, trapped(Trap::CannotEnterComponent)));
        }
        let guest = self.store.data_mut();
        guest.memory.refused = false;
        guest.deadline = Deadline::after(limit);
        self.store.set_epoch_deadline(1);
        // The second clock is for time spent in the host's functions, where the first one does not tick.
        let fault = match tokio::time::timeout(limit + GRACE, call(&mut self.store, &self.instance)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(err)) => broken(name, limit, &err, self.store.data()),
            Err(_) => timeout(name, limit, self.store.data()),
        };
        self.dead = true;
        self.store.data_mut().close();
        Err(fault)
    }

    /// Makes one call whose answer may be a failure.
    pub(crate) async fn ask<T>(
        &mut self,
        name: &'static str,
        limit: Duration,
        call: impl AsyncFnOnce(&mut Store<Guest>, &WasmInstance) -> wasmtime::Result<Result<T, wit::Failure>>,
    ) -> Result<T, Fault> {
        self.call(name, limit, call).await?.map_err(|failure| {
            let message = self.guest().notes.hidden(failure.message);
            let text = format!("answered with a failure: {}", convert::cut(message, 4096));
            let retry_after = failure.retry_after_ms.map(Duration::from_millis);
            Fault { retry_after, ..self.failed(name, text) }
        })
    }

    /// Makes a fault of an answer that cannot be taken. The instance lives on.
    pub(crate) fn failed(&self, call: &'static str, text: String) -> Fault {
        Fault { stderr: self.guest().notes.take_stderr(), ..Fault::new(call, FaultKind::Failure, text) }
    }

    pub(crate) fn guest(&self) -> &Guest {
        self.store.data()
    }

    pub(crate) fn guest_mut(&mut self) -> &mut Guest {
        self.store.data_mut()
    }
}

/// Says what the host could not do for a call.
pub(crate) fn unserved(call: &'static str, why: impl fmt::Display) -> Fault {
    Fault::new(call, FaultKind::Host, format!("could not be served: {why}"))
}

fn timeout(call: &'static str, limit: Duration, guest: &Guest) -> Fault {
    Fault { stderr: guest.notes.take_stderr(), ..Fault::new(call, FaultKind::Timeout, too_long(limit)) }
}

fn too_long(limit: Duration) -> String {
    format!("took longer than {limit:?}")
}

/// Says in which functions of the guest it was, innermost first, as far as the component names its functions.
fn place(err: &wasmtime::Error) -> Option<String> {
    let frames = err.downcast_ref::<WasmBacktrace>()?.frames();
    let names = frames.iter().filter_map(FrameInfo::func_name);
    // An exported function says no more than the name of the call.
    let mut names: Vec<String> = names.filter(|name| !name.is_empty() && !name.contains('#')).map(readable).collect();
    // Who calls itself is named once.
    names.dedup();
    names.truncate(FRAMES);
    (!names.is_empty()).then(|| format!(", in `{}`", names.join("` of `")))
}

/// A function's name as its language has it.
fn readable(name: &str) -> String {
    if let Ok(name) = rustc_demangle::try_demangle(name) {
        return convert::cut(format!("{name:#}"), 100);
    }
    let options = cpp_demangle::DemangleOptions::new().no_params();
    // What is not mangled could be taken for the name of a type.
    let symbol = cpp_demangle::Symbol::new(name).ok().filter(|_| name.starts_with("_Z"));
    let demangled = symbol.and_then(|symbol| symbol.demangle_with_options(&options).ok());
    convert::cut(demangled.unwrap_or_else(|| name.to_owned()), 100)
}

/// Says what an error of wasmtime's was, in our words where we know better.
fn broken(call: &'static str, limit: Duration, err: &wasmtime::Error, guest: &Guest) -> Fault {
    let trap = err.downcast_ref::<Trap>();
    let (kind, mut text) = if trap == Some(&Trap::Interrupt) {
        (FaultKind::Timeout, too_long(limit))
    } else if let Some(trouble) = guest.notes.trouble() {
        (FaultKind::Host, trouble)
    } else if guest.memory.refused {
        (FaultKind::Memory, format!("needed more memory than its {}", bytes(guest.memory.limit())))
    } else if guest.notes.over_limit() {
        (FaultKind::Log, err.root_cause().to_string())
    } else if let Some(ResourceTableError::Full) = err.downcast_ref() {
        (FaultKind::Trap, format!("held more than {RESOURCES} files, streams and requests open"))
    } else if let Some(trap) = trap {
        (FaultKind::Trap, trapped(*trap))
    } else {
        (FaultKind::Trap, convert::cut(format!("{err:#}"), 4096))
    };
    let stderr = guest.notes.take_stderr();
    // Who has words of its own says more by them.
    if trap.is_some() && matches!(kind, FaultKind::Timeout | FaultKind::Trap) && stderr.is_empty() {
        text += &place(err).unwrap_or_default();
    }
    Fault { stderr, ..Fault::new(call, kind, text) }
}

fn trapped(trap: Trap) -> String {
    match trap {
        Trap::UnreachableCodeReached => {
            "gave up (an `unreachable` trap: a panic or an exception nobody caught)".to_owned()
        }
        Trap::StackOverflow => "used up its stack".to_owned(),
        Trap::CannotEnterComponent => "is dead after an earlier fault".to_owned(),
        other => format!("trapped: {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn names_of_functions_are_shown_as_their_language_has_them() {
        let names = [
            ("evaluate", "evaluate"),
            ("f", "f"),
            ("_ZN11reaches_out3Try7outcome17h2a246372ba105af9E", "reaches_out::Try::outcome"),
            ("_RNvCs1234_7mycrate3foo", "mycrate::foo"),
            ("_ZL8evaluatePK6source6events", "evaluate"),
            ("main.(*policy).Evaluate", "main.(*policy).Evaluate"),
        ];
        for (name, shown) in names {
            assert_eq!(readable(name), shown);
        }
        let cut = readable(&"x".repeat(10_000));
        assert!(cut.starts_with(&"x".repeat(100)) && cut.len() < 200, "{cut}");
    }
}
