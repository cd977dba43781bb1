//! The plugin's own outputs: files `artifacts/<run>/plugins/<plugin>/<name>`, and values for the jobs that follow.

pub use crate::bindings::playwarden::plugin::output::{append, append_line, publish};

use crate::{Failure, state};

/// Writes a file that is whole at once, such as a report. When the call that wrote it is made again, nothing is added.
///
/// # Errors
///
/// What the host refused, such as more than `limits.output`.
pub fn write_once(name: &str, text: &str) -> Result<(), Failure> {
    let key = format!("written/{name}");
    if state::get(&key).is_none() {
        append(name, text.as_bytes())?;
        state::set(&key, b"1")?;
    }
    Ok(())
}
