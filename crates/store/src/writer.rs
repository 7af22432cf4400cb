//! The one writer: takes all that waits, makes it durable together, tells everybody.
//!
//! ```text
//! content of the batch   one write, one fdatasync of its segment
//! records of the batch   one transaction, one sync of SQLite's write-ahead log
//! then                   receipts and news
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use mail::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use world::Clock;

use crate::apply::{Apply, Books, Placed, Touched};
use crate::change::{Commit, NewContent, Receipt};
use crate::content::ContentId;
use crate::limits::{
    BATCH_COMMITS_MAX, BATCH_OCTETS_MAX, IDLE_CHECKPOINT, LINGER_COMMITS, LINGER_MAX, WAL_PAGES_MAX,
};
use crate::log::Log;
use crate::segment::RECORD_OCTETS;
use crate::sql::{Failure, Sql};
use crate::watch::Watchers;
use crate::{Error, schema, sql};

/// A commit that waits, and who waits for it.
pub(crate) struct Job {
    pub(crate) commit: Commit,
    pub(crate) done: oneshot::Sender<Result<Receipt, Error>>,
    /// What it takes of the queue's budget until it is answered.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

/// Other work that needs the writer to itself.
pub(crate) type Chore = Box<dyn FnOnce(&mut Writer) + Send>;

/// What waits for the writer.
#[derive(Default)]
pub(crate) struct Waiting {
    state: Mutex<WaitingState>,
    wake: Condvar,
}

#[derive(Default)]
struct WaitingState {
    jobs: VecDeque<Job>,
    chores: VecDeque<Chore>,
    closing: bool,
    /// How many commits the last batch had, until the next one is thought of.
    told: usize,
    /// How many the last batch told, and how many had come when it was done: as many may come again.
    crowd: usize,
    /// The writer waits until so many are here, and is not woken before.
    wanted: usize,
    /// A batch went last: a chore that waits goes next, else commits without end would keep it waiting for ever.
    chore_is_next: bool,
    /// The writer has ended; nobody would answer.
    ended: bool,
}

/// What the writer does next.
enum Next {
    Batch(Vec<Job>),
    Chore(Chore),
    Idle,
    Close,
}

impl Waiting {
    /// Hands over a commit. If the writer has ended, the job is dropped, which answers it.
    pub(crate) fn push(&self, job: Job) {
        let mut state = self.state.lock().expect("no holder panics");
        if !state.ended {
            state.jobs.push_back(job);
            if state.jobs.len() >= state.wanted {
                self.wake.notify_one();
            }
        }
    }

    /// Hands over other work; dropped likewise.
    pub(crate) fn push_chore(&self, chore: Chore) {
        let mut state = self.state.lock().expect("no holder panics");
        if !state.ended {
            state.chores.push_back(chore);
            self.wake.notify_one();
        }
    }

    /// Whoever the last batch told may be about to come again, together with those who came meanwhile: waits until all of
    /// them are here, for a moment. Else the connections of a busy server fall into two groups, each of which waits while
    /// the other has the syncs to itself (decision 7). Whoever was alone does not wait.
    fn let_others_come<'a>(
        &'a self,
        mut state: MutexGuard<'a, WaitingState>,
    ) -> MutexGuard<'a, WaitingState> {
        state.wanted = state.crowd.min(LINGER_COMMITS);
        let fewer = |state: &mut WaitingState| state.jobs.len() < state.wanted && !state.closing;
        let waited = self.wake.wait_timeout_while(state, LINGER_MAX, fewer);
        let (mut state, _) = waited.expect("no holder panics");
        state.wanted = 0;
        state
    }

    /// The writer ends, perhaps by a panic: whoever waits is answered by the drop of what they wait for.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock().expect("no holder panics");
        *state = WaitingState { ended: true, ..WaitingState::default() };
    }

    pub(crate) fn close(&self) {
        self.state.lock().expect("no holder panics").closing = true;
        self.wake.notify_one();
    }

    fn next(&self) -> Next {
        let mut state = self.state.lock().expect("no holder panics");
        if state.told > 0 {
            state.crowd = std::mem::take(&mut state.told) + state.jobs.len();
        }
        loop {
            if (state.chore_is_next || state.jobs.is_empty())
                && let Some(chore) = state.chores.pop_front()
            {
                state.chore_is_next = false;
                return Next::Chore(chore);
            }
            if !state.jobs.is_empty() {
                state = self.let_others_come(state);
                let batch = take_batch(&mut state.jobs);
                state.told = batch.len();
                state.chore_is_next = true;
                return Next::Batch(batch);
            }
            if state.closing {
                return Next::Close;
            }
            let (woken, wait) = self.wake.wait_timeout(state, IDLE_CHECKPOINT).expect("no holder panics");
            state = woken;
            if wait.timed_out() && state.jobs.is_empty() && state.chores.is_empty() && !state.closing {
                state.crowd = 0;
                return Next::Idle;
            }
        }
    }
}

