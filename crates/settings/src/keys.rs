//! Every key there is. A key that is not here is a mistake; the reference page is made from this slice.

/// A key and its manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Where it may stand.
    pub section: Section,
    /// As it is written.
    pub name: &'static str,
    /// What may stand behind it, for people.
    pub kind: &'static str,
    /// What holds if it is not there, for people.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
}

/// Where a key may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// At the top.
    Top,
    /// `[tls]`
    Tls,
    /// An entry of `certificates`.
    Certificate,
    /// `[[virtual-server]]` alone.
    VirtualServer,
    /// `[[virtual-server]]`, and `[defaults]` for all of them.
    Property,
    /// An entry of `bind` written as a table.
    Binding,
    /// `connections`
    Connections,
    /// `commands`
    Commands,
    /// `[journal]`
    Journal,
    /// `[log]`
    Log,
}

const fn key(
    section: Section,
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { section, name, kind, default, doc }
}

/// Every key, in the order of the manual.
pub static KEYS: &[Key] = &[
    key(
        Section::Top,
        "host-name",
        "a domain name",
        "\"localhost\"",
        "Our name in banners, in the answer to EHLO and in Received. It should resolve to this host, and back.",
    ),
    key(
        Section::Top,
        "trusted-networks",
        "a list of networks",
        "[]",
        "Peers that are not limited by source. It is not a right to relay.",
    ),
    key(
        Section::Top,
        "authentication-without-tls",
        "a list of networks",
        "[]",
        "Peers that may send passwords over clear text. For tests and gateways.",
    ),
    key(Section::Top, "tls", "a table", "{}", "Certificates."),
    key(Section::Top, "defaults", "a table", "{}", "Properties that every virtual server inherits."),
    key(
        Section::Top,
        "virtual-server",
        "tables",
        "SMTP, submission, POP3 and IMAP on their ports, on every address",
        "What is served: named sets of bindings and properties.",
    ),
    key(Section::Top, "journal", "a table", "{}", "How long the stories of messages are kept."),
    key(Section::Top, "log", "a table", "{}", "What is logged, and how."),
    key(
        Section::Tls,
        "certificates",
        "a list of { certificate, key }",
        "[], and the program makes one of its own",
        "Certificates as PEM files. A client gets the one with the name that it asks for, else the first.",
    ),
    key(Section::Certificate, "certificate", "a path", "none", "The chain, the server's certificate first."),
    key(Section::Certificate, "key", "a path", "none", "The private key."),
    key(
        Section::VirtualServer,
        "name",
        "a text",
        "none",
        "How it is called in commands and stories. Unique.",
    ),
    key(
        Section::VirtualServer,
        "protocol",
        "smtp, submission, submissions, pop3, pop3s, imap or imaps",
        "none",
        "What it speaks. The forms with s are the protocol with tls = \"implicit\".",
    ),
    key(
        Section::VirtualServer,
        "bind",
        "an address and port, { address, tls }, or a list of these",
        "every address, and the protocol's port",
        "Where it listens. A specific address wins over [::] on the same port; only equal ones clash. Port 0 takes a \
         free one.",
    ),
    key(Section::Binding, "address", "an address and port", "none", "Where it listens."),
    key(Section::Binding, "tls", "off, offered, required or implicit", "the virtual server's", "TLS here."),
    key(
        Section::Property,
        "tls",
        "off, offered, required or implicit",
        "offered; for submission required",
        "When a connection is secured: never, if the client asks, before anything that matters, from the first byte.",
    ),
    key(
        Section::Property,
        "authentication",
        "a list of plain, login",
        "[\"plain\", \"login\"]; for smtp []",
        "How clients may sign in. Passwords are taken under TLS only; see authentication-without-tls.",
    ),
    key(
        Section::Property,
        "message-size-limit",
        "a size",
        "\"50 MiB\"",
        "The largest message. Announced by SIZE, checked at MAIL and while content arrives. At least 64 KiB (RFC 5321 \
         §4.5.3.1.7).",
    ),
    key(
        Section::Property,
        "recipients-per-message",
        "a number",
        "1000",
        "What is beyond is deferred with 452 4.5.3, so that the client sends it again. At least 100 (RFC 5321 \
         §4.5.3.1.8).",
    ),
    key(
        Section::Property,
        "messages-per-connection",
        "a number",
        "100",
        "Messages that a connection may bring before it is closed with 421.",
    ),
    key(Section::Property, "connections", "a table", "{}", "How many connections at a time."),
    key(
        Section::Connections,
        "limit",
        "a number",
        "1000",
        "In all. At the limit, the connection that has been idle for longest and has not signed in is closed for a \
         new one.",
    ),
    key(
        Section::Connections,
        "per-source",
        "a number",
        "50",
        "From one source address; trusted networks are not limited.",
    ),
    key(
        Section::Property,
        "connection-time-out",
        "a span of time",
        "\"5 min\" for SMTP, \"10 min\" for POP3, \"30 min\" for IMAP",
        "Idle time after which a connection is closed. Less than the default is a mistake, because the protocols' \
         standards ask for it.",
    ),
    key(
        Section::Property,
        "sign-in-time-out",
        "a span of time",
        "\"1 min\"",
        "The same before sign-in, for POP3 and IMAP.",
    ),
    key(
        Section::Property,
        "banner",
        "a text",
        "\"\"",
        "What follows the host name in the banner. The version is never told.",
    ),
    key(Section::Property, "commands", "a table", "{}", "Commands that can be switched off."),
    key(
        Section::Commands,
        "vrfy",
        "on or off",
        "on",
        "VRFY: strangers are answered 252, who has signed in is answered truly.",
    ),
    key(
        Section::Commands,
        "expn",
        "on or off",
        "on",
        "EXPN: strangers are answered 252, who has signed in is answered truly.",
    ),
    key(
        Section::Property,
        "magic-recipients",
        "on or off",
        "off",
        "For trying out: refused@ is refused, deferred@ is deferred until the third try, slow@ is delivered after 30 \
         seconds, bounces@ is accepted and then reported as undeliverable.",
    ),
    key(Section::Journal, "keep", "a span of time", "\"30 days\"", "Older stories go."),
    key(Section::Journal, "size-limit", "a size", "\"1 GiB\"", "Above this the oldest stories go."),
    key(
        Section::Log,
        "level",
        "error, warn, info, debug or trace",
        "info",
        "This and what is worse is logged.",
    ),
    key(Section::Log, "format", "text or json", "text", "For people, or one JSON object a line."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_documented_and_unique() {
        let mut seen = BTreeSet::new();
        for key in KEYS {
            assert!(seen.insert((key.section, key.name)), "{key:?}");
            assert!(key.doc.ends_with('.') && !key.kind.is_empty() && !key.default.is_empty(), "{key:?}");
        }
    }
}
