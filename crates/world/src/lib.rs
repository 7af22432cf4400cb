//! The only door outside: clock, dice, sockets, names, HTTP and workers. Each handle is an enum of real and simulated, cheap to clone.

pub mod clock;
pub mod dialer;
pub mod dice;
pub mod fetch;
pub mod interfaces;
pub mod net;
pub mod reach;
pub mod resolver;
pub mod workers;

use dialer::Harbour;
use fetch::{Client, Web};
use resolver::{Name, Simulated, Weather, Zone};

pub use clock::{Clock, Timer};
pub use dialer::Dialer;
pub use dice::Dice;
pub use fetch::Fetch;
pub use net::Sockets;
pub use resolver::Resolver;
pub use workers::Workers;

/// Everything the program may know of the world outside.
#[derive(Debug, Clone)]
pub struct World {
    /// What time it is.
    pub clock: Clock,
    /// Chance.
    pub dice: Dice,
    /// Names.
    pub resolver: Resolver,
    /// Connections that we make.
    pub dialer: Dialer,
    /// What we fetch by HTTP.
    pub fetch: Fetch,
    /// Threads.
    pub workers: Workers,
    /// Where connections come in.
    pub sockets: Sockets,
}

impl World {
    /// The machine's world, with at most this many slow pieces of work (password hashes) at a time.
    pub fn real(slow_max: usize, resolver: Resolver) -> Self {
        let (clock, dialer, workers) = (Clock::Real, Dialer::Real, Workers::threads(slow_max));
        let fetch = Fetch::Real(Client::new(clock.clone(), resolver.clone(), dialer.clone()));
        let sockets = Sockets::default();
        Self { clock, dice: Dice::Real, resolver, dialer, fetch, workers, sockets }
    }

    /// A world that goes the same way each time. Nobody listens in it and every lookup is trouble, until its resolver and
    /// its dialer are replaced. Call it inside a paused runtime of one thread.
    pub fn simulated(start: mail::Timestamp, seed: u64) -> Self {
        Self::without_network(Clock::simulated(start), Dice::seeded(seed), Workers::Inline)
    }

    /// A world in which nobody can be reached: connections are refused, and every lookup is trouble that may pass, so that
    /// no mail fails for good.
    pub fn without_network(clock: Clock, dice: Dice, workers: Workers) -> Self {
        let names = Simulated::new(clock.clone(), Zone::new());
        names.set_weather(&Name::root(), Weather::ServFail);
        let (resolver, dialer) = (Resolver::Simulated(names), Dialer::Simulated(Harbour::new()));
        let (fetch, sockets) = (Fetch::Simulated(Web::new()), Sockets::default());
        Self { clock, dice, resolver, dialer, fetch, workers, sockets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_network_everything_is_trouble_that_may_pass() {
        let world = World::simulated(mail::Timestamp(0), 1);
        let name = Name::parse("example.org").unwrap();
        let failed = resolver::LookupError::Temporary(resolver::Trouble::ServerFailed);
        assert_eq!(world.resolver.mx(&name).await.unwrap_err(), failed);
        let to = "192.0.2.1:25".parse().unwrap();
        let call = dialer::Call { to, from: None, timeout: std::time::Duration::from_secs(1) };
        let refused = world.dialer.connect(&world.clock, &call).await;
        assert!(matches!(refused, Err(dialer::DialError::Refused)), "{refused:?}");
    }
}
