//! The command line: what can be said.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod rights;
mod settings;
mod setup;
mod virtual_server;

pub use rights::{AppPasswordAction, Ban, BanAction, SendAsAction};
pub use settings::{SettingsAction, SettingsCommand};
pub use setup::{Dns, DnsAbout, DnsAction, Doctor, Names, SETTINGS_DEFAULT, Setup};
pub use virtual_server::{Sessions, SessionsAction, VirtualServer, VirtualServerAction};

/// Waxseal, a complete mail server.
#[derive(Debug, Parser)]
#[command(name = "waxseal", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 refused or failed, the reason is on standard error; 2 the command line was wrong.
Start with:  waxseal try";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a whole server on free loopback ports, with sample accounts, and show that mail arrives.
    Try(Try),
    /// Set a server up: settings, first account, keys; and tell what to publish in the DNS.
    Setup(Setup),
    /// Run the server.
    Serve(Serve),
    /// Add, list and remove domains whose mail is received here.
    Domain(Domain),
    /// Add, list and remove accounts; change a password.
    Account(Account),
    /// Add, list and remove further names for accounts.
    Alias(Alias),
    /// See which networks are refused because of wrong passwords; refuse one, let one in again.
    Ban(Ban),
    /// Tell the story of a message: by its queue id, its Message-ID or an address in its envelope.
    Trace(Trace),
    /// See what waits in the queue; try it now, hold it, release it, delete it.
    Queue(Queue),
    /// Send mail as sendmail does, with its options: -t -i -f -F -bs -bp -bi -q -N -R -V and others.
    #[command(disable_help_flag = true)]
    Sendmail {
        /// As sendmail has them; further --data DIR, --settings FILE and --pickup DIR.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
        arguments: Vec<String>,
    },
    /// Look after what could be neither delivered nor returned.
    Badmail(Badmail),
    /// Tell how the server is: what it serves, and how much waits.
    Status(Status),
    /// See the virtual servers; start, stop and pause them.
    VirtualServer(VirtualServer),
    /// See who is connected; end sessions.
    Sessions(Sessions),
    /// Read the files of certificates again, and order at once what could not be ordered.
    Reload(Status),
    /// Show, change and compare the settings; check a settings text.
    Settings(SettingsCommand),
    /// Print the DNS records that our domains should have, or compare them with what the DNS says.
    Dns(Dns),
    /// Look at everything around the server that can be wrong, and say what mends it.
    Doctor(Doctor),
    /// Look after the data directory.
    Store(Store),
}

