//! The only door outside: clock, dice, sockets, names and workers. Each handle is an enum of real and simulated, cheap to clone.

pub mod clock;
pub mod dialer;
pub mod dice;
pub mod net;
pub mod resolver;
pub mod workers;

pub use clock::{Clock, Timer};
pub use dialer::Dialer;
pub use dice::Dice;
pub use resolver::Resolver;
pub use workers::Workers;

/// Everything the program may know of the world outside.
#[derive(Debug, Clone)]
pub struct World {
    /// What time it is.
    pub clock: Clock,
    /// Chance.
    pub dice: Dice,
    /// Threads.
    pub workers: Workers,
}

impl World {
    /// The machine's world, with at most this many slow pieces of work (password hashes) at a time.
    pub fn real(slow_max: usize) -> Self {
        Self { clock: Clock::Real, dice: Dice::Real, workers: Workers::threads(slow_max) }
    }

    /// A world that goes the same way each time. Call it inside a paused runtime of one thread.
    pub fn simulated(start: mail::Timestamp, seed: u64) -> Self {
        Self { clock: Clock::simulated(start), dice: Dice::seeded(seed), workers: Workers::Inline }
    }
}
