//! MIME structure (RFC 2045, RFC 2046): the tree of parts with the places of their bytes.
//!
//! One pass over the lines with an explicit stack of open parts. A line that begins with `--` is compared with the
//! boundaries of all open multiparts, the innermost first, so that a missing end is closed by what encloses it:
//!
//! ```text
//! open: [ multipart --a | message/rfc822 | multipart --b | text/plain ]
//! "--b"    ends text/plain, begins the next part of b
//! "--a"    ends all of them but the first, begins the next part of a
//! "--a--"  the same, and what follows belongs to no part
//! ```
//!
//! A message may arrive in pieces. Time is linear in the message, with the depth as factor for lines that begin with `--`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::envelope::EnvelopeFields;
use super::field_syntax::{self, Parameters, Structured};
use super::header::{self, Field, Header, Line, LineKind};
use crate::limits;

/// A MIME part: what BODYSTRUCTURE shows, and where its bytes lie. No value holds CR, LF or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    /// Type, as written: `TEXT`. A token.
    pub kind: String,
    /// Subtype, as written: `PLAIN`. A token.
    pub subtype: String,
    /// Parameters of Content-Type.
    pub parameters: Parameters,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, upper case; `7BIT` where missing. A token.
    pub encoding: String,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition with parameters.
    pub disposition: Option<(String, Parameters)>,
    /// Content-Language.
    pub language: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
    /// Its header, from the first field to after the empty line; offsets into the message.
    pub header: Range<usize>,
    /// Its body.
    pub body: Range<usize>,
    /// Lines of the body: its line ends. The one before a boundary belongs to the boundary.
    pub lines: u32,
    /// Parts of a multipart, one at least; of a `message/rfc822` its one message. A multipart in which no part was found
    /// is shown as `TEXT/PLAIN`.
    pub parts: Vec<Part>,
    /// The envelope of a `message/rfc822`'s message.
    pub envelope: Option<Box<EnvelopeFields>>,
}

/// A message with all that can be known of its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The message: its header, its body and the parts of that.
    pub root: Part,
    /// Its envelope.
    pub envelope: EnvelopeFields,
    /// The first budget that it exceeded, if any; what lay beyond was taken for plain text or left out.
    pub over_budget: Option<Budget>,
}

/// What `limits` bound in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// `HEADER_OCTETS_MAX` or `FIELDS_MAX`.
    Header,
    /// `PARAMETERS_MAX`.
    Parameters,
    /// `PARTS_MAX`.
    Parts,
    /// `PARTS_DEPTH_MAX`.
    Depth,
}

/// The tree of parts alone. See [`Structure::parse`].
pub fn structure(message: &[u8]) -> Part {
    Structure::parse(message).root
}

impl Structure {
    /// Reads a message of any form. Never fails.
    ///
    /// ```
    /// let text = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nOne\r\n--b\r\n\r\nTwo\r\n--b--\r\n";
    /// let root = mail::message::Structure::parse(text).root;
    /// assert_eq!(&text[root.parts[1].body.clone()], b"Two");
    /// ```
    pub fn parse(message: &[u8]) -> Self {
        let mut reader = StructureReader::new();
        reader.push(message);
        reader.finish()
    }
}

/// Reads the structure of a message that arrives in pieces. Holds the tree of its parts, one header at most
/// (`HEADER_OCTETS_MAX`) and the beginning of a line.
pub struct StructureReader {
    parser: Parser,
    line: LineUnderWay,
}

/// A line whose end was not seen yet.
#[derive(Default)]
struct LineUnderWay {
    start: usize,
    octets: usize,
    /// Its first octets, at most `LINE_OCTETS_JUDGED`; none if all of it is in the piece at hand.
    text: Vec<u8>,
    last: u8,
}

impl Default for StructureReader {
    fn default() -> Self {
        Self::new()
    }
}

impl StructureReader {
    /// At the beginning of a message.
    pub fn new() -> Self {
        Self { parser: Parser::new(), line: LineUnderWay::default() }
    }

