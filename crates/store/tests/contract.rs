//! The contract of every backend: the same commits, the same answers, on SQLite and on PostgreSQL.
//!
//! What a backend answered is written down as text, and the texts are compared; so every statement runs on both, with
//! data. What the answers should be, the other tests say.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cluster::Cluster;
use mail::{Flag, ModSeq, QueueId};
use store::{
    AccountRef, Change, Commit, ContentRef, FlagMode, MailboxRef, Options, QueueEntry, QueuedRecipient,
    Records, Rest, Store,
};
use support::*;

/// What a store answered, line by line.
#[derive(Default)]
struct Answers(Vec<String>);

impl Answers {
    fn note(&mut self, what: &str, answer: impl Debug) {
        self.0.push(format!("{what}: {answer:?}"));
    }
}

fn keys(story: &str) -> Vec<String> {
    story.split(' ').map(str::to_owned).collect()
}

fn options(records: Records) -> Options {
    Options { records, reclaim_after: Duration::ZERO, story_keys: keys, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_backends_answer_the_same() {
    let cluster = Cluster::start().await;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sqlite = play(one.path(), Records::Sqlite).await;
    let postgres = play(other.path(), Records::Postgres(cluster.target())).await;
    for (sqlite, postgres) in sqlite.0.iter().zip(&postgres.0) {
        assert_eq!(sqlite, postgres, "SQLite left, PostgreSQL right");
    }
    assert_eq!(sqlite.0.len(), postgres.0.len());
    let all = sqlite.0.join("\n");
    for word in ["Conflict", "Copied", "Flagged", "Expunged", "Filed", "Made", "Leased", "Taken"] {
        assert!(all.contains(word), "the play shows {word}");
    }
}

/// Opens (outside of the async tasks, as PostgreSQL wants it), plays every act, and opens again.
async fn play(dir: &Path, records: Records) -> Answers {
    let mut answers = Answers::default();
    let store = open_with(dir, records.clone()).await;
    directory(&store, &mut answers).await;
    mailboxes(&store, &mut answers).await;
    emails(&store, &mut answers).await;
    queue(&store, &mut answers).await;
    journal(&store, &mut answers).await;
    together(&store, &mut answers).await;
    rights(&store, &mut answers).await;
    limits(&store, &mut answers).await;
    answers.note("check", store.check(true, None).await);
    answers.note("maintain", store.maintain().await);
    answers.note("orphans", store.orphans());
    drop_in_thread(store).await;
    let store = open_with(dir, records).await;
    look(&store, &mut answers).await;
    change(&store, [Change::RemoveAccount { account: 1 }]).await.unwrap();
    answers.note("maintain", store.maintain().await);
    look(&store, &mut answers).await;
    answers.note("settle", store.settle_orphans().await);
    answers.note("check", store.check(false, None).await);
    drop_in_thread(store).await;
    answers
}

async fn open_with(dir: &Path, records: Records) -> Store {
    let (dir, world) = (dir.to_owned(), world());
    let workers = world.workers.clone();
    workers.run(move || Store::open(&dir, &world, options(records)).unwrap()).await
}

async fn drop_in_thread(store: Store) {
    world().workers.run(move || drop(store)).await;
}

/// Every read.
async fn look(store: &Store, answers: &mut Answers) {
    answers.note("domains", store.domains().await);
    answers
        .note("has domain", (store.has_domain("example.org").await, store.has_domain("example.com").await));
    answers.note("accounts", store.accounts().await);
    for account in store.accounts().await.unwrap() {
        answers.note("verifiers", (account.secret, account.scram, account.cram));
    }
    answers.note("aliases", store.aliases().await);
    answers.note("keys", (store.dkim_keys("example.org").await, store.dkim_keys("example.net").await));
    answers.note("account", (store.account(1).await, store.account(99).await));
    answers.note("by address", store.account_by_address("a@example.org").await);
    answers.note("alias", store.alias("postmaster@example.org").await);
    for account in [1, 4] {
        answers.note("subscriptions", store.subscriptions(account).await);
        let mailboxes = store.mailboxes(account).await.unwrap();
        for record in &mailboxes {
            look_into(store, record.id, answers).await;
        }
        answers.note("mailboxes", mailboxes);
    }
    answers.note("by path", store.mailbox_by_path(1, &path("Work")).await);
    for account in [1, 99] {
        look_at_rights(store, account, answers).await;
    }
    answers.note("holds", store.holds().await);
    answers.note("bans", store.bans().await);
    answers.note("revisions", store.revisions(None, 9).await);
    answers.note("revision", (store.revision(1).await, store.revision(9).await));
    answers.note("older revisions", store.revisions(Some(2), 1).await);
    answers.note("kept", (store.kept("acme").await, store.kept("nothing").await));
    look_at_queue(store, answers).await;
}

async fn look_at_rights(store: &Store, account: i64, answers: &mut Answers) {
    let passwords = store.app_passwords(account).await;
    answers.note("secrets", passwords.iter().flatten().map(|one| one.secret.clone()).collect::<Vec<_>>());
    answers.note("app passwords", passwords);
    answers.note("send as", store.send_as(account).await);
    answers.note("certificates", store.certificates_of(account).await);
    answers.note("sent", (store.sending(account, 0).await, store.sending(account, 1000).await));
    answers.note("new correspondents", store.new_correspondents(account, at(5)).await);
    let addresses = ["a@example.com", "b@example.com"].map(str::to_owned).to_vec();
    answers.note("unknown to", store.unknown_to(account, addresses).await);
    answers.note("hold", (store.hold_of(account).await, store.released_at(account).await));
    answers.note("held", (store.held_messages(account, 1).await, store.held_messages(account, 9).await));
}

async fn look_into(store: &Store, mailbox: i64, answers: &mut Answers) {
    answers.note("mailbox", store.mailbox(mailbox).await);
    answers.note("uids", store.uids(mailbox).await);
    answers.note("emails", store.emails(mailbox, &uids(1..=100), 1000).await);
    answers.note("some", store.emails(mailbox, &uids([1, 3, 4, 9]), 2).await);
    answers.note("flags", store.flags_since(mailbox, None).await);
    for since in [0, 1, 3, 5, 1000] {
        answers.note("changed since", store.changed_since(mailbox, ModSeq(since), 4, 2).await);
        answers.note("vanished since", store.vanished_since(mailbox, ModSeq(since)).await);
        answers.note("flags since", store.flags_since(mailbox, Some(ModSeq(since))).await);
    }
    for email in store.emails(mailbox, &uids(1..=100), 1000).await.unwrap() {
        answers.note("content", store.read_content(email.content, 0, 4096).await);
    }
}

async fn look_at_queue(store: &Store, answers: &mut Answers) {
    answers.note("survey", store.queue_survey("main", at(1500), 10).await);
    answers.note("survey of another, one", store.queue_survey("other", at(1500), 1).await);
    for destination in ["local", "example.com", "nowhere"] {
        answers.note("draw", store.queue_draw(destination, at(1500), 10).await);
        answers.note("draw, one", store.queue_draw(destination, at(9000), 1).await);
        answers.note("page", store.queue_page(None, Some(destination), 10).await);
        answers.note("destination", store.queue_destination(destination).await);
    }
    let after = Some(("example.com".to_owned(), QueueId(1 << 20)));
    answers.note("page of all", store.queue_page(None, None, 2).await);
    answers.note("next page", store.queue_page(after, None, 2).await);
    answers.note("destinations", store.queue_destinations(None, 10).await);
    answers.note("next destinations", store.queue_destinations(Some("example.com"), 10).await);
    answers.note("entries", store.queue_entries(QueueId(1 << 20)).await);
    answers.note("length", store.queue_length().await);
    answers.note("story", store.story(QueueId(1 << 20)).await);
    answers.note("stories", store.stories(at(0), at(3), 10).await);
    answers.note("stories, two", store.stories(at(0), at(10), 2).await);
    answers.note("by key", store.stories_by_key("a", 10).await);
}

/// Each change alone, and its answer.
async fn each(store: &Store, answers: &mut Answers, changes: Vec<Change>) {
    for one in changes {
        let text = format!("{one:?}");
        let kind = text.split([' ', '(']).next().unwrap_or_default().to_owned();
        // The texts of conflicts are ours, whatever the backend.
        answers.note(&kind, change(store, [one]).await);
    }
}

async fn directory(store: &Store, answers: &mut Answers) {
    let domain = |name: &str| Change::AddDomain { name: name.into(), at: at(1) };
    let account = |address: &str| Change::AddAccount {
        address: address.into(),
        name: "Ä. Person".into(),
        secret: "$argon2id$".into(),
        scram: String::new(),
        at: at(2),
    };
    let alias = |address: &str, targets: &[&str]| Change::AddAlias {
        address: address.into(),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        at: at(3),
    };
    let key = |domain: &str| Change::AddDkimKey {
        domain: domain.into(),
        selector: "s".into(),
        algorithm: "rsa-sha256".into(),
        key: Bytes::from_static(b"\x30\x00"),
        at: at(5),
    };
    let changes = vec![
        domain("example.org"),
        domain("example.org"),
        domain("example.net"),
        account("a@example.org"),
        account("a@example.org"),
        account("a@example.com"),
        account("b@example.net"),
        alias("postmaster@example.org", &["a@example.org", "b@example.net"]),
        alias("b@example.net", &["a@example.org"]),
        account("postmaster@example.org"),
        Change::RemoveDomain { name: "example.net".into() },
        Change::RemoveDomain { name: "example.com".into() },
        Change::SetSecret { account: 1, secret: String::new(), scram: String::new(), at: at(4) },
        Change::SetScram { account: 1, secret: "another".into(), scram: "keys".into() },
        Change::SetScram { account: 1, secret: String::new(), scram: "keys".into() },
        Change::SetScram { account: 1, secret: String::new(), scram: "other keys".into() },
        Change::SetScram { account: 99, secret: String::new(), scram: "keys".into() },
        Change::SetSecret { account: 99, secret: String::new(), scram: String::new(), at: at(4) },
        Change::RemoveAccount { account: 2 },
        Change::RemoveAccount { account: 2 },
        Change::RemoveDomain { name: "example.net".into() },
        Change::RemoveAlias { address: "postmaster@example.org".into() },
        Change::RemoveAlias { address: "postmaster@example.org".into() },
        alias("postmaster@example.org", &["a@example.org"]),
        domain("example.net"),
        key("example.net"),
        key("example.net"),
        key("example.com"),
        Change::RemoveDkimKey { domain: "example.net".into(), selector: "other".into() },
        Change::RemoveDkimKey { domain: "example.net".into(), selector: "s".into() },
        key("example.net"),
        Change::RemoveDomain { name: "example.net".into() },
        key("example.org"),
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
}

/// What accounts may do; `example.org` has an alias, and account 1 a password for each program.
async fn rights(store: &Store, answers: &mut Answers) {
    let stands_for =
        |name: &str, of: &str| Change::AddAliasDomain { name: name.into(), of: of.into(), at: at(6) };
    let password = |account: i64, name: &str, expires: Option<i64>| Change::AddAppPassword {
        account,
        name: name.into(),
        secret: format!("secret of {name}"),
        scope: "smtp imap".into(),
        at: at(6),
        expires: expires.map(at),
    };
    let cram = |secret: &str| Change::SetCram {
        account: AccountRef::Known(1),
        secret: secret.into(),
        cram: "keys".into(),
    };
    let (account, address, name) = (1, "@example.com".to_owned(), "sha256:ab".to_owned());
    let changes = vec![
        stands_for("example.net", "example.org"),
        stands_for("example.net", "example.org"),
        stands_for("example.com", "example.net"),
        stands_for("example.com", "nowhere.example"),
        Change::RemoveDomain { name: "example.org".into() },
        Change::AddAlias { address: "a@example.net".into(), targets: vec![], at: at(6) },
        cram("another"),
        cram(""),
        password(1, "phone", Some(99)),
        password(1, "phone", None),
        password(1, "desk", None),
        password(99, "desk", None),
        Change::RemoveAppPassword { account, name: "desk".into() },
        Change::RemoveAppPassword { account, name: "desk".into() },
        Change::UseAppPassword { id: 99, at: at(7) },
        Change::AddSendAs { account, address: address.clone() },
        Change::AddSendAs { account, address: address.clone() },
        Change::AddSendAs { account: 99, address: address.clone() },
        Change::RemoveSendAs { account, address: "b@example.com".into() },
        Change::AddCertificate { account, name: name.clone() },
        Change::AddCertificate { account, name: name.clone() },
        Change::AddCertificate { account, name: "cn=a".into() },
        Change::RemoveCertificate { account, name: "cn=a".into() },
        Change::RemoveCertificate { account, name: "cn=a".into() },
    ];
    each(store, answers, changes).await;
    let id = store.app_passwords(1).await.unwrap()[0].id;
    each(store, answers, vec![Change::UseAppPassword { id, at: at(7) }]).await;
    answers.note("opens", store.accounts_of_certificate(&name).await);
    look(store, answers).await;
    let changes = vec![
        Change::RemoveSendAs { account, address },
        Change::SetSecret { account, secret: String::new(), scram: "keys".into(), at: at(4) },
        password(1, "last", None),
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
}

/// What was sent, what is refused, what is kept. Account 1 goes at the end, with all of it.
async fn limits(store: &Store, answers: &mut Answers) {
    let count = |hour, messages, recipients| Change::CountSending { account: 1, hour, messages, recipients };
    let wrote =
        |address: &str, time| Change::Correspond { account: 1, address: address.into(), at: at(time) };
    let ban = |network: &str, until, now| Change::Ban {
        network: network.into(),
        until: at(until),
        reason: "wrong passwords".into(),
        now: at(now),
    };
    let revision = |number| Change::AddRevision {
        number,
        at: at(8),
        author: "root".into(),
        reason: "first".into(),
        text: format!("host-name = \"h{number}.example\""),
    };
    let hold = |reason: &str| Change::HoldAccount { account: 1, at: at(9), reason: reason.into() };
    let held = |id: u64| Change::NoteHeld { account: 1, queue_id: QueueId(id << 20) };
    let keep = |value: &'static [u8]| Change::Keep { name: "acme".into(), value: Bytes::from_static(value) };
    let changes = vec![
        count(10, 1, 2),
        count(10, 1, 3),
        count(754, 1, 1),
        wrote("a@example.com", 4),
        wrote("b@example.com", 5),
        wrote("b@example.com", 6),
        hold("one"),
        hold("two"),
        held(1),
        held(1),
        held(2),
        Change::ForgetHeld { account: 1, queue_id: QueueId(9 << 20) },
        ban("192.0.2.0/24", 20, 1),
        ban("192.0.2.0/24", 30, 1),
        ban("2001:db8::/56", 9, 1),
        Change::Unban { network: "198.51.100.0/24".into() },
        revision(2),
        revision(1),
        revision(1),
        revision(2),
        keep(b"\x00\xff"),
        keep(b"other"),
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
    let changes = vec![
        // What was sent a month before is forgotten, and to whom two years before.
        count(755, 1, 1),
        count(3 * 365 * 24, 1, 1),
        Change::ForgetHeld { account: 1, queue_id: QueueId(1 << 20) },
        Change::ReleaseAccount { account: 1, at: at(11) },
        Change::ReleaseAccount { account: 1, at: at(12) },
        ban("192.0.2.0/24", 40, 10),
        keep(b"again"),
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
    let changes = vec![
        Change::Unban { network: "192.0.2.0/24".into() },
        Change::Forget { name: "acme".into() },
        Change::Forget { name: "acme".into() },
        Change::RemoveDomain { name: "example.net".into() },
        hold("again"),
        held(3),
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
}

async fn mailboxes(store: &Store, answers: &mut Answers) {
    let mailbox = |account: i64, text: &str, special_use: Option<&str>| Change::AddMailbox {
        account: AccountRef::Known(account),
        path: path(text),
        uid_validity: 4_000_000_000,
        special_use: special_use.map(str::to_owned),
        subscribed: special_use.is_none(),
    };
    let subscribe = |text: &str, subscribed| Change::Subscribe { account: 1, path: path(text), subscribed };
    let changes = vec![
        mailbox(1, "INBOX", None),
        mailbox(1, "Sent", Some("Sent")),
        mailbox(1, "Sent", None),
        mailbox(99, "INBOX", None),
        mailbox(1, "Work", None),
        mailbox(1, "Gone", None),
        subscribe("Nowhere", true),
        subscribe("Nowhere", true),
        subscribe("Work", false),
        subscribe("Work", false),
        Change::RenameMailbox { mailbox: 4, path: path("Sent") },
        Change::RenameMailbox { mailbox: 99, path: path("New") },
        Change::RenameMailbox { mailbox: 6, path: path("Größe") },
        Change::RemoveMailbox { mailbox: 99 },
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
}

async fn emails(store: &Store, answers: &mut Answers) {
    let records = store.mailboxes(1).await.unwrap();
    let id = |text: &str| records.iter().find(|record| record.path == path(text)).unwrap().id;
    let (inbox, sent) = (id("INBOX"), id("Sent"));
    for number in 0..6 {
        let mut filing = file(inbox, 0);
        if let Change::File { flags, .. } = &mut filing
            && number % 2 == 0
        {
            flags.extend([Flag::Seen, Flag::Keyword("Work".into())]);
        }
        let commit =
            Commit { content: vec![inline("l", format!("content {number}"))], changes: vec![filing] };
        answers.note("file", store.commit(commit).await);
    }
    let shared =
        Commit { content: vec![inline("l", "for two")], changes: vec![file(inbox, 0), file(sent, 0)] };
    answers.note("file in two", store.commit(shared).await);
    let unheld = Commit { content: vec![inline("l", "for nobody")], changes: vec![] };
    answers.note("nobody's", store.commit(unheld).await);
    let nowhere = Commit { content: vec![inline("l", "x")], changes: vec![file(inbox, 0), file(inbox, 1)] };
    answers.note("no such content", store.commit(nowhere).await);
    let flags = |uids, mode, flags: &[Flag], unless: Option<u64>| Change::SetFlags {
        mailbox: inbox,
        uids,
        mode,
        flags: flags.to_vec(),
        unless_modified_after: unless.map(ModSeq),
    };
    let deleted = [Flag::Deleted, Flag::Keyword("WORK".into())];
    let changes = vec![
        flags(uids(1..=3), FlagMode::Add, &deleted, None),
        flags(uids(1..=3), FlagMode::Add, &deleted, None),
        flags(uids(2..=9), FlagMode::Set, &[Flag::Flagged], Some(7)),
        flags(uids([5]), FlagMode::Remove, &[Flag::Seen, Flag::Keyword("work".into())], None),
        flags(uids([50]), FlagMode::Remove, &[Flag::Seen], None),
        Change::Copy { from: inbox, uids: uids(2..=4), to: sent },
        Change::Copy { from: inbox, uids: uids(40..=50), to: sent },
        Change::Copy { from: inbox, uids: uids(1..=2), to: inbox },
        Change::Copy { from: inbox, uids: uids(1..=2), to: 99 },
        Change::Expunge { mailbox: inbox, uids: uids(1..=5), only_deleted: true },
        Change::Expunge { mailbox: inbox, uids: uids([6]), only_deleted: false },
        Change::Expunge { mailbox: inbox, uids: uids([6]), only_deleted: false },
        Change::Expunge { mailbox: 99, uids: uids([6]), only_deleted: false },
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
    let gone = id("Größe");
    change(store, [Change::Copy { from: inbox, uids: uids(1..=9), to: gone }]).await.unwrap();
    each(store, answers, vec![Change::RemoveMailbox { mailbox: gone }]).await;
    answers.note("check", store.check(false, None).await);
}

async fn queue(store: &Store, answers: &mut Answers) {
    let first = QueueId(1 << 20);
    let enqueue = |changes| Commit { content: vec![inline("l", "queued")], changes };
    let said = mail::MessageParameters { utf8: true, ..mail::MessageParameters::default() };
    let entries = vec![
        Change::Enqueue(entry(first.0, "example.com", 1000)),
        Change::Enqueue(QueueEntry { parameters: said, ..entry(first.0, "local", 2000) }),
        Change::Enqueue(entry(2 << 20, "local", 1000)),
    ];
    answers.note("enqueue", store.commit(enqueue(entries)).await);
    let again = vec![Change::Enqueue(entry(first.0, "local", 1))];
    answers.note("enqueue again", store.commit(enqueue(again)).await);
    let unknown = QueueEntry { content: ContentRef::New(7), ..entry(9, "local", 1) };
    answers.note("no content", change(store, [Change::Enqueue(unknown)]).await);
    look(store, answers).await;
    let (node, now) = ("main".to_owned(), at(1500));
    let name = |text: &str| text.to_owned();
    let lease = |to: &str, node: &str| Change::Lease {
        destination: name(to),
        node: name(node),
        until: at(9000),
        now,
    };
    let settle = |to: &str, attempts, rest| Change::Settle {
        queue_id: first,
        destination: name(to),
        node: node.clone(),
        attempts,
        rest,
    };
    let rest = Rest {
        recipients: vec!["ü@example.org".into(), with_parameters()],
        due: at(5000),
        attempts: 1,
        notified: true,
        last: "451 later".into(),
    };
    let changes = vec![
        settle("local", 0, None),
        lease("local", "main"),
        lease("local", "other"),
        lease("example.com", "main"),
        lease("empty", "main"),
        settle("local", 0, Some(rest.clone())),
        settle("local", 0, Some(rest)),
        Change::Hold { queue_id: first, destination: name("local"), held: true, now },
        Change::Expedite { queue_id: first, destination: name("local"), due: at(2) },
        Change::Hold { queue_id: first, destination: name("local"), held: false, now },
        Change::Doom { queue_id: first, destination: name("nowhere") },
        Change::Doom { queue_id: first, destination: name("local") },
        Change::HoldDestination { destination: name("local"), held: true },
        Change::HoldDestination { destination: name("held"), held: true },
        Change::Release { destination: name("empty"), node: node.clone() },
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
    let changes = vec![
        settle("local", 1, None),
        settle("local", 1, None),
        Change::Release { destination: name("local"), node: name("other") },
        Change::Release { destination: name("local"), node: node.clone() },
        Change::HoldDestination { destination: name("local"), held: false },
        Change::HoldDestination { destination: name("held"), held: false },
    ];
    each(store, answers, changes).await;
    look(store, answers).await;
    answers.note("check", store.check(true, None).await);
}

fn with_parameters() -> QueuedRecipient {
    let original = Some(mail::OriginalRecipient::of("ß@example.org"));
    let parameters = mail::RecipientParameters { notify: Some(mail::Notify::NEVER), original };
    QueuedRecipient { address: "ss@example.org".into(), parameters }
}

async fn journal(store: &Store, answers: &mut Answers) {
    let explain = |id: u64, story: &str| Change::Explain {
        queue_id: QueueId(id << 20),
        at: at(7),
        story: story.into(),
    };
    let changes = vec![explain(1, "a b"), explain(2, "b ü"), explain(1, "c"), explain(5, "a")];
    each(store, answers, changes).await;
    look_at_queue(store, answers).await;
    answers.note("index", store.index_journal().await);
    each(store, answers, vec![explain(6, "a")]).await;
    look_at_queue(store, answers).await;
    answers.note("trim by age", store.trim_journal(at(2), 1 << 30).await);
    look_at_queue(store, answers).await;
    answers.note("trim by size", store.trim_journal(at(0), 2).await);
    look_at_queue(store, answers).await;
}

/// Commits that wait together, one of which conflicts. The order in which they are taken is not ours to say, so what
/// they leave is compared, not who got which UID.
async fn together(store: &Store, answers: &mut Answers) {
    let before = store.mailbox_by_path(1, &path("INBOX")).await.unwrap().unwrap();
    let inbox = before.id;
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            let mailbox = if number == 7 { 99 } else { inbox };
            let content = vec![inline("l", Bytes::from_static(b"same"))];
            let second = Change::File {
                mailbox: MailboxRef::Known(mailbox),
                content: ContentRef::New(0),
                prefix: Bytes::new(),
                flags: vec![],
                date: at(1),
            };
            world().workers.spawn(async move {
                store.commit(Commit { content, changes: vec![file(inbox, 0), second] }).await.is_ok()
            })
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    answers.note("together", done);
    answers.note("mailbox", store.mailbox(inbox).await);
    answers.note("check", store.check(false, None).await);
    let expunge = Change::Expunge { mailbox: inbox, uids: uids(before.uid_next..=200), only_deleted: false };
    each(store, answers, vec![expunge]).await;
}
