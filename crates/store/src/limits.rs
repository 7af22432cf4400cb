//! Every bound of the store, with its reason.

/// Content up to here travels in the commit as one record; above, it is staged chunk by chunk as it arrives.
pub const INLINE_CONTENT_OCTETS_MAX: usize = 256 * 1024;
