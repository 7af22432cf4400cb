//! The only door outside: clock, dice, sockets and workers. Each handle is an enum of real and simulated, cheap to clone.

pub mod clock;
pub mod dice;
pub mod net;
pub mod workers;

pub use clock::Clock;
pub use dice::Dice;
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
