//! What a failure of ours, or a decision of the directory, is in each protocol. One match each.

use directory::{
    Answer, Directory, Fingerprint, Needed, Origin, Password, Presented, Principal, Resolution, ScramHash,
    ScramKeys, Shown,
};
use mail::Reply;
use protocol::sasl::{
    Ask, Challenged, Credentials, Discovery, External, KeysWanted, Proved, SignIn, Token, Told,
};
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
        Ask::Keys(wanted) => match keys(directory, origin, wanted).await {
            Ok(keys) => return (Told::Keys(keys), None),
            Err(refused) => refused,
        },
        Ask::Proved(proved) => self::proved(directory, origin, proved).await,
        Ask::Disproved(login) => directory.disproved(&login, origin).await,
        Ask::Token(token) => match directory.token(presented(token), origin).await {
            directory::SignIn::Refused => {
                return (Told::TokenRefused(discovery(directory.token_needed())), None);
            }
            other => other,
        },
        Ask::Certificate(external) => directory.shown(certificate(external), origin).await,
        Ask::Challenged(challenged) => directory.answered(answer(challenged), origin).await,
    };
    settled(signed_in)
}

fn settled(signed_in: directory::SignIn) -> (Told, Option<Principal>) {
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

/// The keys of SCRAM, if the door lets it in: how it goes on is told by `Proved` or `Disproved`.
async fn keys(
    directory: &Directory,
    origin: &Origin,
    wanted: KeysWanted,
) -> Result<protocol::sasl::ScramKeys, directory::SignIn> {
    if directory.admit(origin, &wanted.login).await.is_err() {
        return Err(directory::SignIn::Later);
    }
    let keys = directory.scram_keys(&wanted.login, hash(wanted.hash)).await;
    keys.map(told).map_err(directory::SignIn::Unavailable)
}

async fn proved(directory: &Directory, origin: &Origin, proved: Proved) -> directory::SignIn {
    let Proved { login, authorization, hash: by, keys, .. } = proved;
    let signed_in = directory.proved(&login, &authorization, hash(by), &shown(keys)).await;
    match &signed_in {
        directory::SignIn::Accepted(_) => directory.settle(origin, &login, true).await,
        directory::SignIn::Refused => directory.settle(origin, &login, false).await,
        directory::SignIn::Later | directory::SignIn::Unavailable(_) => {}
    }
    signed_in
}

fn presented(token: Token) -> Presented {
    Presented { authorization: token.authorization, token: token.token.0 }
}

fn discovery(needed: Needed) -> Discovery {
    Discovery { scope: needed.scope, openid_configuration: needed.openid_configuration }
}

fn certificate(external: External) -> Shown {
    let External { authorization, certificate, verified } = external;
    // Who has issued it to himself can write any name into it.
    let names = if verified { certificate.names.clone() } else { Vec::new() };
    Shown { fingerprint: Fingerprint(certificate.der_sha256), names, authorization }
}

fn answer(challenged: Challenged) -> Answer {
    let Challenged { login, challenge, digest } = challenged;
    Answer { login, challenge, digest }
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
