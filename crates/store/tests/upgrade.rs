//! A store of an earlier schema is brought up to date when it is opened, and its queue goes on, its emails are counted.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::path::Path;

use cluster::Cluster;
use mail::{Flag, QueueId};
use store::{Applied, Change, Commit, FlagMode, Options, QueueEntry, Records, Store};
use support::*;

/// Makes a store of schema 1 of one of schema 3: its tables as the first release made them, with what was in them then.
const BACK_TO_1: &str = "
CREATE TABLE queue_1 (
    queue_id INTEGER NOT NULL, destination TEXT NOT NULL, reverse_path TEXT NOT NULL, recipients TEXT NOT NULL,
    segment INTEGER NOT NULL, start INTEGER NOT NULL, prefix BLOB NOT NULL, accepted INTEGER NOT NULL,
    due INTEGER NOT NULL, attempts INTEGER NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (queue_id, destination)) WITHOUT ROWID, STRICT;
INSERT INTO queue_1 SELECT queue_id, CASE WHEN destination = 'local/12' THEN 'local.12' ELSE destination END,
    reverse_path, recipients, segment, start, prefix, accepted, due, attempts, last FROM queue;
DROP TABLE queue;
ALTER TABLE queue_1 RENAME TO queue;
CREATE INDEX queue_due ON queue (due);
DROP TABLE destinations;
DROP TABLE dkim_keys;
ALTER TABLE accounts DROP COLUMN scram;
ALTER TABLE tallies DROP COLUMN deleted;
UPDATE state SET value = 1 WHERE name = 'schema';
";

/// The same of schema 2.
const BACK_TO_2: &str = "
ALTER TABLE queue DROP COLUMN envelope;
ALTER TABLE accounts DROP COLUMN scram;
ALTER TABLE tallies DROP COLUMN deleted;
UPDATE state SET value = 2 WHERE name = 'schema';
";

/// The same of schema 3.
const BACK_TO_3: &str = "
ALTER TABLE accounts DROP COLUMN cram;
ALTER TABLE domains DROP COLUMN alias_of;
DROP TABLE app_passwords;
DROP TABLE send_as;
DROP TABLE certificates_of;
DROP TABLE sending;
DROP TABLE correspondents;
DROP TABLE holds;
DROP TABLE held_messages;
DROP TABLE bans;
DROP TABLE revisions;
DROP TABLE kept;
UPDATE state SET value = 3 WHERE name = 'schema';
";

/// What the first release queued: late local deliveries, and reports to others that waited for mail to go out.
async fn fill(store: &Store) -> Vec<QueueEntry> {
    let entries = [
        entry(1, "local", 2000),
        entry(1, "local/12", 3000),
        QueueEntry { attempts: 3, last: "451 later".into(), ..entry(2, "local", 1000) },
        QueueEntry { reverse_path: String::new(), ..entry(3, "local.example", 9000) },
    ];
    let changes = entries.iter().cloned().map(Change::Enqueue).collect();
    store.commit(Commit { content: vec![inline("q", "queued")], changes }).await.unwrap();
    store.queue_page(None, None, 10).await.unwrap()
}

/// An account with three emails, of which two are marked as deleted: its number and that of their mailbox.
async fn fill_mailbox(store: &Store) -> (i64, i64) {
    let (ann, mailboxes) = account(store, "ann@example.org", &["INBOX"]).await;
    for _ in 0..3 {
        file_one(store, mailboxes[0], "A: b\r\n\r\n").await.unwrap();
    }
    let (mode, flags) = (FlagMode::Add, vec![Flag::Deleted]);
    let mark = Change::SetFlags {
        mailbox: mailboxes[0],
        uids: uids([1, 3]),
        mode,
        flags,
        unless_modified_after: None,
    };
    change(store, [mark]).await.unwrap();
    (ann, mailboxes[0])
}

async fn is_counted(store: &Store, mailbox: i64) {
    let record = store.mailbox(mailbox).await.unwrap().unwrap();
    assert_eq!((record.messages, record.deleted), (3, 2));
}

