//! What can be asked of the administration. As JSON it is tagged: `{"do":"domain-add","domain":"example.org"}`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::queue::rows::State;

/// A request. Names and addresses are text here, because their mistakes are answered like others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// A domain becomes ours.
    DomainAdd {
        /// Its name; Unicode or A-labels.
        domain: String,
        /// It stands for this one, which is ours: mail for it goes to the same local part there.
        #[serde(default)]
        alias_of: Option<String>,
    },
    /// The records by which others check what a domain of ours signs (DKIM).
    DomainDkim {
        /// Its name.
        domain: String,
        /// Whether to make its keys; for a domain that has none.
        #[serde(default)]
        make: bool,
    },
    /// Our domains.
    DomainList,
    /// A domain is ours no more. It must have neither accounts nor aliases.
    DomainRemove {
        /// Its name.
        domain: String,
    },
    /// A new account, with the mailboxes that mail programs expect.
    AccountAdd {
        /// Its address; the domain must be ours.
        address: String,
        /// The person's name.
        #[serde(default)]
        name: String,
        /// Its password.
        password: NewPassword,
        /// What is kept of it; without, what is usual.
        #[serde(default)]
        kept: Option<KeptPasswords>,
    },
    /// All accounts.
    AccountList,
    /// An account goes, with its mailboxes and emails.
    AccountRemove {
        /// Its address.
        address: String,
    },
    /// A new password for an account.
    AccountPassword {
        /// Its address.
        address: String,
        /// The password.
        password: NewPassword,
        /// What is kept of it; without, as before.
        #[serde(default)]
        kept: Option<KeptPasswords>,
    },
    /// Whoever has a certificate signs in as an account (SASL EXTERNAL).
    CertificateAdd {
        /// The account's address.
        address: String,
        /// SHA-256 of the certificate, in hexadecimal; colons may stand in it.
        fingerprint: String,
    },
    /// The certificates of an account.
    CertificateList {
        /// Its address.
        address: String,
    },
    /// A certificate opens an account no longer.
    CertificateRemove {
        /// The account's address.
        address: String,
        /// As in the list.
        fingerprint: String,
    },
    /// What is on hold of an account goes, and the account goes on.
    AccountRelease {
        /// Its address.
        address: String,
    },
    /// A password of an account for one program; it is made here.
    AppPasswordAdd {
        /// The account's address.
        address: String,
        /// What the person calls it.
        name: String,
        /// What it is for: `smtp`, `imap`, `pop3`; all if none is named.
        #[serde(default)]
        scopes: Vec<String>,
        /// For so many days; without, until it is removed.
        #[serde(default)]
        days: Option<u32>,
    },
    /// The app passwords of an account.
    AppPasswordList {
        /// Its address.
        address: String,
    },
    /// An app password opens its account no longer.
    AppPasswordRemove {
        /// The account's address.
        address: String,
        /// As in the list.
        name: String,
    },
    /// An account may send as an address that is not its own.
    SendAsAdd {
        /// The account's address.
        account: String,
        /// An address, or `@` and a domain.
        address: String,
    },
    /// As what an account may send beside its own addresses.
    SendAsList {
        /// Its address.
        account: String,
    },
    /// An account may send as an address no longer.
    SendAsRemove {
        /// The account's address.
        account: String,
        /// As in the list.
        address: String,
    },
    /// Networks that are refused.
    BanList,
    /// A network is refused.
    BanAdd {
        /// The network, or an address: then what its customer has.
        network: String,
        /// For so long.
        hours: u32,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// A network is refused no longer.
    BanRemove {
        /// As in the list.
        network: String,
    },
    /// An address that means others.
    AliasAdd {
        /// The address; its domain must be ours.
        address: String,
        /// Addresses of accounts and aliases of ours.
        targets: Vec<String>,
    },
    /// All aliases.
    AliasList,
    /// An alias goes.
    AliasRemove {
        /// Its address.
        address: String,
    },
    /// What happened to messages.
    Trace {
        /// A queue id, a Message-ID, or an address of an envelope.
        what: String,
    },
    /// What waits in the queue: the destinations, or the deliveries of one of them. A page of it, in the order of names, or
    /// of queue ids.
    QueueList {
        /// Of which destination; the destinations themselves if none is named.
        #[serde(default)]
        destination: Option<String>,
        /// What follows after this name, or this queue id.
        #[serde(default)]
        after: Option<String>,
        /// At most so many; [`QUEUE_ROWS_MAX`](crate::limits::QUEUE_ROWS_MAX) if more are asked for, or none is said.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// A message that waits in the queue.
    QueueShow {
        /// Which.
        queue_id: String,
    },
    /// What is selected is tried now. What is on hold stays there.
    QueueRetry {
        /// What.
        what: QueueSelection,
    },
    /// What is selected waits until it is released. An attempt under way goes on.
    QueueHold {
        /// What.
        what: QueueSelection,
    },
    /// What is selected is on hold no more.
    QueueRelease {
        /// What.
        what: QueueSelection,
    },
    /// What is selected is never delivered. An attempt under way goes on.
    QueueDelete {
        /// What.
        what: QueueSelection,
        /// Whether its sender is told; for one message at a time.
        #[serde(default)]
        report: bool,
    },
    /// What waits and is named by a filter.
    QueueFind {
        /// Which.
        filter: QueueFilter,
        /// At most so many; [`QUEUE_ROWS_MAX`](crate::limits::QUEUE_ROWS_MAX) if more are asked for, or none is said.
        #[serde(default)]
        limit: Option<u32>,
    },
    /// A message goes to this address instead of all that it still waits for.
    QueueRedirect {
        /// Which.
        queue_id: String,
        /// To whom.
        to: String,
    },
    /// A piece of a message that waits, with its envelope before it.
    QueueExport {
        /// Which.
        queue_id: String,
        /// From this octet on.
        #[serde(default)]
        offset: u64,
    },
    /// What could be neither delivered nor returned.
    BadmailList,
    /// The beginning of a file of badmail.
    BadmailShow {
        /// Its name.
        name: String,
    },
    /// Badmail is sent again.
    BadmailRetry {
        /// Its name.
        name: String,
    },
    /// Badmail is deleted.
    BadmailDelete {
        /// Its name.
        name: String,
    },
    /// How the server is.
    Status,
    /// A revision of the settings, with its text.
    SettingsShow {
        /// Which; none: the newest.
        number: Option<i64>,
    },
    /// The revisions of the settings, the newest first.
    SettingsHistory,
    /// What differs between two revisions.
    SettingsDiff {
        /// The older; none: the one before the other.
        from: Option<i64>,
        /// The newer; none: the newest.
        to: Option<i64>,
    },
    /// A settings text comes into force.
    SettingsApply {
        /// The whole text.
        text: String,
        /// Why; may be empty.
        reason: String,
        /// The revision that it was made from: refused if there is a newer one.
        based_on: Option<i64>,
    },
    /// What would have been decided otherwise if a settings text had been in force.
    SettingsWhatIf {
        /// The whole text.
        text: String,
    },
    /// An earlier revision comes into force again.
    SettingsRollback {
        /// Which.
        number: i64,
        /// Why; may be empty.
        reason: String,
    },
    /// The files of certificates are read again.
    Reload,
    /// The virtual servers and how they are.
    VirtualServerList,
    /// One of them, with its properties.
    VirtualServerShow {
        /// Its name.
        name: String,
    },
    /// One of them is started, paused or stopped.
    VirtualServerSwitch {
        /// Its name.
        name: String,
        /// What it is from then on.
        to: Switch,
    },
    /// Who is connected.
    ConnectionList,
    /// A connection is ended.
    ConnectionTerminate {
        /// Its number in the list.
        id: u64,
    },
    /// All connections of a virtual server are ended.
    ConnectionTerminateAll {
        /// Its name.
        virtual_server: String,
    },
    /// Everything stored is read and compared.
    StoreCheck {
        /// Whether to mend what can be mended.
        #[serde(default)]
        repair: bool,
    },
}

/// Which deliveries; what is not said names all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueFilter {
    /// Part of the reverse-path; `<>` for none.
    #[serde(default)]
    pub sender: Option<String>,
    /// Part of a recipient that still waits.
    #[serde(default)]
    pub recipient: Option<String>,
    /// Accepted at least so many seconds ago.
    #[serde(default)]
    pub older_than_secs: Option<u64>,
    /// In one of these states; empty: in any.
    #[serde(default)]
    pub states: Vec<State>,
}

/// What a virtual server is switched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// It takes connections.
    Running,
    /// It takes no new ones; those that are there go on.
    Paused,
    /// It has none, and its ports are free.
    Stopped,
}

impl Switch {
    /// As it is called where states are shown.
    pub fn state(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

/// What of the queue is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueSelection {
    /// Every delivery of this message.
    QueueId(String),
    /// This destination. To hold one and to release it concerns what comes for it later, too.
    Destination(String),
    /// Everything that waits.
    All,
}

/// Where a password comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewPassword {
    /// The server makes one and tells it.
    Generate,
    /// This one.
    Given(Secret),
}

/// What an account keeps of its password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeptPasswords {
    /// argon2id, and keys for SCRAM.
    #[default]
    Argon2idAndScram,
    /// argon2id alone: SCRAM is not for this account.
    Argon2idOnly,
    /// argon2id, keys for SCRAM, and what takes the place of the password in CRAM-MD5.
    WithCramMd5,
}

/// A password in clear text on its way over the local socket. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
