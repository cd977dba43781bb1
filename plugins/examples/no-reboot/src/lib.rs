//! Refuses reboots.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct NoReboot;

impl StartPolicy for NoReboot {
    fn admit(&mut self, _: &Source, start: &Start, _: &Totals) -> Result<Verdict, Failure> {
        // An action that is a template could turn out to be anything.
        let may_reboot = start.action == "ansible.builtin.reboot" || start.action_is_unknown();
        let refused = may_reboot && !start.check_mode;
        Ok(if refused { Verdict::cancel(format!("{} must stay up", start.host)) } else { Verdict::Proceed })
    }
}

playwarden_sdk::export!(NoReboot: StartPolicy);
