//! What the store promises about crashes, locks and failing disks.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod support;

use std::fs::OpenOptions;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use mail::{Flag, QueueId, Timestamp, Uid};
use store::{
    Applied, Change, Commit, ContentRef, Disk, Error, Faults, FlagMode, MailboxRef, NewContent, OpenError,
    Options, QueueEntry, Store,
};
use support::*;
use world::{Clock, Workers, World};

fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join("content")).unwrap();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// Copies a store's files while it runs, as a crash would leave them.
fn crash(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("content")).unwrap();
    for name in ["waxseal.db", "waxseal.db-wal"] {
        std::fs::copy(dir.join(name), copy.path().join(name)).unwrap();
    }
    for path in segments(dir) {
        std::fs::copy(&path, copy.path().join("content").join(path.file_name().unwrap())).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_thousand_commits_at_once_keep_uids_dense_and_ascending() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    let inbox = mailboxes[0];
    let tasks: Vec<_> = (0..1000)
        .map(|number| {
            let store = store.clone();
            world().workers.spawn(async move { file_one(&store, inbox, format!("message {number}")).await })
        })
        .collect();
    let mut given = Vec::new();
    for task in tasks {
        match &task.await.unwrap().unwrap().results[0] {
            Applied::Filed { uid, modseq, .. } => given.push((uid.0, modseq.0)),
            other => panic!("{other:?}"),
        }
    }
    given.sort_unstable();
    let expected: Vec<(u32, u64)> = (1..=1000).map(|uid| (uid, u64::from(uid) + 1)).collect();
    assert_eq!(given, expected);
    let record = store.mailbox(inbox).await.unwrap().unwrap();
    assert_eq!((record.messages, record.unseen, record.uid_next), (1000, 1000, 1001));
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_commit_that_conflicts_fails_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    let inbox = mailboxes[0];
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let store = store.clone();
            let mailbox = if number % 10 == 3 { 999_999 } else { inbox };
            world().workers.spawn(async move {
                let commit = Commit {
                    content: vec![inline("x", format!("{number}"))],
                    // The first change of a failing commit must not stay either.
                    changes: vec![file(inbox, 0), file(mailbox, 0)],
                };
                (number, store.commit(commit).await)
            })
        })
        .collect();
    for task in tasks {
        let (number, result) = task.await.unwrap();
        match result {
            Err(Error::Conflict(_)) => assert_eq!(number % 10, 3),
            Ok(_) => assert_ne!(number % 10, 3),
            Err(error) => panic!("{error}"),
        }
    }
    let (record, uids) = store.uids(inbox).await.unwrap().unwrap();
    assert_eq!((record.messages, uids.len(), record.uid_next), (360, 360, 361));
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    for number in 0..50 {
        file_one(&store, mailboxes[0], format!("message {number}")).await.unwrap();
    }
    let crashed = crash(dir.path());
    let again = open(crashed.path());
    let emails = again.emails(mailboxes[0], &uids(1..=50), 100).await.unwrap();
    assert_eq!(emails.len(), 50);
    for (number, email) in emails.iter().enumerate() {
        let content = again.read_content(email.content, 0, 1000).await.unwrap();
        assert_eq!(content, format!("message {number}"));
    }
    assert_eq!(again.orphans(), vec![]);
    assert!(again.check(false, None).await.unwrap().is_clean());
    // UIDs go on where they were.
    let receipt = file_one(&again, mailboxes[0], "next").await.unwrap();
    assert!(matches!(receipt.results[0], Applied::Filed { uid: Uid(51), .. }), "{receipt:?}");
}

#[tokio::test]
async fn a_torn_tail_of_the_records_loses_what_was_not_acknowledged_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    for number in 0..20 {
        file_one(&store, mailboxes[0], format!("message {number}")).await.unwrap();
    }
    let crashed = crash(dir.path());
    // The last commit's end did not reach the disk: it counts as never made, and its content has no record.
    let wal = OpenOptions::new().write(true).open(crashed.path().join("waxseal.db-wal")).unwrap();
    wal.set_len(wal.metadata().unwrap().len() - 100).unwrap();
    let again = open(crashed.path());
    assert_eq!(again.mailbox(mailboxes[0]).await.unwrap().unwrap().messages, 19);
    let orphans = again.orphans();
    assert_eq!(orphans.len(), 1);
    assert_eq!((&orphans[0].label[..], orphans[0].size, orphans[0].complete), (&b"one"[..], 10, true));
    assert!(again.check(false, None).await.unwrap().is_clean());
    again.settle_orphans().await.unwrap();
    drop(again);
    assert_eq!(open(crashed.path()).orphans(), vec![]);
}

