//! What the header of content tells, and what is mended in it where we are the first server that it comes to.
//!
//! RFC 6409 §8 lets a submission server mend what has one clear remedy, and nothing else; RFC 5321 §6.4 says that a relay
//! mends nothing. Submitted is
//!
//! - what comes to a submission virtual server;
//! - what comes by SMTP from a client that may send to other domains (signed in, or in a network of `relay.allow`: printers
//!   and scripts know no other way, and often leave Date out), unless it has a Received field: then another server was
//!   first, and the message is not ours to change. Of an account that may send as itself alone a Received field is no
//!   proof of that.
//!
//! | found | done |
//! |---|---|
//! | no Date, no Message-ID, or one without a value | added (§8.2, §8.3) |
//! | Bcc, Resent-Bcc | removed: whom they name is a secret (RFC 5322 §3.6.3) |
//! | a `From ` line of an mbox before the fields | removed: it is no field, and would end the header |
//! | From names nobody whom the account is known to be, no Sender | Sender added (§8.1) |
//! | no empty line between header and body | added: what is body here must be body for everybody |
//! | no From, or several | refused by the `submission` check (§6.3) |
//!
//! A Message-ID of a wrong form stays: the sender's own copy has it, and replies refer to it.

use std::ops::Range;

use bytes::Bytes;
use mail::message::{EnvelopeAddress, EnvelopeFields, Field, Header};
use mail::{Address, QueueId, Timestamp};
use policy::SubmissionFacts;

use crate::limits::SUBMITTED_HEADER_OCTETS_MAX;

/// What a header tells, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct HeaderFacts {
    /// Received fields.
    pub(super) received: usize,
    /// Those that this server wrote.
    pub(super) received_here: usize,
    /// Also where it was added.
    pub(super) message_id: Option<String>,
    /// Only of what was submitted.
    pub(super) submission: Option<SubmissionFacts>,
    /// Only of what was submitted.
    pub(super) authors: Authors,
    pub(super) mending: Mending,
}

/// Whom the fields From and Sender name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Authors {
    /// Each as it is written, and as an address if it is one.
    pub(super) all: Vec<(String, Option<Address>)>,
    /// There is a field Sender.
    pub(super) has_sender: bool,
}

impl Authors {
    fn of(header: &Header<'_>) -> Self {
        let fields = EnvelopeFields::of(header);
        let has_sender = header.count("Sender") > 0;
        let sender = if has_sender { fields.sender } else { Vec::new() };
        let all = fields.from.iter().chain(&sender).filter_map(author).collect();
        Self { all, has_sender }
    }
}

/// An author; none for the marks of a group (RFC 6854 allows groups in From).
fn author(author: &EnvelopeAddress) -> Option<(String, Option<Address>)> {
    let (mailbox, host) = (author.mailbox.as_ref()?, author.host.as_ref()?);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).ok();
    let written = mail::printable([&mailbox[..], b"@", &host[..]].concat());
    let address = text(mailbox).zip(text(host)).and_then(|(local, host)| {
        let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
        let plain = Address::parse(&format!("{local}@{host}"));
        plain.or_else(|_| Address::parse(&format!("\"{quoted}\"@{host}"))).ok()
    });
    Some((written, address))
}

/// Whether content counts as submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Submitted {
    /// Always.
    Yes,
    /// If no other server was first.
    Unmarked,
    /// Never.
    No,
}

/// What the fields that are added need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) host_name: &'a str,
    pub(super) queue_id: QueueId,
    pub(super) at: Timestamp,
}

/// What is changed in content before it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mending {
    /// Whole fields that come before the content.
    pub(super) added: String,
    /// Offsets of fields that are left out, ascending.
    dropped: Vec<Range<usize>>,
    /// The offset at which an empty line is missing.
    body: Option<usize>,
}

impl HeaderFacts {
    /// Reads the header at the beginning of content.
    pub(super) fn read(content: &[u8], submitted: Submitted, origin: Origin<'_>) -> Self {
        let header = Header::parse(content);
        let received = header.count("Received");
        let value = |field: &Field<'_>| mail::printable(field.unfolded().trim_ascii());
        let mut facts = Self {
            received,
            received_here: header.find_all("Received").filter(|field| names(field, origin.host_name)).count(),
            message_id: header.find("Message-ID").map(value),
            ..Self::default()
        };
        if submitted == Submitted::Yes || submitted == Submitted::Unmarked && received == 0 {
            facts.mend(content, &header, origin);
        }
        facts
    }

