//! Every way in which a peer can misbehave is shown by a transcript, in its `# misuse:` comment.

use std::collections::BTreeSet;

use super::{Finding, Tree, lines_where};

const LIST: &str = "crates/protocol/src/misuse.rs";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let variants: Vec<(usize, &str)> = tree.files.get(LIST).map(|text| variants(text)).unwrap_or_default();
    if variants.is_empty() {
        return vec![Finding::file(LIST, "there is no `misuses! { ... }` with variants")];
    }
    let known: BTreeSet<&str> = variants.iter().map(|(_, name)| *name).collect();
    let mut shown = BTreeSet::new();
    let mut findings = Vec::new();
    for (path, text) in tree.files.iter().filter(|(path, _)| is_transcript(path)) {
        for (line, names) in
            text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, line.strip_prefix("# misuse:")?)))
        {
            for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
                if !known.contains(name) {
                    findings.push(Finding::line(path, line, format!("`{name}` is no variant of `Misuse`")));
                }
                shown.insert(name);
            }
        }
    }
    let missing = variants.into_iter().filter(|(_, name)| !shown.contains(name));
    findings.extend(
        missing.map(|(line, name)| Finding::line(LIST, line, format!("no transcript shows `{name}`"))),
    );
    findings
}

fn is_transcript(path: &str) -> bool {
    path.starts_with("tests/transcripts/") && path.ends_with(".txt")
}

/// The names in `misuses! { ... }`, with their lines.
fn variants(text: &str) -> Vec<(usize, &str)> {
    let Some(start) = text.lines().position(|line| line.starts_with("misuses! {")) else { return Vec::new() };
    let end =
        text.lines().skip(start).position(|line| line == "}").map_or(usize::MAX, |length| start + length);
    let is_name = |line: &str| {
        line.trim().strip_suffix(',').is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_uppercase())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    };
    let inside = lines_where(text, is_name).filter(|(line, _)| (start..=end).contains(line));
    inside.map(|(line, text)| (line, text.trim().trim_end_matches(','))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const MISUSES: &str = "misuses! {\n    // Lines.\n    /// One,\n    BareLineFeed,\n    /// Two.\n    NulOctet,\n}\nOther,\n";

    #[test]
    fn a_misuse_without_a_transcript_is_found() {
        let shown = "# A title.\n# misuse: BareLineFeed, NoSuchThing\nC: x\n";
        let tree = Tree::of(&[
            (LIST, MISUSES),
            ("tests/transcripts/smtp/a.txt", shown),
            ("tests/transcripts/README.md", "# misuse: NulOctet"),
        ]);
        let expected = [
            "tests/transcripts/smtp/a.txt:2: `NoSuchThing` is no variant of `Misuse`",
            "crates/protocol/src/misuse.rs:6: no transcript shows `NulOctet`",
        ];
        assert_eq!(found(check, &tree), expected);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_found() {
        assert_eq!(check(&Tree::of(&[(LIST, "enum Misuse {}")])).len(), 1);
    }
}