#[tokio::test]
async fn content_that_was_cut_by_a_crash_is_listed_and_then_freed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut cut = store.stage(Bytes::from_static(b"cut"));
    cut.write(Bytes::from(vec![1; 200_000])).await.unwrap();
    let mut uncommitted = store.stage(Bytes::from_static(b"uncommitted"));
    uncommitted.write(Bytes::from(vec![2; 150_000])).await.unwrap();
    let staged = uncommitted.finish().await.unwrap();
    let mut small = store.stage(Bytes::from_static(b"small"));
    small.write(Bytes::from_static(b"little")).await.unwrap();
    small.finish().await.unwrap();
    let crashed = crash(dir.path());
    let again = open(crashed.path());
    let mut found: Vec<_> = again
        .orphans()
        .into_iter()
        .map(|it| (String::from_utf8(it.label.to_vec()).unwrap(), it.size, it.complete))
        .collect();
    found.sort();
    // Of the cut one, whole chunks of 64 KiB had been written.
    let expected = [("cut", 3 * 65_536, false), ("small", 6, true), ("uncommitted", 150_000, true)];
    assert_eq!(found, expected.map(|(label, size, complete)| (label.to_owned(), size, complete)));
    assert_eq!(again.read_content(staged.id, 140_000, 100_000).await.unwrap().len(), 10_000);
    again.settle_orphans().await.unwrap();
    assert_eq!(segments(crashed.path()).len(), 1, "only the growing segment stays");
}

#[tokio::test]
async fn a_torn_segment_is_read_up_to_the_tear() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for text in ["first", "second", "third"] {
        let mut stager = store.stage(Bytes::from_static(b"s"));
        stager.write(Bytes::from_static(text.as_bytes())).await.unwrap();
        stager.finish().await.unwrap();
    }
    let crashed = crash(dir.path());
    let segment = OpenOptions::new().write(true).open(&segments(crashed.path())[0]).unwrap();
    segment.set_len(segment.metadata().unwrap().len() - 2).unwrap();
    let sizes: Vec<u64> = open(crashed.path()).orphans().iter().map(|orphan| orphan.size).collect();
    assert_eq!(sizes, [5, 6]);
}

#[tokio::test]
async fn damaged_content_is_refused_and_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    let receipt = file_one(&store, mailboxes[0], "precious").await.unwrap();
    let id = receipt.content[0];
    let segment = OpenOptions::new().write(true).open(&segments(dir.path())[0]).unwrap();
    segment.write_all_at(b"X", id.offset + 40).unwrap();
    assert!(matches!(store.read_content(id, 0, 100).await, Err(Error::Corrupt(_))));
    let report = store.check(true, None).await.unwrap();
    assert_eq!((report.damaged.clone(), report.is_clean()), (vec![id], false));
}

