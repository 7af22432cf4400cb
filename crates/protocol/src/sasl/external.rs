//! EXTERNAL (RFC 4422 Appendix A): the client is who its TLS certificate says. It sends whom it wants to act as, or nothing.

use std::sync::Arc;

use super::{Ask, Dialogue, Grounds, Mechanism, Progress, text};
use crate::misuse::Misuse;
use crate::session::ClientCertificate;

/// A client that wants to be who its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Whom it wants to act as (authzid); empty means whose certificate it is.
    pub authorization: String,
    /// What it has shown in the handshake.
    pub certificate: Arc<ClientCertificate>,
    /// Whether the chain of that leads to an authority we trust; without, nothing that stands in it is true.
    pub verified: bool,
}

#[derive(Debug)]
pub(super) struct TheCertificate;

impl Mechanism for TheCertificate {
    fn name(&self) -> &'static str {
        "EXTERNAL"
    }

    fn needs(&self) -> super::Needs {
        super::Needs::Certificate
    }

    fn start(&self, grounds: Grounds) -> Box<dyn Dialogue> {
        Box::new(Run(grounds))
    }
}

#[derive(Debug)]
struct Run(Grounds);

impl Dialogue for Run {
    fn open(&mut self) -> Progress {
        Progress::Challenge(Vec::new())
    }

    fn respond(&mut self, response: &[u8]) -> Result<Progress, Misuse> {
        // It is not offered where there is none.
        let certificate = self.0.binding.certificate.clone().ok_or(Misuse::UnknownMechanism)?;
        let authorization = text(response)?;
        Ok(Progress::Ask(Ask::Certificate(External {
            authorization,
            certificate,
            verified: self.0.binding.certificate_verified,
        })))
    }
}
