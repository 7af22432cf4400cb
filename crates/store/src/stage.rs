//! Large content, written chunk by chunk while it arrives.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::Error;
use crate::content::Staged;
use crate::limits::{CHUNK_OCTETS, LABEL_OCTETS_MAX};
use crate::log::Segment;
use crate::segment::Kind;
use crate::store::Shared;

/// Takes content piece by piece. Dropped before [`Stager::finish`], what it wrote is freed by the sweep; after a crash
/// it is an orphan with its label.
pub struct Stager {
    shared: Arc<Shared>,
    label: Bytes,
    /// What does not fill a chunk yet.
    buffer: BytesMut,
    /// Once there is more than a chunk.
    segment: Option<Arc<Segment>>,
    chunks: u64,
    size: u64,
}

impl Stager {
    pub(crate) fn new(shared: Arc<Shared>, label: Bytes) -> Self {
        let label = label.slice(..label.len().min(LABEL_OCTETS_MAX));
        Self { shared, label, buffer: BytesMut::new(), segment: None, chunks: 0, size: 0 }
    }

    /// Octets taken so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next piece. Holds at most a chunk (64 KiB) and this piece in memory. Not cancellation safe: a stager
    /// whose `write` was dropped must be dropped too.
    ///
    /// # Errors
    /// [`Error::Full`] and [`Error::Unavailable`]; drop the stager then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.size += bytes.len() as u64;
        self.buffer.extend_from_slice(&bytes);
        while self.buffer.len() > CHUNK_OCTETS {
            let chunk = self.buffer.split_to(CHUNK_OCTETS).freeze();
            self.write_chunk(Kind::Chunk, chunk).await?;
        }
        Ok(())
    }

    /// All of it is there: it can be part of a commit, whose sync covers it. Content that nobody commits is freed after
    /// the time in [`crate::Options::reclaim_after`].
    ///
    /// # Errors
    /// As for [`Stager::write`].
    pub async fn finish(mut self) -> Result<Staged, Error> {
        let last = self.buffer.split().freeze();
        let since = self.shared.clock.wall();
        if self.segment.is_none() {
            let (shared, label) = (self.shared.clone(), self.label.clone());
            let write = move || shared.log.stage_small(&label, &last, since);
            return Ok(self.shared.workers.run(write).await?);
        }
        self.write_chunk(Kind::Last, last).await?;
        let segment = self.segment.take().expect("there are chunks");
        Ok(self.shared.log.stage_large(segment, self.size, since))
    }

    async fn write_chunk(&mut self, kind: Kind, chunk: Bytes) -> Result<(), Error> {
        let (shared, label, number) = (self.shared.clone(), self.label.clone(), self.chunks);
        let known = self.segment.clone();
        let write = move || {
            let segment = match known {
                Some(segment) => segment,
                None => shared.log.begin_large()?,
            };
            shared.log.write_chunk(&segment, (kind, number), &label, &chunk)?;
            Ok::<_, std::io::Error>(segment)
        };
        self.segment = Some(self.shared.workers.run(write).await?);
        self.chunks += 1;
        Ok(())
    }
}

impl Drop for Stager {
    fn drop(&mut self) {
        if let Some(segment) = self.segment.take() {
            self.shared.log.abandon(segment, self.shared.clock.wall());
        }
    }
}

impl std::fmt::Debug for Stager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stager").field("size", &self.size).finish_non_exhaustive()
    }
}
