//! ENVELOPE, BODY and BODYSTRUCTURE (RFC 3501 §7.4.2), written without recursion.

use mail::message::{EnvelopeAddress, EnvelopeFields, Part};

use super::responses::Writer;

/// How a structure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Style {
    /// With extension data: BODYSTRUCTURE has them, BODY must not.
    pub(super) extended: bool,
    /// `message/global` is shown as a message (RFC 9051 §9, media-message), not as some part (RFC 3501 §9).
    pub(super) globals: bool,
}

/// Writes an envelope.
pub(super) fn envelope(writer: &mut Writer<'_>, fields: &EnvelopeFields) {
    writer.raw("(").nstring(fields.date.as_deref()).raw(" ").nstring(fields.subject.as_deref());
    for list in [&fields.from, &fields.sender, &fields.reply_to, &fields.to, &fields.cc, &fields.bcc] {
        writer.raw(" ");
        addresses(writer, list);
    }
    writer.raw(" ").nstring(fields.in_reply_to.as_deref());
    writer.raw(" ").nstring(fields.message_id.as_deref()).raw(")");
}

fn addresses(writer: &mut Writer<'_>, list: &[EnvelopeAddress]) {
    if list.is_empty() {
        writer.raw("NIL");
        return;
    }
    writer.raw("(");
    for address in list {
        // The second is the source route, which is dropped (RFC 5322 §4.4).
        writer.raw("(").nstring(address.name.as_deref()).raw(" NIL ");
        writer.nstring(address.mailbox.as_deref()).raw(" ").nstring(address.host.as_deref()).raw(")");
    }
    writer.raw(")");
}

