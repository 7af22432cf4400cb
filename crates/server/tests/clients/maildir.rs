//! A Maildir as synchronisers keep it: files in `new` and `cur`, flags in their names.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One message in a Maildir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) file: PathBuf,
    /// Of `DFRST`, in this order.
    pub(crate) flags: String,
    /// As it travels: lines end with CRLF.
    pub(crate) content: Vec<u8>,
}

/// The messages of a Maildir by the number N of `,U=N`, which both synchronisers write into the names.
pub(crate) fn read(directory: &Path) -> BTreeMap<u32, Kept> {
    let mut all = BTreeMap::new();
    for folder in ["new", "cur"] {
        for entry in fs::read_dir(directory.join(folder)).unwrap() {
            let file = entry.unwrap().path();
            let kept = Kept { flags: flags(&file), content: content(&file), file };
            let number =
                number(&kept.file).unwrap_or_else(|| panic!("{} has no number", kept.file.display()));
            assert!(all.insert(number, kept).is_none(), "{number} is there twice");
        }
    }
    all
}

/// Names and contents, to see whether anything was touched.
pub(crate) fn listing(directory: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let files = ["new", "cur"].map(|folder| fs::read_dir(directory.join(folder)).unwrap());
    let mut all: Vec<_> = files
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect();
    all.sort();
    all
}

/// Makes an empty Maildir.
pub(crate) fn make(directory: &Path) {
    for folder in ["new", "cur", "tmp"] {
        fs::create_dir_all(directory.join(folder)).unwrap();
    }
}

/// Puts a message there, as a mail program would.
#[expect(clippy::disallowed_methods, reason = "files for another program, which are lost with the test")]
pub(crate) fn put(directory: &Path, name: &str, flags: &str, content: &[u8]) {
    let text: Vec<u8> = String::from_utf8_lossy(content).replace("\r\n", "\n").into_bytes();
    fs::write(directory.join("cur").join(format!("{name}:2,{flags}")), text).unwrap();
}

/// Changes the flags of a message.
pub(crate) fn set_flags(directory: &Path, kept: &Kept, flags: &str) {
    let name = kept.file.file_name().unwrap().to_str().unwrap();
    let base = name.split(":2,").next().unwrap();
    fs::rename(&kept.file, directory.join("cur").join(format!("{base}:2,{flags}"))).unwrap();
}

/// Removes a message.
pub(crate) fn remove(kept: &Kept) {
    fs::remove_file(&kept.file).unwrap();
}

fn flags(file: &Path) -> String {
    let name = file.file_name().unwrap().to_str().unwrap();
    let mut flags: Vec<char> = name.split_once(":2,").map_or("", |(_, flags)| flags).chars().collect();
    flags.retain(|flag| "DFRST".contains(*flag));
    flags.sort_unstable();
    flags.into_iter().collect()
}

fn number(file: &Path) -> Option<u32> {
    let (_, rest) = file.file_name()?.to_str()?.split_once(",U=")?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn content(file: &Path) -> Vec<u8> {
    let text = fs::read(file).unwrap();
    let mut content = Vec::with_capacity(text.len() + 80);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => content.extend([line.strip_suffix(b"\r").unwrap_or(line), b"\r\n"].concat()),
            None => content.extend_from_slice(line),
        }
    }
    content
}

/// IMAP's system flags as a Maildir's letters.
pub(crate) fn letters(flags: &[String]) -> String {
    const LETTERS: [(&str, char); 5] =
        [("\\Draft", 'D'), ("\\Flagged", 'F'), ("\\Answered", 'R'), ("\\Seen", 'S'), ("\\Deleted", 'T')];
    LETTERS
        .iter()
        .filter(|(name, _)| flags.iter().any(|flag| flag == name))
        .map(|(_, letter)| letter)
        .collect()
}
