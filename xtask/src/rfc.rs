//! `cargo xtask rfc`: which clause of which RFC is shown by which transcript, from their head comments, as
//! `docs/conformance.md`. `cargo xtask tidy` says when that page is stale.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Where the table is.
pub(crate) const PAGE: &str = "docs/conformance.md";

/// Where the transcripts are, each in the folder of its protocol.
const TRANSCRIPTS: &str = "tests/transcripts/";

/// Clauses that hold a MUST, for the RFCs that we keep first of all.
const MUSTS: &str = include_str!("rfc/musts.txt");

const HEAD: &str = "# Which clause is shown by which transcript

Made by `cargo xtask rfc` from the head comments of `tests/transcripts`; each transcript is played in memory, cut at every byte, and against the binary.
A clause without a number is the whole RFC. Under each table stand the clauses that hold a MUST or SHALL and that no transcript names: some bind clients or
gateways only, some are shown by tests of another kind, some are not shown.
";

/// Writes the page.
pub(crate) fn run() -> Result<()> {
    let root = crate::root();
    let mut transcripts = BTreeMap::new();
    for folder in fs::read_dir(root.join(TRANSCRIPTS))?.flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(folder.path())? {
            let path = file?.path();
            let relative = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            transcripts.insert(relative, fs::read_to_string(&path)?);
        }
    }
    let page = page(transcripts.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    write(&root.join(PAGE), &page).context(PAGE)
}

#[expect(clippy::disallowed_methods, reason = "a page that can be made again needs no sync")]
fn write(file: &Path, text: &str) -> Result<()> {
    Ok(fs::write(file, text)?)
}

/// The page, made from these files by their paths; those that are no transcripts are passed over.
pub(crate) fn page<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut shown: BTreeMap<u32, BTreeMap<Clause, BTreeSet<String>>> = BTreeMap::new();
    for (path, text) in files {
        let Some(name) = path.strip_prefix(TRANSCRIPTS).and_then(|name| name.strip_suffix(".txt")) else {
            continue;
        };
        for (rfc, clause) in clauses(&head(text)) {
            shown.entry(rfc).or_default().entry(clause).or_default().insert(name.to_owned());
        }
    }
    let musts = musts();
    let mut page = HEAD.to_owned();
    let all: BTreeSet<u32> = shown.keys().chain(musts.keys()).copied().collect();
    for rfc in all {
        let empty = BTreeMap::new();
        section(&mut page, rfc, musts.get(&rfc), shown.get(&rfc).unwrap_or(&empty));
    }
    page
}

fn section(page: &mut String, rfc: u32, musts: Option<&Musts>, shown: &BTreeMap<Clause, BTreeSet<String>>) {
    let title = musts.map_or("", |musts| musts.title);
    let heading = format!("\n## RFC {rfc} {title}");
    let _ = writeln!(page, "{}\n", heading.trim_end());
    if !shown.is_empty() {
        page.push_str("| clause | transcripts |\n|---|---|\n");
    }
    for (clause, names) in shown {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let _ = writeln!(page, "| {clause} | {} |", names.join(", "));
    }
    let missing: Vec<String> = musts.map_or(Vec::new(), |musts| {
        let missing = musts.clauses.iter().filter(|must| !shown.keys().any(|clause| clause.is_within(must)));
        missing.map(ToString::to_string).collect()
    });
    if !missing.is_empty() {
        let gap = if shown.is_empty() { "" } else { "\n" };
        let _ = writeln!(page, "{gap}With a MUST and no transcript: {}", missing.join(", "));
    }
}

/// A section, such as `4.1.1`; in its order. `appendix C` is the letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Clause(Vec<(u32, String)>);

impl Clause {
    fn parse(text: &str) -> Self {
        let parts = text.split('.').filter(|part| !part.is_empty());
        Self(parts.map(|part| (part.parse().unwrap_or(u32::MAX), part.to_owned())).collect())
    }

    /// Whether it is that clause or one below it.
    fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// `4.1.5 to 4.1.9`: the clauses after the first, up to the last.
    fn up_to(&self, last: &Self) -> Vec<Self> {
        let (Some(((from, _), above)), Some((to, _))) = (self.0.split_last(), last.0.last()) else {
            return Vec::new();
        };
        if last.0.len() != self.0.len() || *to == u32::MAX {
            return vec![last.clone()];
        }
        let clause = |number: u32| Self([above, &[(number, number.to_string())]].concat());
        (from.saturating_add(1)..=*to).map(clause).collect()
    }
}

