//! A transaction under way: which command is next, and what each reply means for each recipient. Pure.

use std::fmt::Write;

use mail::Reply;

use super::diagnostic::{Cause, Diagnostic, Outcome, Stage};
use super::interface::Transaction;
use super::offers::Offers;

/// A transaction under way.
#[derive(Debug)]
pub(super) struct Underway {
    transaction: Transaction,
    fates: Vec<Fate>,
    next: Next,
    /// Recipients whose RCPT was sent and not answered.
    unanswered: usize,
}

/// What is known of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Open,
    /// RCPT was answered 2yz.
    Accepted,
    Settled(Outcome),
}

/// What is to be sent next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Mail,
    Recipient(usize),
    /// DATA was sent, or is not to be sent.
    Nothing,
}

/// A command of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    Mail,
    Recipient(usize),
    Data,
}

/// What follows from the reply to DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterData {
    /// Send the content.
    Content,
    /// 354 although no recipient was accepted: a dot alone (RFC 2920 §3.1).
    LoneDot,
    /// The transaction is over.
    Over,
    /// A positive reply that lets nothing come: the peer is out of step.
    OutOfStep,
}

impl Underway {
    pub(super) fn new(transaction: Transaction) -> Self {
        let fates = vec![Fate::Open; transaction.recipients.len()];
        Self { transaction, fates, next: Next::Mail, unanswered: 0 }
    }

    /// Why this transaction is not begun with this peer; else none.
    pub(super) fn obstacle(&self, offers: &Offers) -> Option<Cause> {
        let content = &self.transaction.content;
        if content.bare_line_end() {
            // RFC 5321 §2.3.8: they must not be sent. Mending them would break signatures, so the sender is told.
            return Some(Cause::BareLineEnd);
        }
        // RFC 6152 §3: without 8BITMIME, content with 8-bit octets must be converted or returned.
        if content.eight_bit() && !offers.eight_bit {
            return Some(Cause::EightBitNotOffered);
        }
        // RFC 1870 §6.1.
        (offers.size_max.is_some_and(|max| content.size_announced() > max)).then_some(Cause::TooLarge)
    }

    /// Whether there is no recipient, and so nothing to be said.
    pub(super) fn is_for_nobody(&self) -> bool {
        self.fates.is_empty()
    }

    /// Octets of the content.
    pub(super) fn content_size(&self) -> u64 {
        self.transaction.content.size()
    }

    /// The next command, if one can be sent now.
    pub(super) fn next(&mut self) -> Option<Command> {
        match self.next {
            Next::Mail => {
                self.next = Next::Recipient(0);
                Some(Command::Mail)
            }
            Next::Recipient(place) if place < self.fates.len() => {
                self.next = Next::Recipient(place + 1);
                self.unanswered += 1;
                Some(Command::Recipient(place))
            }
            // RFC 2920 §3.1: DATA is the last of its group, and may be sent before it is known whether a recipient is
            // accepted. It is not sent when it is known that none is.
            Next::Recipient(_) if self.unanswered > 0 || self.accepted().next().is_some() => {
                self.next = Next::Nothing;
                Some(Command::Data)
            }
            Next::Recipient(_) | Next::Nothing => None,
        }
    }

    /// The line of a command, without CRLF. Addresses hold no CR or LF by their type.
    pub(super) fn line(&self, command: Command, offers: &Offers) -> String {
        match command {
            Command::Mail => self.mail_line(offers),
            Command::Recipient(place) => format!("RCPT TO:{}", self.transaction.recipients[place].path),
            Command::Data => "DATA".into(),
        }
    }

    fn mail_line(&self, offers: &Offers) -> String {
        let mut line = format!("MAIL FROM:{}", self.transaction.sender);
        if offers.size {
            write!(line, " SIZE={}", self.transaction.content.size_announced()).expect("a String takes all");
        }
        if offers.eight_bit && self.transaction.content.eight_bit() {
            line.push_str(" BODY=8BITMIME");
        }
        line
    }

