//! Files that the text names. Whether they are there is for whoever may look: nothing is opened here.

use std::path::PathBuf;

use crate::mistake::Mistake;
use crate::read::Found;

/// A file, and where the text names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// As it is written.
    pub path: PathBuf,
    /// Line of the text, from 1.
    pub line: usize,
    /// The section: `[delivery]`, `virtual-server "internet"`.
    pub place: String,
    /// The key: `certificate`, `password-file`.
    pub key: &'static str,
    /// What it must be.
    pub kind: FileKind,
    written: String,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A certificate chain, as PEM. Its key is the next file, unless the text leaves it out.
    Certificate,
    /// The private key of the certificate before it, as PEM.
    Key,
    /// A password to sign in elsewhere.
    Password,
    /// Authorities that are believed, as PEM.
    Authorities,
    /// DNSKEY records.
    TrustAnchors,
    /// A protocol log, which need not be there yet.
    ProtocolLog,
}

impl NamedFile {
    /// A mistake in what the file is; `problem` follows its name: `is not there`.
    pub fn mistake(&self, problem: &str) -> Mistake {
        Mistake {
            line: self.line,
            place: self.place.clone(),
            key: self.key.to_owned(),
            message: format!("{} = {} {problem}", self.key, self.written),
            suggestion: String::new(),
        }
    }

    pub(crate) fn new(found: &Found<PathBuf>, kind: FileKind) -> Self {
        let Found { value, line, place, key, written } = found.clone();
        Self { path: value, line, place, key, kind, written }
    }
}
