//! What is said of files, and of what a text means.

use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::*;
use crate::certificate;
use crate::files::write_private;

/// A directory with a certificate, its key, another key and a password; texts name it as `DIR`.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        let names = ["mail.example.org".to_owned()];
        let (ours, other) =
            (certificate::make(&names, &[]).unwrap(), certificate::make(&names, &[]).unwrap());
        for (name, content) in [
            ("mail.pem", ours.chain.as_str()),
            ("mail.key", &ours.key),
            ("other.key", &other.key),
            ("authority.pem", &ours.authority),
            ("secret", "telephone\n"),
            ("letter", "Dear Sir,\nno."),
        ] {
            write_private(&place.path(name), content.as_bytes()).unwrap();
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, text: &str) -> Result<Settings, Vec<Mistake>> {
        let file = self.path("settings.toml");
        write_private(&file, text.replace("DIR", self.0.path().to_str().unwrap()).as_bytes()).unwrap();
        read(&file).unwrap()
    }

    fn check_mistakes(&self, text: &str, expected: Expect) {
        let mistakes = self.read(text).unwrap_err();
        let told = told(Path::new("settings.toml"), &mistakes);
        expected.assert_eq(&told.replace(self.0.path().to_str().unwrap(), "DIR"));
    }
}

#[test]
fn files_that_cannot_be_used_are_mistakes_with_their_lines() {
    Place::new().check_mistakes(
        r#"host-nam = "mail.example.org"
[tls]
certificates = [
    { certificate = "DIR/mail.pem", key = "DIR/mail.key" },
    { certificate = "DIR/mail.pem", key = "DIR/other.key" },
    { certificate = "DIR/mail.pem", key = "DIR/letter" },
    { certificate = "DIR/letter", key = "DIR/mail.key" },
    { certificate = "DIR/none.pem", key = "DIR/none.key" },
]

[delivery]
certificate-authorities = ["DIR/authority.pem", "DIR/mail.key", "DIR/none.pem"]
dns-validation = "on"
dns-trust-anchors = "DIR/none.zone"
smart-host = "relay.example.net:587"
authentication = { user = "example-org", password-file = "DIR/letter" }

[[remote-domain]]
domain = "partner.example"
smart-host = "relay.partner.example:465"
authentication = { user = "example-org", password-file = "DIR/none" }

[[virtual-server]]
name = "internet"
protocol = "smtp"
protocol-log = { file = "DIR/none/internet.log" }

[[virtual-server]]
name = "submission"
protocol = "submission"
protocol-log = { file = "DIR" }
"#,
        expect![[r#"
            settings.toml:1: unknown key `host-nam`; did you mean `host-name`?
            settings.toml:5: [tls] certificates: key = "DIR/other.key" is not the key of DIR/mail.pem, or no key that TLS can use
            settings.toml:6: [tls] certificates: key = "DIR/letter" is no private key in PEM form
            settings.toml:7: [tls] certificates: certificate = "DIR/letter" has no certificate in PEM form
            settings.toml:8: [tls] certificates: certificate = "DIR/none.pem" is not there
            settings.toml:8: [tls] certificates: key = "DIR/none.key" is not there
            settings.toml:12: [delivery]: certificate-authorities = "DIR/mail.key" holds no authority's certificate in PEM form
            settings.toml:12: [delivery]: certificate-authorities = "DIR/none.pem" is not there
            settings.toml:14: [delivery]: dns-trust-anchors = "DIR/none.zone" is not there
            settings.toml:16: [delivery]: password-file = "DIR/letter" has more than one line, or control characters
            settings.toml:21: remote-domain "partner.example": password-file = "DIR/none" is not there
            settings.toml:26: virtual-server "internet": file = "DIR/none/internet.log" cannot be written: there is no directory DIR/none
            settings.toml:31: virtual-server "submission": file = "DIR" is a directory
            13 mistakes"#]],
    );
}

#[test]
fn a_good_text_is_told_in_a_few_lines() {
    let settings = Place::new().read(
        r#"host-name = "mail.example.org"
[tls]
certificates = [{ certificate = "DIR/mail.pem", key = "DIR/mail.key" }]

[[virtual-server]]
name = "internet"
protocol = "smtp"

[[virtual-server]]
name = "submission"
protocol = "submission"
bind = ["[::]:587", { address = "[::]:465", tls = "implicit" }]

[[virtual-server]]
name = "printers"
protocol = "smtp"
bind = "192.0.2.10:25"
relay = { allow = ["192.0.2.0/24", "2001:db8::/32"] }
protocol-log = { file = "printers.log", size-limit = "10 MiB" }

[[virtual-server]]
name = "opened"
protocol = "submission"
bind = "127.0.0.1:2500"
relay = { allow = "0.0.0.0/0", open = "on" }

[[virtual-server]]
name = "filter"
protocol = "lmtp"

[[virtual-server]]
name = "lists"
protocol = "lmtp"
bind = "192.0.2.10:2424"
relay = { allow = "192.0.2.9" }

[[virtual-server]]
name = "mailboxes"
protocol = "imaps"

[delivery]
smart-host = ["relay1.example.net:587", "relay2.example.net:587"]
authentication = { user = "example-org", password-file = "DIR/secret" }
certificate-authorities = "DIR/authority.pem"
source-address = ["198.51.100.7", "2001:db8::7"]
resolvers = ["127.0.0.1", "192.0.2.53:5353"]
dns-validation = "on"
delay-notification = "never"

[[remote-domain]]
domain = ["partner.example", "*.partner.example"]

[[remote-domain]]
domain = "archive.example"
smart-host = "127.0.0.1:2400"
protocol = "lmtp"

[[local-domain]]
domain = "lists.example.org"
lmtp = ["127.0.0.1:2424", "192.0.2.5:2424"]

[reports]
copy-to = "postmaster@example.org"
"#,
    );
    let settings = settings.unwrap();
    expect![[r#"
        mail.example.org serves
          internet: smtp on [::]:25 (TLS offered)
            relays for nobody
          submission: submission on [::]:587 (TLS required), [::]:465 (TLS implicit)
            sign-in by scram-sha-256, scram-sha-1, plain, login
            relays for who has signed in
          printers: smtp on 192.0.2.10:25 (TLS offered)
            relays for 192.0.2.0/24, 2001:db8::/32
            protocol log in printers.log, 7 older ones of 10 MiB
          opened: submission on 127.0.0.1:2500 (TLS required)
            sign-in by scram-sha-256, scram-sha-1, plain, login
            relays for who has signed in, and for 0.0.0.0/0: an OPEN RELAY
          filter: lmtp on 127.0.0.1:24 (TLS offered)
            takes mail for mailboxes here from this machine
          lists: lmtp on 192.0.2.10:2424 (TLS offered)
            takes mail for mailboxes here from this machine and 192.0.2.9
          mailboxes: imap on [::]:993 (TLS implicit)
            sign-in by scram-sha-256-plus, scram-sha-1-plus, scram-sha-256, scram-sha-1,
                plain, login
          with the certificate named

        Mail leaves
          for lists.example.org (ours) by LMTP to 127.0.0.1:2424, else 192.0.2.5:2424
          for partner.example, *.partner.example to the exchangers of the domain, port
              25; TLS offered
          for archive.example by LMTP to 127.0.0.1:2400; TLS offered
          for all others to relay1.example.net:587, else relay2.example.net:587; TLS
              verified; signed in as "example-org"
          from 198.51.100.7 and 2001:db8::7
          with names from 127.0.0.1:53, 192.0.2.53:5353, validated (DNSSEC)
          signed, where its author's domain has keys (DKIM)
          tried again after 15 min, 30 min, 1 h, then every 4 h; given up after 5 days
          for mailboxes here tried again after 1 min, 5 min, 15 min, then every 1 h; the
              sender is told after 4 h, given up after 2 days
          with a copy of each report of failure to postmaster@example.org
    "#]]
    .assert_eq(&meaning::text(&settings));
    expect![[r#"{"copy_to":"postmaster@example.org","delivery":{"delay_notification_secs":null,"dkim":true,"dns_validation":true,"expiration_secs":432000.0,"local":{"expiration_secs":172800.0,"retry_secs":[60.0,300.0,900.0],"then_secs":3600.0},"outbound_port":25,"resolvers":["127.0.0.1:53","192.0.2.53:5353"],"retry_secs":[900.0,1800.0,3600.0],"smart_hosts":["relay1.example.net:587","relay2.example.net:587"],"source_addresses":["198.51.100.7","2001:db8::7"],"then_secs":14400.0,"tls":"verified","user":"example-org"},"host_name":"mail.example.org","local_domains":[{"domains":["lists.example.org"],"drop":null,"lmtp":["127.0.0.1:2424","192.0.2.5:2424"]}],"mistakes":[],"remote_domains":[{"domains":["partner.example","*.partner.example"],"protocol":"smtp","smart_hosts":[],"tls":"offered","user":null},{"domains":["archive.example"],"protocol":"lmtp","smart_hosts":["127.0.0.1:2400"],"tls":"offered","user":null}],"virtual_servers":[{"authentication":[],"bindings":[{"address":"[::]:25","tls":"offered"}],"message_size_limit":52428800,"name":"internet","protocol":"smtp","protocol_log":null,"relay":{"allow":[],"authenticated":false,"except":null}},{"authentication":["scram-sha-256","scram-sha-1","plain","login"],"bindings":[{"address":"[::]:587","tls":"required"},{"address":"[::]:465","tls":"implicit"}],"message_size_limit":52428800,"name":"submission","protocol":"submission","protocol_log":null,"relay":{"allow":[],"authenticated":true,"except":null}},{"authentication":[],"bindings":[{"address":"192.0.2.10:25","tls":"offered"}],"message_size_limit":52428800,"name":"printers","protocol":"smtp","protocol_log":{"file":"printers.log","keep":7,"size_limit":10485760},"relay":{"allow":["192.0.2.0/24","2001:db8::/32"],"authenticated":false,"except":null}},{"authentication":["scram-sha-256","scram-sha-1","plain","login"],"bindings":[{"address":"127.0.0.1:2500","tls":"required"}],"message_size_limit":52428800,"name":"opened","protocol":"submission","protocol_log":null,"relay":{"allow":["0.0.0.0/0"],"authenticated":true,"except":null}},{"authentication":[],"bindings":[{"address":"127.0.0.1:24","tls":"offered"}],"message_size_limit":52428800,"name":"filter","protocol":"lmtp","protocol_log":null,"relay":{"allow":[],"authenticated":false,"except":null}},{"authentication":[],"bindings":[{"address":"192.0.2.10:2424","tls":"offered"}],"message_size_limit":52428800,"name":"lists","protocol":"lmtp","protocol_log":null,"relay":{"allow":["192.0.2.9"],"authenticated":false,"except":null}},{"authentication":["scram-sha-256-plus","scram-sha-1-plus","scram-sha-256","scram-sha-1","plain","login"],"bindings":[{"address":"[::]:993","tls":"implicit"}],"message_size_limit":52428800,"name":"mailboxes","protocol":"imap","protocol_log":null,"relay":{"allow":[],"authenticated":false,"except":null}}]}"#]].assert_eq(&meaning::json(&settings).to_string());
}

#[test]
fn no_text_at_all_is_good() {
    expect![[r#"
        localhost serves
          internet: smtp on [::]:25 (TLS offered)
            relays for nobody
          submission: submission on [::]:587 (TLS required), [::]:465 (TLS implicit)
            sign-in by scram-sha-256, scram-sha-1, plain, login
            relays for who has signed in
          maildrop: pop3 on [::]:110 (TLS offered), [::]:995 (TLS implicit)
            sign-in by scram-sha-256, scram-sha-1, plain, login
          mailboxes: imap on [::]:143 (TLS offered), [::]:993 (TLS implicit)
            sign-in by scram-sha-256-plus, scram-sha-1-plus, scram-sha-256, scram-sha-1,
                plain, login
          with a certificate that it makes itself

        Mail leaves
          for others to the exchangers of the domain, port 25; TLS offered
          with names from the system's name servers
          signed, where its author's domain has keys (DKIM)
          tried again after 15 min, 30 min, 1 h, then every 4 h; the sender is told
              after 4 h, given up after 5 days
          for mailboxes here tried again after 1 min, 5 min, 15 min, then every 1 h; the
              sender is told after 4 h, given up after 2 days
    "#]]
    .assert_eq(&meaning::text(&Place::new().read("").unwrap()));
}

#[test]
fn what_is_no_text_is_said() {
    let place = Place::new();
    write_private(&place.path("binary"), b"\xff").unwrap();
    assert!(read(&place.path("binary")).unwrap_err().to_string().ends_with("is not UTF-8"));
    assert!(read(&place.path("none.toml")).unwrap_err().to_string().starts_with("cannot read "));
}

#[test]
fn lines_fit_a_terminal() {
    let smart_hosts = (0..9).map(|n| format!("'relay{n}.example.net:587'")).collect::<Vec<_>>().join(", ");
    let long = "x".repeat(63);
    let written = format!(
        "host-name = 'mail.{long}.example'\n[delivery]\nsmart-host = [{smart_hosts}, '{long}.example']"
    );
    let told = meaning::text(&Place::new().read(&written).unwrap());
    let too_long: Vec<&str> =
        told.lines().skip(1).filter(|line| line.chars().count() > 80 && !line.contains(&long)).collect();
    assert!(too_long.is_empty(), "{told}");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(
        words(&told).join(" ").contains("relay7.example.net:587, else relay8.example.net:587, else xxx"),
        "{told}"
    );
}