    /// Takes the next piece. Where a message is cut does not matter.
    pub fn push(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() {
            let end = memchr::memchr(b'\n', piece).map(|at| at + 1);
            let (segment, rest) = piece.split_at(end.unwrap_or(piece.len()));
            piece = rest;
            self.parser.keep(segment);
            match end {
                Some(end) if self.line.octets == 0 => {
                    let line_end = if segment.ends_with(b"\r\n") { 2 } else { 1 };
                    self.take(&segment[..end - line_end], end, line_end);
                }
                Some(_) => self.end_line(segment),
                None => self.line.extend(segment),
            }
        }
    }

    /// Whether the line that comes next, or has begun, may be of a header: the message's, or that of a part in it.
    pub fn in_header(&self) -> bool {
        self.parser.in_header()
    }

    /// Ends a line that began in an earlier piece.
    fn end_line(&mut self, segment: &[u8]) {
        let before = segment.len().checked_sub(2).map_or(self.line.last, |at| segment[at]);
        let line_end = if before == b'\r' { 2 } else { 1 };
        self.line.extend(segment);
        let (octets, mut text) = (self.line.octets, std::mem::take(&mut self.line.text));
        text.truncate(octets - line_end);
        self.take(&text, octets, line_end);
    }

    fn take(&mut self, text: &[u8], octets: usize, line_end: usize) {
        let next = self.line.start + octets;
        let line = Line { start: self.line.start, end: next - line_end, next };
        self.parser.take(line, text);
        self.line = LineUnderWay { start: next, ..LineUnderWay::default() };
    }

    /// The message is complete.
    pub fn finish(mut self) -> Structure {
        if self.line.octets > 0 {
            let (octets, text) = (self.line.octets, std::mem::take(&mut self.line.text));
            self.take(&text, octets, 0);
        }
        self.parser.finish(self.line.start)
    }
}

impl LineUnderWay {
    fn extend(&mut self, segment: &[u8]) {
        // Two octets more, for the line end.
        let room = limits::LINE_OCTETS_JUDGED + 2 - self.text.len();
        self.text.extend_from_slice(&segment[..segment.len().min(room)]);
        self.octets += segment.len();
        self.last = segment.last().copied().unwrap_or(self.last);
    }
}

/// What an open part is waiting for.
enum State {
    /// The end of its header.
    Header,
    /// Its own end.
    Leaf,
    /// A boundary; none any more once its last was seen.
    Multipart { boundary: Option<Vec<u8>>, digest: bool },
    /// The end of the message in it, which is open above it.
    Message,
}

/// A part whose end was not seen yet.
struct Open {
    part: Part,
    state: State,
    /// Line ends of the message before its body.
    lines_before: u32,
}

struct Parser {
    /// From the message itself to the innermost part. Never empty.
    open: Vec<Open>,
    /// The header of the innermost part so far, as much of it as the budget leaves.
    header: Vec<u8>,
    /// Octets of the line end before the line under way.
    line_end: usize,
    envelope: EnvelopeFields,
    /// Line ends before the line under way.
    line_ends: u32,
    parts: usize,
    header_octets: usize,
    over_budget: Option<Budget>,
}

/// A boundary line: which of the open parts it belongs to, and whether it is that one's last.
struct Delimiter {
    index: usize,
    last: bool,
}

impl Parser {
    fn new() -> Self {
        let mut parser = Self {
            open: Vec::new(),
            header: Vec::new(),
            line_end: 0,
            envelope: EnvelopeFields::default(),
            line_ends: 0,
            parts: 0,
            header_octets: 0,
            over_budget: None,
        };
        parser.begin(0);
        parser
    }

    fn exceed(&mut self, budget: Budget) {
        self.over_budget.get_or_insert(budget);
    }

    fn top(&mut self) -> &mut Open {
        self.open.last_mut().expect("the message itself is open to the end")
    }

    fn begin(&mut self, at: usize) {
        self.parts += 1;
        let part = Part { header: at..at, body: at..at, ..Part::default() };
        self.open.push(Open { part, state: State::Header, lines_before: 0 });
    }

    fn in_header(&self) -> bool {
        matches!(self.open.last(), Some(Open { state: State::Header, .. }))
    }

