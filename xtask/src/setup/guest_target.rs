//! The Rust target that guests are compiled for.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;
use crate::failure::Failure;
use crate::project::Project;
use crate::steps::Done;

const TARGET: &str = "wasm32-wasip2";

/// Adds the target to the toolchain if it is not there.
///
/// The compiler is asked, not rustup: a target may have come with a distribution's packages or been unpacked by hand.
pub(crate) fn add(project: &Project) -> Result<Done, Failure> {
    let mut ask = project.rustc();
    ask.args(["--print", "target-libdir", "--target", TARGET]);
    let folder = command::output(&mut ask, "find the Rust compiler's libraries")?;
    if has_std(Path::new(folder.trim())) {
        return Ok(Done::Already);
    }
    let aim = format!("add Rust's target `{TARGET}`");
    let rustup = Command::new("rustup").arg("--version").output();
    if !rustup.is_ok_and(|output| output.status.success()) {
        return Err(Failure::new(format!("cannot {aim}: there is no `rustup`")).hint(format!(
            "install rustup, or your distribution's package with Rust's standard library for {TARGET}"
        )));
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", TARGET]).current_dir(project.root());
    command::run(&mut add, &aim)?;
    Ok(Done::Now)
}

fn has_std(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}
