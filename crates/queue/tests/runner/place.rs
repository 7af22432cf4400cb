//! A store in a temporary directory, a clock that jumps, and next hops that do what a test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use directory::Directory;
use mail::{Address, MailboxPath, QueueId, Timestamp};
use queue::agent::{Attempt, Attempted, Cut, Ended, Outcome};
use queue::diagnostic::Diagnostic;
use queue::runner::{Attempts, Gate};
use queue::schedule::{Routed, Site};
use queue::{Handle, QueueIds, Runner};
use store::change::QueueEntry;
use store::{AccountRef, Applied, Change, Commit, ContentRef, Disk, Faults, NewContent, Options, Store};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use world::World;

pub(crate) const START: Timestamp = Timestamp(1_763_800_000_000);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// What a next hop does with a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Do {
    Take,
    /// Files it in the INBOX of ann@example.org.
    File,
    Defer,
    Refuse,
    /// Never ends unless it is cut.
    Hang,
    /// Never ends by itself.
    IgnoreCuts,
    /// Never comes to a transaction, and steps back when told to stop.
    Dial,
    Panic,
}

/// An attempt that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) at: Timestamp,
    pub(crate) destination: String,
    pub(crate) queue_id: QueueId,
    pub(crate) recipients: Vec<String>,
    pub(crate) number: u32,
}

type Weather = Box<dyn FnMut(&Tried, &str) -> Do + Send>;

/// Agents whose next hops do what a test says.
pub(crate) struct Hops {
    world: World,
    inbox: i64,
    weather: Mutex<Weather>,
    pub(crate) tried: Mutex<Vec<Tried>>,
    /// How long an attempt takes.
    pub(crate) takes: Duration,
    /// The site of all destinations, if they have one.
    pub(crate) site: Option<Site>,
    running: Mutex<(usize, usize)>,
    /// Attempts that found their site full.
    pub(crate) stepped_back: AtomicUsize,
}

impl Hops {
    pub(crate) fn tried(&self) -> Vec<Tried> {
        self.tried.lock().unwrap().clone()
    }

    /// At most so many attempts were under way at once.
    pub(crate) fn most_at_once(&self) -> usize {
        self.running.lock().unwrap().1
    }

    fn enter(&self) {
        let mut running = self.running.lock().unwrap();
        running.0 += 1;
        running.1 = running.1.max(running.0);
    }

    fn leave(&self) {
        self.running.lock().unwrap().0 -= 1;
    }
}

impl Attempts for Hops {
    async fn attempt(&self, attempt: Attempt, gate: Gate, mut cut: Cut) -> Ended {
        if let Some(site) = &self.site
            && gate.pass(site.clone()).await == Routed::StepBack
        {
            self.stepped_back.fetch_add(1, Ordering::Relaxed);
            return Ended::SteppedBack;
        }
        let tried = Tried {
            at: self.world.clock.wall(),
            destination: attempt.entry.destination.clone(),
            queue_id: attempt.entry.queue_id,
            recipients: attempt.entry.recipients.iter().map(|one| one.address.clone()).collect(),
            number: attempt.number,
        };
        self.enter();
        let done: Vec<Do> = {
            let mut weather = self.weather.lock().unwrap();
            tried.recipients.iter().map(|recipient| weather(&tried, recipient)).collect()
        };
        self.tried.lock().unwrap().push(tried);
        let ends = async {
            if done.contains(&Do::Hang) || done.contains(&Do::Dial) || done.contains(&Do::IgnoreCuts) {
                std::future::pending::<()>().await;
            }
            self.world.clock.sleep(self.takes).await;
        };
        let mut stop = cut.clone();
        let cut = tokio::select! {
            biased;
            () = stop.wait_stop(), if done.contains(&Do::Dial) => {
                self.leave();
                return Ended::SteppedBack;
            }
            () = cut.wait(), if !done.contains(&Do::IgnoreCuts) => true,
            () = ends => false,
        };
        self.leave();
        let outcomes =
            done.iter().zip(&attempt.recipients).map(|(done, to)| outcome(*done, to, self.inbox, cut));
        Ended::Attempted(Attempted { outcomes: outcomes.collect(), hops: Vec::new() })
    }
}

