//! From what a program writes to the file that the pickup directory takes. Pure.

use mail::message::Header;
use mail::{Notify, Return, parameters};

use super::Failure;
use super::options::Options;
use crate::pickup::{end_of_envelope, header_recipients, with_line_ends, without_bcc};

/// Who sends, where nobody says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ourselves {
    /// The user who runs the program.
    pub(super) user: String,
    /// His name, if it is known.
    pub(super) name: String,
    /// What stands behind an address without a domain.
    pub(super) domain: String,
}

/// What is on standard input: a dot alone ends it, unless dots are lines like others.
pub(super) fn until_dot(input: &[u8], dots: bool) -> &[u8] {
    if dots {
        return input;
    }
    let mut end = 0;
    for line in input.split_inclusive(|octet| *octet == b'\n') {
        if matches!(line, b".\n" | b".\r\n" | b".") {
            return &input[..end];
        }
        end += line.len();
    }
    input
}

/// The file: the envelope in lines, then the message.
///
/// # Errors
/// What is wrong with the command line or the message.
pub(super) fn letter(options: &Options, input: &[u8], we: &Ourselves) -> Result<Vec<u8>, Failure> {
    let mut text = until_dot(input, options.dots);
    // The line before the header of a message out of an mbox.
    if text.starts_with(b"From ") {
        text = after_line(text);
    }
    let text = with_line_ends(text).map_err(Failure::Data)?;
    let header = Header::parse(&text);
    let mut recipients = Vec::new();
    for one in &options.recipients {
        recipients
            .extend(one.split(',').map(str::trim).filter(|one| !one.is_empty()).map(|one| we.qualified(one)));
    }
    if options.by_header {
        let named = header_recipients(&header, Some(&we.domain)).map_err(Failure::Data)?;
        recipients.extend(named.iter().map(ToString::to_string));
    }
    if recipients.is_empty() {
        return Err(Failure::Usage("no recipient is named".into()));
    }
    for one in &recipients {
        one.parse::<mail::Address>().map_err(|_| Failure::NoUser(format!("\"{one}\" is no address")))?;
    }
    let sender = match options.sender.as_deref() {
        Some("" | "<>") => "<>".to_owned(),
        Some(sender) => we.qualified(sender.trim_matches(['<', '>'])),
        None => we.qualified(&we.user),
    };
    if sender != "<>" && sender.parse::<mail::Address>().is_err() {
        return Err(Failure::Usage(format!("\"{sender}\" is no address")));
    }
    let mut file = envelope(options, &sender, &recipients)?;
    file.extend_from_slice(end_of_envelope(&text));
    if header.count("From") == 0 {
        file.extend_from_slice(author(options, &sender, we).as_bytes());
    }
    let text = if options.by_header { without_bcc(&text, &header) } else { text.clone() };
    file.extend_from_slice(&text);
    Ok(file)
}

fn envelope(options: &Options, sender: &str, recipients: &[String]) -> Result<Vec<u8>, Failure> {
    let wrong = |what: &str| Failure::Usage(format!("{what} has a value that it cannot have"));
    let mut lines = format!("X-Sender: {sender}\r\n");
    for recipient in recipients {
        lines.push_str(&format!("X-Receiver: {recipient}\r\n"));
    }
    if let Some(notify) = &options.notify {
        Notify::parse(notify).ok_or_else(|| wrong("-N"))?;
        lines.push_str(&format!("X-Notify: {notify}\r\n"));
    }
    if let Some(ret) = &options.ret {
        Return::parse(ret).ok_or_else(|| wrong("-R"))?;
        lines.push_str(&format!("X-Ret: {ret}\r\n"));
    }
    if let Some(id) = &options.envelope_id {
        parameters::envelope_id(id).ok_or_else(|| wrong("-V"))?;
        lines.push_str(&format!("X-Envid: {id}\r\n"));
    }
    Ok(lines.into_bytes())
}

/// The From field that a message has none of.
fn author(options: &Options, sender: &str, we: &Ourselves) -> String {
    let address = if sender == "<>" { we.qualified(&we.user) } else { sender.to_owned() };
    let name = options.name.as_deref().unwrap_or(&we.name);
    let plain: String =
        name.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).collect();
    if plain.is_empty() || !plain.is_ascii() {
        return format!("From: {address}\r\n");
    }
    format!("From: \"{plain}\" <{address}>\r\n")
}

impl Ourselves {
    /// An address with its domain.
    pub(super) fn qualified(&self, address: &str) -> String {
        let address = address.trim_matches(['<', '>']);
        if address.contains('@') { address.to_owned() } else { format!("{address}@{}", self.domain) }
    }
}

/// What follows the first line.
fn after_line(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|octet| *octet == b'\n').map_or(text.len(), |at| at + 1);
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn we() -> Ourselves {
        Ourselves { user: "ann".into(), name: "Ann Example".into(), domain: "host.example".into() }
    }

    fn shown(options: &Options, input: &str) -> String {
        match letter(options, input.as_bytes(), &we()) {
            Ok(file) => String::from_utf8(file).unwrap().replace("\r\n", "|"),
            Err(failure) => format!("{failure:?}"),
        }
    }

    #[test]
    fn what_a_program_writes_becomes_a_file_with_its_envelope() {
        let to = |one: &str| Options { recipients: vec![one.into()], ..Options::default() };
        let by_header = Options { by_header: true, dots: true, ..Options::default() };
        for (options, input, expected) in [
            (
                to("root"),
                "Subject: x\n\nhi\n.\nnot this\n",
                "X-Sender: ann@host.example|X-Receiver: root@host.example|From: \"Ann Example\" <ann@host.example>|Subject: x||hi|",
            ),
            (
                Options { dots: true, sender: Some("<>".into()), ..to("b@b.example") },
                "From: a@a.example\r\n\r\n.\r\nthis\r\n",
                "X-Sender: <>|X-Receiver: b@b.example|From: a@a.example||.|this|",
            ),
            (
                by_header.clone(),
                "From ann Mon\nFrom: a@a.example\nTo: b@b.example, root\nBcc: secret@s.example\n\n.",
                "X-Sender: ann@host.example|X-Receiver: b@b.example|X-Receiver: root@host.example|\
                 X-Receiver: secret@s.example|From: a@a.example|To: b@b.example, root||.|",
            ),
            (
                Options {
                    notify: Some("NEVER".into()),
                    ret: Some("HDRS".into()),
                    envelope_id: Some("7".into()),
                    ..to("b@b.example")
                },
                "From: a@a.example\n\n",
                "X-Sender: ann@host.example|X-Receiver: b@b.example|X-Notify: NEVER|X-Ret: HDRS|X-Envid: 7|From: a@a.example||",
            ),
            (
                to("b@b.example"),
                "X-Receiver: secret@s.example\nFrom: a@a.example\n\n",
                "X-Sender: ann@host.example|X-Receiver: b@b.example|X-Envelope-End: here|\
                 X-Receiver: secret@s.example|From: a@a.example||",
            ),
            (by_header, "From: a@a.example\n\n", "Usage(\"no recipient is named\")"),
            (to("a b"), "\n", "NoUser(\"\\\"a b@host.example\\\" is no address\")"),
            (to("b@b.example"), "a\rb", "Data(\"it has a CR that ends no line\")"),
            (
                Options { notify: Some("often".into()), ..to("b@b.example") },
                "",
                "Usage(\"-N has a value that it cannot have\")",
            ),
        ] {
            assert_eq!(shown(&options, input), expected, "{input:?}");
        }
    }
}
