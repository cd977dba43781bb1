//! Sleeps for an hour in `evaluate`, which is time spent in the host. The host must end the call at its deadline all
//! the same: no instruction of the guest runs meanwhile.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct SleepsInHost;

impl CancelPolicy for SleepsInHost {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        std::thread::sleep(std::time::Duration::from_secs(3600));
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(SleepsInHost: CancelPolicy);
