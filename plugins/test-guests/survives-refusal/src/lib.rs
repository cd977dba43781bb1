//! Asks for a memory that it cannot get, goes on without, and panics in its second call. The host must show the panic,
//! and must not say that memory was short.

use playwarden_sdk::prelude::*;

#[derive(Default)]
struct SurvivesRefusal {
    was_refused: bool,
}

impl CancelPolicy for SurvivesRefusal {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        assert!(!self.was_refused, "this guest fails for another reason");
        self.was_refused = std::hint::black_box(Vec::<u8>::new()).try_reserve_exact(1 << 30).is_err();
        Ok(Verdict::Proceed)
    }
}

playwarden_sdk::export!(SurvivesRefusal: CancelPolicy);
