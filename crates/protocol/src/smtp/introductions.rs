//! XCLIENT and XFORWARD, as Postfix documents them: what a peer that is listed says of the client for which it speaks.
//!
//! ```text
//! command   = ("XCLIENT" / "XFORWARD") 1*( SP attribute "=" value )      value in xtext (RFC 3461 §4)
//! XCLIENT   NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT            believed: the session begins anew as the client's
//! XFORWARD  NAME ADDR PORT PROTO HELO IDENT SOURCE                       noted: told in the story of the next message
//! ```
//!
//! `[UNAVAILABLE]` and, for a name, `[TEMPUNAVAIL]` say that nothing is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail::parameters;

use super::command::{self, Refusal};
use super::replies;
use crate::limits::SMTP_HELLO_OCTETS_MAX;
use crate::misuse::Misuse;

/// An attribute that was said: its value, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said<T> {
    /// `[UNAVAILABLE]`, `[TEMPUNAVAIL]`.
    Unknown,
    /// This.
    Is(T),
}

impl<T> Said<T> {
    /// The value, if there is one.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Unknown => None,
            Self::Is(value) => Some(value),
        }
    }
}

/// What XCLIENT said: attributes that it did not name stay as they were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The client's name, from its address.
    pub name: Option<Said<String>>,
    /// Its address; never IPv4-mapped.
    pub address: Option<Said<IpAddr>>,
    /// Its port.
    pub port: Option<Said<u16>>,
    /// What it called itself.
    pub hello: Option<Said<String>>,
    /// Whether it said EHLO.
    pub extended: Option<bool>,
    /// As whom it signed in, at the peer.
    pub login: Option<Said<String>>,
    /// The address that it came to.
    pub destination_address: Option<Said<IpAddr>>,
    /// The port that it came to.
    pub destination_port: Option<Said<u16>>,
}

/// What XFORWARD said of where a message comes from: for people, and believed by nobody. Printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Forwarded {
    /// The client's name, from its address.
    pub name: Option<String>,
    /// Its address, as it was written.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<String>,
    /// `SMTP`, `ESMTP` and the like.
    pub protocol: Option<String>,
    /// What the client called itself.
    pub hello: Option<String>,
    /// What the peer calls the message.
    pub ident: Option<String>,
    /// `LOCAL` or `REMOTE`.
    pub source: Option<String>,
}

/// After the keyword in the answer to EHLO.
pub(super) const CLIENT_ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";
/// The same for XFORWARD.
pub(super) const FORWARDED_ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO IDENT SOURCE";

/// The argument of XCLIENT.
pub(super) fn client(argument: &str) -> Result<Client, Refusal> {
    let mut client = Client::default();
    each(argument, |name, value| {
        match name {
            "NAME" => client.name = Some(said(value, host_name)?),
            "ADDR" => client.address = Some(said(value, address)?),
            "PORT" => client.port = Some(said(value, port)?),
            "PROTO" => client.extended = Some(extended(value)?),
            "HELO" => client.hello = Some(said(value, host_name)?),
            "LOGIN" => client.login = Some(said(value, login)?),
            "DESTADDR" => client.destination_address = Some(said(value, address)?),
            "DESTPORT" => client.destination_port = Some(said(value, port)?),
            _ => return None,
        }
        Some(())
    })?;
    Ok(client)
}

/// The argument of XFORWARD, added to what was said before: `[UNAVAILABLE]` takes back.
pub(super) fn forwarded(argument: &str, mut forwarded: Forwarded) -> Result<Forwarded, Refusal> {
    each(argument, |name, value| {
        let place = match name {
            "NAME" => &mut forwarded.name,
            "ADDR" => &mut forwarded.address,
            "PORT" => &mut forwarded.port,
            "PROTO" => &mut forwarded.protocol,
            "HELO" => &mut forwarded.hello,
            "IDENT" => &mut forwarded.ident,
            "SOURCE" => &mut forwarded.source,
            _ => return None,
        };
        *place = said(value, short_text)?.known().cloned();
        Some(())
    })?;
    Ok(forwarded)
}

/// Hands out each attribute, its name in upper case and its value decoded. One that `take` does not understand, and a
/// command without any, is refused as Postfix refuses it: 501.
fn each(argument: &str, mut take: impl FnMut(&str, &str) -> Option<()>) -> Result<(), Refusal> {
    let refused = || Refusal::new(Misuse::CommandSyntax, replies::ATTRIBUTE_SYNTAX);
    let mut words = argument.split(' ').filter(|word| !word.is_empty()).peekable();
    if words.peek().is_none() {
        return Err(refused());
    }
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(refused)?;
        let value = parameters::xtext_decoded(value).ok_or_else(refused)?;
        take(&name.to_ascii_uppercase(), &value).ok_or_else(refused)?;
    }
    Ok(())
}

