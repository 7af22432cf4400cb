//! The store's handle: open, commit, stage, watch.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use world::{Clock, Workers, World};

use crate::change::{Change, Commit, NewContent, QueuedRecipient, Receipt};
use crate::content::{ContentId, Orphan};
use crate::disk::Disk;
use crate::error::{Error, OpenError};
use crate::limits::{INLINE_CONTENT_OCTETS_MAX, QUEUE_OCTETS_MAX, SEGMENT_OCTETS_MAX};
use crate::log::Log;
use crate::place::Place;
use crate::readers::Readers;
use crate::room::Room;
use crate::schema::{self, Outdated};
use crate::sql::Sql;
use crate::sql::postgres::Postgres;
use crate::sql::sqlite::Sqlite;
use crate::stage::Stager;
use crate::watch::{Watch, Watchers};
use crate::writer::{Job, Waiting, Writer};
use crate::{maintain, writer};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where records lie.
    pub records: Records,
    /// How long content stays after its last reference went, so that no reader races reclaim.
    pub reclaim_after: Duration,
    /// Finds the keys (addresses, Message-IDs) of a story.
    pub story_keys: fn(&str) -> Vec<String>,
    /// A new segment begins when the growing one is longer than this, octets.
    pub segment_octets_max: u64,
    /// How content is written.
    pub disk: Disk,
}

impl Default for Options {
    /// SQLite; an hour; stories without keys; segments of [`SEGMENT_OCTETS_MAX`].
    fn default() -> Self {
        Self {
            records: Records::Sqlite,
            reclaim_after: Duration::from_secs(3600),
            story_keys: |_| Vec::new(),
            segment_octets_max: SEGMENT_OCTETS_MAX,
            disk: Disk::Real,
        }
    }
}

/// Where records lie. Content lies in the directory, whatever is chosen here.
#[derive(Debug, Clone)]
pub enum Records {
    /// In the directory.
    Sqlite,
    /// In a database of PostgreSQL 15 or later: a connection string such as `host=/run/postgresql dbname=waxseal`. One
    /// server process for each database. Not in simulation, and [`Store::open`] must not be called in an async task.
    Postgres(String),
}

/// What is remembered. Cheap to clone; when the last clone is dropped, what waits is written and the directory is freed.
///
/// ```
/// use mail::MailboxPath;
/// use store::{AccountRef, Change, Commit, ContentRef, MailboxRef, NewContent, Options, Store};
/// use world::{Clock, Dice, Workers, World};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let directory = tempfile::tempdir().unwrap();
/// let world = World::without_network(Clock::Real, Dice::Real, Workers::threads(2));
/// let store = Store::open(directory.path(), &world, Options::default()).unwrap();
/// let at = world.clock.wall();
/// let (address, name, secret) = ("ada@example.org".to_owned(), "Ada".to_owned(), String::new());
/// let (account, path, uid_validity) = (AccountRef::New(1), MailboxPath::inbox(), 1);
/// let (mailbox, content) = (MailboxRef::New(2), ContentRef::New(0));
/// let receipt = store
///     .commit(Commit {
///         content: vec![NewContent::Inline { label: "probe".into(), bytes: "Subject: hello\r\n\r\n".into() }],
///         changes: vec![
///             Change::AddDomain { name: "example.org".into(), at },
///             Change::AddAccount { address, name, secret, scram: String::new(), at },
///             Change::AddMailbox { account, path, uid_validity, special_use: None, subscribed: true },
///             Change::File { mailbox, content, prefix: "Return-Path: <>\r\n".into(), flags: vec![], date: at },
///         ],
///     })
///     .await
///     .unwrap();
/// // Now it is on stable storage.
/// assert_eq!(store.read_content(receipt.content[0], 9, 5).await.unwrap(), "hello");
/// # });
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    waiting: Arc<Waiting>,
    thread: Mutex<Option<JoinHandle<()>>>,
    budget: Arc<Semaphore>,
}

