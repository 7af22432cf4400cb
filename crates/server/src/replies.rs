//! What a failure of ours, or a decision of the directory, is in each protocol. One match each.

use directory::{Directory, Origin, Password, Principal, Resolution, ScramHash, ScramKeys};
use mail::Reply;
use protocol::sasl::{Ask, Credentials, Proved, SignIn, Told};
use store::Error;

/// A failure of the store in SMTP. The detail is in the log.
pub(crate) fn failed(error: &Error) -> Reply {
    match error {
        Error::Unavailable(_) | Error::Corrupt(_) => unavailable(),
        // Something changed between RCPT and the commit, such as an account that was removed: the next try will know.
        Error::Conflict(_) => changed(),
        Error::Full(_) => Reply::new(452, (4, 3, 1), "no room for mail at this moment, try again later"),
    }
}

/// What was true at RCPT is not true any more.
pub(crate) fn changed() -> Reply {
    Reply::new(451, (4, 3, 0), "something changed meanwhile, try again")
}

/// We could not, for reasons of our own.
pub(crate) fn unavailable() -> Reply {
    Reply::new(451, (4, 3, 0), "mail cannot be stored at this moment, try again later")
}

/// VRFY and EXPN for somebody who signed in (RFC 5321 §3.5.3).
pub(crate) fn verified(resolved: Result<Resolution, Error>) -> Reply {
    match resolved {
        Ok(Resolution::Recipients(recipients)) => {
            let lines: Vec<_> =
                recipients.iter().map(|recipient| format!("<{}>", recipient.address)).collect();
            Reply::new(250, (2, 1, 5), lines.join("\n"))
        }
        Ok(Resolution::UnknownHere) => Reply::new(550, (5, 1, 1), "no such recipient here"),
        // RFC 5321 §3.5.3: 252 where whoever knows is another server.
        Ok(Resolution::HandedOn) => {
            Reply::new(252, (2, 1, 5), "another server keeps the mail of this domain")
        }
        Ok(Resolution::NotLocal) => Reply::new(551, (5, 1, 6), "not a recipient here"),
        Ok(Resolution::Unattended) => Reply::new(252, (2, 1, 5), "postmaster, whom nobody reads yet"),
        Err(error) => failed(&error),
    }
}

/// What the directory says to a step of a sign-in: for the session, and who it is if that has been settled.
pub(crate) async fn sign_in(directory: &Directory, origin: &Origin, ask: Ask) -> (Told, Option<Principal>) {
    let signed_in = match ask {
        Ask::Password(credentials) => directory.sign_in(asked(credentials), origin).await,
        Ask::Keys(wanted) => match directory.scram_keys(&wanted.login, hash(wanted.hash)).await {
            Ok(keys) => return (Told::Keys(told(keys)), None),
            Err(error) => directory::SignIn::Unavailable(error),
        },
        Ask::Proved(Proved { login, authorization, hash: by, keys, .. }) => {
            directory.proved(&login, &authorization, hash(by), &shown(keys)).await
        }
        // Nobody has a token, a certificate or a secret for these yet.
        Ask::Token(_) | Ask::Certificate(_) | Ask::Challenged(_) => directory::SignIn::Refused,
    };
    match signed_in {
        directory::SignIn::Accepted(principal) => {
            (SignIn::Accepted(principal.address.clone()).into(), Some(principal))
        }
        directory::SignIn::Refused => (SignIn::Refused.into(), None),
        directory::SignIn::Later => (SignIn::Unavailable.into(), None),
        directory::SignIn::Unavailable(error) => {
            tracing::warn!(%error, "a sign-in could not be decided");
            (SignIn::Unavailable.into(), None)
        }
    }
}

fn hash(asked: protocol::sasl::ScramHash) -> ScramHash {
    match asked {
        protocol::sasl::ScramHash::Sha256 => ScramHash::Sha256,
        protocol::sasl::ScramHash::Sha1 => ScramHash::Sha1,
    }
}

fn told(keys: ScramKeys) -> protocol::sasl::ScramKeys {
    let ScramKeys { salt, iterations, stored_key, server_key } = keys;
    protocol::sasl::ScramKeys { salt, iterations, stored_key, server_key }
}

fn shown(keys: protocol::sasl::ScramKeys) -> ScramKeys {
    let protocol::sasl::ScramKeys { salt, iterations, stored_key, server_key } = keys;
    ScramKeys { salt, iterations, stored_key, server_key }
}

fn asked(presented: Credentials) -> directory::Credentials {
    let Credentials { authorization, login, password, .. } = presented;
    directory::Credentials { login, authorization, password: Password(password.0) }
}
