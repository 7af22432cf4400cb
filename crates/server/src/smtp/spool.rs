//! Content on its way in: in memory while it is small, staged in the store as soon as it is not.

use bytes::{Bytes, BytesMut};
use mailboxes::filing::ReturnPathFilter;
use store::limits::INLINE_CONTENT_OCTETS_MAX;
use store::{Error, NewContent, Stager, Store};

/// The content of one transaction.
#[derive(Debug)]
pub(super) enum Spool {
    /// Everything so far.
    Small(BytesMut),
    /// The store has what came before; Return-Path fields are filtered out on the way.
    Large { stager: Box<Stager>, filter: ReturnPathFilter },
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

    /// Hands a piece on to the store, and what was in memory before it. `trace` stands before all of it.
    pub(super) async fn stage(
        self,
        store: &Store,
        piece: Bytes,
        label: Bytes,
        trace: &str,
    ) -> Result<Self, Error> {
        let (mut stager, mut filter) = match self {
            Self::Large { stager, filter } => (stager, filter),
            Self::Small(before) => {
                let (mut stager, mut filter) = (Box::new(store.stage(label)), ReturnPathFilter::default());
                stager.write(Bytes::copy_from_slice(trace.as_bytes())).await?;
                write(&mut stager, &mut filter, before.freeze()).await?;
                (stager, filter)
            }
        };
        write(&mut stager, &mut filter, piece).await?;
        Ok(Self::Large { stager, filter })
    }

    /// The content as the commit takes it.
    pub(super) async fn finish(
        self,
        store: &Store,
        last: Bytes,
        label: Bytes,
        trace: &str,
    ) -> Result<NewContent, Error> {
        let staged = match self {
            Self::Small(before) if trace.len() + before.len() + last.len() <= INLINE_CONTENT_OCTETS_MAX => {
                return Ok(NewContent::Inline { label, bytes: joined(trace, &before, &last) });
            }
            // What fitted in memory so far may not fit any more with the last piece and the trace header.
            unfinished => unfinished.stage(store, last, label, trace).await?,
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

/// The trace header, then the content without Return-Path fields, in one buffer.
fn joined(trace: &str, before: &[u8], last: &[u8]) -> Bytes {
    let mut content = Vec::with_capacity(trace.len() + before.len() + last.len());
    content.extend_from_slice(trace.as_bytes());
    let start = content.len();
    content.extend_from_slice(before);
    content.extend_from_slice(last);
    let clean = match mailboxes::filing::without_return_path(&content[start..]) {
        std::borrow::Cow::Borrowed(_) => return content.into(),
        std::borrow::Cow::Owned(clean) => clean,
    };
    content.truncate(start);
    content.extend_from_slice(&clean);
    content.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_return_path_goes_and_the_trace_header_comes_first() {
        let content =
            joined("Received: x\r\n", b"Return-Path: <a@b>\r\nSubj", b"ect: y\r\n\r\nReturn-Path: body\r\n");
        assert_eq!(content, "Received: x\r\nSubject: y\r\n\r\nReturn-Path: body\r\n");
        assert_eq!(joined("T\r\n", b"", b"Subject: y\r\n\r\n"), "T\r\nSubject: y\r\n\r\n");
    }

    #[tokio::test(start_paused = true)]
    async fn content_that_outgrows_a_commit_with_its_last_piece_is_staged() {
        let directory = tempfile::tempdir().unwrap();
        let world = world::World::simulated(mail::Timestamp(0), 1);
        let store = Store::open(directory.path(), &world, store::Options::default()).unwrap();
        let full = INLINE_CONTENT_OCTETS_MAX - "T\r\n".len();
        for (before, last, is_staged) in
            [(full, 0, false), (full - 9, 9, false), (full, 1, true), (full + 3, 0, true)]
        {
            let mut spool = Spool::default();
            assert!(spool.fits(before));
            spool.keep(&vec![b'x'; before]);
            let kept = spool.finish(&store, vec![b'x'; last].into(), Bytes::new(), "T\r\n").await.unwrap();
            assert_eq!(matches!(kept, NewContent::Staged(_)), is_staged, "{before} and {last}");
            if let NewContent::Staged(staged) = kept {
                assert_eq!(staged.size, (3 + before + last) as u64);
            }
        }
    }
}
