//! FETCH (RFC 3501 §6.4.5, §7.4.2; BINARY, RFC 3516 §4): what is asked for, and how a row of the answer is written.
//!
//! A row becomes pieces: text that is ready, and stretches of content that are longer than an answer and are read one
//! after the other while they are sent.

use std::borrow::Cow;
use std::collections::VecDeque;

use bytes::Bytes;
use mail::Uid;
use mail::message::EnvelopeFields;

use super::limits::{HEADER_FIELDS_MAX, LABELS_MAX, PART_DEPTH_MAX, SECTIONS_MAX};
use super::responses::Writer;
use super::server::{self, FetchRow, FetchWants, Form, Wanted};
use super::structure::{self, Style};
use super::syntax::{Cursor, Parsed};
use crate::misuse::Misuse;
use mail::{Section, SectionText};

/// FETCH, parsed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Request {
    /// In the order of the command.
    pub(super) items: Vec<Item>,
    /// What the application has to find out.
    pub(super) wants: FetchWants,
    /// Whether the client knows `message/global`.
    pub(super) globals: bool,
}

/// A data item of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    Flags,
    Uid,
    InternalDate,
    Size,
    Envelope,
    Body,
    BodyStructure,
    /// RFC 7162 §3.1.4.2
    ModSeq,
    /// The next of `wants.sections`, under this name, ready to write.
    Section(String),
    /// The next of `wants.binary_sizes`, under this name.
    BinarySize(String),
}

/// A piece of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Ready to send.
    Text(Vec<u8>),
    /// Content that must be asked for.
    Stretch(Stretch),
}

/// A stretch of a section that is still to be sent; its literal has been announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) uid: Uid,
    pub(super) section: Section,
    pub(super) form: Form,
    /// Octets of the section before it.
    pub(super) offset: u64,
    /// Octets to send.
    pub(super) left: u64,
}

/// Reads what stands after the sequence set.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Request> {
    let mut request = Request::default();
    if cursor.eat(b'(') {
        loop {
            request.item(cursor)?;
            if cursor.eat(b')') {
                return Ok(request);
            }
            cursor.space()?;
        }
    }
    // RFC 3501 §6.4.5: a macro is used by itself.
    let macros: [(&str, &[Item]); 3] = [
        ("ALL", &[Item::Flags, Item::InternalDate, Item::Size, Item::Envelope]),
        ("FAST", &[Item::Flags, Item::InternalDate, Item::Size]),
        ("FULL", &[Item::Flags, Item::InternalDate, Item::Size, Item::Envelope, Item::Body]),
    ];
    for (name, items) in macros {
        if cursor.eat_word(name) {
            items.iter().for_each(|item| request.add(item.clone()));
            return Ok(request);
        }
    }
    request.item(cursor)?;
    Ok(request)
}

impl Request {
    /// Makes sure that each row says its UID (RFC 3501 §6.4.8).
    pub(super) fn with_uid(&mut self) {
        if !self.items.contains(&Item::Uid) {
            self.items.insert(0, Item::Uid);
        }
    }

    /// Makes sure that each row says its mod-sequence (RFC 7162 §3.1.4.1).
    pub(super) fn with_modseq(&mut self) {
        if !self.items.contains(&Item::ModSeq) {
            self.items.push(Item::ModSeq);
        }
    }

    /// What is asked for twice is said once, so that an answer is no longer for a longer command.
    fn add(&mut self, item: Item) {
        if self.items.contains(&item) {
            return;
        }
        match item {
            Item::InternalDate | Item::Size => self.wants.facts = true,
            Item::Envelope => self.wants.envelope = true,
            Item::Body | Item::BodyStructure => self.wants.structure = true,
            Item::Flags | Item::Uid | Item::ModSeq | Item::Section(_) | Item::BinarySize(_) => {}
        }
        self.items.push(item);
    }

