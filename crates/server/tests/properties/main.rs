//! Every property of a virtual server, obeyed by the real program and seen from outside: with its default and with
//! another value, where the outcomes differ. `docs/properties.md` says which property is shown by which test.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may: it is outside of the program"
)]

#[path = "../abroad/mod.rs"]
mod abroad;
mod access;
mod accounts;
mod acme;
mod authentication;
mod certified;
mod delivery;
mod directories;
mod domains;
mod exchange;
mod foreign_clients;
mod general;
mod harness;
mod issuer;
mod messages;
mod object;
mod own;
mod peer;
mod revisions;
mod running;
mod setup;
mod submission;
mod testssl;
mod tls;
