//! The types of values: how each is written, read and printed.

mod domain_pattern;
mod name_server;
mod network;
mod next_hop;
mod pattern;
mod pause;
mod rate;
mod size;
mod time_span;
mod url;
mod words;

pub use domain_pattern::DomainPattern;
pub(crate) use name_server::{NameServer, Unicast};
pub use network::{Network, Networks};
pub(crate) use next_hop::Hop;
pub use next_hop::NextHop;
pub use pattern::Pattern;
pub(crate) use pause::{Notification, Pause};
pub use rate::Rate;

pub use size::Size;
pub use time_span::TimeSpan;
pub use url::Url;
pub use words::{
    Challenge, ClientCertificates, Hello, LogFormat, LogLevel, MaySendAs, Mechanism, NextProtocol,
    OutboundTls, Protocol, Reach, ServerState, Tls, TlsVersion,
};
pub(crate) use words::{Service, Switch, Word, word_of};

/// Why a text is no value of its type.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wrong {
    /// What is wrong, to follow the text itself: `is no size such as "50 MiB"`.
    pub problem: String,
    /// What was probably meant; empty if nothing comes near.
    pub suggestion: String,
}

impl Wrong {
    /// Wrong, and nothing comes near.
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), suggestion: String::new() }
    }

    /// Wrong, but this comes near.
    pub(crate) fn near(problem: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { problem: problem.into(), suggestion: suggestion.into() }
    }
}

/// A number and its unit: `50 MiB`, `50MiB`. Neither is checked further.
fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start_matches(' ')))
}
