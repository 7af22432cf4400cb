//! BDAT (RFC 3030 §2): when it is allowed, and what follows its octets.
//!
//! ```text
//! BDAT --allowed--> Begin (the first of a content) --> Chunk ──► 250, or after LAST the reply to the content
//!   └───refused----------------------------------------> Discard ──► the refusal
//! ```
//!
//! The octets follow the command whatever we say, so they are read also where it is refused: else they would be taken for
//! commands. Once octets of a content are lost the transaction has failed, and only RSET or a greeting ends it; more BDATs
//! may be under way by then.

use mail::Reply;

use super::{Asked, ServerSession, State};
use crate::limits;
use crate::misuse::Misuse;
use crate::smtp::chunks::{self, Chunks, Piece};
use crate::smtp::command::{self, Refusal, Verb};
use crate::smtp::content::Fault;
use crate::smtp::dialect::Dialect;
use crate::smtp::replies;
use crate::smtp::server::Question;

/// Octets that nobody takes, and what is said after them.
#[derive(Debug)]
pub(super) struct Discard {
    left: u64,
    octets: u64,
    /// What is said, so often.
    reply: Reply,
    replies: usize,
    /// The misuse to be noted.
    misuse: Option<Misuse>,
    /// Whether it counts as a mistake of the client.
    counts: bool,
}

impl Discard {
    /// Octets that have come.
    pub(super) fn come(&self) -> u64 {
        self.octets - self.left
    }
}

impl ServerSession {
    /// BDAT, whether it is allowed or not.
    pub(super) fn bdat(&mut self, argument: &str) -> Result<(), Refusal> {
        let (octets, last) = command::bdat(argument)?;
        if octets == 0 && !last && !self.count_idle_command() {
            return Ok(());
        }
        if octets > limits::SMTP_CONTENT_DROPPED_MAX.max(self.config.message_size_max) {
            self.misuses.note(Misuse::ContentTooLarge);
            self.close(replies::CONTENT_TOO_LARGE);
            return Ok(());
        }
        self.time_content();
        if let Err(refusal) = self.may_have_chunks() {
            self.discard_refused(octets, last, refusal);
            return Ok(());
        }
        let (binary, size_max) = (self.binary(), self.config.message_size_max.min(self.session_room()));
        let transaction = self.transaction.as_mut().expect("BDAT is refused without MAIL");
        let is_first = transaction.chunks.is_none();
        transaction.chunks.get_or_insert_with(|| Chunks::new(binary, size_max)).announced(octets, last);
        match is_first {
            true => self.ask(Question::Begin, Asked::BeginChunks),
            false => self.state = State::Chunk,
        }
        self.stopped = "in content";
        Ok(())
    }

    fn may_have_chunks(&self) -> Result<(), Refusal> {
        self.may_always(Verb::Bdat)?;
        self.is_there(Verb::Bdat)?;
        self.may_bdat()
    }

    fn may_bdat(&self) -> Result<(), Refusal> {
        let refused = |misuse, reply| Err(Refusal::new(misuse, reply));
        match (&self.transaction, self.dialect) {
            (None, _) => refused(Misuse::BdatBeforeMail, replies::MAIL_FIRST),
            (Some(transaction), _) if transaction.failed => {
                refused(Misuse::BdatAfterFailure, replies::RESET_FIRST)
            }
            (Some(transaction), Dialect::Smtp) if transaction.recipients == 0 => {
                refused(Misuse::BdatBeforeRcpt, replies::NO_RECIPIENTS)
            }
            (Some(transaction), Dialect::Lmtp) if transaction.recipients == 0 => {
                refused(Misuse::BdatBeforeRcpt, replies::LMTP_NO_RECIPIENTS)
            }
            _ => Ok(()),
        }
    }

