//! How mail leaves, and who may send it: what the texts mean, and every mistake in them.

use expect_test::{Expect, expect};
use settings::{
    Delivery, LocalDomain, NextHop, OutboundSignIn, RemoteDomain, Settings, TimeSpan, VirtualServer, resolve,
};

fn check_mistakes(text: &str, expected: Expect) {
    let mistakes = resolve(text).expect_err("this text has mistakes");
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("settings.toml:{mistake}\n")).collect();
    expected.assert_eq(&lines.concat());
}

fn retry(retry: &[TimeSpan], then: Option<TimeSpan>, expiration: TimeSpan) -> String {
    let pauses: Vec<String> = retry.iter().map(TimeSpan::to_string).collect();
    format!("{}, then {} until {expiration}", pauses.join(", "), then.expect("a text always names it"))
}

fn next(smart_hosts: &[NextHop], sign_in: Option<&OutboundSignIn>, tls: settings::OutboundTls) -> String {
    let hosts: Vec<String> = smart_hosts.iter().map(ToString::to_string).collect();
    let user =
        sign_in.map(|sign_in| format!(" as {:?} with {}", sign_in.user, sign_in.password_file.display()));
    format!("to {hosts:?}{}, tls {}", user.unwrap_or_default(), tls.name())
}

fn delivery(delivery: &Delivery) -> String {
    let Delivery { local, connections, .. } = delivery;
    format!(
        "{}; told after {:?}\nlocal {}\n{} {} {} {}\nfrom {:?}, names from {:?}, validated {} by {:?}\nport {}, {}\n\
         believes {:?}, reaches {:?}, signs {}\n",
        retry(&delivery.retry, delivery.then, delivery.expiration),
        delivery.delay_notification.map(|span| span.to_string()),
        retry(&local.retry, local.then, local.expiration),
        connections.limit,
        connections.per_destination,
        connections.messages,
        connections.time_out,
        delivery.source_addresses,
        delivery.resolvers,
        delivery.dns_validation,
        delivery.dns_trust_anchors,
        delivery.port,
        next(&delivery.smart_hosts, delivery.sign_in.as_ref(), delivery.tls),
        delivery.certificate_authorities,
        delivery.reach,
        delivery.dkim,
    )
}

fn domains(settings: &Settings) -> String {
    let remote = |remote: &RemoteDomain| {
        let domains: Vec<String> = remote.domains.iter().map(ToString::to_string).collect();
        let next = next(&remote.smart_hosts, remote.sign_in.as_ref(), remote.tls);
        format!("{domains:?} by {} {next}\n", remote.protocol.name())
    };
    let local = |local: &LocalDomain| {
        let domains: Vec<&str> = local.domains.iter().map(mail::Domain::as_str).collect();
        let hosts: Vec<String> = local.lmtp.iter().map(ToString::to_string).collect();
        format!("{domains:?} ours, to {hosts:?}\n")
    };
    settings.remote_domains.iter().map(remote).chain(settings.local_domains.iter().map(local)).collect()
}

