//! The runner on a real store: what one entry suffers, others do not.

use std::sync::Arc;

use bytes::Bytes;
use directory::Directory;
use mail::{MailboxPath, QueueId, Timestamp};
use queue::accept::LOCAL;
use queue::agent::local::Magic;
use queue::runner::Terms;
use queue::{Agents, Handle, QueueIds, Runner};
use store::change::QueueEntry;
use store::{AccountRef, Change, Commit, ContentRef, NewContent, Options, Store};
use tokio::sync::watch;
use world::{Clock, Dice, Workers, World};

const AT: Timestamp = Timestamp(1);

fn entry(number: u64, recipient: &str) -> Change {
    Change::Enqueue(QueueEntry {
        queue_id: QueueId(number),
        destination: LOCAL.into(),
        virtual_server: String::new(),
        reverse_path: String::new(),
        recipients: vec![recipient.into()],
        content: ContentRef::New(0),
        prefix: Bytes::new(),
        accepted: AT,
        due: AT,
        attempts: 0,
        notified: false,
        held: false,
        last: String::new(),
    })
}

/// An account, and two entries that are due: the first cannot be read.
fn commit() -> Commit {
    let inbox = Change::AddMailbox {
        account: AccountRef::New(1),
        path: MailboxPath::inbox(),
        uid_validity: 1,
        special_use: None,
        subscribed: true,
    };
    let account = Change::AddAccount {
        address: "bob@example.org".into(),
        name: String::new(),
        secret: String::new(),
        at: AT,
    };
    let domain = Change::AddDomain { name: "example.org".into(), at: AT };
    let changes = vec![domain, account, inbox, entry(1, "no address at all"), entry(2, "bob@example.org")];
    let bytes = Bytes::from_static(b"Subject: hello\r\n\r\nbody\r\n");
    Commit { content: vec![NewContent::Inline { label: Bytes::new(), bytes }], changes }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_stays_and_holds_up_no_other() {
    let place = tempfile::tempdir().unwrap();
    let world = World::without_network(Clock::Real, Dice::seeded(1), Workers::Inline);
    let store = Store::open(&place.path().join("data"), &world, Options::default()).unwrap();
    store.commit(commit()).await.unwrap();

    let directory = Arc::new(Directory::new(store.clone(), world.clone()));
    let settings = settings::resolve("host-name = \"mx.example.org\"\n").unwrap();
    let runner = Runner {
        agents: Arc::new(Agents::new(directory.clone(), Magic::Off)),
        directory,
        queue_ids: Arc::new(QueueIds::new(&world.dice)),
        world,
        store: store.clone(),
        terms: Terms::new(&settings),
        handle: Handle::default(),
    };
    // Told to stop before it starts, it works one round.
    let (_stop, stopped) = watch::channel(true);
    runner.run(stopped).await;

    assert!(store.queue_entries(QueueId(2)).await.unwrap().is_empty(), "the second is delivered");
    assert_eq!(store.queue_entries(QueueId(1)).await.unwrap().len(), 1, "the first is not lost");
    let account = store.account_by_address("bob@example.org").await.unwrap().unwrap();
    assert_eq!(store.mailboxes(account.id).await.unwrap()[0].messages, 1);
}
