//! Every bound of policy, with its reason.

/// More Received fields than this are a loop. RFC 5321 §6.3: "a large rejection threshold, normally at least 100".
pub const RECEIVED_MAX: usize = 100;

/// `deferred@` is accepted on the try after this many.
pub const MAGIC_DEFERRALS: u32 = 2;