    /// Keeps a piece of the line under way, if it may belong to a header.
    fn keep(&mut self, segment: &[u8]) {
        if self.in_header() {
            let room = limits::HEADER_OCTETS_MAX - self.header_octets - self.header.len();
            self.header.extend_from_slice(&segment[..segment.len().min(room)]);
        }
    }

    /// Takes a line, of which `text` is the beginning.
    fn take(&mut self, line: Line, text: &[u8]) {
        self.judge(line, text);
        if !self.in_header() {
            self.header = Vec::new();
        }
        self.line_end = line.next - line.end;
        self.line_ends += u32::from(line.next > line.end);
    }

    fn judge(&mut self, line: Line, text: &[u8]) {
        // Each round ends a header, and a part ends only one: at most one round for each open part and its message.
        loop {
            if let Some(delimiter) = self.delimiter(text) {
                return self.take_delimiter(&delimiter, line);
            }
            if !self.in_header() {
                return;
            }
            // A continuation needs a field before it in the same header.
            let first = line.start == self.top().part.header.start;
            match header::kind(text, first) {
                LineKind::Empty => return self.end_header(line.next, self.line_ends + 1),
                // The line is the first of the body, and may be a boundary of the multipart that has just begun.
                LineKind::Other => self.end_header(line.start, self.line_ends),
                _ => return,
            }
        }
    }

    /// RFC 2046 §5.1.1: a boundary line is `--`, the boundary, `--` if it is the last, and blanks; nothing else.
    fn delimiter(&self, text: &[u8]) -> Option<Delimiter> {
        let within = text.len() <= limits::LINE_OCTETS_JUDGED;
        let text = text.strip_prefix(b"--").filter(|_| within)?.trim_ascii_end();
        let open = self.open.iter().enumerate().rev();
        open.filter_map(|(index, open)| match &open.state {
            State::Multipart { boundary: Some(boundary), .. } => Some((index, boundary)),
            _ => None,
        })
        .find_map(|(index, boundary)| match text.strip_prefix(boundary.as_slice())? {
            b"" => Some(Delimiter { index, last: false }),
            b"--" => Some(Delimiter { index, last: true }),
            _ => None,
        })
    }

    fn take_delimiter(&mut self, delimiter: &Delimiter, line: Line) {
        // The line end before a boundary belongs to it.
        let end = line.start - self.line_end;
        self.close_above(delimiter.index, end, self.line_ends.saturating_sub(1));
        self.header = Vec::new();
        let full = self.parts >= limits::PARTS_MAX;
        if delimiter.last || full {
            if full && !delimiter.last {
                self.exceed(Budget::Parts);
            }
            if let State::Multipart { boundary, .. } = &mut self.top().state {
                *boundary = None;
            }
        } else {
            self.begin(line.next);
        }
    }

    /// Ends all parts that are open above this one.
    fn close_above(&mut self, index: usize, end: usize, line_ends: u32) {
        while self.open.len() > index + 1 {
            if matches!(self.top().state, State::Header) {
                let end = end.max(self.top().part.header.start);
                self.end_header(end, line_ends);
                // That may have opened a message.
                continue;
            }
            let closed = self.open.pop().expect("there are more than one");
            let part = closed.end(end, line_ends);
            self.top().part.parts.push(part);
        }
    }

    fn finish(mut self, end: usize) -> Structure {
        let line_ends = self.line_ends;
        self.close_above(0, end, line_ends);
        if matches!(self.top().state, State::Header) {
            self.end_header(end, line_ends);
            self.close_above(0, end, line_ends);
        }
        let root = self.open.pop().expect("the message itself is open to the end").end(end, line_ends);
        Structure { root, envelope: self.envelope, over_budget: self.over_budget }
    }

    /// The header of the innermost part ends here, and its body begins.
    fn end_header(&mut self, end: usize, line_ends: u32) {
        let octets = end - self.top().part.header.start;
        let mut read = std::mem::take(&mut self.header);
        // What lies behind belongs to what comes next.
        self.header = read.split_off(octets.min(read.len()));
        self.header_octets += read.len();
        let header = Header::parse(&read);
        if header.over_budget() || read.len() < octets {
            self.exceed(Budget::Header);
        }
        self.note_envelope(&header);
        let default = self.default_type();
        let top = self.top();
        top.part.header.end = end;
        top.part.body = end..end;
        top.lines_before = line_ends;
        if top.part.describe(&header, default) {
            self.exceed(Budget::Parameters);
        }
        self.enter_body(end);
    }