fn take_batch(jobs: &mut VecDeque<Job>) -> Vec<Job> {
    let (mut count, mut octets) = (0, 0);
    for job in jobs.iter().take(BATCH_COMMITS_MAX) {
        octets += inline_octets(&job.commit);
        if count > 0 && octets > BATCH_OCTETS_MAX {
            break;
        }
        count += 1;
    }
    jobs.drain(..count).collect()
}

fn inline_octets(commit: &Commit) -> usize {
    let inline = commit.content.iter().map(|content| match content {
        NewContent::Inline { bytes, .. } => bytes.len(),
        NewContent::Staged(_) => 0,
    });
    inline.sum()
}

/// Owns the connection that writes.
pub(crate) struct Writer {
    pub(crate) sql: Box<dyn Sql>,
    pub(crate) log: Arc<Log>,
    pub(crate) clock: Clock,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) generation: Arc<AtomicU64>,
    next_id: i64,
    next_story: i64,
    /// Why nothing is accepted any more.
    stopped: Option<Error>,
}

impl Writer {
    pub(crate) fn new(
        mut sql: Box<dyn Sql>,
        log: Arc<Log>,
        clock: Clock,
        watchers: Arc<Watchers>,
        generation: Arc<AtomicU64>,
    ) -> Result<Self, Error> {
        let next_id = schema::state(&mut *sql, "last_id")?;
        let newest = sql::number(&mut *sql, "SELECT MAX(seq) FROM journal", &[])?;
        let next_story = newest.max(schema::state(&mut *sql, "journal_mark")?);
        Ok(Self { sql, log, clock, watchers, generation, next_id, next_story, stopped: None })
    }

    /// The writer's thread: until the store is closed and nothing waits.
    pub(crate) fn serve(&mut self, waiting: &Waiting) {
        loop {
            match waiting.next() {
                Next::Batch(jobs) => self.batch(jobs),
                Next::Chore(chore) => chore(self),
                Next::Idle => self.checkpoint_over(0),
                Next::Close => break self.checkpoint_over(0),
            }
            self.checkpoint_over(WAL_PAGES_MAX);
        }
    }

    /// Makes a batch durable and tells everybody how it went.
    pub(crate) fn batch(&mut self, jobs: Vec<Job>) {
        let commits: Vec<&Commit> = jobs.iter().map(|job| &job.commit).collect();
        let results = self.commit(&commits);
        for (job, result) in jobs.into_iter().zip(results) {
            drop(job.permit);
            // Whoever asked may have gone; the commit stands.
            let _ = job.done.send(result);
        }
    }

    /// Checkpoints if more pages than this wait in the write-ahead log.
    pub(crate) fn checkpoint_over(&mut self, pages: i64) {
        if self.sql.wal_pages() > pages
            && let Err(error) = self.sql.checkpoint()
        {
            // Nothing is lost: the log goes on growing until a later checkpoint succeeds.
            tracing::warn!(?error, "checkpoint failed");
        }
    }

    fn commit(&mut self, commits: &[&Commit]) -> Vec<Result<Receipt, Error>> {
        if let Some(reason) = &self.stopped {
            return fail_all(commits.len(), reason);
        }
        let placed = self.place(commits);
        let staged: BTreeSet<ContentId> = commits.iter().flat_map(|commit| staged_ids(commit)).collect();
        if let Err(error) = self.log.sync(&staged) {
            let error = Error::Unavailable(format!(
                "a sync of content failed, nothing is accepted until a restart: {error}"
            ));
            tracing::error!(%error, "the store stops");
            self.stopped = Some(error.clone());
            return fail_all(commits.len(), &error);
        }
        let (results, touched) = match self.together(commits, &placed) {
            Err(Error::Conflict(_)) if commits.len() > 1 => self.one_by_one(commits, &placed),
            Err(error) => (fail_all(commits.len(), &error), Touched::default()),
            Ok((receipts, touched)) => (receipts.into_iter().map(Ok).collect(), touched),
        };
        self.settle(commits, &results, &touched);
        results
    }