    fn item(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let name = cursor.some(|octet| octet.is_ascii_alphanumeric() || octet == b'.')?.to_ascii_uppercase();
        if cursor.peek() == Some(b'[') {
            return self.bracketed(cursor, &name);
        }
        let whole = |text| Section { part: Vec::new(), text };
        match name.as_str() {
            "FLAGS" => self.add(Item::Flags),
            "UID" => self.add(Item::Uid),
            "INTERNALDATE" => self.add(Item::InternalDate),
            "RFC822.SIZE" => self.add(Item::Size),
            "ENVELOPE" => self.add(Item::Envelope),
            "BODY" => self.add(Item::Body),
            "BODYSTRUCTURE" => self.add(Item::BodyStructure),
            "MODSEQ" => self.add(Item::ModSeq),
            // RFC 3501 §6.4.5: BODY[], BODY.PEEK[HEADER] and BODY[TEXT] under older names.
            "RFC822" => self.section(name, Wanted::raw(whole(SectionText::Whole)), true)?,
            "RFC822.HEADER" => self.section(name, Wanted::raw(whole(SectionText::Header)), false)?,
            "RFC822.TEXT" => self.section(name, Wanted::raw(whole(SectionText::Text)), true)?,
            _ => return Err(Misuse::CommandSyntax),
        }
        Ok(())
    }

    fn bracketed(&mut self, cursor: &mut Cursor<'_>, name: &str) -> Parsed<()> {
        let (word, form, marks_seen) = match name {
            "BODY" => ("BODY", Form::Raw, true),
            "BODY.PEEK" => ("BODY", Form::Raw, false),
            "BINARY" => ("BINARY", Form::Decoded, true),
            "BINARY.PEEK" => ("BINARY", Form::Decoded, false),
            "BINARY.SIZE" => return self.binary_size(cursor),
            _ => return Err(Misuse::CommandSyntax),
        };
        let section = match form {
            Form::Raw => section(cursor)?,
            Form::Decoded => section_binary(cursor)?,
        };
        let partial = partial(cursor)?;
        let mut label = label(word, &section);
        if let Some((origin, _)) = partial {
            label.push_str(&format!("<{origin}>"));
        }
        self.section(label, Wanted { section, partial, form }, marks_seen)
    }

    fn binary_size(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let section = section_binary(cursor)?;
        if self.wants.binary_sizes.len() == SECTIONS_MAX {
            return Err(Misuse::TooManyItems);
        }
        let label = self.fitting(label("BINARY.SIZE", &section))?;
        self.items.push(Item::BinarySize(label));
        self.wants.binary_sizes.push(section.part);
        Ok(())
    }

    fn section(&mut self, label: String, wanted: Wanted, marks: bool) -> Parsed<()> {
        if self.wants.sections.len() == SECTIONS_MAX {
            return Err(Misuse::TooManyItems);
        }
        let label = self.fitting(label)?;
        self.wants.sections.push(wanted);
        self.wants.mark_seen |= marks;
        self.items.push(Item::Section(label));
        Ok(())
    }

    /// The name, if there is room for it beside the others.
    fn fitting(&self, label: String) -> Parsed<String> {
        let taken = |item: &Item| match item {
            Item::Section(label) | Item::BinarySize(label) => label.len(),
            _ => 0,
        };
        let octets = label.len() + self.items.iter().map(taken).sum::<usize>();
        if octets > LABELS_MAX { Err(Misuse::TooManyItems) } else { Ok(label) }
    }
}

impl Wanted {
    fn raw(section: Section) -> Self {
        Self { section, partial: None, form: Form::Raw }
    }
}

/// `[1.2]` (RFC 3516 §7): a part's number alone.
fn section_binary(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    match section(cursor)? {
        section if section.text == SectionText::Whole => Ok(section),
        _ => Err(Misuse::CommandSyntax),
    }
}