    fn binary(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.body == mail::BodyType::Binary)
    }

    /// From the first chunk on a content has its time, as one after DATA has.
    fn time_content(&mut self) {
        self.clock.content_renewed = 0;
        let ends = self.clock.now + limits::SMTP_CONTENT_TIME_MAX;
        self.clock.content_ends.get_or_insert(ends);
    }

    /// A chunk that is not taken. After it the transaction, if there is one, cannot become whole any more.
    fn discard_refused(&mut self, octets: u64, last: bool, Refusal { misuse, reply }: Refusal) {
        let counts = match &mut self.transaction {
            None => true,
            Some(transaction) => {
                transaction.failed = true;
                transaction.chunks_lost += 1;
                transaction.chunks_lost > limits::SMTP_CHUNKS_AFTER_FAILURE_MAX
            }
        };
        // RFC 2033 §4.3: after LAST a reply for each recipient that was accepted, and there may be none.
        let replies = if last { self.replies_to_last_chunk() } else { 1 };
        let noted = self.transaction.as_ref().is_some_and(|transaction| transaction.chunks_lost > 1);
        let misuse = (!noted).then_some(misuse);
        self.state = State::Discard(Discard { left: octets, octets, reply, replies, misuse, counts });
    }

    fn replies_to_last_chunk(&self) -> usize {
        match self.dialect {
            Dialect::Smtp => 1,
            Dialect::Lmtp => self.transaction.as_ref().map_or(0, |transaction| transaction.recipients),
        }
    }

    /// Whether content may come was decided.
    pub(super) fn chunks_decided(&mut self, reply: Reply) {
        if reply.code == 354 {
            self.state = State::Chunk;
            return;
        }
        let Some(chunks) = self.transaction.as_mut().and_then(|it| it.chunks.take()) else { return };
        let replies = if chunks.is_last() { self.replies_to_last_chunk() } else { 1 };
        if let Some(transaction) = &mut self.transaction {
            transaction.failed = true;
        }
        let octets = chunks.left();
        self.state =
            State::Discard(Discard { left: octets, octets, reply, replies, misuse: None, counts: false });
    }

    pub(super) fn read_discarded(&mut self) -> bool {
        let State::Discard(discard) = &mut self.state else { return false };
        let taken = chunks::swallow(self.lines.raw(), discard.left);
        discard.left -= taken;
        let (left, come) = (discard.left, discard.come());
        self.lines.release();
        if self.count_dropped(taken) {
            return true;
        }
        if left > 0 {
            self.renew_by(come);
            return false;
        }
        self.overhear_content();
        if let State::Discard(discard) = std::mem::replace(&mut self.state, State::Commands) {
            self.discarded(discard);
        }
        true
    }

    fn discarded(&mut self, Discard { reply, replies, misuse, counts, .. }: Discard) {
        self.renew_deadline();
        if self.transaction.is_none() {
            self.clock.content_ends = None;
        }
        misuse.into_iter().for_each(|misuse| self.misuses.note(misuse));
        (0..replies).for_each(|_| self.say(&reply));
        if reply.code == 421 {
            self.state = State::Closing;
        } else if counts {
            self.count_mistake();
        }
    }

    /// Counts what was dropped since the last message. True if it was too much: then the connection ends.
    fn count_dropped(&mut self, octets: u64) -> bool {
        self.counts.octets_dropped += octets;
        let many = self.counts.octets_dropped > limits::SMTP_CONTENT_DROPPED_MAX;
        if many {
            self.misuses.note(Misuse::ContentTooLarge);
            self.close(replies::CONTENT_TOO_LARGE);
        }
        many
    }

    pub(super) fn read_chunk(&mut self) -> bool {
        let Some(chunks) = self.transaction.as_mut().and_then(|it| it.chunks.as_mut()) else { return false };
        let before = chunks.left();
        let piece = chunks.read(self.lines.raw());
        let (left, is_last, come) = (chunks.left(), chunks.is_last(), chunks.come());
        let is_faulty = chunks.is_faulty();
        if is_faulty && self.count_dropped(before - left) {
            return true;
        }
        match piece {
            Piece::Wait => {
                self.lines.release();
                // What waits in the buffer has come, too.
                self.renew_by(come + self.lines.waiting() as u64);
                return false;
            }
            Piece::Chunk(piece) => self.ask(Question::Chunk(piece), Asked::Chunk),
            Piece::Over => self.chunk_over(),
            Piece::End { last, size } => {
                self.content_over();
                self.ask(Question::Finish { last, size, verbose: self.verbose }, Asked::Finish);
            }
            Piece::Faulty(fault) => self.chunks_faulty(fault, is_last),
        }
        true
    }

    fn chunk_over(&mut self) {
        self.overhear_content();
        self.lines.release();
        self.state = State::Commands;
        self.renew_deadline();
        self.say_canned(replies::CHUNK_TAKEN);
        self.stopped = "between chunks";
    }

    /// The content is lost. After the last chunk so is the transaction, as after DATA; before it, more chunks may come.
    fn chunks_faulty(&mut self, fault: Fault, is_last: bool) {
        let recipients = if is_last { self.replies_to_content() } else { 1 };
        let (misuse, reply) = self.faulty(fault);
        self.content_over();
        if is_last {
            self.transaction = None;
        } else if let Some(transaction) = &mut self.transaction {
            transaction.failed = true;
            transaction.chunks = None;
        }
        self.misuses.note(misuse);
        self.ask(Question::Refused(reply.reply()), Asked::Refused(reply.reply(), recipients));
    }

    /// DATA or RCPT where chunks have come, or DATA for what only BDAT can carry: RFC 3030 §2, §3 want RSET after it.
    pub(super) fn may_go_on_without_chunks(&self, verb: Verb) -> Result<(), Refusal> {
        let Some(transaction) = &self.transaction else { return Ok(()) };
        let begun = transaction.chunks.is_some() || transaction.failed;
        match verb {
            Verb::Data if begun => Err(Refusal::new(Misuse::DataAfterBdat, replies::DATA_AFTER_BDAT)),
            Verb::Data if self.binary() => Err(Refusal::new(Misuse::DataOfBinary, replies::DATA_OF_BINARY)),
            Verb::Rcpt if begun => Err(Refusal::new(Misuse::RcptAfterBdat, replies::RCPT_AFTER_BDAT)),
            _ => Ok(()),
        }
    }
}
