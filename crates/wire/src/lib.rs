//! Protocol meets world: the one driver, TLS, the registry of live connections.

pub mod drive;
pub mod limits;
pub mod registry;
pub mod stream;
pub mod tls;

pub use drive::{Decision, Handler};
