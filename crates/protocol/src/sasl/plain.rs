//! PLAIN (RFC 4616): authorization identity, NUL, authentication identity, NUL, password.

use super::{Ask, Credentials, Dialogue, Grounds, Mechanism, Password, Progress, present, text};
use crate::misuse::Misuse;

#[derive(Debug)]
pub(super) struct Plain;

impl Mechanism for Plain {
    fn name(&self) -> &'static str {
        "PLAIN"
    }

    fn shows_password(&self) -> bool {
        true
    }

    fn start(&self, _: Grounds) -> Box<dyn Dialogue> {
        Box::new(Self)
    }
}

impl Dialogue for Plain {
    fn open(&mut self) -> Progress {
        Progress::Challenge(Vec::new())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        let mut fields = response.split(|&octet| octet == 0);
        let (Some(authorization), Some(login), Some(password), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(Misuse::SaslMalformed);
        };
        // RFC 4616 §2: authcid and passwd have one character or more; authzid may be missing.
        Ok(Progress::Ask(Ask::Password(Credentials {
            mechanism: self.name(),
            authorization: text(authorization)?,
            login: present(login)?,
            password: Password(present(password)?),
        })))
    }
}
