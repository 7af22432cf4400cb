//! Everything a reader can do, over a store on disk.

#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod support;

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, SearchKey, Section, SectionText, Timestamp, Uid, UidSet};
use mailboxes::maildrop::{Busy, Pace};
use mailboxes::{Error, Form, Piece, Wanted, Wants, limits};
use store::change::FlagMode;
use support::*;

/// As often as one likes.
fn often() -> Pace {
    Pace { now: world::Clock::Real.now(), interval: std::time::Duration::ZERO }
}

#[test]
fn mailboxes_are_made_listed_renamed_and_removed() {
    run(async |place: Place| {
        let (mailboxes, account) = (&place.mailboxes, place.account);
        mailboxes.create(account, &path("a/b/c"), None).await.unwrap();
        assert_eq!(mailboxes.create(account, &path("a/b"), None).await, Err(Error::Exists));
        assert_eq!(mailboxes.create(account, &path("inbox"), None).await, Err(Error::Exists));
        mailboxes.subscribe(account, &path("a/b"), true).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "a", "+a/b", "a/b/c"]);
        mailboxes.delete(account, &path("a/b")).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "a", "!+a/b", "a/b/c"]);
        assert!(matches!(mailboxes.delete(account, &path("a/b")).await, Err(Error::Cannot(_))));
        mailboxes.rename(account, &path("a"), &path("x/y")).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "?+a/b", "x", "x/y", "!x/y/b", "x/y/b/c"]);
        mailboxes.create(account, &path("a/b"), None).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "a", "+a/b", "x", "x/y", "!x/y/b", "x/y/b/c"]);
        mailboxes.delete(account, &path("a/b")).await.unwrap();
        mailboxes.delete(account, &path("a")).await.unwrap();
        mailboxes.delete(account, &path("x/y/b/c")).await.unwrap();
        mailboxes.subscribe(account, &path("a/b"), false).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "x", "x/y"]);
        assert_eq!(mailboxes.delete(account, &path("nope")).await, Err(Error::NoSuchMailbox));
        assert!(matches!(mailboxes.delete(account, &path("INBOX")).await, Err(Error::Cannot(_))));
    });
}

#[test]
fn a_name_that_is_used_again_has_a_greater_uid_validity() {
    run(async |place: Place| {
        let mut last = 0;
        for _ in 0..3 {
            place.mailboxes.create(place.account, &path("again"), None).await.unwrap();
            let validity = place.mailboxes.status(place.account, &path("again")).await.unwrap().uid_validity;
            assert!(validity > last, "{validity} after {last}");
            last = validity;
            place.mailboxes.delete(place.account, &path("again")).await.unwrap();
        }
    });
}

#[test]
fn renaming_inbox_moves_its_emails() {
    run(async |place: Place| {
        place.deliver(PLAIN).await;
        place.deliver(MIXED).await;
        place.mailboxes.rename(place.account, &MailboxPath::inbox(), &path("old/mail")).await.unwrap();
        assert_eq!(place.names().await, ["+INBOX", "old", "old/mail"]);
        assert_eq!(place.mailboxes.status(place.account, &MailboxPath::inbox()).await.unwrap().messages, 0);
        assert_eq!(place.mailboxes.status(place.account, &path("old/mail")).await.unwrap().messages, 2);
        let again = place.mailboxes.rename(place.account, &MailboxPath::inbox(), &path("old")).await;
        assert_eq!(again, Err(Error::Exists));
    });
}

#[test]
fn an_open_mailbox_tells_what_changed() {
    run(async |place: Place| {
        let first = place.deliver(PLAIN).await;
        place.deliver(PLAIN).await;
        let other = place.inbox().await;
        other.set_flags(&first.into(), (FlagMode::Add, &[Flag::Seen]), None).await.unwrap();
        let (open, opened) = place.mailboxes.open(place.account, &MailboxPath::inbox()).await.unwrap();
        assert_eq!((opened.uids, opened.uid_next, opened.uid_validity), (uids(&[1, 2]), 3, 7));
        assert_eq!(opened.first_unseen, Some(Uid(2)));

        let changes = open.changes(opened.highest_modseq).await.unwrap();
        assert_eq!(changes.highest_modseq, opened.highest_modseq);
        assert!(changes.vanished.is_empty() && changes.arrived.is_empty() && changes.flags.is_empty());

        place.deliver(MIXED).await;
        place.deliver(MIXED).await;
        other
            .set_flags(&uids(&[2, 3]), (FlagMode::Set, &[Flag::Flagged, Flag::Deleted]), None)
            .await
            .unwrap();
        other.set_flags(&uids(&[1]), (FlagMode::Add, &[Flag::Deleted]), None).await.unwrap();
        other.expunge(Some(&uids(&[1, 4]))).await.unwrap();
        let changes = open.changes(opened.highest_modseq).await.unwrap();
        assert_eq!(changes.arrived, uids(&[3, 4]));
        assert_eq!(changes.vanished, uids(&[1]));
        let flags: Vec<_> = changes.flags.into_iter().map(|row| (row.uid, row.flags)).collect();
        assert_eq!(flags, [(Uid(2), vec![Flag::Flagged, Flag::Deleted])]);

        let again = open.changes(changes.highest_modseq).await.unwrap();
        assert!(again.arrived.is_empty() && again.vanished.is_empty() && again.flags.is_empty(), "{again:?}");
        assert!(changes.highest_modseq > opened.highest_modseq);
    });
}

