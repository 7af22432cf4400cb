//! Compression (RFC 4978): raw DEFLATE (RFC 1951) between a session and its stream, above TLS.
//!
//! ```text
//! replies --compress, full flush--> pending --> stream          stream --> unread --inflate--> session
//!           (the thread's)                                                   ^ (the thread's) | last 32 KiB
//!                                                                            +--- history ----+
//! ```
//!
//! Each write ends in a full flush: the peer can read all of it at once, and no later write refers to it. So the
//! compressor can be the thread's, and an idle connection has none. What the peer sends may refer to the 32 KiB before
//! it, and only that is kept: between two blocks, where every flush ends, there is no decompressor either.
//!
//! Input is decompressed in pieces of what the session can take, and only when it takes some; so a bomb is as patient
//! as its session, and grows nothing.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use miniz_oxide::DataFormat;
use miniz_oxide::deflate::CompressionLevel;
use miniz_oxide::deflate::core::{CompressorOxide, TDEFLFlush, TDEFLStatus, compress_to_output};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::{
    TINFL_FLAG_HAS_MORE_INPUT, TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF,
};
use miniz_oxide::inflate::core::{BlockBoundaryState, DecompressorOxide, decompress};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::limits::{COMPRESSED_CHUNK, FRUITLESS_READS_MAX, READ_CHUNK, WRITE_BUFFER_KEPT, WRITE_CHUNK};
use crate::stream::Stream;

/// How far back a reference reaches (RFC 1951 §2).
const WINDOW: usize = 32 * 1024;

/// A stream that carries compressed octets, seen from the side where they are not.
pub struct Deflated {
    stream: Stream,
    inflater: Inflater,
    /// Compressed octets that came and are not decompressed yet, from `read` on.
    unread: Vec<u8>,
    read: usize,
    /// Compressed octets that are not written yet, from `written` on.
    pending: Vec<u8>,
    written: usize,
}

