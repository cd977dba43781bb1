//! Refuses reboots.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct NoReboot;

impl StartPolicy for NoReboot {
    fn admit(&mut self, _: &Source, start: &Start, _: &Totals) -> Result<Verdict, Failure> {
        let is_reboot = start.action == "ansible.builtin.reboot" && !start.check_mode;
        Ok(if is_reboot { Verdict::cancel(format!("{} must stay up", start.host)) } else { Verdict::Proceed })
    }
}

playwarden_sdk::export!(NoReboot: StartPolicy);
