//! Filing a message for a recipient: what stands before its content, and what is taken out of it. Pure.
//!
//! An email is its own small prefix and content that all who received it share. The prefix carries what differs:
//!
//! ```text
//! Return-Path: <alice@example.net>     RFC 5321 §4.4, at the beginning of the mail data
//! Delivered-To: bob@example.org        for whom this copy is
//! Received: ...                        the message's trace header
//! ```

use std::borrow::Cow;

use bytes::Bytes;
use mail::{Address, Flag, ReversePath, Timestamp};
use store::{Change, ContentRef, MailboxRef};

use crate::limits;

/// One message for one recipient.
#[derive(Debug, Clone, Copy)]
pub struct Filing<'a> {
    /// Where it goes.
    pub mailbox: MailboxRef,
    /// The shared content, without Return-Path fields: see [`without_return_path`].
    pub content: ContentRef,
    /// The envelope's reverse-path.
    pub reverse_path: &'a ReversePath,
    /// For whom.
    pub recipient: &'a Address,
    /// The trace header (Received, Authentication-Results), whole fields with CRLF.
    pub trace: &'a [u8],
    /// Flags it has from the start.
    pub flags: &'a [Flag],
    /// When it was accepted: INTERNALDATE.
    pub accepted: Timestamp,
}

/// The change that files it.
pub fn file(filing: Filing<'_>) -> Change {
    Change::File {
        mailbox: filing.mailbox,
        content: filing.content,
        prefix: prefix(filing.reverse_path, filing.recipient, filing.trace),
        flags: filing.flags.to_vec(),
        date: filing.accepted,
    }
}

/// What stands before the shared content: Return-Path, Delivered-To, the trace header.
pub fn prefix(reverse_path: &ReversePath, recipient: &Address, trace: &[u8]) -> Bytes {
    // RFC 5321 §4.4: the return path line comes first.
    let mut prefix = match reverse_path {
        ReversePath::Null => "Return-Path: <>\r\n".to_owned(),
        ReversePath::Address(address) => format!("Return-Path: <{address}>\r\n"),
    };
    prefix.push_str(&format!("Delivered-To: {recipient}\r\n"));
    let mut prefix = prefix.into_bytes();
    prefix.extend_from_slice(trace);
    prefix.into()
}

/// Content without the Return-Path fields of its header; borrowed if it has none. RFC 5321 §4.4: exactly one should be
/// present in a delivered message, and that is ours.
///
/// ```
/// let content = b"Return-Path: <forged@example.net>\r\nSubject: hello\r\n\r\nReturn-Path: stays here\r\n";
/// let clean = mailboxes::filing::without_return_path(content);
/// assert_eq!(&*clean, b"Subject: hello\r\n\r\nReturn-Path: stays here\r\n");
/// ```
pub fn without_return_path(content: &[u8]) -> Cow<'_, [u8]> {
    let mut lines = content.split(|&byte| byte == b'\n').take_while(|line| !matches!(*line, b"" | b"\r"));
    if !lines.any(|line| matches!(fit(line), Fit::Yes)) {
        return Cow::Borrowed(content);
    }
    let mut filter = ReturnPathFilter::default();
    let mut clean = filter.pass(content).into_owned();
    clean.extend_from_slice(&filter.finish());
    Cow::Owned(clean)
}

/// [`without_return_path`] for content that arrives in pieces. Where it is cut does not matter.
#[derive(Debug, Default)]
pub struct ReturnPathFilter {
    place: Place,
    /// The start of a line that may yet become a Return-Path field; at most [`limits::FIELD_NAME_OCTETS_MAX`].
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// At the start of a line of the header; the line before was kept.
    #[default]
    LineAfterKept,
    /// The same; the line before was dropped, and its continuations are too.
    LineAfterDropped,
    /// In a line that is kept.
    Kept,
    /// In a line that is dropped.
    Dropped,
    /// After the header.
    Body,
}

impl ReturnPathFilter {
    /// What remains of the next piece. Up to a field name's length may be held back until the next.
    pub fn pass<'a>(&mut self, mut piece: &'a [u8]) -> Cow<'a, [u8]> {
        if self.place == Place::Body {
            return Cow::Borrowed(piece);
        }
        let mut kept = Vec::with_capacity(self.held.len() + piece.len());
        while !piece.is_empty() {
            piece = match self.place {
                Place::Body => {
                    kept.extend_from_slice(piece);
                    &[]
                }
                Place::Kept | Place::Dropped => self.rest_of_line(piece, &mut kept),
                Place::LineAfterKept | Place::LineAfterDropped => self.start_of_line(piece, &mut kept),
            };
        }
        Cow::Owned(kept)
    }

    /// The content is complete: what was held back.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn rest_of_line<'a>(&mut self, piece: &'a [u8], kept: &mut Vec<u8>) -> &'a [u8] {
        let end = piece.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
        let (line, rest) = piece.split_at(end.unwrap_or(piece.len()));
        let keep = self.place == Place::Kept;
        if keep {
            kept.extend_from_slice(line);
        }
        if end.is_some() {
            self.place = if keep { Place::LineAfterKept } else { Place::LineAfterDropped };
        }
        rest
    }

    /// Takes one octet more of a line's start and decides the line if it can.
    fn start_of_line<'a>(&mut self, piece: &'a [u8], kept: &mut Vec<u8>) -> &'a [u8] {
        self.held.push(piece[0]);
        let decided = match self.held.as_slice() {
            b"\r" => None,
            b"\n" | b"\r\n" => Some(Place::Body),
            // RFC 5322 §2.2.3: a continuation belongs to the field before it.
            [b' ' | b'\t'] if self.place == Place::LineAfterDropped => Some(Place::Dropped),
            held => match fit(held) {
                Fit::Yes => Some(Place::Dropped),
                Fit::No if held.ends_with(b"\n") => Some(Place::LineAfterKept),
                Fit::No => Some(Place::Kept),
                Fit::Perhaps => None,
            },
        };
        if let Some(place) = decided {
            if place != Place::Dropped {
                kept.extend_from_slice(&self.held);
            }
            self.held.clear();
            self.place = place;
        }
        &piece[1..]
    }
}

