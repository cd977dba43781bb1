//! Imports an interface that no host offers. The host must refuse to load it and name `elsewhere:things/door@1.0.0`.

use playwarden_sdk::prelude::*;

mod bindings {
    wit_bindgen::generate!({ inline: "
        package elsewhere:things@1.0.0;
        interface door { open: func() -> bool; }
        world visitor { import door; }
    " });
}

#[derive(Default)]
struct ImportsUnknown;

impl CancelPolicy for ImportsUnknown {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        Ok(if bindings::elsewhere::things::door::open() { Verdict::Proceed } else { Verdict::warn("the door is shut") })
    }
}

playwarden_sdk::export!(ImportsUnknown: CancelPolicy);
