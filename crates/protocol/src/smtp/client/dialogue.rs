//! The dialogue, kept for the journal: commands and replies, secrets and content left out, bounded.

use std::time::{Duration, Instant};

use mail::Reply;

use super::limits;
pub use crate::overheard::Speaker;

/// One command, one reply, or what happened between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Since the connection was made.
    pub at: Duration,
    /// Who said it.
    pub by: Speaker,
    /// One line of printable ASCII. What stands in parentheses was not said but tells what was.
    pub text: String,
}

/// What was said on a connection and has not been reported.
#[derive(Debug)]
pub(super) struct Dialogue {
    begun: Instant,
    said: Vec<Said>,
    left_out: usize,
}

impl Dialogue {
    pub(super) fn new(begun: Instant) -> Self {
        Self { begun, said: Vec::new(), left_out: 0 }
    }

    pub(super) fn we(&mut self, now: Instant, text: &str) {
        self.add(now, Speaker::We, text);
    }

    pub(super) fn peer(&mut self, now: Instant, reply: &Reply) {
        self.add(now, Speaker::Peer, &reply.to_string());
    }

    /// What was no reply.
    pub(super) fn misread(&mut self, now: Instant, text: &str) {
        self.add(now, Speaker::Peer, text);
    }

    fn add(&mut self, now: Instant, by: Speaker, text: &str) {
        if self.said.len() >= limits::DIALOGUE_LINES_MAX {
            // How it began and how it ended tell more than the middle.
            self.said.remove(limits::DIALOGUE_LINES_MAX / 2);
            self.left_out += 1;
        }
        let text = text.chars().take(limits::DIALOGUE_LINE_MAX).collect();
        self.said.push(Said { at: now.saturating_duration_since(self.begun), by, text });
    }

    /// What was said since the last call, and how many lines more there were.
    pub(super) fn take(&mut self) -> (Vec<Said>, usize) {
        (std::mem::take(&mut self.said), std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_left_out() {
        // A test has no simulated clock to ask; only differences matter.
        #[allow(clippy::disallowed_methods)]
        let now = Instant::now();
        let mut dialogue = Dialogue::new(now);
        for number in 0..limits::DIALOGUE_LINES_MAX + 10 {
            dialogue.we(now + Duration::from_secs(1), &format!("NOOP {number}"));
        }
        let (said, left_out) = dialogue.take();
        assert_eq!((said.len(), left_out), (limits::DIALOGUE_LINES_MAX, 10));
        assert_eq!((said[0].text.as_str(), said[0].at), ("NOOP 0", Duration::from_secs(1)));
        assert_eq!(said.last().unwrap().text, format!("NOOP {}", limits::DIALOGUE_LINES_MAX + 9));
        assert_eq!(dialogue.take(), (Vec::new(), 0));
    }
}
