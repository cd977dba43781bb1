//! Declares a memory of 200 MiB to begin with (see build.rs). The host must refuse to load it, with the limit in the
//! text.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct BadTable;

impl CancelPolicy for BadTable {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(BadTable: CancelPolicy);
