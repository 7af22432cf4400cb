//! What the store's tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::path::Path;

use bytes::Bytes;
use mail::{MailboxPath, QueueId, Timestamp, Uid, UidSet};
use store::{
    AccountRef, Applied, Change, Commit, ContentRef, Error, MailboxRef, NewContent, Options, QueueEntry,
    Receipt, Store,
};
use world::{Clock, Dice, Workers, World};

/// Threads as in the product, and dice that fall the same way each time.
pub fn world() -> World {
    World::without_network(Clock::Real, Dice::seeded(7), Workers::threads(2))
}

pub fn open(dir: &Path) -> Store {
    Store::open(dir, &world(), Options::default()).unwrap()
}

pub fn at(milliseconds: i64) -> Timestamp {
    Timestamp(milliseconds)
}

pub fn uids(uids: impl IntoIterator<Item = u32>) -> UidSet {
    uids.into_iter().map(Uid).collect()
}

pub fn path(text: &str) -> MailboxPath {
    MailboxPath::parse(text).unwrap()
}

pub fn inline(label: &'static str, bytes: impl Into<Bytes>) -> NewContent {
    NewContent::Inline { label: Bytes::from_static(label.as_bytes()), bytes: bytes.into() }
}

pub fn file(mailbox: i64, content: usize) -> Change {
    Change::File {
        mailbox: MailboxRef::Known(mailbox),
        content: ContentRef::New(content),
        prefix: Bytes::from_static(b"Return-Path: <>\r\n"),
        flags: Vec::new(),
        date: at(1000),
    }
}

pub fn entry(queue_id: u64, destination: &str, due: i64) -> QueueEntry {
    QueueEntry {
        queue_id: QueueId(queue_id),
        destination: destination.into(),
        virtual_server: String::new(),
        reverse_path: "a@example.net".into(),
        parameters: mail::MessageParameters::default(),
        recipients: vec!["b@example.org".into(), "c@example.org".into()],
        content: ContentRef::New(0),
        prefix: Bytes::from_static(b"Received: x\r\n"),
        accepted: at(500),
        due: at(due),
        attempts: 0,
        notified: false,
        held: false,
        last: String::new(),
    }
}

pub async fn change(store: &Store, changes: impl IntoIterator<Item = Change>) -> Result<Receipt, Error> {
    store.commit(Commit { content: Vec::new(), changes: changes.into_iter().collect() }).await
}

pub async fn file_one(store: &Store, mailbox: i64, bytes: impl Into<Bytes>) -> Result<Receipt, Error> {
    let changes = vec![file(mailbox, 0)];
    store.commit(Commit { content: vec![inline("one", bytes)], changes }).await
}

/// A domain, an account and mailboxes of these paths; answers the account and the mailboxes.
pub async fn account(store: &Store, address: &str, paths: &[&str]) -> (i64, Vec<i64>) {
    let domain = address.rsplit_once('@').unwrap().1;
    let _there_already = change(store, [Change::AddDomain { name: domain.into(), at: at(1) }]).await;
    let mut changes = vec![Change::AddAccount {
        address: address.into(),
        name: "Someone".into(),
        secret: String::new(),
        scram: String::new(),
        at: at(2),
    }];
    changes.extend(paths.iter().map(|text| Change::AddMailbox {
        account: AccountRef::New(0),
        path: path(text),
        uid_validity: 77,
        special_use: None,
        subscribed: true,
    }));
    let receipt = change(store, changes).await.unwrap();
    let mut made = receipt.results.iter().map(|applied| match applied {
        Applied::Made(id) => *id,
        other => panic!("{other:?} made nothing"),
    });
    (made.next().unwrap(), made.collect())
}
