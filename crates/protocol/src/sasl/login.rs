//! LOGIN (draft-murchison-sasl-login-00), never a standard and still what old mail programs and devices speak: the server
//! asks for the user name, then for the password.

use super::{Ask, Credentials, Dialogue, Grounds, Mechanism, Password, Progress, present};
use crate::misuse::Misuse;

#[derive(Debug)]
pub(super) struct Login;

impl Mechanism for Login {
    fn name(&self) -> &'static str {
        "LOGIN"
    }

    fn shows_password(&self) -> bool {
        true
    }

    fn start(&self, _: Grounds) -> Box<dyn Dialogue> {
        Box::new(Asking { login: None })
    }
}

/// Holds the user name, once it has come. What is wrong with it is said with what is wrong with the password.
#[derive(Debug)]
struct Asking {
    login: Option<Vec<u8>>,
}

impl Dialogue for Asking {
    fn open(&mut self) -> Progress {
        Progress::Challenge(b"Username:".to_vec())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        let Some(login) = self.login.take() else {
            self.login = Some(response.to_vec());
            return Ok(Progress::Challenge(b"Password:".to_vec()));
        };
        Ok(Progress::Ask(Ask::Password(Credentials {
            mechanism: Login.name(),
            authorization: String::new(),
            login: present(&login)?,
            password: Password(present(response)?),
        })))
    }
}
