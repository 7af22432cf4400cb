//! Clients that hold a mailbox by what they are told of it, and the server that tells them.

pub(crate) mod belief;
pub(crate) mod office;
