//! How fast a mailbox is read: `cargo run --release -p waxseal-mailboxes --example reading -- DIRECTORY [EMAILS]`.
//!
//! Files emails of 4 KiB, opens the mailbox and does what IMAP clients ask for; says for each how long it took, the best of
//! five. Without protocol and network, so that what is left is the store's and the mailbox's own.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a tool for developers")]

use std::path::PathBuf;

use bytes::Bytes;
use mail::{Flag, MailboxPath, SearchKey, Section, SectionText, Timestamp, UidSet};
use mailboxes::{Form, Mailboxes, Open, Wanted, Wants};
use store::change::{Applied, FlagMode};
use store::{AccountRef, Change, Commit, ContentRef, MailboxRef, NewContent, Options, Store};
use world::{Clock, Dice, Workers, World};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().expect("DIRECTORY"));
    let emails = arguments.next().map_or(10_000, |text| text.parse().unwrap());
    let world = World::without_network(Clock::Real, Dice::seeded(7), Workers::threads(2));
    let store = Store::open(&dir, &world, Options::default()).unwrap();
    let mailboxes = Mailboxes::new(store, world);
    let account = account(&mailboxes).await;
    fill(&mailboxes, account, emails).await;
    read(&mailboxes, account).await;
    let began = Clock::Real.now();
    for number in 0..200 {
        let mut append = mailboxes.append(account, &MailboxPath::inbox(), 4096).await.unwrap();
        append.push(content(number)).await.unwrap();
        append.finish(vec![], None).await.unwrap();
    }
    println!("APPEND              {:9.0} /s", 200.0 / began.elapsed().as_secs_f64());
}

async fn account(mailboxes: &Mailboxes) -> i64 {
    let at = Timestamp(1);
    let changes = vec![
        Change::AddDomain { name: "example.org".into(), at },
        Change::AddAccount {
            address: "ann@example.org".into(),
            name: String::new(),
            secret: String::new(),
            scram: String::new(),
            at,
        },
        Change::AddMailbox {
            account: AccountRef::New(1),
            path: MailboxPath::inbox(),
            uid_validity: 7,
            special_use: None,
            subscribed: true,
        },
    ];
    let receipt = mailboxes.store().commit(Commit { content: vec![], changes }).await.unwrap();
    let Applied::Made(account) = receipt.results[1] else { panic!("{receipt:?}") };
    account
}

async fn fill(mailboxes: &Mailboxes, account: i64, emails: usize) {
    let inbox = mailboxes.store().mailbox_by_path(account, &MailboxPath::inbox()).await.unwrap().unwrap();
    for first in (0..emails).step_by(200) {
        let mut commit = Commit::default();
        for number in first..emails.min(first + 200) {
            commit.content.push(NewContent::Inline { label: Bytes::new(), bytes: content(number) });
            commit.changes.push(Change::File {
                mailbox: MailboxRef::Known(inbox.id),
                content: ContentRef::New(number - first),
                prefix: "Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\n".into(),
                flags: if number % 3 == 0 { vec![] } else { vec![Flag::Seen] },
                date: Timestamp(1_763_800_000_000),
            });
        }
        mailboxes.store().commit(commit).await.unwrap();
    }
}

fn content(number: usize) -> Bytes {
    let mut text = format!(
        "Received: from a.example.net by mx.example.org with ESMTPS id {number:x};\r\n\
         \tSat, 22 Nov 2025 10:00:00 +0100\r\nFrom: Bob Builder <bob@example.net>\r\nTo: Ann <ann@example.org>\r\n\
         Cc: eve@example.net, mallory@example.com\r\nSubject: Message number {number} of many\r\n\
         Date: Sat, 22 Nov 2025 10:00:00 +0100\r\nMessage-ID: <{number}@example.net>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n"
    );
    while text.len() < 4096 {
        text.push_str("The quick brown fox jumps over the lazy dog and runs away.\r\n");
    }
    text.into()
}

async fn read(mailboxes: &Mailboxes, account: i64) {
    let open = || async { mailboxes.open(account, &MailboxPath::inbox()).await.unwrap() };
    time("SELECT", async || drop(open().await)).await;
    let (open, opened) = open().await;
    let all = &opened.uids;
    time("FETCH FLAGS", async || fetch(&open, all, &Wants::default()).await).await;
    let envelope = Wants { envelope: true, ..Wants::default() };
    time("FETCH ENVELOPE", async || fetch(&open, all, &envelope).await).await;
    let structure = Wants { structure: true, ..Wants::default() };
    time("FETCH BODYSTRUCTURE", async || fetch(&open, all, &structure).await).await;
    let names = ["From", "To", "Subject", "Date"].map(str::to_owned).to_vec();
    let fields = wants(SectionText::HeaderFields(names));
    time("FETCH HEADER.FIELDS", async || fetch(&open, all, &fields).await).await;
    let bodies = wants(SectionText::Whole);
    time("FETCH BODY[]", async || fetch(&open, all, &bodies).await).await;
    for (name, key) in [
        ("SEARCH UNSEEN", SearchKey::Not(Box::new(SearchKey::Flag(Flag::Seen)))),
        ("SEARCH SUBJECT", SearchKey::Header("subject".into(), "number 77".into())),
        ("SEARCH BODY", SearchKey::Body("red fox".into())),
        ("SEARCH LARGER", SearchKey::Larger(5000)),
    ] {
        time(name, async || drop(open.search(&key).await.unwrap())).await;
    }
    for (name, mode) in [("STORE +FLAGS", FlagMode::Add), ("STORE -FLAGS", FlagMode::Remove)] {
        let mut best = f64::MAX;
        for flag in [Flag::Flagged, Flag::Answered, Flag::Draft] {
            let began = Clock::Real.now();
            open.set_flags(all, (mode, &[flag]), None).await.unwrap();
            best = best.min(began.elapsed().as_secs_f64() * 1000.0);
        }
        println!("{name:19} {best:9.2} ms");
    }
}

fn wants(text: SectionText) -> Wants {
    let wanted = Wanted { section: Section { part: vec![], text }, partial: None, form: Form::Raw };
    Wants { sections: vec![wanted], ..Wants::default() }
}

async fn fetch(open: &Open, uids: &UidSet, wants: &Wants) {
    let mut rest = uids.clone();
    while !rest.is_empty() {
        rest = open.fetch(&rest, wants).await.unwrap().rest;
    }
}

async fn time(name: &str, work: impl AsyncFn()) {
    let mut best = f64::MAX;
    for _ in 0..5 {
        let began = Clock::Real.now();
        work().await;
        best = best.min(began.elapsed().as_secs_f64() * 1000.0);
    }
    println!("{name:19} {best:9.2} ms");
}
