//! Appends to its output file without end, whatever the answer. The host must refuse beyond `limits.output`, end the
//! call at its deadline and name the plugin.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct FloodsOutput;

impl CancelPolicy for FloodsOutput {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let line = "flood ".repeat(10_000);
        loop {
            output::append_line("flood.txt", &line).ok();
        }
    }
}

playwarden_sdk::export!(FloodsOutput: CancelPolicy);