#[tokio::test]
async fn staged_content_becomes_part_of_a_commit_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    let bytes: Bytes = (0..400_000u32).map(|n| (n % 251) as u8).collect::<Vec<u8>>().into();
    let mut stager = store.stage(Bytes::from_static(b"big"));
    for piece in bytes.chunks(50_000) {
        stager.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    let staged = stager.finish().await.unwrap();
    assert_eq!(staged.size, 400_000);
    let commit = Commit { content: vec![NewContent::Staged(staged)], changes: vec![file(mailboxes[0], 0)] };
    let receipt = store.commit(commit.clone()).await.unwrap();
    assert!(matches!(store.commit(commit).await, Err(Error::Conflict(_))));
    let mut read = Vec::new();
    loop {
        let piece = store.read_content(receipt.content[0], read.len() as u64, 70_000).await.unwrap();
        if piece.is_empty() {
            break;
        }
        read.extend_from_slice(&piece);
    }
    assert_eq!(Bytes::from(read), bytes);
    drop(store);
    let again = open(dir.path());
    assert_eq!(again.orphans(), vec![]);
    assert!(again.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn freed_content_is_reclaimed_after_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { reclaim_after: Duration::ZERO, ..Options::default() };
    let store = Store::open(dir.path(), &world(), options.clone()).unwrap();
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    file_one(&store, mailboxes[0], vec![b'x'; 100_000]).await.unwrap();
    drop(store);
    let store = Store::open(dir.path(), &world(), options).unwrap();
    let mut stager = store.stage(Bytes::new());
    stager.write(Bytes::from(vec![b'y'; 100_000])).await.unwrap();
    let staged = stager.finish().await.unwrap();
    let changes = vec![file(mailboxes[0], 0)];
    store.commit(Commit { content: vec![NewContent::Staged(staged)], changes }).await.unwrap();
    assert_eq!(store.maintain().await.unwrap().contents, 0, "everything is held");
    assert_eq!(segments(dir.path()).len(), 3);
    change(&store, [Change::Expunge { mailbox: mailboxes[0], uids: uids(1..=2), only_deleted: false }])
        .await
        .unwrap();
    let done = store.maintain().await.unwrap();
    assert_eq!((done.contents, done.segments), (2, 2));
    assert_eq!(segments(dir.path()).len(), 1, "only the growing segment stays");
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn segments_are_rotated_and_go_when_they_are_empty() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { segment_octets_max: 1000, reclaim_after: Duration::ZERO, ..Options::default() };
    let store = Store::open(dir.path(), &world(), options.clone()).unwrap();
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    for number in 0..40u8 {
        file_one(&store, mailboxes[0], vec![number; 300]).await.unwrap();
    }
    assert!(segments(dir.path()).len() > 10);
    drop(store);
    let store = Store::open(dir.path(), &world(), options).unwrap();
    assert_eq!(store.orphans(), vec![]);
    for email in store.emails(mailboxes[0], &uids(1..=40), 100).await.unwrap() {
        let content = store.read_content(email.content, 0, 1000).await.unwrap();
        assert_eq!(content, vec![(email.uid.0 - 1) as u8; 300]);
    }
    assert!(store.check(false, None).await.unwrap().is_clean());
    change(&store, [Change::RemoveMailbox { mailbox: mailboxes[0] }]).await.unwrap();
    assert_eq!(store.maintain().await.unwrap().contents, 40);
    assert_eq!(segments(dir.path()).len(), 1, "only the growing segment stays");
}

#[tokio::test]
async fn a_second_opener_is_told_who_has_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Store::open(dir.path(), &world(), Options::default()).unwrap_err();
    let expected = OpenError::Locked { dir: dir.path().to_owned(), process: Some(std::process::id()) };
    assert_eq!(error, expected);
    assert_eq!(
        error.to_string(),
        format!("{} is in use by process {}", dir.path().display(), std::process::id())
    );
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn the_directory_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("data");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(open(&inner));
    assert_eq!((mode(&inner), mode(&inner.join("content"))), (0o700, 0o700));
    std::fs::set_permissions(&inner, PermissionsExt::from_mode(0o755)).unwrap();
    drop(open(&inner));
    assert_eq!(mode(&inner), 0o711, "a wider one is mended: others may pass through it, and no more");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let database = rusqlite::Connection::open(dir.path().join("waxseal.db")).unwrap();
    database.execute("UPDATE state SET value = 1000 WHERE name = 'schema'", []).unwrap();
    drop(database);
    let error = Store::open(dir.path(), &world(), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 1000, .. }), "{error:?}");
    assert!(error.to_string().contains("newer waxseal"), "{error}");
}

