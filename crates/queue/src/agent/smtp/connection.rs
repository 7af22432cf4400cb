//! One connection: the client's session is given its transactions, its content, and a hearer for its reports.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mail::EnhancedCode;
use protocol::smtp::client::{
    Answer, Cause, ClientSession, Diagnostic, Outcome, Question, Report, Said, Stage, Summary,
};
use protocol::{End, TlsFacts};
use store::Store;
use tokio::sync::oneshot;
use wire::registry::Live;
use wire::{Decision, Handler};

use super::job::{Done, Job, Peer, Spoken, Told};
use super::lane::{Free, Idle, Seat};
use crate::agent::letter::Piece;
use crate::agent::limits::PIECE_OCTETS;

/// The application's side of a connection that we made.
pub(super) struct Caller {
    store: Store,
    /// Given up as soon as the connection will do nothing more: another may be made while this one says QUIT.
    seat: Option<Seat>,
    live: Arc<Live>,
    desk: Arc<Desk>,
    /// Transactions that the session still takes.
    transactions_left: usize,
}

/// What the connection works on; shared with the question that waits for work.
struct Desk {
    peer: Arc<Peer>,
    number: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    work: Option<Work>,
    /// A message was done before.
    reused: bool,
    /// Nothing more is to be given to this peer.
    leave: bool,
}

/// A job under way.
struct Work {
    job: Job,
    /// Who is still to be tried.
    open: Vec<usize>,
    /// Who is in the transaction now.
    sent: Vec<usize>,
    outcomes: Vec<(usize, Outcome)>,
    /// Whether the peer announces DSN.
    dsn: bool,
    spoken: Vec<Spoken>,
}

impl Caller {
    /// For a connection just made, with its first job. `transactions_max` is that of the session.
    pub(super) fn new(
        store: Store,
        seat: Seat,
        live: Arc<Live>,
        peer: Arc<Peer>,
        transactions_max: usize,
        first: Job,
    ) -> Self {
        let desk = Desk { peer, number: live.id().0, state: Mutex::default() };
        desk.take(first);
        live.doing("sends a message");
        Self { store, seat: Some(seat), live, desk: Arc::new(desk), transactions_left: transactions_max }
    }

    fn next(&mut self) -> Decision<Answer> {
        if let Some(answer) = self.desk.transaction() {
            return Decision::Now(answer);
        }
        let may_stay = !self.desk.state().leave;
        while let Some(seat) = self.seat.as_ref().filter(|_| may_stay) {
            match seat.lane().free() {
                Free::Take(job) => {
                    if let Some(answer) = self.desk.begin(job) {
                        return Decision::Now(answer);
                    }
                }
                Free::Wait(given, idle) => return self.wait(given, idle),
                Free::Leave => break,
            }
        }
        self.seat = None;
        Decision::Now(Answer::Nothing)
    }

    fn wait(&self, given: oneshot::Receiver<Job>, idle: Idle) -> Decision<Answer> {
        let (desk, live) = (self.desk.clone(), self.live.clone());
        live.doing("waits for a message");
        Decision::Later(Box::pin(async move {
            let given = given.await;
            drop(idle);
            live.doing("sends a message");
            given.ok().and_then(|job| desk.begin(job)).unwrap_or(Answer::Nothing)
        }))
    }

    fn content(&self, offset: u64) -> Decision<Answer> {
        let state = self.desk.state();
        let Some(work) = &state.work else { return Decision::Now(Answer::ContentLost) };
        match work.job.errand.letter.piece(offset) {
            Piece::Now(piece, last) => Decision::Now(Answer::Content { piece, last }),
            Piece::At(id, at) => {
                let (store, errand) = (self.store.clone(), work.job.errand.clone());
                Decision::Later(Box::pin(async move {
                    match store.read_content(id, at, PIECE_OCTETS).await {
                        Ok(piece) => {
                            let last = errand.letter.ends_at(offset + piece.len() as u64);
                            Answer::Content { piece, last }
                        }
                        Err(error) => {
                            tracing::error!(%error, "a message that is being sent cannot be read");
                            Answer::ContentLost
                        }
                    }
                }))
            }
        }
    }
}

impl Handler<ClientSession> for Caller {
    fn decide(&mut self, question: Question) -> Decision<Answer> {
        match question {
            Question::Next => self.next(),
            Question::Content { offset } => self.content(offset),
            Question::Report(report) => {
                self.live.count_message();
                self.transactions_left = self.transactions_left.saturating_sub(1);
                if self.transactions_left == 0 {
                    self.seat = None;
                }
                self.desk.reported(*report);
                Decision::Now(Answer::Noted)
            }
        }
    }