    /// The header is one of a message: the whole, or one within a `message/rfc822`.
    fn note_envelope(&mut self, header: &Header<'_>) {
        match self.open.iter_mut().rev().nth(1) {
            None => self.envelope = EnvelopeFields::of(header),
            Some(Open { part, state: State::Message, .. }) => {
                part.envelope = Some(Box::new(EnvelopeFields::of(header)));
            }
            Some(_) => {}
        }
    }

    /// RFC 2046 §5.1.5: parts of a digest are messages unless they say otherwise.
    fn default_type(&self) -> DefaultType {
        match self.open.iter().rev().nth(1) {
            Some(Open { state: State::Multipart { digest: true, .. }, .. }) => DefaultType::Message,
            _ => DefaultType::Text,
        }
    }

    fn enter_body(&mut self, start: usize) {
        let part = &self.top().part;
        let boundary = part.boundary();
        let (is_message, digest) = (part.is_message(), part.subtype.eq_ignore_ascii_case("digest"));
        if !is_message && boundary.is_none() {
            self.top().state = State::Leaf;
        } else if self.open.len() > limits::PARTS_DEPTH_MAX {
            self.exceed(Budget::Depth);
            self.top().state = State::Leaf;
        } else if is_message && self.parts >= limits::PARTS_MAX {
            self.exceed(Budget::Parts);
            self.top().state = State::Leaf;
        } else if is_message {
            self.top().state = State::Message;
            self.begin(start);
        } else {
            self.top().state = State::Multipart { boundary, digest };
        }
    }
}

impl Open {
    fn end(mut self, end: usize, line_ends: u32) -> Part {
        self.part.body.end = end.max(self.part.body.start);
        self.part.lines = line_ends.saturating_sub(self.lines_before);
        if self.part.parts.is_empty() && (self.part.is_message() || self.part.is("multipart")) {
            self.part.become_text();
        }
        self.part
    }
}

/// The type of a part that does not say.
#[derive(Clone, Copy)]
enum DefaultType {
    /// RFC 2045 §5.2.
    Text,
    /// RFC 2046 §5.1.5.
    Message,
}

impl Part {
    /// Whether this is its type.
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether it is a multipart with its parts.
    pub fn is_multipart(&self) -> bool {
        self.is("multipart")
    }

    /// Whether it holds a message: `message/rfc822`, or `message/global` (RFC 6532 §3.7).
    pub fn is_message(&self) -> bool {
        let known = ["rfc822", "global"];
        self.is("message") && known.iter().any(|known| self.subtype.eq_ignore_ascii_case(known))
    }

