//! The process itself: whom it runs as, what it may reach, which sockets it was given, and whom it tells how it is.
//!
//! Rights are given up and the confinement is put on before the first thread starts: both belong to a thread, and threads
//! inherit them.

pub(crate) mod confine;
pub(crate) mod files;
pub(crate) mod notify;
pub(crate) mod room;
pub(crate) mod sockets;
pub(crate) mod user;
