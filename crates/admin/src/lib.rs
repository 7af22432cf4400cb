//! Every object that an administrator can list, show and change: one service layer.
//!
//! Command line, and later REST and pages, all bring a [`Request`] to [`Admin::execute`] and show its [`Response`]; nobody
//! has a private way in. The command line reaches the running server through [`socket`].

mod accounts;
mod account_certificates;
mod aliases;
mod caller;
mod dkim;
mod domains;
pub mod limits;
pub mod publication;
pub mod queue;
pub mod request;
pub mod response;
pub mod running;
pub mod service;
pub mod settings;
pub mod socket;
mod store_check;
mod trace;

pub use caller::Caller;
pub use request::{KeptPasswords, NewPassword, QueueSelection, Request, Secret};
pub use response::{Refusal, Response};
pub use running::{
    AcmeRow, Applying, CertificateRow, ConnectionRow, Down, Running, SettingsApplied, SettingsChange,
    SettingsSource, VirtualServerRow,
};
pub use service::Admin;
pub use store_check::checked;
