//! Messages: header fields and MIME structure (RFC 5322, 2045, 2046), read within budgets and without recursion.
//!
//! Nothing here fails: a message that breaks every rule is still mail that somebody wants to see. What is beyond a budget
//! is shown as plain text.

mod addresses;
pub mod decode;
mod envelope;
mod field_syntax;
mod header;
mod structure;
mod transfer;

pub use envelope::{EnvelopeAddress, EnvelopeFields, envelope};
pub use field_syntax::Parameters;
pub use header::{Field, Header};
pub use structure::{Budget, Part, Structure, StructureReader, structure};
pub use transfer::TransferDecoder;
