//! Every bound of the directory, with its reason.

use std::num::NonZeroU32;
use std::time::Duration;

/// Memory for one password hash, KiB. OWASP's password storage advice for argon2id: 19 MiB with two passes and one lane.
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory; same source.
pub const ARGON2_PASSES: u32 = 2;
/// Lanes; same source. More would let one sign-in take more than one processor.
pub const ARGON2_LANES: u32 = 1;

/// Rounds of PBKDF2 for SCRAM. RFC 7677 §4 reckons with 15,000. A client computes them at each sign-in, in a script
/// on a telephone as well, so they cannot be as many as would be good; who needs more keeps argon2id alone.
pub const SCRAM_ROUNDS: NonZeroU32 = NonZeroU32::new(15_000).expect("it is not zero");
/// Octets of a salt: no two accounts of the world share one.
pub const SCRAM_SALT_OCTETS: usize = 16;

/// Longer passwords are refused unread: hashing them is work for whoever sends them.
pub const PASSWORD_OCTETS_MAX: usize = 1024;

/// How long a verified password is remembered. Mail programs sign in every few minutes.
pub const PASSWORD_REMEMBERED: Duration = Duration::from_secs(5 * 60);
/// Accounts whose password is remembered at a time: about 150 octets each.
pub const REMEMBERED_MAX: usize = 16_384;
/// Sign-ins are verified one at a time within each of so many groups of accounts: ten connections of one mail program
/// cost one hash, and guessing at one account cannot fill the pool of workers.
pub const SIGN_IN_QUEUES: usize = 64;

/// Resolutions kept in memory, some hundred octets each. Anybody can ask for an address, so it must have an end.
pub const RESOLUTIONS_MAX: usize = 16_384;

/// Aliases that lead to aliases: deeper than this is taken for a mistake.
pub const ALIAS_DEPTH_MAX: usize = 10;
/// Addresses that one alias may lead to, all steps counted; larger lists are work for a list manager.
pub const ALIAS_MEMBERS_MAX: usize = 1_000;
