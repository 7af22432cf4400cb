//! The runner on a real store, with next hops that do what the test says and a clock that jumps.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod admin;
mod crashes;
mod ends;
mod many;
mod place;
