//! Content on its way in: in memory while it is small, staged in the store as soon as it is not.

use bytes::{Bytes, BytesMut};
use mailboxes::filing::ReturnPathFilter;
use store::limits::INLINE_CONTENT_OCTETS_MAX;
use store::{Error, NewContent, Stager, Store};

use super::header::Mending;

/// The empty line that may be added to content.
const EMPTY_LINE_OCTETS: usize = 2;

/// The content of one transaction.
#[derive(Debug)]
pub(super) enum Spool {
    /// Everything so far.
    Small(BytesMut),
    /// The store has what came before; Return-Path fields are filtered out on the way.
    Large { stager: Box<Stager>, filter: ReturnPathFilter },
}

/// What is kept with content.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// What the content log notes beside it.
    pub(super) label: Bytes,
    /// Our trace header, and fields that were missing.
    pub(super) before: String,
    /// What is changed in it.
    pub(super) mending: Mending,
}

impl Default for Spool {
    fn default() -> Self {
        Self::Small(BytesMut::new())
    }
}

impl Spool {
    /// Whether this much more still fits in memory.
    pub(super) fn fits(&self, more: usize) -> bool {
        matches!(self, Self::Small(buffer) if buffer.len() + more <= INLINE_CONTENT_OCTETS_MAX)
    }

    /// Keeps a piece in memory.
    ///
    /// # Panics
    /// Unless it [`fits`](Self::fits).
    pub(super) fn keep(&mut self, piece: &[u8]) {
        let Self::Small(buffer) = self else { unreachable!("only what fits is kept in memory") };
        buffer.extend_from_slice(piece);
    }

    /// The first octets, where the header is.
    pub(super) fn head(&self) -> &[u8] {
        match self {
            Self::Small(buffer) => buffer,
            Self::Large { .. } => &[],
        }
    }

    /// Hands a piece on to the store, and what was in memory before it.
    pub(super) async fn stage(self, store: &Store, piece: Bytes, head: Head) -> Result<Self, Error> {
        let (mut stager, mut filter, piece) = match self {
            Self::Large { stager, filter } => (stager, filter, piece),
            Self::Small(before) => {
                let mut stager = Box::new(store.stage(head.label));
                stager.write(head.before.into()).await?;
                (stager, ReturnPathFilter::default(), mended(before, piece, &head.mending))
            }
        };
        write(&mut stager, &mut filter, piece).await?;
        Ok(Self::Large { stager, filter })
    }

    /// The content as the commit takes it.
    pub(super) async fn finish(self, store: &Store, last: Bytes, head: Head) -> Result<NewContent, Error> {
        let staged = match self {
            Self::Small(before) if head.octets() + before.len() + last.len() <= INLINE_CONTENT_OCTETS_MAX => {
                let bytes = joined(&head.before, mended(before, last, &head.mending));
                return Ok(NewContent::Inline { label: head.label, bytes });
            }
            // What fitted in memory so far may not fit any more with the last piece and the trace header.
            unfinished => unfinished.stage(store, last, head).await?,
        };
        staged.close().await
    }

    /// The end of what the store has.
    async fn close(self) -> Result<NewContent, Error> {
        let Self::Large { mut stager, mut filter } = self else { unreachable!("it was staged just now") };
        stager.write(filter.finish().into()).await?;
        Ok(NewContent::Staged(stager.finish().await?))
    }
}

async fn write(stager: &mut Stager, filter: &mut ReturnPathFilter, piece: Bytes) -> Result<(), Error> {
    let kept = match filter.pass(&piece) {
        std::borrow::Cow::Borrowed(_) => piece.clone(),
        std::borrow::Cow::Owned(kept) => kept.into(),
    };
    if kept.is_empty() { Ok(()) } else { stager.write(kept).await }
}

impl Head {
    /// How much longer content becomes by it, at most.
    fn octets(&self) -> usize {
        self.before.len() + EMPTY_LINE_OCTETS
    }
}

/// Two pieces as one, mended. The header is in them.
fn mended(mut before: BytesMut, piece: Bytes, mending: &Mending) -> Bytes {
    let content = match before.is_empty() {
        true => piece,
        false => {
            before.extend_from_slice(&piece);
            before.freeze()
        }
    };
    mending.apply(content)
}