/// `[1.2.HEADER.FIELDS (From To)]`
fn section(cursor: &mut Cursor<'_>) -> Parsed<Section> {
    cursor.expect(b'[')?;
    let mut part = Vec::new();
    while cursor.peek().is_some_and(|octet| octet.is_ascii_digit()) {
        part.push(cursor.number_not_zero()?);
        if part.len() > PART_DEPTH_MAX {
            return Err(Misuse::TooManyItems);
        }
        if !cursor.eat(b'.') {
            cursor.expect(b']')?;
            return Ok(Section { part, text: SectionText::Whole });
        }
    }
    if part.is_empty() && cursor.eat(b']') {
        return Ok(Section::default());
    }
    let name = cursor.some(|octet| octet.is_ascii_alphabetic() || octet == b'.')?.to_ascii_uppercase();
    let text = match name.as_str() {
        "HEADER" => SectionText::Header,
        "HEADER.FIELDS" => SectionText::HeaderFields(header_list(cursor)?),
        "HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(header_list(cursor)?),
        "TEXT" => SectionText::Text,
        // RFC 3501 §6.4.5: MIME must follow a part's number.
        "MIME" if !part.is_empty() => SectionText::Mime,
        _ => return Err(Misuse::CommandSyntax),
    };
    cursor.expect(b']')?;
    Ok(Section { part, text })
}

fn header_list(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.space()?;
    cursor.expect(b'(')?;
    let mut names = Vec::new();
    loop {
        names.push(cursor.text()?);
        if names.len() > HEADER_FIELDS_MAX {
            return Err(Misuse::TooManyItems);
        }
        if cursor.eat(b')') {
            return Ok(names);
        }
        cursor.space()?;
    }
}

/// `<origin.octets>`
fn partial(cursor: &mut Cursor<'_>) -> Parsed<Option<(u64, u64)>> {
    if !cursor.eat(b'<') {
        return Ok(None);
    }
    // RFC 9051 §9: both are 63 bits.
    let origin = cursor.number64()?;
    cursor.expect(b'.')?;
    let octets = cursor.number64()?;
    cursor.expect(b'>')?;
    if octets == 0 { Err(Misuse::CommandSyntax) } else { Ok(Some((origin, octets))) }
}

/// The item's name in the answer, `BODY[1.MIME]`. A name that needs a literal is written as one.
fn label(word: &str, section: &Section) -> String {
    let mut out = format!("{word}[").into_bytes();
    let mut words: Vec<String> = section.part.iter().map(u32::to_string).collect();
    let (word, names) = match &section.text {
        SectionText::Whole => (None, None),
        SectionText::Header => (Some("HEADER"), None),
        SectionText::HeaderFields(names) => (Some("HEADER.FIELDS"), Some(names)),
        SectionText::HeaderFieldsNot(names) => (Some("HEADER.FIELDS.NOT"), Some(names)),
        SectionText::Text => (Some("TEXT"), None),
        SectionText::Mime => (Some("MIME"), None),
    };
    words.extend(word.map(str::to_owned));
    let mut writer = Writer::new(&mut out);
    writer.raw(&words.join("."));
    for (place, name) in names.into_iter().flatten().enumerate() {
        writer.raw(if place == 0 { " (" } else { " " }).astring(name.as_bytes());
    }
    writer.raw(if names.is_some() { ")]" } else { "]" });
    String::from_utf8(out).expect("names were read as UTF-8")
}

/// Whether something of the row could not be decoded: the command must fail (RFC 3516 §4.3).
pub(super) fn is_undecodable(row: &FetchRow) -> bool {
    row.sections.contains(&server::Piece::Undecodable) || row.binary_sizes.contains(&None)
}

/// What stands in a row although it was not asked for, because the command changed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Added {
    /// FLAGS (RFC 3501 §6.4.5).
    pub(super) flags: bool,
    /// UID and MODSEQ (RFC 7162 §3.2.4).
    pub(super) modseq: bool,
}

