//! Every bound of the driver, the registry and the accept loop, with its reason.

use std::time::Duration;

/// Octets taken from a stream at once. One buffer of this size a thread, not a connection: large enough that content
/// arrives in few system calls, small enough to stay in a core's cache.
pub const READ_CHUNK: usize = 32 * 1024;

/// Compressed octets taken from a stream at once. What they hold is decompressed as its session takes it, so this
/// much may have to be kept.
pub const COMPRESSED_CHUNK: usize = 4 * 1024;

/// Chunks read in turn that hold compressed blocks without content, before others run.
pub const FRUITLESS_READS_MAX: usize = 16;

/// Octets compressed at once. As much again, and some octets for each block, is what may wait for a slow peer.
pub const WRITE_CHUNK: usize = 64 * 1024;

/// Connections that may compress at the same time, in the whole process. Each may have to keep 32 KiB of what its peer
/// sent (RFC 1951 §2), 11 KiB of tables in the middle of a block and a chunk in either direction: 450 MiB for all that
/// do their worst. An idle one of an honest client keeps what it has sent last, some kilobytes.
pub const COMPRESSING_MAX: usize = 4096;

/// Output that may wait for a peer before its session rests. An answer holds at most 64 KiB, so at most about twice
/// this is ever held.
pub const PENDING_MAX: usize = 64 * 1024;

/// A write buffer larger than this is given back to the allocator, not kept for the thread's next connection.
pub const WRITE_BUFFER_KEPT: usize = 2 * PENDING_MAX;

/// How long a peer may take to read what waits for it. RFC 5321 §4.5.3.2 gives a client minutes for each reply; a
/// client that reads nothing for so long has gone.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(5 * 60);

/// A TLS handshake is two round trips; the slowest honest link and device need seconds.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(30);

/// Servers whose TLS sessions our clients keep, to resume them: those written to all the time, at some kilobytes each.
pub const RESUMPTIONS_MAX: usize = 256;

/// After our last octet a peer that is still sending is read from and ignored for so long: closing with unread input
/// makes the kernel send a reset, which takes our last reply away from the peer.
pub const LINGER: Duration = Duration::from_secs(1);

/// And for so many octets.
pub const LINGER_OCTETS: usize = 1024 * 1024;

/// Inputs one connection takes before it lets others run, if the runtime has not made it yield already.
pub const TURNS_MAX: usize = 64;

/// A connection counts as idle, and may have to make room, when it has been silent for so long: no honest round trip
/// in the middle of a dialogue takes more.
pub const IDLE_MIN: Duration = Duration::from_secs(5);

/// Connections looked at to find the one that makes room: all, where no more than four times as many as by default are
/// taken. Bounds what a flood of arrivals costs each of them, to some microseconds.
pub const CANDIDATES_MAX: usize = 4096;

/// Connections that were told to make room and have not gone yet; no further one is told until some are gone.
pub const LEAVING_MAX: usize = 256;

/// Pause after accept failed because descriptors or memory ran out. The kernel keeps the connections meanwhile.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// After the grace period the connections that are left are terminated, and have so long to be gone.
pub const TERMINATE_GRACE: Duration = Duration::from_secs(1);

/// Octets of a PROXY header of the second version: the addresses take 216 at most, and what a proxy adds of TLS, a client's
/// certificate included, some kilobytes. It is not read, but has to be passed over.
pub const PROXY_HEADER_MAX: usize = 8 * 1024;

/// How long a proxy may take to send it: the specification (§2) asks for 3 seconds at least, to outlast a packet that was lost.
pub const PROXY_HEADER_DEADLINE: Duration = Duration::from_secs(5);

/// Connections from proxies whose header has not come yet, for one listener; a proxy sends it at once. More than these are
/// closed.
pub const PROXY_HEADERS_MAX: usize = 1024;

/// Sources whose rate is remembered before the older half is forgotten, for one limit: some megabytes. Whoever has as many
/// addresses at hand is not held by what one of them may.
pub const RATE_SOURCES_MAX: usize = 32 * 1024;

/// For how long an octet that a peer sends lets its connection count as active. What comes slower than 100 octets a second
/// is no dialogue: nobody keeps a place by a byte a second.
pub const OCTET_WORTH: Duration = Duration::from_millis(10);
