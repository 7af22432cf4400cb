//! What the extensions of IMAP ask of a mailbox: CONDSTORE and QRESYNC, BINARY, MULTIAPPEND, CREATE-SPECIAL-USE.

#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod support;

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, SearchKey, Section, SectionText, SpecialUse, Timestamp, Uid, UidSet};
use mailboxes::{Error, Form, Open, Piece, Wanted, Wants, limits};
use proptest::prelude::*;
use store::change::FlagMode;
use support::*;

/// RFC 7162 §3.2.5: from any mod-sequence, flags of all that changed and UIDs of all that vanished.
#[test]
fn a_client_that_was_away_catches_up() {
    run(async |place: Place| {
        for _ in 0..6 {
            place.deliver(PLAIN).await;
        }
        let open = place.inbox().await;
        let start = open.changes(ModSeq(0)).await.unwrap().highest_modseq;
        open.set_flags(&uids(&[2, 3]), (FlagMode::Add, &[Flag::Flagged]), None).await.unwrap();
        open.set_flags(&uids(&[5]), (FlagMode::Add, &[Flag::Deleted]), None).await.unwrap();
        open.expunge(None).await.unwrap();
        place.deliver(PLAIN).await;

        let back = place.inbox().await;
        let changes = back.changes(start).await.unwrap();
        let flags: Vec<_> = changes.flags.iter().map(|row| row.uid.0).collect();
        assert_eq!((flags, changes.rest.is_empty()), (vec![2, 3, 7], true));
        assert_eq!((changes.vanished, changes.arrived), (uids(&[5]), UidSet::new()));
        assert_eq!(back.vanished(start, None).await.unwrap(), uids(&[5]));
        assert_eq!(back.vanished(start, Some(&uids(&[1, 2]))).await.unwrap(), UidSet::new());
        assert_eq!(back.vanished(changes.highest_modseq, None).await.unwrap(), UidSet::new());
        // Before all that is remembered: never fewer.
        assert_eq!(back.vanished(ModSeq(0), None).await.unwrap(), uids(&[5]));

        let wants = Wants { changed_since: Some(start), ..Wants::default() };
        let fetched = back.fetch(&UidSet::from_runs([(1, 3)]), &wants).await.unwrap();
        assert_eq!(fetched.rows.iter().map(|row| row.uid.0).collect::<Vec<_>>(), [2, 3]);
        let highest = fetched.rows[0].modseq;
        let search = |least: u64| SearchKey::ModSeq(ModSeq(least));
        assert_eq!(back.search(&search(highest.0)).await.unwrap(), uids(&[2, 3, 7]));
        assert_eq!(back.search(&search(0)).await.unwrap(), uids(&[1, 2, 3, 4, 6, 7]));
        let not = SearchKey::Not(Box::new(search(highest.0)));
        assert_eq!(back.search(&not).await.unwrap(), uids(&[1, 4, 6]));
        assert_eq!(back.highest_modseq(&uids(&[1, 2])).await.unwrap(), Some(highest));
        assert_eq!(back.highest_modseq(&uids(&[5, 99])).await.unwrap(), None);
    });
}

#[test]
fn many_changes_come_in_portions() {
    run(async |place: Place| {
        let total = limits::ANSWER_ROWS_MAX as u32 + 4;
        for _ in 0..total {
            place.deliver(PLAIN).await;
        }
        let open = place.inbox().await;
        let changes = open.changes(ModSeq(0)).await.unwrap();
        assert_eq!(changes.flags.len(), limits::ANSWER_ROWS_MAX);
        assert_eq!(changes.rest, UidSet::from_runs([(total - 3, total)]));
        let wants = Wants { changed_since: Some(ModSeq(0)), ..Wants::default() };
        let first = open.fetch(&UidSet::from_runs([(1, u32::MAX)]), &wants).await.unwrap();
        assert_eq!((first.rows.len(), first.rest), (limits::ANSWER_ROWS_MAX, changes.rest));
    });
}

/// RFC 7162 §3.1.3.
#[test]
fn flags_are_stored_unless_they_changed_meanwhile() {
    run(async |place: Place| {
        for _ in 0..3 {
            place.deliver(PLAIN).await;
        }
        let open = place.inbox().await;
        let known = open.changes(ModSeq(0)).await.unwrap().highest_modseq;
        open.set_flags(&uids(&[2]), (FlagMode::Add, &[Flag::Seen]), None).await.unwrap();
        let all = UidSet::from_runs([(1, 99)]);
        let stored = open.set_flags(&all, (FlagMode::Add, &[Flag::Flagged]), Some(known)).await.unwrap();
        assert_eq!(stored.modified, uids(&[2]));
        assert_eq!(stored.rows.iter().map(|row| row.uid.0).collect::<Vec<_>>(), [1, 3]);
        assert!(stored.rows.iter().all(|row| row.flags == [Flag::Flagged] && row.modseq > known));
        let second = fetch_one(&open, Uid(2), Wants::default()).await;
        assert_eq!(second.flags, [Flag::Seen]);
        let none = open.set_flags(&all, (FlagMode::Set, &[]), Some(ModSeq(0))).await.unwrap();
        assert_eq!((none.modified, none.rows), (uids(&[1, 2, 3]), vec![]));
    });
}

