//! Every object that an administrator can list, show and change: one service layer.
//!
//! Command line, and later REST and pages, all bring a [`Request`] to [`Admin::execute`] and show its [`Response`]; nobody
//! has a private way in. The command line reaches the running server through [`socket`].

mod account_certificates;
mod accounts;
mod aliases;
mod badmail;
mod bans;
mod caller;
mod dkim;
mod domains;
pub mod limits;
mod operators;
pub mod publication;
pub mod queue;
pub mod request;
pub mod response;
mod rights;
pub mod running;
pub mod service;
pub mod settings;
pub mod socket;
mod store_check;
mod trace;
mod virtual_servers;

pub use caller::Caller;
pub use request::{KeptPasswords, NewPassword, QueueFilter, QueueSelection, Request, Secret, Switch};
pub use response::{PressureRow, Refusal, Response};
pub use running::{
    AcmeRow, Applying, CertificateRow, ConnectionRow, Down, Running, SettingsApplied, SettingsChange,
    SettingsSource, Switching, VirtualServerRow,
};
pub use service::Admin;
pub use store_check::checked;
