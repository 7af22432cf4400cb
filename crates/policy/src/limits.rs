//! Every bound of policy, with its reason.

/// More Received fields than this are a loop, where no setting says otherwise. RFC 5321 §6.3: "a large rejection threshold, normally at least 100".
pub const RECEIVED_MAX: usize = 100;

/// More Received fields of our own are a loop, told earlier than by all of them. Between two passes through this server
/// there may be a list, a filter and a forwarding elsewhere; nothing that ends passes ten times.
pub const RECEIVED_HERE_MAX: usize = 10;

/// `deferred@` is accepted on the try after this many.
pub const MAGIC_DEFERRALS: u32 = 2;