#[test]
fn status_counts_what_is_deleted() {
    run(async |place: Place| {
        for _ in 0..3 {
            place.deliver(PLAIN).await;
        }
        let open = place.inbox().await;
        open.set_flags(&uids(&[1, 3]), (FlagMode::Add, &[Flag::Deleted]), None).await.unwrap();
        let status = place.mailboxes.status(place.account, &MailboxPath::inbox()).await.unwrap();
        assert_eq!((status.deleted, status.messages), (2, 3));
    });
}

/// RFC 6154 §3.
#[test]
fn a_mailbox_is_made_with_its_use() {
    run(async |place: Place| {
        let create = async |name: &str, special_use| {
            place.mailboxes.create(place.account, &path(name), Some(special_use)).await
        };
        create("Sent things", SpecialUse::Sent).await.unwrap();
        assert!(matches!(create("Sent", SpecialUse::Sent).await, Err(Error::Cannot(_))));
        assert!(matches!(create("Everything", SpecialUse::All).await, Err(Error::Cannot(_))));
        let uses: Vec<_> = place
            .mailboxes
            .list(place.account)
            .await
            .unwrap()
            .into_iter()
            .map(|named| (named.path.to_string(), named.special_use))
            .collect();
        assert_eq!(uses, [("INBOX".into(), None), ("Sent things".into(), Some(SpecialUse::Sent))]);
    });
}

/// RFC 3502 §6.3.11: all or none.
#[test]
fn many_emails_are_appended_in_one_commit() {
    run(async |place: Place| {
        let inbox = MailboxPath::inbox();
        let large = "x".repeat(300 * 1024);
        let contents = ["A: 1\r\n\r\n", large.as_str(), "A: 3\r\n\r\n"];
        let mut append =
            place.mailboxes.append(place.account, &inbox, contents[0].len() as u64).await.unwrap();
        for (number, content) in contents.into_iter().enumerate() {
            if number > 0 {
                append.another(content.len() as u64);
            }
            append.push(Bytes::copy_from_slice(content.as_bytes())).await.unwrap();
            if number < 2 {
                append.next(vec![Flag::Draft], Some(Timestamp(1000 * number as i64))).await.unwrap();
            }
        }
        let before = place.mailboxes.status(place.account, &inbox).await.unwrap();
        assert_eq!((before.messages, before.highest_modseq), (0, ModSeq(1)));
        let appended = append.finish(vec![Flag::Seen], None).await.unwrap();
        assert_eq!((appended.validity, appended.uids), (7, uids(&[1, 2, 3])));
        let open = place.inbox().await;
        let wants = Wants { facts: true, ..Wants::default() };
        let rows = open.fetch(&uids(&[1, 2, 3]), &wants).await.unwrap().rows;
        let facts: Vec<_> = rows.iter().map(|row| row.facts.unwrap()).collect();
        let sizes: Vec<_> = facts.iter().map(|(_, size)| *size as usize).collect();
        assert_eq!(sizes, contents.map(str::len));
        assert_eq!((&rows[1].flags[..], facts[1].0), (&[Flag::Draft][..], Timestamp(1000)));
        assert_eq!(rows[2].flags, [Flag::Seen]);

        let mut append = place.mailboxes.append(place.account, &inbox, 8).await.unwrap();
        append.push("A: b\r\n\r\n".into()).await.unwrap();
        append.next(vec![], None).await.unwrap();
        drop(append);
        let keywords = |range: std::ops::Range<usize>| -> Vec<_> {
            range.map(|number| Flag::Keyword(format!("k{number}"))).collect()
        };
        let mut append = place.mailboxes.append(place.account, &inbox, 8).await.unwrap();
        append.next(keywords(0..limits::KEYWORDS_MAX), None).await.unwrap();
        append.another(8);
        let too_many = append.finish(keywords(limits::KEYWORDS_MAX..limits::KEYWORDS_MAX + 1), None).await;
        assert!(matches!(too_many, Err(Error::Cannot(_))));
        let after = place.mailboxes.status(place.account, &inbox).await.unwrap();
        assert_eq!(after.messages, 3);
    });
}