/// Writes one row behind what is on its way already; nothing, if nothing of it can be said. Rows without a stretch share a text.
pub(super) fn write_row(
    pieces: &mut VecDeque<Piece>,
    request: &Request,
    sequence: u32,
    row: &FetchRow,
    added: Added,
) {
    let mut written = RowWriter::begin(pieces, sequence);
    let mut sections = row.sections.iter().zip(&request.wants.sections);
    let mut binary_sizes = row.binary_sizes.iter();
    for item in &request.items {
        match item {
            Item::Section(name) => match sections.next() {
                Some((server::Piece::Octets { length, start }, wanted)) => {
                    written.name(name);
                    written.section(row.uid, wanted, *length, start);
                }
                Some((server::Piece::Undecodable, _)) => {}
                Some((server::Piece::Missing, _)) | None => _ = written.name(name).raw("NIL"),
            },
            Item::BinarySize(name) => {
                if let Some(Some(octets)) = binary_sizes.next() {
                    written.name(name).number(octets);
                }
            }
            item => fact(&mut written.next(), item, row, request.globals),
        }
    }
    let additions = [(Item::Uid, added.modseq), (Item::Flags, added.flags), (Item::ModSeq, added.modseq)];
    for (item, _) in additions.iter().filter(|(item, added)| *added && !request.items.contains(item)) {
        fact(&mut written.next(), item, row, request.globals);
    }
    written.end();
}

/// Writes a row of facts alone.
pub(super) fn write_facts(out: &mut Vec<u8>, sequence: u32, row: &FetchRow, items: &[Item]) {
    let mut writer = Writer::new(out);
    writer.raw("* ").number(sequence).raw(" FETCH (");
    for (place, item) in items.iter().enumerate() {
        writer.raw(if place == 0 { "" } else { " " });
        fact(&mut writer, item, row, false);
    }
    writer.raw(")").end();
}

/// An item that is not a section. What the row does not hold is NIL or 0: the email was there, its facts were not.
fn fact(writer: &mut Writer<'_>, item: &Item, row: &FetchRow, globals: bool) {
    match item {
        Item::Flags => _ = writer.raw("FLAGS ").flags(&row.flags),
        Item::Uid => _ = writer.raw("UID ").number(row.uid),
        Item::ModSeq => _ = writer.raw("MODSEQ (").number(row.modseq).raw(")"),
        Item::InternalDate => {
            let date = row.facts.map_or(mail::Timestamp(0), |(date, _)| date);
            writer.raw("INTERNALDATE \"").raw(&date.imap()).raw("\"");
        }
        Item::Size => {
            let size = row.facts.map_or(0, |(_, size)| size);
            writer.raw("RFC822.SIZE ").number(size);
        }
        Item::Envelope => {
            writer.raw("ENVELOPE ");
            match &row.envelope {
                Some(envelope) => structure::envelope(writer, envelope),
                None => structure::envelope(writer, &EnvelopeFields::default()),
            }
        }
        Item::Body => {
            writer.raw("BODY ");
            structure::body(writer, row.structure.as_deref(), Style { extended: false, globals });
        }
        Item::BodyStructure => {
            writer.raw("BODYSTRUCTURE ");
            structure::body(writer, row.structure.as_deref(), Style { extended: true, globals });
        }
        Item::Section(_) | Item::BinarySize(_) => unreachable!("these are written by their own functions"),
    }
}

/// Writes a row to the end of what is on its way.
struct RowWriter<'a> {
    pieces: &'a mut VecDeque<Piece>,
    /// Where the row begins in its first text.
    begun: usize,
}

impl<'a> RowWriter<'a> {
    fn begin(pieces: &'a mut VecDeque<Piece>, sequence: u32) -> Self {
        let mut row = Self { pieces, begun: 0 };
        row.begun = row.text().len();
        Writer::new(row.text()).raw("* ").number(sequence).raw(" FETCH (");
        row
    }