async fn is_up_to_date(store: &Store, before: &[QueueEntry]) {
    assert_eq!(store.queue_page(None, None, 10).await.unwrap(), before);
    assert_eq!(store.queue_entries(QueueId(1)).await.unwrap().len(), 2);
    let rows = store.queue_survey("main", at(0), 10).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.destination.as_str(), row.next_due.0)).collect();
    assert_eq!(rows, [("local", 1000), ("local/12", 3000), ("local.example", 9000)]);
    assert!(store.check(false, None).await.unwrap().is_clean());
    assert_ne!(store.secret(), [0; 32]);

    let destination = "local".to_owned();
    let node = "main".to_owned();
    let lease =
        Change::Lease { destination: destination.clone(), node: node.clone(), until: at(99), now: at(1) };
    assert_eq!(change(store, [lease]).await.unwrap().results, [Applied::Leased]);
    let drawn = store.queue_draw("local", at(2000), 10).await.unwrap().entries;
    for QueueEntry { queue_id, attempts, .. } in drawn {
        let (destination, node) = (destination.clone(), node.clone());
        change(store, [Change::Settle { queue_id, destination, node, attempts, rest: None }]).await.unwrap();
    }
    change(store, [Change::Release { destination, node }]).await.unwrap();
    assert_eq!(store.queue_length().await, Ok(2));
    assert_eq!(store.dkim_keys("example.org").await, Ok(vec![]));
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn stores_of_earlier_releases_go_on_in_sqlite() {
    for back in [BACK_TO_1, BACK_TO_2, ""] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        let before = fill(&store).await;
        let (ann, inbox) = fill_mailbox(&store).await;
        drop(store);
        let database = rusqlite::Connection::open(dir.path().join("waxseal.db")).unwrap();
        database.execute_batch(BACK_TO_3).unwrap();
        database.execute_batch(back).unwrap();
        drop(database);
        for _ in 0..2 {
            drop(open(dir.path()));
        }
        let store = open(dir.path());
        is_up_to_date(&store, &before).await;
        can_keep_scram(&store, ann).await;
        is_counted(&store, inbox).await;
        has_rights_and_limits(&store, ann).await;
    }
}

async fn can_keep_scram(store: &Store, account: i64) {
    assert_eq!(store.account(account).await.unwrap().unwrap().scram, "");
    let (secret, scram) = (String::new(), "keys".to_owned());
    change(store, [Change::SetSecret { account, secret, scram, at: at(9) }]).await.unwrap();
    assert_eq!(store.account(account).await.unwrap().unwrap().scram, "keys");
}

/// Rights of accounts, limits and revisions can be kept, and there are none yet.
async fn has_rights_and_limits(store: &Store, account: i64) {
    assert_eq!(store.app_passwords(account).await, Ok(vec![]));
    assert_eq!(store.bans().await, Ok(vec![]));
    assert_eq!(store.revisions(None, 9).await, Ok(vec![]));
    assert_eq!(store.domains().await.unwrap()[0].alias_of, None);
    assert_eq!(store.account(account).await.unwrap().unwrap().cram, "");
    let (name, secret, scope) = ("phone".to_owned(), "s".to_owned(), "imap".to_owned());
    let password = Change::AddAppPassword { account, name, secret, scope, at: at(1), expires: None };
    change(store, [password]).await.unwrap();
    assert_eq!(store.app_passwords(account).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_earlier_releases_go_on_in_postgres() {
    let cluster = Cluster::start().await;
    let dir = tempfile::tempdir().unwrap();
    let mut store = open_postgres(dir.path(), cluster.target()).await;
    let before = fill(&store).await;
    let (ann, inbox) = fill_mailbox(&store).await;
    for back in ["", BACK_TO_2, BACK_TO_1] {
        close(store).await;
        cluster.run(BACK_TO_3).await;
        let text = back.replace(" WITHOUT ROWID, STRICT", "").replace("INTEGER", "BIGINT");
        cluster.run(&text.replace("BLOB", "BYTEA")).await;
        close(open_postgres(dir.path(), cluster.target()).await).await;
        store = open_postgres(dir.path(), cluster.target()).await;
        can_keep_scram(&store, ann).await;
        is_counted(&store, inbox).await;
        has_rights_and_limits(&store, ann).await;
    }
    is_up_to_date(&store, &before).await;
    // Here, because SQLite's repairs are tested with its other faults.
    cluster
        .run("UPDATE destinations SET next_due = NULL; DELETE FROM destinations WHERE name = 'local/12'")
        .await;
    assert_eq!(store.check(true, None).await.unwrap().wrong_destinations, 2);
    assert_eq!(store.queue_survey("main", at(0), 10).await.unwrap().len(), 2);
    assert!(store.check(false, None).await.unwrap().is_clean());
    close(store).await;
}

async fn open_postgres(dir: &Path, target: String) -> Store {
    let (dir, world) = (dir.to_owned(), world());
    let options = Options { records: Records::Postgres(target), ..Options::default() };
    world.workers.clone().run(move || Store::open(&dir, &world, options).unwrap()).await
}

async fn close(store: Store) {
    world().workers.run(move || drop(store)).await;
}
