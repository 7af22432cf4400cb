//! Who receives mail here, and who may sign in.

pub mod directory;
pub mod limits;
pub mod passwords;
pub mod resolution;
pub mod scram;
pub mod sign_in;

pub use directory::Directory;
pub use passwords::{Password, Unfit, generate_password, hash_password};
pub use resolution::{LocalRecipient, Resolution};
pub use scram::{Kept, ScramHash, ScramKeys, Verifiers};
pub use sign_in::{Credentials, Principal, SignIn};
