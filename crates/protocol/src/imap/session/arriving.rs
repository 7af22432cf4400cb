//! What arrives: lines and literals become commands, or are refused before they are read.

use mail::UidSet;

use super::{Job, ServerSession, State};
use crate::imap::command::{self, Allowed, Entry};
use crate::imap::intake::Event;
use crate::imap::limits;
use crate::imap::message;
use crate::imap::responses::Text;
use crate::imap::sequence::Known;
use crate::imap::syntax::{Announced, Cursor};
use crate::misuse::Misuse;

impl ServerSession {
    pub(super) fn command_on(&mut self) -> bool {
        let Some(event) = self.intake.next(&mut self.lines) else { return false };
        self.overhear_command(&event);
        match event {
            Event::Broken(misuse) => self.broken(misuse),
            _ if self.is_over_budget() => self.over_budget(),
            Event::Announced(announced) => self.announced(announced),
            Event::Complete => self.dispatch(),
        }
        true
    }

    fn overhear_command(&mut self, event: &Event) {
        let Some(ear) = &mut self.ear else { return };
        // What was answered before stands before.
        ear.response(&self.out);
        match event {
            Event::Broken(misuse) => ear.broken(*misuse),
            _ if self.intake.refusal().is_some() => ear.refused_line(),
            Event::Announced(_) => ear.command(self.intake.text(), self.intake.line(), true),
            Event::Complete => ear.command(self.intake.text(), self.intake.line(), false),
        }
    }

    pub(super) fn is_over_budget(&self) -> bool {
        !self.is_signed_in() && self.intake.taken() > limits::OCTETS_BEFORE_SIGN_IN_MAX
    }

    pub(super) fn over_budget(&mut self) {
        self.misuses.note(Misuse::TooMuchBeforeSignIn);
        self.bye("Too much input before sign-in");
    }

    /// A line that is none. The connection ends, because its end may have announced a literal whose octets must not be
    /// read as commands.
    pub(super) fn broken(&mut self, misuse: Misuse) {
        self.misuses.note(misuse);
        self.bye(match misuse {
            Misuse::LineTooLong => "Line too long",
            Misuse::NulOctet => "NUL in a line",
            _ => "Lines must end with CRLF",
        });
    }

    /// A literal is announced: decided by its size, before it is read.
    fn announced(&mut self, announced: Announced) {
        if let Some(refusal) = self.intake.refusal().cloned() {
            return self.refuse(announced, refusal);
        }
        if let Some(head) = message::first(self.intake.text(), self.names()) {
            return self.append_announced(announced, head);
        }
        let (literal_max, command_max) = match self.is_signed_in() {
            true => (limits::LITERAL_MAX, limits::COMMAND_MAX),
            false => (limits::LITERAL_BEFORE_SIGN_IN_MAX, limits::COMMAND_BEFORE_SIGN_IN_MAX),
        };
        if announced.octets > literal_max {
            self.misuses.note(Misuse::LiteralTooLarge);
            return self.refuse(announced, Text::bad("Literal too large").with_code("TOOBIG"));
        }
        if self.intake.text().len() as u64 + announced.octets > command_max as u64 {
            self.misuses.note(Misuse::CommandTooLarge);
            return self.refuse(announced, Text::bad("Command too large").with_code("TOOBIG"));
        }
        if announced.waits {
            self.out.extend_from_slice(b"+ OK\r\n");
        }
        self.intake.accept(announced.octets);
    }

    /// Refuses the command that announces this literal. A client that waits is answered at once; what is on its way
    /// already is read and dropped, or the connection ends (RFC 7888 §4).
    pub(super) fn refuse(&mut self, announced: Announced, refusal: Text) {
        let discard_max = if self.is_signed_in() { limits::DISCARD_MAX } else { 0 };
        if announced.waits {
            let job = self.job();
            self.intake.take();
            self.conclude(job, refusal);
        } else if self.intake.discarded().saturating_add(announced.octets) <= discard_max {
            self.intake.refuse(announced.octets, refusal);
        } else {
            self.bye_refusing(&refusal);
        }
    }

    /// The command under way, before its name is known.
    pub(super) fn job(&self) -> Job {
        Job { tag: self.intake.tag().unwrap_or("*").to_owned(), moves_numbers: false }
    }

    /// A command is complete: finds it, checks whether it is allowed now, reads its arguments and starts it.
    fn dispatch(&mut self) {
        let mut job = self.job();
        let refusal = self.intake.refusal().cloned();
        let text = self.intake.take();
        if let Some(refusal) = refusal {
            return self.conclude(job, refusal);
        }
        let mut cursor = Cursor::new(&text).with_names(self.names());
        if cursor.tag().and_then(|_| cursor.space()).is_err() {
            job.tag = "*".to_owned();
            return self.wrong(job, Misuse::MalformedTag);
        }
        let Some(entry) = command::find(&mut cursor) else { return self.wrong(job, Misuse::UnknownCommand) };
        if let Err(misuse) = self.check(entry) {
            return self.wrong(job, misuse);
        }
        job.moves_numbers = entry.moves_numbers;
        let empty = UidSet::new();
        let known = self.selected().map_or(Known { map: &empty, saved: &empty }, |selected| Known {
            map: selected.view.uids(),
            saved: &selected.saved,
        });
        match entry.read(cursor, known) {
            Ok(command) => self.start(job, command),
            Err(misuse) => self.wrong(job, misuse),
        }
    }

    /// Is the command allowed in this state (RFC 3501 §3)?
    fn check(&self, entry: &Entry) -> Result<(), Misuse> {
        match (entry.allowed, &self.state) {
            (Allowed::Always, _)
            | (Allowed::BeforeSignIn, State::BeforeSignIn)
            | (Allowed::AfterSignIn, State::SignedIn | State::Selected(_))
            | (Allowed::Selected, State::Selected(_)) => Ok(()),
            (Allowed::BeforeSignIn, _) if entry.name == "STARTTLS" => Err(Misuse::TlsAfterSignIn),
            (Allowed::BeforeSignIn, _) => Err(Misuse::SignInTwice),
            _ => Err(Misuse::CommandInWrongState),
        }
    }
}
