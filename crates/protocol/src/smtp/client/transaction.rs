//! A transaction under way: which command is next, and what each reply means for each recipient. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use mail::parameters::xtext;
use mail::{Address, BodyType, MessageParameters, RecipientParameters, Reply};

use super::diagnostic::{Cause, Diagnostic, Outcome, Stage};
use super::interface::{Recipient, Transaction};
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
    /// The content in chunks; no command of its own.
    Chunks,
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
        // RFC 6531 §3.2: what needs it is not sent where it is not offered.
        if !offers.utf8 && (!is_ascii(self.transaction.sender.address()) || self.needs_utf8_header()) {
            return Some(Cause::Utf8NotOffered);
        }
        if self.is_binary() {
            // RFC 3030 §3: it must be converted or returned.
            if !(offers.binary && offers.chunking) {
                return Some(Cause::BinaryNotOffered);
            }
        } else if content.bare_line_end() {
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

    /// Settles recipients that this peer cannot be told of: their addresses need SMTPUTF8 (RFC 6531 §3.2), or they are more
    /// than it takes in one transaction (RFC 9422 §4).
    pub(super) fn pass_over(&mut self, offers: &Offers) {
        let utf8 = Diagnostic::ours(Stage::Ready, Cause::Utf8NotOffered).outcome();
        let excess = Diagnostic::ours(Stage::Recipient, Cause::RecipientsExcess).outcome();
        let (mut count, mut domains) = (0, BTreeSet::new());
        for (recipient, fate) in self.transaction.recipients.iter().zip(&mut self.fates) {
            if !offers.utf8 && !is_ascii(recipient.path.address()) {
                *fate = Fate::Settled(utf8.clone());
                continue;
            }
            let domain = recipient.path.address().map(|address| &address.host);
            let new_domain = !domains.contains(&domain);
            let fits = offers.recipients_max.is_none_or(|most| count < most)
                && (!new_domain || offers.domains_max.is_none_or(|most| domains.len() < most));
            if fits {
                count += 1;
                domains.insert(domain);
            } else {
                *fate = Fate::Settled(excess.clone());
            }
        }
    }

    /// Whether the content goes in chunks (RFC 3030): only what DATA cannot carry does.
    pub(super) fn is_binary(&self) -> bool {
        self.transaction.parameters.body == BodyType::Binary
    }

    /// Whether the header is one that only SMTPUTF8 allows. One that was taken without it is sent on as it came.
    fn needs_utf8_header(&self) -> bool {
        self.transaction.parameters.utf8 && self.transaction.content.eight_bit_header()
    }

    /// Whether there is no recipient, and so nothing to be said.
    pub(super) fn is_for_nobody(&self) -> bool {
        self.fates.iter().all(|fate| matches!(fate, Fate::Settled(_)))
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
            Next::Recipient(from) if self.next_open(from).is_some() => {
                let place = self.next_open(from)?;
                self.next = Next::Recipient(place + 1);
                self.unanswered += 1;
                Some(Command::Recipient(place))
            }
            // A chunk is sent when it is known that somebody is to get it.
            Next::Recipient(_) if self.is_binary() => {
                let ready = self.unanswered == 0 && self.accepted().next().is_some();
                ready.then(|| {
                    self.next = Next::Nothing;
                    Command::Chunks
                })
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

    /// The next recipient, from this place on, of whom nothing is known.
    fn next_open(&self, from: usize) -> Option<usize> {
        (from..self.fates.len()).find(|&place| !matches!(self.fates[place], Fate::Settled(_)))
    }

    /// The line of a command, without CRLF. Addresses hold no CR or LF by their type.
    pub(super) fn line(&self, command: Command, offers: &Offers) -> String {
        match command {
            Command::Mail => self.mail_line(offers),
            Command::Recipient(place) => self.recipient_line(place, offers),
            Command::Data | Command::Chunks => "DATA".into(),
        }
    }

    fn mail_line(&self, offers: &Offers) -> String {
        let mut line = format!("MAIL FROM:{}", self.transaction.sender);
        if offers.size {
            write!(line, " SIZE={}", self.transaction.content.size_announced()).expect("a String takes all");
        }
        if self.is_binary() {
            line.push_str(" BODY=BINARYMIME");
        } else if offers.eight_bit && self.transaction.content.eight_bit() {
            line.push_str(" BODY=8BITMIME");
        }
        if offers.utf8 && self.needs_utf8() {
            line.push_str(" SMTPUTF8");
        }
        if offers.dsn {
            let MessageParameters { ret, envelope_id, .. } = &self.transaction.parameters;
            let ret = ret.map(|ret| format!(" RET={ret}"));
            let envelope_id = envelope_id.as_ref().map(|id| format!(" ENVID={}", xtext(id)));
            line.extend(ret.into_iter().chain(envelope_id));
        }
        line
    }

    fn recipient_line(&self, place: usize, offers: &Offers) -> String {
        let Recipient { path, parameters } = &self.transaction.recipients[place];
        let mut line = format!("RCPT TO:{path}");
        if offers.dsn {
            let RecipientParameters { notify, original } = parameters;
            let notify = notify.map(|notify| format!(" NOTIFY={notify}"));
            // RFC 6533 §3: UTF-8 in it only where the peer takes it, which it does in this transaction.
            let utf8 = offers.utf8 && self.needs_utf8();
            let original = original.as_ref().map(|original| format!(" ORCPT={}", original.parameter(utf8)));
            line.extend(notify.into_iter().chain(original));
        }
        line
    }

    /// RFC 6531 §3.4: not asked for where nothing needs it.
    fn needs_utf8(&self) -> bool {
        let Transaction { sender, recipients, .. } = &self.transaction;
        self.needs_utf8_header()
            || !is_ascii(sender.address())
            || recipients.iter().any(|recipient| !is_ascii(recipient.path.address()))
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
            let rest = self.fates[from..].iter_mut().filter(|fate| **fate == Fate::Open);
            rest.for_each(|fate| *fate = Fate::Settled(outcome.clone()));
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

    /// A chunk that was not the last is answered. Whether the next may be sent.
    pub(super) fn chunk_answered(&mut self, reply: Reply) -> bool {
        let success = is_success(&reply);
        if !success {
            // RFC 3030 §2: the transaction is over.
            self.settle_open(&Diagnostic::replied(Stage::Content, Cause::Reply, reply));
        }
        success
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

/// Domains are in A-labels; what is left is the local part.
fn is_ascii(address: Option<&Address>) -> bool {
    address.is_none_or(|address| address.local.as_str().is_ascii())
}

fn is_success(reply: &Reply) -> bool {
    reply.code / 100 == 2
}
