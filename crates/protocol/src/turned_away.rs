//! A session with a client that may not come in: it is told so where the greeting would stand.
//!
//! SMTP's 554 in the place of 220 is not the end (RFC 5321 §3.1): the server waits for QUIT, and answers whatever comes
//! before it with 503. POP3's `-ERR` and IMAP's `BYE` (RFC 9051 §7.1.5) are.

use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;

use crate::limits::{TURNED_AWAY_COMMANDS_MAX, TURNED_AWAY_TIME_MAX};
use crate::lines::{Line, Lines};
use crate::session::{End, Session, Step, TlsFacts};

/// The session; LMTP is as SMTP is.
///
/// ```
/// # use std::time::Instant;
/// use protocol::turned_away::{Farewell, TurnedAway};
/// use protocol::{Session, Step};
///
/// let now = Instant::now();
/// let mut session = TurnedAway::new("554 5.7.1 mx.example.org takes no mail from you\r\n".into(), Farewell::AwaitQuit, now);
/// assert!(matches!(session.next(), Step::Send(_)));
/// session.receive(now, b"EHLO client.example\r\nQUIT\r\n");
/// assert_eq!(session.next(), Step::Send("503 5.5.1 you may say QUIT\r\n".into()));
/// assert_eq!(session.next(), Step::Send("221 2.0.0 goodbye\r\n".into()));
/// assert_eq!(session.next(), Step::Close);
/// ```
#[derive(Debug)]
pub struct TurnedAway {
    /// Until it was sent.
    greeting: Option<Bytes>,
    farewell: Farewell,
    lines: Lines,
    until: Instant,
    commands: usize,
    over: bool,
}

/// Who ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// The client, by QUIT; so it is in SMTP.
    AwaitQuit,
    /// We, at once.
    Close,
}

impl TurnedAway {
    /// A session whose greeting is this line, with its CRLF.
    pub fn new(greeting: Bytes, farewell: Farewell, now: Instant) -> Self {
        let (lines, until) = (Lines::new(crate::limits::SMTP_COMMAND_LINE_MAX), now + TURNED_AWAY_TIME_MAX);
        Self { greeting: Some(greeting), farewell, lines, until, commands: 0, over: false }
    }

    fn reply(&mut self, line: &Line) -> Bytes {
        self.commands += 1;
        let quit = matches!(line, Line::Text(text) if text.eq_ignore_ascii_case(b"QUIT"));
        self.over = quit || self.commands >= TURNED_AWAY_COMMANDS_MAX;
        Bytes::from_static(match (quit, self.over) {
            (true, _) => b"221 2.0.0 goodbye\r\n",
            (false, true) => b"421 4.7.0 too many commands, closing\r\n",
            (false, false) => b"503 5.5.1 you may say QUIT\r\n",
        })
    }
}

impl Session for TurnedAway {
    type Question = Infallible;
    type Answer = Infallible;
    type News = Infallible;
    type Outcome = ();

    fn receive(&mut self, _: Instant, bytes: &[u8]) {
        self.lines.push(bytes);
    }

    fn answer(&mut self, _: Instant, answer: Infallible) {
        match answer {}
    }

    fn tell(&mut self, _: Instant, news: Infallible) {
        match news {}
    }

    /// Nothing that it says gives it more time.
    fn woken(&mut self, now: Instant) {
        self.over |= now >= self.until;
    }

    fn secured(&mut self, _: Instant, _: TlsFacts) {}

    fn stopping(&mut self, _: Instant) {
        self.over = true;
    }

    fn ended(&mut self, _: Instant, _: End) {}

    fn next(&mut self) -> Step<Infallible> {
        if let Some(greeting) = self.greeting.take() {
            self.over |= self.farewell == Farewell::Close;
            return Step::Send(greeting);
        }
        if self.over {
            return Step::Close;
        }
        match self.lines.next_line() {
            Some(line) => Step::Send(self.reply(&line)),
            None => Step::Await { until: self.until, read: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(session: &mut TurnedAway) -> String {
        let mut text = String::new();
        loop {
            match session.next() {
                Step::Send(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Step::Close => return text + "closed",
                _ => return text,
            }
        }
    }

    #[test]
    fn smtp_waits_for_quit_but_not_for_ever() {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test has no simulated clock; only differences matter"
        )]
        let now = Instant::now();
        let new = || TurnedAway::new("554 5.7.1 no\r\n".into(), Farewell::AwaitQuit, now);
        let mut session = new();
        session.receive(now, b"MAIL FROM:<a@b.example>\r\nqu");
        assert_eq!(said(&mut session), "554 5.7.1 no\r\n503 5.5.1 you may say QUIT\r\n");
        session.receive(now, b"it\r\n");
        assert_eq!(said(&mut session), "221 2.0.0 goodbye\r\nclosed");

        let mut session = new();
        session.receive(now, &b"NOOP\r\n".repeat(100));
        let text = said(&mut session);
        assert!(text.ends_with("421 4.7.0 too many commands, closing\r\nclosed"), "{text}");
        assert_eq!(text.lines().count(), TURNED_AWAY_COMMANDS_MAX + 2);

        let mut session = new();
        said(&mut session);
        session.woken(now + TURNED_AWAY_TIME_MAX);
        assert_eq!(said(&mut session), "closed");
    }

    #[test]
    fn pop3_and_imap_close_at_once() {
        #[allow(
            clippy::disallowed_methods,
            reason = "a test has no simulated clock; only differences matter"
        )]
        let now = Instant::now();
        let mut session = TurnedAway::new("-ERR [SYS/PERM] no\r\n".into(), Farewell::Close, now);
        session.receive(now, b"QUIT\r\n");
        assert_eq!(said(&mut session), "-ERR [SYS/PERM] no\r\nclosed");
    }
}
