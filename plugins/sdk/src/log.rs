//! Lines for the operator, kept with the run.
//!
//! Use the macros: `info!("{count} hosts left")`, or with fields `warn!("disk full"; host = name, percent = 93)`.
//! Nothing is formatted for a level that nobody keeps. Outside of WebAssembly, that is in unit tests, lines go to
//! standard error.

#[cfg(target_arch = "wasm32")]
use crate::bindings::playwarden::plugin::log as host;

pub use crate::bindings::playwarden::plugin::log::Level;

/// Returns whether a line of this level would be kept.
#[must_use]
pub fn enabled(level: Level) -> bool {
    #[cfg(target_arch = "wasm32")]
    return host::enabled(level);
    #[cfg(not(target_arch = "wasm32"))]
    return level >= Level::Info;
}

/// Writes a line with fields. The macros are shorter.
pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
    #[cfg(target_arch = "wasm32")]
    host::log(level, message, fields);
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::io::Write as _;
        // Standard error of a unit test: nothing to do when it is closed.
        writeln!(std::io::stderr(), "{level:?}: {message} {fields:?}").ok();
    }
}

/// Writes a line at a level: `log!(Level::Info, "text {x}"; field = value)`.
#[macro_export]
macro_rules! log {
    ($level:expr, $($part:expr),+ $(,)? $(; $($key:ident = $value:expr),+ $(,)?)?) => {{
        let level = $level;
        if $crate::log::enabled(level) {
            $crate::log::write(
                level,
                &::std::format!($($part),+),
                &[$($((::std::stringify!($key).to_owned(), ::std::string::ToString::to_string(&$value))),+)?],
            );
        }
    }};
}

/// Writes a line at level `trace`.
#[macro_export]
macro_rules! trace { ($($line:tt)+) => { $crate::log!($crate::log::Level::Trace, $($line)+) }; }

/// Writes a line at level `debug`.
#[macro_export]
macro_rules! debug { ($($line:tt)+) => { $crate::log!($crate::log::Level::Debug, $($line)+) }; }

/// Writes a line at level `info`.
#[macro_export]
macro_rules! info { ($($line:tt)+) => { $crate::log!($crate::log::Level::Info, $($line)+) }; }

/// Writes a line at level `warn`.
#[macro_export]
macro_rules! warn { ($($line:tt)+) => { $crate::log!($crate::log::Level::Warn, $($line)+) }; }

/// Writes a line at level `error`.
#[macro_export]
macro_rules! error { ($($line:tt)+) => { $crate::log!($crate::log::Level::Error, $($line)+) }; }
