//! The whole server as a stage for transcripts: in memory in a simulated world, and as the real binary.

pub(crate) mod binary;
pub(crate) mod memory;
pub(crate) mod place;
