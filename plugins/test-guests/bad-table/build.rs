//! Asks the linker for a memory that is too large from the start.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=--initial-memory={}", 200 * 1024 * 1024);
}
