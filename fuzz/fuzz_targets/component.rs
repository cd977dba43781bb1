#![no_main]

use std::sync::LazyLock;

use playwarden_sandbox::Sandbox;

#[path = "../targets.rs"]
#[allow(dead_code, reason = "each target calls one of the functions")]
mod targets;

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(None).expect("the engine should start"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::component(bytes, &SANDBOX));
