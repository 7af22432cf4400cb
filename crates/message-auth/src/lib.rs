//! Who answers for a message: DKIM signatures (RFC 6376, RFC 8301, RFC 8463), made and checked.
//!
//! Pure: no I/O, no clock, no logging. Time is an argument; records of the DNS are fetched by the caller and handed in.
//! Only making a key draws chance, from the cryptographic library's own generator.

pub mod dkim;
pub mod limits;
