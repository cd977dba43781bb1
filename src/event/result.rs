//! What one task, or one item of its loop, came to on one inventory host.

use serde::{Deserialize, Serialize};

use crate::json::{Json, lenient, lenient_or_default};

/// The fields of a `runner_*` event that are the same whatever module ran.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct HostResult {
    /// The inventory host. A delegated task still names the host it was meant for.
    pub host: String,
    /// Seconds from the start of the task on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    /// On `runner_on_failed`: the task ignores errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_errors: Option<bool>,
    /// On `runner_on_failed`: a `rescue` section takes over. Ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rescued: bool,
    /// On `runner_on_unreachable`: the task ignores that. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_unreachable: Option<bool>,
    /// The task is a handler. Ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub handler: bool,
    /// The task ran in check mode. Ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub check_mode: bool,
    /// The result is hidden. Ours.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub no_log: bool,
    /// Label of the loop item. Ours.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "lenient")]
    pub item_label: Option<String>,
    /// Number of the loop item on this host, from 1. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item_number: Option<u32>,
    /// The full size in bytes of a record that was cut. Ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<u64>,
    /// What the module returned, as far as it is read here.
    #[serde(deserialize_with = "lenient_or_default")]
    pub res: ModuleResult,
}

impl HostResult {
    /// Whether a failure was ignored, or the host being unreachable.
    #[must_use]
    pub fn ignored(&self) -> bool {
        self.ignore_errors.unwrap_or(false) || self.ignore_unreachable.unwrap_or(false)
    }

    /// Returns the module's `msg`, else the first line of its error, at most 1 KiB.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        let text = [&self.res.msg, &self.res.stderr, &self.res.module_stderr, &self.res.reason]
            .into_iter()
            .find_map(|text| text.as_deref().map(str::trim).filter(|text| !text.is_empty()))?;
        let line = if self.res.msg.as_deref().map(str::trim) == Some(text) { text } else { text.lines().next()? };
        Some(&line[..line.floor_char_boundary(MESSAGE_LIMIT)])
    }
}

/// The contract promises plugins at most so many bytes of message.
const MESSAGE_LIMIT: usize = 1024;

/// The keys of `res` that the host itself reads. A module may put any type anywhere: what has another type is absent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct ModuleResult {
    /// Something was changed.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The module's exit code; on Windows unsigned.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub rc: Option<i64>,
    /// The module's message.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub msg: Option<String>,
    /// Standard error of a command.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Standard error of a module that broke.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub module_stderr: Option<String>,
    /// Why the file of an include was not loaded.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often the task was tried, on `runner_retry` and with `until`. Ansible 2.21 says on `runner_retry` which attempt
    /// comes next.
    #[serde(deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u64>,
    /// Facts that the module gathered or set, unparsed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ansible_facts: Option<Json>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_may_put_any_type_anywhere() {
        let data = r#"{"host":"web1","res":{"rc":"three","msg":["no","text"],"stderr":"boom\nmore","changed":1}}"#;
        let result: HostResult = serde_json::from_str(data).unwrap();
        assert_eq!((result.res.rc, result.res.changed), (None, None));
        assert_eq!(result.message(), Some("boom"));
    }

    #[test]
    fn an_exit_code_of_windows_is_read() {
        let result: ModuleResult = serde_json::from_str(r#"{"rc":3221225786}"#).unwrap();
        assert_eq!(result.rc, Some(0xC000_013A));
    }

    #[test]
    fn a_message_is_cut_between_characters() {
        let res = ModuleResult { msg: Some("é".repeat(600)), ..ModuleResult::default() };
        let result = HostResult { res, ..HostResult::default() };
        assert_eq!(result.message().map(str::len), Some(1024));
        let odd = ModuleResult { msg: Some(format!("a{}", "é".repeat(600))), ..ModuleResult::default() };
        let result = HostResult { res: odd, ..HostResult::default() };
        assert_eq!(result.message().map(str::len), Some(1023));
    }
}
