//! Contents that are hard to carry.

/// What is sent.
pub(crate) struct Content {
    pub(crate) name: &'static str,
    pub(crate) sent: Vec<u8>,
}

const HEADER: &str =
    "From: <a@example.org>\r\nSubject: one of many\r\nMessage-ID: <1@client.example>\r\n\r\n";

/// What a submission server would add.
const COMPLETE: &str = "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n";
const ORIGIN: &str = "From: <a@example.org>\r\nMessage-ID: <2@client.example>\r\n";

impl Content {
    /// The same as a submission server leaves it alone.
    pub(crate) fn submitted(self) -> Self {
        let origin = if self.sent.starts_with(HEADER.as_bytes()) { "" } else { ORIGIN };
        Self { sent: [COMPLETE.as_bytes(), origin.as_bytes(), &self.sent].concat(), ..self }
    }
}

/// All of them; the largest last.
pub(crate) fn all() -> Vec<Content> {
    let content = |name, body: &[u8]| Content { name, sent: [HEADER.as_bytes(), body].concat() };
    vec![
        content("plain", b"Hello.\r\n"),
        content("dots", b".\r\n..\r\n...\r\n.x\r\n x.\r\n\r\n.\r\n"),
        content("eight bits", "Grüße, 世界 \u{1F4EF}\r\n\u{e9}\r\n".as_bytes()),
        content("every octet but CR and LF", &octets()),
        content("long lines", &[line(998), line(5_000), line(20_000)].concat()),
        content("empty body", b""),
        content("no final line end", b"the end"),
        content("empty lines at the end", b"x\r\n\r\n\r\n\r\n"),
        Content { name: "header only", sent: b"Subject: no body\r\n".to_vec() },
        Content { name: "no header", sent: b"\r\nonly a body\r\n".to_vec() },
        Content {
            name: "foreign trace",
            sent: b"Received: from x by y; Thu, 1 Jan 1970 00:00:00 +0000\r\nX-A: 1\r\n\t2\r\n\r\nx\r\n"
                .to_vec(),
        },
        content("300 KiB", &lines(300 * 1024)),
        content("attachment of 1 MiB", &attachment(1024 * 1024)),
        content("5 MiB", &lines(5 * 1024 * 1024)),
    ]
}

fn octets() -> Vec<u8> {
    let mut octets: Vec<u8> = (1..=255).filter(|byte| !b"\r\n".contains(byte)).collect();
    octets.extend_from_slice(b"\r\n");
    octets
}

fn line(length: usize) -> Vec<u8> {
    let mut line: Vec<u8> = (b'a'..=b'z').cycle().take(length).collect();
    line.extend_from_slice(b"\r\n");
    line
}

/// Numbered lines, so that a piece that is lost, doubled or moved is seen; every ninth begins with a dot.
fn lines(size: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(size + 80);
    let mut number = 0;
    while lines.len() < size {
        let dot = if number % 9 == 0 { "." } else { "" };
        lines.extend_from_slice(format!("{dot}{number:08} {}\r\n", "x".repeat(number % 60)).as_bytes());
        number += 1;
    }
    lines
}

/// Base64 as a mail program writes it.
fn attachment(size: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(size + 80);
    while lines.len() < size {
        lines.extend(
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                .iter()
                .cycle()
                .skip(lines.len() % 61)
                .take(76),
        );
        lines.extend_from_slice(b"\r\n");
    }
    lines
}