/// What comes before it, then the content without Return-Path fields, in one buffer.
fn joined(before: &str, content: Bytes) -> Bytes {
    let clean = mailboxes::filing::without_return_path(&content);
    let mut joined = Vec::with_capacity(before.len() + clean.len());
    joined.extend_from_slice(before.as_bytes());
    joined.extend_from_slice(&clean);
    joined.into()
}

#[cfg(test)]
mod tests {
    use super::super::header::{HeaderFacts, Origin, Submitted};
    use super::*;

    fn head(before: &str) -> Head {
        Head { before: before.into(), ..Head::default() }
    }

    #[test]
    fn a_foreign_return_path_goes_and_the_trace_header_comes_first() {
        let content = mended(
            BytesMut::from("Return-Path: <a@b>\r\nSubj"),
            Bytes::from_static(b"ect: y\r\n\r\nReturn-Path: body\r\n"),
            &Mending::default(),
        );
        let content = joined("Received: x\r\n", content);
        assert_eq!(content, "Received: x\r\nSubject: y\r\n\r\nReturn-Path: body\r\n");
        assert_eq!(joined("T\r\n", Bytes::from_static(b"Subject: y\r\n\r\n")), "T\r\nSubject: y\r\n\r\n");
    }

    fn store() -> (Store, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let world = world::World::simulated(mail::Timestamp(0), 1);
        (Store::open(directory.path(), &world, store::Options::default()).unwrap(), directory)
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_outgrows_a_commit_with_its_last_piece_is_staged() {
        let (store, _directory) = store();
        let full = INLINE_CONTENT_OCTETS_MAX - head("T\r\n").octets();
        for (before, last, is_staged) in
            [(full, 0, false), (full - 9, 9, false), (full, 1, true), (full + 3, 0, true)]
        {
            let mut spool = Spool::default();
            assert!(spool.fits(before));
            spool.keep(&vec![b'x'; before]);
            let kept = spool.finish(&store, vec![b'x'; last].into(), head("T\r\n")).await.unwrap();
            assert_eq!(matches!(kept, NewContent::Staged(_)), is_staged, "{before} and {last}");
            if let NewContent::Staged(staged) = kept {
                assert_eq!(staged.size, (3 + before + last) as u64);
            }
        }
    }

    /// The header of a submitted message is mended where it is in several pieces, and where content is staged.
    #[tokio::test(start_paused = true)]
    async fn large_content_is_mended_as_small_content_is() {
        let (store, _directory) = store();
        let header = "Date: x\r\nMessage-ID: <y>\r\nBcc: secret@x,\r\n another@y\r\nFrom: a@b\r\n\r\n";
        let hidden = "Bcc: secret@x,\r\n another@y\r\n".len();
        for body in [10, INLINE_CONTENT_OCTETS_MAX, 2 * INLINE_CONTENT_OCTETS_MAX] {
            let content = Bytes::from([header.as_bytes(), &vec![b'z'; body]].concat());
            let origin =
                Origin { host_name: "mx.example.org", queue_id: mail::QueueId(7), at: mail::Timestamp(0) };
            let mending = HeaderFacts::read(&content, Submitted::Yes, origin).mending;
            let head = Head { before: "T\r\n".into(), mending, ..Head::default() };
            let mut spool = Spool::default();
            let mut pieces: Vec<_> = content.chunks(30_000).map(|piece| content.slice_ref(piece)).collect();
            let last = pieces.pop().unwrap();
            for piece in pieces {
                if spool.fits(piece.len()) {
                    spool.keep(&piece);
                } else {
                    spool = spool.stage(&store, piece, head.clone()).await.unwrap();
                }
            }
            let size = match spool.finish(&store, last, head).await.unwrap() {
                NewContent::Inline { bytes, .. } => bytes.len(),
                NewContent::Staged(staged) => usize::try_from(staged.size).unwrap(),
            };
            assert_eq!(size, 3 + content.len() - hidden, "{body}");
        }
    }
}
