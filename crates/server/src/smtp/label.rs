//! What the content log notes beside content, so that a crash between content and record can be explained.

use mail::{QueueId, Timestamp};
use policy::{Hop, Ruling, Stage, Story, What};
use serde::{Deserialize, Serialize};

/// Recipients named in a label; the rest is left out. Bounds what is written twice.
const RECIPIENTS_MAX: usize = 4;

/// And so many octets of them: the label of a transaction with the longest addresses is not cut by the store.
const RECIPIENTS_OCTETS_MAX: usize = 512;

/// A transaction in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Label {
    /// Its queue id, as text.
    queue_id: String,
    /// When it began.
    at: Timestamp,
    /// The reverse-path, empty for null.
    from: String,
    /// The first recipients.
    to: Vec<String>,
}

impl Label {
    pub(super) fn new<'a>(
        queue_id: QueueId,
        at: Timestamp,
        from: String,
        to: impl Iterator<Item = &'a mail::Address>,
    ) -> Self {
        let mut room = RECIPIENTS_OCTETS_MAX;
        let fits = |to: &String| {
            // As JSON writes them.
            room = room.saturating_sub(to.len() + to.matches(['"', '\\']).count());
            room > 0
        };
        let to = to.take(RECIPIENTS_MAX).map(ToString::to_string).take_while(fits).collect();
        Self { queue_id: queue_id.to_string(), at, from, to }
    }

    pub(super) fn to_bytes(&self) -> bytes::Bytes {
        serde_json::to_vec(self).expect("a label is plain text").into()
    }

    /// The story of a transaction whose content reached the disk and whose record did not, because the server stopped.
    /// `None` if the label is not one of ours.
    pub(crate) fn story(label: &[u8], size: u64, complete: bool, now: Timestamp) -> Option<Story> {
        let part = if complete { "all of" } else { "a part of" };
        let how = format!(
            "the server stopped with {part} the content on disk and before its record was: 250 was not sent, \
             the client will send it again, and what was there is removed"
        );
        Self::story_that_ends(label, size, how, now)
    }

    /// The story of a transaction of which nothing but its label is left, with its end.
    pub(super) fn story_that_ends(label: &[u8], size: u64, how: String, now: Timestamp) -> Option<Story> {
        let label: Self = serde_json::from_slice(label).ok()?;
        let mut story = Story::new(label.queue_id.parse().ok()?);
        let judged = |stage, subject: String| {
            let what =
                What::Judge { stage, subject, verdict: Ruling::Accept, reply: String::new(), facts: None };
            Hop { at: label.at, what, because: Vec::new() }
        };
        story.hops.push(judged(Stage::Sender, label.from));
        story.hops.extend(label.to.into_iter().map(|to| judged(Stage::Recipient, to)));
        story.hop(label.at, What::Spool { size, message_id: None });
        story.hop(now, What::End { how, misuses: Vec::new() });
        Some(story)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_tells_the_story_of_a_crash() {
        let bob: mail::Address = "bob@example.org".parse().unwrap();
        let label =
            Label::new(QueueId(77), Timestamp(5), "ann@example.net".into(), std::iter::repeat_n(&bob, 9));
        let story = Label::story(&label.to_bytes(), 4096, false, Timestamp(9)).unwrap();
        assert_eq!(story.queue_id, QueueId(77));
        assert_eq!(story.hops.len(), 1 + RECIPIENTS_MAX + 2);
        let keys = policy::story::keys(&story.to_json());
        assert_eq!(keys, ["ann@example.net", "bob@example.org"]);
        assert_eq!(Label::story(b"of somebody else", 1, true, Timestamp(9)), None);
    }

    #[test]
    fn the_longest_addresses_fit() {
        let domain = ["d".repeat(62), "d".repeat(62), "d".repeat(62)].join(".");
        for local in ["l".repeat(64), format!("\"{}\"", "\\\"".repeat(31))] {
            let longest: mail::Address = format!("{local}@{domain}").parse().unwrap();
            let recipients = std::iter::repeat_n(&longest, 9);
            let label = Label::new(QueueId(u64::MAX), Timestamp(i64::MAX), longest.to_string(), recipients);
            assert!(label.to_bytes().len() <= store::limits::LABEL_OCTETS_MAX && !label.to.is_empty());
        }
    }
}
