//! What a mailbox is to its reader: views, fetch, search, filing.

pub mod error;
pub mod filing;
pub mod limits;
#[allow(dead_code)]
mod names;
#[allow(dead_code)]
pub mod section;
