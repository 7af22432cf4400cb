//! What accounts may do beside receiving mail, and which networks may not come in.

use clap::{Args, Subcommand};

use super::Where;

/// What to do with app passwords.
#[derive(Debug, Subcommand)]
pub enum AppPasswordAction {
    /// Make a password for one program and print it. It is never printed again. Programs show it by PLAIN, LOGIN, or USER
    /// and PASS; for SCRAM and CRAM-MD5 there is only the account's own.
    Add {
        /// Of the account.
        address: String,
        /// What it is called, such as "telephone".
        name: String,
        /// What it is for; without this, everything.
        #[arg(long = "for", value_name = "smtp|imap|pop3", value_delimiter = ',')]
        scopes: Vec<String>,
        /// It is good for so many days; without this, until it is removed.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        days: Option<u32>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the app passwords of an account: their names, what they are for, when they were used last.
    List {
        /// Of the account.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Take an app password back.
    Remove {
        /// Of the account.
        address: String,
        /// As in the list.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// What to do with addresses as which an account may send.
#[derive(Debug, Subcommand)]
pub enum SendAsAction {
    /// Let an account send as an address that is not its own, or as every address of a domain.
    Add {
        /// Of the account.
        account: String,
        /// Such as info@example.org, or @example.org.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print as what an account may send beside its own addresses and aliases.
    List {
        /// Of the account.
        account: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Take it back.
    Remove {
        /// Of the account.
        account: String,
        /// As in the list.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal ban`.
#[derive(Debug, Args)]
pub struct Ban {
    /// What to do.
    #[command(subcommand)]
    pub action: BanAction,
}

/// What to do with networks that are refused.
#[derive(Debug, Subcommand)]
pub enum BanAction {
    /// Print the networks that are refused, until when, and why.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Refuse a network.
    Add {
        /// Such as 192.0.2.0/24; for an address, its /24 (of IPv6 its /56).
        network: String,
        /// For so many hours.
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
        hours: u32,
        /// Why, for whoever reads the list.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Let a network in again.
    Remove {
        /// As in the list.
        network: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}
