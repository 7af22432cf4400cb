//! HTTP as it is served. Today that is one thing: the answers to an ACME authority that asks by HTTP-01 whether a name is
//! ours (RFC 8555 §8.3). Everything else is not there: 404, in plain text, without a word of what was asked.

mod challenges;
pub mod limits;
mod serve;

pub use challenges::Challenges;
pub use serve::serve;
