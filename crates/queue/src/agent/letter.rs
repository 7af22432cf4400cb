//! A message as it is sent: signatures, its trace header, its content; and what must be known of it before.
//!
//! Small content is read once and kept for survey and sending. Larger content is read twice: the survey must be over
//! before the transaction begins, because the envelope depends on it (SIZE, 8BITMIME) and the signature comes first.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use mail::Timestamp;
use message_auth::dkim::{Identity, SignError, Signer, Terms};
use policy::What;
use protocol::smtp::client::{ContentFacts, Survey};
use store::change::QueueEntry;
use store::{ContentId, ContentRef, Error, Store};
use world::Workers;

use super::keys::Keys;
use super::limits::PIECE_OCTETS;
use crate::masquerade::Mask;

/// A message that can be sent.
#[derive(Debug)]
pub(super) struct Letter {
    /// Signatures, then the trace header.
    head: Bytes,
    body: Body,
    facts: ContentFacts,
    /// What the story is told of its signatures, if there was a key for one.
    signing: Option<What>,
}

#[derive(Debug)]
enum Body {
    Whole(Bytes),
    Stored {
        /// What stands instead of the first octets.
        first: Bytes,
        id: ContentId,
        /// How many of them.
        instead_of: u64,
    },
}

/// A piece of a letter.
pub(super) enum Piece {
    /// Here it is, and whether it is the last.
    Now(Bytes, bool),
    /// It is at this place of that content.
    At(ContentId, u64),
}

/// Who signs.
pub(super) struct Signing<'a> {
    /// The keys of our domains.
    pub keys: &'a Keys,
    /// RSA takes a millisecond.
    pub workers: &'a Workers,
    /// When.
    pub now: Timestamp,
}

impl Letter {
    /// Reads what is needed, hides what the mask hides, and signs it if `signing` is there and the author's domain has keys.
    pub(super) async fn read(
        store: &Store,
        entry: &QueueEntry,
        mask: Option<Mask<'_>>,
        signing: Option<Signing<'_>>,
    ) -> Result<Self, Error> {
        let ContentRef::Known(id) = entry.content else {
            return Err(Error::Corrupt(format!("the content of {}", entry.queue_id)));
        };
        let stored = store.read_content(id, 0, PIECE_OCTETS).await?;
        let first = masked(mask, &stored);
        let identities = match &signing {
            Some(signing) => signing.keys.of_author(&first).await?,
            None => None,
        };
        let mut reading = Reading::new(entry, identities.is_some());
        reading.octets = stored.len() as u64;
        reading.look(&first);
        let body = if stored.len() < PIECE_OCTETS {
            Body::Whole(first)
        } else {
            reading.rest(store, id).await?;
            // What was not changed need not be kept.
            let changed = first != stored;
            let instead_of = if changed { stored.len() as u64 } else { 0 };
            Body::Stored { first: if changed { first } else { Bytes::new() }, id, instead_of }
        };
        let (signature, told) = match (reading.signer.take(), identities, signing) {
            (Some(signer), Some(identities), Some(signing)) => {
                let signed = sign(signer, identities.clone(), signing).await;
                let told = told(&identities, signed.as_ref().err());
                (signed.unwrap_or_default(), Some(told))
            }
            _ => (Vec::new(), None),
        };
        Ok(Self { signing: told, ..reading.letter(signature, &entry.prefix, body) })
    }

    /// What the transaction announces.
    pub(super) fn facts(&self) -> ContentFacts {
        self.facts
    }

    /// What the story is told of its signatures; once.
    pub(super) fn take_signing(&mut self) -> Option<What> {
        self.signing.take()
    }

    /// The piece that begins at this octet.
    pub(super) fn piece(&self, offset: u64) -> Piece {
        let head = self.head.len() as u64;
        if offset < head {
            let from = usize::try_from(offset).expect("it is less than a length");
            let last = matches!(&self.body, Body::Whole(body) if body.is_empty());
            return Piece::Now(self.head.slice(from..), last);
        }
        match &self.body {
            Body::Whole(body) => {
                let from = usize::try_from(offset - head).unwrap_or(usize::MAX).min(body.len());
                Piece::Now(body.slice(from..), true)
            }
            Body::Stored { first, id, instead_of } => {
                let from = offset - head;
                match usize::try_from(from).ok().filter(|from| *from < first.len()) {
                    Some(from) => Piece::Now(first.slice(from..), false),
                    None => Piece::At(*id, from - first.len() as u64 + instead_of),
                }
            }
        }
    }

    /// Whether everything is sent once this octet is reached.
    pub(super) fn ends_at(&self, offset: u64) -> bool {
        offset >= self.facts.size()
    }
}

/// One pass over a content.
struct Reading {
    survey: Survey,
    signer: Option<Signer>,
    /// Of the content, without the trace header.
    octets: u64,
}

impl Reading {
    fn new(entry: &QueueEntry, signed: bool) -> Self {
        let mut reading = Self {
            survey: Survey::new(entry.parameters.utf8),
            signer: signed.then(|| Signer::new(Terms::default())),
            octets: 0,
        };
        reading.look(&entry.prefix);
        reading
    }

    fn take(&mut self, piece: &[u8]) {
        self.octets += piece.len() as u64;
        self.look(piece);
    }

    fn look(&mut self, piece: &[u8]) {
        self.survey.take(piece);
        if let Some(signer) = &mut self.signer {
            signer.update(piece);
        }
    }

    async fn rest(&mut self, store: &Store, id: ContentId) -> Result<(), Error> {
        loop {
            let piece = store.read_content(id, self.octets, PIECE_OCTETS).await?;
            if piece.is_empty() {
                return Ok(());
            }
            self.take(&piece);
        }
    }

    fn letter(self, mut signature: Vec<u8>, prefix: &Bytes, body: Body) -> Letter {
        let facts = self.survey.finish().after_lines(signature.len() as u64);
        let head = if signature.is_empty() {
            prefix.clone()
        } else {
            signature.extend_from_slice(prefix);
            signature.into()
        };
        Letter { head, body, facts, signing: None }
    }
}

/// The beginning as others see it.
fn masked(mask: Option<Mask<'_>>, stored: &Bytes) -> Bytes {
    match mask.map(|mask| mask.beginning(stored)) {
        Some(Cow::Owned(seen)) => seen.into(),
        Some(Cow::Borrowed(_)) | None => stored.clone(),
    }
}

/// The signature fields. What cannot be signed, because others could read it differently, is sent without.
async fn sign(
    signer: Signer,
    identities: Arc<[Identity]>,
    signing: Signing<'_>,
) -> Result<Vec<u8>, SignError> {
    let now = signing.now;
    signing.workers.run(move || signer.finish(&identities, now)).await
}

/// What the story is told. All identities are of the author's domain.
fn told(identities: &[Identity], failure: Option<&SignError>) -> What {
    let selectors = identities.iter().map(|identity| identity.name.selector.to_string());
    What::Sign {
        domain: identities.first().map(|identity| identity.name.domain.to_string()).unwrap_or_default(),
        selectors: if failure.is_none() { selectors.collect() } else { Vec::new() },
        failure: failure.map(ToString::to_string),
    }
}
