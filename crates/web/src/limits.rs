//! Every bound of what is served by HTTP, with its reason.

use std::time::Duration;

/// Octets of a request's line and fields. An authority asks with some hundred.
pub const HEADER_MAX: usize = 8 * 1024;

/// From the first octet to the last of a connection, which serves one request: an authority waits 10 s or less.
pub const CONNECTION_DEADLINE: Duration = Duration::from_secs(15);

/// Connections at the same time: an authority asks from some places at once for each name of an order.
pub const CONNECTIONS_MAX: usize = 200;

/// Connections of one source at the same time.
pub const CONNECTIONS_PER_SOURCE_MAX: usize = 20;

/// Characters of a token: an authority's are 22 or 43 (128 or 256 bits in base64url, RFC 8555 §8.3).
pub const TOKEN_MAX: usize = 256;