    fn mend(&mut self, content: &[u8], header: &Header<'_>, origin: Origin<'_>) {
        let whole = !header.over_budget() && header.octets() <= SUBMITTED_HEADER_OCTETS_MAX;
        let mut submission =
            SubmissionFacts { from: header.count("From"), whole, ..SubmissionFacts::default() };
        // What is not whole is refused; it need not be mended.
        if whole {
            self.authors = Authors::of(header);
            self.hide(content, header, &mut submission);
            self.complete(header, origin, &mut submission);
            self.mending.body = unmarked_body(content, header);
        }
        self.submission = Some(submission);
    }

    fn hide(&mut self, content: &[u8], header: &Header<'_>, submission: &mut SubmissionFacts) {
        let envelope = envelope_line(content);
        if envelope > 0 {
            self.mending.dropped.push(0..envelope);
            submission.removed.push("line of an mbox".into());
        }
        for name in ["Bcc", "Resent-Bcc"] {
            let fields = self.mending.drop(header.find_all(name));
            if fields > 0 {
                submission.removed.push(name.into());
            }
        }
    }

    fn complete(&mut self, header: &Header<'_>, origin: Origin<'_>, submission: &mut SubmissionFacts) {
        let Origin { host_name, queue_id, at } = origin;
        let missing = |name: &str| header.find_all(name).all(is_blank);
        if missing("Date") {
            self.mending.replace(header, "Date", &at.rfc5322());
            submission.added.push("Date".into());
        }
        if missing("Message-ID") {
            let message_id = format!("<{queue_id}@{host_name}>");
            self.mending.replace(header, "Message-ID", &message_id);
            submission.added.push("Message-ID".into());
            self.message_id = Some(message_id);
        }
        self.mending.dropped.sort_by_key(|range| range.start);
    }
}

impl HeaderFacts {
    /// Adds a field Sender (RFC 6409 §8.1: "The MSA MAY add or replace the 'Sender' field, if the identity of the sender is
    /// known and this is not given in the 'From' field").
    pub(super) fn name_sender(&mut self, account: &Address) {
        self.mending.added.push_str(&format!("Sender: {account}\r\n"));
        if let Some(submission) = &mut self.submission {
            submission.added.push("Sender".into());
        }
    }
}

impl Mending {
    /// Content with what is to be changed in it; `content` must hold the whole header.
    pub(super) fn apply(&self, content: Bytes) -> Bytes {
        if !self.changes_content() {
            return content;
        }
        let mut mended = Vec::with_capacity(content.len() + 2);
        let mut at = 0;
        for dropped in &self.dropped {
            mended.extend_from_slice(&content[at..dropped.start]);
            at = dropped.end;
        }
        if let Some(body) = self.body {
            mended.extend_from_slice(&content[at..body]);
            mended.extend_from_slice(b"\r\n");
            at = body;
        }
        mended.extend_from_slice(&content[at..]);
        mended.into()
    }

    /// Whether the content itself changes.
    pub(super) fn changes_content(&self) -> bool {
        !self.dropped.is_empty() || self.body.is_some()
    }

    fn drop<'a>(&mut self, fields: impl Iterator<Item = &'a Field<'a>>) -> usize {
        let before = self.dropped.len();
        self.dropped.extend(fields.map(|field| field.range.clone()));
        self.dropped.len() - before
    }

    fn replace(&mut self, header: &Header<'_>, name: &str, value: &str) {
        self.drop(header.find_all(name));
        self.added.push_str(&format!("{name}: {value}\r\n"));
    }
}

/// The length of the `From ` line that programs take from an mbox, with what continues it. Below our trace header it would
/// be the end of the header.
fn envelope_line(content: &[u8]) -> usize {
    let is_field = |rest: &[u8]| rest.iter().find(|octet| !b" \t".contains(octet)) == Some(&b':');
    if content.strip_prefix(b"From ").is_none_or(is_field) {
        return 0;
    }
    let lines = content.split_inclusive(|&octet| octet == b'\n').enumerate();
    lines
        .take_while(|(number, line)| *number == 0 || line.starts_with(b" ") || line.starts_with(b"\t"))
        .map(|(_, line)| line.len())
        .sum()
}

