//! `docs/conformance.md` is what the transcripts say.

use super::{Finding, Tree};
use crate::rfc;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let page = rfc::page(tree.files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    if tree.files.get(rfc::PAGE).is_some_and(|there| *there == page) {
        return Vec::new();
    }
    vec![Finding::file(rfc::PAGE, "is stale: run `cargo xtask rfc`")]
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_transcript_that_is_not_in_the_table_is_found() {
        let transcript = ("tests/transcripts/smtp/a.txt", "# A.  RFC 5321 §3.1\n");
        let page = rfc::page([transcript].into_iter());
        assert_eq!(found(check, &Tree::of(&[transcript, (rfc::PAGE, &page)])), [""; 0]);
        let more = ("tests/transcripts/smtp/b.txt", "# B.  RFC 5321 §3.1\n");
        let stale = ["docs/conformance.md: is stale: run `cargo xtask rfc`"];
        assert_eq!(found(check, &Tree::of(&[transcript, more, (rfc::PAGE, &page)])), stale);
        assert_eq!(found(check, &Tree::of(&[transcript])), stale);
    }
}