    /// The value of a parameter of Content-Type, its name compared without case.
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        field_syntax::find(&self.parameters, name)
    }

    /// RFC 2046 §5.1.1: a boundary does not end with blanks.
    fn boundary(&self) -> Option<Vec<u8>> {
        let boundary = self.parameter("boundary").filter(|_| self.is_multipart())?.trim_ascii_end();
        (!boundary.is_empty()).then(|| boundary.to_vec())
    }

    fn become_text(&mut self) {
        self.kind = "TEXT".into();
        self.subtype = "PLAIN".into();
        self.parameters = Parameters::new();
    }

    /// Reads the fields of a MIME header; says whether one had too many parameters.
    fn describe(&mut self, header: &Header<'_>, default: DefaultType) -> bool {
        let text = |name| header.find(name).map(|field| field.unfolded().into_owned());
        let structured = |name| header.find(name).map(|field| Structured::parse(&field.unfolded()));
        let content_type = structured("Content-Type");
        let disposition = structured("Content-Disposition");
        let over_budget =
            [&content_type, &disposition].iter().any(|read| read.as_ref().is_some_and(|r| r.over_budget));
        self.set_type(content_type, default);
        self.disposition = disposition
            .filter(|read| field_syntax::is_token(&read.value))
            .map(|read| (read.value, read.parameters));
        let encoding = structured("Content-Transfer-Encoding").map(|read| read.value.to_ascii_uppercase());
        self.encoding = encoding.filter(|encoding| field_syntax::is_token(encoding)).unwrap_or("7BIT".into());
        self.id = text("Content-ID");
        self.description = text("Content-Description");
        self.md5 = text("Content-MD5");
        self.location = text("Content-Location");
        self.language = header.find("Content-Language").map(languages).unwrap_or_default();
        over_budget
    }

    /// RFC 2045 §5.2: a type that is missing, or that breaks the grammar, is US-ASCII text.
    fn set_type(&mut self, written: Option<Structured>, default: DefaultType) {
        let Some(written) = written else {
            self.become_text();
            match default {
                DefaultType::Text => self.parameters.push(("CHARSET".into(), b"US-ASCII".to_vec())),
                DefaultType::Message => (self.kind, self.subtype) = ("MESSAGE".into(), "RFC822".into()),
            }
            return;
        };
        match written.value.split_once('/').map(|(kind, subtype)| (kind.trim(), subtype.trim())) {
            Some((kind, subtype)) if field_syntax::is_token(kind) && field_syntax::is_token(subtype) => {
                (self.kind, self.subtype) = (kind.into(), subtype.into());
                self.parameters = written.parameters;
            }
            _ => {
                self.become_text();
                self.parameters = written.parameters;
            }
        }
    }
}