/// Where the body begins, if no empty line says so.
fn unmarked_body(content: &[u8], header: &Header<'_>) -> Option<usize> {
    let end = header.octets();
    let fields_end = header.fields().last().map_or(envelope_line(content), |field| field.range.end);
    (end < content.len() && end == fields_end).then_some(end)
}

fn is_blank(field: &Field<'_>) -> bool {
    field.value.trim_ascii().is_empty()
}

/// Whether a Received field names the host as the one that wrote it: `by HOST` (RFC 5321 §4.4).
fn names(received: &Field<'_>, host_name: &str) -> bool {
    let mut words = received.value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let is_host = |word: &[u8]| word.trim_ascii_end().eq_ignore_ascii_case(host_name.as_bytes());
    words.any(|word| word.eq_ignore_ascii_case(b"by")) && words.next().is_some_and(is_host)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin<'_> = Origin {
        host_name: "mx.example.org",
        queue_id: QueueId(1_763_800_000_000 << 20),
        at: Timestamp(1_763_800_000_000),
    };
    const DATE: &str = "Date: Sat, 22 Nov 2025 08:26:40 +0000\r\n";
    const MESSAGE_ID: &str = "Message-ID: <1KANAR9G00000@mx.example.org>\r\n";

    /// What is kept of submitted content, and what is told of it.
    fn check(content: &str, expected: &str, added: &[&str], removed: &[&str]) {
        let facts = HeaderFacts::read(content.as_bytes(), Submitted::Yes, ORIGIN);
        let mended = facts.mending.apply(Bytes::copy_from_slice(content.as_bytes()));
        let mended = format!("{}{}", facts.mending.added, String::from_utf8_lossy(&mended));
        assert_eq!(mended, expected, "{content:?}");
        let submission = facts.submission.unwrap();
        assert!(submission.whole);
        assert_eq!((submission.added, submission.removed), (texts(added), texts(removed)), "{content:?}");
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    const COMPLETE: &str = "Date: x\r\nMessage-ID: <y>\r\n";

    #[test]
    fn what_is_missing_is_added() {
        let added = format!("{DATE}{MESSAGE_ID}");
        check("From: a@b\r\n\r\nx", &format!("{added}From: a@b\r\n\r\nx"), &["Date", "Message-ID"], &[]);
        check(
            "date: x\r\nFrom: a@b\r\n\r\nx",
            &format!("{MESSAGE_ID}date: x\r\nFrom: a@b\r\n\r\nx"),
            &["Message-ID"],
            &[],
        );
        check(
            "MESSAGE-ID:\r\n \r\nFrom: a@b\r\nDate: x\r\n",
            &format!("{MESSAGE_ID}From: a@b\r\nDate: x\r\n"),
            &["Message-ID"],
            &[],
        );
        check("", &added, &["Date", "Message-ID"], &[]);
        let whole = format!("{COMPLETE}From: a@b\r\n\r\nDate: in the body\r\nBcc: too\r\n");
        check(&whole, &whole, &[], &[]);
    }

    #[test]
    fn blind_copies_are_hidden_however_they_are_written() {
        let rest = format!("{COMPLETE}From: a@b\r\nTo: c@d\r\n\r\nBcc: in the body\r\n");
        for bcc in [
            "Bcc: secret@x\r\n",
            "BCC:secret@x\r\n",
            "bcc : secret@x,\r\n\tanother@y,\r\n third@z\r\n",
            "Bcc:\r\n",
            "Bcc: \r\n secret@x\r\nbCc: another@y\r\n",
        ] {
            check(&format!("{bcc}{rest}"), &rest, &[], &["Bcc"]);
            check(&rest.replacen("To:", &format!("{bcc}To:"), 1), &rest, &[], &["Bcc"]);
            check(&rest.replacen("\r\n\r\n", &format!("\r\n{bcc}\r\n"), 1), &rest, &[], &["Bcc"]);
        }
        check(&format!("Resent-Bcc: secret@x\r\n{rest}"), &rest, &[], &["Resent-Bcc"]);
        check("Bcc: secret@x", &format!("{DATE}{MESSAGE_ID}"), &["Date", "Message-ID"], &["Bcc"]);
        check(&format!("From ann@example.net Sun\r\n{rest}"), &rest, &[], &["line of an mbox"]);
        let other = format!("X-Bcc: a\r\nBccs: b\r\n{rest}");
        check(&other, &other, &[], &[]);
    }

    #[test]
    fn a_body_begins_where_an_empty_line_says_so() {
        check(
            &format!("{COMPLETE}From: a@b\r\nHello there\r\nBcc: no field\r\n"),
            &format!("{COMPLETE}From: a@b\r\n\r\nHello there\r\nBcc: no field\r\n"),
            &[],
            &[],
        );
        check(
            &format!("{COMPLETE}Bcc: secret@x\r\nHello there\r\n"),
            &format!("{COMPLETE}\r\nHello there\r\n"),
            &[],
            &["Bcc"],
        );
        check(
            "Hello there\r\n",
            &format!("{DATE}{MESSAGE_ID}\r\nHello there\r\n"),
            &["Date", "Message-ID"],
            &[],
        );
    }

    #[test]
    fn only_what_is_submitted_is_mended() {
        let relayed = b"Received: from a by b; x\r\nBcc: kept@x\r\n\r\n";
        let fresh = b"Bcc: secret@x\r\n\r\n";
        for (content, submitted, expected) in [
            (&relayed[..], Submitted::Yes, true),
            (relayed, Submitted::Unmarked, false),
            (fresh, Submitted::Unmarked, true),
            (fresh, Submitted::No, false),
        ] {
            let facts = HeaderFacts::read(content, submitted, ORIGIN);
            assert_eq!(facts.submission.is_some(), expected);
            assert_eq!(facts.mending != Mending::default(), expected);
        }
    }

    #[test]
    fn a_header_without_end_is_not_whole() {
        for header in ["Bcc: b\r\n".repeat(SUBMITTED_HEADER_OCTETS_MAX / 8 + 1), "A: b\r\n".repeat(2_001)] {
            let facts = HeaderFacts::read(format!("{header}\r\n").as_bytes(), Submitted::Yes, ORIGIN);
            assert!(!facts.submission.unwrap().whole);
        }
    }

    #[test]
    fn received_fields_of_ours_are_known() {
        let content = b"Received: from x ([192.0.2.1])\r\n by MX.example.org with ESMTP id 1;\r\n now\r\n\
            Received: from mx.example.org by other.example; now\r\n\
            Received: by mx.example.org.example; now\r\nReceived:\r\n\r\nReceived: by mx.example.org x\r\n";
        let facts = HeaderFacts::read(content, Submitted::No, ORIGIN);
        assert_eq!((facts.received, facts.received_here), (4, 1));
    }

    /// As it is kept.
    fn mended(content: &[u8]) -> Vec<u8> {
        let facts = HeaderFacts::read(content, Submitted::Yes, ORIGIN);
        [facts.mending.added.as_bytes(), &facts.mending.apply(Bytes::copy_from_slice(content))].concat()
    }

    proptest! {
        /// What is kept has one Date and one Message-ID at least, and no reader finds Bcc before its first empty line; it
        /// ends as what came, and there is nothing more to mend in it.
        #[test]
        fn whatever_is_submitted_is_complete_and_tells_of_nobody(
            lines in prop::collection::vec(
                "(bcc|BCC|Resent-Bcc|Date|Message-ID|From|Received|X| |\t|)( |)(:|)( |)[a-z@.]{0,3}\r\n", 0..9,
            ),
            body in "(\r\n|)[a-zB:\r\n ]{0,20}",
        ) {
            let content = lines.concat() + &body;
            let kept = mended(content.as_bytes());
            let text = String::from_utf8(kept.clone()).unwrap();
            let header = text.split("\r\n").take_while(|line| !line.is_empty());
            for line in header.map(str::to_ascii_lowercase) {
                let name = line.split(':').next().unwrap().trim_end();
                prop_assert!(!line.contains(':') || name != "bcc" && name != "resent-bcc", "{text:?}");
            }
            let read = Header::parse(&kept);
            prop_assert!(read.find("Date").is_some() && read.find("Message-ID").is_some());
            prop_assert_eq!(mended(&kept), kept.clone());
            let body = content.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            prop_assert!(text.ends_with(body), "{text:?}");
        }
    }
}
