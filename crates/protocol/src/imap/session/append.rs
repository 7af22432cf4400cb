//! APPEND (RFC 3501 §6.3.11, RFC 3502): messages are taken piece by piece as they arrive, and none is held whole. All of
//! them are filed by the last step, or none.
//!
//! ```text
//! head {n} ─► AppendBegin ─► + ─► AppendChunk* ─► CRLF ─► AppendFinish
//!                ▲ │no                 │no, NUL    │ └────► {n} ─► AppendNext ─┐
//!                │ ▼                   ▼           │not CRLF                   │
//!                │ refused     dropped to its end, AppendAbandoned             │
//!                └─────────────────────────────────────────────────────────────┘
//! ```

use bytes::{Bytes, BytesMut};
use mail::MailboxPath;

use super::refusals::{Missing, failure, reproach};
use super::{Job, Mode, ServerSession, Then};
use crate::imap::limits::{APPEND_MESSAGES_MAX, CHUNK_MAX, DISCARD_MAX};
use crate::imap::message::{self, Form, Message};
use crate::imap::names::NameForm;
use crate::imap::responses::Text;
use crate::imap::server::{Answer, Question};
use crate::imap::syntax::{self, Announced, Parsed};
use crate::lines::Line;
use crate::misuse::Misuse;

/// An APPEND under way.
pub(super) struct Append {
    job: Job,
    to: MailboxPath,
    /// What the command has announced, this message included.
    messages: usize,
    message: Message,
    /// Octets of the literal.
    size: u64,
    /// Those still to come.
    left: u64,
    /// Less than a chunk.
    buffer: BytesMut,
    /// Why the command will be refused at its end: nothing more is kept.
    failed: Option<Text>,
    /// Octets of literals that were refused and come nevertheless.
    dropped: u64,
}

impl Append {
    /// Octets of the literal that have come.
    pub(super) fn received(&self) -> u64 {
        self.size - self.left
    }

    fn begin(&self) -> Question {
        Question::AppendBegin { to: self.to.clone(), size: self.size, first: self.messages == 1 }
    }
}

impl ServerSession {
    /// The literal with the first message is announced.
    pub(super) fn append_announced(&mut self, announced: Announced, head: Parsed<(MailboxPath, Message)>) {
        if let Some((misuse, refusal)) = self.not_signed_in() {
            self.misuses.note(misuse);
            return self.refuse(announced, refusal);
        }
        let head = head.and_then(|head| self.acceptable(&announced, &head.1, 1).map(|()| head));
        let (to, message) = match head {
            Ok(head) => head,
            Err(misuse) => {
                self.misuses.note(misuse);
                return self.refuse(announced, reproach(misuse));
            }
        };
        let append = Append {
            job: Job { moves_numbers: true, ..self.job() },
            to,
            messages: 1,
            message,
            size: announced.octets,
            left: announced.octets,
            buffer: BytesMut::new(),
            failed: None,
            dropped: 0,
        };
        let question = append.begin();
        let job = self.job();
        self.ask(job, Then::AppendBegun(Box::new(append), announced), question);
    }

    /// May this message come? The mailbox and its room are the application's to judge.
    fn acceptable(&self, announced: &Announced, message: &Message, messages: usize) -> Parsed<()> {
        // RFC 3502 §3: so a client cancels the whole command.
        if announced.octets == 0 {
            return Err(Misuse::EmptyMessage);
        }
        if announced.octets > self.config.append_size_max {
            return Err(Misuse::ContentTooLarge);
        }
        if messages > APPEND_MESSAGES_MAX {
            return Err(Misuse::TooManyItems);
        }
        // RFC 6855 §4: what has UTF-8 in its header by its own word is for those who have enabled it. More lenient than
        // that clause, a plain literal is taken whatever its header holds: mail that lay elsewhere must find its place.
        if message.form == Form::Utf8 && self.names() == NameForm::Utf7 {
            return Err(Misuse::Utf8NotEnabled);
        }
        Ok(())
    }

