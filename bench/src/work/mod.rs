//! The work that is measured. Servers take turns within every round, so that drift of the machine meets all alike.

pub mod mail;
pub mod reading;
pub mod sign_in;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Of mail, each with fresh servers.
    pub rounds: u32,
    /// Of commands on mailboxes that stay.
    pub reading_rounds: u32,
    /// Messages of a run with several connections, 4 KiB each.
    pub messages: u64,
    /// Whether rarer cases are measured, too: one connection, large messages, mdbox.
    pub all: bool,
}

impl Extent {
    /// A few minutes.
    pub const QUICK: Self = Self { rounds: 2, reading_rounds: 3, messages: 2_000, all: false };
    /// About half an hour.
    pub const FULL: Self = Self { rounds: 5, reading_rounds: 7, messages: 5_000, all: true };
}

/// Octets of a message, where nothing else is said.
const SIZE: usize = 4096;
