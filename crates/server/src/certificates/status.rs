//! What the administrator is told of the certificates.

use admin::{AcmeRow, CertificateRow};

use super::{Keeper, renewal};
use crate::acme;

impl Keeper {
    /// Those that are shown, in the order in which they are chosen from.
    pub(crate) fn rows(&self) -> Vec<CertificateRow> {
        let row = |shown: wire::tls::Shown| CertificateRow {
            names: shown.names,
            issuer: shown.issuer,
            until: shown.until,
        };
        self.answers.tls.shown().into_iter().map(row).collect()
    }

    /// How it stands with ACME, where that is asked for.
    pub(crate) fn acme_row(&self) -> Option<AcmeRow> {
        let state = self.state();
        let acme = state.acme.as_ref()?;
        Some(AcmeRow {
            names: acme.names.iter().map(|name| name.as_str().to_owned()).collect(),
            directory: acme.directory.as_str().to_owned(),
            next: acme::due(renewal(acme, state.ordered.as_ref()), state.attempts),
            problem: state.failure.as_ref().map(ToString::to_string),
        })
    }
}
