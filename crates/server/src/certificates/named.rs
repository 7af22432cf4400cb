//! The certificates that the settings name, as files that somebody renews.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use settings::CertificateFiles;
use wire::tls::{Certificates, Error, Pem};

use crate::limits::PEM_OCTETS_MAX;

/// Files, what was in them when they were last good, and what was in them when they were last looked at.
pub(super) struct Named {
    files: Vec<CertificateFiles>,
    good: Vec<Pem>,
    seen: Seen,
}

/// What was seen last.
enum Seen {
    /// What is good.
    Good,
    /// Something else, once: who renews certificates may be between two files.
    Once(Fingerprint),
    /// Something that cannot be used; it has been told.
    Told(Fingerprint),
}

/// What was found, or why nothing.
#[derive(PartialEq, Eq)]
enum Fingerprint {
    Pems(Vec<Pem>),
    Unreadable(String),
}

/// What has become of them.
pub(super) enum Looked {
    Same,
    Renewed,
    /// Told once, and only if it is so at the next look, too.
    Unusable(anyhow::Error),
}

impl Named {
    /// Reads them.
    ///
    /// # Errors
    /// The first that cannot be used, by name.
    pub(super) fn new(files: Vec<CertificateFiles>) -> Result<Self> {
        let good = read(&files)?;
        check(&files, &good)?;
        Ok(Self { files, good, seen: Seen::Good })
    }

    pub(super) fn files(&self) -> &[CertificateFiles] {
        &self.files
    }

    pub(super) fn pems(&self) -> &[Pem] {
        &self.good
    }

    /// Takes what was found now, if it can be used. True if it is something new.
    ///
    /// # Errors
    /// As [`new`](Self::new); the ones before stay.
    pub(super) fn take(&mut self, found: Vec<Pem>) -> Result<bool> {
        check(&self.files, &found)?;
        let changed = found != self.good;
        (self.good, self.seen) = (found, Seen::Good);
        Ok(changed)
    }

    /// The same for a look that nobody asked for.
    pub(super) fn look(&mut self, found: Result<Vec<Pem>>) -> Looked {
        let (fingerprint, error) = match found {
            Ok(found) => match self.take(found.clone()) {
                Ok(true) => return Looked::Renewed,
                Ok(false) => return Looked::Same,
                Err(error) => (Fingerprint::Pems(found), error),
            },
            Err(error) => (Fingerprint::Unreadable(format!("{error:#}")), error),
        };
        self.unusable(fingerprint, error)
    }

    fn unusable(&mut self, now: Fingerprint, error: anyhow::Error) -> Looked {
        let (seen, looked) = match &self.seen {
            Seen::Once(before) if *before == now => (Seen::Told(now), Looked::Unusable(error)),
            Seen::Told(before) if *before == now => (Seen::Told(now), Looked::Same),
            _ => (Seen::Once(now), Looked::Same),
        };
        self.seen = seen;
        looked
    }
}

/// Reads each pair.
///
/// # Errors
/// The first file that cannot be read, by name.
pub(super) fn read(files: &[CertificateFiles]) -> Result<Vec<Pem>> {
    let pem = |files: &CertificateFiles| {
        Ok(Pem { chain: read_file(&files.certificate)?, key: read_file(&files.key)? })
    };
    files.iter().map(pem).collect()
}

/// Reads each file.
///
/// # Errors
/// As [`read`].
pub(super) fn read_all(files: &[PathBuf]) -> Result<Vec<Vec<u8>>> {
    files.iter().map(|file| read_file(file)).collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", path.display());
    let mut octets = Vec::new();
    let file = File::open(path).with_context(cannot)?;
    file.take(PEM_OCTETS_MAX + 1).read_to_end(&mut octets).with_context(cannot)?;
    if octets.len() as u64 > PEM_OCTETS_MAX {
        bail!("{} is too long for certificates", path.display());
    }
    Ok(octets)
}

/// Whether they can be shown: each key belongs to its certificate.
fn check(files: &[CertificateFiles], pems: &[Pem]) -> Result<()> {
    if pems.is_empty() {
        return Ok(());
    }
    let Err(error) = Certificates::new(pems) else { return Ok(()) };
    let index = match &error {
        Error::Chain { index } | Error::Key { index } | Error::Refused { index, .. } => *index,
        _ => return Err(error.into()),
    };
    let CertificateFiles { certificate, key } = &files[index];
    Err(match error {
        Error::Chain { .. } => anyhow::anyhow!("{} has no certificate in PEM form", certificate.display()),
        Error::Key { .. } => anyhow::anyhow!("{} is no private key in PEM form", key.display()),
        Error::Refused { reason, .. } => anyhow::Error::new(reason).context(format!(
            "{} with the key {} cannot be used",
            certificate.display(),
            key.display()
        )),
        other => other.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(directory: &Path) -> Vec<CertificateFiles> {
        vec![CertificateFiles { certificate: directory.join("mx.pem"), key: directory.join("mx.key") }]
    }

    fn write(directory: &Path, pem: &Pem) {
        crate::files::write_private(&directory.join("mx.pem"), &pem.chain).unwrap();
        crate::files::write_private(&directory.join("mx.key"), &pem.key).unwrap();
    }

    fn pem() -> Pem {
        let made = crate::certificate::make(&["mx.example.org".into()], &[]).unwrap();
        Pem { chain: made.chain.into_bytes(), key: made.key.into_bytes() }
    }

    fn look(named: &mut Named) -> &'static str {
        match named.look(read(&named.files)) {
            Looked::Same => "same",
            Looked::Renewed => "renewed",
            Looked::Unusable(_) => "unusable",
        }
    }

    #[test]
    fn a_new_pair_is_taken_and_a_wrong_one_is_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (pem(), pem());
        write(directory.path(), &old);
        let mut named = Named::new(files(directory.path())).unwrap();
        assert_eq!(look(&mut named), "same");
        write(directory.path(), &Pem { chain: new.chain.clone(), key: old.key.clone() });
        // It may be half of a change.
        assert_eq!([look(&mut named), look(&mut named), look(&mut named)], ["same", "unusable", "same"]);
        assert!(named.pems() == [old.clone()]);
        write(directory.path(), &new);
        assert_eq!([look(&mut named), look(&mut named)], ["renewed", "same"]);
        assert!(named.pems() == [new.clone()]);
        std::fs::remove_file(directory.path().join("mx.key")).unwrap();
        assert_eq!([look(&mut named), look(&mut named), look(&mut named)], ["same", "unusable", "same"]);
        write(directory.path(), &new);
        assert_eq!(look(&mut named), "same");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (pem(), pem());
        for (pem, says) in [
            (
                Pem { chain: b"nonsense".to_vec(), key: one.key.clone() },
                "mx.pem has no certificate in PEM form",
            ),
            (
                Pem { chain: one.chain.clone(), key: b"nonsense".to_vec() },
                "mx.key is no private key in PEM form",
            ),
            (Pem { chain: one.chain.clone(), key: other.key.clone() }, "cannot be used"),
            (Pem { chain: vec![b'x'; PEM_OCTETS_MAX as usize + 1], key: other.key.clone() }, "too long"),
        ] {
            write(directory.path(), &pem);
            let error = Named::new(files(directory.path())).err().unwrap();
            assert!(format!("{error:#}").contains(says), "{error:#}");
        }
        let missing = Named::new(files(&directory.path().join("none"))).err().unwrap();
        assert!(format!("{missing:#}").contains("mx.pem"), "{missing:#}");
    }
}
