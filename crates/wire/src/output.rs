//! What waits to be written to one peer.
//!
//! ```text
//! replies --push--> first | rest --one vectored write--> stream
//! ```
//!
//! A single reply is written from where the session made it, without a copy; those that follow it before the next
//! write are joined in a buffer borrowed from the thread, given back when it is empty.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use world::Clock;

use crate::limits::{PENDING_MAX, WRITE_BUFFER_KEPT};

/// Octets that the peer has not taken yet, and until when it must.
#[derive(Debug, Default)]
pub(crate) struct Output {
    first: Bytes,
    rest: Vec<u8>,
    rest_written: usize,
    /// Bytes were handed to the stream, which (TLS) may hold some of them back.
    unflushed: bool,
    debt: Option<Debt>,
    /// Since the connection began.
    pub(crate) written: u64,
}

/// What waited when the stream first would not take more. All of it must be gone by `due`, however much is pushed
/// behind it and however slowly the peer reads.
#[derive(Debug, Clone, Copy)]
struct Debt {
    octets: usize,
    due: Instant,
}

impl Output {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.is_empty() {
            self.first = bytes;
            return;
        }
        if self.rest.capacity() == 0 {
            self.rest = SPARE.take();
        }
        self.rest.extend_from_slice(&bytes);
    }

    fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.first.len() + self.rest.len() - self.rest_written
    }

    /// Whether the session must rest until the peer has read.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting() >= PENDING_MAX
    }

    /// When the peer must have taken what waits, if anything waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.debt.map(|debt| debt.due)
    }

    /// Writes what the stream takes. Ready when nothing waits any more.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
        clock: &Clock,
        patience: Duration,
    ) -> Poll<io::Result<()>> {
        let progress = self.poll_write_all(cx, stream);
        match (&progress, self.debt) {
            (Poll::Ready(_), _) => self.debt = None,
            (Poll::Pending, Some(debt)) if debt.octets > 0 => {}
            // The first of these octets to wait, or the first since the last debt was paid.
            (Poll::Pending, _) => {
                self.debt = Some(Debt { octets: self.waiting().max(1), due: clock.now() + patience });
            }
        }
        progress
    }

    fn poll_write_all(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<()>> {
        loop {
            // Before more is given: TLS takes octets into a buffer of its own, and those are not yet with the peer.
            if self.unflushed {
                ready!(Pin::new(&mut *stream).poll_flush(cx))?;
                self.unflushed = false;
            }
            if self.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = ready!(self.poll_write_some(cx, stream))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.took(count);
        }
    }

    fn poll_write_some(
        &self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<usize>> {
        let (stream, rest) = (Pin::new(stream), &self.rest[self.rest_written..]);
        match (self.first.is_empty(), rest.is_empty()) {
            (true, _) => stream.poll_write(cx, rest),
            (false, true) => stream.poll_write(cx, &self.first),
            (false, false) => {
                stream.poll_write_vectored(cx, &[IoSlice::new(&self.first), IoSlice::new(rest)])
            }
        }
    }

    fn took(&mut self, count: usize) {
        self.unflushed = true;
        self.written += count as u64;
        if let Some(debt) = &mut self.debt {
            debt.octets = debt.octets.saturating_sub(count);
        }
        let of_first = count.min(self.first.len());
        self.first.advance(of_first);
        self.rest_written += count - of_first;
        if self.first.is_empty() {
            self.first = Bytes::new();
        }
        if self.rest_written == self.rest.len() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        self.rest_written = 0;
        let mut spare = std::mem::take(&mut self.rest);
        if (1..=WRITE_BUFFER_KEPT).contains(&spare.capacity()) {
            spare.clear();
            SPARE.set(spare);
        }
    }
}

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use mail::Timestamp;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn write_once(output: &mut Output, stream: &mut tokio::io::DuplexStream, clock: &Clock) -> bool {
        poll_fn(|cx| Poll::Ready(output.poll_write(cx, stream, clock, PATIENCE).is_ready())).await
    }

    async fn take(stream: &mut tokio::io::DuplexStream, count: usize) -> Vec<u8> {
        let mut taken = vec![0; count];
        stream.read_exact(&mut taken).await.unwrap();
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn a_debt_is_due_absolutely_and_the_next_one_begins_when_it_is_paid() {
        let clock = Clock::simulated(Timestamp(0));
        let began = clock.now();
        let (mut ours, mut theirs) = world::net::pair(10);
        let mut output = Output::default();
        output.push(Bytes::from_static(&[b'a'; 30]));
        assert!(!write_once(&mut output, &mut ours, &clock).await);
        assert_eq!(output.due(), Some(began + PATIENCE));

        // Neither a little reading nor more output moves it: 20 octets are owed.
        clock.sleep(Duration::from_secs(20)).await;
        output.push(Bytes::from_static(&[b'b'; 30]));
        take(&mut theirs, 10).await;
        assert!(!write_once(&mut output, &mut ours, &clock).await);
        assert_eq!(output.due(), Some(began + PATIENCE));

        // The first debt is paid: what was pushed behind it has its own deadline.
        take(&mut theirs, 10).await;
        assert!(!write_once(&mut output, &mut ours, &clock).await);
        assert_eq!(output.due(), Some(clock.now() + PATIENCE));

        while !write_once(&mut output, &mut ours, &clock).await {
            take(&mut theirs, 10).await;
        }
        assert_eq!((output.due(), output.written), (None, 60));
    }

    #[test]
    fn an_empty_output_holds_no_buffer() {
        let mut output = Output::default();
        output.push(Bytes::from(vec![b'a'; 100]));
        output.push(Bytes::from(vec![b'b'; 100]));
        assert_ne!(output.rest.capacity(), 0);
        output.took(200);
        assert_eq!((output.rest.capacity(), output.first.len()), (0, 0));
        assert_ne!(SPARE.take().capacity(), 0, "kept for the next connection of the thread");
    }

    proptest! {
        #[test]
        fn every_octet_leaves_once_and_in_order(
            pushes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            buffer in 1_usize..50,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let expected: Vec<u8> = pushes.concat();
            let received = runtime.block_on(async {
                let clock = Clock::Real;
                let (mut ours, mut theirs) = world::net::pair(buffer);
                let mut output = Output::default();
                let mut received = Vec::new();
                let write = async {
                    for push in pushes {
                        output.push(push.into());
                        write_once(&mut output, &mut ours, &clock).await;
                    }
                    poll_fn(|cx| output.poll_write(cx, &mut ours, &clock, PATIENCE)).await.unwrap();
                    drop(ours);
                };
                let (read, ()) = tokio::join!(theirs.read_to_end(&mut received), write);
                read.unwrap();
                received
            });
            prop_assert_eq!(received, expected);
        }
    }
}
