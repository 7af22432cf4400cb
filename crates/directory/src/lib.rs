//! Who receives mail here, and who may sign in.

pub mod limits;
pub mod passwords;
pub mod resolution;

pub use passwords::{Password, Unfit, generate_password, hash_password};
pub use resolution::{LocalRecipient, Resolution};
