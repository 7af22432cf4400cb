//! Load: clients of the protocols, and a sink that mail is relayed to. All of it runs in one process beside the server.

pub mod connection;
pub mod imap;
pub mod latency;
pub mod message;
pub mod pop3;
pub mod sink;
pub mod source;

/// `user{}@bench.test` with a number in it.
pub fn numbered(pattern: &str, number: u64) -> String {
    pattern.replace("{}", &number.to_string())
}
