//! Sections of an email: which bytes `BODY[1.2.MIME]` names (RFC 3501 §6.4.5). Pure.
//!
//! A part's number leads either to a message (header and body) or to a body part (MIME header and body); the two differ
//! in what `HEADER`, `TEXT` and `MIME` mean, and a `message/rfc822` part is both.

use std::ops::Range;

use mail::message::Part;
use mail::{Section, SectionText};

/// How much of an email must be known to find a section.
pub(crate) fn depth(section: &Section) -> Depth {
    match (section.part.is_empty(), &section.text) {
        (true, SectionText::Whole | SectionText::Mime) => Depth::Size,
        (true, _) => Depth::Header,
        (false, _) => Depth::Structure,
    }
}

/// What must be known of an email, from cheap to dear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Its size, which is in its record.
    Size,
    /// Its header.
    Header,
    /// All of it, parsed.
    Structure,
}

/// The bytes of a section; for the selections of fields, the bytes of the header they are selected from. `None`: the
/// email has no such part.
pub(crate) fn locate(root: &Part, section: &Section) -> Option<Range<usize>> {
    let place = section.part.iter().try_fold(Place::Message(root), |place, &number| place.step(number))?;
    place.range(&section.text)
}

/// The body part of this number, or the message that it is.
pub(crate) fn part_of<'a>(root: &'a Part, number: &[u32]) -> Option<&'a Part> {
    let place = number.iter().try_fold(Place::Message(root), |place, &number| place.step(number))?;
    match place {
        Place::Message(part) | Place::Body(part) => Some(part),
    }
}

/// Where a part's number leads.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// A message: the email itself, or what a `message/rfc822` part holds.
    Message(&'a Part),
    /// A part of a message's body.
    Body(&'a Part),
}

impl<'a> Place<'a> {
    fn step(self, number: u32) -> Option<Self> {
        match self {
            Place::Message(message) if is_multipart(message) => nth(message, number),
            // RFC 3501 §6.4.5: a message that is not multipart has a part 1, its body.
            Place::Message(message) => (number == 1).then_some(Place::Body(message)),
            Place::Body(part) if is_multipart(part) => nth(part, number),
            Place::Body(part) => Place::Message(held(part)?).step(number),
        }
    }

    fn range(self, text: &SectionText) -> Option<Range<usize>> {
        match (self, text) {
            (Place::Message(message), SectionText::Whole) => Some(message.header.start..message.body.end),
            // RFC 3501 §6.4.5: MIME must follow a part's number.
            (Place::Message(_), SectionText::Mime) => None,
            (Place::Message(message), SectionText::Text) => Some(message.body.clone()),
            (Place::Message(message), _) => Some(message.header.clone()),
            (Place::Body(part), SectionText::Whole) => Some(part.body.clone()),
            (Place::Body(part), SectionText::Mime) => Some(part.header.clone()),
            // RFC 3501 §6.4.5: the others need a part of type MESSAGE/RFC822.
            (Place::Body(part), text) => Place::Message(held(part)?).range(text),
        }
    }
}

fn nth(part: &Part, number: u32) -> Option<Place<'_>> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    part.parts.get(index).map(Place::Body)
}

fn is_multipart(part: &Part) -> bool {
    part.kind.eq_ignore_ascii_case("MULTIPART") && !part.parts.is_empty()
}

/// The message that a `message/rfc822` part holds.
fn held(part: &Part) -> Option<&Part> {
    (part.kind.eq_ignore_ascii_case("MESSAGE")).then(|| part.parts.first()).flatten()
}

/// The fields of a header that are (`keep`) or are not in `names`, and the empty line if the header has one
/// (RFC 3501 §6.4.5).
pub(crate) fn select_fields(header: &[u8], names: &[String], keep: bool) -> Vec<u8> {
    let mut selected = Vec::new();
    let mut taken = false;
    for line in header.split_inclusive(|&byte| byte == b'\n') {
        taken = match line {
            [b' ' | b'\t', ..] => taken,
            line if is_empty_line(line) => true,
            line => names.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(field_name(line))) == keep,
        };
        if taken {
            selected.extend_from_slice(line);
        }
    }
    selected
}

fn is_empty_line(line: &[u8]) -> bool {
    matches!(line, b"\r\n" | b"\n")
}

