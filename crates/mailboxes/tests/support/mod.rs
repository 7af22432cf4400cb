//! What these tests share.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use bytes::Bytes;
use mail::{Flag, MailboxPath, Section, SectionText, Timestamp, Uid, UidSet};
use mailboxes::{Error, Form, Mailboxes, Open, Piece, Wanted, Wants};
use store::change::Applied;
use store::{Change, Commit, ContentRef, MailboxRef, NewContent, Store};
use world::{Clock, Dice, Workers, World};

/// A store in a directory of its own, and an account with INBOX.
pub struct Place {
    pub mailboxes: Mailboxes,
    pub account: i64,
    world: World,
    _dir: tempfile::TempDir,
}

pub fn run(test: impl AsyncFnOnce(Place)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { test(place().await).await });
}

pub async fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    let world = World::without_network(
        Clock::simulated(Timestamp(1_763_800_000_000)),
        Dice::seeded(1),
        Workers::Inline,
    );
    let store = Store::open(&dir.path().join("data"), &world, store::Options::default()).unwrap();
    let at = Timestamp(1_763_800_000_000);
    let account = Change::AddAccount {
        address: "ann@example.org".into(),
        name: "Ann".into(),
        secret: String::new(),
        scram: String::new(),
        at,
    };
    let inbox = Change::AddMailbox {
        account: store::AccountRef::New(1),
        path: MailboxPath::inbox(),
        uid_validity: 7,
        special_use: None,
        subscribed: true,
    };
    let domain = Change::AddDomain { name: "example.org".into(), at };
    let receipt =
        store.commit(Commit { content: vec![], changes: vec![domain, account, inbox] }).await.unwrap();
    let Applied::Made(account) = receipt.results[1] else { panic!("{receipt:?}") };
    Place { mailboxes: Mailboxes::new(store, world.clone()), account, world, _dir: dir }
}

pub fn path(text: &str) -> MailboxPath {
    MailboxPath::parse(text).unwrap()
}

pub fn uids(text: &[u32]) -> UidSet {
    text.iter().copied().map(Uid).collect()
}

impl Place {
    /// Files an email in INBOX as delivery does, with a prefix.
    pub async fn deliver(&self, content: &str) -> Uid {
        let mailbox = self
            .mailboxes
            .store()
            .mailbox_by_path(self.account, &MailboxPath::inbox())
            .await
            .unwrap()
            .unwrap();
        let bytes = Bytes::copy_from_slice(content.as_bytes());
        let file = Change::File {
            mailbox: MailboxRef::Known(mailbox.id),
            content: ContentRef::New(0),
            prefix: PREFIX.into(),
            flags: vec![],
            date: Timestamp(1_763_800_000_000),
        };
        let commit =
            Commit { content: vec![NewContent::Inline { label: Bytes::new(), bytes }], changes: vec![file] };
        let receipt = self.mailboxes.store().commit(commit).await.unwrap();
        let Applied::Filed { uid, .. } = receipt.results[0] else { panic!("{receipt:?}") };
        uid
    }

    /// The same mailboxes for somebody who has read nothing yet.
    pub fn newcomers(&self) -> Mailboxes {
        Mailboxes::new(self.mailboxes.store().clone(), self.world.clone())
    }

    pub async fn inbox(&self) -> Open {
        self.mailboxes.open(self.account, &MailboxPath::inbox()).await.unwrap().0
    }

    pub async fn names(&self) -> Vec<String> {
        let show = |name: mailboxes::Named| {
            let mark = match (name.no_select, name.missing) {
                (true, _) => "!",
                (_, true) => "?",
                _ => "",
            };
            let subscribed = if name.subscribed { "+" } else { "" };
            format!("{mark}{subscribed}{}", name.path)
        };
        self.mailboxes.list(self.account).await.unwrap().into_iter().map(show).collect()
    }

    pub async fn append(&self, to: &str, content: &str, flags: Vec<Flag>) -> Result<Uid, Error> {
        let size = content.len() as u64;
        let mut append = self.mailboxes.append(self.account, &path(to), size).await?;
        for piece in content.as_bytes().chunks(64 * 1024) {
            append.push(Bytes::copy_from_slice(piece)).await?;
        }
        Ok(append.finish(flags, None).await?.uids.first().unwrap())
    }
}

pub const PREFIX: &str = "Return-Path: <bob@example.net>\r\nDelivered-To: ann@example.org\r\n";

pub const PLAIN: &str = "From: Bob <bob@example.net>\r\nTo: ann@example.org\r\nSubject: Hello\r\n\
    Date: Sat, 22 Nov 2025 10:00:00 +0100\r\n\r\nGood morning\r\n";

pub const MIXED: &str = "From: Eve <eve@example.net>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=xx\r\n\r\npreamble\r\n--xx\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: base64\r\n\r\nU2Now7ZuZXMgV2V0dGVy\r\n--xx\r\nContent-Type: application/octet-stream\r\n\r\n\
    12345678\r\n--xx--\r\n";

pub fn section(part: &[u32], text: SectionText) -> Wanted {
    Wanted { section: Section { part: part.to_vec(), text }, partial: None, form: Form::Raw }
}

pub async fn fetch_one(open: &Open, uid: Uid, wants: Wants) -> mailboxes::Row {
    let wants = Wants { facts: true, ..wants };
    let mut fetched = open.fetch(&UidSet::from(uid), &wants).await.unwrap();
    assert!(fetched.rest.is_empty());
    fetched.rows.remove(0)
}

/// What there is of a piece.
pub fn start(piece: &Piece) -> Option<&Bytes> {
    match piece {
        Piece::Octets { start, .. } => Some(start),
        Piece::Missing | Piece::Undecodable => None,
    }
}
