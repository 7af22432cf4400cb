//! SASLprep (RFC 4013): one spelling for user names.

use stringprep::tables;
use unicode_normalization::UnicodeNormalization as _;

/// A user name as it is compared; a query string, in which unassigned code points are allowed (RFC 5802 §5.1). None if
/// something in it is prohibited, or nothing is left.
pub(crate) fn user_name(name: &str) -> Option<String> {
    // RFC 4013 §2.1 and §2.2.
    let spaces = |c| if tables::non_ascii_space_character(c) { ' ' } else { c };
    let mapped = name.chars().map(spaces).filter(|&c| !tables::commonly_mapped_to_nothing(c));
    let prepared: String = mapped.nfkc().collect();
    // RFC 4013 §2.3 and §2.4 are about what was assigned when it was written.
    let assigned: String = prepared.chars().filter(|&c| !tables::unassigned_code_point(c)).collect();
    stringprep::saslprep(&assigned).ok()?;
    (!prepared.is_empty()).then_some(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_spelling() {
        for (name, expected) in [
            // RFC 4013 §3.
            ("I\u{ad}X", Some("IX")),
            ("user", Some("user")),
            ("USER", Some("USER")),
            ("\u{aa}", Some("a")),
            ("\u{2168}", Some("IX")),
            ("\u{7}", None),
            ("\u{627}1", None),
            // Others.
            ("b\u{f6}b", Some("b\u{f6}b")),
            ("bo\u{308}b", Some("b\u{f6}b")),
            ("a\u{a0}b", Some("a b")),
            ("\u{1f9ad}@example.org", Some("\u{1f9ad}@example.org")),
            ("\u{ad}", None),
            ("", None),
        ] {
            assert_eq!(user_name(name).as_deref(), expected, "{name:?}");
        }
    }
}
