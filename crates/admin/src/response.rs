//! What the administration answers. As JSON it is tagged: `{"answer":"done","said":"…"}`.

use std::fmt;

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::queue::rows::{DeliveryRow, DestinationRow, MessageRow, QueueTotals};
use crate::request::Secret;
use crate::running::{AcmeRow, CertificateRow, ConnectionRow, VirtualServerRow};
use crate::settings::{RevisionRow, WhatIf};

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Response {
    /// It is done.
    Done {
        /// What was done, in a sentence.
        said: String,
    },
    /// It is done, and this password was made. It is told only here.
    Password {
        /// Whose.
        address: String,
        /// The password.
        password: Secret,
    },
    /// [`crate::Request::DomainAdd`] and [`crate::Request::DomainDkim`]: what is to be published.
    Dkim {
        /// What was done, in a sentence; empty where nothing was.
        said: String,
        /// Of which domain.
        domain: String,
        /// One record for each key.
        records: Vec<TxtRecord>,
    },
    /// [`crate::Request::DomainList`].
    Domains {
        /// By name.
        domains: Vec<DomainRow>,
    },
    /// [`crate::Request::AccountList`].
    Accounts {
        /// By address.
        accounts: Vec<AccountRow>,
    },
    /// [`crate::Request::CertificateList`].
    Certificates {
        /// Fingerprints, as [`crate::Request::CertificateRemove`] takes them.
        certificates: Vec<String>,
    },
    /// [`crate::Request::AppPasswordList`].
    AppPasswords {
        /// By name.
        passwords: Vec<AppPasswordRow>,
    },
    /// [`crate::Request::SendAsList`].
    SendAs {
        /// Addresses, and domains after an `@`.
        addresses: Vec<String>,
    },
    /// [`crate::Request::BanList`].
    Bans {
        /// By network.
        bans: Vec<BanRow>,
    },
    /// [`crate::Request::AliasList`].
    Aliases {
        /// By address.
        aliases: Vec<AliasRow>,
    },
    /// [`crate::Request::Trace`].
    Story {
        /// For people: control characters are escaped.
        told: String,
        /// For programs: as the journal holds it.
        records: Vec<StoryRow>,
    },
    /// [`crate::Request::SettingsShow`].
    Settings {
        /// Which.
        revision: RevisionRow,
        /// The file that the server was started with, if the settings come from one.
        file: Option<String>,
        /// The text.
        text: String,
    },
    /// [`crate::Request::SettingsHistory`].
    SettingsHistory {
        /// The newest first.
        revisions: Vec<RevisionRow>,
    },
    /// [`crate::Request::SettingsDiff`].
    SettingsDiff {
        /// The older revision; 0 stands for the empty text before the first.
        from: i64,
        /// The newer.
        to: i64,
        /// Unified; empty if the texts are the same.
        difference: String,
    },
    /// [`crate::Request::SettingsWhatIf`].
    SettingsWhatIf(WhatIf),
    /// [`crate::Request::QueueList`] without a destination.
    Destinations {
        /// When it was so.
        at: Timestamp,
        /// What is in the whole queue.
        totals: QueueTotals,
        /// By name.
        destinations: Vec<DestinationRow>,
        /// After which name there are more; none if this is the end.
        next: Option<String>,
    },
    /// [`crate::Request::QueueList`] of a destination.
    Deliveries {
        /// When it was so.
        at: Timestamp,
        /// The destination as a whole.
        destination: DestinationRow,
        /// By queue id.
        deliveries: Vec<DeliveryRow>,
        /// After which queue id there are more; none if this is the end.
        next: Option<String>,
    },
    /// [`crate::Request::QueueFind`].
    FoundDeliveries {
        /// When it was so.
        at: Timestamp,
        /// By destination and queue id.
        deliveries: Vec<DeliveryRow>,
        /// Whether there are more.
        more: bool,
    },
    /// [`crate::Request::QueueExport`].
    ExportedPiece {
        /// The octets, in Base64.
        piece: String,
        /// Where the next piece begins; none after the last.
        next: Option<u64>,
    },
    /// [`crate::Request::BadmailList`].
    Badmail {
        /// By name.
        files: Vec<BadmailRow>,
    },
    /// [`crate::Request::BadmailShow`]: as it stands there, control characters among it.
    Text {
        /// The text.
        text: String,
    },
    /// [`crate::Request::QueueShow`].
    QueuedMessage {
        /// When it was so.
        at: Timestamp,
        /// The message.
        message: MessageRow,
    },
    /// [`crate::Request::Status`].
    Status(StatusRow),
    /// [`crate::Request::VirtualServerList`].
    VirtualServers {
        /// In the order of the settings.
        virtual_servers: Vec<VirtualServerRow>,
    },
    /// [`crate::Request::VirtualServerShow`].
    VirtualServer {
        /// How it is.
        virtual_server: VirtualServerRow,
        /// What its properties mean, a line each.
        properties: Vec<String>,
    },
    /// [`crate::Request::ConnectionList`].
    Connections {
        /// By number.
        connections: Vec<ConnectionRow>,
    },
    /// [`crate::Request::StoreCheck`].
    Checked(CheckedRow),
    /// It was not done.
    Refused(Refusal),
}

