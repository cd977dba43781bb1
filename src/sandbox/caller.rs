//! Calls into a guest, each under its deadline, and what is made of the errors they end in.

use std::fmt::{self, Write as _};
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
fn place(err: &wasmtime::Error) -> String {
    let Some(backtrace) = err.downcast_ref::<WasmBacktrace>() else { return String::new() };
    let frames = backtrace.frames();
    let names = frames.iter().filter_map(FrameInfo::func_name);
    // An exported function says no more than the name of the call.
    let mut names: Vec<&str> = names.filter(|name| !name.is_empty() && !name.contains('#')).collect();
    // Who calls itself is named once.
    names.dedup();
    names.truncate(FRAMES);
    let names: Vec<String> = names.into_iter().map(readable).collect();
    if names.is_empty() { String::new() } else { format!(", in `{}`", names.join("` of `")) }
}

/// A function's name as its language has it. A guest chooses the name: what is made of it has a bound, and takes no time.
fn readable(name: &str) -> String {
    const LONGEST: usize = 100;
    let mangled = Some(name).filter(|name| name.len() <= 1000);
    if let Some(name) = mangled.and_then(|name| rustc_demangle::try_demangle(name).ok()) {
        return convert::bounded(LONGEST, |to| write!(to, "{name:#}"));
    }
    let shown = of_cpp(name);
    convert::bounded(LONGEST, |to| to.write_str(shown.as_deref().unwrap_or(name)))
}

/// The names in the front of a mangled name of C++, such as `guard::evaluate`. What follows, the types, is left alone: to
/// read that takes exponential time in the wrong hands.
fn of_cpp(name: &str) -> Option<String> {
    let rest = name.strip_prefix("_Z")?.trim_start_matches(['L', 'N', 'K']);
    let mut rest = rest.strip_prefix("12_GLOBAL__N_1").unwrap_or(rest);
    let mut names = Vec::new();
    while let digits @ 1..=3 = rest.bytes().take_while(u8::is_ascii_digit).count() {
        let length: usize = rest[..digits].parse().ok()?;
        names.push(rest.get(digits..digits + length)?);
        rest = &rest[digits + length..];
    }
    (!names.is_empty()).then(|| names.join("::"))
}

/// Says what an error of wasmtime's was, in our words where we know better.
fn broken(call: &'static str, limit: Duration, err: &wasmtime::Error, guest: &Guest) -> Fault {
    let trap = err.downcast_ref::<Trap>();
    let stderr = guest.notes.take_stderr();
    // Who has words of its own says more by them.
    let place = || if stderr.is_empty() { place(err) } else { String::new() };
    let (kind, text) = if trap == Some(&Trap::Interrupt) {
        (FaultKind::Timeout, too_long(limit) + &place())
    } else if let Some(trouble) = guest.notes.trouble() {
        (FaultKind::Host, trouble)
    } else if guest.memory.refused {
        (FaultKind::Memory, format!("needed more memory than its {}", bytes(guest.memory.limit())))
    } else if guest.notes.over_limit() {
        (FaultKind::Log, err.root_cause().to_string())
    } else if let Some(ResourceTableError::Full) = err.downcast_ref() {
        (FaultKind::Trap, format!("held more than {RESOURCES} files, streams and requests open"))
    } else if let Some(trap) = trap {
        (FaultKind::Trap, trapped(*trap) + &place())
    } else {
        // Not the whole chain: the engine's backtrace is in it, with names as the guest has them.
        let cause = convert::bounded(4096, |to| write!(to, "{}", err.root_cause()));
        (FaultKind::Trap, cause + &place())
    };
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
            ("_ZN12_GLOBAL__N_15guard4seenERK8pw_event", "guard::seen"),
            ("_ZN9999x", "_ZN9999x"),
            ("_Z9x", "_Z9x"),
            ("_ZTV3foo", "_ZTV3foo"),
            ("main.(*policy).Evaluate", "main.(*policy).Evaluate"),
        ];
        for (name, shown) in names {
            assert_eq!(readable(name), shown);
        }
        assert_eq!(readable(&"x".repeat(10_000)), "x".repeat(100) + "…");
        assert_eq!(readable("a\u{1b}[2Jb"), "a [2Jb");
    }

    #[test]
    fn a_name_that_takes_for_ever_to_be_read_takes_no_time() {
        // Each letter more doubles the time of a reader of all of it.
        let name = format!("_Z1gIDT{}L_1E", "dl".repeat(400));
        assert_eq!(readable(&name), "g");
    }
}
