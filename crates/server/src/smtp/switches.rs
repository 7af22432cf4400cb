//! What the settings switch and bound for SMTP sessions, as the sessions know it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use protocol::smtp::{Bounds, Commands, Config, Errors, Keywords};
use settings::{RemoteDomain, Settings, VirtualServer};

/// The commands that a virtual server has for a peer. `trusted`: it is in a trusted network.
pub(crate) fn commands(server: &VirtualServer, trusted: bool) -> Commands {
    let settings::Commands { expn, help, verb, .. } = server.commands;
    Commands { expn, help, verb: verb && trusted, ..Commands::STRANGER }
}

/// The same with what a peer is listed for: ETRN is for the client that it speaks for, which is itself if it has not said
/// otherwise; what it may say of others is its own right.
pub(crate) fn for_client(
    config: &Arc<Config>,
    server: &VirtualServer,
    settings: &Settings,
    (peer, client): (IpAddr, IpAddr),
) -> Arc<Config> {
    let is_held_for = |remote: &RemoteDomain| remote.hold_until_etrn.contain(client);
    let commands = Commands {
        etrn: server.commands.etrn && settings.remote_domains.iter().any(is_held_for),
        xclient: server.xclient.contain(peer),
        xforward: server.xforward.contain(peer),
        ..config.commands
    };
    match commands == config.commands {
        true => config.clone(),
        false => Arc::new(Config { commands, ..Config::clone(config) }),
    }
}

/// The keywords that it announces.
pub(crate) fn keywords(server: &VirtualServer) -> Keywords {
    let settings::Keywords { dsn, chunking, binarymime, eight_bit_mime, pipelining, size, smtputf8, limits } =
        server.keywords;
    Keywords { dsn, chunking, binarymime, eight_bit_mime, pipelining, size, smtputf8, limits }
}

/// What a connection may do. Nobody whom we trust is made to wait for errors: a neighbour that hands on a list has many.
pub(crate) fn bounds(server: &VirtualServer, trusted: bool) -> Bounds {
    let settings::Errors { slow, limit, tarpit } = server.errors;
    let tarpit = if trusted { Duration::ZERO } else { tarpit.duration() };
    Bounds {
        errors: Errors { slow: slow as usize, limit: limit as usize, tarpit },
        sign_in_failures_max: server.sign_in_failures as usize,
        session_size_max: server.session_size_limit.map(|size| size.0),
    }
}