    /// Writes the inline content of all commits with one write. A commit whose content finds no place fails alone.
    fn place(&mut self, commits: &[&Commit]) -> Vec<Result<Vec<Placed>, Error>> {
        let inline: Vec<(&[u8], &[u8])> = commits
            .iter()
            .flat_map(|commit| &commit.content)
            .filter_map(|content| match content {
                NewContent::Inline { label, bytes } => Some((&label[..], &bytes[..])),
                NewContent::Staged(_) => None,
            })
            .collect();
        let written = if inline.is_empty() { Ok(Vec::new()) } else { self.log.append(&inline) };
        let mut ids = written.as_ref().map(|ids| ids.iter().copied());
        commits
            .iter()
            .map(|commit| commit.content.iter().map(|content| self.place_one(content, &mut ids)).collect())
            .collect()
    }

    fn place_one(
        &self,
        content: &NewContent,
        ids: &mut Result<impl Iterator<Item = ContentId>, &std::io::Error>,
    ) -> Result<Placed, Error> {
        match (content, ids) {
            (NewContent::Inline { label, bytes }, Ok(ids)) => {
                let id = ids.next().expect("one id for each inline content");
                let label = label.len().min(crate::limits::LABEL_OCTETS_MAX);
                let end = id.offset + (RECORD_OCTETS + label + bytes.len()) as u64;
                Ok(Placed { id, size: bytes.len() as u64, end })
            }
            (NewContent::Inline { .. }, Err(error)) => {
                Err(std::io::Error::new(error.kind(), error.to_string()).into())
            }
            (NewContent::Staged(staged), _) => match self.log.staged_end(staged) {
                Some(end) => Ok(Placed { id: staged.id, size: staged.size, end }),
                None => Err(Error::Conflict(format!("{:?} is not staged, or was swept", staged.id))),
            },
        }
    }

    /// The usual case: all commits, one transaction, no savepoints.
    fn together(
        &mut self,
        commits: &[&Commit],
        placed: &[Result<Vec<Placed>, Error>],
    ) -> Result<(Vec<Receipt>, Touched), Error> {
        if let Some(Err(error)) = placed.iter().find(|placed| placed.is_err()) {
            // One fails alone; with it as a conflict the batch is done one by one.
            return Err(if commits.len() > 1 { Error::Conflict(error.to_string()) } else { error.clone() });
        }
        self.transaction(|apply| {
            let pairs = commits.iter().zip(placed);
            pairs
                .map(|(commit, placed)| apply.commit(commit, placed.as_ref().expect("looked at above")))
                .collect()
        })
    }

    /// After a conflict: each commit under a savepoint of its own, so that it fails alone.
    fn one_by_one(
        &mut self,
        commits: &[&Commit],
        placed: &[Result<Vec<Placed>, Error>],
    ) -> (Vec<Result<Receipt, Error>>, Touched) {
        let done = self.transaction(|apply| {
            let mut results = Vec::with_capacity(commits.len());
            for (commit, placed) in commits.iter().zip(placed) {
                results.push(match placed {
                    Ok(placed) => one(apply, commit, placed)?,
                    Err(error) => Err(error.clone()),
                });
            }
            Ok(results)
        });
        match done {
            Ok(done) => done,
            Err(error) => (fail_all(commits.len(), &error), Touched::default()),
        }
    }