fn outcome(done: Do, to: &Address, inbox: i64, cut: bool) -> Outcome {
    let said = |reply: mail::Reply| {
        let (host, status) = ("mx.example.net".to_owned(), reply.enhanced.unwrap());
        let because = format!("{host}: {reply}");
        Diagnostic { status, because, remote: Some(queue::diagnostic::Remote { host, reply }) }
    };
    match done {
        _ if cut => Outcome::Deferred(Diagnostic::ours((4, 4, 2), "the attempt was cut")),
        Do::Take => {
            let said = said(mail::Reply::new(250, (2, 0, 0), "taken"));
            Outcome::Relayed { said, reports: false }
        }
        Do::File => Outcome::Filed { mailboxes: vec![(inbox, to.clone())] },
        Do::Defer | Do::Hang | Do::IgnoreCuts | Do::Dial => {
            Outcome::Deferred(said(mail::Reply::new(451, (4, 7, 1), "later")))
        }
        Do::Refuse => Outcome::Failed(said(mail::Reply::new(550, (5, 1, 1), "no such user"))),
        Do::Panic => panic!("planted"),
    }
}

/// A queue and what works it.
pub(crate) struct Place {
    pub(crate) world: World,
    pub(crate) store: Store,
    pub(crate) handle: Handle,
    pub(crate) hops: Arc<Hops>,
    pub(crate) queue_ids: Arc<QueueIds>,
    /// What is wrong with the disk.
    pub(crate) faults: Arc<Faults>,
    directory: Arc<Directory>,
    stop: Option<(watch::Sender<bool>, JoinHandle<()>)>,
    _dir: tempfile::TempDir,
}

/// Settings of the tests: a short retry list, told after an hour, given up after three.
pub(crate) const SETTINGS: &str = r#"host-name = "mx.example.org"

[delivery]
retry = ["15 min", "then every 30 min"]
delay-notification = "1 h"
expiration = "3 h"
"#;

impl Place {
    pub(crate) async fn new(weather: impl FnMut(&Tried, &str) -> Do + Send + 'static) -> Self {
        Self::with(SETTINGS, weather, |_| {}).await
    }

    pub(crate) async fn with(
        settings: &str,
        weather: impl FnMut(&Tried, &str) -> Do + Send + 'static,
        change: impl FnOnce(&mut Hops),
    ) -> Self {
        let settings = settings::resolve(settings).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let world = World::simulated(START, 1);
        let faults = Arc::new(Faults::default());
        let options = Options { disk: Disk::Failing(faults.clone()), ..Options::default() };
        let store = Store::open(&dir.path().join("data"), &world, options).unwrap();
        let made = store.commit(Commit { content: vec![], changes: account() }).await.unwrap();
        let Applied::Made(inbox) = made.results[2] else { panic!("{made:?}") };
        let mut hops = Hops {
            world: world.clone(),
            inbox,
            weather: Mutex::new(Box::new(weather)),
            tried: Mutex::default(),
            takes: Duration::from_millis(20),
            site: None,
            running: Mutex::default(),
            stepped_back: AtomicUsize::new(0),
        };
        change(&mut hops);
        Self {
            directory: Arc::new(Directory::new(store.clone(), world.clone())),
            queue_ids: Arc::new(QueueIds::new(&world.dice)),
            handle: Handle::new(Arc::new(queue::Properties::without_network(&settings))),
            hops: Arc::new(hops),
            stop: None,
            faults,
            world,
            store,
            _dir: dir,
        }
    }

    /// Starts the runner, or a new one after [`crash`](Self::crash).
    pub(crate) fn start(&mut self) {
        let runner = Runner {
            world: self.world.clone(),
            store: self.store.clone(),
            directory: self.directory.clone(),
            queue_ids: self.queue_ids.clone(),
            agents: self.hops.clone(),
            handle: self.handle.clone(),
        };
        let (stop, stopped) = watch::channel(false);
        let task = self.world.workers.spawn(runner.run(stopped));
        self.stop = Some((stop, task));
    }

