//! The trace header that an accepted message gets (RFC 5321 §4.4).

use std::fmt::Write;
use std::net::IpAddr;

use mail::{Address, AddressLiteral, Domain, Host, QueueId, Timestamp};
use protocol::smtp::Dialect;

/// What a Received field tells.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Which protocol was spoken.
    pub dialect: Dialect,
    /// What the client called itself.
    pub hello: &'a str,
    /// Whether it said EHLO. (LHLO is as EHLO is, RFC 2033 §4.1.)
    pub extended: bool,
    /// Where it connected from.
    pub peer: IpAddr,
    /// What the DNS calls that address, there and back; ASCII.
    pub peer_name: Option<&'a str>,
    /// Our name.
    pub host_name: &'a str,
    /// Whether SMTPUTF8 was said.
    pub utf8: bool,
    /// TLS version and cipher suite.
    pub tls: Option<(&'a str, &'a str)>,
    /// Whether it signed in.
    pub authenticated: bool,
    /// The transaction.
    pub queue_id: QueueId,
    /// The recipient, if there is only one: several would tell each of the others (RFC 5321 §7.6).
    pub only_recipient: Option<&'a Address>,
    /// When the message was accepted.
    pub at: Timestamp,
}

impl Received<'_> {
    /// The field with its CRLF.
    pub fn field(&self) -> String {
        let mut field = String::with_capacity(256);
        self.write(&mut field).expect("a String takes everything");
        field
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let peer = Host::Literal(AddressLiteral::Ip(self.peer));
        match names_a_host(self.hello) {
            true => write!(out, "Received: from {} (", self.hello)?,
            false => write!(out, "Received: from {peer} (")?,
        }
        // RFC 5321 §4.4, TCP-info: what the connection tells, whatever the client calls itself.
        if let Some(name) = self.peer_name.filter(|name| names_a_host(name)) {
            write!(out, "{name} ")?;
        }
        write!(out, "{peer})\r\n")?;
        write!(out, " by {} with {} id {}", self.host_name, self.protocol(), self.queue_id)?;
        if let Some(recipient) = self.only_recipient {
            write!(out, "\r\n for <{recipient}>")?;
        }
        if let Some((version, cipher)) = self.tls {
            // RFC 8314 §4.3; the version is a comment, since the cipher's name does not always tell it.
            write!(out, "\r\n tls {cipher} ({version})")?;
        }
        write!(out, ";\r\n {}\r\n", self.at.rfc5322())
    }

    /// RFC 3848 §1; with SMTPUTF8, RFC 6531 §4.3, which puts `UTF8` before SMTP in the place of `E`, and before LMTP.
    fn protocol(&self) -> String {
        match self.utf8 {
            true => format!("UTF8{}", self.plain_protocol().trim_start_matches('E')),
            false => self.plain_protocol().to_owned(),
        }
    }

    fn plain_protocol(&self) -> &'static str {
        match (self.dialect, self.extended, self.tls.is_some(), self.authenticated) {
            (Dialect::Smtp, false, ..) => "SMTP",
            (Dialect::Smtp, true, false, false) => "ESMTP",
            (Dialect::Smtp, true, false, true) => "ESMTPA",
            (Dialect::Smtp, true, true, false) => "ESMTPS",
            (Dialect::Smtp, true, true, true) => "ESMTPSA",
            (Dialect::Lmtp, _, false, false) => "LMTP",
            (Dialect::Lmtp, _, false, true) => "LMTPA",
            (Dialect::Lmtp, _, true, false) => "LMTPS",
            (Dialect::Lmtp, _, true, true) => "LMTPSA",
        }
    }
}

