//! When and how mail moves on: acceptance, delivery here, relay, later attempts, reports.
//!
//! ```text
//! ReceivedMessage --accept--> Commit --store--> 250        filed in the same commit where it can be
//!                               |
//!                          queue entries        one for each destination
//!                               |
//!                     schedule, runner          what is attempted when; leases
//!                               |
//!                            agents             mailboxes here; SMTP and LMTP by their routes
//!                               |
//!                 settle, report, reporter      one commit: filed, relayed, deferred, or reported
//! ```

pub mod accept;
pub mod agent;
pub mod badmail;
pub mod destinations;
pub mod diagnostic;
pub mod etrn;
pub mod handle;
pub mod limits;
mod masquerade;
pub mod properties;
pub mod queue_ids;
pub mod report;
pub mod reporter;
pub mod route;
pub mod runner;
pub mod schedule;
pub mod settle;
pub mod trace_header;

pub use accept::ReceivedMessage;
pub use agent::Agents;
pub use destinations::Destinations;
pub use etrn::Etrn;
pub use handle::Handle;
pub use properties::Properties;
pub use queue_ids::QueueIds;
pub use reporter::Reporter;
pub use runner::Runner;

/// The name under which this process leases destinations. One process uses a store today.
pub const NODE: &str = "main";
