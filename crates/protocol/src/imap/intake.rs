//! From lines to commands (RFC 3501 §2.2, §4.3): a line that announces a literal goes on after it.
//!
//! ```text
//! line ─► {n}? ──no──► Complete
//!           └─yes─► Announced ─► accept: the literal, then the next line
//!                           └──► refuse: the same, but nothing of it is kept
//! ```

use super::responses::Text;
use super::syntax::{self, Announced};
use crate::lines::{Line, Lines};
use crate::misuse::Misuse;

/// The command that is arriving. Empty, it holds no allocation.
#[derive(Default)]
pub(super) struct Intake {
    text: Vec<u8>,
    /// Where in it the last line begins.
    line: usize,
    /// Octets of the literal still to come.
    left: u64,
    /// What the command will be answered; nothing more of it is kept.
    refusal: Option<Text>,
    /// Octets of refused literals.
    discarded: u64,
    /// Octets of all commands.
    taken: u64,
}

/// What has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A literal is to come: it must be accepted or refused.
    Announced(Announced),
    /// The command is complete.
    Complete,
    /// A line broke a rule.
    Broken(Misuse),
}

impl Intake {
    /// What arrived next; `None` until more bytes come.
    pub(super) fn next(&mut self, lines: &mut Lines) -> Option<Event> {
        while self.left > 0 {
            let piece = lines.take_some(usize::try_from(self.left).unwrap_or(usize::MAX))?;
            self.left -= piece.len() as u64;
            self.keep(&piece);
        }
        let line = match lines.next_line()? {
            Line::Text(line) => line,
            Line::Bad(misuse) => return Some(Event::Broken(misuse)),
        };
        self.taken += 2;
        self.line = self.text.len();
        self.keep(&line);
        Some(syntax::announced(&line).map_or(Event::Complete, Event::Announced))
    }

    fn keep(&mut self, octets: &[u8]) {
        self.taken += octets.len() as u64;
        if self.refusal.is_none() {
            self.text.extend_from_slice(octets);
        }
    }

    /// The command so far; whole after [`Event::Complete`].
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where in [`text`](Self::text) the last line begins: 0, or after a literal.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The tag, if the command begins with one.
    pub(super) fn tag(&self) -> Option<&str> {
        syntax::Cursor::new(&self.text).tag().ok()
    }

    /// Octets of all commands since the beginning.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Counts octets that were read beside commands: responses of SASL.
    pub(super) fn count(&mut self, octets: usize) {
        self.taken += octets as u64;
    }

    /// Octets of this command's refused literals.
    pub(super) fn discarded(&self) -> u64 {
        self.discarded
    }

    /// Takes the literal that was announced.
    pub(super) fn accept(&mut self, octets: u64) {
        self.text.extend_from_slice(b"\r\n");
        self.left = octets;
    }

    /// Drops the literal that was announced, and whatever else comes of the command.
    pub(super) fn refuse(&mut self, octets: u64, refusal: Text) {
        self.left = octets;
        self.discarded = self.discarded.saturating_add(octets);
        self.refusal.get_or_insert(refusal);
    }

    /// How the command was refused already.
    pub(super) fn refusal(&self) -> Option<&Text> {
        self.refusal.as_ref()
    }

    /// Takes the command out; the next one begins.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let text = std::mem::take(&mut self.text);
        *self = Self { taken: self.taken, ..Self::default() };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Lines {
        let mut lines = Lines::new(100);
        lines.push(input);
        lines
    }

    #[test]
    fn literals_are_part_of_the_command() {
        let mut lines = lines(b"a LOGIN {3}\r\nb\r\n {2+}\r\nxyz\r\nb NOOP\r\n");
        let mut intake = Intake::default();
        assert_eq!(intake.next(&mut lines), Some(Event::Announced(Announced { octets: 3, waits: true })));
        intake.accept(3);
        assert_eq!(intake.next(&mut lines), Some(Event::Announced(Announced { octets: 2, waits: false })));
        assert_eq!(intake.tag(), Some("a"));
        intake.accept(2);
        assert_eq!(intake.next(&mut lines), Some(Event::Complete));
        assert_eq!(intake.take(), b"a LOGIN {3}\r\nb\r\n {2+}\r\nxyz");
        assert_eq!(intake.next(&mut lines), Some(Event::Complete));
        assert_eq!(intake.take(), b"b NOOP");
        assert_eq!(intake.taken(), 36);
        assert_eq!(intake.next(&mut lines), None);
        assert_eq!(intake.text.capacity(), 0);
    }

    #[test]
    fn what_is_refused_is_not_kept() {
        let mut lines = lines(b"a X {5+}\r\n12345 {9+}\r\nabcdefghi rest\r\nb\r\n");
        let mut intake = Intake::default();
        intake.next(&mut lines);
        intake.refuse(5, Text::bad("Too large"));
        assert_eq!(intake.next(&mut lines), Some(Event::Announced(Announced { octets: 9, waits: false })));
        intake.refuse(9, Text::bad("Not this"));
        assert_eq!(intake.next(&mut lines), Some(Event::Complete));
        assert_eq!((intake.discarded(), intake.refusal()), (14, Some(&Text::bad("Too large"))));
        assert_eq!(intake.take(), b"a X {5+}");
        assert_eq!((intake.discarded(), intake.refusal()), (0, None));
    }
}