impl Response {
    /// Why it was not done, if it was not.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Response::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

/// Why something was not done, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What is wrong, in a sentence without a full stop.
    pub message: String,
    /// What to do about it; empty where there is no more to say.
    #[serde(default)]
    pub remedy: String,
}

impl Refusal {
    /// A refusal that says what to do. Both are escaped: they may quote what came from outside.
    pub(crate) fn new(message: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        // Mistakes in a text are a line each.
        let lines: Vec<String> = message.as_ref().lines().map(mail::printable).collect();
        Self { message: lines.join("\n"), remedy: mail::printable(remedy.as_ref()) }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.remedy.as_str() {
            "" => f.write_str(&self.message),
            remedy => write!(f, "{}; {remedy}", self.message),
        }
    }
}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Self {
        match &error {
            store::Error::Conflict(_) => {
                Self::new(error.to_string(), "somebody changed it at the same time: try again")
            }
            store::Error::Unavailable(_) => Self::new(error.to_string(), "try again, and look into the log"),
            store::Error::Full(_) => Self::new(error.to_string(), "make room on the disk"),
            store::Error::Corrupt(_) => Self::new(error.to_string(), ""),
        }
    }
}

/// A domain of ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRow {
    /// Its name, as A-labels.
    pub name: String,
    /// Accounts in it.
    pub accounts: usize,
    /// Aliases in it.
    pub aliases: usize,
}

/// A TXT record to publish in the DNS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxtRecord {
    /// Its name, without a final dot.
    pub name: String,
    /// Its value, ASCII without quotes or backslashes. The DNS wants it in strings of at most 255 octets.
    pub value: String,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its address.
    pub address: String,
    /// The person's name.
    pub name: String,
    /// When it or its password changed last.
    pub changed: Timestamp,
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRow {
    /// Its address.
    pub address: String,
    /// What it means.
    pub targets: Vec<String>,
}

/// A part of a story.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoryRow {
    /// Of which transaction.
    pub queue_id: String,
    /// When it was written.
    pub at: Timestamp,
    /// As written; null if it is no JSON.
    pub story: serde_json::Value,
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRow {
    /// The program's version.
    pub version: String,
    /// Domains of ours.
    pub domains: usize,
    /// Accounts.
    pub accounts: usize,
    /// When it was so.
    pub at: Timestamp,
    /// What waits in the queue.
    pub queue: QueueTotals,
    /// Accounts whose messages are on hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_accounts: Vec<HeldAccountRow>,
    /// What the server is short of.
    #[serde(default)]
    pub pressure: Option<PressureRow>,
    /// What is served.
    pub virtual_servers: Vec<VirtualServerRow>,
    /// The certificates that are shown, in the order in which they are chosen from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateRow>,
    /// How it stands with a certificate by ACME, where the settings ask for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acme: Option<AcmeRow>,
}

/// What back-pressure is there, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PressureRow {
    /// `free`, `slow` or `refusing`.
    pub level: String,
    /// Each thing that is looked at, and how much there is of it, a sentence each; what makes the level first.
    pub gauges: Vec<String>,
}

/// An app password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordRow {
    /// What the person calls it.
    pub name: String,
    /// What it is for, separated by spaces.
    pub scope: String,
    /// Since when.
    pub created: Timestamp,
    /// From when it is good for nothing.
    pub expires: Option<Timestamp>,
    /// When it was used last, within an hour.
    pub last_used: Option<Timestamp>,
}

/// A network that is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanRow {
    /// Which.
    pub network: String,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// An account whose messages are on hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldAccountRow {
    /// Its address.
    pub address: String,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// What a check of the store found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedRow {
    /// Contents verified.
    pub contents: u64,
    /// Octets of content verified.
    pub octets: u64,
    /// Contents that a crash left without a record; no fault.
    pub orphans: u64,
    /// What is wrong, a sentence each; empty if all is well.
    pub faults: Vec<String>,
    /// Whether what can be repaired was repaired.
    pub repaired: bool,
}

/// A file of badmail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadmailRow {
    /// Its name.
    pub name: String,
    /// Octets.
    pub size: u64,
    /// When it was kept.
    pub at: Timestamp,
    /// Why it could not be delivered.
    pub reason: String,
}
