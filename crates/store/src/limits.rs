//! Every bound of the store, with its reason.

use std::time::Duration;

/// Content up to here travels in the commit as one record; above, it is staged chunk by chunk as it arrives.
pub const INLINE_CONTENT_OCTETS_MAX: usize = 256 * 1024;
/// A label is a line for the journal, not a place for content.
pub const LABEL_OCTETS_MAX: usize = 1024;
/// Commits that wait for the writer, octets together: what a burst may hold in memory before callers wait.
pub const QUEUE_OCTETS_MAX: usize = 64 * 1024 * 1024;
/// Commits in one batch: bounds the time that the last of a burst adds to the first.
pub const BATCH_COMMITS_MAX: usize = 512;
/// Content in one batch, octets, unless one commit alone has more.
pub const BATCH_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// A new segment begins here: small enough to be freed as a whole, large enough that segments are few.
pub const SEGMENT_OCTETS_MAX: u64 = 256 * 1024 * 1024;
/// A chunk of large content: one read serves one answer of a protocol session, and is verified as a whole.
pub const CHUNK_OCTETS: usize = 64 * 1024;
/// Freed records smaller than this are not worth a hole: a file system frees whole blocks of 4 KiB.
pub const HOLE_OCTETS_MIN: u64 = 8 * 1024;
/// Segment files kept open for readers.
pub const OPEN_SEGMENTS_MAX: usize = 256;
/// Read-only connections, and so reads at a time.
pub const READERS_MAX: usize = 4;
/// Prepared statements kept by a connection; more than there are.
pub const STATEMENTS_MAX: usize = 256;
/// Pages of the write-ahead log after which the writer checkpoints (measured: p99 of a batch 9.4 to 2.8 ms).
pub const WAL_PAGES_MAX: i64 = 16_000;
/// An idle writer checkpoints after this long.
pub const IDLE_CHECKPOINT: Duration = Duration::from_secs(3);
/// Rows deleted in one slice of trimming, so that commits are not held up.
pub const TRIM_ROWS_MAX: i64 = 1_000;
/// Stories looked at in one slice of indexing.
pub const INDEX_ROWS_MAX: i64 = 1_000;
/// Freed content reclaimed in one slice.
pub const RECLAIM_ROWS_MAX: i64 = 1_000;
/// Rows of a mailbox's history of changes that are kept; whoever asks for older ones gets the whole mailbox.
pub const HISTORY_ROWS_MAX: i64 = 10_000;
/// How long the writer waits for those whom its last batch told: less than the two syncs that it saves them, and more than a
/// client on the same network needs to send its next message.
pub const LINGER_MAX: Duration = Duration::from_micros(300);
/// So many together are enough: each more would save little of two syncs, and the others would wait for it.
pub const LINGER_COMMITS: usize = 12;
/// What mail leaves free on the disk, octets: the write-ahead log of SQLite may grow to [`WAL_PAGES_MAX`] pages of 4 KiB before
/// it is written back, and without it no delivery could be recorded and no mail be erased.
pub const ROOM_KEPT_OCTETS: u64 = 64 * 1024 * 1024;
/// On a small disk this part of it is enough: what is on it is small, too.
pub const ROOM_KEPT_PART: u64 = 20;
/// How often the disk is asked what is free: MAIL must cost no system call, and in a second a disk does not fill by much more
/// than is kept.
pub const ROOM_ASKED_EVERY: Duration = Duration::from_secs(1);

/// Hours of what an account sent that are kept: thirty days, to compare an hour with, and one that is not over.
pub const SENDING_HOURS_KEPT: i64 = 31 * 24;

/// How long it is remembered to whom an account wrote first, in milliseconds: two years. Afterwards a correspondent counts as
/// new once more, and the table does not grow for ever.
pub(crate) const CORRESPONDENTS_KEPT: i64 = 2 * 365 * 24 * 3600 * 1000;
