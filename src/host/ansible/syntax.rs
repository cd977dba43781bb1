//! Asks Ansible whether it takes a playbook, without running it.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::plan::{Handed, JobPlan, Work};

/// Returns what Ansible has against the plan's playbook; none when nothing, or when there is no playbook.
pub(crate) fn syntax_error(plan: &JobPlan) -> Option<String> {
    // What is handed over is only there while a run lasts, and so is a container.
    let is_here = plan.ansible.container.is_none();
    if !is_here || !matches!(plan.work, Work::Playbook { .. }) || plan.handed != Handed::default() {
        return None;
    }
    let handed = Path::new("");
    let output = Command::new(&plan.ansible.executable)
        .arg("--syntax-check")
        .args(plan.arguments_without_prompts(handed))
        .envs(&plan.env)
        .env("ANSIBLE_NOCOLOR", "1")
        .current_dir(&plan.root)
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            // What is encrypted with a password that is only typed into a run cannot be looked at before.
            let is_closed = plan.arguments(handed) != plan.arguments_without_prompts(handed) && text.contains("vault");
            (!is_closed).then(|| text.trim().to_owned())
        }
        Err(err) => Some(err.to_string()),
    }
}
