//! What the settings switch and bound for SMTP sessions, as the sessions know it.

use std::time::Duration;

use protocol::smtp::{Bounds, Commands, Errors, Keywords};
use settings::VirtualServer;

/// The commands that a virtual server has for a peer. `trusted`: it is in a trusted network.
pub(crate) fn commands(server: &VirtualServer, trusted: bool) -> Commands {
    let settings::Commands { expn, help, verb, .. } = server.commands;
    Commands { expn, help, verb: verb && trusted, ..Commands::STRANGER }
}

/// The keywords that it announces.
pub(crate) fn keywords(server: &VirtualServer) -> Keywords {
    let settings::Keywords {
        dsn,
        chunking,
        binarymime,
        eight_bit_mime,
        pipelining,
        size,
        smtputf8,
        limits,
    } = server.keywords;
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
