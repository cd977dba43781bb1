//! Writes 4 MiB to each of the log, standard error and standard output in every call, then lets the run go on. The host
//! must keep `limits.log` of it, say that there was more, and lose no time over the rest.

use std::io::{self, Write as _};

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct FloodsLog;

impl CancelPolicy for FloodsLog {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let line = format!("{}\n", "flood ".repeat(170));
        for _ in 0..4 * 1024 {
            info!("{line}");
            // A stream that the host has closed is no reason to stop.
            io::stderr().write_all(line.as_bytes()).ok();
            io::stdout().write_all(line.as_bytes()).ok();
        }
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(FloodsLog: CancelPolicy);
