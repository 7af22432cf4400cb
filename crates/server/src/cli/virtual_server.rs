//! `waxseal virtual-server` and `waxseal sessions`.

use clap::{Args, Subcommand};

use super::Where;

/// `waxseal virtual-server`.
#[derive(Debug, Args)]
pub struct VirtualServer {
    /// What to do.
    #[command(subcommand)]
    pub action: VirtualServerAction,
}

/// What to do with virtual servers.
#[derive(Debug, Subcommand)]
pub enum VirtualServerAction {
    /// Print the virtual servers and how they are.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Take connections again.
    Start {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// End its sessions in good order, and take no connections: its ports are free then.
    Stop {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Take no new connections: who comes is told to come later. Who is there goes on, and so does the queue.
    Pause {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print one with its properties.
    Show {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal sessions`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Sessions {
    /// What to do; without it, they are printed.
    #[command(subcommand)]
    pub action: Option<SessionsAction>,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// What to do with sessions.
#[derive(Debug, Subcommand)]
pub enum SessionsAction {
    /// Print who is connected: peer, user, since when, what it does, octets and messages so far.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// End a session, or all of a virtual server, at once and without a word.
    End {
        /// Its number in the list.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<u64>,
        /// All sessions of this virtual server.
        #[arg(long, value_name = "NAME")]
        all: Option<String>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}
