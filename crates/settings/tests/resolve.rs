//! Whole texts: what they mean, and every mistake in them.

use expect_test::{Expect, expect};
use settings::{DEFAULT_TEXT, Mechanism, Protocol, Settings, Size, Tls, VirtualServer, resolve};

fn check_mistakes(text: &str, expected: Expect) {
    let mistakes = resolve(text).expect_err("this text has mistakes");
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("settings.toml:{mistake}\n")).collect();
    expected.assert_eq(&lines.concat());
}

/// One line a virtual server and binding.
fn bindings(settings: &Settings) -> String {
    let line = |server: &VirtualServer| {
        let bindings: Vec<String> =
            server.bindings.iter().map(|b| format!("{} {:?}", b.address, b.tls)).collect();
        format!("{} {}: {}\n", server.name, server.protocol.name(), bindings.join(", "))
    };
    settings.virtual_servers.iter().map(line).collect()
}

#[test]
fn an_empty_text_is_a_working_server() {
    let settings = resolve("").unwrap();
    assert_eq!(resolve(DEFAULT_TEXT), Ok(settings.clone()));
    expect![[r#"
        internet smtp: [::]:25 Offered
        submission submission: [::]:587 Required, [::]:465 Implicit
        maildrop pop3: [::]:110 Offered, [::]:995 Implicit
        mailboxes imap: [::]:143 Offered, [::]:993 Implicit
    "#]]
    .assert_eq(&bindings(&settings));
    let submission = &settings.virtual_servers[1];
    assert_eq!(submission.authentication, Mechanism::UNBOUND);
    assert_eq!(settings.virtual_servers[3].authentication, Mechanism::BY_PASSWORD);
    expect![[r#"
        VirtualServer {
            name: "internet",
            protocol: Smtp,
            bindings: [
                Binding {
                    address: [::]:25,
                    tls: Offered,
                },
            ],
            host_name: Domain(
                "localhost",
            ),
            state: Running,
            operators: [],
            authentication: [],
            sign_in_failures: 5,
            tls_minimum_version: V1_2,
            client_certificates: Off,
            connection_control: All,
            reverse_lookup: true,
            relay: Relay {
                allow: Networks(
                    [],
                ),
                except: None,
                authenticated: false,
            },
            may_send_as: Own,
            sending: SendingLimits {
                recipients_per_hour: Some(
                    1000,
                ),
                recipients_per_day: Some(
                    10000,
                ),
                new_recipients_per_day: Some(
                    1000,
                ),
                hold_factor: Some(
                    10,
                ),
                hold_recipients: Some(
                    100,
                ),
            },
            message_size_limit: Size(
                52428800,
            ),
            session_size_limit: None,
            recipients_per_message: 1000,
            messages_per_connection: 100,
            maximum_hop_count: 100,
            message_rate: None,
            connections: ConnectionLimits {
                limit: 1000,
                per_source: 50,
                per_network: 200,
                rate: None,
            },
            connection_time_out: TimeSpan(
                300s,
            ),
            sign_in_time_out: TimeSpan(
                60s,
            ),
            sign_in_interval: TimeSpan(
                0ns,
            ),
            greeting_delay: TimeSpan(
                0ns,
            ),
            banner: "",
            errors: Errors {
                slow: 10,
                limit: 20,
                tarpit: TimeSpan(
                    1s,
                ),
            },
            commands: Commands {
                vrfy: true,
                expn: true,
                help: true,
                verb: true,
                etrn: true,
            },
            keywords: Keywords {
                dsn: true,
                chunking: true,
                binarymime: true,
                eight_bit_mime: true,
                pipelining: true,
                size: true,
                smtputf8: true,
                limits: true,
            },
            proxy_protocol: Networks(
                [],
            ),
            xclient: Networks(
                [],
            ),
            xforward: Networks(
                [],
            ),
            magic_recipients: false,
            protocol_log: None,
            delivery: Delivery {
                retry: [
                    TimeSpan(
                        900s,
                    ),
                    TimeSpan(
                        1800s,
                    ),
                    TimeSpan(
                        3600s,
                    ),
                ],
                then: Some(
                    TimeSpan(
                        14400s,
                    ),
                ),
                delay_notification: Some(
                    TimeSpan(
                        14400s,
                    ),
                ),
                expiration: TimeSpan(
                    432000s,
                ),
                local: LocalDelivery {
                    retry: [
                        TimeSpan(
                            60s,
                        ),
                        TimeSpan(
                            300s,
                        ),
                        TimeSpan(
                            900s,
                        ),
                    ],
                    then: Some(
                        TimeSpan(
                            3600s,
                        ),
                    ),
                    delay_notification: Some(
                        TimeSpan(
                            14400s,
                        ),
                    ),
                    expiration: TimeSpan(
                        172800s,
                    ),
                },
                connections: OutboundConnections {
                    limit: 1000,
                    per_destination: 100,
                    messages: 100,
                    time_out: TimeSpan(
                        30s,
                    ),
                    idle_time_out: TimeSpan(
                        600s,
                    ),
                },
                source_addresses: [],
                resolvers: System,
                dns_validation: false,
                dns_trust_anchors: None,
                port: 25,
                smart_hosts: [],
                direct_first: false,
                sign_in: None,
                tls: Offered,
                masquerade: None,
                recipients_per_message: 100,
                certificate_authorities: [],
                reach: Public,
                dkim: true,
            },
            reports: Reports {
                copy_to: None,
                badmail: None,
            },
            when: [],
        }
    "#]]
    .assert_debug_eq(&settings.virtual_servers[0]);
}

#[test]
fn properties_are_inherited_one_by_one() {
    let settings = resolve(
        r#"
        host-name = "Mail.Example.ORG"
        trusted-networks = ["192.0.2.0/24", "::1"]
        authentication-without-tls = "127.0.0.0/8"
        [tls]
        certificates = [{ certificate = "/etc/mail.pem", key = "/etc/mail.key" }]
        [defaults]
        message-size-limit = "10 MiB"
        connections = { limit = 7 }
        magic-recipients = "on"
        [journal]
        keep = "2 days"
        [[virtual-server]]
        name = "a"
        protocol = "smtp"
        bind = ["[::]:25", "192.0.2.1:25", "[::ffff:192.0.2.2]:25"]
        connections = { per-source = 3 }
        tls = "off"
        [[virtual-server]]
        name = "b"
        protocol = "imaps"
        message-size-limit = "1 GiB"
        [virtual-server.commands]
        vrfy = "off"
        [[virtual-server.bind]]
        address = "[::]:9993"
        "#,
    )
    .unwrap();
    expect![[r#"
        a smtp: [::]:25 Off, 192.0.2.1:25 Off, 192.0.2.2:25 Off
        b imap: [::]:9993 Implicit
    "#]]
    .assert_eq(&bindings(&settings));
    assert_eq!(settings.host_name.as_str(), "mail.example.org");
    assert!(settings.trusted_networks.contain("::ffff:192.0.2.9".parse().unwrap()));
    assert!(settings.authentication_without_tls.contain("127.0.0.1".parse().unwrap()));
    let [a, b] = &settings.virtual_servers[..] else { panic!("two of them") };
    assert_eq!((a.message_size_limit, b.message_size_limit), (Size(10 << 20), Size(1 << 30)));
    assert_eq!((a.connections.limit, a.connections.per_source), (7, 3));
    assert_eq!((b.connections.limit, b.connections.per_source), (7, 50));
    assert_eq!((b.commands.vrfy, b.commands.expn), (false, true));
    assert!(a.magic_recipients && b.magic_recipients);
    assert_eq!((b.protocol, b.bindings[0].tls), (Protocol::Imap, Tls::Implicit));
    assert_eq!(settings.journal.keep.to_string(), "2 days");
    assert_eq!(settings.certificates[0].key.to_str(), Some("/etc/mail.key"));
}

#[test]
fn a_port_of_zero_never_clashes() {
    let text = "[[virtual-server]]\nname = 'a'\nprotocol = 'smtp'\nbind = ['127.0.0.1:0', '127.0.0.1:0']";
    assert_eq!(resolve(text).unwrap().virtual_servers[0].bindings.len(), 2);
}

#[test]
fn all_mistakes_are_told_at_once() {
    check_mistakes(
        r#"hostname = "mail.example.org"
host-name = "not a name"
trusted-networks = ["192.0.2.1/24", 5, "10.0.0.0/8"]

[tls]
certificates = [{ certificate = "/etc/mail.pem" }, "x"]

[defaults]
name = "all"
message-size-limit = "50 MB"
recipients-per-message = "many"
commands = { vrfy = "yes", expn = false, help = "on" }

[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = ["[::]:25", "192.0.2.10:25"]
conections = { limit = 1000 }
tls = "requird"
banner = "grüße"

[[virtual-server]]
name = "printers"
protocol = "smpt"
bind = ["192.0.2.10:25"]
connections = 5

[[virtual-server]]
name = "printers"
protocol = "submission"
bind = ["192.0.2.10:25", "192.0.2.11", { adress = "[::]:26" }, "0.0.0.0:25"]

[[virtual-server]]
name = "mailboxes"
protocol = "imap"
connection-time-out = "5 min"

[[virtual-server]]
protocol = "pop3s"
tls = "offered"
bind = []

[journal]
keep = 30
size-limit = "1 GiB"

[log]
level = "inf"
format = "yaml"
"#,
        expect![[r#"
            settings.toml:1: unknown key `hostname`; did you mean `host-name`?
            settings.toml:2: host-name = "not a name" is no domain name such as "mail.example.org"
            settings.toml:3: trusted-networks = "192.0.2.1/24" has bits beyond its prefix of 24; did you mean `192.0.2.0/24`?
            settings.toml:3: trusted-networks = 5 is no network such as "192.0.2.0/24" or "2001:db8::/32"
            settings.toml:6: [tls]: certificates is no list of tables
            settings.toml:6: [tls] certificates: needs a key, the path of a PEM file
            settings.toml:9: [defaults]: unknown key `name`
            settings.toml:10: [defaults]: message-size-limit = "50 MB" is no size such as "50 MiB"; did you mean `50 MiB`?
            settings.toml:11: [defaults]: recipients-per-message = "many" is no whole number from 1 on
            settings.toml:12: [defaults]: vrfy = "yes" is none of on, off
            settings.toml:18: virtual-server "internet": unknown key `conections`; did you mean `connections`?
            settings.toml:19: virtual-server "internet": tls = "requird" is none of off, offered, required, implicit; did you mean `required`?
            settings.toml:20: virtual-server "internet": banner = "grüße" has characters that are not printable ASCII
            settings.toml:24: virtual-server "printers": protocol = "smpt" is none of smtp, submission, submissions, lmtp, pop3, pop3s, imap, imaps; did you mean `smtp`?
            settings.toml:26: virtual-server "printers": connections = 5 is no table
            settings.toml:31: virtual-server "printers": needs the key `address`, such as address = "[::]:993"
            settings.toml:31: virtual-server "printers": unknown key `adress`; did you mean `address`?
            settings.toml:31: virtual-server "printers": 0.0.0.0:25 is bound by "internet" already (line 17)
            settings.toml:31: virtual-server "printers": 192.0.2.10:25 is bound by "internet" already (line 17)
            settings.toml:31: virtual-server "printers": bind = "192.0.2.11" is no address and port such as "[::]:25" or "192.0.2.10:25"; did you mean `192.0.2.11:587`?
            settings.toml:36: virtual-server "mailboxes": connection-time-out = "5 min" is below the 30 min that IMAP asks for (RFC 9051 §5.4)
            settings.toml:38: virtual-server: bind = [] leaves it nowhere to listen
            settings.toml:38: virtual-server: needs the key `name`, such as name = "internet"
            settings.toml:44: [journal]: keep = 30 is no span of time such as "5 min"
            settings.toml:48: [log]: level = "inf" is none of error, warn, info, debug, trace; did you mean `info`?
            settings.toml:49: [log]: format = "yaml" is none of text, json
        "#]],
    );
}

#[test]
fn rules_follow_what_is_inherited() {
    check_mistakes(
        r#"[defaults]
connection-time-out = "6 min"
message-size-limit = "1 KiB"
recipients-per-message = 0

[[virtual-server]]
name = "in"
protocol = "smtp"

[[virtual-server]]
name = "drop"
protocol = "pop3"

[[virtual-server]]
name = "again"
protocol = "smtp"
recipients-per-message = 50

[[virtual-server]]
name = "drop"
protocol = "imaps"
bind = [{ address = "[::]:993", tls = "off" }]
connection-time-out = "30 min"
"#,
        expect![[r#"
            settings.toml:2: [defaults]: connection-time-out = "6 min" is below the 10 min that POP3 asks for (RFC 1939 §3); virtual-server "drop" inherits it
            settings.toml:3: [defaults]: message-size-limit = "1 KiB" is below the 64 KiB that SMTP asks for (RFC 5321 §4.5.3.1.7); virtual-server "again" inherits it
            settings.toml:3: [defaults]: message-size-limit = "1 KiB" is below the 64 KiB that SMTP asks for (RFC 5321 §4.5.3.1.7); virtual-server "in" inherits it
            settings.toml:4: [defaults]: recipients-per-message = 0 is no whole number from 1 on
            settings.toml:14: virtual-server "again": [::]:25 is bound by "in" already (line 6)
            settings.toml:17: virtual-server "again": recipients-per-message = 50 is below the 100 that SMTP asks for (RFC 5321 §4.5.3.1.8)
            settings.toml:19: virtual-server "drop": there is another of this name (line 10)
            settings.toml:22: virtual-server "drop": tls = "off" contradicts protocol = "imaps", which is TLS from the first byte
        "#]],
    );
}

#[test]
fn tables_and_values_are_told_apart() {
    check_mistakes(
        "log = 5\nvirtual-server = { name = 'x' }\njournal = [1]\n[host-name]\nx = 1\n[defaults.tls]\n[[trusted-networks]]\n",
        expect![[r#"
            settings.toml:1: log = 5 is no table
            settings.toml:2: virtual-server is no list of tables
            settings.toml:3: journal = [1] is no table
            settings.toml:4: host-name is a value, not a table
            settings.toml:6: [defaults]: tls is a value, not a table
            settings.toml:7: trusted-networks is a value, not a table
        "#]],
    );
}

#[test]
fn an_address_is_no_host_name() {
    for address in ["192.0.2.1", "[192.0.2.1]", "::1", "[IPv6:2001:db8::1]"] {
        let mistakes = settings::resolve(&format!("host-name = '{address}'")).unwrap_err();
        let expected = format!(
            "1: host-name = '{address}' is an address and no name: write the name that the DNS has for this host, such as \
             \"mail.example.org\""
        );
        assert_eq!(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}

#[test]
fn what_is_no_toml_is_one_mistake() {
    check_mistakes(
        "host-name = \"a\"\nlog = [\n",
        expect![[r#"
        settings.toml:2: unclosed array, expected `]`
    "#]],
    );
    check_mistakes(
        "host-name = \"a\"\n[log]\nlevel = \"info\"\nlevel = \"warn\"\n",
        expect![[r#"
        settings.toml:4: duplicate key
    "#]],
    );
    check_mistakes(
        "[log]\n\u{1b} = 1",
        expect![[r#"
        settings.toml:2: invalid unquoted key, expected letters, numbers, `-`, `_`
    "#]],
    );
}

proptest::proptest! {
    #[test]
    fn no_text_harms(text: String) {
        let _ = resolve(&text);
    }

    #[test]
    fn no_change_of_a_good_text_harms(at in 0usize..800, cut in 0usize..20, new in "[\\[\\]{}=\"'.,#\\n a-z0-9:]{0,6}") {
        let mut text: Vec<char> = DEFAULT_TEXT.chars().collect();
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