/// What stands before the colon, without the blanks that RFC 5322 §4.5 allows there.
pub(crate) fn field_name(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|&byte| byte == b':').unwrap_or(0);
    line[..end].trim_ascii_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(kind: &str, header: Range<usize>, body: Range<usize>) -> Part {
        Part { kind: kind.into(), header, body, ..Part::default() }
    }

    fn node(kind: &str, header: Range<usize>, body: Range<usize>, parts: Vec<Part>) -> Part {
        Part { parts, ..leaf(kind, header, body) }
    }

    /// The example of RFC 3501 §6.4.5, with invented offsets.
    fn example() -> Part {
        let inner3 = node(
            "MULTIPART",
            42..45,
            45..60,
            vec![leaf("TEXT", 46..47, 47..50), leaf("APPLICATION", 51..52, 52..58)],
        );
        let alternative = node(
            "multipart",
            94..95,
            95..99,
            vec![leaf("TEXT", 95..96, 96..97), leaf("TEXT", 97..98, 98..99)],
        );
        let inner42 = node("MULTIPART", 82..88, 88..99, vec![leaf("TEXT", 89..90, 90..93), alternative]);
        let part4 = node(
            "MULTIPART",
            62..65,
            65..99,
            vec![leaf("IMAGE", 66..67, 67..70), node("MESSAGE", 71..82, 82..99, vec![inner42])],
        );
        node(
            "MULTIPART",
            0..10,
            10..100,
            vec![
                leaf("TEXT", 11..12, 12..20),
                leaf("APPLICATION", 21..22, 22..30),
                node("message", 31..42, 42..60, vec![inner3]),
                part4,
            ],
        )
    }

    fn check(root: &Part, part: &[u32], text: SectionText, expected: Option<Range<usize>>) {
        let section = Section { part: part.to_vec(), text };
        assert_eq!(locate(root, &section), expected, "{section:?}");
    }

    #[test]
    fn the_example_of_the_standard() {
        use SectionText::{Header, HeaderFields as Fields, Mime, Text, Whole};
        let root = example();
        check(&root, &[], Whole, Some(0..100));
        check(&root, &[], Header, Some(0..10));
        check(&root, &[], Text, Some(10..100));
        check(&root, &[1], Whole, Some(12..20));
        check(&root, &[2], Whole, Some(22..30));
        check(&root, &[3], Whole, Some(42..60));
        check(&root, &[3], Header, Some(42..45));
        check(&root, &[3], Fields(vec!["to".into()]), Some(42..45));
        check(&root, &[3], Text, Some(45..60));
        check(&root, &[3, 1], Whole, Some(47..50));
        check(&root, &[3, 2], Whole, Some(52..58));
        check(&root, &[4], Whole, Some(65..99));
        check(&root, &[4, 1], Whole, Some(67..70));
        check(&root, &[4, 1], Mime, Some(66..67));
        check(&root, &[4, 2], Whole, Some(82..99));
        check(&root, &[4, 2], Header, Some(82..88));
        check(&root, &[4, 2], Text, Some(88..99));
        check(&root, &[4, 2, 1], Whole, Some(90..93));
        check(&root, &[4, 2, 2], Whole, Some(95..99));
        check(&root, &[4, 2, 2, 1], Whole, Some(96..97));
        check(&root, &[4, 2, 2, 2], Mime, Some(97..98));
    }

    #[test]
    fn parts_that_are_not_there() {
        use SectionText::{Header, Mime, Text, Whole};
        let root = example();
        check(&root, &[], Mime, None);
        check(&root, &[0], Whole, None);
        check(&root, &[5], Whole, None);
        check(&root, &[1], Header, None);
        check(&root, &[1], Text, None);
        check(&root, &[1, 1], Whole, None);
        check(&root, &[u32::MAX], Whole, None);
    }

    #[test]
    fn a_message_without_parts_has_part_1() {
        use SectionText::{Header, Mime, Text, Whole};
        let root = leaf("TEXT", 0..10, 10..30);
        check(&root, &[1], Whole, Some(10..30));
        check(&root, &[1], Mime, Some(0..10));
        check(&root, &[1, 1], Whole, None);
        check(&root, &[2], Whole, None);
        check(&root, &[1], Header, None);
        let broken = leaf("MULTIPART", 0..10, 10..30);
        check(&broken, &[1], Whole, Some(10..30));
        let forward = node("MESSAGE", 0..10, 10..30, vec![leaf("TEXT", 10..15, 15..30)]);
        check(&forward, &[1], Whole, Some(10..30));
        check(&forward, &[1], Header, Some(10..15));
        check(&forward, &[1], Text, Some(15..30));
        check(&forward, &[1, 1], Whole, Some(15..30));
    }

    #[test]
    fn fields_are_selected_with_their_continuations_and_the_empty_line() {
        let header = b"From: a\r\nTo: b,\r\n c\r\nSUBJECT : d\r\n\te\r\nX: f\r\n\r\n";
        let names = ["to".to_owned(), "Subject".to_owned()];
        assert_eq!(select_fields(header, &names, true), b"To: b,\r\n c\r\nSUBJECT : d\r\n\te\r\n\r\n");
        assert_eq!(select_fields(header, &names, false), b"From: a\r\nX: f\r\n\r\n");
        assert_eq!(select_fields(b"To: b", &names, true), b"To: b");
        assert_eq!(select_fields(b"From: b\r\n", &names, true), b"");
        assert_eq!(select_fields(header, &[], true), b"\r\n");
    }

    proptest::proptest! {
        #[test]
        fn the_two_selections_share_the_header_out(lines in proptest::collection::vec("(To|From|X|)(: |:| : )[a-z]{0,5}\r\n|[ \t][a-z]{1,4}\r\n", 0..12)) {
            // A continuation of nothing is selected by neither.
            let header: String = lines.into_iter().skip_while(|line| line.starts_with([' ', '\t'])).collect();
            let names = ["to".to_owned(), "x".to_owned()];
            let kept = select_fields(header.as_bytes(), &names, true).len();
            let rest = select_fields(header.as_bytes(), &names, false).len();
            proptest::prop_assert_eq!(kept + rest, header.len());
        }
    }
}