    /// Runs `work` in a transaction and commits it, durably; after an error nothing has happened.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Apply<'_>) -> Result<T, Error>,
    ) -> Result<(T, Touched), Error> {
        let begin = self.sql.dialect().begin();
        self.sql.execute(begin, &[])?;
        let mut apply = Apply {
            sql: &mut *self.sql,
            books: Books::begin(self.next_id, self.next_story),
            now: self.clock.wall(),
        };
        let done = work(&mut apply).and_then(|result| {
            apply.close_books(&self.log)?;
            Ok(result)
        });
        let Books { next_id, next_story, touched, .. } = apply.books;
        match done {
            Ok(result) => {
                self.make_durable()?;
                (self.next_id, self.next_story) = (next_id, next_story);
                Ok((result, touched))
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// COMMIT, with its sync. What a failed one left on disk is not known before a restart has looked, unless there was
    /// no room.
    fn make_durable(&mut self) -> Result<(), Error> {
        let Err(failure) = self.sql.execute("COMMIT", &[]) else { return Ok(()) };
        self.roll_back();
        if let Failure::Full(detail) = failure {
            return Err(Error::Full(detail));
        }
        let error =
            Error::Unavailable(format!("a commit failed, nothing is accepted until a restart: {failure:?}"));
        tracing::error!(%error, "the store stops");
        self.stopped = Some(error.clone());
        Err(error)
    }

    fn roll_back(&mut self) {
        if let Err(failure) = self.sql.script("ROLLBACK") {
            // SQLite has rolled back by itself after some errors.
            tracing::debug!(?failure, "roll back");
        }
    }

    /// After the commit: staged content belongs to records, watchers are told.
    fn settle(&mut self, commits: &[&Commit], results: &[Result<Receipt, Error>], touched: &Touched) {
        let done = commits.iter().zip(results).filter(|(_, result)| result.is_ok());
        let staged: Vec<ContentId> = done.flat_map(|(commit, _)| staged_ids(commit)).collect();
        if !staged.is_empty() {
            self.log.committed(staged);
        }
        if touched.directory {
            self.generation.fetch_add(1, Ordering::Release);
        }
        if !touched.mailboxes.is_empty() {
            self.watchers.tell(&touched.mailboxes);
        }
    }

    /// Runs other work in a transaction of its own.
    pub(crate) fn chore<T>(
        &mut self,
        work: impl FnOnce(&mut dyn Sql, &Log, Timestamp) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(reason) = &self.stopped {
            return Err(reason.clone());
        }
        let log = self.log.clone();
        let (result, _) = self.transaction(|apply| work(apply.sql, &log, apply.now))?;
        Ok(result)
    }
}

/// One commit under a savepoint. The outer error ends the batch, the inner this commit alone.
fn one(apply: &mut Apply<'_>, commit: &Commit, placed: &[Placed]) -> Result<Result<Receipt, Error>, Error> {
    let before = apply.books.clone();
    apply.sql.script("SAVEPOINT one")?;
    match apply.commit(commit, placed) {
        Ok(receipt) => {
            apply.sql.script("RELEASE SAVEPOINT one")?;
            Ok(Ok(receipt))
        }
        Err(error @ Error::Unavailable(_)) => Err(error),
        Err(error) => {
            apply.sql.script("ROLLBACK TO SAVEPOINT one")?;
            apply.sql.script("RELEASE SAVEPOINT one")?;
            apply.books = before;
            Ok(Err(error))
        }
    }
}

fn staged_ids(commit: &Commit) -> impl Iterator<Item = ContentId> {
    commit.content.iter().filter_map(|content| match content {
        NewContent::Staged(staged) => Some(staged.id),
        NewContent::Inline { .. } => None,
    })
}

fn fail_all(count: usize, error: &Error) -> Vec<Result<Receipt, Error>> {
    vec![Err(error.clone()); count]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Job {
        let (done, _) = oneshot::channel();
        Job { commit: Commit::default(), done, permit: None }
    }

    #[test]
    fn a_chore_gets_its_turn_though_commits_never_cease() {
        let waiting = Waiting::default();
        waiting.push(job());
        assert!(matches!(waiting.next(), Next::Batch(_)));
        waiting.push_chore(Box::new(|_| {}));
        waiting.push_chore(Box::new(|_| {}));
        let mut turns = String::new();
        for _ in 0..5 {
            waiting.push(job());
            turns.push(match waiting.next() {
                Next::Batch(_) => 'b',
                Next::Chore(_) => 'c',
                Next::Idle | Next::Close => '?',
            });
        }
        assert_eq!(turns, "cbcbb");
    }
}