/// RFC 3282 §2: tags, separated by commas.
fn languages(field: &Field<'_>) -> Vec<Vec<u8>> {
    let value = field.unfolded();
    let value = field_syntax::without_comments(&value);
    let tags = value.split(|&octet| octet == b',').map(|tag| tag.trim_ascii().to_vec());
    tags.filter(|tag| !tag.is_empty()).take(limits::PARAMETERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `kind/subtype{body}` for each leaf, with `lines`; parts in brackets.
    fn shown(message: &str) -> String {
        fn show(message: &str, part: &Part) -> String {
            let kind = format!("{}/{}", part.kind, part.subtype).to_lowercase();
            if part.parts.is_empty() {
                return format!("{kind}{{{}}}{}", &message[part.body.clone()], part.lines);
            }
            let parts: Vec<_> = part.parts.iter().map(|part| show(message, part)).collect();
            format!("{kind}[{}]", parts.join(" "))
        }
        show(message, &structure(message.as_bytes()))
    }

    const MIXED: &str = "Content-Type: multipart/mixed; boundary=a\n\n";

    #[test]
    fn messages_without_parts() {
        for (message, expected) in [
            ("", "text/plain{}0"),
            ("A: b\r\n\r\nOne\r\nTwo\r\n", "text/plain{One\r\nTwo\r\n}2"),
            ("A: b", "text/plain{}0"),
            ("no header\r\n", "text/plain{no header\r\n}1"),
            ("Content-Type: x\n\ny", "text/plain{y}0"),
            ("Content-Type: image/ gif (c) ; a=b\n\ny", "image/gif{y}0"),
            ("Content-Type: multipart/mixed\n\n--a\n", "text/plain{--a\n}1"),
            ("Content-Type: multipart/mixed; boundary=\"\"\n\n--\n", "text/plain{--\n}1"),
            ("Content-Type: multipart/mixed; boundary=a\n\nnothing\n", "text/plain{nothing\n}1"),
        ] {
            assert_eq!(shown(message), expected, "{message:?}");
        }
    }

    #[test]
    fn boundaries_part_bodies() {
        for (body, expected) in [
            ("--a\n\nOne\n--a\n\nTwo\n--a--\n", "[text/plain{One}0 text/plain{Two}0]"),
            ("preamble\n--a\n\nOne\n\n--a--\nepilogue\n--a\n", "[text/plain{One\n}1]"),
            ("--a \t\r\n\r\nOne\r\n--a-- \r\n", "[text/plain{One}0]"),
            ("--a\n\nno end\n", "[text/plain{no end\n}1]"),
            ("--a\n\n--ab\n--a-\n-- a\n--a--\n", "[text/plain{--ab\n--a-\n-- a}2]"),
            ("--a\n--a\n\n--a--", "[text/plain{}0 text/plain{}0]"),
            ("--a\nContent-Type: image/gif\n--a--", "[image/gif{}0]"),
            ("--a\nno header\n--a--", "[text/plain{no header}0]"),
            ("--a", "[text/plain{}0]"),
        ] {
            assert_eq!(shown(&format!("{MIXED}{body}")), format!("multipart/mixed{expected}"), "{body:?}");
        }
    }

    #[test]
    fn multiparts_and_messages_lie_in_each_other() {
        let inner = "--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\nOne\n--ab\n\nTwo\n";
        for (body, expected) in [
            (
                "--ab--\n--a\n\nThree\n--a--\n",
                "[multipart/alternative[text/plain{One}0 text/plain{Two}0] text/plain{Three}0]",
            ),
            // The inner end is missing.
            (
                "--a\n\nThree\n--a--\n",
                "[multipart/alternative[text/plain{One}0 text/plain{Two}0] text/plain{Three}0]",
            ),
            ("--a--\n--ab\n", "[multipart/alternative[text/plain{One}0 text/plain{Two}0]]"),
        ] {
            assert_eq!(
                shown(&format!("{MIXED}{inner}{body}")),
                format!("multipart/mixed{expected}"),
                "{body:?}"
            );
        }
        assert_eq!(
            shown(
                "Content-Type: message/rfc822\n\nContent-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: s\n\nOne\n--a--\n"
            ),
            "message/rfc822[multipart/digest[message/rfc822[text/plain{One}0]]]"
        );
        assert_eq!(
            shown(&format!("{MIXED}--a\nContent-Type: message/rfc822\n--a--")),
            "multipart/mixed[message/rfc822[text/plain{}0]]"
        );
    }

    #[test]
    fn parts_are_described() {
        let message = b"Content-Type: TEXT/html; charset=utf-8\nContent-Transfer-Encoding: base64 (c)\nContent-ID: <i>\n\
            Content-Description: d\n e\nContent-MD5: m\nContent-Disposition: attachment; filename=\"f\"\n\
            Content-Language: de, en\nContent-Location: l\n\nx\n";
        let part = structure(message);
        let text = |text: &str| Some(text.as_bytes().to_vec());
        let expected = Part {
            kind: "TEXT".into(),
            subtype: "html".into(),
            parameters: vec![("charset".into(), b"utf-8".to_vec())],
            id: text("<i>"),
            description: text("d e"),
            encoding: "BASE64".into(),
            md5: text("m"),
            disposition: Some(("attachment".into(), vec![("filename".into(), b"f".to_vec())])),
            language: vec![b"de".to_vec(), b"en".to_vec()],
            location: text("l"),
            header: 0..message.len() - 2,
            body: message.len() - 2..message.len(),
            lines: 1,
            ..Part::default()
        };
        assert_eq!(part, expected);
        let plain = structure(b"\nx");
        assert_eq!((plain.parameter("Charset"), plain.encoding.as_str()), (Some(&b"US-ASCII"[..]), "7BIT"));
    }

    #[test]
    fn envelopes_belong_to_messages() {
        let text = format!(
            "Subject: outer\n{MIXED}--a\nSubject: none\nContent-Type: message/rfc822\n\nSubject: inner\n\nx\n--a--\n"
        );
        let read = Structure::parse(text.as_bytes());
        assert_eq!(read.envelope.subject.as_deref(), Some(&b"outer"[..]));
        let inner = read.root.parts[0].envelope.as_deref().and_then(|envelope| envelope.subject.as_deref());
        assert_eq!(inner, Some(&b"inner"[..]));
        assert_eq!(read.over_budget, None);
    }

    fn depth(part: &Part) -> usize {
        1 + part.parts.iter().map(depth).max().unwrap_or(0)
    }

    #[test]
    fn what_is_beyond_a_budget_is_text() {
        // THREATS: deep nesting, once with a boundary of its own each, once with the same for all, once with messages.
        let deep: String =
            (0..5_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n")).collect();
        let cyclic = "Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(5_000);
        let messages = "Content-Type: message/rfc822\n\n".repeat(5_000);
        for text in [deep, cyclic, messages] {
            let read = Structure::parse(text.as_bytes());
            assert_eq!(read.over_budget, Some(Budget::Depth));
            assert!(depth(&read.root) <= limits::PARTS_DEPTH_MAX + 2);
        }

        let many = Structure::parse(format!("{MIXED}{}", "--a\n\nx\n".repeat(5_000)).as_bytes());
        assert_eq!((many.root.parts.len(), many.over_budget), (limits::PARTS_MAX - 1, Some(Budget::Parts)));

        // THREATS: flood of RFC 2231 parameters.
        let flood: String = (0..50_000).map(|n| format!("; a*{n}=b")).collect();
        let read = Structure::parse(format!("Content-Type: text/plain{flood}\n\n").as_bytes());
        assert_eq!(
            (read.root.parameters.len(), read.over_budget),
            (limits::PARAMETERS_MAX, Some(Budget::Parameters))
        );

        let long =
            Structure::parse(format!("A: {}\n\nbody", "x".repeat(limits::HEADER_OCTETS_MAX)).as_bytes());
        assert_eq!((long.root.body.len(), long.over_budget), (4, Some(Budget::Header)));
    }

    #[test]
    fn of_a_long_line_only_the_beginning_is_judged() {
        let long = "x".repeat(3 * limits::LINE_OCTETS_JUDGED);
        let text = format!("{MIXED}--a\nSubject: {long}\n\n{long}\n--a{}\n--a--\r\n", " ".repeat(5_000));
        let whole = Structure::parse(text.as_bytes());
        assert_eq!(whole.root.parts.len(), 1, "a boundary line has no thousands of blanks");
        assert_eq!(whole.root.parts[0].header.len(), long.len() + 11);
        for cut in [1, 7, 1_000, limits::LINE_OCTETS_JUDGED + 1] {
            let mut reader = StructureReader::new();
            text.as_bytes().chunks(cut).for_each(|piece| reader.push(piece));
            assert_eq!(reader.finish(), whole, "cut every {cut}");
        }
    }

    /// Parts lie within their parent's body, one after the other.
    fn is_nested(part: &Part) -> bool {
        let mut at = part.body.start;
        part.header.end == part.body.start
            && part.parts.iter().all(|child| {
                let fits =
                    child.header.start >= at && child.body.end <= part.body.end.max(child.header.start);
                at = child.body.end;
                fits && is_nested(child)
            })
    }

    proptest! {
        #[test]
        fn parts_lie_in_their_parents(lines in proptest::collection::vec("--[ab](--)?|Content-Type: multipart/(mixed|digest); boundary=[ab]|Content-Type: message/rfc822|[a-z ]{0,4}", 0..40), crlf: bool) {
            let text = lines.join(if crlf { "\r\n" } else { "\n" });
            let read = Structure::parse(text.as_bytes());
            prop_assert!(is_nested(&read.root), "{:?}", read.root);
            prop_assert_eq!((read.root.header.start, read.root.body.end), (0, text.len()));
        }

        #[test]
        fn cuts_do_not_matter(
            lines in proptest::collection::vec("--[ab](--)?|Content-Type: multipart/(mixed|digest); boundary=[ab]|Content-Type: message/rfc822|[a-z ]{0,4}|Subject: [a-z]{1,9}", 0..40),
            ends in proptest::collection::vec("\r\n|\n|\r", 40),
            cuts in proptest::collection::vec(1_usize..9, 1..20),
        ) {
            let text: String = lines.iter().zip(&ends).map(|(line, end)| format!("{line}{end}")).collect();
            let (mut reader, mut rest) = (StructureReader::new(), text.as_bytes());
            for &cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                reader.push(piece);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(reader.finish(), Structure::parse(text.as_bytes()));
        }

        #[test]
        fn no_message_harms(message: Vec<u8>) {
            let read = Structure::parse(&message);
            prop_assert_eq!(read.root.body.end, message.len());
        }
    }
}
