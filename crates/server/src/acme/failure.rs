//! Why there is no certificate yet, and what the administrator can do.

use std::fmt;

use instant_acme::{Error, Problem};
use mail::printable;
use settings::Challenge;

/// What went wrong, and what helps. Text of the authority's has its control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) what: String,
    pub(crate) help: &'static str,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.help)
    }
}

impl Failure {
    pub(super) fn new(what: impl Into<String>, help: &'static str) -> Self {
        Self { what: what.into(), help }
    }

    /// The same, of one of several names.
    pub(super) fn of_name(self, name: &str) -> Self {
        Self { what: format!("{}: {}", printable(name), self.what), ..self }
    }

    /// The authority says no, or cannot be asked.
    pub(super) fn of(error: &Error, challenge: Challenge) -> Self {
        match error {
            Error::Api(problem) => Self::problem(problem, challenge),
            Error::Other(other) => Self::new(printable(other.to_string()), UNREACHABLE),
            other => Self::new(printable(other.to_string()), UNKNOWN),
        }
    }

    /// RFC 8555 §6.7.
    pub(super) fn problem(problem: &Problem, challenge: Challenge) -> Self {
        let kind = problem.r#type.as_deref().unwrap_or_default();
        let kind = kind.strip_prefix("urn:ietf:params:acme:error:").unwrap_or_default();
        let detail = problem.detail.as_deref().unwrap_or("the authority gives no reason");
        let mut what = format!("{} ({})", printable(detail), printable(kind));
        for part in problem.subproblems.iter().filter_map(|part| part.detail.as_deref()) {
            what.push_str("; ");
            what.push_str(&printable(part));
        }
        let help = match (HELP.iter().find(|(known, _)| *known == kind), challenge) {
            (Some((_, PROVE)), Challenge::TlsAlpn01) => PROVE_BY_TLS,
            (Some((_, help)), _) => help,
            (None, _) => UNKNOWN,
        };
        Self::new(what, help)
    }
}

const UNREACHABLE: &str =
    "see that this host reaches tls.acme.directory, and trusts whoever certifies it (tls.acme.authorities)";
const UNKNOWN: &str = "see what the authority says of it";
const PROVE: &str = "see that each of tls.acme.names leads to this host, and that its port 80 is open from outside and leads \
                     to tls.acme.bind";
const PROVE_BY_TLS: &str = "see that each of tls.acme.names leads to this host, and that its port 443 is open from outside and \
                            leads to a virtual server with implicit TLS";

/// What helps, by what the authority calls the problem.
const HELP: &[(&str, &str)] = &[
    ("connection", PROVE),
    ("dns", PROVE),
    ("incorrectResponse", PROVE),
    ("tls", PROVE),
    ("unauthorized", PROVE),
    ("caa", "a CAA record of the domain forbids this authority; change the record, or tls.acme.directory"),
    ("rateLimited", "wait: the authority has given enough certificates, or seen enough failures, for now"),
    (
        "rejectedIdentifier",
        "the authority gives no certificate for one of tls.acme.names; leave that name out",
    ),
    (
        "unsupportedIdentifier",
        "the authority gives no certificate for one of tls.acme.names; leave that name out",
    ),
    ("invalidContact", "set tls.acme.contact to an address that the authority can write to"),
    ("unsupportedContact", "set tls.acme.contact to an address that the authority can write to"),
    (
        "externalAccountRequired",
        "this authority wants an account made with it beforehand, which is not offered; choose another tls.acme.directory",
    ),
    ("userActionRequired", "the authority wants its terms agreed to anew; read what it says"),
    ("serverInternal", "the authority has troubles of its own; wait"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str) -> Problem {
        let json = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":{detail:?}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_failure_says_what_helps() {
        for (kind, challenge, helps) in [
            ("connection", Challenge::Http01, "port 80"),
            ("connection", Challenge::TlsAlpn01, "port 443"),
            ("caa", Challenge::Http01, "CAA record"),
            ("rateLimited", Challenge::Http01, "wait"),
            ("somethingNew", Challenge::Http01, "what the authority says"),
        ] {
            let failure = Failure::problem(&problem(kind, "Fetching failed"), challenge);
            assert_eq!(failure.what, format!("Fetching failed ({kind})"));
            assert!(failure.help.contains(helps), "{kind}: {failure}");
        }
    }

    #[test]
    fn an_authority_does_not_write_into_the_log() {
        let failure = Failure::problem(&problem("dns", "one\r\ntwo"), Challenge::Http01);
        assert!(!failure.what.contains(['\r', '\n']), "{failure}");
    }
}
