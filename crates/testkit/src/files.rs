//! Where transcripts and sample mail lie.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::transcript::{Protocol, Transcript};

/// A transcript's file, read.
#[derive(Debug, Clone)]
pub struct File {
    /// Folder and name without ending: `smtp/unknown-recipient`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// What its folder says.
    pub protocol: Protocol,
    /// Its steps, or a sentence that says why there are none.
    pub transcript: Result<Transcript, String>,
}

/// The folder `tests` of the checkout.
pub fn tests_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests")
}

/// Every transcript under `tests/transcripts` that a server can play ([`Protocol::ALL`]), sorted by name.
pub fn transcripts() -> io::Result<Vec<File>> {
    transcripts_of(&Protocol::ALL)
}

/// Every transcript of these protocols, sorted by name.
pub fn transcripts_of(protocols: &[Protocol]) -> io::Result<Vec<File>> {
    let mut files = Vec::new();
    for protocol in protocols {
        let folder = tests_folder().join("transcripts").join(protocol.name());
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "txt") {
                files.push(read(&path)?);
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Reads one; the name of its folder is its protocol.
pub fn read(path: &Path) -> io::Result<File> {
    let text = fs::read_to_string(path)?;
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let stem = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let protocol = Protocol::named(folder).ok_or_else(|| {
        io::Error::other(format!("`{folder}`: a transcript lies in the folder of its protocol"))
    })?;
    let transcript = Transcript::parse(&text).map_err(|error| format!("{}: {error}", path.display()));
    Ok(File { name: format!("{folder}/{stem}"), path: path.into(), protocol, transcript })
}

/// The sample mail `tests/mail/FILE`; every line ends with CRLF, but the last one only if it ends at all.
pub fn mail(file: &str) -> io::Result<Vec<u8>> {
    let path = tests_folder().join("mail").join(file);
    let raw = fs::read(&path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    Ok(with_crlf(&raw))
}

fn with_crlf(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len() + raw.len() / 32);
    for line in raw.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
                text.extend_from_slice(b"\r\n");
            }
            None => text.extend_from_slice(line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_become_crlf() {
        for (raw, expected) in
            [("", ""), ("a\nb", "a\r\nb"), ("a\r\nb\n", "a\r\nb\r\n"), ("\n\n", "\r\n\r\n")]
        {
            assert_eq!(with_crlf(raw.as_bytes()), expected.as_bytes());
        }
    }
}