    /// The text at the end.
    fn text(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.back(), Some(Piece::Text(_))) {
            self.pieces.push_back(Piece::Text(Vec::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Text(text)) => text,
            _ => unreachable!("a text was just put there"),
        }
    }

    /// Where the next item is to be written.
    fn next(&mut self) -> Writer<'_> {
        let text = self.text();
        if text.last() != Some(&b'(') {
            text.push(b' ');
        }
        Writer::new(text)
    }

    /// The next item's name; its value must follow.
    fn name(&mut self, name: &str) -> Writer<'_> {
        let mut writer = self.next();
        // A name may hold a literal of the client's.
        writer.content(name.as_bytes()).raw(" ");
        writer
    }

    /// The literal: its size first, then what the answer held of it, then a stretch for the rest.
    fn section(&mut self, uid: Uid, wanted: &Wanted, octets: u64, content: &Bytes) {
        let content = &content[..content.len().min(usize::try_from(octets).unwrap_or(usize::MAX))];
        let held = content.len() as u64;
        // RFC 3516 §4.3: a string, if no octet is NUL. What was not seen yet may hold one.
        let may_hold_nul = held < octets || memchr::memchr(0, content).is_some();
        let mut writer = Writer::new(self.text());
        if wanted.form == Form::Decoded && may_hold_nul {
            writer.raw("~");
        }
        writer.literal_size(octets).content(&sendable(wanted.form, content));
        if held < octets {
            self.pieces.push_back(Piece::Stretch(Stretch {
                uid,
                section: wanted.section.clone(),
                form: wanted.form,
                offset: wanted.partial.map_or(0, |(origin, _)| origin) + held,
                left: octets - held,
            }));
        }
    }

    fn end(mut self) {
        let begun = self.begun;
        let text = self.text();
        if text.ends_with(b"(") {
            // Nothing was written: a value ends otherwise.
            text.truncate(begun);
        } else {
            Writer::new(text).raw(")").end();
        }
    }
}

/// Content as it may stand in its literal. RFC 3501 §9: but for literal8 no octet may be NUL, so that binary content is
/// sent whole by BINARY alone; BODY shows another octet in its place, which keeps every size and offset.
pub(super) fn sendable(form: Form, content: &[u8]) -> Cow<'_, [u8]> {
    if form == Form::Decoded || memchr::memchr(0, content).is_none() {
        return Cow::Borrowed(content);
    }
    Cow::Owned(content.iter().map(|&octet| if octet == 0 { 0x80 } else { octet }).collect())
}

#[cfg(test)]
mod tests {
    use mail::{Flag, ModSeq, Timestamp};

    use super::*;

    fn request(input: &str) -> Parsed<Request> {
        let mut cursor = Cursor::new(input.as_bytes());
        let request = parse(&mut cursor)?;
        cursor.end()?;
        Ok(request)
    }

    #[test]
    fn items() {
        let check = |input: &str, expected: &[Item]| {
            assert_eq!(request(input).map(|request| request.items), Ok(expected.to_vec()), "{input}");
        };
        check("FLAGS", &[Item::Flags]);
        check("fast", &[Item::Flags, Item::InternalDate, Item::Size]);
        check("(UID FLAGS)", &[Item::Uid, Item::Flags]);
        check("(FLAGS UID FLAGS ENVELOPE envelope)", &[Item::Flags, Item::Uid, Item::Envelope]);
        check("modseq", &[Item::ModSeq]);
        check("(body bodystructure)", &[Item::Body, Item::BodyStructure]);
        check("rfc822.size", &[Item::Size]);
        check("RFC822", &[Item::Section("RFC822".into())]);
        check("BODY[]", &[Item::Section("BODY[]".into())]);
        check("body.peek[1.2.mime]", &[Item::Section("BODY[1.2.MIME]".into())]);
        check("BODY[]<5.10>", &[Item::Section("BODY[]<5>".into())]);
        check(
            "BODY.PEEK[HEADER.FIELDS (From \"to\")]",
            &[Item::Section("BODY[HEADER.FIELDS (From to)]".into())],
        );
        check(
            "BODY[1.HEADER.FIELDS.NOT (\"a b\")]",
            &[Item::Section("BODY[1.HEADER.FIELDS.NOT (\"a b\")]".into())],
        );
    }

