//! ETRN: what its outcome is in replies (RFC 1985 §5.1).

use mail::{Domain, Reply};
use queue::Etrn;

/// RFC 1985 §5.3: `@domain` and `#queue` are what a server may have. Here a client releases the mail of domains that are held
/// for it by name, and no other (§8).
pub(super) fn only_domains() -> Reply {
    Reply::new(459, (4, 7, 1), "only the mail of one domain, by its name, can be asked for")
}

pub(super) fn released(domain: &Domain, outcome: Result<Etrn, store::Error>) -> Reply {
    match outcome {
        Ok(Etrn::Started(messages)) => {
            Reply::new(253, (2, 0, 0), format!("OK, {messages} pending messages for node {domain} started"))
        }
        Ok(Etrn::Nothing) => Reply::new(251, (2, 0, 0), format!("OK, no messages waiting for node {domain}")),
        Ok(Etrn::NotAllowed) => {
            Reply::new(459, (4, 7, 1), format!("node {domain} not allowed: its mail is not held for you"))
        }
        Err(error) => {
            tracing::warn!(%domain, %error, "ETRN could not be obeyed");
            Reply::new(458, (4, 3, 0), format!("unable to queue messages for node {domain}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_its_code() {
        let domain = Domain::parse("uu.example").unwrap();
        for (outcome, code) in [
            (Ok(Etrn::Started(2)), 253),
            (Ok(Etrn::Nothing), 251),
            (Ok(Etrn::NotAllowed), 459),
            (Err(store::Error::Unavailable(String::new())), 458),
        ] {
            assert_eq!(released(&domain, outcome).code, code);
        }
    }
}
