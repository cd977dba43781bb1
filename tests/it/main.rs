//! The host's tests against real parts, in one program:
//!
//! - `rooms`: who may use whom
//! - `config`: runner.toml, good and bad, against golden files
//! - `plays`: real Ansible, what becomes of each thing that a play can do
//! - `gate`: nothing starts after the breaking event
//! - `guests`: one attack each, against the sandbox
//! - `hooks`: plugins that observe, and what they may reach
//! - `library`: the same from a Rust program
//! - `begin`: a runner.toml for a folder, and an Ansible for a machine that has none
//! - `reading`: what the commands tell of runs, live ones among them
//! - `refusals`: bad input, and what is said about it
//! - `reports`: what is made of runs that are over
//! - `runs`: files, ids, and reading runs back
//! - `soak`: many cancels, in the middle of everything
//! - `book`: the README and the book, whose commands are run
//!
//! They need what `cargo xtask setup` makes: Ansible in `.venv` and the guests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on should end where it stands")]

mod alive;
mod begin;
mod book;
mod config;
mod evidence;
mod figures;
mod gate;
mod golden;
mod guests;
mod hooks;
mod library;
mod plays;
mod reading;
mod refusals;
mod reports;
mod rooms;
mod runs;
mod soak;
mod support;
