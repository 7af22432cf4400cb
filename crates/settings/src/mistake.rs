//! A mistake in the settings text: where, what, and what was probably meant.

use std::fmt;

/// One mistake. Several are told at once, in the order of their lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Line of the text, from 1.
    pub line: usize,
    /// The section: `virtual-server "internet"`, `[journal]`; empty at the top.
    pub place: String,
    /// The key; empty where none is concerned.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// What was probably meant; empty if nothing comes near.
    pub suggestion: String,
}

/// `17: virtual-server "internet": unknown key ...; did you mean ...?`, ready to follow a file name and a colon.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)?;
        if !self.suggestion.is_empty() {
            write!(f, "; did you mean `{}`?", self.suggestion)?;
        }
        Ok(())
    }
}

/// The word that comes nearest, if any is near: at most a third of its letters differ (and one always may), or it goes on
/// where the other ends (`password-file` for `password`).
pub(crate) fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let by_distance = among.clone().into_iter().map(|candidate| (distance(word, candidate), candidate));
    let near = by_distance.filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1)).min();
    let goes_on = |candidate: &&str| candidate.strip_prefix(word).is_some_and(|rest| rest.starts_with('-'));
    near.map(|(_, candidate)| candidate).or_else(|| among.into_iter().find(goes_on))
}

/// Levenshtein's distance with exchanged neighbours counted once (optimal string alignment), by characters.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("tls", "tsl", 1),
            ("conections", "connections", 1),
            ("imap", "pop3", 4),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn a_word_that_goes_on_is_suggested() {
        let words = ["user", "password-file", "passwords"];
        for (word, expected) in [("password", Some("passwords")), ("pass", None), ("", None)] {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
        assert_eq!(nearest("password", ["user", "password-file"]), Some("password-file"));
    }

    #[test]
    fn only_near_words_are_suggested() {
        let words = ["off", "offered", "required", "implicit"];
        for (word, expected) in
            [("requird", Some("required")), ("of", Some("off")), ("on", None), ("always", None)]
        {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
