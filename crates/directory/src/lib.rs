//! Who receives mail here, and who may sign in.

pub mod app_passwords;
pub mod certificates;
pub mod cram;
pub mod directory;
mod door;
pub mod gate;
pub mod limits;
pub mod passwords;
mod proofs;
mod remembered;
pub mod resolution;
pub mod rights;
pub mod scram;
pub mod sign_in;
pub mod tokens;
mod turns;

pub use app_passwords::{NewAppPassword, SCOPES};
pub use certificates::{Fingerprint, Shown};
pub use cram::Answer;
pub use directory::Directory;
pub use gate::Later;
pub use passwords::{Password, Unfit, generate_password, hash_password};
pub use resolution::{LocalRecipient, Resolution};
pub use rights::Right;
pub use scram::{Kept, ScramHash, ScramKeys, Verifiers};
pub use sign_in::{Credentials, Origin, Principal, Scope, SignIn};
pub use tokens::{Issuer, Needed, Presented};
