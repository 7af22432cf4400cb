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
    /// A value, as it is written.
    pub example: &'static str,
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
    /// `relay`
    Relay,
    /// `protocol-log`
    ProtocolLog,
    /// `[delivery]`
    Delivery,
    /// `[delivery.local]`
    LocalDelivery,
    /// `connections` of `[delivery]`
    OutboundConnections,
    /// `authentication` of `[delivery]` and `[[remote-domain]]`
    OutboundSignIn,
    /// `[[remote-domain]]`
    RemoteDomain,
    /// `[[local-domain]]`
    LocalDomain,
    /// `[reports]`
    Reports,
    /// `[journal]`
    Journal,
    /// `[log]`
    Log,
}

impl Section {
    /// How the manual calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Top => "At the top",
            Self::Tls => "`[tls]`",
            Self::Certificate => "`certificates` of `[tls]`",
            Self::VirtualServer => "`[[virtual-server]]`",
            Self::Binding => "`bind` of `[[virtual-server]]`, written as a table",
            Self::Property => "`[[virtual-server]]`, and `[defaults]` for all of them",
            Self::Relay => "`relay` of `[[virtual-server]]` and `[defaults]`",
            Self::Connections => "`connections` of `[[virtual-server]]` and `[defaults]`",
            Self::Commands => "`commands` of `[[virtual-server]]` and `[defaults]`",
            Self::ProtocolLog => "`protocol-log` of `[[virtual-server]]` and `[defaults]`",
            Self::Delivery => "`[delivery]`",
            Self::LocalDelivery => "`[delivery.local]`",
            Self::OutboundConnections => "`connections` of `[delivery]`",
            Self::OutboundSignIn => "`authentication` of `[delivery]` and `[[remote-domain]]`",
            Self::RemoteDomain => "`[[remote-domain]]`",
            Self::LocalDomain => "`[[local-domain]]`",
            Self::Reports => "`[reports]`",
            Self::Journal => "`[journal]`",
            Self::Log => "`[log]`",
        }
    }
}