#[test]
fn sections_of_an_email_count_its_prefix_in() {
    run(async |place: Place| {
        let plain = place.deliver(PLAIN).await;
        let mixed = place.deliver(MIXED).await;
        let open = place.inbox().await;
        let names = || vec!["SUBJECT".to_owned(), "delivered-to".to_owned()];
        let sections = vec![
            section(&[], SectionText::Whole),
            section(&[], SectionText::Header),
            section(&[], SectionText::Text),
            section(&[], SectionText::HeaderFields(names())),
            section(&[1], SectionText::Whole),
            section(&[2], SectionText::Whole),
        ];
        let row =
            fetch_one(&open, plain, Wants { sections: sections.clone(), envelope: true, ..Wants::default() })
                .await;
        let whole = format!("{PREFIX}{PLAIN}");
        let body = "Good morning\r\n";
        assert_eq!(row.facts.unwrap().1, whole.len() as u64);
        let shown: Vec<_> = row
            .sections
            .iter()
            .map(|piece| start(piece).map(|start| std::str::from_utf8(start).unwrap()))
            .collect();
        let header = &whole[..whole.len() - body.len()];
        let fields = "Delivered-To: ann@example.org\r\nSubject: Hello\r\n\r\n";
        assert_eq!(shown, [Some(&*whole), Some(header), Some(body), Some(fields), Some(body), None]);
        assert_eq!(row.envelope.unwrap().subject.as_deref(), Some(&b"Hello"[..]));

        let row = fetch_one(&open, mixed, Wants { sections, structure: true, ..Wants::default() }).await;
        assert_eq!(row.structure.unwrap().parts.len(), 2);
        assert_eq!(start(&row.sections[4]).unwrap(), "U2Now7ZuZXMgV2V0dGVy");
        assert_eq!(start(&row.sections[5]).unwrap(), "12345678");
    });
}

#[test]
fn partial_fetches_and_seen() {
    run(async |place: Place| {
        let uid = place.deliver(PLAIN).await;
        let open = place.inbox().await;
        let text = Section { part: vec![], text: SectionText::Text };
        let partial = |partial| Wanted { section: text.clone(), partial: Some(partial), form: Form::Raw };
        let sections = vec![partial((5, 3)), partial((5, 99)), partial((99, 1))];
        let row = fetch_one(&open, uid, Wants { sections, mark_seen: true, ..Wants::default() }).await;
        let octets = |start: &'static str| Piece::Octets { length: start.len() as u64, start: start.into() };
        assert_eq!(row.sections, [octets("mor"), octets("morning\r\n"), octets("")]);
        assert_eq!(row.flags, [Flag::Seen]);
        let again = fetch_one(&open, uid, Wants { mark_seen: true, ..Wants::default() }).await;
        assert_eq!((again.flags, again.modseq), (vec![Flag::Seen], row.modseq));
        let status = place.mailboxes.status(place.account, &MailboxPath::inbox()).await.unwrap();
        assert_eq!((status.unseen, status.highest_modseq), (0, row.modseq));
    });
}

