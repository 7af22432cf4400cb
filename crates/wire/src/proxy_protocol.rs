//! The PROXY protocol, versions 1 and 2, as its receiver: the header by which a proxy before us says whom it speaks for
//! (haproxy's `doc/proxy-protocol.txt`, cited below by section).
//!
//! The header comes before everything else, TLS included, and is read to its last octet and no further. Nobody guesses
//! whether it is there (§2): a peer listed as a proxy must send it, and what anybody else sends is not read as one.
//!
//! ```text
//! octets so far --parse--> Done(Header)         the whole header, and nothing more
//!                      --> More(n)              at least n octets of it are missing: as many can be read
//!                      --> Malformed            the connection is closed without a word
//! ```

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use world::net::canonical;

use crate::limits::PROXY_HEADER_MAX;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The proxy speaks for this client; not in the IPv4-mapped form.
    For(SocketAddr),
    /// The proxy speaks for itself, such as to see whether we are up (LOCAL), or does not know for whom (UNKNOWN,
    /// UNSPEC, and families other than TCP over IP): the peer is the proxy (§2.1, §2.2).
    Own,
}

/// How far the octets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// They are a header.
    Done(Header),
    /// They begin one, of which at least so many octets are missing; 1 or more.
    More(usize),
}

/// The octets begin no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Reads the header that a connection begins with, and nothing after it. There is no deadline of its own.
///
/// # Errors
/// Of the stream; [`io::ErrorKind::InvalidData`] if there is no header, [`io::ErrorKind::UnexpectedEof`] if it is cut.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Header> {
    let mut octets = Vec::with_capacity(LINE_MAX);
    loop {
        match parse(&octets) {
            Ok(Progress::Done(header)) => return Ok(header),
            Ok(Progress::More(missing)) => {
                let had = octets.len();
                octets.resize(had + missing, 0);
                stream.read_exact(&mut octets[had..]).await?;
            }
            Err(Malformed) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Reads octets that were taken as [`Progress::More`] has told.
///
/// # Errors
/// They are no header and begin none.
pub fn parse(octets: &[u8]) -> Result<Progress, Malformed> {
    match octets.first() {
        // The shortest header is `PROXY UNKNOWN` with its line end.
        None => Ok(Progress::More(SHORTEST)),
        Some(&octet) if octet == SIGNATURE[0] => binary(octets),
        Some(_) => line(octets),
    }
}

/// Version 1 (§2.1).
fn line(octets: &[u8]) -> Result<Progress, Malformed> {
    let start = octets.len().min(WORD.len());
    if octets[..start] != WORD[..start] {
        return Err(Malformed);
    }
    // "The receiver must not tolerate a single CR or LF character to end the line."
    let end = octets.iter().position(|octet| b"\r\n".contains(octet));
    match end.map(|end| (&octets[..end], &octets[end..])) {
        Some((line, b"\r\n")) => fields(&line[WORD.len().min(line.len())..]).map(Progress::Done),
        Some((_, b"\r")) => Ok(Progress::More(1)),
        Some(_) => Err(Malformed),
        None if octets.len() + 2 > LINE_MAX => Err(Malformed),
        None => Ok(Progress::More(SHORTEST.saturating_sub(octets.len()).max(2))),
    }
}

/// What follows the first word and its space, without the line end.
fn fields(line: &[u8]) -> Result<Header, Malformed> {
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    // "The receiver must ignore anything presented before the CRLF is found."
    if line.split(' ').next() == Some("UNKNOWN") {
        return Ok(Header::Own);
    }
    let fields: Vec<&str> = line.split(' ').collect();
    let [family, source, destination, source_port, destination_port] = fields[..] else {
        return Err(Malformed);
    };
    let port = port(source_port)?;
    self::port(destination_port)?;
    match family {
        "TCP4" => {
            let [source, _] = [v4(source)?, v4(destination)?];
            Ok(Header::For((source, port).into()))
        }
        "TCP6" => {
            let [source, _] = [v6(source)?, v6(destination)?];
            Ok(Header::For(canonical((source, port).into())))
        }
        _ => Err(Malformed),
    }
}

fn v4(text: &str) -> Result<Ipv4Addr, Malformed> {
    text.parse().map_err(|_| Malformed)
}

fn v6(text: &str) -> Result<Ipv6Addr, Malformed> {
    text.parse().map_err(|_| Malformed)
}

/// "Leading zeroes are not permitted."
fn port(text: &str) -> Result<u16, Malformed> {
    let plain = text.bytes().all(|octet| octet.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().map_err(|_| Malformed) } else { Err(Malformed) }
}

/// Version 2 (§2.2).
fn binary(octets: &[u8]) -> Result<Progress, Malformed> {
    let start = octets.len().min(SIGNATURE.len());
    if octets[..start] != SIGNATURE[..start] {
        return Err(Malformed);
    }
    let Some((head, rest)) = octets.split_first_chunk::<HEAD>() else {
        return Ok(Progress::More(HEAD - octets.len()));
    };
    let [.., version_and_command, family_and_protocol, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    let content = Content::of(version_and_command, family_and_protocol)?;
    if length < content.addresses() || HEAD + length > PROXY_HEADER_MAX {
        return Err(Malformed);
    }
    match length.checked_sub(rest.len()) {
        None => Err(Malformed),
        Some(0) => Ok(Progress::Done(content.header(rest))),
        Some(missing) => Ok(Progress::More(missing)),
    }
}

/// What the addresses of a binary header are. Whatever follows them (TLV) is passed over: a name that the client asked
/// for (`PP2_TYPE_AUTHORITY`) or a certificate that it showed would be the proxy's word alone.
enum Content {
    Ignored,
    Tcp4,
    Tcp6,
}

impl Content {
    fn of(version_and_command: u8, family_and_protocol: u8) -> Result<Self, Malformed> {
        let (family, protocol) = (family_and_protocol >> 4, family_and_protocol & 0xF);
        if family > 3 || protocol > 2 {
            return Err(Malformed);
        }
        match (version_and_command, family_and_protocol) {
            // LOCAL: "discard the protocol block including the family which is ignored."
            (0x20, _) => Ok(Self::Ignored),
            (0x21, 0x11) => Ok(Self::Tcp4),
            (0x21, 0x21) => Ok(Self::Tcp6),
            // "It automatically falls back to the UNSPEC mode for the valid combinations that it does not support."
            (0x21, _) => Ok(Self::Ignored),
            _ => Err(Malformed),
        }
    }

    /// How many octets they take.
    fn addresses(&self) -> usize {
        match self {
            Self::Ignored => 0,
            Self::Tcp4 => 2 * (4 + 2),
            Self::Tcp6 => 2 * (16 + 2),
        }
    }

    /// Of octets that are long enough: source, destination, port of the source, port of the destination.
    fn header(&self, octets: &[u8]) -> Header {
        let port = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
        match (self, octets.first_chunk::<4>(), octets.first_chunk::<16>()) {
            (Self::Tcp4, Some(source), _) => Header::For((Ipv4Addr::from(*source), port(8)).into()),
            (Self::Tcp6, _, Some(source)) => {
                Header::For(canonical((Ipv6Addr::from(*source), port(32)).into()))
            }
            _ => Header::Own,
        }
    }
}

/// What a line begins with.
const WORD: &[u8] = b"PROXY ";

/// Octets of the shortest line, which is shorter than the shortest binary header.
const SHORTEST: usize = b"PROXY UNKNOWN\r\n".len();

/// Octets of the longest line, with its end (§2.1).
const LINE_MAX: usize = 107;

/// What a binary header begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// Octets of a binary header before its addresses.
const HEAD: usize = 16;

#[cfg(test)]
mod tests;