/// What is still to be written, innermost last.
enum Todo<'a> {
    Part(&'a Part),
    EndOfMultipart(&'a Part),
    EndOfMessage(&'a Part),
}

/// Writes the structure; a missing one is that of an empty text.
pub(super) fn body(writer: &mut Writer<'_>, part: Option<&Part>, style: Style) {
    let Some(part) = part else {
        writer.raw(NOTHING);
        return;
    };
    let mut stack = vec![Todo::Part(part)];
    while let Some(todo) = stack.pop() {
        match todo {
            Todo::Part(part) if is_type(part, "multipart") => {
                writer.raw("(");
                stack.push(Todo::EndOfMultipart(part));
                stack.extend(part.parts.iter().rev().map(Todo::Part));
            }
            Todo::Part(part) => match (is_message(part, style), &part.envelope, part.parts.first()) {
                (true, Some(fields), Some(inner)) => {
                    writer.raw("(");
                    basic_fields(writer, part, style);
                    writer.raw(" ");
                    envelope(writer, fields);
                    writer.raw(" ");
                    stack.push(Todo::EndOfMessage(part));
                    stack.push(Todo::Part(inner));
                }
                _ => leaf(writer, part, style),
            },
            Todo::EndOfMultipart(part) => end_of_multipart(writer, part, style),
            Todo::EndOfMessage(part) => {
                writer.raw(" ").number(part.lines);
                end_of_single(writer, part, style);
            }
        }
    }
}

/// RFC 3501 §9 wants one body at least in a multipart.
const NOTHING: &str = r#"("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0)"#;

fn is_type(part: &Part, kind: &str) -> bool {
    part.kind.eq_ignore_ascii_case(kind)
}

fn is_message(part: &Part, style: Style) -> bool {
    let is = |subtype| part.subtype.eq_ignore_ascii_case(subtype);
    is_type(part, "message") && (is("rfc822") || style.globals && is("global"))
}

/// A part without parts.
fn leaf(writer: &mut Writer<'_>, part: &Part, style: Style) {
    writer.raw("(");
    basic_fields(writer, part, style);
    if is_type(part, "text") {
        writer.raw(" ").number(part.lines);
    }
    end_of_single(writer, part, style);
}

/// `media SP body-fields`
fn basic_fields(writer: &mut Writer<'_>, part: &Part, style: Style) {
    if is_message(part, style) && part.parts.is_empty() {
        // A message that was too deep to be read may not be shown as one (RFC 3501 §9, media-basic).
        writer.raw(r#""APPLICATION" "OCTET-STREAM""#);
    } else {
        writer.string(part.kind.as_bytes()).raw(" ").string(part.subtype.as_bytes());
    }
    writer.raw(" ");
    parameters(writer, &part.parameters);
    writer.raw(" ").nstring(part.id.as_deref()).raw(" ").nstring(part.description.as_deref());
    writer.raw(" ").string(part.encoding.as_bytes()).raw(" ").number(part.body.len());
}

fn parameters(writer: &mut Writer<'_>, list: &[(String, Vec<u8>)]) {
    if list.is_empty() {
        writer.raw("NIL");
        return;
    }
    for (place, (name, value)) in super::parameters::joined(list).iter().enumerate() {
        writer.raw(if place == 0 { "(" } else { " " }).string(name.as_bytes()).raw(" ").string(value);
    }
    writer.raw(")");
}

fn end_of_single(writer: &mut Writer<'_>, part: &Part, style: Style) {
    if style.extended {
        writer.raw(" ").nstring(part.md5.as_deref());
        extension_fields(writer, part);
    }
    writer.raw(")");
}

fn end_of_multipart(writer: &mut Writer<'_>, part: &Part, style: Style) {
    if part.parts.is_empty() {
        writer.raw(NOTHING);
    }
    writer.raw(" ").string(part.subtype.as_bytes());
    if style.extended {
        writer.raw(" ");
        parameters(writer, &part.parameters);
        extension_fields(writer, part);
    }
    writer.raw(")");
}

/// Disposition, language, location.
fn extension_fields(writer: &mut Writer<'_>, part: &Part) {
    writer.raw(" ");
    match &part.disposition {
        Some((kind, list)) => {
            writer.raw("(").string(kind.as_bytes()).raw(" ");
            parameters(writer, list);
            writer.raw(")");
        }
        None => _ = writer.raw("NIL"),
    }
    writer.raw(" ");
    match part.language.as_slice() {
        [] => _ = writer.raw("NIL"),
        [one] => _ = writer.string(one),
        several => {
            for (place, language) in several.iter().enumerate() {
                writer.raw(if place == 0 { "(" } else { " " }).string(language);
            }
            writer.raw(")");
        }
    }
    writer.raw(" ").nstring(part.location.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Style = Style { extended: false, globals: false };
    const BODYSTRUCTURE: Style = Style { extended: true, globals: false };

    fn written(write: impl FnOnce(&mut Writer<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Writer::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    fn text() -> Part {
        Part {
            kind: "text".into(),
            subtype: "plain".into(),
            parameters: vec![("charset".into(), b"utf-8".to_vec())],
            encoding: "7BIT".into(),
            body: 10..52,
            lines: 3,
            ..Part::default()
        }
    }

    fn multipart(parts: Vec<Part>) -> Part {
        Part { kind: "multipart".into(), subtype: "mixed".into(), parts, ..Part::default() }
    }

    #[test]
    fn structures() {
        let check = |part: &Part, extended, expected: &str| {
            assert_eq!(written(|writer| body(writer, Some(part), extended)), expected);
        };
        check(&text(), BODY, r#"("text" "plain" ("charset" "utf-8") NIL NIL "7BIT" 42 3)"#);
        check(
            &text(),
            BODYSTRUCTURE,
            r#"("text" "plain" ("charset" "utf-8") NIL NIL "7BIT" 42 3 NIL NIL NIL NIL)"#,
        );
        let attached = Part {
            kind: "image".into(),
            subtype: "png".into(),
            encoding: "BASE64".into(),
            disposition: Some(("attachment".into(), vec![("filename".into(), b"a.png".to_vec())])),
            language: vec![b"de".to_vec(), b"en".to_vec()],
            ..Part::default()
        };
        check(
            &multipart(vec![text(), attached]),
            BODYSTRUCTURE,
            "((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7BIT\" 42 3 NIL NIL NIL NIL)\
             (\"image\" \"png\" NIL NIL NIL \"BASE64\" 0 NIL (\"attachment\" (\"filename\" \"a.png\")) \
             (\"de\" \"en\") NIL) \"mixed\" NIL NIL NIL NIL)",
        );
        check(&multipart(vec![]), BODY, r#"(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 0 0) "mixed")"#);
    }

    #[test]
    fn messages_within() {
        let mut message = Part {
            kind: "message".into(),
            subtype: "RFC822".into(),
            encoding: "7BIT".into(),
            body: 0..100,
            lines: 9,
            ..Part::default()
        };
        let styled = |part: &Part, style| written(|writer| body(writer, Some(part), style));
        let written = |part: &Part| styled(part, BODY);
        assert_eq!(written(&message), r#"("APPLICATION" "OCTET-STREAM" NIL NIL NIL "7BIT" 100)"#);
        message.parts = vec![text()];
        message.envelope = Some(Box::default());
        assert_eq!(
            written(&message),
            "(\"message\" \"RFC822\" NIL NIL NIL \"7BIT\" 100 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) \
             (\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"7BIT\" 42 3) 9)"
        );
        // RFC 3501 knows no other message; RFC 9051 knows message/global.
        let as_rfc822 = written(&message);
        message.subtype = "global".into();
        assert_eq!(written(&message), r#"("message" "global" NIL NIL NIL "7BIT" 100)"#);
        let rev2 = Style { globals: true, ..BODY };
        assert_eq!(styled(&message, rev2), as_rfc822.replace("RFC822", "global"));
    }

    #[test]
    fn depth_costs_no_stack() {
        let mut part = text();
        for _ in 0..5_000 {
            part = multipart(vec![part]);
        }
        assert!(written(|writer| body(writer, Some(&part), BODYSTRUCTURE)).len() > 5_000);
        // Dropping is the tree's own business, whose depth `mail` bounds: here it is taken apart by hand.
        while let Some(inner) = part.parts.pop() {
            part = inner;
        }
    }

    #[test]
    fn envelopes() {
        let fields = EnvelopeFields {
            date: Some(b"Mon, 7 Feb 1994 21:52:25 -0800".to_vec()),
            subject: Some("grün".as_bytes().to_vec()),
            from: vec![EnvelopeAddress {
                name: Some(b"Terry \"T\" Gray".to_vec()),
                mailbox: Some(b"gray".to_vec()),
                host: Some(b"cac.washington.edu".to_vec()),
            }],
            ..EnvelopeFields::default()
        };
        assert_eq!(
            written(|writer| envelope(writer, &fields)),
            "(\"Mon, 7 Feb 1994 21:52:25 -0800\" {5}\r\ngrün \
             ((\"Terry \\\"T\\\" Gray\" NIL \"gray\" \"cac.washington.edu\")) NIL NIL NIL NIL NIL NIL NIL)"
        );
    }
}
