//! What becomes of a client before its session: whether it may come in, how many of its kind may, what it is told if not,
//! and what the DNS calls it.
//!
//! ```text
//! PROXY header --> ban --> limits --> connection control --> greeting delay --> session
//!   (wire)          '--- welcome ---'   '---- admitted ---'      (wire)
//!                                          name ----------------------------> beside the session, for MAIL
//! ```

pub(crate) mod name;

use std::convert::Infallible;
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};
use mail::{Domain, Reply};
use protocol::turned_away::{Farewell, TurnedAway};
use settings::{ConnectionControl, ConnectionLimits, Protocol, Tls};
use wire::rates::Rate;
use wire::registry::{Limits, Refused};
use wire::{Decision, Handler, HoldBack};
use world::World;

/// Why a client is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// Too many failures to sign in came from its network.
    Banned,
    /// A limit.
    Limit(Refused),
    /// The virtual server is paused.
    Paused,
    /// Connection control does not let it in.
    NotAdmitted,
    /// Connection control asks for its name, which cannot be found out now.
    NameUnknown,
    /// It talked before it was greeted.
    EarlyTalker,
}

impl Why {
    /// What it is told instead of a greeting; nothing where it would not be understood, before a handshake.
    pub(crate) fn words(self, protocol: Protocol, tls: Tls) -> Bytes {
        if tls == Tls::Implicit { Bytes::new() } else { self.greeting(protocol) }
    }

    /// The same inside of TLS, too.
    pub(crate) fn greeting(self, protocol: Protocol) -> Bytes {
        let reply = self.reply();
        let (passes, text) = (reply.code == 421, &reply.text);
        match protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                let mut line = BytesMut::new();
                reply.render(&mut line);
                line.freeze()
            }
            // RFC 3206 §4, §5.
            Protocol::Pop3 if passes => format!("-ERR [SYS/TEMP] {text}\r\n").into(),
            Protocol::Pop3 => format!("-ERR [SYS/PERM] {text}\r\n").into(),
            // RFC 5530 §3.
            Protocol::Imap if passes => format!("* BYE [UNAVAILABLE] {text}\r\n").into(),
            Protocol::Imap => format!("* BYE [NOPERM] {text}\r\n").into(),
        }
    }

    /// The same in the middle of an SMTP session. RFC 5321 §3.1: 554 where it will not be better later; §3.8: 421 where it
    /// may.
    pub(crate) fn reply(self) -> Reply {
        let (code, status, text) = match self {
            Self::Banned => (421, (4, 7, 0), "too many failures to sign in, try again later"),
            Self::Limit(Refused::Total) => (421, (4, 3, 2), "too many connections, try again later"),
            Self::Limit(Refused::Source | Refused::Network) => {
                (421, (4, 7, 0), "too many connections from your network, try again later")
            }
            Self::Limit(Refused::Rate) => (421, (4, 7, 0), "too many new connections, try again later"),
            Self::Paused => (421, (4, 3, 2), "no new connections are taken now, try again later"),
            Self::NotAdmitted => (554, (5, 7, 1), "connections from your network are not taken here"),
            Self::NameUnknown => (421, (4, 4, 3), "your name cannot be looked up now, try again later"),
            Self::EarlyTalker => (554, (5, 5, 1), "you talked before you were greeted"),
        };
        Reply::new(code, status, text)
    }

    /// A session in which the client hears it.
    pub(crate) fn session(self, protocol: Protocol, now: std::time::Instant) -> TurnedAway {
        let farewell = match protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp if self.reply().code == 554 => {
                Farewell::AwaitQuit
            }
            _ => Farewell::Close,
        };
        TurnedAway::new(self.greeting(protocol), farewell, now)
    }
}

/// How many connections are taken from a client. `free`: it is trusted, or a proxy that speaks for itself; the limits of
/// sources do not bind it.
pub(crate) fn limits(of: ConnectionLimits, free: bool) -> Limits {
    let bound = |most: u32| (!free).then_some(most as usize);
    Limits {
        total_max: of.limit as usize,
        per_source_max: bound(of.per_source),
        per_network_max: bound(of.per_network),
        rate: of.rate.filter(|_| !free).map(|rate| Rate { count: rate.count, per: rate.per.duration() }),
    }
}