#[tokio::test]
async fn a_failed_sync_stops_acceptance() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let options = Options { disk: Disk::Failing(faults.clone()), ..Options::default() };
    let store = Store::open(dir.path(), &world(), options).unwrap();
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    file_one(&store, mailboxes[0], "kept").await.unwrap();
    faults.sync.store(true, Ordering::Relaxed);
    assert!(matches!(file_one(&store, mailboxes[0], "lost").await, Err(Error::Unavailable(_))));
    faults.sync.store(false, Ordering::Relaxed);
    // What the kernel dropped it will not report again: only a restart looks at what is there.
    assert!(matches!(file_one(&store, mailboxes[0], "refused").await, Err(Error::Unavailable(_))));
    assert_eq!(store.mailbox(mailboxes[0]).await.unwrap().unwrap().messages, 1);
    drop(store);
    file_one(&open(dir.path()), mailboxes[0], "accepted").await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_content_and_lets_mail_be_removed() {
    let dir = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::default());
    let options = Options { disk: Disk::Failing(faults.clone()), ..Options::default() };
    let store = Store::open(dir.path(), &world(), options).unwrap();
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    file_one(&store, mailboxes[0], "kept").await.unwrap();
    faults.full.store(true, Ordering::Relaxed);
    assert!(matches!(file_one(&store, mailboxes[0], "no room").await, Err(Error::Full(_))));
    change(&store, [Change::Expunge { mailbox: mailboxes[0], uids: uids([1]), only_deleted: false }])
        .await
        .unwrap();
    faults.full.store(false, Ordering::Relaxed);
    file_one(&store, mailboxes[0], "room again").await.unwrap();
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn watchers_are_told_what_changed_and_news_merge() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (a, mailboxes) = account(&store, "a@example.org", &["INBOX", "Sent"]).await;
    let (_, others) = account(&store, "b@example.org", &["INBOX"]).await;
    let generation = store.directory_generation();
    let mut watch = store.watch(a);
    for mailbox in [mailboxes[0], others[0], mailboxes[0], mailboxes[1]] {
        file_one(&store, mailbox, "x").await.unwrap();
    }
    let news: Vec<(i64, u64)> =
        watch.changed().await.into_iter().map(|(id, modseq)| (id, modseq.0)).collect();
    assert_eq!(news, [(mailboxes[0], 3), (mailboxes[1], 2)]);
    assert_eq!(store.directory_generation(), generation, "filing changes no directory");
    change(&store, [Change::SetSecret { account: a, secret: "x".into(), scram: String::new(), at: at(3) }])
        .await
        .unwrap();
    assert_eq!(store.directory_generation(), generation + 1);
}

#[tokio::test]
async fn counters_that_are_wrong_are_found_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    for _ in 0..3 {
        file_one(&store, mailboxes[0], "x").await.unwrap();
    }
    let before = store.mailbox(mailboxes[0]).await.unwrap();
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("waxseal.db")).unwrap();
    database
        .execute_batch(
            "UPDATE tallies SET messages = 9, size = 1, uid_next = 2; UPDATE segments SET live = live + 1;
             DELETE FROM content WHERE start = (SELECT MIN(start) FROM content);
             UPDATE content SET refs = 5 WHERE start = (SELECT MAX(start) FROM content);",
        )
        .unwrap();
    drop(database);
    let store = open(dir.path());
    let report = store.check(true, None).await.unwrap();
    assert!(!report.is_clean());
    assert_eq!(report.emails_without_content, [(mailboxes[0], Uid(1))]);
    assert_eq!((report.wrong_tallies, report.wrong_segments), (1, 1));
    // The row that was missing came back without references, and was counted too.
    assert_eq!(report.wrong_references, 2);
    assert!(store.check(false, None).await.unwrap().is_clean());
    assert_eq!(store.mailbox(mailboxes[0]).await.unwrap(), before);
}

#[tokio::test]
async fn destinations_that_nobody_would_look_at_are_found_and_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let held = QueueEntry { held: true, ..entry(2, "held", 10) };
    let entries =
        [entry(1, "gone", 30), entry(1, "late", 10), entry(2, "late", 20), entry(1, "null", 40), held]
            .map(Change::Enqueue);
    let doomed = [entry(1, "early", 70), entry(1, "doomed", 50)].map(Change::Enqueue);
    let changes = entries.into_iter().chain(doomed).collect();
    store.commit(Commit { content: vec![inline("q", "x")], changes }).await.unwrap();
    let hold = Change::Hold { queue_id: QueueId(1), destination: "doomed".into(), held: true, now: at(0) };
    change(&store, [hold, Change::Doom { queue_id: QueueId(1), destination: "doomed".into() }])
        .await
        .unwrap();
    let before = store.queue_survey("a", at(0), 10).await.unwrap();
    assert!(store.check(false, None).await.unwrap().is_clean());
    drop(store);
    let database = rusqlite::Connection::open(dir.path().join("waxseal.db")).unwrap();
    database
        .execute_batch(
            "DELETE FROM destinations WHERE name = 'gone'; UPDATE destinations SET next_due = 11 WHERE name = 'late';
             UPDATE destinations SET next_due = NULL WHERE name = 'null';
             UPDATE destinations SET next_due = 50 WHERE name = 'doomed';",
        )
        .unwrap();
    let store = open(dir.path());
    assert_eq!(store.check(false, None).await.unwrap().wrong_destinations, 4);
    assert_eq!(store.check(true, None).await.unwrap().wrong_destinations, 4);
    assert!(store.check(false, None).await.unwrap().is_clean());
    assert_eq!(store.queue_survey("a", at(0), 10).await.unwrap(), before);
    // Earlier than what waits is no fault: whoever leases it finds that out.
    database.execute_batch("UPDATE destinations SET next_due = 5 WHERE name IN ('early', 'held')").unwrap();
    assert!(store.check(false, None).await.unwrap().is_clean());
}