#[test]
fn an_answer_holds_no_more_than_its_limits() {
    run(async |place: Place| {
        for _ in 0..limits::ANSWER_ROWS_MAX + 3 {
            place.deliver(PLAIN).await;
        }
        let open = place.inbox().await;
        let all = UidSet::from_runs([(1, u32::MAX)]);
        let fetched = open.fetch(&all, &Wants::default()).await.unwrap();
        assert_eq!(fetched.rows.len(), limits::ANSWER_ROWS_MAX);
        let rest = open.fetch(&fetched.rest, &Wants::default()).await.unwrap();
        assert_eq!((rest.rows.len(), rest.rest.is_empty()), (3, true));

        let long = format!("Subject: long\r\n\r\n{}", "0123456789abcde\n".repeat(2500));
        for _ in 0..4 {
            place.deliver(&long).await;
        }
        let wants = Wants { sections: vec![section(&[], SectionText::Whole)], ..Wants::default() };
        let mut rest = UidSet::from_runs([(limits::ANSWER_ROWS_MAX as u32 + 4, u32::MAX)]);
        let mut seen = Vec::new();
        while !rest.is_empty() {
            let fetched = open.fetch(&rest, &wants).await.unwrap();
            let octets: usize =
                fetched.rows.iter().flat_map(|row| &row.sections).filter_map(start).map(Bytes::len).sum();
            assert!(octets <= limits::ANSWER_OCTETS_MAX, "{octets}");
            seen.extend(fetched.rows.iter().map(|row| row.uid.0));
            rest = fetched.rest;
        }
        assert_eq!(seen, [260, 261, 262, 263]);
    });
}

#[test]
fn a_large_section_is_read_piece_by_piece_even_if_it_is_expunged_meanwhile() {
    run(async |place: Place| {
        let part = "All work and no play makes Jack a dull boy.\r\n".repeat(20_000);
        let large = format!(
            "Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{part}--b\r\n\r\nsmall\r\n--b--\r\n"
        );
        let uid = place.append("INBOX", &large, vec![]).await.unwrap();
        let open = place.inbox().await;
        for (number, whole) in [(vec![1], part.strip_suffix("\r\n").unwrap()), (vec![], &large)] {
            let wanted = Section { part: number, text: SectionText::Whole };
            let wants =
                Wants { sections: vec![section(&wanted.part, SectionText::Whole)], ..Wants::default() };
            let row = fetch_one(&open, uid, wants).await;
            let Piece::Octets { length, start: first } = row.sections[0].clone() else { panic!() };
            assert_eq!(length, whole.len() as u64);
            open.set_flags(&uid.into(), (FlagMode::Add, &[Flag::Deleted]), None).await.unwrap();
            if wanted.part.is_empty() {
                open.expunge(None).await.unwrap();
            }
            let mut read = first.to_vec();
            loop {
                let piece = open.read(uid, (&wanted, Form::Raw), read.len() as u64).await.unwrap();
                assert!(piece.len() <= limits::ANSWER_OCTETS_MAX);
                if piece.is_empty() {
                    break;
                }
                read.extend_from_slice(&piece);
            }
            assert!(read == whole.as_bytes(), "{} octets of {}", read.len(), whole.len());
        }
        assert!(open.fetch(&uid.into(), &Wants::default()).await.unwrap().rows.is_empty());
    });
}

#[test]
fn search() {
    run(async |place: Place| {
        place.deliver(PLAIN).await;
        place.deliver(MIXED).await;
        place
            .append("INBOX", "Subject: none\r\n\r\nlonger text than the others, by far\r\n", vec![Flag::Seen])
            .await
            .unwrap();
        let open = place.inbox().await;
        let header = |name: &str, text: &str| SearchKey::Header(name.into(), text.into());
        let not = |key| SearchKey::Not(Box::new(key));
        let day = Timestamp(1_763_769_600_000);
        let cases = [
            (SearchKey::All, vec![1, 2, 3]),
            (SearchKey::Flag(Flag::Seen), vec![3]),
            (not(SearchKey::Flag(Flag::Seen)), vec![1, 2]),
            (SearchKey::Uids(uids(&[2, 3, 9])), vec![2, 3]),
            (SearchKey::And(vec![SearchKey::Uids(uids(&[1, 2])), not(SearchKey::Uids(uids(&[1])))]), vec![2]),
            (SearchKey::Larger(300), vec![2]),
            (SearchKey::Smaller(100), vec![3]),
            (SearchKey::Since(day), vec![1, 2, 3]),
            (SearchKey::Before(day), vec![]),
            (SearchKey::SentSince(day), vec![1]),
            (SearchKey::SentBefore(day.plus_days(1)), vec![1]),
            (SearchKey::SentBefore(day), vec![]),
            (header("from", "BOB"), vec![1]),
            (header("Subject", "grüß"), vec![2]),
            (header("Date", ""), vec![1]),
            (header("X-None", ""), vec![]),
            (SearchKey::Body("good MORNING".into()), vec![1]),
            (SearchKey::Body("schönes wetter".into()), vec![2]),
            (SearchKey::Body("Subject".into()), vec![]),
            (SearchKey::Text("delivered-to".into()), vec![1, 2]),
            (SearchKey::Text("wetter".into()), vec![2]),
            (
                SearchKey::Or(
                    Box::new(SearchKey::Flag(Flag::Seen)),
                    Box::new(SearchKey::Body("morning".into())),
                ),
                vec![1, 3],
            ),
            (
                not(SearchKey::Or(Box::new(SearchKey::Flag(Flag::Seen)), Box::new(header("from", "bob")))),
                vec![2],
            ),
        ];
        for (key, expected) in cases {
            assert_eq!(open.search(&key).await.unwrap(), uids(&expected), "{key:?}");
        }
    });
}

