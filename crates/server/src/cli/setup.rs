//! Setting a server up, and looking after what is around it.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Where;

/// Where the settings of a server are that was set up by `waxseal setup`.
pub const SETTINGS_DEFAULT: &str = "/etc/waxseal/settings.toml";

/// `waxseal setup`.
#[derive(Debug, Args)]
pub struct Setup {
    /// The first account, such as ann@example.org: its domain is received here. Asked for if it is not given.
    #[arg(long)]
    pub address: Option<String>,
    /// The name of this machine to the world, such as mail.example.org. Asked for if it is not given.
    #[arg(long, value_name = "NAME")]
    pub host_name: Option<String>,
    /// Write the settings here; a file that is there already stays as it is.
    #[arg(long, value_name = "FILE", default_value = SETTINGS_DEFAULT)]
    pub settings: PathBuf,
    /// Whom the server is to run as; made if root asks and there is none.
    #[arg(long, default_value = "waxseal")]
    pub user: String,
    /// Get certificates by ACME (Let's Encrypt), whose terms of service you accept by this. Port 80 must be reachable.
    #[arg(long)]
    pub acme: bool,
    /// The password of the account.
    #[command(flatten)]
    pub password: super::PasswordSource,
    /// Whom to ask about names.
    #[command(flatten)]
    pub names: Names,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// Whom to ask about names.
#[derive(Debug, Clone, Args)]
pub struct Names {
    /// Ask this name server instead of the system's.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub resolver: Option<SocketAddr>,
    /// An address by which the world reaches this machine, where it stands behind a router. May be repeated.
    #[arg(long = "public-address", value_name = "ADDRESS")]
    pub public: Vec<std::net::IpAddr>,
}

/// `waxseal dns`.
#[derive(Debug, Args)]
pub struct Dns {
    /// What to do.
    #[command(subcommand)]
    pub action: DnsAction,
}

/// What to do about the DNS.
#[derive(Debug, Subcommand)]
pub enum DnsAction {
    /// Print the records that the zones of our domains should have.
    Records {
        /// What it is about.
        #[command(flatten)]
        about: DnsAbout,
    },
    /// Compare these records with what the DNS says, and tell what to mend.
    Check {
        /// What it is about.
        #[command(flatten)]
        about: DnsAbout,
    },
}

/// Which records are meant.
#[derive(Debug, Clone, Args)]
pub struct DnsAbout {
    /// This domain alone; all domains of ours if none is named.
    pub domain: Option<String>,
    /// The server's settings, which name the host.
    #[arg(long, value_name = "FILE", default_value = SETTINGS_DEFAULT)]
    pub settings: PathBuf,
    /// Whom to ask about names.
    #[command(flatten)]
    pub names: Names,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `waxseal doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// What it is about.
    #[command(flatten)]
    pub about: DnsAbout,
}
