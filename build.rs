//! Puts the shipped plugins into the program, as far as they were built: `cargo xtask setup` builds them first.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

const NAMES: &[&str] = &[
    "audit-jsonl",
    "blast-radius",
    "cel",
    "change-window",
    "fail-budget",
    "forbidden",
    "junit",
    "rego",
    "signature",
    "slow-host",
    "summary",
    "webhook",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = env::var("CARGO_MANIFEST_DIR")?;
    let built = Path::new(&root).join("plugins/target/wasm32-wasip2/release");
    let out = env::var("OUT_DIR")?;
    let mut entries = String::new();
    for name in NAMES {
        let component = built.join(format!("{}.wasm", name.replace('-', "_")));
        // Also where it is missing: then this is asked again until it is there.
        println!("cargo::rerun-if-changed={}", component.display());
        if component.exists() {
            // A copy, so that building the plugins again cannot change what is being compiled.
            fs::copy(&component, Path::new(&out).join(format!("{name}.wasm")))?;
            entries =
                format!("{entries}    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\"))),\n");
        }
    }
    let code = format!("const BUILTINS: &[(&str, &[u8])] = &[\n{entries}];\n");
    fs::write(Path::new(&out).join("builtins.rs"), code)?;
    Ok(())
}