#[test]
fn flags_are_set_and_emails_copied_moved_and_expunged() {
    run(async |place: Place| {
        for _ in 0..4 {
            place.deliver(PLAIN).await;
        }
        place.mailboxes.create(place.account, &path("Archive"), None).await.unwrap();
        let open = place.inbox().await;
        let keyword = Flag::Keyword("$Work".into());
        let rows = open
            .set_flags(&uids(&[1, 2, 9]), (FlagMode::Add, &[Flag::Deleted, keyword.clone()]), None)
            .await
            .unwrap();
        assert_eq!(rows.rows.iter().map(|row| row.uid.0).collect::<Vec<_>>(), [1, 2]);
        let rows = open.set_flags(&uids(&[2]), (FlagMode::Remove, &[Flag::Deleted]), None).await.unwrap();
        assert_eq!(rows.rows[0].flags, std::slice::from_ref(&keyword));
        assert_eq!(
            place.mailboxes.open(place.account, &MailboxPath::inbox()).await.unwrap().1.keywords,
            std::slice::from_ref(&keyword)
        );

        let copied = open.copy(&uids(&[1, 2, 9]), &path("Archive")).await.unwrap();
        assert_eq!((copied.source, copied.target), (uids(&[1, 2]), uids(&[1, 2])));
        let moved = open.move_to(&uids(&[3, 9]), &path("Archive")).await.unwrap();
        assert_eq!((moved.source, moved.target), (uids(&[3]), uids(&[3])));
        assert_eq!(moved.validity, copied.validity);
        assert_eq!(open.copy(&uids(&[1]), &path("nope")).await, Err(Error::NoSuchMailbox));
        assert_eq!(open.move_to(&uids(&[1]), &path("nope")).await, Err(Error::NoSuchMailbox));
        let within = open.move_to(&uids(&[4]), &path("inbox")).await.unwrap();
        assert_eq!((within.source, within.target), (uids(&[4]), uids(&[5])));

        open.expunge(Some(&uids(&[2, 5]))).await.unwrap();
        assert_eq!(open.search(&SearchKey::All).await.unwrap(), uids(&[1, 2, 5]));
        open.expunge(None).await.unwrap();
        assert_eq!(open.search(&SearchKey::All).await.unwrap(), uids(&[2, 5]));
        let archive = place.mailboxes.open(place.account, &path("Archive")).await.unwrap().0;
        let row = fetch_one(
            &archive,
            Uid(2),
            Wants { sections: vec![section(&[], SectionText::Whole)], ..Wants::default() },
        )
        .await;
        assert_eq!(row.flags, [keyword]);
        assert_eq!(*start(&row.sections[0]).unwrap(), format!("{PREFIX}{PLAIN}"));
    });
}

#[test]
fn keywords_are_bounded() {
    run(async |place: Place| {
        let uid = place.deliver(PLAIN).await;
        let open = place.inbox().await;
        let keywords = |range: std::ops::Range<usize>| -> Vec<Flag> {
            range.map(|number| Flag::Keyword(format!("k{number}"))).collect()
        };
        open.set_flags(&uid.into(), (FlagMode::Add, &keywords(0..limits::KEYWORDS_MAX)), None).await.unwrap();
        let more = keywords(0..limits::KEYWORDS_MAX + 1);
        assert!(matches!(
            open.set_flags(&uid.into(), (FlagMode::Add, &more), None).await,
            Err(Error::Cannot(_))
        ));
        assert!(matches!(place.append("INBOX", "A: b\r\n\r\n", more.clone()).await, Err(Error::Cannot(_))));
        open.set_flags(&uid.into(), (FlagMode::Add, &keywords(1..3)), None).await.unwrap();
        open.set_flags(&uid.into(), (FlagMode::Remove, &more), None).await.unwrap();
        assert_eq!(fetch_one(&open, uid, Wants::default()).await.flags, []);
    });
}