#[tokio::test]
async fn stories_are_found_by_key_before_and_after_indexing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { story_keys: |story| vec![story.to_owned()], ..Options::default() };
    let store = Store::open(dir.path(), &world(), options).unwrap();
    let explain = |id: u64, story: &str| Change::Explain {
        queue_id: QueueId(id << 20),
        at: at(1),
        story: story.into(),
    };
    change(&store, [explain(1, "a"), explain(2, "b"), explain(3, "a")]).await.unwrap();
    let newest_first = vec![QueueId(3 << 20), QueueId(1 << 20)];
    assert_eq!(store.stories_by_key("a", 10).await.unwrap(), newest_first);
    assert_eq!(store.index_journal().await.unwrap(), 3);
    assert_eq!(store.index_journal().await.unwrap(), 0);
    assert_eq!(store.stories_by_key("a", 10).await.unwrap(), newest_first);
    change(&store, [explain(4, "a")]).await.unwrap();
    assert_eq!(store.stories_by_key("a", 1).await.unwrap(), [QueueId(4 << 20)]);
    assert_eq!(store.trim_journal(at(3), u64::MAX).await.unwrap(), 2, "older than 3 ms");
    assert_eq!(store.stories_by_key("a", 10).await.unwrap(), [QueueId(4 << 20), QueueId(3 << 20)]);
    assert_eq!(store.trim_journal(at(0), 1).await.unwrap(), 1, "one octet of stories may stay");
    assert_eq!(store.stories_by_key("a", 10).await.unwrap(), [QueueId(4 << 20)]);
}

#[tokio::test(start_paused = true)]
async fn in_simulation_the_caller_does_the_work() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::simulated(Timestamp(1_700_000_000_000));
    let world = World { clock, workers: Workers::Inline, ..world() };
    let store = Store::open(dir.path(), &world, Options::default()).unwrap();
    let (_, mailboxes) = account(&store, "a@example.org", &["INBOX"]).await;
    file_one(&store, mailboxes[0], "x").await.unwrap();
    let flags = vec![Flag::Seen];
    let (mailbox, uids) = (mailboxes[0], uids([1]));
    change(
        &store,
        [Change::SetFlags { mailbox, uids, mode: FlagMode::Add, flags, unless_modified_after: None }],
    )
    .await
    .unwrap();
    assert_eq!(store.mailbox(mailbox).await.unwrap().unwrap().unseen, 0);
    world.clock.sleep(Duration::from_secs(7200)).await;
    assert_eq!(store.maintain().await.unwrap().contents, 0);
}

#[tokio::test]
async fn a_commit_names_what_it_makes() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (account, _) = account(&store, "a@example.org", &[]).await;
    let add = Change::AddMailbox {
        account: store::AccountRef::Known(account),
        path: path("Archive"),
        uid_validity: 5,
        special_use: Some("Archive".into()),
        subscribed: false,
    };
    let file = Change::File {
        mailbox: MailboxRef::New(0),
        content: ContentRef::New(0),
        prefix: Bytes::new(),
        flags: vec![Flag::Seen],
        date: at(9),
    };
    let commit = Commit { content: vec![inline("x", "abc")], changes: vec![add, file] };
    let receipt = store.commit(commit).await.unwrap();
    assert!(matches!(receipt.results[1], Applied::Filed { uid_validity: 5, uid: Uid(1), .. }), "{receipt:?}");
}