    /// Drops the runner wherever it is.
    pub(crate) async fn crash(&mut self) {
        let (_, task) = self.stop.take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    /// Tells it to stop, and waits.
    pub(crate) async fn stop(&mut self) {
        let (stop, task) = self.stop.take().unwrap();
        stop.send(true).unwrap();
        task.await.unwrap();
    }

    /// One message, to one entry for each destination.
    pub(crate) async fn enqueue(&self, number: u64, from: &str, to: &[(&str, &[&str])]) {
        let mut commit = Commit::default();
        for (destination, recipients) in to {
            self.add(&mut commit, number, from, destination, recipients);
        }
        self.accept(commit).await;
    }

    /// Messages to one recipient each, whose domain is the destination, by number.
    pub(crate) async fn enqueue_all(&self, recipients: impl IntoIterator<Item = (u64, String)>) {
        let mut commit = Commit::default();
        for (number, recipient) in recipients {
            let (_, destination) = recipient.split_once('@').unwrap();
            self.add(&mut commit, number, "", destination, &[&recipient]);
        }
        self.accept(commit).await;
    }

    /// The same, from ann@example.org, who asks to be told of success.
    pub(crate) async fn enqueue_asking(&self, recipients: impl IntoIterator<Item = (u64, String)>) {
        let mut commit = Commit::default();
        for (number, recipient) in recipients {
            let (_, destination) = recipient.split_once('@').unwrap();
            self.add(&mut commit, number, "ann@example.org", destination, &[&recipient]);
        }
        let notify = Some(mail::Notify { success: true, ..mail::Notify::NEVER });
        for change in &mut commit.changes {
            if let Change::Enqueue(entry) = change {
                entry.recipients.iter_mut().for_each(|recipient| recipient.parameters.notify = notify);
            }
        }
        self.accept(commit).await;
    }

    fn add(&self, commit: &mut Commit, number: u64, from: &str, destination: &str, recipients: &[&str]) {
        let at = self.world.clock.wall();
        let bytes = Bytes::from(format!("Subject: {number}\r\nMessage-ID: <{number}@x>\r\n\r\nbody\r\n"));
        commit.content.push(NewContent::Inline { label: Bytes::new(), bytes });
        commit.changes.push(Change::Enqueue(QueueEntry {
            queue_id: QueueId(number),
            destination: destination.into(),
            virtual_server: "internet".into(),
            reverse_path: from.into(),
            parameters: mail::MessageParameters::default(),
            recipients: recipients.iter().map(|one| (*one).into()).collect(),
            content: ContentRef::New(commit.content.len() - 1),
            prefix: Bytes::new(),
            accepted: at,
            due: at,
            attempts: 0,
            notified: false,
            held: false,
            last: String::new(),
        }));
    }

    async fn accept(&self, commit: Commit) {
        self.store.commit(commit.clone()).await.unwrap();
        for change in &commit.changes {
            if let Change::Enqueue(entry) = change {
                self.handle.due(&entry.destination, entry.due);
            }
        }
    }

    /// Lets so much time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.world.clock.sleep(time).await;
    }

    /// Commits changes as an administrator does.
    pub(crate) async fn commit(&self, change: Change) {
        self.store.commit(Commit { content: vec![], changes: vec![change] }).await.unwrap();
    }

    /// The texts of what lies in the mailbox of ann@example.org.
    pub(crate) async fn inbox(&self) -> Vec<String> {
        let account = self.store.account_by_address("ann@example.org").await.unwrap().unwrap();
        let mailbox = &self.store.mailboxes(account.id).await.unwrap()[0];
        let (_, uids) = self.store.uids(mailbox.id).await.unwrap().unwrap();
        let emails = self.store.emails(mailbox.id, &uids, usize::MAX).await.unwrap();
        let mut texts = Vec::new();
        for email in emails {
            let text = self.store.read_content(email.content, 0, 1 << 20).await.unwrap();
            texts.push(String::from_utf8(text.to_vec()).unwrap());
        }
        texts
    }

    /// What the journal tells of a message.
    pub(crate) async fn story(&self, number: u64) -> String {
        policy::story::tell(&self.store.story(QueueId(number)).await.unwrap())
    }

    /// How often each recipient was tried.
    pub(crate) fn tries(&self) -> BTreeMap<String, usize> {
        let mut tries = BTreeMap::new();
        for tried in self.hops.tried() {
            for recipient in tried.recipients {
                *tries.entry(recipient).or_default() += 1;
            }
        }
        tries
    }
}

/// The minutes after the start at which a message was tried.
pub(crate) fn minutes(tried: &[Tried], number: u64) -> Vec<i64> {
    let of = tried.iter().filter(|tried| tried.queue_id == QueueId(number));
    of.map(|tried| (tried.at.0 - START.0) / 60_000).collect()
}

/// ann@example.org and her INBOX.
fn account() -> Vec<Change> {
    let inbox = Change::AddMailbox {
        account: AccountRef::New(1),
        path: MailboxPath::inbox(),
        uid_validity: 1,
        special_use: None,
        subscribed: true,
    };
    let account = Change::AddAccount {
        address: "ann@example.org".into(),
        name: String::new(),
        secret: String::new(),
        scram: String::new(),
        at: START,
    };
    vec![Change::AddDomain { name: "example.org".into(), at: START }, account, inbox]
}