#[test]
fn what_many_emails_hold_until_their_commit_is_bounded() {
    run(async |place: Place| {
        let piece = Bytes::from(vec![b'x'; store::limits::INLINE_CONTENT_OCTETS_MAX]);
        let inbox = MailboxPath::inbox();
        let mut append = place.mailboxes.append(place.account, &inbox, piece.len() as u64).await.unwrap();
        for _ in 0..20 {
            append.push(piece.clone()).await.unwrap();
            append.next(vec![], None).await.unwrap();
            assert!(append.held() <= limits::APPEND_HELD_OCTETS_MAX);
            append.another(piece.len() as u64);
        }
        append.push(piece).await.unwrap();
        assert_eq!(append.finish(vec![], None).await.unwrap().uids.len(), 21);
    });
}

fn binary(part: &[u32], partial: Option<(u64, u64)>) -> Wanted {
    let section = Section { part: part.to_vec(), text: SectionText::Whole };
    Wanted { section, partial, form: Form::Decoded }
}

fn octets(text: &'static str) -> Piece {
    Piece::Octets { length: text.len() as u64, start: text.into() }
}

/// RFC 3516 §4.2.
#[test]
fn parts_are_decoded() {
    run(async |place: Place| {
        let text = "Content-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs\r\nbG8=\r\n\
            --b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc\r\n\
            --b\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin\r\n\
            --b\r\n\r\nplain\r\n--b--\r\n";
        let uid = place.deliver(text).await;
        let open = place.inbox().await;
        let parts: Vec<Vec<u32>> = (1..=5).map(|number| vec![number]).collect();
        let mut sections: Vec<_> = parts.iter().map(|part| binary(part, None)).collect();
        sections.push(binary(&[1], Some((1, 2))));
        sections.push(binary(&[1], Some((9, 2))));
        sections.push(binary(&[], Some((0, 6))));
        let wants = Wants { sections, binary_sizes: parts, ..Wants::default() };
        let row = fetch_one(&open, uid, wants).await;
        let expected = [
            octets("Hello"),
            octets("a=bc"),
            Piece::Undecodable,
            octets("plain"),
            Piece::Missing,
            octets("el"),
            octets(""),
            octets("Return"),
        ];
        assert_eq!(row.sections, expected);
        assert_eq!(row.binary_sizes, [Some(5), Some(4), None, Some(5), None]);
    });
}

async fn read_decoded(open: &Open, uid: Uid, mut read: Vec<u8>) -> Vec<u8> {
    let section = Section { part: vec![1], text: SectionText::Whole };
    loop {
        let piece = open.read(uid, (&section, Form::Decoded), read.len() as u64).await.unwrap();
        assert!(piece.len() <= limits::ANSWER_OCTETS_MAX);
        if piece.is_empty() {
            return read;
        }
        read.extend_from_slice(&piece);
    }
}

#[test]
fn a_large_part_is_decoded_piece_by_piece() {
    run(async |place: Place| {
        let line = "=41=42 and much more of it, so that a line is long enough =\r\n";
        let body = line.repeat(8_000);
        let text = format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{body}end");
        let decoded = "AB and much more of it, so that a line is long enough ".repeat(8_000) + "end";
        let uid = place.append("INBOX", &text, vec![]).await.unwrap();
        let open = place.inbox().await;
        for room in [0, 1, 40_000] {
            let fill = Wanted { partial: Some((0, room)), ..binary(&[1], None) };
            let wants = Wants { sections: vec![fill, binary(&[1], None)], ..Wants::default() };
            let row = fetch_one(&open, uid, wants).await;
            let Piece::Octets { length, start } = row.sections[1].clone() else { panic!() };
            assert_eq!(length, decoded.len() as u64);
            assert!(start.len() as u64 + room <= limits::ANSWER_OCTETS_MAX as u64);
            let read = read_decoded(&open, uid, start.to_vec()).await;
            assert!(read == decoded.as_bytes(), "{} octets of {}", read.len(), decoded.len());
        }
        // Backwards, too.
        let section = Section { part: vec![1], text: SectionText::Whole };
        for offset in [200_000, 100_000, 3] {
            let piece = open.read(uid, (&section, Form::Decoded), offset as u64).await.unwrap();
            assert!(!piece.is_empty() && decoded.as_bytes()[offset..].starts_with(&piece));
        }
    });
}

