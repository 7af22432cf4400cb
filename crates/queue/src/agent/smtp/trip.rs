//! What is known of an attempt while it goes from host to host. Pure but for the time of its hops.

use std::collections::VecDeque;
use std::sync::Arc;

use mail::Timestamp;
use policy::story::{Line as StoryLine, Speaker as StorySpeaker};
use policy::{Hop, What};
use protocol::smtp::client::{self, Said, Speaker};

use super::job::{Done, Peer, Spoken};
use super::judge::{self, Verdict};
use crate::agent::{Attempted, Outcome};
use crate::diagnostic::{Diagnostic, Remote};

/// An attempt on its way.
#[derive(Debug)]
pub(super) struct Trip<'a> {
    destination: &'a str,
    number: u32,
    /// By place of the recipient.
    outcomes: Vec<Option<Outcome>>,
    /// Who is to be tried next, in order.
    pub(super) open: Vec<usize>,
    /// Nothing more is tried.
    pub(super) over: bool,
    /// What holds for those of whom nothing was said.
    trouble: Option<Outcome>,
    /// Hosts that are still to be tried, in order.
    peers: VecDeque<Arc<Peer>>,
    hops: Vec<Hop>,
}

/// Where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward {
    /// Nobody is left to be tried.
    Nowhere,
    /// The connection was at its end, and the host is as good as before.
    SameHost,
    /// The host said or did something that another may not.
    NextHost,
}