/// What readers, stagers and the writer share.
pub(crate) struct Shared {
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Clock,
    pub(crate) workers: Workers,
    pub(crate) options: Options,
    pub(crate) readers: Readers,
    room: Room,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) orphans: Mutex<Vec<Orphan>>,
    generation: Arc<AtomicU64>,
    secret: [u8; 32],
    writer: Mutex<Writer>,
    /// Last, so that the lock goes after everything that it guards.
    place: Place,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in a directory, which is made if it is not there (mode 0700) and locked for this process. A new
    /// segment begins; content that a crash left without a record is found ([`Store::orphans`]).
    ///
    /// # Errors
    /// See [`OpenError`]; its text is for the person who started the program.
    pub fn open(dir: &Path, world: &World, options: Options) -> Result<Self, OpenError> {
        let place = Place::take(dir)?;
        let (mut sql, readers) = connect(&place, &options).map_err(OpenError::Database)?;
        schema::prepare(&mut *sql).map_err(|outdated| match outdated {
            Outdated::Newer(found) => OpenError::Newer { found, known: schema::VERSION },
            Outdated::Failed(error) => OpenError::Database(error),
        })?;
        let opened = Self::assemble(place, sql, readers, world, options).map_err(OpenError::Database)?;
        opened.start().map_err(|error| OpenError::Io(dir.to_owned(), error.to_string()))?;
        Ok(opened)
    }

    fn assemble(
        place: Place,
        mut sql: Box<dyn Sql>,
        readers: Readers,
        world: &World,
        options: Options,
    ) -> Result<Self, Error> {
        let secret = schema::secret(&mut *sql, &world.dice)?;
        let mark = schema::state(&mut *sql, "segment_mark")?;
        let mark =
            u32::try_from(mark).map_err(|_| Error::Full("segments have used up their numbers".into()))?;
        let log = Arc::new(Log::open(&place.content(), mark, world.dice.clone(), &options)?);
        let orphans = maintain::find_orphans(&mut *sql, &log)?;
        let (watchers, generation) = (Arc::<Watchers>::default(), Arc::<AtomicU64>::default());
        let writer =
            Writer::new(sql, log.clone(), world.clock.clone(), watchers.clone(), generation.clone())?;
        let room = Room::new(place.content(), options.disk.clone());
        let shared = Arc::new(Shared {
            log,
            clock: world.clock.clone(),
            workers: world.workers.clone(),
            options,
            readers,
            room,
            watchers,
            orphans: Mutex::new(orphans),
            generation,
            secret,
            writer: Mutex::new(writer),
            place,
        });
        let budget = Arc::new(Semaphore::new(QUEUE_OCTETS_MAX));
        let inner = Inner { shared, waiting: Arc::default(), thread: Mutex::default(), budget };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn start(&self) -> std::io::Result<()> {
        let (shared, waiting) = (self.inner.shared.clone(), self.inner.waiting.clone());
        let workers = self.inner.shared.workers.clone();
        let thread = workers.thread("store-writer", move || {
            let _ended = Ended(&waiting);
            shared.writer.lock().expect("the writer does not panic").serve(&waiting);
        })?;
        *self.inner.thread.lock().expect("no holder panics") = thread;
        Ok(())
    }

    /// Makes all changes, or none; answers when content and records are on stable storage. Waits while too much waits
    /// already.
    ///
    /// Once handed over, the commit goes on although the caller may stop waiting.
    ///
    /// # Errors
    /// [`Error::Conflict`] when something that a change needs is not there or is taken; nothing was changed. The others
    /// as their documentation says.
    pub async fn commit(&self, commit: Commit) -> Result<Receipt, Error> {
        check_bounds(&commit)?;
        let permit = self.permit(&commit).await?;
        let (done, answer) = oneshot::channel();
        let job = Job { commit, done, permit: Some(permit) };
        if self.is_inline() {
            let mut writer = self.inner.shared.writer.lock().expect("the writer does not panic");
            writer.batch(vec![job]);
            writer.checkpoint_over(crate::limits::WAL_PAGES_MAX);
        } else {
            self.inner.waiting.push(job);
        }
        answer.await.map_err(|_| closing())?
    }

    async fn permit(&self, commit: &Commit) -> Result<OwnedSemaphorePermit, Error> {
        let octets = commit_octets(commit).min(QUEUE_OCTETS_MAX);
        let octets = u32::try_from(octets).expect("the queue's bound fits");
        self.inner.budget.clone().acquire_many_owned(octets).await.map_err(|_| closing())
    }

    /// In simulation the caller does the writer's work.
    fn is_inline(&self) -> bool {
        matches!(self.inner.shared.workers, Workers::Inline)
    }

    /// The directory that it was opened in.
    pub fn path(&self) -> &Path {
        self.inner.shared.place.directory()
    }

    /// Begins large content, which is written while it arrives. The label is noted beside it, for the journal, should a
    /// crash leave it without a record.
    pub fn stage(&self, label: Bytes) -> Stager {
        Stager::new(self.inner.shared.clone(), label)
    }

    /// Octets that mail may still take, as they were at most a second ago; zero when only what the store itself needs to go
    /// on is left. Content that comes nevertheless may find room or not ([`Error::Full`]).
    pub fn room(&self) -> u64 {
        let shared = &self.inner.shared;
        shared.room.octets(shared.clock.now())
    }

    /// Octets free for us where content is, and all that this file system has; none if it does not say.
    pub fn space(&self) -> Option<(u64, u64)> {
        self.inner.shared.room.space()
    }

    /// News of an account's mailboxes, from now on.
    pub fn watch(&self, account: i64) -> Watch {
        self.inner.shared.watchers.watch(account)
    }

    /// Goes up after each commit that changed domains, accounts, aliases or which mailboxes there are.
    pub fn directory_generation(&self) -> u64 {
        self.inner.shared.generation.load(Ordering::Acquire)
    }

    /// Random octets that were drawn when the store was made, or first opened by a version that knows of them: a key for
    /// what must stay the same over restarts and be guessed by nobody.
    pub fn secret(&self) -> [u8; 32] {
        self.inner.shared.secret
    }

    /// Goes up after each commit that changed mailboxes of this account, before the caller of that commit is told. None where
    /// others than this process may write.
    pub fn mail_generation(&self, account: i64) -> Option<u64> {
        let alone = matches!(self.inner.shared.options.records, Records::Sqlite);
        alone.then(|| self.inner.shared.watchers.generation(account))
    }

    /// At most `max` octets of content from `offset` on; empty at and after its end. An answer may be shorter: large
    /// content is read chunk by chunk. Checksums are verified.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when there is no such content, or it is damaged.
    pub async fn read_content(&self, id: ContentId, offset: u64, max: usize) -> Result<Bytes, Error> {
        let log = self.inner.shared.log.clone();
        // What was just written, or is read often, needs no thread of its own.
        if let Some(piece) = log.read_now(id, offset, max) {
            return Ok(piece);
        }
        let read = move || match log.read(id, offset, max) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(Error::Corrupt(format!("the segment of content {id:?} is missing")))
            }
            other => Ok(other?),
        };
        self.inner.shared.workers.run(read).await
    }

    /// Asks the records, on a connection that cannot write.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Sql) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.inner.shared.clone();
        let _permit = self.inner.shared.readers.permit().await?;
        self.inner.shared.workers.run(move || shared.readers.ask(question)).await
    }

    /// Has the writer do other work between batches, and waits for it.
    pub(crate) async fn chore<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer, &Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let shared = self.inner.shared.clone();
        if self.is_inline() {
            return work(&mut self.inner.shared.writer.lock().expect("the writer does not panic"), &shared);
        }
        let (done, answer) = oneshot::channel();
        let chore: writer::Chore = Box::new(move |writer| {
            let _ = done.send(work(writer, &shared));
        });
        self.inner.waiting.push_chore(chore);
        answer.await.map_err(|_| closing())?
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.inner.shared
    }
}

