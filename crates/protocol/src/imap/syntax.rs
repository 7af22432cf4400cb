//! Words of a command (RFC 3501 §9): atoms, strings, numbers, and the cursor that reads them.
//!
//! A command lies before the cursor as it came, with its literals in their places:
//!
//! ```text
//! a LOGIN {3}␍␊bob "secret"
//! ```
//!
//! Nothing here recurses, so no depth of parentheses can exhaust the stack.

use mail::{ModSeq, Timestamp};

use super::names::NameForm;
use crate::misuse::Misuse;

/// What a reader yields: a value, or the way in which the client erred.
pub(super) type Parsed<T> = Result<T, Misuse>;

/// Reads a command from left to right.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    names: NameForm,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(command: &'a [u8]) -> Self {
        Self { rest: command, names: NameForm::default() }
    }

    /// The same, where names of mailboxes have this form.
    pub(super) fn with_names(self, names: NameForm) -> Self {
        Self { names, ..self }
    }

    /// The form of names.
    pub(super) fn names(&self) -> NameForm {
        self.names
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next octet, if any.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes this octet if it is the next.
    pub(super) fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Takes this octet, which must be the next.
    pub(super) fn expect(&mut self, octet: u8) -> Parsed<()> {
        if self.eat(octet) { Ok(()) } else { Err(Misuse::CommandSyntax) }
    }

    /// Exactly one space (RFC 3501 §9, note 2).
    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ')
    }

    /// Takes this word if it comes next, whatever its case, and is not the beginning of a longer atom.
    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found =
            self.rest.get(..word.len()).is_some_and(|front| front.eq_ignore_ascii_case(word.as_bytes()))
                && !self.rest.get(word.len()).is_some_and(|&octet| is_atom_char(octet));
        if found {
            self.rest = &self.rest[word.len()..];
        }
        found
    }

    /// The command must end here.
    pub(super) fn end(&self) -> Parsed<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(Misuse::CommandSyntax) }
    }

    /// One or more octets of this kind.
    pub(super) fn some(&mut self, kind: impl Fn(u8) -> bool) -> Parsed<&'a str> {
        let length = self.rest.iter().position(|&octet| !kind(octet)).unwrap_or(self.rest.len());
        if length == 0 {
            return Err(Misuse::CommandSyntax);
        }
        let (word, rest) = self.rest.split_at(length);
        let word = std::str::from_utf8(word).map_err(|_| Misuse::CommandSyntax)?;
        self.rest = rest;
        Ok(word)
    }

    /// `atom`
    pub(super) fn atom(&mut self) -> Parsed<&'a str> {
        self.some(is_atom_char)
    }

    /// `tag`
    pub(super) fn tag(&mut self) -> Parsed<&'a str> {
        self.some(is_tag_char)
    }

    /// `number`: 32 bits.
    pub(super) fn number(&mut self) -> Parsed<u32> {
        self.some(|octet| octet.is_ascii_digit())?.parse().map_err(|_| Misuse::CommandSyntax)
    }

    /// `nz-number`
    pub(super) fn number_not_zero(&mut self) -> Parsed<u32> {
        match self.number()? {
            0 => Err(Misuse::CommandSyntax),
            number => Ok(number),
        }
    }

    /// `number64` (RFC 9051 §9): 63 bits.
    pub(super) fn number64(&mut self) -> Parsed<u64> {
        let number: u64 =
            self.some(|octet| octet.is_ascii_digit())?.parse().map_err(|_| Misuse::CommandSyntax)?;
        if number > i64::MAX as u64 { Err(Misuse::CommandSyntax) } else { Ok(number) }
    }

    /// `mod-sequence-valzer` (RFC 7162 §7). Zero is taken everywhere: it means all.
    pub(super) fn modseq(&mut self) -> Parsed<ModSeq> {
        self.number64().map(ModSeq)
    }

    /// Takes the rest of the command, unread.
    pub(super) fn pass_over(&mut self) {
        self.rest = &[];
    }

    /// `astring`
    pub(super) fn astring(&mut self) -> Parsed<Vec<u8>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self.some(is_astring_char).map(|word| word.as_bytes().to_vec()),
        }
    }

    /// `list-mailbox`: an astring in which wildcards need no quotes.
    pub(super) fn list_mailbox(&mut self) -> Parsed<Vec<u8>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => self
                .some(|octet| is_astring_char(octet) || matches!(octet, b'%' | b'*'))
                .map(|word| word.as_bytes().to_vec()),
        }
    }

    /// `nstring`
    pub(super) fn nstring(&mut self) -> Parsed<Option<Vec<u8>>> {
        if self.eat_word("NIL") { Ok(None) } else { self.string().map(Some) }
    }

    /// `astring` that is text: valid UTF-8.
    pub(super) fn text(&mut self) -> Parsed<String> {
        String::from_utf8(self.astring()?).map_err(|_| Misuse::CommandSyntax)
    }

    /// `date` of SEARCH, as its midnight in UTC.
    pub(super) fn date(&mut self) -> Parsed<Timestamp> {
        let text = if self.peek() == Some(b'"') { self.string()? } else { self.atom()?.as_bytes().to_vec() };
        let text = std::str::from_utf8(&text).map_err(|_| Misuse::CommandSyntax)?;
        Timestamp::parse_imap_date(text).ok_or(Misuse::CommandSyntax)
    }

    /// `date-time` of APPEND, which is quoted.
    pub(super) fn date_time(&mut self) -> Parsed<Timestamp> {
        self.expect(b'"')?;
        let text = self.quoted_rest()?;
        let text = std::str::from_utf8(&text).map_err(|_| Misuse::CommandSyntax)?;
        Timestamp::parse_imap(text).ok_or(Misuse::CommandSyntax)
    }

    /// `string`
    pub(super) fn string(&mut self) -> Parsed<Vec<u8>> {
        if self.eat(b'"') { self.quoted_rest() } else { self.literal() }
    }

    fn quoted_rest(&mut self) -> Parsed<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let &octet = self.rest.first().ok_or(Misuse::CommandSyntax)?;
            self.rest = &self.rest[1..];
            match octet {
                b'"' => return Ok(text),
                b'\\' => match self.peek() {
                    Some(special @ (b'"' | b'\\')) => {
                        self.rest = &self.rest[1..];
                        text.push(special);
                    }
                    _ => return Err(Misuse::CommandSyntax),
                },
                b'\r' | b'\n' => return Err(Misuse::CommandSyntax),
                // More lenient than RFC 3501 §9: octets above 127 are taken, because clients send UTF-8 so.
                octet => text.push(octet),
            }
        }
    }

    fn literal(&mut self) -> Parsed<Vec<u8>> {
        self.expect(b'{')?;
        let octets = self.number()? as usize;
        self.eat(b'+');
        self.expect(b'}')?;
        self.expect(b'\r')?;
        self.expect(b'\n')?;
        let content = self.rest.get(..octets).ok_or(Misuse::CommandSyntax)?;
        self.rest = &self.rest[octets..];
        // RFC 3501 §9: CHAR8 is any octet but NUL.
        if content.contains(&0) { Err(Misuse::NulOctet) } else { Ok(content.to_vec()) }
    }
}

