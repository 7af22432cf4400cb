//! LMTP is for neighbours: this machine, and the networks that the virtual server's `relay.allow` names.

use mail::Reply;

use super::{Check, Finding};
use crate::facts::{Facts, Service};
use crate::reason::Reason;
use crate::story::Stage;

pub(super) struct Neighbour;

impl Check for Neighbour {
    fn name(&self) -> &'static str {
        "neighbour"
    }

    fn stage(&self) -> Stage {
        Stage::Sender
    }

    fn find(&self, facts: &Facts) -> Option<Finding> {
        let connection = &facts.connection;
        let is_neighbour = connection.peer.is_loopback() || connection.relay.network.is_some();
        if connection.service != Service::Lmtp || is_neighbour || facts.sender.is_none() {
            return None;
        }
        // RFC 2033 §5: not over wide area networks. RFC 3463 §3.8: 5.7.1, not authorized.
        let reply = Reply::new(550, (5, 7, 1), "this server takes mail by LMTP from its neighbours only");
        let because = "the client is neither this machine nor in a network that may deliver here";
        Some(Finding::Refuse(reply, Reason::new(self.name(), because)))
    }
}
