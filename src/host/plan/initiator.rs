//! Who starts a run, and from where: asked of the machine, not of the person.

use std::fs;

use playwarden_event::kind::Initiator;

use super::Environment;

/// The kernel's word for a process that nobody logged in for.
const NOBODY: &str = "4294967295";

/// Returns who started this program, `user` being the name they go by.
pub(super) fn initiator(user: Option<String>, environment: &Environment) -> Initiator {
    let process = rustix::process::getppid().map(rustix::process::Pid::as_raw_pid);
    let parent = process.and_then(|parent| read(&format!("/proc/{parent}/comm")));
    let said = |name: &str| {
        environment.vars.get(name).and_then(|value| value.to_str()).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    Initiator {
        user,
        uid: rustix::process::getuid().as_raw(),
        login_uid: read("/proc/self/loginuid").filter(|uid| uid != NOBODY).and_then(|uid| uid.parse().ok()),
        sudo_user: said("SUDO_USER"),
        ssh_client: said("SSH_CONNECTION").and_then(|it| it.split(' ').next().map(str::to_owned)),
        host: read("/proc/sys/kernel/hostname").unwrap_or_default(),
        boot_id: read("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
        pid: std::process::id(),
        parent,
        cwd: environment.cwd.display().to_string(),
    }
}

fn read(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