    pub(super) fn append_begun(&mut self, append: Box<Append>, announced: Announced, answer: Answer) {
        match (answer, append.messages) {
            (Answer::Done, messages) => {
                if messages == 1 {
                    self.intake.take();
                }
                if announced.waits {
                    self.out.extend_from_slice(b"+ OK\r\n");
                }
                self.mode = Mode::Append(append);
            }
            (other, 1) => self.refuse(announced, failure(&other, Missing::TryCreate)),
            (other, _) => self.break_off(append, announced, failure(&other, Missing::TryCreate)),
        }
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
        // RFC 3501 §9: a literal holds no NUL. RFC 3516 §7: a literal8 may.
        if append.message.form == Form::Literal && memchr::memchr(0, &piece).is_some() {
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

    /// The literal is complete: the command ends, or announces another message.
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
        match (message::next(&line, append.message.form), syntax::announced(&line)) {
            (Ok(None), _) => self.append_complete(*append),
            (Ok(Some(message)), Some(announced)) => self.append_more(append, announced, message),
            (found, announced) => {
                let misuse = found.err().unwrap_or(Misuse::CommandSyntax);
                self.misuses.note(misuse);
                match announced {
                    Some(announced) => self.break_off(append, announced, reproach(misuse)),
                    None => self.abandon(*append, reproach(misuse)),
                }
            }
        }
        true
    }

    fn append_complete(&mut self, append: Append) {
        if let Some(text) = append.failed.clone() {
            return self.abandon(append, text);
        }
        let Append { job, message: Message { flags, date, .. }, buffer, .. } = append;
        let question = Question::AppendFinish { last: buffer.freeze(), flags, date };
        self.ask(job, Then::AppendFinished, question);
    }

    /// RFC 3502 §3: another message of the same command.
    fn append_more(&mut self, mut append: Box<Append>, announced: Announced, message: Message) {
        append.messages += 1;
        let acceptable = self.acceptable(&announced, &message, append.messages);
        let before = std::mem::replace(&mut append.message, message);
        if let Err(misuse) = acceptable {
            self.misuses.note(misuse);
            return self.break_off(append, announced, reproach(misuse));
        }
        if let Some(text) = append.failed.clone() {
            return self.break_off(append, announced, text);
        }
        (append.size, append.left) = (announced.octets, announced.octets);
        let last = std::mem::take(&mut append.buffer).freeze();
        let question = Question::AppendNext { last, flags: before.flags, date: before.date };
        let job = Job { tag: append.job.tag.clone(), moves_numbers: false };
        self.ask(job, Then::AppendNext(append, announced), question);
    }

    pub(super) fn append_next(&mut self, append: Box<Append>, announced: Announced, answer: Answer) {
        if answer != Answer::Done {
            return self.break_off(append, announced, failure(&answer, Missing::TryCreate));
        }
        let (job, question) = (Job { tag: append.job.tag.clone(), moves_numbers: false }, append.begin());
        self.ask(job, Then::AppendBegun(append, announced), question);
    }

    /// The message that this literal announces is not taken, and so none of the command is. A client that waits is
    /// answered at once; what is on its way already is read and dropped, or the connection ends (RFC 7888 §4).
    fn break_off(&mut self, mut append: Box<Append>, announced: Announced, text: Text) {
        let text = append.failed.take().unwrap_or(text);
        if announced.waits {
            return self.abandon(*append, text);
        }
        append.dropped = append.dropped.saturating_add(announced.octets);
        if append.dropped > DISCARD_MAX {
            return self.bye_refusing(&text);
        }
        (append.size, append.left) = (announced.octets, announced.octets);
        append.buffer = BytesMut::new();
        append.failed = Some(text);
        self.mode = Mode::Append(append);
    }

    /// Nothing of the command is kept.
    fn abandon(&mut self, append: Append, text: Text) {
        let text = append.failed.unwrap_or(text);
        self.ask(append.job, Then::AppendAbandoned(text), Question::AppendAbandoned);
    }
}