fn said<T>(value: &str, read: fn(&str) -> Option<T>) -> Option<Said<T>> {
    let is_unknown = ["[UNAVAILABLE]", "[TEMPUNAVAIL]"].iter().any(|word| word.eq_ignore_ascii_case(value));
    if is_unknown { Some(Said::Unknown) } else { read(value).map(Said::Is) }
}

fn address(value: &str) -> Option<IpAddr> {
    match value.split_at_checked("IPV6:".len()) {
        Some((prefix, address)) if prefix.eq_ignore_ascii_case("IPV6:") => {
            address.parse::<Ipv6Addr>().ok().map(|address| address.to_canonical())
        }
        _ => value.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
    }
}

fn port(value: &str) -> Option<u16> {
    value.bytes().all(|octet| octet.is_ascii_digit()).then(|| value.parse().ok())?
}

fn extended(value: &str) -> Option<bool> {
    match value.to_ascii_uppercase().as_str() {
        "SMTP" => Some(false),
        "ESMTP" | "LMTP" => Some(true),
        _ => None,
    }
}

/// What may stand in the Received field, as in EHLO.
fn host_name(value: &str) -> Option<String> {
    command::hello(value).ok().filter(|name| *name == value).map(str::to_owned)
}

fn login(value: &str) -> Option<String> {
    let fits = (1..=SMTP_HELLO_OCTETS_MAX).contains(&value.len());
    (fits && !value.chars().any(char::is_control)).then(|| value.to_owned())
}

fn short_text(value: &str) -> Option<String> {
    let fits = (1..=SMTP_HELLO_OCTETS_MAX).contains(&value.len());
    (fits && value.bytes().all(|octet| octet == b' ' || octet.is_ascii_graphic())).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_of_xclient() {
        let check = |argument: &str, expected: Client| assert_eq!(client(argument), Ok(expected));
        check(
            "NAME=spike.example ADDR=192.0.2.7 port=4321 Proto=esmtp",
            Client {
                name: Some(Said::Is("spike.example".into())),
                address: Some(Said::Is("192.0.2.7".parse().unwrap())),
                port: Some(Said::Is(4321)),
                extended: Some(true),
                ..Client::default()
            },
        );
        check(
            "NAME=[TEMPUNAVAIL] ADDR=IPv6:2001:db8::7 HELO=[unavailable] LOGIN=ann+2Bx@example.org",
            Client {
                name: Some(Said::Unknown),
                address: Some(Said::Is("2001:db8::7".parse().unwrap())),
                hello: Some(Said::Unknown),
                login: Some(Said::Is("ann+x@example.org".into())),
                ..Client::default()
            },
        );
        check(
            "DESTADDR=IPV6:::ffff:192.0.2.1 DESTPORT=25  HELO=[192.0.2.7]",
            Client {
                destination_address: Some(Said::Is("192.0.2.1".parse().unwrap())),
                destination_port: Some(Said::Is(25)),
                hello: Some(Said::Is("[192.0.2.7]".into())),
                ..Client::default()
            },
        );
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        let long = format!("HELO={}", "x".repeat(256));
        for argument in [
            "",
            " ",
            "NAME",
            "NAME=",
            "NAME=a+2",
            "NAME=a+20b",
            "NAME=a(b",
            "ADDR=192.0.2",
            "ADDR=2001:db8::7",
            "ADDR=IPV6:192.0.2.1",
            "PORT=+1",
            "PORT=65536",
            "PROTO=UUCP",
            "LOGIN=",
            "LOGIN=a+0Ab",
            "COLOUR=red",
            "ADDR=192.0.2.7 X=y",
            &long,
        ] {
            let refused = client(argument).map_err(|refusal| refusal.reply.code);
            assert_eq!(refused, Err(501), "{argument:?}");
        }
        for argument in ["", "LOGIN=ann", "NAME=", "IDENT=a+0Db", "IDENT=a+"] {
            let refused = forwarded(argument, Forwarded::default()).map_err(|refusal| refusal.reply.code);
            assert_eq!(refused, Err(501), "{argument:?}");
        }
    }

    #[test]
    fn what_is_forwarded_adds_up() {
        let first = forwarded("NAME=spike.example ADDR=192.0.2.7", Forwarded::default()).unwrap();
        let second = forwarded("IDENT=4+20x SOURCE=REMOTE name=[UNAVAILABLE]", first).unwrap();
        let expected = Forwarded {
            address: Some("192.0.2.7".into()),
            ident: Some("4 x".into()),
            source: Some("REMOTE".into()),
            ..Forwarded::default()
        };
        assert_eq!(second, expected);
    }
}