/// Whether connection control lets a client in. Its name is looked up only where it decides.
pub(crate) async fn admitted(control: &ConnectionControl, world: &World, client: IpAddr) -> Result<(), Why> {
    let by_address = judged(control, client, &[]);
    let is_decided = match control {
        ConnectionControl::All => true,
        ConnectionControl::Only(_) => by_address.is_ok(),
        ConnectionControl::Except(_) => by_address.is_err(),
    };
    if is_decided || !control.asks_for_names() {
        return by_address;
    }
    match name::confirmed(world, client).await {
        Ok(names) => judged(control, client, &names),
        // Who is not known not to be meant by `except` comes in: whoever has the address writes its name, or none.
        Err(name::Unknown) if matches!(control, ConnectionControl::Except(_)) => Ok(()),
        Err(name::Unknown) => Err(Why::NameUnknown),
    }
}

fn judged(control: &ConnectionControl, client: IpAddr, names: &[Domain]) -> Result<(), Why> {
    if control.admits(client, names) { Ok(()) } else { Err(Why::NotAdmitted) }
}

/// How the greeting is held back, if it is.
pub(crate) fn held_back(delay: settings::TimeSpan, protocol: Protocol) -> Option<HoldBack> {
    let (time, refusal) = (delay.duration(), Why::EarlyTalker.greeting(protocol));
    (!time.is_zero()).then_some(HoldBack { time, refusal })
}

/// The handler of a session with a client that is not served: there is nothing to decide.
#[derive(Debug)]
pub(crate) struct Nothing;

impl Handler<TurnedAway> for Nothing {
    fn decide(&mut self, question: Infallible) -> Decision<Infallible> {
        match question {}
    }
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use world::resolver::{Resolver, Simulated, Zone};
    use world::{Clock, Dice, Workers};

    use super::*;

    fn world(zone: Zone) -> World {
        let clock = Clock::simulated(Timestamp(0));
        let mut world = World::without_network(clock.clone(), Dice::Real, Workers::Inline);
        world.resolver = Resolver::Simulated(Simulated::new(clock, zone));
        world
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn patterns(texts: &[&str]) -> Vec<settings::Pattern> {
        texts.iter().map(|text| text.parse().expect("a pattern")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn connection_control_goes_by_address_and_by_names_that_are_confirmed() {
        let zone = Zone::new()
            .ptr(ip("192.0.2.7"), "pc7.office.example")
            .address("pc7.office.example", ip("192.0.2.7"))
            // Claims a name that leads elsewhere.
            .ptr(ip("192.0.2.8"), "pc7.office.example");
        let world = world(zone);
        let named = ["*.office.example"];
        for (control, client, expected) in [
            (ConnectionControl::All, "192.0.2.8", Ok(())),
            (ConnectionControl::Only(patterns(&["192.0.2.0/29"])), "192.0.2.7", Ok(())),
            (ConnectionControl::Only(patterns(&["192.0.2.0/29"])), "192.0.2.8", Err(Why::NotAdmitted)),
            (ConnectionControl::Only(patterns(&named)), "192.0.2.7", Ok(())),
            (ConnectionControl::Only(patterns(&named)), "192.0.2.8", Err(Why::NotAdmitted)),
            (ConnectionControl::Only(patterns(&named)), "192.0.2.9", Err(Why::NotAdmitted)),
            (ConnectionControl::Except(patterns(&named)), "192.0.2.7", Err(Why::NotAdmitted)),
            (ConnectionControl::Except(patterns(&named)), "192.0.2.8", Ok(())),
            (ConnectionControl::Except(patterns(&["192.0.2.8"])), "192.0.2.8", Err(Why::NotAdmitted)),
            (ConnectionControl::Except(patterns(&["192.0.2.8"])), "192.0.2.7", Ok(())),
        ] {
            assert_eq!(admitted(&control, &world, ip(client)).await, expected, "{control:?} {client}");
        }
    }

    #[test]
    fn what_a_client_is_told_fits_its_protocol() {
        let told = |why: Why, protocol| String::from_utf8(why.greeting(protocol).to_vec()).unwrap();
        let limit = Why::Limit(Refused::Network);
        assert!(told(limit, Protocol::Lmtp).starts_with("421 4.7.0 too many connections"));
        assert!(told(limit, Protocol::Pop3).starts_with("-ERR [SYS/TEMP] too many"));
        assert!(told(limit, Protocol::Imap).starts_with("* BYE [UNAVAILABLE] too many"));
        assert!(told(Why::NotAdmitted, Protocol::Smtp).starts_with("554 5.7.1 "));
        assert!(told(Why::NotAdmitted, Protocol::Pop3).starts_with("-ERR [SYS/PERM] "));
        assert!(told(Why::NotAdmitted, Protocol::Imap).starts_with("* BYE [NOPERM] "));
        assert!(
            limit.words(Protocol::Smtp, Tls::Implicit).is_empty(),
            "nobody hears it before the handshake"
        );
    }
}
