//! A part of an email whose transfer encoding is taken off while it is read, in order.

use std::ops::Range;

use bytes::Bytes;
use mail::message::TransferDecoder;

use crate::email::Email;
use crate::error::Result;
use crate::limits;

/// How far a part was decoded. Holds no content.
#[derive(Debug, Clone)]
pub(crate) struct Decoding {
    /// What is still encoded.
    range: Range<u64>,
    decoder: TransferDecoder,
    /// Decoded octets before it.
    octets: u64,
    finished: bool,
}

impl Decoding {
    /// Of these octets of an email, from the beginning.
    pub(crate) fn new(range: Range<u64>, decoder: TransferDecoder) -> Self {
        Self { range, decoder, octets: 0, finished: false }
    }

    /// Decoded octets so far.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether all is decoded.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Decoded octets in all.
    pub(crate) async fn size(mut self, email: &Email<'_>) -> Result<u64> {
        while !self.finished {
            self.step(email).await?;
        }
        Ok(self.octets)
    }

    /// Decoded octets from `offset` on, which is not before [`Self::octets`]: at most `max`, and what one piece of the email
    /// gives, or a little less than asked for; empty at the end alone. Stays at the piece where the reading ended, so that
    /// whoever goes on there decodes at most one piece twice.
    pub(crate) async fn read(&mut self, email: &Email<'_>, offset: u64, max: u64) -> Result<Bytes> {
        while !self.finished && max > 0 {
            let before = self.clone();
            let mut piece = self.step(email).await?;
            let skipped = (offset.saturating_sub(before.octets)).min(piece.len() as u64) as usize;
            if skipped == piece.len() {
                continue;
            }
            piece.drain(..skipped);
            if piece.len() as u64 > max {
                piece.truncate(max as usize);
                *self = before;
            }
            return Ok(piece.into());
        }
        Ok(Bytes::new())
    }

    /// Decodes the next piece.
    async fn step(&mut self, email: &Email<'_>) -> Result<Vec<u8>> {
        let wanted = (self.range.end - self.range.start).min(limits::ANSWER_OCTETS_MAX as u64);
        let encoded = email.read(self.range.start, wanted).await?;
        self.range.start += encoded.len() as u64;
        let mut decoded = Vec::new();
        self.decoder.push(&encoded, &mut decoded);
        if encoded.is_empty() || self.range.is_empty() {
            self.decoder.finish(&mut decoded);
            self.finished = true;
        }
        self.octets += decoded.len() as u64;
        Ok(decoded)
    }
}
