//! Asks `http://127.0.0.1:9/` in `evaluate` and warns with how that went. Without an `http` grant the host must refuse
//! to load it and name `wasi:http/outgoing-handler` and the grant; with one for another address the call must be
//! refused.

use playwarden_sdk::prelude::*;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

#[derive(Default)]
struct ImportsHttp;

impl CancelPolicy for ImportsHttp {
    fn evaluate(&mut self, _: &Source, _: &[Event], _: &Totals) -> Result<Verdict, Failure> {
        let request = OutgoingRequest::new(Fields::new());
        let asked = request.set_scheme(Some(&Scheme::Http)).and_then(|()| request.set_authority(Some("127.0.0.1:9")));
        asked.map_err(|()| "the request is not well-formed")?;
        Ok(Verdict::warn(match outgoing_handler::handle(request, None) {
            Ok(_) => "the host sent the request".to_owned(),
            Err(error) => format!("the host did not send the request: {error:?}"),
        }))
    }
}

playwarden_sdk::export!(ImportsHttp: CancelPolicy);
