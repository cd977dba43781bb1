//! Asks Ansible whether it takes a playbook, without running it.

use std::process::{Command, Stdio};

use crate::plan::{JobPlan, Work};

/// Returns what Ansible has against the plan's playbook; none when nothing, or when the plan is a module.
pub(crate) fn syntax_error(plan: &JobPlan) -> Option<String> {
    if matches!(plan.work, Work::Module { .. }) {
        return None;
    }
    let output = Command::new(&plan.ansible.executable)
        .arg("--syntax-check")
        .args(plan.arguments_without_prompts())
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
            let is_closed = plan.arguments() != plan.arguments_without_prompts() && text.contains("vault");
            (!is_closed).then(|| text.trim().to_owned())
        }
        Err(err) => Some(err.to_string()),
    }
}
