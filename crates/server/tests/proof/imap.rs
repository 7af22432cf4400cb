//! As much of an IMAP client as shows UIDs and which message each stands for.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use super::message::numbers_in;
use super::server::PASSWORD;

/// What a mailbox shows.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) uid_validity: u32,
    /// UIDs with the numbers of their messages, as sent.
    pub(crate) emails: Vec<(u32, u32)>,
}

/// Signs in and looks at the emails of INBOX from this UID on.
pub(crate) fn look(port: u16, account: &str, from: u32) -> io::Result<Look> {
    let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let mut client = Client { socket: BufReader::new(socket), tags: 0 };
    client.line()?;
    client.command(&format!("LOGIN {account} {PASSWORD}"))?;
    let selected = client.command("EXAMINE INBOX")?;
    let uid_validity = selected.iter().find_map(|line| number_after(line, b"[UIDVALIDITY "));
    let uid_validity = uid_validity.ok_or_else(|| io::Error::other("no UIDVALIDITY"))?;
    let fetched = client.command(&format!("UID FETCH {from}:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))?;
    let emails = fetched.iter().filter_map(|line| {
        let uid = number_after(line, b"UID ")?;
        Some((uid, numbers_in(line).next().expect("only our messages are sent")))
    });
    // `n:*` names the last email too where it is before n (RFC 3501 §6.4.8).
    let emails = emails.filter(|(uid, _)| *uid >= from).collect();
    client.command("LOGOUT")?;
    Ok(Look { uid_validity, emails })
}

struct Client {
    socket: BufReader<TcpStream>,
    tags: u32,
}

impl Client {
    /// The untagged responses, literals in place; an error unless it ends with OK.
    fn command(&mut self, text: &str) -> io::Result<Vec<Vec<u8>>> {
        self.tags += 1;
        let tag = format!("t{} ", self.tags);
        self.socket.get_mut().write_all(format!("{tag}{text}\r\n").as_bytes())?;
        let mut responses = Vec::new();
        loop {
            let line = self.line()?;
            let Some(state) = line.strip_prefix(tag.as_bytes()) else {
                responses.push(line);
                continue;
            };
            if !state.starts_with(b"OK") {
                return Err(io::Error::other(format!("{text}: {}", String::from_utf8_lossy(state))));
            }
            return Ok(responses);
        }
    }

    /// One response with its literals.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            if self.socket.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(octets) = literal(&line) else { return Ok(line) };
            let before = line.len();
            line.resize(before + octets, 0);
            self.socket.read_exact(&mut line[before..])?;
        }
    }
}

/// The length of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}\r\n")?;
    let at = inner.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&inner[at + 1..]).ok()?.parse().ok()
}

fn number_after(line: &[u8], word: &[u8]) -> Option<u32> {
    let at = line.windows(word.len()).position(|window| window == word)?;
    let digits: Vec<u8> = line[at + word.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
    String::from_utf8(digits).ok()?.parse().ok()
}