    fn ended(&mut self, summary: Summary, _end: End) {
        self.desk.ended(summary);
        self.seat = None;
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, unless it was taken back meanwhile.
    fn take(&self, job: Job) {
        if !job.claim(self.number) {
            return;
        }
        let open = job.places.clone();
        let work = Work { job, open, sent: Vec::new(), outcomes: Vec::new(), dsn: false, spoken: Vec::new() };
        self.state().work = Some(work);
    }

    /// The answer that begins a job; none if it was taken back meanwhile.
    fn begin(&self, job: Job) -> Option<Answer> {
        self.take(job);
        self.transaction()
    }

    /// The next transaction of the job under way.
    fn transaction(&self) -> Option<Answer> {
        let mut state = self.state();
        let work = state.work.as_mut()?;
        work.sent = work.open.drain(..work.open.len().min(work.job.errand.recipients_max)).collect();
        let transaction = work.job.errand.transaction(&work.sent);
        Some(Answer::Transaction(Box::new(transaction)))
    }

    /// A transaction is over. The job is, too, unless there are recipients for another.
    fn reported(&self, report: Report) {
        let mut state = self.state();
        let Some(mut work) = state.work.take() else { return };
        // Who takes no mail now should not get the next message either.
        state.leave |= report.outcomes.iter().all(|outcome| refused_at(outcome, Stage::Mail));
        work.note(report);
        if work.open.is_empty() || state.leave {
            let reused = std::mem::replace(&mut state.reused, true);
            drop(state);
            work.done(&self.peer, reused, None);
        } else {
            state.work = Some(work);
        }
    }

    fn ended(&self, summary: Summary) {
        let mut state = self.state();
        state.leave = true;
        let Some(mut work) = state.work.take() else { return };
        let reused = state.reused;
        drop(state);
        match summary.report {
            Some(report) => work.note(report),
            None => {
                work.open.splice(0..0, std::mem::take(&mut work.sent));
                let end = summary.failure.as_ref().map(ToString::to_string).unwrap_or_default();
                work.spoke(summary.tls, summary.dialogue, summary.left_out, end);
            }
        }
        work.done(&self.peer, reused, summary.failure);
    }
}

impl Desk {
    /// The connection was dropped in the middle of everything: nobody knows what the peer has.
    fn lost(&self) {
        let Some(mut work) = self.state().work.take() else { return };
        let unknown = Diagnostic {
            stage: Stage::End,
            cause: Cause::Stopped,
            reply: None,
            status: EnhancedCode(4, 4, 2),
        };
        for place in std::mem::take(&mut work.sent) {
            work.outcomes.push((place, Outcome::Deferred(unknown.clone())));
        }
        work.done(&self.peer, false, Some(unknown));
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.desk.lost();
    }
}

impl Work {
    /// Takes the outcomes of a transaction. Whom the peer takes in another one (RFC 5321 §4.5.3.1.10) is open again.
    fn note(&mut self, report: Report) {
        let end = told(&report.outcomes);
        self.dsn = report.dsn;
        let mut excess = Vec::new();
        for (place, outcome) in std::mem::take(&mut self.sent).into_iter().zip(report.outcomes) {
            match outcome.diagnostic().cause {
                Cause::RecipientsExcess => excess.push(place),
                _ => self.outcomes.push((place, outcome)),
            }
        }
        self.open.splice(0..0, excess);
        self.spoke(report.tls, report.dialogue, report.left_out, end);
    }

    fn spoke(&mut self, tls: Option<TlsFacts>, dialogue: Vec<Said>, left_out: usize, end: String) {
        if !dialogue.is_empty() || !end.is_empty() {
            let tls = tls.map(|facts| facts.version);
            self.spoken.push(Spoken { tls, dialogue, left_out, end });
        }
    }

    fn done(self, peer: &Arc<Peer>, reused: bool, failure: Option<Diagnostic>) {
        let Self { job, open, outcomes, dsn, spoken, .. } = self;
        let peer = peer.clone();
        job.tell(Told::Done(Box::new(Done { peer, reused, outcomes, dsn, rest: open, spoken, failure })));
    }
}

fn refused_at(outcome: &Outcome, stage: Stage) -> bool {
    !matches!(outcome, Outcome::Delivered(_)) && outcome.diagnostic().stage == stage
}

/// What a transaction came to, in a few words.
fn told(outcomes: &[Outcome]) -> String {
    let delivered = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Delivered(_))).count();
    let other = outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Delivered(_)));
    match (other, delivered) {
        (None, _) => "relayed".into(),
        (Some(other), 0) => other.diagnostic().to_string(),
        (Some(other), _) => {
            format!("relayed to {delivered} of {}; {}", outcomes.len(), other.diagnostic())
        }
    }
}
