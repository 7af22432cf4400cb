//! A transaction: from its envelope to its report.

use bytes::Bytes;
use mail::Reply;

use super::{Asked, ClientSession, Sending, State, Waiting};
use crate::smtp::Dialect;
use crate::smtp::client::content::Stuffer;
use crate::smtp::client::diagnostic::{Cause, Diagnostic, Stage};
use crate::smtp::client::interface::{Answer, Question};
use crate::smtp::client::limits;
use crate::smtp::client::transaction::{AfterData, Command, Underway};

impl ClientSession {
    pub(super) fn next_decided(&mut self, answer: Answer) {
        let idle = matches!(self.state, State::Idle);
        match answer {
            Answer::Transaction(transaction) => {
                self.transactions += 1;
                self.underway = Some(Underway::new(*transaction));
                if idle {
                    self.begin();
                } else {
                    // It came too late: the connection is being closed, and the summary says so. At once: the message
                    // shall not wait for the answer to QUIT.
                    self.failure.get_or_insert(Diagnostic::ours(Stage::Ready, Cause::Stopped));
                    self.state = State::Closing;
                }
            }
            _ if idle => self.quit(),
            _ => {}
        }
    }

    fn begin(&mut self) {
        self.state = State::Talking;
        let underway = self.underway.as_mut().expect("a transaction was just given");
        if let Some(cause) = underway.obstacle(&self.offers) {
            underway.settle_open(&Diagnostic::ours(Stage::Ready, cause));
            return self.report_and_go_on();
        }
        underway.pass_over(&self.offers);
        if underway.is_for_nobody() {
            self.report_and_go_on();
        } else if self.must_reset {
            // What the last transaction left open must not become part of this one.
            self.command(Waiting::Reset, "RSET");
        }
    }

    /// Sends the next command of the transaction, if it may be sent before the replies that are awaited.
    pub(super) fn send_next(&mut self) -> bool {
        // RFC 2920 §3.1: without PIPELINING, one command at a time.
        let at_once = if self.offers.pipelining { limits::PIPELINE_MAX } else { 1 };
        let must_wait = matches!(self.waiting.back(), Some(Waiting::Reset | Waiting::Quit));
        if must_wait || self.waiting.len() >= at_once {
            return false;
        }
        let Some(underway) = &mut self.underway else { return false };
        let Some(command) = underway.next() else { return false };
        let line = underway.line(command, &self.offers);
        let waiting = match command {
            Command::Chunks => {
                self.state = State::Content(Sending::Chunks(0));
                self.ask_content(0);
                return true;
            }
            Command::Mail => {
                self.must_reset = true;
                Waiting::Mail
            }
            Command::Recipient(place) => Waiting::Recipient(place),
            Command::Data => Waiting::Data,
        };
        self.command(waiting, &line);
        true
    }

    pub(super) fn reset_answered(&mut self, reply: &Reply) {
        if reply.is_positive() {
            self.must_reset = false;
        } else {
            // A peer that cannot forget the last transaction cannot be given another.
            self.fail(Diagnostic::ours(Stage::Reset, Cause::NotUnderstood));
        }
    }

    pub(super) fn transaction_answered(&mut self, waiting: Waiting, reply: Reply) {
        let Some(underway) = &mut self.underway else { return };
        match waiting {
            Waiting::Mail => underway.mail_answered(reply),
            Waiting::Recipient(place) => underway.recipient_answered(place, reply),
            Waiting::Data => {
                let after = underway.data_answered(reply);
                self.after_data(after);
            }
            Waiting::Chunk(sent) => {
                if underway.chunk_answered(reply) {
                    self.state = State::Content(Sending::Chunks(sent));
                    self.ask_content(sent);
                }
            }
            Waiting::End(place) => {
                underway.content_answered(place, reply);
                self.must_reset = false;
            }
            // Nobody was to get it; whatever the peer says, its transaction is over.
            _ => self.must_reset = false,
        }
    }