impl fmt::Debug for Deflated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflated").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Deflated {
    /// From the next octet on, in both directions, this stream is compressed.
    pub(crate) fn new(stream: Stream) -> Self {
        let (unread, pending) = (Vec::new(), Vec::new());
        Self { stream, inflater: Inflater::new(), unread, read: 0, pending, written: 0 }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Decompresses of what is there as much as there is room for.
    fn inflate(&mut self, output: &mut ReadBuf<'_>) -> io::Result<()> {
        self.read += self.inflater.inflate(&self.unread[self.read..], output)?;
        if self.read == self.unread.len() {
            (self.unread, self.read) = (Vec::new(), 0);
        }
        Ok(())
    }

    /// Reads compressed octets; called when all that came before are used up. False: there are no more.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut chunk = [0; COMPRESSED_CHUNK];
        let mut chunk = ReadBuf::new(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
        self.unread.extend_from_slice(chunk.filled());
        Poll::Ready(Ok(!self.unread.is_empty()))
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.pending.len() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.pending[self.written..]))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        let mut spare = std::mem::take(&mut self.pending);
        self.written = 0;
        if (1..=WRITE_BUFFER_KEPT).contains(&spare.capacity()) {
            spare.clear();
            SPARE.set(spare);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Deflated {
    /// A peer that ends its compressed stream has closed its side.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when the octets are no DEFLATE stream, [`io::ErrorKind::UnexpectedEof`] when they
    /// end within a block, and those of the stream.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        output: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        for _ in 0..FRUITLESS_READS_MAX {
            let before = output.filled().len();
            this.inflate(output)?;
            if output.filled().len() > before || this.inflater.has_ended() || output.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if !ready!(this.poll_fill(cx))? {
                return Poll::Ready(this.inflater.may_end_here());
            }
        }
        // Blocks without content, one after the other, give nothing that could be waited for: let others run.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncWrite for Deflated {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(octets)])
    }

    /// What is taken is compressed and waits for a flush, or for the next write.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        if this.pending.capacity() == 0 {
            this.pending = SPARE.take();
        }
        Poll::Ready(Ok(compress(slices, &mut this.pending)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

thread_local! {
    /// Empty between two writes, so nothing of one connection is ever in what another sends.
    static COMPRESSOR: Cell<Option<Box<CompressorOxide>>> = const { Cell::new(None) };
    /// A buffer for compressed output, lent to one connection after the other.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// History and the piece after it, while a piece is decompressed.
    static WORK: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Compresses at most [`WRITE_CHUNK`] octets, as blocks that refer to nothing before them; says how many.
fn compress(slices: &[IoSlice<'_>], into: &mut Vec<u8>) -> usize {
    let mut compressor = COMPRESSOR.take().unwrap_or_else(new_compressor);
    let mut room = WRITE_CHUNK;
    for slice in slices {
        let piece = &slice[..slice.len().min(room)];
        run(&mut compressor, piece, TDEFLFlush::None, into);
        room -= piece.len();
    }
    run(&mut compressor, &[], TDEFLFlush::Full, into);
    COMPRESSOR.set(Some(compressor));
    WRITE_CHUNK - room
}

/// The level that costs least time: what is sent is compressed in pieces, and RFC 4978 §4 found it good for 25-40 %.
fn new_compressor() -> Box<CompressorOxide> {
    Box::new(CompressorOxide::with_format_and_level(DataFormat::Raw, CompressionLevel::BestSpeed))
}

fn run(compressor: &mut CompressorOxide, piece: &[u8], flush: TDEFLFlush, into: &mut Vec<u8>) {
    let (status, taken) = compress_to_output(compressor, piece, flush, |octets| {
        into.extend_from_slice(octets);
        true
    });
    assert!(status == TDEFLStatus::Okay && taken == piece.len(), "output into memory is never refused");
}

/// What must be kept to decompress what comes next.
struct Inflater {
    /// At most [`WINDOW`] octets, the last that were decompressed.
    history: Vec<u8>,
    place: Place,
}

/// Where in the compressed stream we are.
enum Place {
    /// Between two blocks, up to seven bits of the next one read.
    Between(BlockBoundaryState),
    Within(Box<DecompressorOxide>),
    /// After the last block.
    Ended,
}

impl Inflater {
    fn new() -> Self {
        Self { history: Vec::new(), place: Place::Between(BlockBoundaryState::default()) }
    }

    fn has_ended(&self) -> bool {
        matches!(self.place, Place::Ended)
    }

    fn may_end_here(&self) -> io::Result<()> {
        match self.place {
            Place::Within(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Place::Between(_) | Place::Ended => Ok(()),
        }
    }

    /// Decompresses until there is no more input or no more room; says how many octets of `input` were used.
    fn inflate(&mut self, input: &[u8], output: &mut ReadBuf<'_>) -> io::Result<usize> {
        let room = output.remaining().min(READ_CHUNK);
        if self.has_ended() || room == 0 {
            return Ok(0);
        }
        let before = self.history.len();
        let mut work = WORK.take();
        work.resize(WINDOW + READ_CHUNK, 0);
        work[..before].copy_from_slice(&self.history);
        let done = self.run(input, &mut work[..before + room]);
        if let Ok((_, after)) = done {
            output.put_slice(&work[before..after]);
            self.remember(&work[..after]);
        }
        WORK.set(work);
        done.map(|(used, _)| used)
    }

    /// `work` begins with the history. Says how many octets of `input` are used, and how many of `work` are filled.
    fn run(&mut self, input: &[u8], work: &mut [u8]) -> io::Result<(usize, usize)> {
        const FLAGS: u32 = TINFL_FLAG_HAS_MORE_INPUT
            | TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
            | TINFL_FLAG_STOP_ON_BLOCK_BOUNDARY;
        let (mut used, mut filled) = (0, self.history.len());
        let mut decompressor = match std::mem::replace(&mut self.place, Place::Ended) {
            // It may have stopped for want of room with all input used.
            Place::Within(decompressor) => decompressor,
            Place::Between(state) if input.is_empty() => {
                self.place = Place::Between(state);
                return Ok((0, filled));
            }
            Place::Between(state) => Box::new(DecompressorOxide::from_block_boundary_state(&state)),
            Place::Ended => return Ok((0, filled)),
        };
        loop {
            let (status, taken, given) = decompress(&mut decompressor, &input[used..], work, filled, FLAGS);
            used += taken;
            filled += given;
            match status {
                TINFLStatus::BlockBoundary if used < input.len() => {}
                TINFLStatus::BlockBoundary => {
                    let state = decompressor.block_boundary_state();
                    self.place = state.map_or(Place::Within(decompressor), Place::Between);
                    return Ok((used, filled));
                }
                TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {
                    self.place = Place::Within(decompressor);
                    return Ok((used, filled));
                }
                TINFLStatus::Done => return Ok((used, filled)),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    fn remember(&mut self, whole: &[u8]) {
        let last = &whole[whole.len().saturating_sub(WINDOW)..];
        self.history.clear();
        self.history.reserve_exact(last.len().next_multiple_of(1024));
        self.history.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests;
