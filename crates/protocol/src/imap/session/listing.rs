//! LIST and LSUB are answered; with STATUS (RFC 5819) mailbox by mailbox.

use std::collections::VecDeque;

use super::{Job, Poll, ServerSession, Then};
use crate::imap::list::{Listing, Row};
use crate::imap::responses::Text;
use crate::imap::server::{Answer, Mailbox, Question};
use crate::imap::status;

/// What is still to be said.
pub(super) struct Rows {
    listing: Listing,
    rows: VecDeque<Row>,
}

impl ServerSession {
    pub(super) fn list(&mut self, job: Job, listing: Listing) {
        if listing.patterns.is_none() {
            listing.write_separator(&mut self.out);
            return self.complete(job, Text::ok(listing.completed()), Poll::IfNews);
        }
        self.ask(job, Then::List(listing), Question::Mailboxes);
    }

    pub(super) fn listed(&mut self, job: Job, listing: Listing, mailboxes: &[Mailbox]) {
        let rows = listing.rows(mailboxes).into();
        self.list_on(job, Box::new(Rows { listing, rows }));
    }

    /// The status of the first row has come.
    pub(super) fn list_status(&mut self, job: Job, mut rows: Box<Rows>, answer: &Answer) {
        let Some(row) = rows.rows.pop_front() else { return self.list_on(job, rows) };
        let names = self.names();
        match answer {
            Answer::Status(status) => {
                rows.listing.write(&row, names, &mut self.out);
                status::write(&row.path, &rows.listing.returns.status, status, names, &mut self.out);
            }
            // RFC 5819 §2: what went away meanwhile cannot be selected.
            Answer::NoSuchMailbox => rows.listing.write(&row.gone(), names, &mut self.out),
            _ => rows.listing.write(&row, names, &mut self.out),
        }
        self.list_on(job, rows);
    }

    fn list_on(&mut self, job: Job, mut rows: Box<Rows>) {
        while let Some(row) = rows.rows.front() {
            if row.status {
                let question = Question::Status(row.path.clone());
                return self.ask(job, Then::ListStatus(rows), question);
            }
            rows.listing.write(row, self.names(), &mut self.out);
            rows.rows.pop_front();
        }
        self.complete(job, Text::ok(rows.listing.completed()), Poll::IfNews);
    }
}
