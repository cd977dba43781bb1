//! Other programs: started, waited for, and shown as a person would type them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::failure::Failure;

/// Runs a program that prints for itself. `aim` completes "cannot …".
///
/// Its standard input is empty: no chore waits for an answer.
pub(crate) fn run(command: &mut Command, aim: &str) -> Result<(), Failure> {
    let status = status(command, aim)?;
    if status.success() { Ok(()) } else { Err(failed(command, aim, status)) }
}

/// Runs a program that prints for itself and returns how it ended.
pub(crate) fn status(command: &mut Command, aim: &str) -> Result<ExitStatus, Failure> {
    command.stdin(Stdio::null()).status().map_err(|err| not_started(command, aim, &err))
}

/// Runs a program and returns what it printed on standard output; standard error stays the terminal's.
pub(crate) fn output(command: &mut Command, aim: &str) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|err| not_started(command, aim, &err))?;
    if !output.status.success() {
        return Err(failed(command, aim, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn not_started(command: &Command, aim: &str, err: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {aim}")).because(err).command(shown(command))
}

fn failed(command: &Command, aim: &str, status: ExitStatus) -> Failure {
    Failure::new(format!("cannot {aim}")).because(status).command(shown(command))
}

/// A command as it could be typed: folder, environment that was added, program, arguments.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = Vec::new();
    if let Some(folder) = command.get_current_dir() {
        words.extend(["cd".to_owned(), quoted(folder.as_os_str()), "&&".to_owned()]);
    }
    for (name, value) in command.get_envs() {
        words.extend(value.map(|value| format!("{}={}", name.display(), quoted(value))));
    }
    // Cargo is started by the path of its toolchain, which nobody types.
    let program = command.get_program();
    let is_cargo = Path::new(program).file_name().is_some_and(|name| name == "cargo");
    words.push(if is_cargo { "cargo".to_owned() } else { quoted(program) });
    words.extend(command.get_args().map(quoted));
    words.join(" ")
}

fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "-_=+./:,@%".contains(char);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_could_be_typed() {
        let mut command = Command::new("cargo");
        command.args(["doc", "--open", "it's here", ""]).current_dir("/a b").env("FLAGS", "-D warnings");
        assert_eq!(shown(&command), r"cd '/a b' && FLAGS='-D warnings' cargo doc --open 'it'\''s here' ''");
    }

    #[test]
    fn a_failure_names_the_command() {
        let failure = run(Command::new("sh").args(["-c", "exit 3"]), "do it").unwrap_err();
        assert_eq!(failure.to_string(), "error: cannot do it\ncaused by: exit status: 3\ncommand: sh -c 'exit 3'");
    }
}
