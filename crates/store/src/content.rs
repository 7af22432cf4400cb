//! Content: bytes after DATA or APPEND, in append-only segments.

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