/// RFC 3501 §6.4.4, RFC 2047, RFC 5051: charsets and encodings are taken off, case does not matter.
#[test]
fn search_reads_charsets() {
    run(async |place: Place| {
        let emails: [&[u8]; 5] = [
            b"Subject: =?koi8-r?b?8NLJ18XU?=\r\n\r\nnothing",
            b"Subject: Gr\xfc\xdfe\r\n\r\nnothing",
            b"Subject: a\r\nContent-Type: text/plain; charset=Shift_JIS\r\nContent-Transfer-Encoding: base64\r\n\r\ngqCCog==",
            b"Subject: b\r\nContent-Type: text/html; charset=iso-8859-2\r\n\
              Content-Transfer-Encoding: quoted-printable\r\n\r\n<b>=A3=F3d=BC</b>",
            b"Subject: c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/x\r\n\r\n\
              hidden\r\n--b\r\n\r\nSTRA\xc3\x9fE\r\n--b--\r\n",
        ];
        for email in emails {
            let mut append = place.mailboxes.append(place.account, &MailboxPath::inbox(), 99).await.unwrap();
            append.push(Bytes::copy_from_slice(email)).await.unwrap();
            append.finish(vec![], None).await.unwrap();
        }
        let open = place.inbox().await;
        let subject = |text: &str| SearchKey::Header("Subject".into(), text.into());
        let body = |text: &str| SearchKey::Body(text.into());
        for (key, expected) in [
            (subject("ПРИВЕТ"), &[1][..]),
            (subject("GRÜSS"), &[2]),
            (subject(""), &[1, 2, 3, 4, 5]),
            (SearchKey::Header("To".into(), String::new()), &[]),
            (body("い"), &[3]),
            (body("łóDŹ"), &[4]),
            (body("strasse"), &[5]),
            (body("hidden"), &[]),
            (SearchKey::Text("grüße".into()), &[2]),
            (SearchKey::Text("nothing".into()), &[1, 2]),
        ] {
            assert_eq!(open.search(&key).await.unwrap(), uids(expected), "{key:?}");
        }
    });
}

/// What a session does to a mailbox.
#[derive(Debug, Clone)]
enum Step {
    Deliver,
    Flag { first: u32, last: u32, mode: u8, flag: u8 },
    Expunge { first: u32, last: u32 },
    Move { first: u32, last: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let span = || (1_u32..9, 0_u32..4).prop_map(|(first, more)| (first, first + more));
    prop_oneof![
        3 => Just(Step::Deliver),
        4 => (span(), 0_u8..3, 0_u8..4).prop_map(|((first, last), mode, flag)| Step::Flag { first, last, mode, flag }),
        1 => span().prop_map(|(first, last)| Step::Expunge { first, last }),
        1 => span().prop_map(|(first, last)| Step::Move { first, last }),
    ]
}

async fn play(place: &Place, open: &Open, step: Step) {
    let set = |first, last| UidSet::from_runs([(first, last)]);
    match step {
        Step::Deliver => drop(place.deliver(PLAIN).await),
        Step::Flag { first, last, mode, flag } => {
            let mode = [FlagMode::Set, FlagMode::Add, FlagMode::Remove][usize::from(mode)];
            let keyword = |name: &str| Flag::Keyword(name.into());
            let flag =
                [Flag::Seen, Flag::Deleted, keyword("work"), keyword("$Junk")][usize::from(flag)].clone();
            let stored = open.set_flags(&set(first, last), (mode, &[flag]), None).await.unwrap();
            assert_eq!(stored.rows, shown(open, &set(first, last)).await);
        }
        Step::Expunge { first, last } => open.expunge(Some(&set(first, last))).await.unwrap(),
        Step::Move { first, last } => {
            open.move_to(&set(first, last), &path("other")).await.unwrap();
        }
    }
}

async fn shown(open: &Open, uids: &UidSet) -> Vec<mailboxes::Row> {
    open.fetch(uids, &Wants::default()).await.unwrap().rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is kept in memory never differs from what is in the store.
    #[test]
    fn whoever_has_read_before_sees_what_a_newcomer_sees(steps in prop::collection::vec(step(), 1..25)) {
        run(async |place: Place| {
            place.mailboxes.create(place.account, &path("other"), None).await.unwrap();
            let open = place.inbox().await;
            let all = UidSet::from_runs([(1, 99)]);
            for step in steps {
                play(&place, &open, step).await;
                let newcomers = place.newcomers();
                let (fresh, opened) = newcomers.open(place.account, &MailboxPath::inbox()).await.unwrap();
                let (_, again) = place.mailboxes.open(place.account, &MailboxPath::inbox()).await.unwrap();
                assert_eq!(opened, again);
                assert_eq!(shown(&open, &all).await, shown(&fresh, &all).await);
            }
        });
    }
}