    fn after_data(&mut self, after: AfterData) {
        match after {
            AfterData::Content => {
                self.state = State::Content(Sending::Lines(Stuffer::new()));
                self.ask_content(0);
            }
            AfterData::LoneDot if self.policy.dialect == Dialect::Smtp => self.command(Waiting::LoneDot, "."),
            // RFC 2033 §4.2: DATA must fail there, and a dot would be answered by nothing.
            AfterData::LoneDot | AfterData::OutOfStep => {
                self.fail(Diagnostic::ours(Stage::Data, Cause::NotUnderstood));
            }
            AfterData::Over => {}
        }
    }

    fn ask_content(&mut self, offset: u64) {
        self.clock.deadline = self.clock.now + limits::OUR_TIME;
        self.ask(Question::Content { offset }, Asked::Content);
    }

    pub(super) fn content_came(&mut self, answer: Answer) {
        let sent = match (&self.state, answer) {
            (State::Content(Sending::Lines(_)), Answer::Content { piece, last }) => {
                self.send_content(&piece, last)
            }
            (State::Content(Sending::Chunks(sent)), Answer::Content { piece, last }) => {
                self.send_chunk(*sent, &piece, last)
            }
            (State::Content(_), _) => Err(Cause::ContentLost),
            _ => return,
        };
        if let Err(cause) = sent {
            self.fail(Diagnostic::ours(Stage::Content, cause));
        }
    }

    fn send_content(&mut self, piece: &Bytes, last: bool) -> Result<(), Cause> {
        let State::Content(Sending::Lines(stuffer)) = &mut self.state else { return Ok(()) };
        stuffer.take(piece, &mut self.out).map_err(|_| Cause::BareLineEnd)?;
        let size = stuffer.size();
        self.check_announced(size, piece, last)?;
        if !last {
            self.ask_content(size);
            return Ok(());
        }
        let State::Content(Sending::Lines(stuffer)) = std::mem::replace(&mut self.state, State::Talking)
        else {
            return Ok(());
        };
        stuffer.finish(&mut self.out).map_err(|_| Cause::BareLineEnd)?;
        self.content_sent(size);
        Ok(())
    }

    /// Anything but what was surveyed and announced is another content, and nothing is no progress.
    fn check_announced(&self, size: u64, piece: &[u8], last: bool) -> Result<(), Cause> {
        let announced = self.underway.as_ref().map_or(size, Underway::content_size);
        let stuck = piece.is_empty() && !last;
        match size > announced || last && size < announced || stuck {
            true => Err(Cause::ContentLost),
            false => Ok(()),
        }
    }

    /// RFC 3030 §2: each chunk is answered. The next is not sent before, so that a refusal costs one.
    fn send_chunk(&mut self, before: u64, piece: &Bytes, last: bool) -> Result<(), Cause> {
        let size = before + piece.len() as u64;
        self.check_announced(size, piece, last)?;
        self.state = State::Talking;
        let line = format!("BDAT {}{}", piece.len(), if last { " LAST" } else { "" });
        self.dialogue.we(self.clock.now, &line);
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        self.out.extend_from_slice(piece);
        match last {
            true => self.content_sent(size),
            false => self.expect(Waiting::Chunk(size)),
        }
        Ok(())
    }

    fn content_sent(&mut self, size: u64) {
        self.dialogue.we(self.clock.now, &format!("(content, {size} octets)"));
        match self.policy.dialect {
            Dialect::Smtp => self.expect(Waiting::End(None)),
            // RFC 2033 §4.2: one reply for each recipient that was accepted, in the order of RCPT.
            Dialect::Lmtp => {
                let accepted: Vec<_> = self.underway.iter().flat_map(Underway::accepted).collect();
                accepted.into_iter().for_each(|place| self.expect(Waiting::End(Some(place))));
            }
        }
    }

    /// Everything was answered. False if no transaction is under way.
    pub(super) fn transaction_over(&mut self) -> bool {
        self.underway.is_some() && {
            self.report_and_go_on();
            true
        }
    }

    fn report_and_go_on(&mut self) {
        // Every recipient is settled here; the diagnostic is that of a state which cannot be.
        let otherwise = Diagnostic::ours(Stage::Ready, Cause::Stopped);
        if let Some(report) = self.report(&otherwise) {
            self.clock.deadline = self.clock.now + limits::OUR_TIME;
            self.ask(Question::Report(Box::new(report)), Asked::Report);
        }
    }
}