    // Replies; 421 and 3yz where it has no meaning do not come here.

    pub(super) fn mail_answered(&mut self, reply: Reply) {
        if !is_success(&reply) {
            self.next = Next::Nothing;
            self.settle_open(&Diagnostic::replied(Stage::Mail, Cause::Reply, reply));
        }
    }

    pub(super) fn recipient_answered(&mut self, place: usize, reply: Reply) {
        self.unanswered -= 1;
        if self.fates[place] != Fate::Open {
            return; // MAIL was refused; that is what counts.
        }
        self.fates[place] = if is_success(&reply) { Fate::Accepted } else { self.refused(reply) };
    }

    fn refused(&mut self, reply: Reply) -> Fate {
        let subject = reply.enhanced.map(|enhanced| (enhanced.1, enhanced.2));
        let takes_no_more = matches!(reply.code, 452 | 552) && matches!(subject, None | Some((5, 3)));
        if !takes_no_more {
            return Fate::Settled(Diagnostic::replied(Stage::Recipient, Cause::Reply, reply).outcome());
        }
        // RFC 5321 §4.5.3.1.10: 552 is what RFC 821 said where 452 is meant; both are temporary here.
        let cause = match self.accepted().next() {
            Some(_) => Cause::RecipientsExcess,
            None => Cause::Reply,
        };
        let mut diagnostic = Diagnostic::replied(Stage::Recipient, cause, reply);
        diagnostic.status.0 = 4;
        let outcome = Outcome::Deferred(diagnostic);
        if cause == Cause::RecipientsExcess {
            self.spare_the_rest(&outcome);
        }
        Fate::Settled(outcome)
    }

    /// What was not sent yet would only be refused in the same way.
    fn spare_the_rest(&mut self, outcome: &Outcome) {
        if let Next::Recipient(from) = self.next {
            self.fates[from..].fill(Fate::Settled(outcome.clone()));
            self.next = Next::Recipient(self.fates.len());
        }
    }

    pub(super) fn data_answered(&mut self, reply: Reply) -> AfterData {
        let hope = self.accepted().next().is_some();
        match (reply.code, hope) {
            (354, true) => AfterData::Content,
            (354, false) => AfterData::LoneDot,
            (400.., _) => {
                self.settle_open(&Diagnostic::replied(Stage::Data, Cause::Reply, reply));
                AfterData::Over
            }
            _ => AfterData::OutOfStep,
        }
    }

    /// The reply after the final dot, for one recipient (LMTP) or all (SMTP).
    pub(super) fn content_answered(&mut self, place: Option<usize>, reply: Reply) {
        let success = is_success(&reply);
        let diagnostic = Diagnostic::replied(Stage::End, Cause::Reply, reply);
        let outcome = if success { Outcome::Delivered(diagnostic) } else { diagnostic.outcome() };
        match place {
            Some(place) => self.fates[place] = Fate::Settled(outcome),
            None => self.settle(&outcome),
        }
    }

    /// Recipients accepted and not settled.
    pub(super) fn accepted(&self) -> impl Iterator<Item = usize> {
        self.fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Accepted).map(|(place, _)| place)
    }

    /// Gives all that is open the same outcome.
    pub(super) fn settle_open(&mut self, diagnostic: &Diagnostic) {
        self.settle(&diagnostic.clone().outcome());
    }

    fn settle(&mut self, outcome: &Outcome) {
        for fate in &mut self.fates {
            if !matches!(fate, Fate::Settled(_)) {
                *fate = Fate::Settled(outcome.clone());
            }
        }
    }

    /// The outcomes, at the end. What is open then gets `otherwise`.
    pub(super) fn outcomes(self, otherwise: &Diagnostic) -> Vec<Outcome> {
        let settled = |fate| match fate {
            Fate::Settled(outcome) => outcome,
            Fate::Open | Fate::Accepted => otherwise.clone().outcome(),
        };
        self.fates.into_iter().map(settled).collect()
    }
}

fn is_success(reply: &Reply) -> bool {
    reply.code / 100 == 2
}