#[test]
fn delivery_has_defaults() {
    let settings = resolve("").unwrap();
    expect![[r#"
        15 min, 30 min, 1 h, then 4 h until 5 days; told after Some("4 h")
        local 1 min, 5 min, 15 min, then 1 h until 2 days
        1000 100 100 30 s
        from [], names from System, validated false by None
        port 25, to [], tls offered
        believes [], reaches Public, signs true
    "#]]
    .assert_eq(&delivery(&settings.delivery));
    let same = resolve("[delivery]\nretry = ['15 min', '30 min', '1 h', '4 h']").unwrap();
    assert_eq!(same, settings, "the last one repeats");
    let soon = resolve("[delivery]\nexpiration = '1 h'").unwrap();
    assert_eq!(soon.delivery.delay_notification, None, "nobody is told of a delay that is over before");
}

const WHOLE: &str = r#"
    [delivery]
    retry = ["1 min", "then every 10 min"]
    delay-notification = "never"
    expiration = "1 day"
    local = { retry = "5 min", expiration = "1 h" }
    connections = { limit = 10, per-destination = 2, messages = 5, time-out = "3 s" }
    source-address = ["198.51.100.7", "2001:db8::7"]
    resolvers = ["127.0.0.1", "[2001:db8::53]:5353"]
    dns-validation = true
    dns-trust-anchors = "/etc/anchors"
    outbound-port = 2525
    smart-host = ["relay1.example.net:587", "[192.0.2.1]", "2001.example"]
    authentication = { user = "example-org", password-file = "/etc/secret" }
    certificate-authorities = "/etc/ca.pem"
    allow-private-exchangers = "networks"
    dkim = "off"

    [[remote-domain]]
    domain = ["*.partner.example", "partner.example"]
    smart-host = ["127.0.0.1:24", "localhost"]
    protocol = "lmtp"

    [[remote-domain]]
    domain = "far.partner.example"
    tls = "off"

    [[remote-domain]]
    domain = "*"
    smart-host = "relay.example.com:465"
    authentication = { user = "x y", password-file = "other" }

    [[local-domain]]
    domain = "Lists.example.org"
    lmtp = ["127.0.0.1:2424", "lists.example.org"]

    [reports]
    copy-to = "postmaster@example.org"
"#;

#[test]
fn delivery_is_read() {
    let settings = resolve(WHOLE).unwrap();
    expect![[r#"
        1 min, then 10 min until 1 day; told after None
        local , then 5 min until 1 h
        10 2 5 3 s
        from [198.51.100.7, 2001:db8::7], names from Servers([127.0.0.1:53, [2001:db8::53]:5353]), validated true by Some("/etc/anchors")
        port 2525, to ["relay1.example.net:587", "192.0.2.1:2525", "2001.example:2525"] as "example-org" with /etc/secret, tls verified
        believes ["/etc/ca.pem"], reaches Private, signs false
    "#]].assert_eq(&delivery(&settings.delivery));
    expect![[r#"
        ["*.partner.example", "partner.example"] by lmtp to ["127.0.0.1:24", "localhost:24"], tls offered
        ["far.partner.example"] by smtp to [], tls off
        ["*"] by smtp to ["relay.example.com:465"] as "x y" with other, tls implicit
        ["lists.example.org"] ours, to ["127.0.0.1:2424", "lists.example.org:24"]
    "#]]
    .assert_eq(&domains(&settings));
    assert_eq!(settings.reports.copy_to, "postmaster@example.org".parse().ok());
}

#[test]
fn connections_are_as_safe_as_harms_no_mail() {
    let password = "authentication = { user = 'a', password-file = 'b' }";
    for (smart_host, more, expected) in [
        ("", "", "offered"),
        ("", "tls = 'off'", "off"),
        ("relay.example.net", "", "offered"),
        ("relay.example.net:465", "", "implicit"),
        ("relay.example.net:587", password, "verified"),
        ("relay.example.net:465", password, "implicit"),
        ("localhost:2525", password, "offered"),
    ] {
        let host = if smart_host.is_empty() { String::new() } else { format!("smart-host = '{smart_host}'") };
        let settings = resolve(&format!("[delivery]\n{host}\n{more}")).unwrap();
        assert_eq!(settings.delivery.tls.name(), expected, "{smart_host} {more}");
    }
}

#[test]
fn remote_domains_inherit_how_connections_are_secured() {
    let all = "smart-host = 'relay.example.net:465'\ntls = 'implicit'";
    for (delivery, smart_host, expected) in [
        ("tls = 'required'", "relay.example.com", "required"),
        ("tls = 'required'", "relay.example.com:465", "implicit"),
        ("tls = 'required'", "127.0.0.1:2525", "offered"),
        (all, "relay.example.com:587", "offered"),
        ("", "relay.example.com:587", "offered"),
    ] {
        let remote = format!("[[remote-domain]]\ndomain = 'example.com'\nsmart-host = '{smart_host}'");
        let settings = resolve(&format!("[delivery]\n{delivery}\n{remote}")).unwrap();
        assert_eq!(settings.remote_domains[0].tls.name(), expected, "{delivery} {smart_host}");
    }
}

#[test]
fn who_may_relay_is_said_server_by_server() {
    let settings = resolve(
        r#"
        [defaults]
        relay = { allow = "192.0.2.0/24" }
        protocol-log = { size-limit = "1 MiB" }
        [[virtual-server]]
        name = "printers"
        protocol = "smtp"
        protocol-log = { file = "/var/log/printers", keep = 2 }
        [[virtual-server]]
        name = "submission"
        protocol = "submission"
        relay = { authenticated = false }
        [[virtual-server]]
        name = "opened"
        protocol = "smtp"
        bind = "127.0.0.1:2500"
        relay = { allow = ["0.0.0.0/0", "::/0"], open = "on" }
        [[virtual-server]]
        name = "filter"
        protocol = "lmtp"
        relay = { allow = [], authenticated = "on" }
        [[virtual-server]]
        name = "lists"
        protocol = "lmtp"
        bind = "192.0.2.1:2424"
        relay = { allow = "192.0.2.9" }
        "#,
    )
    .unwrap();
    let said = |server: &VirtualServer| {
        let allow: Vec<String> = server.relay.allow.0.iter().map(ToString::to_string).collect();
        let at: Vec<String> = server.bindings.iter().map(|binding| binding.address.to_string()).collect();
        let file =
            |log: &settings::ProtocolLog| format!("{} {} {}", log.file.display(), log.size_limit, log.keep);
        let log = server.protocol_log.as_ref().map(file).unwrap_or_default();
        format!("{} {at:?}: {allow:?} {} {log}\n", server.name, server.relay.authenticated)
    };
    expect![[r#"
        printers ["[::]:25"]: ["192.0.2.0/24"] false /var/log/printers 1 MiB 2
        submission ["[::]:587"]: ["192.0.2.0/24"] false 
        opened ["127.0.0.1:2500"]: ["0.0.0.0/0", "::/0"] false 
        filter ["127.0.0.1:24"]: [] true 
        lists ["192.0.2.1:2424"]: ["192.0.2.9"] false 
    "#]]
    .assert_eq(&settings.virtual_servers.iter().map(said).collect::<String>());
}

#[test]
fn the_files_that_a_text_names_are_told_with_their_lines() {
    let text = r#"[tls]
certificates = [
    { certificate = "/etc/a.pem", key = "/etc/a.key" },
]
[delivery]
certificate-authorities = ["/etc/b.pem", 5,
    "/etc/c.pem"]
smart-host = "relay.example.net:587"
authentication = { user = "us", password-file = "/etc/secret" }
[[virtual-server]]
name = "internet"
protocol-log = { file = "/var/log/internet" }
"#;
    let line = |file: &settings::NamedFile| format!("{}\n", file.mistake(&format!("is {:?}", file.kind)));
    expect![[r#"
        3: [tls] certificates: certificate = "/etc/a.pem" is Certificate
        3: [tls] certificates: key = "/etc/a.key" is Key
        12: virtual-server "internet": file = "/var/log/internet" is ProtocolLog
        9: [delivery]: password-file = "/etc/secret" is Password
        6: [delivery]: certificate-authorities = "/etc/b.pem" is Authorities
        7: [delivery]: certificate-authorities = "/etc/c.pem" is Authorities
    "#]]
    .assert_eq(&settings::files(text).iter().map(line).collect::<String>());
    assert_eq!(settings::files("[tls\n"), []);
}

#[test]
fn mistakes_of_delivery_are_told_at_once() {
    check_mistakes(
        r#"[delivery]
retry = ["15 minutes", "then every 4 h", "0 s"]
delay-notification = "nevr"
expiration = "4 d"
local = { retry = [], expiration = "30 s", delay-notification = "1 h", notify = 1 }
connections = { limit = 0, per-domain = 5, time-out = "0 s" }
source-address = ["0.0.0.0", "198.51.100.7", "198.51.100.8:25", "198.51.100.9"]
resolvers = ["system", "192.0.2.53", "dns.example.org"]
dns-trust-anchors = "/etc/anchors"
outbound-port = 70000
smart-host = ["relay.example.net:smtp", "2001:db8::1", "relay.example.net:465", "relay.example.net:465", 5]
authentication = { user = "", password = "secret" }
tls = "required"
certificate-authority = "/etc/ca.pem"
allow-private-exchangers = "yes"
dkim = 1

[reports]
copy-to = "postmaster"
"#,
        expect![[r#"
            settings.toml:2: [delivery]: retry = "0 s" is below the 1 s between two attempts, for no peer is hammered
            settings.toml:2: [delivery]: retry = "15 minutes" is no span of time such as "15 min" or "then every 4 h"; did you mean `15 min`?
            settings.toml:2: [delivery]: retry = "then every 4 h" is not the last of the list, and nothing comes after it
            settings.toml:3: [delivery]: delay-notification = "nevr" is no span of time such as "4 h", nor never; did you mean `never`?
            settings.toml:4: [delivery]: expiration = "4 d" is no span of time such as "5 min"; did you mean `4 days`?
            settings.toml:5: [delivery.local]: delay-notification = "1 h" is not before the expiration of 30 s, so that nobody would be told; if that is meant, say "never"
            settings.toml:5: [delivery.local]: expiration = "30 s" is before the first retry, after 1 min
            settings.toml:5: [delivery.local]: unknown key `notify`
            settings.toml:5: [delivery.local]: retry = [] names none; such as retry = ["15 min", "then every 4 h"]
            settings.toml:6: [delivery]: limit = 0 is no whole number from 1 on
            settings.toml:6: [delivery]: unknown key `per-domain`
            settings.toml:6: [delivery]: time-out = "0 s" is below the 1 s that a connection may take at least
            settings.toml:7: [delivery]: source-address = "0.0.0.0" is no address of one host (no unicast address)
            settings.toml:7: [delivery]: source-address = "198.51.100.8:25" is no address such as "198.51.100.7" or "2001:db8::7"; did you mean `198.51.100.8`?
            settings.toml:7: [delivery]: source-address = "198.51.100.9" is a second IPv4 address beside 198.51.100.7; connections leave from one of each family
            settings.toml:8: [delivery]: resolvers = "dns.example.org" is neither system nor an address such as "192.0.2.53" or "[2001:db8::53]:5353"
            settings.toml:8: [delivery]: resolvers = "system" stands alone, or not at all: these servers are asked, or the system's
            settings.toml:9: [delivery]: dns-trust-anchors = "/etc/anchors" is used with dns-validation = "on" only
            settings.toml:10: [delivery]: outbound-port = 70000 is no port from 1 to 65535
            settings.toml:11: [delivery]: smart-host = "2001:db8::1" needs square brackets; did you mean `[2001:db8::1]`?
            settings.toml:11: [delivery]: smart-host = "relay.example.net:465" is named twice (line 11)
            settings.toml:11: [delivery]: smart-host = "relay.example.net:465" is port 465, which is TLS from the first byte (RFC 8314 §3.3): say tls = "implicit"
            settings.toml:11: [delivery]: smart-host = "relay.example.net:smtp" is no host and port such as "relay.example.net:587" or "[192.0.2.1]:25"
            settings.toml:11: [delivery]: smart-host = 5 is no host and port such as "relay.example.net:587" or "[192.0.2.1]:25"
            settings.toml:12: [delivery]: unknown key `password`; did you mean `password-file`?
            settings.toml:12: [delivery]: needs the key `password-file`, such as password-file = "/etc/waxseal/relay.secret"
            settings.toml:12: [delivery]: user = "" is empty
            settings.toml:14: [delivery]: unknown key `certificate-authority`; did you mean `certificate-authorities`?
            settings.toml:15: [delivery]: allow-private-exchangers = "yes" is none of off, networks, on
            settings.toml:16: [delivery]: dkim = 1 is none of on, off
            settings.toml:19: [reports]: copy-to = "postmaster" is no address such as "postmaster@example.org"
        "#]],
    );
    check_mistakes(
        r#"[delivery]
retry = ["3 h", "6 h"]
delay-notification = "2 h"
expiration = "2 h"
authentication = { user = "a", password-file = "b" }
tls = "implicit"
resolvers = []
[delivery.local]
retry = "3 days"
"#,
        expect![[r#"
            settings.toml:3: [delivery]: delay-notification = "2 h" is not before the expiration of 2 h, so that nobody would be told; if that is meant, say "never"
            settings.toml:4: [delivery]: expiration = "2 h" is before the first retry, after 3 h
            settings.toml:5: [delivery]: authentication needs a smart-host: a password is for a host that is named here, not for one that the DNS names
            settings.toml:6: [delivery]: tls = "implicit" needs a smart-host: other servers speak no TLS from the first byte on port 25
            settings.toml:7: [delivery]: resolvers = [] names none; such as resolvers = ["system"]
            settings.toml:9: [delivery.local]: retry = "3 days" is after the expiration of 2 days
        "#]],
    );
}

#[test]
fn mistakes_of_domains_are_told_at_once() {
    check_mistakes(
        r#"host-name = "mail.example.org"
[delivery]
tls = "offered"

[[remote-domain]]
domain = ["partner.example", "*.partner.example", "*.partner.example"]
smart-host = "relay.partner.example:587"
authentication = { user = "example-org", password-file = "/etc/secret" }

[[remote-domain]]
domain = ["Partner.example", ".other.example"]
protocol = "lmtp"

[[remote-domain]]
domain = "clear.example"
smart-host = ["127.0.0.1:2525", "relay.clear.example"]
authentication = { user = "example-org", password-file = "/etc/secret" }
tls = "off"

[[remote-domain]]
domain = "circle.example"
smart-host = ["localhost", "mail.example.org", "127.0.0.1:587", "mail.example.org:2525"]
tls = "verifed"

[[remote-domain]]
smart-host = "relay.example"
lmtp = "127.0.0.1"

[[local-domain]]
domain = ["lists.example.org", "clear.example", "*.example.org"]
lmtp = ["127.0.0.1:25"]

[[local-domain]]
domain = []

[[local-domain]]
domain = "lists.example.org"
lmtp = "/run/lists.sock"
"#,
        expect![[r#"
            settings.toml:3: [delivery]: tls = "offered" would send the password to relay.partner.example:587 in clear text whenever TLS is not offered; say tls = "verified", or at least "required"; remote-domain "partner.example" inherits it
            settings.toml:6: remote-domain "partner.example": domain = "*.partner.example" is named by remote-domain "partner.example" already (line 6)
            settings.toml:11: remote-domain "Partner.example": domain = ".other.example" is no domain such as "partner.example", "*.partner.example" or "*"; did you mean `*.other.example`?
            settings.toml:11: remote-domain "Partner.example": domain = "Partner.example" is named by remote-domain "partner.example" already (line 6)
            settings.toml:12: remote-domain "Partner.example": protocol = "lmtp" needs a smart-host: exchangers in the DNS speak SMTP
            settings.toml:18: remote-domain "clear.example": tls = "off" would send the password to relay.clear.example:25 in clear text; say tls = "verified", or at least "required"
            settings.toml:22: remote-domain "circle.example": smart-host = "127.0.0.1:587" is this server itself: mail would go in a circle
            settings.toml:22: remote-domain "circle.example": smart-host = "localhost" is this server itself: mail would go in a circle
            settings.toml:22: remote-domain "circle.example": smart-host = "mail.example.org" is this server itself: mail would go in a circle
            settings.toml:23: remote-domain "circle.example": tls = "verifed" is none of off, offered, required, verified, implicit; did you mean `verified`?
            settings.toml:25: remote-domain: needs the key `domain`, such as domain = "partner.example"
            settings.toml:27: remote-domain: unknown key `lmtp`
            settings.toml:30: local-domain "lists.example.org": domain = "*.example.org" is no domain name such as "mail.example.org"
            settings.toml:30: local-domain "lists.example.org": domain = "clear.example" is named by remote-domain "clear.example" already (line 15)
            settings.toml:31: local-domain "lists.example.org": lmtp = "127.0.0.1:25" is port 25, on which LMTP must not be used (RFC 2033 §5)
            settings.toml:31: local-domain "lists.example.org": lmtp = "127.0.0.1:25" is this server itself: mail would go in a circle
            settings.toml:33: local-domain: needs the key `lmtp`, such as lmtp = "127.0.0.1:2424" (or drop, a directory)
            settings.toml:34: local-domain: domain = [] names none; such as domain = "lists.example.org"
            settings.toml:37: local-domain "lists.example.org": domain = "lists.example.org" is named by local-domain "lists.example.org" already (line 30)
            settings.toml:38: local-domain "lists.example.org": lmtp = "/run/lists.sock" is no host and port such as "relay.example.net:587" or "[192.0.2.1]:25"
        "#]],
    );
}

/// Whoever resolves it here gets an address of this machine, and often a loopback one.
#[test]
fn our_own_name_is_ourselves_wherever_we_listen() {
    let mistakes = |host: &str| {
        let text = format!(
            "host-name = 'mail.example.org'\n[[virtual-server]]\nname = 'internet'\nprotocol = 'smtp'\n\
             bind = '127.0.0.1:2525'\n[delivery]\nsmart-host = '{host}'"
        );
        let mistakes = settings::resolve(&text).err().unwrap_or_default();
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let circle = "7: [delivery]: smart-host = 'Mail.Example.org:2525' is this server itself: mail would go in a circle";
    assert_eq!(mistakes("Mail.Example.org:2525"), [circle]);
    for other in ["mail.example.org:25", "relay.example.org:2525"] {
        assert!(mistakes(other).is_empty(), "{other}");
    }
}

#[test]
fn mistakes_of_access_are_told_at_once() {
    check_mistakes(
        r#"[defaults]
relay = { allow = ["10.0.0.0/8", "64.0.0.0/2"] }
protocol-log = { file = "/var/log/all" }

[[virtual-server]]
name = "internet"
protocol = "smtp"
relay = { alow = ["192.0.2.0/24"], allow = ["192.0.2.0/24"] }

[[virtual-server]]
name = "opened"
protocol = "smtp"
bind = "[::]:2525"
relay = { allow = ["0.0.0.0/0", "::/0"], authenticated = "yes" }

[[virtual-server]]
name = "in pieces"
protocol = "smtp"
bind = "[::]:2526"
relay = { allow = [
    "198.0.0.0/8", "10.0.0.0/8",
    "203.0.113.0/24",
] }

[[virtual-server]]
name = "inherits"
protocol = "submission"

[[virtual-server]]
name = "filter"
protocol = "lmtp"
bind = ["[::]:2424", "127.0.0.1:2424", "127.0.0.1:25"]
relay = { allow = [] }
protocol-log = { file = "/var/log/filter", size-limit = "10 B", keep = 0 }
connection-time-out = "1 min"

[[virtual-server]]
name = "mailboxes"
protocol = "imap"
protocol-log = { file = "/var/log/filter" }
"#,
        expect![[r#"
            settings.toml:2: [defaults]: allow = "64.0.0.0/2" would make this an open relay, for strangers to send through; if that is meant, say so: relay = { allow = [...], open = "on" }; virtual-server "inherits" inherits it
            settings.toml:3: [defaults]: file = "/var/log/all" is written by "internet" already (line 3); virtual-server "in pieces" inherits it
            settings.toml:3: [defaults]: file = "/var/log/all" is written by "internet" already (line 3); virtual-server "inherits" inherits it
            settings.toml:3: [defaults]: file = "/var/log/all" is written by "internet" already (line 3); virtual-server "opened" inherits it
            settings.toml:8: virtual-server "internet": unknown key `alow`; did you mean `allow`?
            settings.toml:14: virtual-server "opened": allow = "0.0.0.0/0" would make this an open relay, for strangers to send through; if that is meant, say so: relay = { allow = [...], open = "on" }
            settings.toml:14: virtual-server "opened": allow = "::/0" would make this an open relay, for strangers to send through; if that is meant, say so: relay = { allow = [...], open = "on" }
            settings.toml:14: virtual-server "opened": authenticated = "yes" is none of on, off
            settings.toml:21: virtual-server "in pieces": allow = "198.0.0.0/8" and the other networks of this list together would make this an open relay, for strangers to send through; if that is meant, say so: relay = { allow = [...], open = "on" }
            settings.toml:32: virtual-server "filter": bind = 127.0.0.1:25: LMTP must not be used on port 25 (RFC 2033 §5)
            settings.toml:32: virtual-server "filter": bind = [::]:2424 is open to others than this machine, and LMTP delivers without authentication: it is not for wide area networks (RFC 2033 §5); bind a loopback address, or name the peers: relay = { allow = ["192.0.2.5"] }
            settings.toml:34: virtual-server "filter": keep = 0 is no whole number from 1 on
            settings.toml:34: virtual-server "filter": size-limit = "10 B" is below the 4 KiB that a protocol log has at least
            settings.toml:35: virtual-server "filter": connection-time-out = "1 min" is below the 5 min that SMTP asks for (RFC 5321 §4.5.3.2.7)
            settings.toml:40: virtual-server "mailboxes": file = "/var/log/filter" is written by "filter" already (line 34)
        "#]],
    );
    check_mistakes(
        "[[virtual-server]]\nname = 'a'\nprotocol = 'smtp'\nprotocol-log = { keep = 3 }\n",
        expect![[r#"
            settings.toml:4: virtual-server "a": protocol-log needs a file, such as file = "/var/log/waxseal/internet.log"
        "#]],
    );
    check_mistakes(
        "[[virtual-server]]\nname = 'a'\nprotocol = 'lmtp'\nbind = '[::]:24'\nrelay = { allow = '::/0' }\n",
        expect![[r#"
            settings.toml:5: virtual-server "a": allow = '::/0' would let strangers deliver to every mailbox unjudged; if that is meant, say so: relay = { allow = [...], open = "on" }
        "#]],
    );
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_good_text_harms(at in 0usize..1800, cut in 0usize..20, new in "[\\[\\]{}=\"'.,#\\n a-z0-9:*/-]{0,6}") {
        let mut text: Vec<char> = WHOLE.chars().collect();
        let start = at.min(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, new.chars());
        let text: String = text.into_iter().collect();
        let lines = text.lines().count().max(1) + 1;
        for mistake in resolve(&text).err().into_iter().flatten() {
            proptest::prop_assert!((1..=lines).contains(&mistake.line), "{mistake}");
            proptest::prop_assert!(!mistake.to_string().chars().any(char::is_control), "{mistake}");
        }
    }
}
