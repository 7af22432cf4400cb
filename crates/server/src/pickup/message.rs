//! A file that was put down to be sent: its envelope and its message. Pure.
//!
//! The envelope stands in lines before the message, as IIS read them, or else in the header:
//!
//! ```text
//! X-Sender: ann@example.org        <> for none
//! X-Receiver: bob@example.net      one line each
//! X-Notify: SUCCESS,FAILURE        X-Notify, X-Ret, X-Envid: as NOTIFY, RET, ENVID (RFC 3461)
//! X-Envelope-End: here             where a field of the message has one of these names and would come next
//! From: Ann <ann@example.org>
//! ...
//! ```
//!
//! | where the lines are missing | taken from |
//! |---|---|
//! | sender | Resent-Sender or Resent-From where the message is resent, else Sender or From |
//! | recipients | Resent-To, Resent-Cc, Resent-Bcc, else To, Cc, Bcc (RFC 5322 §3.6.3, §3.6.6) |
//!
//! Bcc fields are taken out in each case: whom they name is a secret. Line ends become CRLF.

use mail::message::{EnvelopeAddress, EnvelopeFields, Header};
use mail::{Address, MessageParameters, Notify, Return, ReversePath, parameters};

use crate::limits::SUBMITTED_HEADER_OCTETS_MAX;

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) reverse_path: ReversePath,
    /// At least one.
    pub(crate) recipients: Vec<Address>,
    /// Lines that end with CRLF, without Bcc.
    pub(crate) content: Vec<u8>,
    /// What the sender wants to hear (RFC 3461).
    pub(crate) notify: Option<Notify>,
    pub(crate) parameters: MessageParameters,
}

/// Reads a file.
///
/// # Errors
/// In words, why it cannot be sent.
pub(crate) fn parse(octets: &[u8]) -> Result<Parsed, String> {
    let lines = with_line_ends(octets)?;
    let mut rest = &lines[..];
    let (mut sender, mut recipients) = (None, Vec::new());
    let (mut notify, mut parameters) = (None, MessageParameters::default());
    while let Some((name, value, behind)) = envelope_line(rest) {
        match name {
            Line::Sender => sender = Some(path(&value)?),
            Line::Receiver => recipients.push(address(&value)?),
            Line::Notify => notify = Some(Notify::parse(&value).ok_or("its X-Notify cannot be read")?),
            Line::Ret => parameters.ret = Some(Return::parse(&value).ok_or("its X-Ret cannot be read")?),
            Line::Envid => {
                let id = parameters::envelope_id(&value).ok_or("its X-Envid cannot be read")?;
                parameters.envelope_id = Some(id);
            }
            // What badmail says of itself; and a program's idea of what else there could be.
            Line::Other => {}
            Line::End => {
                rest = behind;
                break;
            }
        }
        rest = behind;
    }
    let header = Header::parse(rest);
    if header.over_budget() || header.octets() > SUBMITTED_HEADER_OCTETS_MAX {
        return Err("its header is too large".into());
    }
    if recipients.is_empty() {
        recipients = header_recipients(&header, None)?;
    }
    if recipients.is_empty() {
        return Err("it names no recipient, neither in X-Receiver lines nor in its header".into());
    }
    let reverse_path = match sender {
        Some(path) => path,
        None => {
            header_sender(&header).ok_or("it names no sender, neither in an X-Sender line nor in From")?
        }
    };
    Ok(Parsed { reverse_path, recipients, content: without_bcc(rest, &header), notify, parameters })
}

/// Every line end as CRLF.
///
/// # Errors
/// A CR that ends no line: what others would make of it nobody knows.
pub(crate) fn with_line_ends(octets: &[u8]) -> Result<Vec<u8>, String> {
    let mut lines = Vec::with_capacity(octets.len() + octets.len() / 32 + 2);
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.contains(&b'\r') {
            return Err("it has a CR that ends no line".into());
        }
        lines.extend_from_slice(text);
        lines.extend_from_slice(b"\r\n");
    }
    Ok(lines)
}

/// Who is to have a message, by its header. `domain` stands behind names that have none.
///
/// # Errors
/// Something there is no address, and so somebody would not get it.
pub(crate) fn header_recipients(header: &Header<'_>, domain: Option<&str>) -> Result<Vec<Address>, String> {
    let names: &[&str] = match is_resent(header) {
        true => &["Resent-To", "Resent-Cc", "Resent-Bcc"],
        false => &["To", "Cc", "Bcc"],
    };
    let mut recipients = Vec::new();
    for one in names.iter().flat_map(|name| list(header, name)) {
        // The beginning or the end of a group.
        let (Some(local), Some(host)) = (one.mailbox, one.host) else { continue };
        let host = match (host.is_empty(), domain) {
            (true, Some(domain)) => domain.as_bytes().to_vec(),
            _ => host,
        };
        let text = [&local[..], b"@", &host[..]].concat();
        recipients.push(address(&String::from_utf8_lossy(&text))?);
    }
    Ok(recipients)
}

/// Who sends it, by its header.
pub(crate) fn header_sender(header: &Header<'_>) -> Option<ReversePath> {
    let names = if is_resent(header) { ["Resent-Sender", "Resent-From"] } else { ["Sender", "From"] };
    let one = names.iter().flat_map(|name| list(header, name)).next()?;
    let text = [&one.mailbox?[..], b"@", &one.host?[..]].concat();
    let address = String::from_utf8(text).ok()?.parse().ok()?;
    Some(ReversePath::Address(address))
}

