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

#[cfg(test)]
mod tests {
    use super::super::{Binding, Channel, Exchange, Offer, Seed, Stop};
    use super::*;
    use crate::session::TlsFacts;

    fn facts(verified: bool) -> TlsFacts {
        let certificate = ClientCertificate { der_sha256: [7; 32], ..ClientCertificate::default() };
        TlsFacts { certificate: Some(Arc::new(certificate)), verified, ..TlsFacts::default() }
    }

    #[test]
    fn the_certificate_is_the_one_of_the_handshake() {
        for (initial, verified, authorization) in [("=", true, ""), ("Ym9i", false, "bob")] {
            let mut channel = Channel::new(Seed([1; 32]));
            channel.secured(&facts(verified));
            let offer = Offer::ALL.over(Some(&facts(verified)));
            let binding = channel.binding("mx.example");
            let (_, progress) =
                Exchange::begin(b"external", Some(initial.as_bytes()), offer, binding).unwrap();
            let Progress::Ask(Ask::Certificate(asked)) = progress else { panic!("{progress:?}") };
            assert_eq!((asked.authorization.as_str(), asked.verified), (authorization, verified));
            assert_eq!(asked.certificate.der_sha256, [7; 32]);
        }
    }

    #[test]
    fn what_is_no_name() {
        let begin = |initial: &[u8]| {
            let mut channel = Channel::new(Seed([1; 32]));
            channel.secured(&facts(true));
            Exchange::begin(b"EXTERNAL", Some(initial), Offer::ALL, channel.binding("mx.example"))
                .unwrap_err()
        };
        // "b\0b", and an octet that is no UTF-8.
        assert_eq!(begin(b"YgBi"), Stop::Misuse(Misuse::SaslMalformed));
        assert_eq!(begin(b"/w=="), Stop::Misuse(Misuse::SaslMalformed));
    }

    #[test]
    fn without_a_certificate_it_is_not_there() {
        for tls in [None, Some(&TlsFacts::default())] {
            assert!(Offer::ALL.over(tls).mechanisms().all(|mechanism| mechanism.name() != "EXTERNAL"));
        }
        let begun = Exchange::begin(b"EXTERNAL", Some(b"="), Offer::ALL, Binding::default());
        assert_eq!(begun.unwrap_err(), Stop::Misuse(Misuse::UnknownMechanism));
    }
}