/// Whether a client's name may stand in the field as `Domain / address-literal`; anything else could break its syntax.
fn names_a_host(hello: &str) -> bool {
    let literal = hello.starts_with('[') && hello.ends_with(']');
    if literal {
        return hello[1..hello.len() - 1].bytes().all(|b| b.is_ascii_hexdigit() || b":.IPv".contains(&b));
    }
    Domain::parse(hello).is_ok_and(|domain| domain.as_str().eq_ignore_ascii_case(hello))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(received: Received<'_>, expected: Expect) {
        expected.assert_eq(&received.field().replace("\r\n", "\n"));
    }

    fn plain() -> Received<'static> {
        Received {
            dialect: Dialect::Smtp,
            hello: "client.example",
            extended: true,
            peer: "192.0.2.7".parse().unwrap(),
            peer_name: None,
            host_name: "mx.example.org",
            utf8: false,
            tls: None,
            authenticated: false,
            queue_id: QueueId(1_763_800_000_000 << 20),
            only_recipient: None,
            at: Timestamp(1_763_800_000_000),
        }
    }

    #[test]
    fn every_form() {
        let bob = "bob@example.org".parse().unwrap();
        check(
            plain(),
            expect![[r#"
            Received: from client.example ([192.0.2.7])
             by mx.example.org with ESMTP id 1KANAR9G00000;
             Sat, 22 Nov 2025 08:26:40 +0000
        "#]],
        );
        check(
            Received { peer_name: Some("pc7.office.example"), ..plain() },
            expect![[r#"
            Received: from client.example (pc7.office.example [192.0.2.7])
             by mx.example.org with ESMTP id 1KANAR9G00000;
             Sat, 22 Nov 2025 08:26:40 +0000
        "#]],
        );
        let tls = Some(("TLS1.3", "TLS_AES_256_GCM_SHA384"));
        check(
            Received { tls, authenticated: true, only_recipient: Some(&bob), ..plain() },
            expect![[r#"
            Received: from client.example ([192.0.2.7])
             by mx.example.org with ESMTPSA id 1KANAR9G00000
             for <bob@example.org>
             tls TLS_AES_256_GCM_SHA384 (TLS1.3);
             Sat, 22 Nov 2025 08:26:40 +0000
        "#]],
        );
        let peer = "2001:db8::7".parse().unwrap();
        check(
            Received { hello: "[IPv6:2001:db8::7]", peer, extended: false, ..plain() },
            expect![[r#"
            Received: from [IPv6:2001:db8::7] ([IPv6:2001:db8::7])
             by mx.example.org with SMTP id 1KANAR9G00000;
             Sat, 22 Nov 2025 08:26:40 +0000
        "#]],
        );
    }

    /// RFC 3848 §1.
    #[test]
    fn the_protocol_says_how_the_message_came() {
        let tls = Some(("TLS1.3", "TLS_AES_256_GCM_SHA384"));
        for (dialect, extended, tls, authenticated, expected) in [
            (Dialect::Smtp, false, None, false, "SMTP"),
            (Dialect::Smtp, true, None, false, "ESMTP"),
            (Dialect::Smtp, true, None, true, "ESMTPA"),
            (Dialect::Smtp, true, tls, false, "ESMTPS"),
            (Dialect::Smtp, true, tls, true, "ESMTPSA"),
            (Dialect::Lmtp, true, None, false, "LMTP"),
            (Dialect::Lmtp, true, None, true, "LMTPA"),
            (Dialect::Lmtp, true, tls, false, "LMTPS"),
            (Dialect::Lmtp, true, tls, true, "LMTPSA"),
        ] {
            let field = Received { dialect, extended, tls, authenticated, ..plain() }.field();
            assert!(field.contains(&format!(" with {expected} id ")), "{field}");
            let field = Received { dialect, extended, tls, authenticated, utf8: true, ..plain() }.field();
            let expected = format!(" with UTF8{} id ", expected.trim_start_matches('E'));
            assert!(field.contains(&expected), "{field}");
        }
    }

    #[test]
    fn a_name_that_would_break_the_syntax_is_not_repeated() {
        for hello in ["a b", "x);y", "[1.2.3.4)]", "", "ä.example"] {
            let field = Received { hello, ..plain() }.field();
            assert!(field.starts_with("Received: from [192.0.2.7] ([192.0.2.7])\r\n"), "{field}");
        }
    }
}