/// Where the data is, and how to print.
#[derive(Debug, Clone, Args)]
pub struct Where {
    /// The server's data directory. If no server runs on it, this command does the work itself.
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    pub data: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Where the data is, if nothing else is said.
pub(crate) const DATA_DEFAULT: &str = "/var/lib/waxseal";

/// `waxseal try`.
#[derive(Debug, Args)]
pub struct Try {
    /// Keep the data in this directory; started again with it, the server has the same mail and accounts.
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Print one line of JSON when the server is ready, instead of the screen.
    #[arg(long)]
    pub json: bool,
}

/// `waxseal serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// The data directory; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = DATA_DEFAULT)]
    pub data: PathBuf,
    /// The settings. Without them: every protocol on its usual port, and the machine's host name.
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `waxseal domain`.
#[derive(Debug, Args)]
pub struct Domain {
    /// What to do.
    #[command(subcommand)]
    pub action: DomainAction,
}

/// What to do with domains.
#[derive(Debug, Subcommand)]
pub enum DomainAction {
    /// Receive mail for this domain, and make the keys that sign what it sends. Prints the DNS records to publish.
    Add {
        /// Its name, such as example.org.
        domain: String,
        /// It stands for this domain of ours: mail for it goes to the same names there.
        #[arg(long, value_name = "DOMAIN")]
        alias_of: Option<String>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the DNS records by which others check what this domain signs (DKIM).
    Dkim {
        /// Its name.
        domain: String,
        /// Make its keys. A domain has them from the beginning, unless an older version added it.
        #[arg(long)]
        make: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the domains.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Stop receiving mail for this domain. It must have no accounts or aliases any more.
    Remove {
        /// Its name.
        domain: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal account`.
#[derive(Debug, Args)]
pub struct Account {
    /// What to do.
    #[command(subcommand)]
    pub action: AccountAction,
}

/// Where a new password comes from. Never from an argument: other users of the machine could read it there.
#[derive(Debug, Clone, Args)]
pub struct PasswordSource {
    /// Make a password and print it.
    #[arg(long, conflicts_with = "password_stdin")]
    pub generate: bool,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    pub password_stdin: bool,
    /// What is kept of it. argon2id is hard to guess by, whoever may steal the store; keys for SCRAM are less so, and let
    /// mail programs sign in without showing the password. Without this, a new account keeps both, and an old one what it
    /// kept before.
    #[arg(long, value_name = "KEPT")]
    pub passwords: Option<KeptPasswords>,
}

/// What an account keeps of its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KeptPasswords {
    /// A verifier by argon2id, and keys for SCRAM.
    Argon2idAndScram,
    /// A verifier by argon2id alone.
    Argon2idOnly,
    /// A verifier by argon2id, keys for SCRAM, and what CRAM-MD5 needs: by that the password is guessed at fastest of all,
    /// so only for a device that knows nothing better.
    WithCramMd5,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountAction {
    /// Make an account with its mailboxes. Asks for the password.
    Add {
        /// Such as bob@example.org; its domain must have been added.
        address: String,
        /// The person's name.
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the accounts.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Give an account a new password. Asks for it.
    Password {
        /// Of the account.
        address: String,
        /// Where the password comes from.
        #[command(flatten)]
        password: PasswordSource,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Passwords of an account for one program each.
    AppPassword {
        /// What to do.
        #[command(subcommand)]
        action: AppPasswordAction,
    },
    /// As what an account may send beside its own addresses.
    SendAs {
        /// What to do.
        #[command(subcommand)]
        action: SendAsAction,
    },
    /// Let the mail of an account go that is held because it suddenly sent so much, and the account go on.
    Release {
        /// Its address.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Which certificates open an account (SASL EXTERNAL).
    Certificate {
        /// What to do.
        #[command(subcommand)]
        action: CertificateAction,
    },
    /// Remove an account with all its mail.
    Remove {
        /// Its address.
        address: String,
        /// Confirm that its mail is to go too.
        #[arg(long)]
        yes: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// What to do with the certificates of an account.
#[derive(Debug, Subcommand)]
pub enum CertificateAction {
    /// Let whoever has a certificate, and its key, sign in as the account.
    Add {
        /// Of the account.
        address: String,
        /// SHA-256 of the certificate, as `openssl x509 -noout -fingerprint -sha256` prints it.
        fingerprint: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the certificates of an account.
    List {
        /// Of the account.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Take a certificate back.
    Remove {
        /// Of the account.
        address: String,
        /// As in the list.
        fingerprint: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal alias`.
#[derive(Debug, Args)]
pub struct Alias {
    /// What to do.
    #[command(subcommand)]
    pub action: AliasAction,
}

/// What to do with aliases.
#[derive(Debug, Subcommand)]
pub enum AliasAction {
    /// Mail for ADDRESS goes to the targets.
    Add {
        /// The further name.
        address: String,
        /// Accounts or aliases here.
        #[arg(required = true)]
        targets: Vec<String>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the aliases.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Remove one.
    Remove {
        /// Its address.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// A queue id, a Message-ID (with or without angle brackets), or an address in the envelope.
    pub what: String,
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `waxseal queue`.
#[derive(Debug, Args)]
pub struct Queue {
    /// What to do.
    #[command(subcommand)]
    pub action: QueueAction,
}

/// What to do with the queue.
#[derive(Debug, Subcommand)]
pub enum QueueAction {
    /// Print the destinations for which something waits, or the deliveries of one of them.
    List {
        /// A destination: example.net, [192.0.2.1], local.
        destination: Option<String>,
        /// Begin after this destination, or after this queue id.
        #[arg(long, value_name = "NAME")]
        after: Option<String>,
        /// Print at most so many; 1000 is the most.
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print a message that waits: its envelope, what its header says, and how its deliveries stand.
    Show {
        /// Its queue id.
        queue_id: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print every delivery that waits and is meant by what is said; without, all of them.
    Find {
        /// Part of the sender; <> for none.
        #[arg(long, value_name = "ADDRESS")]
        sender: Option<String>,
        /// Part of a recipient.
        #[arg(long, value_name = "ADDRESS")]
        recipient: Option<String>,
        /// Accepted at least so long ago: "2 h".
        #[arg(long, value_name = "TIME", value_parser = time_span)]
        older_than: Option<::settings::TimeSpan>,
        /// In this state, or one of these: active, ready, retry, scheduled, frozen, remote, deleted.
        #[arg(long, value_name = "STATE", value_parser = admin::queue::find::state)]
        state: Vec<admin::queue::rows::State>,
        /// Print at most so many; 1000 is the most.
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Send a message to this address instead of all that it still waits for.
    Redirect {
        /// Its queue id.
        queue_id: String,
        /// To whom.
        address: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Write a message out, with its envelope in lines before it, as the pickup directory takes it. It goes on waiting.
    Export {
        /// Its queue id.
        queue_id: String,
        /// The file; without, it is printed.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Try it now, by a new connection if there is none. What is on hold stays there; what waits for ETRN is tried once.
    #[command(visible_alias = "force")]
    Retry {
        /// What.
        #[command(flatten)]
        what: Selection,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Keep it from being sent until it is released.
    #[command(visible_alias = "freeze")]
    Hold {
        /// What.
        #[command(flatten)]
        what: Selection,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Let it go that was on hold.
    #[command(visible_alias = "unfreeze")]
    Release {
        /// What.
        #[command(flatten)]
        what: Selection,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Delete it, for ever; nobody is told, unless --report says that its sender is.
    Delete {
        /// What.
        #[command(flatten)]
        what: Selection,
        /// Yes, everything that waits: needed with --all.
        #[arg(long)]
        yes: bool,
        /// Tell the sender of a message that it is not delivered.
        #[arg(long)]
        report: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// What of the queue is meant.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Selection {
    /// A message, by its queue id.
    pub queue_id: Option<String>,
    /// A destination: example.net, [192.0.2.1], local.
    #[arg(long, value_name = "NAME")]
    pub destination: Option<String>,
    /// Everything that waits.
    #[arg(long)]
    pub all: bool,
}

/// A time span as the settings have it.
fn time_span(text: &str) -> Result<::settings::TimeSpan, String> {
    text.parse().map_err(|_| "write it as 30 min, 2 h or 5 days".to_owned())
}

/// `waxseal badmail`.
#[derive(Debug, Args)]
pub struct Badmail {
    /// What to do.
    #[command(subcommand)]
    pub action: BadmailAction,
}

/// What to do with badmail.
#[derive(Debug, Subcommand)]
pub enum BadmailAction {
    /// Print the names of what is kept, and why it is.
    List {
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Print the beginning of one: its envelope, why it is kept, its header.
    Show {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Send it again.
    Retry {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
    /// Delete it, for ever.
    Delete {
        /// Its name.
        name: String,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

/// `waxseal status` and `waxseal reload`.
#[derive(Debug, Args)]
pub struct Status {
    /// Where and how.
    #[command(flatten)]
    pub place: Where,
}

/// `waxseal store`.
#[derive(Debug, Args)]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    pub action: StoreAction,
}

/// What to do with the data directory.
#[derive(Debug, Subcommand)]
pub enum StoreAction {
    /// Verify every checksum and every reference.
    Check {
        /// Mend what can be mended (counters, references, orphans).
        #[arg(long)]
        repair: bool,
        /// Where and how.
        #[command(flatten)]
        place: Where,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_password_is_never_an_argument() {
        assert!(
            Cli::try_parse_from(["waxseal", "account", "add", "bob@example.org", "--password", "x"]).is_err()
        );
        assert!(Cli::try_parse_from(["waxseal", "account", "add", "bob@example.org", "secret"]).is_err());
    }
}