#[test]
fn a_mailbox_that_is_removed_while_it_is_open_is_empty() {
    run(async |place: Place| {
        place.append("INBOX", PLAIN, vec![]).await.unwrap();
        place.mailboxes.create(place.account, &path("brief"), None).await.unwrap();
        place.append("brief", PLAIN, vec![]).await.unwrap();
        let (open, opened) = place.mailboxes.open(place.account, &path("brief")).await.unwrap();
        place.mailboxes.delete(place.account, &path("brief")).await.unwrap();
        let changes = open.changes(opened.highest_modseq).await.unwrap();
        assert_eq!(changes.vanished, uids(&[1]));
        assert!(open.fetch(&uids(&[1]), &Wants::default()).await.unwrap().rows.is_empty());
        assert!(
            open.set_flags(&uids(&[1]), (FlagMode::Add, &[Flag::Seen]), None).await.unwrap().rows.is_empty()
        );
        assert!(open.search(&SearchKey::All).await.unwrap().is_empty());
        assert_eq!(open.copy(&uids(&[1]), &MailboxPath::inbox()).await, Err(Error::NoSuchMailbox));
        open.expunge(None).await.unwrap();
    });
}

#[test]
fn append_keeps_flags_and_date_and_wants_a_mailbox() {
    run(async |place: Place| {
        let mut append = place.mailboxes.append(place.account, &MailboxPath::inbox(), 8).await.unwrap();
        append.push("A: b\r\n".into()).await.unwrap();
        append.push("\r\n".into()).await.unwrap();
        let appended = append.finish(vec![Flag::Draft], Some(Timestamp(86_400_000))).await.unwrap();
        assert_eq!((appended.validity, appended.uids), (7, uids(&[1])));
        let open = place.inbox().await;
        let row = fetch_one(&open, Uid(1), Wants::default()).await;
        assert_eq!((row.flags, row.facts), (vec![Flag::Draft], Some((Timestamp(86_400_000), 8))));

        assert_eq!(place.append("nope", "A: b\r\n\r\n", vec![]).await, Err(Error::NoSuchMailbox));
        place.mailboxes.create(place.account, &path("gone"), None).await.unwrap();
        let append = place.mailboxes.append(place.account, &path("gone"), 0).await.unwrap();
        place.mailboxes.delete(place.account, &path("gone")).await.unwrap();
        assert_eq!(append.finish(vec![], None).await, Err(Error::NoSuchMailbox));
    });
}

#[test]
fn the_maildrop_is_for_one_session_at_a_time() {
    run(async |place: Place| {
        place.deliver(PLAIN).await;
        place.deliver(MIXED).await;
        let maildrop = place.mailboxes.maildrop(place.account, often()).await.unwrap().unwrap();
        assert!(place.mailboxes.maildrop(place.account, often()).await.unwrap().err() == Some(Busy::InUse));
        let sizes = [PLAIN, MIXED].map(|content| (PREFIX.len() + content.len()) as u64);
        assert_eq!(maildrop.emails(), [(Uid(1), sizes[0]), (Uid(2), sizes[1])]);
        assert_eq!(maildrop.validity(), 7);
        let whole = format!("{PREFIX}{PLAIN}");
        let mut read = Vec::new();
        while read.len() < whole.len() {
            read.extend_from_slice(&maildrop.read(Uid(1), read.len() as u64).await.unwrap());
        }
        assert_eq!(read, whole.as_bytes());
        assert!(maildrop.read(Uid(1), whole.len() as u64).await.unwrap().is_empty());
        maildrop.remove([Uid(1)]).await.unwrap();
        drop(maildrop);
        let maildrop = place.mailboxes.maildrop(place.account, often()).await.unwrap().unwrap();
        assert_eq!(maildrop.emails().len(), 1);
    });
}

#[test]
fn news_come_to_those_who_watch() {
    run(async |place: Place| {
        let open = place.inbox().await;
        let mut watch = place.mailboxes.store().watch(place.account);
        let uid = place.deliver(PLAIN).await;
        let news = watch.changed().await;
        assert!(news.get(&open.mailbox()).is_some_and(|&modseq| modseq > ModSeq(0)));
        assert_eq!(open.changes(ModSeq(1)).await.unwrap().arrived, uid.into());
    });
}