/// Whether a line is a Return-Path field, judged by its start.
#[derive(Debug, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    /// Too short to tell.
    Perhaps,
}

fn fit(start: &[u8]) -> Fit {
    const NAME: &[u8] = b"return-path";
    let common = start.len().min(NAME.len());
    if !start[..common].eq_ignore_ascii_case(&NAME[..common]) {
        return Fit::No;
    }
    // RFC 5322 §4.5: blanks may stand before the colon.
    match start[common..].iter().position(|&byte| !matches!(byte, b' ' | b'\t')) {
        Some(at) if start[common + at] == b':' && common + at < limits::FIELD_NAME_OCTETS_MAX => Fit::Yes,
        Some(_) => Fit::No,
        None if start.len() < limits::FIELD_NAME_OCTETS_MAX => Fit::Perhaps,
        None => Fit::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(content: &str, expected: &str) {
        assert_eq!(
            String::from_utf8_lossy(&without_return_path(content.as_bytes())),
            expected,
            "{content:?}"
        );
    }

    #[test]
    fn return_path_fields_go() {
        check("", "");
        check("Subject: a\r\n\r\nb", "Subject: a\r\n\r\nb");
        check("Return-Path: <x@y>\r\nSubject: a\r\n\r\nb", "Subject: a\r\n\r\nb");
        check(
            "Subject: a\r\nRETURN-PATH : <x@y>\r\n\tand more\r\nTo: b\r\n\r\nc",
            "Subject: a\r\nTo: b\r\n\r\nc",
        );
        check("Return-path:<a>\r\nreturn-path: <b>\r\n\r\nbody", "\r\nbody");
        check("Return-Path: never ended", "");
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for content in [
            "Return-Paths: a\r\n\r\n",
            "X-Return-Path: a\r\n\r\n",
            "Return-Path\r\n\r\n",
            "Subject: a\r\n Return-Path: b\r\n\r\n",
            "Subject: a\r\n\r\nReturn-Path: body\r\n",
            "\r\nReturn-Path: body\r\n",
            "\nReturn-Path: body\n",
            "Return-Pat",
            "Return-Path   ",
        ] {
            check(content, content);
            assert!(matches!(without_return_path(content.as_bytes()), Cow::Borrowed(_)), "{content:?}");
        }
    }

    #[test]
    fn blanks_without_end_are_not_held() {
        let mut filter = ReturnPathFilter::default();
        let blanks = format!("Return-Path{}", " ".repeat(1000));
        let mut passed = filter.pass(blanks.as_bytes()).into_owned();
        assert!(filter.held.len() <= limits::FIELD_NAME_OCTETS_MAX);
        passed.extend(filter.pass(b": x\r\n\r\n").iter());
        passed.extend(filter.finish());
        assert_eq!(passed.len(), blanks.len() + 7);
        assert_eq!(without_return_path(&passed).len(), passed.len());
    }

    #[test]
    fn the_prefix_begins_with_the_return_path() {
        let bob: Address = Address::parse("bob@example.org").unwrap();
        let alice = ReversePath::Address(Address::parse("alice@example.net").unwrap());
        assert_eq!(
            &prefix(&alice, &bob, b"Received: x\r\n")[..],
            b"Return-Path: <alice@example.net>\r\nDelivered-To: bob@example.org\r\nReceived: x\r\n"
        );
        assert_eq!(
            &prefix(&ReversePath::Null, &bob, b"")[..],
            b"Return-Path: <>\r\nDelivered-To: bob@example.org\r\n"
        );
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            lines in prop::collection::vec("(return-path ?:|Return-Path|Re|To:| |\t|)[a-z\r:]{0,4}(\r\n|\n)", 0..8),
            cuts in prop::collection::vec(1_usize..9, 1..20),
        ) {
            let content = lines.concat().into_bytes();
            let mut filter = ReturnPathFilter::default();
            let mut passed = Vec::new();
            let mut rest = content.as_slice();
            for &cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                passed.extend_from_slice(&filter.pass(piece));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            passed.extend(filter.finish());
            prop_assert_eq!(&passed[..], &*without_return_path(&content));
            prop_assert_eq!(&*without_return_path(&passed), &passed[..]);
        }
    }
}
