//! What `worker --worker-info` says about this machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::json;

use super::super::context::Context;

/// One line of JSON, which is YAML too.
pub(super) fn info(context: &Context) -> String {
    let mut errors = Vec::new();
    let memory = memory().unwrap_or_else(|why| {
        errors.push(why);
        None
    });
    let home = context.environment.home.as_deref().ok_or_else(|| io::Error::other("there is no home folder"));
    let uuid = home.and_then(|home| uuid(&home.join(".ansible_runner_uuid")));
    let uuid = uuid.map_err(|err| errors.push(format!("this machine has no lasting id: {err}"))).ok();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let info = json!({
        "cpu_count": cpus,
        "errors": errors,
        "mem_in_bytes": memory,
        "runner_version": env!("CARGO_PKG_VERSION"),
        "uuid": uuid,
    });
    format!("{info}\n")
}

fn memory() -> Result<Option<u64>, String> {
    let text = fs::read_to_string("/proc/meminfo").map_err(|err| format!("/proc/meminfo cannot be read: {err}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kibibytes.map(|number| number * 1024))
}

/// The id of this machine; ansible-runner's, where it has been.
fn uuid(path: &Path) -> io::Result<String> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let made = uuid::Uuid::new_v4().to_string();
            file.write_all(made.as_bytes())?;
            Ok(made)
        }
        Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(fs::read_to_string(path)?.trim().to_owned()),
        Err(err) => Err(err),
    }
}