/// A message without its Bcc fields.
pub(crate) fn without_bcc(content: &[u8], header: &Header<'_>) -> Vec<u8> {
    let (mut kept, mut from) = (Vec::with_capacity(content.len()), 0);
    for field in header.fields().iter().filter(|field| field.is("Bcc") || field.is("Resent-Bcc")) {
        kept.extend_from_slice(&content[from..field.range.start]);
        from = field.range.end;
    }
    kept.extend_from_slice(&content[from..]);
    kept
}

fn is_resent(header: &Header<'_>) -> bool {
    ["Resent-To", "Resent-Cc", "Resent-Bcc"].iter().any(|name| header.count(name) > 0)
}

/// The addresses of the fields of a name.
fn list(header: &Header<'_>, name: &str) -> Vec<EnvelopeAddress> {
    let mut fields = b"To: ".to_vec();
    for (place, field) in header.find_all(name).enumerate() {
        fields.extend_from_slice(if place == 0 { b"" } else { b", " });
        fields.extend_from_slice(&field.unfolded());
    }
    fields.extend_from_slice(b"\r\n\r\n");
    EnvelopeFields::of(&Header::parse(&fields)).to
}

enum Line {
    Sender,
    Receiver,
    Notify,
    Ret,
    Envid,
    Other,
    End,
}

/// The line that ends an envelope, where the message begins with what would be read as more of it: a field of a message says
/// nothing about who gets it.
pub(crate) fn end_of_envelope(message: &[u8]) -> &'static [u8] {
    if envelope_line(message).is_some() { b"X-Envelope-End: here\r\n" } else { b"" }
}

/// The first line, if it belongs to the envelope: its meaning, its value, what follows.
fn envelope_line(text: &[u8]) -> Option<(Line, String, &[u8])> {
    let end = text.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&text[..end]).ok()?;
    let (name, value) = line.split_once(':')?;
    let line = match name.trim_end().to_ascii_lowercase().as_str() {
        "x-sender" => Line::Sender,
        "x-receiver" => Line::Receiver,
        "x-notify" => Line::Notify,
        "x-ret" => Line::Ret,
        "x-envid" => Line::Envid,
        "x-envelope-end" => Line::End,
        "x-badmail-reason" | "x-badmail-time" => Line::Other,
        _ => return None,
    };
    Some((line, value.trim().to_owned(), &text[end + 2..]))
}

fn path(text: &str) -> Result<ReversePath, String> {
    if text.is_empty() || text == "<>" {
        return Ok(ReversePath::Null);
    }
    address(text).map(ReversePath::Address)
}

fn address(text: &str) -> Result<Address, String> {
    let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    bare.parse().map_err(|_| format!("\"{}\" is no address", mail::printable(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sender, recipients and content, or the mistake.
    fn shown(text: &str) -> String {
        match parse(text.as_bytes()) {
            Ok(Parsed { reverse_path, recipients, content, .. }) => {
                let sender = reverse_path.address().map(ToString::to_string).unwrap_or_default();
                let recipients: Vec<String> = recipients.iter().map(ToString::to_string).collect();
                format!("{sender} -> {}: {}", recipients.join(" "), String::from_utf8_lossy(&content))
            }
            Err(error) => error,
        }
    }

    #[test]
    fn envelopes_stand_in_lines_or_in_the_header() {
        for (text, expected) in [
            (
                "X-Sender: ann@a.example\nX-Receiver: <bob@b.example>\nx-receiver: c@c.example\nTo: d@d.example\n\nhi\n",
                "ann@a.example -> bob@b.example c@c.example: To: d@d.example\r\n\r\nhi\r\n",
            ),
            (
                "X-Sender: a@a.example\nX-Receiver: b@b.example\nX-Envelope-End: here\nX-Receiver: c@c.example\n\n",
                "a@a.example -> b@b.example: X-Receiver: c@c.example\r\n\r\n",
            ),
            (
                "X-Sender: <>\r\nX-Receiver: b@b.example\r\nBcc: x@x.example\r\nFrom: a@a.example\r\n\r\n",
                " -> b@b.example: From: a@a.example\r\n\r\n",
            ),
            (
                "From: Ann <ann@a.example>\nTo: B <b@b.example>, g: c@c.example;\nBcc: d@d.example,\n e@e.example\nCc: f@f.example\n\n.",
                "ann@a.example -> b@b.example c@c.example f@f.example d@d.example e@e.example: \
                 From: Ann <ann@a.example>\r\nTo: B <b@b.example>, g: c@c.example;\r\nCc: f@f.example\r\n\r\n.\r\n",
            ),
            (
                "Resent-From: r@r.example\nResent-To: s@s.example\nFrom: a@a.example\nTo: b@b.example\n\n",
                "r@r.example -> s@s.example: Resent-From: r@r.example\r\nResent-To: s@s.example\r\n\
                 From: a@a.example\r\nTo: b@b.example\r\n\r\n",
            ),
            (
                "From: a@a.example\nSender: s@a.example\nTo: b@b.example\nTo: c@c.example\n\n",
                "s@a.example -> b@b.example c@c.example: From: a@a.example\r\nSender: s@a.example\r\n\
                 To: b@b.example\r\nTo: c@c.example\r\n\r\n",
            ),
            ("X-Receiver: nobody\n\n", "\"nobody\" is no address"),
            ("X-Receiver: b@b.example\n\n", "it names no sender, neither in an X-Sender line nor in From"),
            ("From: a@a.example\n\n", "it names no recipient, neither in X-Receiver lines nor in its header"),
            ("From: a@a.example\nTo: nobody\n\n", "\"nobody@\" is no address"),
            ("From: a@a.example\nTo: b@b.example\n\na\rb\n", "it has a CR that ends no line"),
            ("", "it names no recipient, neither in X-Receiver lines nor in its header"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
