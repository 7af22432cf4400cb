//! The whole server as a stage for transcripts: in memory in a simulated world, and as the real binary.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod binary;
pub(crate) mod issuer;
pub(crate) mod memory;
pub(crate) mod network;
pub(crate) mod place;
pub(crate) mod telling;