/// Every key, in the order of the manual.
pub static KEYS: &[Key] = &[
    Key {
        section: Section::Top,
        name: "host-name",
        kind: "a domain name",
        default: r#""localhost""#,
        example: r#""mail.example.org""#,
        doc: "Our name in banners, in the answer to EHLO and in Received. It should resolve to this host, and \
         back. An address is none.",
    },
    Key {
        section: Section::Top,
        name: "trusted-networks",
        kind: "a list of networks",
        default: "[]",
        example: r#"["192.0.2.0/24", "2001:db8::/32"]"#,
        doc: "Peers that are not limited by source, and whom VERB tells of the hops of their messages. It is not a right to relay; see relay.",
    },
    Key {
        section: Section::Top,
        name: "authentication-without-tls",
        kind: "a list of networks",
        default: "[]",
        example: r#"["127.0.0.0/8", "::1"]"#,
        doc: "Peers that may send passwords over clear text. For tests and gateways.",
    },
    Key {
        section: Section::Top,
        name: "tls",
        kind: "a table",
        default: "{}",
        example: r#"{ certificates = [{ certificate = "/etc/waxseal/mail.pem", key = "/etc/waxseal/mail.key" }] }"#,
        doc: "Certificates.",
    },
    Key {
        section: Section::Top,
        name: "defaults",
        kind: "a table",
        default: "{}",
        example: r#"{ message-size-limit = "100 MiB" }"#,
        doc: "Properties that every virtual server inherits.",
    },
    Key {
        section: Section::Top,
        name: "virtual-server",
        kind: "tables",
        default: "SMTP, submission, POP3 and IMAP on their ports, on every address",
        example: r#"[{ name = "internet", protocol = "smtp" }]"#,
        doc: "What is served: named sets of bindings and properties.",
    },
    Key {
        section: Section::Top,
        name: "delivery",
        kind: "a table",
        default: "{}",
        example: r#"{ expiration = "2 days" }"#,
        doc: "How mail leaves: by which way, when it is tried again, when it is given up.",
    },
    Key {
        section: Section::Top,
        name: "remote-domain",
        kind: "tables",
        default: "none",
        example: r#"[{ domain = "partner.example", tls = "required" }]"#,
        doc: "Domains of others whose mail goes a way of its own.",
    },
    Key {
        section: Section::Top,
        name: "local-domain",
        kind: "tables",
        default: "none",
        example: r#"[{ domain = "lists.example.org", lmtp = "127.0.0.1:2424" }]"#,
        doc: "Domains of ours whose mail another program on our side takes, by LMTP. Recipients with %, ! or a quoted @ before the @ are refused from who may not relay, lest that program route by them.",
    },
    Key {
        section: Section::Top,
        name: "reports",
        kind: "a table",
        default: "{}",
        example: r#"{ copy-to = "postmaster@example.org" }"#,
        doc: "What becomes of reports of failure.",
    },
    Key {
        section: Section::Top,
        name: "journal",
        kind: "a table",
        default: "{}",
        example: r#"{ keep = "90 days" }"#,
        doc: "How long the stories of messages are kept.",
    },
    Key {
        section: Section::Top,
        name: "log",
        kind: "a table",
        default: "{}",
        example: r#"{ level = "debug" }"#,
        doc: "What is logged, and how.",
    },
    Key {
        section: Section::Tls,
        name: "certificates",
        kind: "a list of { certificate, key }",
        default: "[], and the program makes one of its own",
        example: r#"[{ certificate = "/etc/waxseal/mail.pem", key = "/etc/waxseal/mail.key" }]"#,
        doc: "Certificates as PEM files. A client gets the one with the name that it asks for, else the first.",
    },
    Key {
        section: Section::Certificate,
        name: "certificate",
        kind: "a path",
        default: "none; it must be there",
        example: r#""/etc/waxseal/mail.pem""#,
        doc: "The chain, the server's certificate first.",
    },
    Key {
        section: Section::Certificate,
        name: "key",
        kind: "a path",
        default: "none; it must be there",
        example: r#""/etc/waxseal/mail.key""#,
        doc: "The private key.",
    },
    Key {
        section: Section::VirtualServer,
        name: "name",
        kind: "a text",
        default: "none; it must be there",
        example: r#""internet""#,
        doc: "How it is called in commands and stories. Unique.",
    },
    Key {
        section: Section::VirtualServer,
        name: "protocol",
        kind: "smtp, submission, submissions, lmtp, pop3, pop3s, imap or imaps",
        default: "none; it must be there",
        example: r#""submission""#,
        doc: "What it speaks. The forms with s are the protocol with tls = \"implicit\". lmtp is for another \
         program on our side that hands mail over, such as a filter or a list manager; it is not for port \
         25 (RFC 2033 §5).",
    },
    Key {
        section: Section::VirtualServer,
        name: "bind",
        kind: "an address and port, { address, tls }, or a list of these",
        default: "every address, and the protocol's port; for lmtp 127.0.0.1:24",
        example: r#"["[::]:587", { address = "[::]:465", tls = "implicit" }]"#,
        doc: "Where it listens. A specific address wins over [::] on the same port; only equal ones clash. Port \
         0 takes a free one.",
    },
    Key {
        section: Section::Binding,
        name: "address",
        kind: "an address and port",
        default: "none; it must be there",
        example: r#""[::]:465""#,
        doc: "Where it listens.",
    },
    Key {
        section: Section::Binding,
        name: "tls",
        kind: "off, offered, required or implicit",
        default: "the virtual server's",
        example: r#""implicit""#,
        doc: "TLS here.",
    },
    Key {
        section: Section::Property,
        name: "tls",
        kind: "off, offered, required or implicit",
        default: "offered; for submission required",
        example: r#""required""#,
        doc: "When a connection is secured: never, if the client asks, before anything that matters, from the \
         first byte.",
    },
    Key {
        section: Section::Property,
        name: "authentication",
        kind: "a list of scram-sha-256-plus, scram-sha-1-plus, scram-sha-256, scram-sha-1, plain, login",
        default: "all of them; for submission and pop3 without *-plus; for smtp and lmtp []",
        example: r#"["plain"]"#,
        doc: "How clients may sign in; whatever the order here, the strongest is offered first. scram-* does not show the \
         password, and *-plus is bound to the TLS channel as well, which some programs \
         promise and cannot do: over IMAP they go on with the next mechanism, over SMTP and POP3 they fail. USER of POP3 and LOGIN of IMAP are taken where plain or \
         login is. Nobody signs in without TLS, by whatever mechanism; but see authentication-without-tls.",
    },
    Key {
        section: Section::Property,
        name: "relay",
        kind: "a table",
        default: "{}",
        example: r#"{ allow = ["192.0.2.0/24"] }"#,
        doc: "Who may send to domains that are not ours. Nobody else may, in no disguise.",
    },
    Key {
        section: Section::Relay,
        name: "allow",
        kind: "a list of networks",
        default: "[]",
        example: r#"["192.0.2.0/24", "2001:db8::/32"]"#,
        doc: "Peers that may, whoever they are. On lmtp, who may deliver here beside this machine; nothing is relayed from there.",
    },
    Key {
        section: Section::Relay,
        name: "authenticated",
        kind: "on or off",
        default: "on for submission, else off",
        example: r#""on""#,
        doc: "Whether a client may that has signed in, from wherever it comes.",
    },
    Key {
        section: Section::Relay,
        name: "open",
        kind: "on or off",
        default: "off",
        example: r#""on""#,
        doc: "Consent to an allow list that holds networks wider than /8 (IPv4) or /16 (IPv6), or many that are so together, private ones not counted. For smtp and submission that is an open relay, which is found, abused and listed within hours. For tests.",
    },
    Key {
        section: Section::Property,
        name: "message-size-limit",
        kind: "a size",
        default: r#""50 MiB""#,
        example: r#""100 MiB""#,
        doc: "The largest message. Announced by SIZE, checked at MAIL and while content arrives. At least 64 KiB \
         (RFC 5321 §4.5.3.1.7).",
    },
    Key {
        section: Section::Property,
        name: "recipients-per-message",
        kind: "a number",
        default: "1000",
        example: "500",
        doc: "What is beyond is deferred with 452 4.5.3, so that the client sends it again. At least 100 (RFC \
         5321 §4.5.3.1.8).",
    },
    Key {
        section: Section::Property,
        name: "messages-per-connection",
        kind: "a number",
        default: "100",
        example: "20",
        doc: "Messages that a connection may bring before it is closed with 421.",
    },
    Key {
        section: Section::Property,
        name: "connections",
        kind: "a table",
        default: "{}",
        example: "{ limit = 200, per-source = 10 }",
        doc: "How many connections at a time.",
    },
    Key {
        section: Section::Connections,
        name: "limit",
        kind: "a number",
        default: "1000",
        example: "200",
        doc: "In all. At the limit, the connection that has been idle for longest and has not signed in is \
         closed for a new one.",
    },
    Key {
        section: Section::Connections,
        name: "per-source",
        kind: "a number",
        default: "50",
        example: "10",
        doc: "From one source address; trusted networks are not limited.",
    },
    Key {
        section: Section::Property,
        name: "connection-time-out",
        kind: "a span of time",
        default: r#""5 min" for SMTP and LMTP, "10 min" for POP3, "30 min" for IMAP"#,
        example: r#""45 min""#,
        doc: "Idle time after which a connection is closed. Less than the default is a mistake, because the \
         protocols' standards ask for it.",
    },
    Key {
        section: Section::Property,
        name: "sign-in-time-out",
        kind: "a span of time",
        default: r#""1 min""#,
        example: r#""30 s""#,
        doc: "The same before sign-in, for POP3 and IMAP.",
    },
    Key {
        section: Section::Property,
        name: "sign-in-interval",
        kind: "a span of time, in whole seconds",
        default: r#""0 s""#,
        example: r#""1 min""#,
        doc: "How long an account must wait before its maildrop is opened again, for POP3: for mail programs that ask \
         too often. Announced as LOGIN-DELAY (RFC 2449).",
    },
    Key {
        section: Section::Property,
        name: "banner",
        kind: "a text",
        default: r#""""#,
        example: r#""no unsolicited mail""#,
        doc: "What follows the host name in the banner. The version is never told.",
    },
    Key {
        section: Section::Property,
        name: "commands",
        kind: "a table",
        default: "{}",
        example: r#"{ vrfy = "off" }"#,
        doc: "Commands that can be switched off.",
    },
    Key {
        section: Section::Commands,
        name: "vrfy",
        kind: "on or off",
        default: "on",
        example: r#""off""#,
        doc: "VRFY: strangers are answered 252, who has signed in is answered truly.",
    },
    Key {
        section: Section::Commands,
        name: "expn",
        kind: "on or off",
        default: "on",
        example: r#""off""#,
        doc: "EXPN: strangers are answered 252, who has signed in is answered truly.",
    },
    Key {
        section: Section::Property,
        name: "magic-recipients",
        kind: "on or off",
        default: "off",
        example: r#""on""#,
        doc: "For trying out: refused@ is refused, deferred@ is deferred until the third try, slow@ is delivered \
         after 30 seconds, bounces@ is accepted and then reported as undeliverable.",
    },
    Key {
        section: Section::Property,
        name: "protocol-log",
        kind: "a table",
        default: "{}",
        example: r#"{ file = "/var/log/waxseal/internet.log" }"#,
        doc: "Every command and reply of this virtual server, in a file of its own. Passwords are blanked, \
         content is left out.",
    },
    Key {
        section: Section::ProtocolLog,
        name: "file",
        kind: "a path",
        default: "none, and no protocol log",
        example: r#""/var/log/waxseal/internet.log""#,
        doc: "Where it is written. The older ones have .1, .2 and so on behind the name. No two virtual servers \
         write to one file.",
    },
    Key {
        section: Section::ProtocolLog,
        name: "size-limit",
        kind: "a size",
        default: r#""100 MiB""#,
        example: r#""10 MiB""#,
        doc: "Above this a new file is begun. At least 4 KiB.",
    },
    Key {
        section: Section::ProtocolLog,
        name: "keep",
        kind: "a number",
        default: "7",
        example: "3",
        doc: "How many older files are kept.",
    },
    Key {
        section: Section::Delivery,
        name: "retry",
        kind: "a list of spans of time",
        default: r#"["15 min", "30 min", "1 h", "then every 4 h"]"#,
        example: r#"["5 min", "1 h", "then every 6 h"]"#,
        doc: "The pauses between attempts at a message that could not be handed on yet. The last one repeats, \
         which \"then every\" says aloud. At least 1 s each.",
    },
    Key {
        section: Section::Delivery,
        name: "delay-notification",
        kind: "a span of time, or never",
        default: r#""4 h"; never, if expiration is not later"#,
        example: r#""never""#,
        doc: "When the sender is told that the message still waits.",
    },
    Key {
        section: Section::Delivery,
        name: "expiration",
        kind: "a span of time",
        default: r#""5 days""#,
        example: r#""2 days""#,
        doc: "When a message that could not be handed on is given up and its sender told (RFC 5321 §4.5.4.1 asks \
         for 4 to 5 days). Not before the first retry.",
    },
    Key {
        section: Section::Delivery,
        name: "local",
        kind: "a table",
        default: "{}",
        example: r#"{ expiration = "1 day" }"#,
        doc: "Retry, delay notification and expiration of mail for mailboxes here that could not be filed at once.",
    },
    Key {
        section: Section::Delivery,
        name: "connections",
        kind: "a table",
        default: "{}",
        example: "{ limit = 200, per-destination = 20 }",
        doc: "How many connections we make at a time.",
    },
    Key {
        section: Section::Delivery,
        name: "source-address",
        kind: "a list of addresses",
        default: "[], and the system chooses",
        example: r#"["198.51.100.7", "2001:db8::7"]"#,
        doc: "Addresses of this host that connections leave from, at most one of each family. What others know \
         of us (their lists, our reverse DNS) hangs on them.",
    },
    Key {
        section: Section::Delivery,
        name: "resolvers",
        kind: "system, or a list of addresses with or without port",
        default: r#"["system"]"#,
        example: r#"["127.0.0.1", "[2001:db8::53]:5353"]"#,
        doc: "Name servers that resolve for us. system: those of /etc/resolv.conf; where it names none, this machine.",
    },
    Key {
        section: Section::Delivery,
        name: "dns-validation",
        kind: "on or off",
        default: "off",
        example: r#""on""#,
        doc: "Whether answers about names are validated here (DNSSEC). Behind a name server that drops \
         signatures, every name of a signed zone would be in doubt.",
    },
    Key {
        section: Section::Delivery,
        name: "dns-trust-anchors",
        kind: "a path",
        default: "the keys of the root zone",
        example: r#""/etc/waxseal/anchors.zone""#,
        doc: "DNSKEY records, as a zone file has them, that validation starts from instead. For tests and closed \
         networks; only with dns-validation.",
    },
    Key {
        section: Section::Delivery,
        name: "outbound-port",
        kind: "a port",
        default: "25",
        example: "2525",
        doc: "The port of other servers, where nothing names another.",
    },
    Key {
        section: Section::Delivery,
        name: "smart-host",
        kind: "a host and port, or a list of these",
        default: "[], and mail goes to the exchangers of its domain",
        example: r#"["relay1.example.net:587", "relay2.example.net:587"]"#,
        doc: "Where all mail for others goes, in this order: the second when the first cannot. A name stands for \
         its addresses, never for its exchangers.",
    },
    Key {
        section: Section::Delivery,
        name: "authentication",
        kind: "a table",
        default: "none, and we do not sign in",
        example: r#"{ user = "example-org", password-file = "/etc/waxseal/relay.secret" }"#,
        doc: "How we sign in at the smart host.",
    },
    Key {
        section: Section::Delivery,
        name: "tls",
        kind: "off, offered, required, verified or implicit",
        default: "offered; with authentication verified; on port 465 implicit",
        example: r#""required""#,
        doc: "When connections to other servers are secured: never, if they offer it, always, always and only \
         with a certificate for the name, the same from the first byte. Where it cannot be had, mail waits.",
    },
    Key {
        section: Section::Delivery,
        name: "certificate-authorities",
        kind: "a list of paths",
        default: "[]",
        example: r#"["/etc/waxseal/office-ca.pem"]"#,
        doc: "PEM files with authorities that are believed beside those of the system.",
    },
    Key {
        section: Section::Delivery,
        name: "allow-private-exchangers",
        kind: "off, networks or on",
        default: "off",
        example: r#""networks""#,
        doc: "Where the DNS of a stranger may lead us: to public addresses; to those of private networks, too; \
         to this machine, too. What these settings name themselves may be anywhere.",
    },
    Key {
        section: Section::Delivery,
        name: "dkim",
        kind: "on or off",
        default: "on",
        example: r#""off""#,
        doc: "Whether what we send is signed, if the domain of its author is ours and has keys (RFC 6376).",
    },
    Key {
        section: Section::LocalDelivery,
        name: "retry",
        kind: "a list of spans of time",
        default: r#"["1 min", "5 min", "15 min", "then every 1 h"]"#,
        example: r#"["5 min", "then every 1 h"]"#,
        doc: "As in [delivery].",
    },
    Key {
        section: Section::LocalDelivery,
        name: "delay-notification",
        kind: "a span of time, or never",
        default: r#""4 h"; never, if expiration is not later"#,
        example: r#""1 h""#,
        doc: "As in [delivery].",
    },
    Key {
        section: Section::LocalDelivery,
        name: "expiration",
        kind: "a span of time",
        default: r#""2 days""#,
        example: r#""1 day""#,
        doc: "As in [delivery].",
    },
    Key {
        section: Section::OutboundConnections,
        name: "limit",
        kind: "a number",
        default: "1000",
        example: "200",
        doc: "In all. Half of them at the most are for destinations that seem not to answer, so that these hold \
         up no others.",
    },
    Key {
        section: Section::OutboundConnections,
        name: "per-destination",
        kind: "a number",
        default: "100",
        example: "20",
        doc: "To the same set of exchangers.",
    },
    Key {
        section: Section::OutboundConnections,
        name: "messages",
        kind: "a number",
        default: "100",
        example: "20",
        doc: "Messages over one connection; then another one is made.",
    },
    Key {
        section: Section::OutboundConnections,
        name: "time-out",
        kind: "a span of time",
        default: r#""30 s""#,
        example: r#""10 s""#,
        doc: "How long an attempt to connect may take. At least 1 s.",
    },
    Key {
        section: Section::OutboundSignIn,
        name: "user",
        kind: "a text",
        default: "none; it must be there",
        example: r#""example-org""#,
        doc: "The name.",
    },
    Key {
        section: Section::OutboundSignIn,
        name: "password-file",
        kind: "a path",
        default: "none; it must be there",
        example: r#""/etc/waxseal/relay.secret""#,
        doc: "The file with the password; a line end after it is not part of it. Read at the start. Passwords \
         never stand in this text.",
    },
    Key {
        section: Section::RemoteDomain,
        name: "domain",
        kind: "a domain, *.domain, *, or a list of these",
        default: "none; it must be there",
        example: r#"["partner.example", "*.partner.example"]"#,
        doc: "Which domains. *.domain is all below it and not itself. The most specific one wins; each stands in \
         one place only.",
    },
    Key {
        section: Section::RemoteDomain,
        name: "smart-host",
        kind: "a host and port, or a list of these",
        default: "[], and mail goes to the exchangers of the domain",
        example: r#""mail.partner.example:2525""#,
        doc: "Where their mail goes, in this order.",
    },
    Key {
        section: Section::RemoteDomain,
        name: "protocol",
        kind: "smtp or lmtp",
        default: "smtp",
        example: r#""lmtp""#,
        doc: "What is spoken with the smart host. Without a port, lmtp goes to 24.",
    },
    Key {
        section: Section::RemoteDomain,
        name: "authentication",
        kind: "a table",
        default: "none, and we do not sign in",
        example: r#"{ user = "example-org", password-file = "/etc/waxseal/partner.secret" }"#,
        doc: "How we sign in at the smart host.",
    },
    Key {
        section: Section::RemoteDomain,
        name: "tls",
        kind: "off, offered, required, verified or implicit",
        default: "what [delivery] says; to this machine offered",
        example: r#""verified""#,
        doc: "As in [delivery].",
    },
    Key {
        section: Section::LocalDomain,
        name: "domain",
        kind: "a domain, or a list",
        default: "none; it must be there",
        example: r#"["lists.example.org"]"#,
        doc: "Which domains. They need no waxseal domain add, and have no accounts here.",
    },
    Key {
        section: Section::LocalDomain,
        name: "lmtp",
        kind: "a host and port, or a list of these",
        default: "none; it must be there",
        example: r#"["127.0.0.1:2424"]"#,
        doc: "Who takes their mail, in this order: the second when the first cannot. It says itself which \
         recipients there are. Without a port it is 24.",
    },
    Key {
        section: Section::Reports,
        name: "copy-to",
        kind: "an address",
        default: "none",
        example: r#""postmaster@example.org""#,
        doc: "Who gets a copy of each report of failure that we send.",
    },
    Key {
        section: Section::Journal,
        name: "keep",
        kind: "a span of time",
        default: r#""30 days""#,
        example: r#""90 days""#,
        doc: "Older stories go.",
    },
    Key {
        section: Section::Journal,
        name: "size-limit",
        kind: "a size",
        default: r#""1 GiB""#,
        example: r#""4 GiB""#,
        doc: "Above this the oldest stories go.",
    },
    Key {
        section: Section::Log,
        name: "level",
        kind: "error, warn, info, debug or trace",
        default: "info",
        example: r#""debug""#,
        doc: "This and what is worse is logged.",
    },
    Key {
        section: Section::Log,
        name: "format",
        kind: "text or json",
        default: "text",
        example: r#""json""#,
        doc: "For people, or one JSON object a line.",
    },
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
            assert!(
                key.doc.ends_with('.')
                    && !key.kind.is_empty()
                    && !key.default.is_empty()
                    && !key.example.is_empty(),
                "{key:?}"
            );
        }
    }
}
