//! APPEND (RFC 3501 §6.3.11): the message is taken piece by piece as it arrives, and never held whole.
//!
//! ```text
//! head {n} ─► AppendBegin ─► + ─► AppendChunk* ─► CRLF ─► AppendFinish
//!                 │no                  │no, NUL      │not CRLF
//!                 ▼                    ▼             ▼
//!              refused          dropped to its end, AppendAbandoned
//! ```

use bytes::{Bytes, BytesMut};

use super::answered::failure;
use super::{Job, Missing, Mode, ServerSession, Then, reproach};
use crate::imap::command::AppendHead;
use crate::imap::limits::CHUNK_MAX;
use crate::imap::responses::Text;
use crate::imap::server::{Answer, Question};
use crate::imap::syntax::{self, Announced, Parsed};
use crate::lines::Line;
use crate::misuse::Misuse;

/// An APPEND under way.
pub(super) struct Append {
    job: Job,
    head: AppendHead,
    /// Octets of the literal.
    size: u64,
    /// Those still to come.
    left: u64,
    /// Less than a chunk.
    buffer: BytesMut,
    /// Why it will be refused at its end: nothing more is kept.
    failed: Option<Text>,
}

impl Append {
    /// Octets of the literal that have come.
    pub(super) fn received(&self) -> u64 {
        self.size - self.left
    }
}

impl ServerSession {
    /// The literal with the message is announced.
    pub(super) fn append_announced(&mut self, announced: Announced, head: Parsed<AppendHead>) {
        let head = match (self.not_signed_in(), head) {
            (Some((misuse, refusal)), _) => {
                self.misuses.note(misuse);
                return self.refuse(announced, refusal);
            }
            (None, Err(misuse)) => return self.append_refused(announced, misuse),
            (None, Ok(head)) => head,
        };
        if announced.octets > self.config.append_size_max {
            return self.append_refused(announced, Misuse::ContentTooLarge);
        }
        let job = Job { moves_numbers: true, ..self.job() };
        let question = Question::AppendBegin {
            to: head.to.clone(),
            size: announced.octets,
            utf8: false,
            binary: false,
            first: true,
        };
        let size = announced.octets;
        let append = Append { job, head, size, left: size, buffer: BytesMut::new(), failed: None };
        let job = self.job();
        self.ask(job, Then::AppendBegun(Box::new(append), announced), question);
    }

    fn append_refused(&mut self, announced: Announced, misuse: Misuse) {
        self.misuses.note(misuse);
        self.refuse(announced, reproach(misuse));
    }

    pub(super) fn append_begun(&mut self, append: Box<Append>, announced: Announced, answer: Answer) {
        if answer != Answer::Done {
            return self.refuse(announced, failure(&answer, Missing::TryCreate));
        }
        self.intake.take();
        if announced.waits {
            self.out.extend_from_slice(b"+ OK\r\n");
        }
        self.mode = Mode::Append(append);
    }

    /// More of the literal, or what stands after it.
    pub(super) fn append_on(&mut self, mut append: Box<Append>) -> bool {
        if append.left == 0 {
            return self.append_tail(append);
        }
        let room = (CHUNK_MAX - append.buffer.len()) as u64;
        let Some(piece) = self.lines.take_some(append.left.min(room) as usize) else {
            self.mode = Mode::Append(append);
            return false;
        };
        append.left -= piece.len() as u64;
        if let Some(chunk) = self.take_piece(&mut append, piece) {
            let job = Job { tag: append.job.tag.clone(), moves_numbers: false };
            self.ask(job, Then::AppendTaken(append), Question::AppendChunk(chunk));
        } else {
            self.mode = Mode::Append(append);
        }
        true
    }

    /// Keeps a piece; yields a chunk when one is full and more is to come.
    fn take_piece(&mut self, append: &mut Append, piece: Bytes) -> Option<Bytes> {
        if append.failed.is_some() {
            return None;
        }
        // RFC 3501 §9: a literal holds no NUL.
        if memchr::memchr(0, &piece).is_some() {
            self.misuses.note(Misuse::NulOctet);
            append.failed = Some(reproach(Misuse::NulOctet));
            append.buffer = BytesMut::new();
            return None;
        }
        append.buffer.extend_from_slice(&piece);
        let full = append.buffer.len() == CHUNK_MAX && append.left > 0;
        full.then(|| {
            // Whoever sends so much is at work.
            self.renew_deadline();
            std::mem::take(&mut append.buffer).freeze()
        })
    }

    pub(super) fn append_taken(&mut self, mut append: Box<Append>, answer: Answer) {
        if answer != Answer::Done {
            append.failed = Some(failure(&answer, Missing::TryCreate));
        }
        self.mode = Mode::Append(append);
    }

    /// The literal is complete; the command must be so, too.
    fn append_tail(&mut self, append: Box<Append>) -> bool {
        let Some(line) = self.lines.next_line() else {
            self.mode = Mode::Append(append);
            return false;
        };
        self.overhear_line(&line, |ear, rest| ear.appended(append.size, rest));
        let line = match line {
            Line::Bad(misuse) => {
                self.broken(misuse);
                return true;
            }
            Line::Text(line) => line,
        };
        let Append { job, head, buffer, failed, .. } = *append;
        // Another literal (RFC 3502, which is not offered) that does not wait would be read as commands.
        if syntax::announced(&line).is_some_and(|announced| !announced.waits) {
            self.misuses.note(Misuse::CommandSyntax);
            self.bye("One message at a time");
            return true;
        }
        let refusal = failed.or_else(|| {
            (!line.is_empty()).then(|| {
                self.misuses.note(Misuse::CommandSyntax);
                reproach(Misuse::CommandSyntax)
            })
        });
        match refusal {
            Some(text) => self.ask(job, Then::AppendAbandoned(text), Question::AppendAbandoned),
            None => {
                let AppendHead { flags, date, .. } = head;
                let question = Question::AppendFinish { last: buffer.freeze(), flags, date };
                self.ask(job, Then::AppendFinished, question);
            }
        }
        true
    }
}