impl std::fmt::Display for Clause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts: Vec<&str> = self.0.iter().map(|(_, part)| part.as_str()).collect();
        if parts.is_empty() { Ok(()) } else { write!(f, "§{}", parts.join(".")) }
    }
}

struct Musts {
    title: &'static str,
    clauses: Vec<Clause>,
}

fn musts() -> BTreeMap<u32, Musts> {
    let lines = MUSTS.lines().filter(|line| !line.starts_with('#'));
    let read = lines.filter_map(|line| {
        let (number, rest) = line.split_once(' ')?;
        let (title, clauses) = rest.split_once(':')?;
        Some((
            number.parse().ok()?,
            Musts { title, clauses: clauses.split_whitespace().map(Clause::parse).collect() },
        ))
    });
    read.collect()
}

/// The comments before the first line that is none, as one text.
fn head(text: &str) -> String {
    let comments = text.lines().map_while(|line| line.strip_prefix('#'));
    comments.filter(|line| !line.trim_start().starts_with("misuse:")).collect::<Vec<_>>().join(" ")
}

/// `RFC 5321 §4.1.1.5 to §4.1.1.7, §7.3; RFC 7888, appendix C`.
fn clauses(text: &str) -> Vec<(u32, Clause)> {
    let mut found = Vec::new();
    for cited in text.split("RFC ").skip(1) {
        let digits = cited.bytes().take_while(u8::is_ascii_digit).count();
        let Ok(rfc) = cited[..digits].parse::<u32>() else { continue };
        let named = sections(&cited[digits..]);
        if named.is_empty() {
            found.push((rfc, Clause(Vec::new())));
        }
        found.extend(named.into_iter().map(|clause| (rfc, clause)));
    }
    found
}

fn sections(text: &str) -> Vec<Clause> {
    let marked = text.replace("appendix ", "§").replace("Appendix ", "§");
    let mut found: Vec<Clause> = Vec::new();
    let mut to = false;
    for (index, piece) in marked.split('§').enumerate() {
        if index > 0 {
            let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(piece.len());
            let clause = Clause::parse(piece[..end].trim_end_matches('.'));
            match found.last().filter(|_| to).cloned() {
                Some(first) => found.extend(first.up_to(&clause)),
                None => found.push(clause),
            }
        }
        to = piece.trim_end().ends_with(" to");
    }
    found.retain(|clause| !clause.0.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<String> =
            clauses(text).iter().map(|(rfc, clause)| format!("{rfc} {clause}")).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn clauses_are_read_as_people_write_them() {
        check(
            "RFC 5321 §3.5.3, §4.1.1.5 to §4.1.1.7, §7.3",
            &["5321 §3.5.3", "5321 §4.1.1.5", "5321 §4.1.1.6", "5321 §4.1.1.7", "5321 §7.3"],
        );
        check("A thing.  RFC 3501 §6.2.3, §4.3; RFC 7888 §3", &["3501 §6.2.3", "3501 §4.3", "7888 §3"]);
        check("RFC 7888, RFC 2920 §3.2 (3), appendix C.", &["7888 ", "2920 §3.2", "2920 §C"]);
        check("nothing", &[]);
    }

    #[test]
    fn the_page_has_what_is_shown_and_what_is_not() {
        let files = [
            ("tests/transcripts/smtp/b.txt", "# B.  RFC 6531 §3.1\n# misuse: X\nS: 220 RFC 1\n"),
            ("tests/transcripts/smtp/a.txt", "# A.\n# RFC 6531 §3.1, §3.7.4.2, §3.10\nS: 220\n"),
            ("docs/other.txt", "# RFC 6531 §3.2\n"),
        ];
        let page = page(files.into_iter());
        let at = page.find("## RFC 6531").unwrap();
        let expected = "## RFC 6531 SMTP internationalized email\n\n| clause | transcripts |\n|---|---|\n\
            | §3.1 | smtp/a, smtp/b |\n| §3.7.4.2 | smtp/a |\n| §3.10 | smtp/a |\n\n\
            With a MUST and no transcript: §3.2, §3.3, §3.4, §3.5, §3.7.1, §3.7.4.1\n";
        assert_eq!(&page[at..at + expected.len()], expected);
    }
}
