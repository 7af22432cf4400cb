//! Properties of virtual servers: inherited one by one, selected by peer, and every mistake in them.

use expect_test::{Expect, expect};
use settings::{ConnectionControl, Mechanism, ServerState, Settings, Size, TokenCheck, resolve};

fn check_mistakes(text: &str, expected: Expect) {
    let mistakes = resolve(text).expect_err("this text has mistakes");
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("settings.toml:{mistake}\n")).collect();
    expected.assert_eq(&lines.concat());
}

fn resolved(text: &str) -> Settings {
    resolve(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

const SELECTED: &str = r#"
    [defaults]
    recipients-per-message = 200

    [[virtual-server]]
    name = "printers"
    protocol = "smtp"
    bind = ["127.0.0.1:25", { address = "127.0.0.1:465", tls = "implicit" }]
    message-size-limit = "1 MiB"

    [[virtual-server.when]]
    client = ["192.0.2.0/24", "2001:db8::/32"]
    message-size-limit = "2 MiB"

    [[virtual-server.when]]
    client = "192.0.2.77"
    message-size-limit = "3 MiB"
    tls = "required"

    [[virtual-server.when]]
    server-name = "*.example.org"
    message-size-limit = "4 MiB"

    [[virtual-server.when]]
    server-name = ["mail.example.org", "*.deep.example.org"]
    message-size-limit = "5 MiB"

    [[virtual-server.when]]
    client = "192.0.2.0/25"
    server-name = "mail.example.org"
    message-size-limit = "6 MiB"

    [[virtual-server.when]]
    client = "192.0.2.0/25"
    message-size-limit = "7 MiB"
"#;

#[test]
fn the_most_specific_match_wins() {
    let settings = resolved(SELECTED);
    let server = &settings.virtual_servers[0];
    for (address, name, expected) in [
        ("198.51.100.1", None, 1),
        ("198.51.100.1", Some("other.example"), 1),
        ("192.0.2.200", None, 2),
        ("::ffff:192.0.2.200", None, 2),
        ("2001:db8::1", None, 2),
        ("192.0.2.77", None, 3),
        // The network goes before the name.
        ("192.0.2.77", Some("mail.example.org"), 3),
        ("192.0.2.200", Some("mail.example.org"), 2),
        ("198.51.100.1", Some("any.example.org"), 4),
        ("198.51.100.1", Some("MAIL.example.org"), 5),
        ("198.51.100.1", Some("a.deep.example.org"), 5),
        ("198.51.100.1", Some("not a name"), 1),
        ("192.0.2.7", Some("mail.example.org"), 6),
        // Both conditions must fit.
        ("192.0.2.7", Some("any.example.org"), 7),
        ("192.0.2.7", None, 7),
    ] {
        let chosen = server.for_peer(address.parse().unwrap(), name);
        assert_eq!(chosen.message_size_limit, Size(expected << 20), "{address} {name:?}");
        assert_eq!(chosen.recipients_per_message, 200, "what is not named is inherited");
        assert_eq!((&chosen.name, chosen.bindings.len()), (&server.name, 2));
    }
    let tls = |address: &str| {
        let chosen = server.for_peer(address.parse().unwrap(), None);
        chosen.bindings.iter().map(|binding| binding.tls.name()).collect::<Vec<_>>()
    };
    assert_eq!(tls("198.51.100.1"), ["offered", "implicit"]);
    assert_eq!(tls("192.0.2.77"), ["required", "implicit"], "TLS from the first byte leaves no choice");
}

#[test]
fn of_two_that_fit_equally_the_first_wins() {
    let text = r#"
        [[virtual-server]]
        name = "a"
        protocol = "smtp"
        when = [{ client = ["192.0.2.0/24", "::1"], banner = "one" }, { client = ["192.0.2.0/24"], banner = "two" }]
    "#;
    let settings = resolved(text);
    assert_eq!(settings.virtual_servers[0].for_peer("192.0.2.1".parse().unwrap(), None).banner, "one");
}

#[test]
fn who_may_connect_is_told_by_address_and_name() {
    let control = |text: &str| {
        let text =
            format!("[[virtual-server]]\nname = 'a'\nprotocol = 'smtp'\nconnection-control = {{ {text} }}");
        resolved(&text).virtual_servers[0].connection_control.clone()
    };
    let peer = "192.0.2.7".parse().unwrap();
    let names = [mail::Domain::parse("pc7.office.example.org").unwrap()];
    for (text, admits, by_name) in [
        ("", true, false),
        ("only = '192.0.2.0/24'", true, false),
        ("only = ['198.51.100.0/24', '*.office.example.org']", true, true),
        ("only = '198.51.100.0/24'", false, false),
        ("except = '192.0.2.7'", false, false),
        ("except = 'pc8.office.example.org'", true, true),
    ] {
        let control = control(text);
        assert_eq!((control.admits(peer, &names), control.asks_for_names()), (admits, by_name), "{text}");
    }
    assert_eq!(control(""), ConnectionControl::All);
}

#[test]
fn delivery_of_a_virtual_server_is_inherited_key_by_key() {
    let settings = resolved(
        r#"
        [delivery]
        expiration = "3 days"
        smart-host = "relay.example.net"
        authentication = { user = "us", password-file = "a" }
        connections = { messages = 7 }
        [defaults]
        delivery = { source-address = "198.51.100.7" }
        reports = { copy-to = "all@example.org" }
        [[virtual-server]]
        name = "as it is"
        protocol = "smtp"
        bind = "[::]:1"
        delivery = { local = { expiration = "1 h" } }
        [[virtual-server]]
        name = "elsewhere"
        protocol = "smtp"
        bind = "[::]:2"
        delivery = { smart-host = "other.example.net", masquerade = { domain = "example.org", header = "on" } }
        reports = { copy-to = "elsewhere@example.org" }
        when = [{ client = "::1", delivery = { outbound-port = 26 } }]
        "#,
    );
    let [as_it_is, elsewhere] = &settings.virtual_servers[..] else { panic!("there are two") };
    for server in [as_it_is, elsewhere] {
        let (own, all) = (&server.delivery, &settings.delivery);
        assert_eq!((own.expiration, own.connections, own.retry.len()), (all.expiration, all.connections, 3));
        assert_eq!(own.source_addresses, ["198.51.100.7".parse::<std::net::IpAddr>().unwrap()]);
    }
    assert_eq!(as_it_is.delivery.local.expiration.to_string(), "1 h");
    assert_eq!(as_it_is.delivery.sign_in, settings.delivery.sign_in);
    assert_eq!(as_it_is.reports.copy_to, "all@example.org".parse().ok());
    assert_eq!(elsewhere.reports.copy_to, "elsewhere@example.org".parse().ok());
    assert_eq!(elsewhere.delivery.sign_in, None, "the password is for the other host");
    assert!(elsewhere.delivery.masquerade.as_ref().is_some_and(|masquerade| masquerade.header));
    let here = elsewhere.for_peer("::1".parse().unwrap(), None);
    assert_eq!(here.delivery.smart_hosts[0].to_string(), "other.example.net:26");
}

#[test]
fn what_concerns_the_program_is_read() {
    let settings = resolved(
        r#"
        host-name = "mail.example.org"
        user = "waxseal"
        confinement = "off"
        sign-in = { failures = "off", delay = "2 s", delay-limit = "4 s" }
        back-pressure = { disk = ["2 GiB", "1 GiB"], memory = "off", queue = [5, 9] }
        fetch = { allow-private = true }
        pickup = { state = "off", directory = "/a" }
        [tls.acme]
        challenge = "tls-alpn-01"
        [oauth]
        issuer = "https://auth.example.org"
        audience = "mail"
        introspection = "https://auth.example.org/introspect"
        client = "us"
        client-secret-file = "/secret"
        [[virtual-server]]
        name = "a"
        protocol = "imap"
        state = "paused"
        host-name = "imap.example.org"
        operators = ["anna"]
        authentication = ["oauthbearer", "xoauth2", "cram-md5", "plain"]
        "#,
    );
    assert_eq!((settings.user.as_deref(), settings.confinement), (Some("waxseal"), false));
    let limits = settings.sign_in;
    assert_eq!((limits.failures, limits.account_failures), (None, Some(50)));
    assert_eq!(limits.delay.map(|delay| delay.to_string()).as_deref(), Some("2 s"));
    let pressure = settings.back_pressure;
    assert_eq!(pressure.disk.map(|levels| (levels.slow.0, levels.refuse.0)), Some((2 << 30, 1 << 30)));
    assert_eq!(pressure.memory, None);
    assert_eq!(pressure.queue.map(|levels| (levels.slow, levels.refuse)), Some((5, 9)));
    assert!(settings.fetch.allow_private && !settings.pickup.on);
    let acme = settings.acme.unwrap();
    assert_eq!(
        acme.names.iter().map(mail::Domain::as_str).collect::<Vec<_>>(),
        ["mail.example.org", "imap.example.org"]
    );
    assert_eq!(acme.bindings, ["[::]:443".parse().unwrap()]);
    assert!(
        matches!(settings.oauth.unwrap().check, TokenCheck::Introspection(asked) if asked.client == "us")
    );
    let server = &settings.virtual_servers[0];
    assert_eq!((server.state, &server.operators[..]), (ServerState::Paused, &["anna".to_owned()][..]));
    assert_eq!(
        server.authentication,
        [Mechanism::OauthBearer, Mechanism::Xoauth2, Mechanism::CramMd5, Mechanism::Plain]
    );
}

#[test]
fn keywords_that_need_others_are_off_with_them() {
    let settings = resolved(
        "[[virtual-server]]\nname = 'a'\nprotocol = 'smtp'\nkeywords = { chunking = 'off', 8bitmime = 'off' }",
    );
    let keywords = settings.virtual_servers[0].keywords;
    assert!(!keywords.binarymime && !keywords.smtputf8 && keywords.dsn);
}

#[test]
fn every_mistake_in_properties_is_told() {
    check_mistakes(
        r#"
sign-in = { delay = "1 min", failures = "never", account-failure = 5 }
back-pressure = { disk = ["1 MiB", "1 GiB"], queue = 5 }
fetch = { authorities = 5 }
tls = { acme = { challenge = "dns-01", directory = "http://acme.example.net" } }

[oauth]
issuer = "a"
keys = "https://auth.example.org/keys"
client = "us"

[defaults]
proxy-protocol = "0.0.0.0/0"
session-size-limit = "1 MiB"
greeting-delay = "2 min"

[[virtual-server]]
name = "a"
protocol = "smtp"
state = "runing"
host-name = "192.0.2.1"
authentication = ["external", "gssapi"]
client-certificates = "wanted"
connection-control = { only = [], except = ["192.0.2.0/24"] }
relay = { except = ["192.0.2.0/24"], allow = ["192.0.2.1"] }
message-rate = "60/min"
keywords = { chunking = "off", binarymime = "on", smtputf = "off" }
errors = { tarpit = 5 }
sending = { recipients-per-hour = 0 }
delivery = { connections = { limit = 5 }, expiraton = "1 day" }

[[virtual-server.when]]
banner = "x"

[[virtual-server.when]]
client = "192.0.2.1/24"
server-name = "a"
tls = "implicit"
protocol-log = { file = "/a" }

[[virtual-server]]
name = "b"
protocol = "imap"
authentication = "external"
when = [{ client = "192.0.2.1", banner = "a" }, { client = "192.0.2.1" }]

[[virtual-server]]
name = "c"
protocol = "submission"
relay = { except = ["192.0.2.0/24"] }

[[remote-domain]]
domain = "*"
relay = "on"
hello = "helo"
tls = "required"
direct-first = "on"
hold-until-etrn = []

[[local-domain]]
domain = "here.example"
lmtp = "127.0.0.1"
drop = "/a"
"#,
        expect![[r#"
            settings.toml:2: [sign-in]: unknown key `account-failure`; did you mean `account-failures`?
            settings.toml:2: [sign-in]: delay = "1 min" is above the delay-limit of 16 s
            settings.toml:2: [sign-in]: failures = "never" is no whole number from 1 on, nor off
            settings.toml:3: [back-pressure]: disk = ["1 MiB", "1 GiB"] refuses before it slows: the first is the level that slows
            settings.toml:3: [back-pressure]: queue = 5 is no list of two levels, the one that slows and the one that refuses, nor off
            settings.toml:4: [fetch]: authorities = 5 is no path of a file
            settings.toml:5: [tls]: acme needs the name of this host: write host-name, or names, such as names = ["mail.example.org"]
            settings.toml:5: [tls]: challenge = "dns-01" is none of http-01, tls-alpn-01
            settings.toml:5: [tls]: directory = "http://acme.example.net" is clear text for everybody on the way to read; did you mean `https://acme.example.net`?
            settings.toml:7: [oauth]: needs the key `audience`, such as audience = "mail.example.org"
            settings.toml:10: [oauth]: client = "us" is used with introspection only
            settings.toml:13: [defaults]: proxy-protocol = "0.0.0.0/0" would let strangers say that they are somebody else; virtual-server "a" inherits it
            settings.toml:13: [defaults]: proxy-protocol = "0.0.0.0/0" would let strangers say that they are somebody else; virtual-server "b" inherits it
            settings.toml:13: [defaults]: proxy-protocol = "0.0.0.0/0" would let strangers say that they are somebody else; virtual-server "c" inherits it
            settings.toml:14: [defaults]: session-size-limit = "1 MiB" is below the message-size-limit of 50 MiB; virtual-server "a" inherits it
            settings.toml:14: [defaults]: session-size-limit = "1 MiB" is below the message-size-limit of 50 MiB; virtual-server "b" inherits it
            settings.toml:14: [defaults]: session-size-limit = "1 MiB" is below the message-size-limit of 50 MiB; virtual-server "c" inherits it
            settings.toml:15: [defaults]: greeting-delay = "2 min" is above the 1 min that honest clients can be asked to wait; virtual-server "a" inherits it
            settings.toml:15: [defaults]: greeting-delay = "2 min" is above the 1 min that honest clients can be asked to wait; virtual-server "b" inherits it
            settings.toml:15: [defaults]: greeting-delay = "2 min" is above the 1 min that honest clients can be asked to wait; virtual-server "c" inherits it
            settings.toml:20: virtual-server "a": state = "runing" is none of running, paused, stopped; did you mean `running`?
            settings.toml:21: virtual-server "a": host-name = "192.0.2.1" is an address and no name: write the name that the DNS has for this host, such as "mail.example.org"
            settings.toml:22: virtual-server "a": authentication = "gssapi" is none of scram-sha-256-plus, scram-sha-1-plus, scram-sha-256, scram-sha-1, plain, login, oauthbearer, xoauth2, external, cram-md5
            settings.toml:23: virtual-server "a": client-certificates = "wanted" needs client-certificate-authorities in [tls]
            settings.toml:24: virtual-server "a": except = ["192.0.2.0/24"] stands beside only: it is all but some, or only some
            settings.toml:24: virtual-server "a": only = [] names none; such as ["192.0.2.0/24", "*.office.example.org"]
            settings.toml:25: virtual-server "a": except = ["192.0.2.0/24"] stands beside allow: it is all but some, or only some
            settings.toml:25: virtual-server "a": except = ["192.0.2.0/24"] would make this an open relay, for strangers to send through; if that is meant, say so: relay = { except = [...], open = "on" }
            settings.toml:26: virtual-server "a": message-rate = "60/min" is no rate such as "60 per min" or "100 per 5 min", nor none; did you mean `60 per min`?
            settings.toml:27: virtual-server "a": binarymime = "on" needs chunking (RFC 3030 §3), which is off
            settings.toml:27: virtual-server "a": unknown key `smtputf`; did you mean `smtputf8`?
            settings.toml:28: virtual-server "a": tarpit = 5 is no span of time such as "5 min"
            settings.toml:29: virtual-server "a": recipients-per-hour = 0 is no whole number from 1 on, nor none
            settings.toml:30: virtual-server "a": connections is for all mail: it stands in [delivery] itself
            settings.toml:30: virtual-server "a": unknown key `expiraton`; did you mean `expiration`?
            settings.toml:32: virtual-server "a" when: needs the key `client` or `server-name`, such as client = "192.0.2.77"
            settings.toml:36: virtual-server "a" when: client = "192.0.2.1/24" has bits beyond its prefix of 24; did you mean `192.0.2.0/24`?
            settings.toml:38: virtual-server "a" when: tls = "implicit" is for all who connect there: it stands at bind
            settings.toml:39: virtual-server "a" when: protocol-log is for all peers: it stands in [[virtual-server]] itself
            settings.toml:44: virtual-server "b": authentication = "external" needs client-certificates = "wanted" or "required"
            settings.toml:45: virtual-server "b" when: is for the same peers as the one of line 45
            settings.toml:50: virtual-server "c": except = ["192.0.2.0/24"] would make this an open relay, for strangers to send through; if that is meant, say so: relay = { except = [...], open = "on" }
            settings.toml:54: remote-domain "*": relay = "on" with domain = "*" would make this an open relay, for strangers to send through
            settings.toml:55: remote-domain "*": hello = "helo" leaves no way to TLS, which is asked for: STARTTLS is an extension
            settings.toml:57: remote-domain "*": direct-first = "on" needs a smart-host: without one, mail goes to the exchangers anyway
            settings.toml:58: remote-domain "*": hold-until-etrn = [] names none; such as hold-until-etrn = ["192.0.2.0/24"]
            settings.toml:63: local-domain "here.example": drop = "/a" stands beside lmtp: mail goes one way
        "#]],
    );
}