/// Says so when the writer ends, however it does.
struct Ended<'a>(&'a Waiting);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.waiting.close();
        let thread = self.thread.lock().expect("no holder panics").take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer panicked");
        }
    }
}

fn connect(place: &Place, options: &Options) -> Result<(Box<dyn Sql>, Readers), Error> {
    match &options.records {
        Records::Sqlite => {
            let path = place.database()?;
            let writer = Sqlite::writer(&path)?;
            Ok((Box::new(writer), Readers::new(move || Ok(Box::new(Sqlite::reader(&path)?)))))
        }
        Records::Postgres(target) => {
            let target = target.clone();
            let writer = Postgres::connect(&target)?;
            Ok((Box::new(writer), Readers::new(move || Ok(Box::new(Postgres::connect(&target)?)))))
        }
    }
}

fn check_bounds(commit: &Commit) -> Result<(), Error> {
    let too_long = commit.content.iter().any(|content| match content {
        NewContent::Inline { bytes, .. } => bytes.len() > INLINE_CONTENT_OCTETS_MAX,
        NewContent::Staged(_) => false,
    });
    if too_long {
        return Err(Error::Full(format!(
            "inline content is bounded by {INLINE_CONTENT_OCTETS_MAX} octets: stage it"
        )));
    }
    Ok(())
}

/// What a commit takes of the queue's budget.
fn commit_octets(commit: &Commit) -> usize {
    const FIXED: usize = 256;
    let content = commit.content.iter().map(|content| match content {
        NewContent::Inline { label, bytes } => label.len() + bytes.len(),
        NewContent::Staged(_) => 0,
    });
    let changes = commit.changes.iter().map(|change| match change {
        Change::File { prefix, .. } => FIXED + prefix.len(),
        Change::Explain { story, .. } => FIXED + story.len(),
        Change::AddRevision { text, .. } => FIXED + text.len(),
        Change::Keep { value, .. } => FIXED + value.len(),
        Change::Enqueue(entry) => FIXED + entry.prefix.len() + recipients_octets(&entry.recipients),
        Change::Settle { rest: Some(rest), .. } => {
            FIXED + rest.last.len() + recipients_octets(&rest.recipients)
        }
        _ => FIXED,
    });
    FIXED + content.sum::<usize>() + changes.sum::<usize>()
}

fn recipients_octets(recipients: &[QueuedRecipient]) -> usize {
    let octets = |recipient: &QueuedRecipient| {
        let original = recipient.parameters.original.as_ref();
        recipient.address.len() + original.map_or(0, |original| original.address.len())
    };
    recipients.iter().map(octets).sum()
}

fn closing() -> Error {
    Error::Unavailable("the store is closing".into())
}
