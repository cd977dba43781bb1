//! The sandbox with real guests, in one program:
//!
//! - `hooks`: what event handlers, status handlers and finished callbacks are told, and how they may fail
//! - `restarts`: one plugin, several instances, one folder
//! - `reach`: folders, variables, secrets, sockets
//! - `http`: requests, against a server of our own
//!
//! They need the guests, which `cargo xtask setup` makes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should end where it stands")]

mod hooks;
mod http;
mod reach;
mod restarts;
mod server;
mod support;