/// `ATOM-CHAR`
pub(super) fn is_atom_char(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`
pub(super) fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}

fn is_tag_char(octet: u8) -> bool {
    is_astring_char(octet) && octet != b'+'
}

/// `{n}` or `{n+}` at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Announced {
    /// Octets that follow.
    pub(super) octets: u64,
    /// The client waits for a continuation before it sends them (RFC 7888 §3: no `+`).
    pub(super) waits: bool,
}

/// Does this line announce a literal? A number beyond 32 bits is announced as it is and refused by its size.
pub(super) fn announced(line: &[u8]) -> Option<Announced> {
    let inside = line.strip_suffix(b"}")?;
    let start = inside.iter().rposition(|&octet| octet == b'{')? + 1;
    let (digits, waits) = match inside[start..].strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (&inside[start..], true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let octets = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(Announced { octets, waits })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::imap::responses::Writer;

    #[test]
    fn strings() {
        let check = |input: &str, expected: Option<&str>| {
            let mut cursor = Cursor::new(input.as_bytes());
            let found = cursor.astring().ok().filter(|_| cursor.end().is_ok());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{input:?}");
        };
        check("abc", Some("abc"));
        check("a]c", Some("a]c"));
        check("a%c", None);
        check("", None);
        check("\"\"", Some(""));
        check("\"a b\"", Some("a b"));
        check(r#""a\"\\b""#, Some(r#"a"\b"#));
        check(r#""a\b""#, None);
        check("\"a", None);
        check("\"grün\"", Some("grün"));
        check("{3}\r\na\"\r", Some("a\"\r"));
        check("{0+}\r\n", Some(""));
        check("{4}\r\nabc", None);
        check("{1}\r\n\0", None);
        check("{99999999999}\r\n", None);
        check("{3}abc", None);
    }

    #[test]
    fn words_end_where_atoms_end() {
        assert!(Cursor::new(b"nil)").eat_word("NIL"));
        assert!(Cursor::new(b"NIL").eat_word("NIL"));
        assert!(!Cursor::new(b"NILS").eat_word("NIL"));
        assert!(!Cursor::new(b"NI").eat_word("NIL"));
    }

    #[test]
    fn announcements() {
        let check = |line: &str, expected: Option<(u64, bool)>| {
            let found = announced(line.as_bytes()).map(|found| (found.octets, found.waits));
            assert_eq!(found, expected, "{line:?}");
        };
        check("a LOGIN {3}", Some((3, true)));
        check("a LOGIN {3+}", Some((3, false)));
        check("{0}", Some((0, true)));
        check("a LOGIN {}", None);
        check("a LOGIN {+}", None);
        check("a LOGIN {-3}", None);
        check("a LOGIN {3++}", None);
        check("a LOGIN 3}", None);
        check("a LOGIN \"{3}\"", None);
        check("a {3} b", None);
        check("a {99999999999999999999999}", Some((u64::MAX, true)));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in proptest::collection::vec(1..=255_u8, 0..80)) {
            let (mut as_string, mut as_astring) = (Vec::new(), Vec::new());
            Writer::new(&mut as_string).string(&text);
            Writer::new(&mut as_astring).astring(&text);
            prop_assert_eq!(Cursor::new(&as_string).string(), Ok(text.clone()));
            let mut cursor = Cursor::new(&as_astring);
            prop_assert_eq!(cursor.astring(), Ok(text));
            prop_assert_eq!(cursor.end(), Ok(()));
        }

        #[test]
        fn no_input_makes_a_reader_panic(input in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut cursor = Cursor::new(&input);
            let _ = (cursor.clone().astring(), cursor.clone().nstring(), cursor.number(), announced(&input));
        }
    }
}
