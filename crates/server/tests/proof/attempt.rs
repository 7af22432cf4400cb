//! What a client knows of one message that it sent, or tried to.

use super::message::Message;
use super::smtp::Sent;

/// One attempt to send.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) message: Message,
    /// Addresses, none twice.
    pub(crate) recipients: Vec<String>,
    pub(crate) sent: Sent,
}
