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

/// Networks of which failures are remembered at a time, and logins, and networks that are known: some hundred octets each,
/// two megabytes each in all. Whoever has more networks than this to guess from is slowed down by the hashing alone.
pub const GATE_ENTRIES_MAX: usize = 16_384;
/// Networks that are banned at a time.
pub const BANS_MAX: usize = 8_192;
/// Networks of another size that an administrator banned: each is looked at for each connection.
pub const OTHER_BANS_MAX: usize = 256;
/// How long after a sign-in a network goes before strangers: people are on holiday for three weeks.
pub const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a reply waits that says "later": a client that asks again at once learns nothing more, and a flood of such
/// questions costs a reply each sixteen seconds and connection.
pub const LATER_WAITS: Duration = Duration::from_secs(16);

/// Sign-ins of one network that wait for their hash. Each takes a few hundred octets and some 30 ms of a processor.
pub const NETWORK_WAITS_MAX: usize = 64;
/// Sign-ins that wait for their hash: of strangers, and of networks that are known, each.
pub const WAITS_MAX: usize = 4_096;

/// Resolutions kept in memory, some hundred octets each. Anybody can ask for an address, so it must have an end.
pub const RESOLUTIONS_MAX: usize = 16_384;

/// Aliases that lead to aliases: deeper than this is taken for a mistake.
pub const ALIAS_DEPTH_MAX: usize = 10;
/// Addresses that one alias may lead to, all steps counted; larger lists are work for a list manager.
pub const ALIAS_MEMBERS_MAX: usize = 1_000;

/// App passwords of one account: all are looked at for each sign-in.
pub const APP_PASSWORDS_MAX: usize = 50;
/// That an app password was used is written once in so many milliseconds: an hour.
pub const APP_PASSWORD_USE_KEPT: i64 = 3600 * 1000;

/// How long what the issuer said to a token is remembered: a token that it takes back is good for no longer.
pub const TOKEN_REMEMBERED: Duration = Duration::from_secs(60);
/// Tokens to which the issuer's answer is remembered, some kilobytes each.
pub const TOKENS_REMEMBERED_MAX: usize = 4_096;
/// Questions to the issuer at a time: forged tokens must not become a flood there.
pub const INTROSPECTIONS_MAX: usize = 16;
/// How far the issuer's clock may be from ours, in seconds (RFC 7519 §4.1.4: "a few minutes" at most).
pub const TOKEN_LEEWAY_SECS: f64 = 60.0;
/// How often the issuer's keys are asked for at most, whatever names of keys tokens have.
pub const KEYS_ASKED_EVERY: Duration = Duration::from_secs(60);
/// How old its keys may be: one that it takes back is good for no longer.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(3600);
/// Keys of an issuer that are kept: it has two or three, while it changes them.
pub const KEYS_MAX: usize = 32;