    #[test]
    fn what_is_no_fetch() {
        for wrong in [
            "",
            "()",
            "(FLAGS",
            "FLAGS UID",
            "(FLAGS  UID)",
            "(ALL)",
            "BODY[MIME]",
            "BODY[0]",
            "BODY[1.]",
            "BODY[1..2]",
            "BODY[]<5>",
            "BODY[]<5.0>",
            "BODY[HEADER.FIELDS ()]",
            "BODY[HEADER.FIELDS]",
            "BODY[FOO]",
            "FLAGS[]",
            "BODY[",
            "BODY.PEEK",
            "RFC822.FOO",
        ] {
            assert_eq!(request(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
        let many = format!("({})", ["BODY[]"; SECTIONS_MAX + 1].join(" "));
        assert_eq!(request(&many), Err(Misuse::TooManyItems));
        let long = format!("BODY[HEADER.FIELDS ({})]", "x".repeat(LABELS_MAX));
        assert_eq!(request(&long), Err(Misuse::TooManyItems));
        let deep = format!("BODY[{}]", ["1"; PART_DEPTH_MAX + 1].join("."));
        assert_eq!(request(&deep), Err(Misuse::TooManyItems));
    }

    #[test]
    fn what_sets_seen() {
        for (input, marks) in [
            ("BODY[]", true),
            ("RFC822", true),
            ("RFC822.TEXT", true),
            ("(BODY.PEEK[] BODY[1])", true),
            ("BODY.PEEK[]", false),
            ("RFC822.HEADER", false),
            ("(BODY ENVELOPE)", false),
        ] {
            assert_eq!(request(input).unwrap().wants.mark_seen, marks, "{input}");
        }
    }

    #[test]
    fn binaries() {
        let read = request("(BINARY[] binary.peek[1.2]<5.10> BINARY.SIZE[2] BINARY.SIZE[])").unwrap();
        let names = ["BINARY[]", "BINARY[1.2]<5>"].map(|name| Item::Section(name.into()));
        let sizes = ["BINARY.SIZE[2]", "BINARY.SIZE[]"].map(|name| Item::BinarySize(name.into()));
        assert_eq!(read.items, [names, sizes].concat());
        let decoded = |part, partial| Wanted {
            section: Section { part, text: SectionText::Whole },
            partial,
            form: Form::Decoded,
        };
        assert_eq!(read.wants.sections, [decoded(vec![], None), decoded(vec![1, 2], Some((5, 10)))]);
        assert_eq!(read.wants.binary_sizes, [vec![2], vec![]]);
        assert!(read.wants.mark_seen);
        assert!(!request("(BINARY.PEEK[1] BINARY.SIZE[1])").unwrap().wants.mark_seen);
        for wrong in [
            "BINARY",
            "BINARY[TEXT]",
            "BINARY[1.MIME]",
            "BINARY.SIZE[1]<0.5>",
            "BINARY.SIZE",
            "BINARY.FOO[1]",
        ] {
            assert_eq!(request(wrong), Err(Misuse::CommandSyntax), "{wrong}");
        }
    }

    #[test]
    fn binary_rows() {
        use server::Piece::{Missing, Undecodable};
        let check = |input: &str, sections: Vec<server::Piece>, sizes: &[Option<u64>], expected: &[u8]| {
            let row = FetchRow { binary_sizes: sizes.to_vec(), ..row(sections) };
            let written: Vec<u8> = pieces(&request(input).unwrap(), row, Added::default())
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Stretch(stretch) => format!("<{}>", stretch.left).into_bytes(),
                })
                .collect();
            assert_eq!(written.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{input}");
        };
        check("BINARY[1]", vec![octets(2, b"a\xff")], &[], b"* 3 FETCH (BINARY[1] {2}\r\na\xff)\r\n");
        check("BINARY[1]", vec![octets(2, b"a\0")], &[], b"* 3 FETCH (BINARY[1] ~{2}\r\na\0)\r\n");
        check("BINARY[1]", vec![octets(3, b"a")], &[], b"* 3 FETCH (BINARY[1] ~{3}\r\na<2>)\r\n");
        check("BODY[1]", vec![octets(2, b"a\0")], &[], b"* 3 FETCH (BODY[1] {2}\r\na\x80)\r\n");
        check("BINARY[9]", vec![Missing], &[], b"* 3 FETCH (BINARY[9] NIL)\r\n");
        check("BINARY[1]", vec![Undecodable], &[], b"");
        check("(BINARY[1] UID)", vec![Undecodable], &[], b"* 3 FETCH (UID 7)\r\n");
        let both = "(BINARY.SIZE[1] BINARY.SIZE[2] UID)";
        check(both, vec![], &[None, Some(5)], b"* 3 FETCH (BINARY.SIZE[2] 5 UID 7)\r\n");
    }

    fn pieces(request: &Request, row: FetchRow, added: Added) -> Vec<Piece> {
        let mut pieces = VecDeque::new();
        write_row(&mut pieces, request, 3, &row, added);
        pieces.into()
    }

    fn row(sections: Vec<server::Piece>) -> FetchRow {
        FetchRow {
            uid: Uid(7),
            flags: vec![Flag::Seen],
            modseq: ModSeq(1),
            facts: Some((Timestamp(0), 42)),
            envelope: None,
            structure: None,
            sections,
            binary_sizes: Vec::new(),
        }
    }

    fn octets(length: u64, start: &'static [u8]) -> server::Piece {
        server::Piece::Octets { length, start: Bytes::from_static(start) }
    }

    #[test]
    fn rows() {
        let check = |input: &str, sections: &[Option<(u64, &'static [u8])>], expected: &str| {
            let piece = |found: &Option<(u64, &'static [u8])>| match found {
                Some((length, start)) => octets(*length, start),
                None => server::Piece::Missing,
            };
            let sections = sections.iter().map(piece).collect();
            let pieces = pieces(&request(input).unwrap(), row(sections), Added::default());
            assert_eq!(pieces, [Piece::Text(expected.as_bytes().to_vec())], "{input}");
        };
        check(
            "FAST",
            &[],
            "* 3 FETCH (FLAGS (\\Seen) INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" RFC822.SIZE 42)\r\n",
        );
        check("(UID BODY[1])", &[None], "* 3 FETCH (UID 7 BODY[1] NIL)\r\n");
        check(
            "(BODY[] BODY[TEXT])",
            &[Some((2, b"a\n")), Some((0, b""))],
            "* 3 FETCH (BODY[] {2}\r\na\n BODY[TEXT] {0}\r\n)\r\n",
        );
    }

    #[test]
    fn long_sections_are_stretches() {
        let request = request("(BODY[]<100.5000> UID)").unwrap();
        let pieces = pieces(&request, row(vec![octets(3000, b"begin")]), Added { flags: true, modseq: true });
        assert_eq!(
            pieces,
            [
                Piece::Text(b"* 3 FETCH (BODY[]<100> {3000}\r\nbegin".to_vec()),
                Piece::Stretch(Stretch {
                    uid: Uid(7),
                    section: Section::default(),
                    form: Form::Raw,
                    offset: 105,
                    left: 2995,
                }),
                Piece::Text(b" UID 7 FLAGS (\\Seen) MODSEQ (1))\r\n".to_vec()),
            ]
        );
    }
}