impl<'a> Trip<'a> {
    /// An attempt for so many recipients at a destination: its number, the hosts in their order, why these.
    pub(super) fn new(
        (destination, number): (&'a str, u32),
        recipients: usize,
        peers: Vec<Arc<Peer>>,
        reasons: Vec<String>,
        at: Timestamp,
    ) -> Self {
        let hops = peers.iter().map(|peer| peer.shown()).collect();
        let what = What::Route { destination: destination.to_owned(), hops, reasons };
        Self {
            destination,
            number,
            outcomes: vec![None; recipients],
            open: (0..recipients).collect(),
            over: false,
            trouble: None,
            peers: peers.into(),
            hops: vec![Hop { at, what, because: Vec::new() }],
        }
    }

    /// What became of its signatures.
    pub(super) fn signed(&mut self, what: Option<What>, at: Timestamp) {
        self.hops.extend(what.map(|what| Hop { at, what, because: Vec::new() }));
    }

    /// The host that is tried next; it is tried once.
    pub(super) fn next_host(&mut self) -> Option<Arc<Peer>> {
        self.peers.pop_front()
    }

    /// This host is not tried again.
    pub(super) fn leave(&mut self, peer: &Peer) {
        self.peers.retain(|other| **other != *peer);
    }

    /// Takes what became of a job.
    pub(super) fn note(&mut self, done: Done, at: Timestamp) -> Onward {
        let Done { peer, reused, outcomes, dsn, rest, spoken, failure } = done;
        self.open = rest;
        let (mut settled, mut stale) = (false, false);
        for (place, outcome) in outcomes {
            if reused && judge::was_stale(&outcome) {
                stale = true;
                self.open.push(place);
                continue;
            }
            match judge::verdict(&outcome) {
                Verdict::Final => settled = true,
                Verdict::Elsewhere => self.open.push(place),
            }
            self.outcomes[place] = Some(translated(&peer, outcome, dsn));
        }
        self.open.sort_unstable();
        for part in spoken {
            self.tell(&peer, part, at);
        }
        if let Some(failure) = failure.filter(|_| !stale) {
            self.failed(&peer, &failure);
        }
        match (self.open.is_empty(), settled || stale) {
            (true, _) => Onward::Nowhere,
            // Who remains was not tried yet, or was given to a connection that was at its end.
            (false, true) => Onward::SameHost,
            (false, false) => Onward::NextHost,
        }
    }

    /// A host could not be reached.
    pub(super) fn unreachable(&mut self, peer: &Peer, status: (u8, u16, u16), why: String, at: Timestamp) {
        // What another host said tells the sender more.
        if matches!(self.trouble, None | Some(Outcome::Failed(_))) {
            let because = format!("{}: {why}", peer.shown());
            self.trouble = Some(Outcome::Deferred(Diagnostic::ours(status, because)));
        }
        let spoken = Spoken { tls: None, dialogue: Vec::new(), left_out: 0, end: why };
        self.tell(peer, spoken, at);
    }

    /// Adds to how the last attempt ended.
    pub(super) fn add(&mut self, words: &str) {
        if let Some(Hop { what: What::Attempt { end, .. }, .. }) = self.hops.last_mut() {
            end.push_str(words);
        }
    }

    /// Whether no host has said anything of those who are open.
    pub(super) fn open_are_untold(&self) -> bool {
        self.open.iter().all(|place| self.outcomes[*place].is_none())
    }

    /// Other hosts are tried for those who are open.
    pub(super) fn go_on(&mut self, peers: Vec<Arc<Peer>>, reasons: Vec<String>, at: Timestamp) {
        let hops = peers.iter().map(|peer| peer.shown()).collect();
        let what = What::Route { destination: self.destination.to_owned(), hops, reasons };
        self.hops.push(Hop { at, what, because: Vec::new() });
        self.peers = peers.into();
        self.trouble = None;
    }

    /// Whether nobody has an outcome yet.
    pub(super) fn has_told_nothing(&self) -> bool {
        self.outcomes.iter().all(Option::is_none)
    }

    /// The attempt is ended from outside.
    pub(super) fn cut(&mut self) {
        self.over = true;
        self.trouble = Some(Outcome::Deferred(Diagnostic::ours((4, 4, 2), "the attempt was ended here")));
    }

    /// The end, where the message could not be read.
    pub(super) fn unread(self) -> Attempted {
        self.all(Outcome::Deferred(Diagnostic::ours((4, 3, 0), "the message cannot be read now")))
    }

    /// The end, with one outcome for all.
    pub(super) fn all(self, outcome: Outcome) -> Attempted {
        Self { trouble: Some(outcome), ..self }.conclude()
    }

    /// The end. Of whom nothing was said, what happened to the hosts is said.
    pub(super) fn conclude(self) -> Attempted {
        let otherwise = self
            .trouble
            .unwrap_or_else(|| Outcome::Deferred(Diagnostic::ours((4, 4, 1), "no host could be reached")));
        let outcomes = self.outcomes.into_iter().map(|known| known.unwrap_or_else(|| otherwise.clone()));
        Attempted { outcomes: outcomes.collect(), hops: self.hops }
    }

    /// A connection ended before its transaction, or in it. Mail fails for good only if each host said so: what one host
    /// refuses, the next may take later.
    fn failed(&mut self, peer: &Peer, failure: &client::Diagnostic) {
        let temporary = failure.status.0 != 5;
        if temporary || matches!(self.trouble, None | Some(Outcome::Failed(_))) {
            let diagnostic = diagnostic(peer, failure.clone());
            let outcome = if temporary { Outcome::Deferred } else { Outcome::Failed };
            self.trouble = Some(outcome(diagnostic));
        }
    }

    fn tell(&mut self, peer: &Peer, spoken: Spoken, at: Timestamp) {
        let Spoken { tls, dialogue, left_out, end } = spoken;
        let what = What::Attempt {
            destination: self.destination.to_owned(),
            number: self.number,
            host: peer.shown(),
            tls,
            dialogue: dialogue.into_iter().map(story_line).collect(),
            left_out,
            end,
        };
        self.hops.push(Hop { at, what, because: Vec::new() });
    }
}

fn story_line(Said { at, by, text }: Said) -> StoryLine {
    let by = match by {
        Speaker::We => StorySpeaker::We,
        Speaker::Peer => StorySpeaker::Peer,
    };
    StoryLine { at_ms: u32::try_from(at.as_millis()).unwrap_or(u32::MAX), by, text }
}

fn translated(peer: &Peer, outcome: client::Outcome, dsn: bool) -> Outcome {
    match outcome {
        client::Outcome::Delivered(said) => Outcome::Relayed { said: diagnostic(peer, said), reports: dsn },
        client::Outcome::Deferred(said) => Outcome::Deferred(diagnostic(peer, said)),
        client::Outcome::Failed(said) => Outcome::Failed(diagnostic(peer, said)),
    }
}

fn diagnostic(peer: &Peer, said: client::Diagnostic) -> Diagnostic {
    let because = format!("{}: {said}", peer.shown());
    let remote = said.reply.map(|reply| Remote { host: peer.host(), reply });
    Diagnostic { status: said.status, because, remote }
}
