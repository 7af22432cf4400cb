//! Protocol meets world: the one driver, TLS, compression, the registry of live connections.

pub mod accept;
mod deflate;
pub mod drive;
pub mod limits;
mod output;
pub mod proxy_protocol;
pub mod rates;
pub mod registry;
pub mod stream;
pub mod tap;
pub mod tls;

pub use deflate::Deflated;
pub use drive::{Context, Decision, Handler, HoldBack, Tls, contained, drive};
pub use registry::{Entry, Registry};
pub use stream::Stream;
pub use tap::Tap;
pub use tls::{Towards, Trust, Verification};
