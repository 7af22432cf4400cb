//! Content: bytes after DATA or APPEND, in append-only segments (format: [`crate::segment`]).
//!
//! What lives is said by the records in SQL alone; segments hold no deletion marks. Content is freed some time after its
//! last reference went, so that no reader races reclaim: a segment without live content is removed, and holes are
//! punched for freed records of 8 KiB and more in segments that others still use. Small freed records in a segment that
//! still lives stay until the segment is empty: moving the remaining ones together is not built yet.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Where content lies: its address in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ContentId {
    /// The segment's number.
    pub segment: u32,
    /// Where its first record begins in the segment, octets.
    pub offset: u64,
}

/// Large content that was written as it arrived and is not yet part of a commit. Dropped uncommitted, it is freed by the
/// sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Where.
    pub id: ContentId,
    /// Octets.
    pub size: u64,
}

/// Content that an earlier run wrote and no record names: a crash came between content and records, or while content was
/// still arriving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Where it lies.
    pub id: ContentId,
    /// Octets that arrived.
    pub size: u64,
    /// What was noted beside it.
    pub label: Bytes,
    /// Whether all of it arrived.
    pub complete: bool,
}
