//! Secure communication: whether, with which certificate, from which version on, with whose certificate.

use rustls::version::{TLS12, TLS13};

use crate::abroad::eventually;
use crate::certified::{Authority, Shows, put};
use crate::harness::{Client, Place, TLS_NAME};

/// A virtual server that speaks SMTP, with these further properties.
fn smtp(name: &str, properties: &str) -> String {
    format!(
        "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:0\"]\n{properties}\n"
    )
}

fn implicit(name: &str, properties: &str) -> String {
    smtp(name, &format!("tls = \"implicit\"\n{properties}"))
}

/// Settings with these certificates, of the directory of the place.
fn with_certificates(directory: &str, names: &[&str], rest: &str) -> String {
    let pairs: Vec<String> = names
        .iter()
        .map(|name| {
            format!("{{ certificate = \"{directory}/{name}.pem\", key = \"{directory}/{name}.key\" }}")
        })
        .collect();
    format!("tls.certificates = [{}]\n{rest}", pairs.join(", "))
}

/// A directory for certificates, beside everything else.
fn directory() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap().to_owned();
    (directory, path)
}

/// The certificate that a client is shown.
fn shown(client: &Client) -> Vec<u8> {
    client.tls().expect("it is secured").peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn tls_is_off_offered_required_or_implicit() {
    let settings = [
        smtp("off", "tls = \"off\""),
        smtp("default", ""),
        smtp("required", "tls = \"required\""),
        implicit("implicit", ""),
    ];
    let place = Place::start(&[], &settings.concat());
    for (name, offers, reply) in [("off", false, "250"), ("default", true, "250"), ("required", true, "530")]
    {
        let mut client = place.client(name);
        assert_eq!(client.ask("EHLO a.example").contains("STARTTLS"), offers, "{name}");
        client.expect("MAIL FROM:<mara@a.example>", reply);
        if offers {
            let mut client = place.client(name);
            client.ask("EHLO a.example");
            client.expect("STARTTLS", "220");
            let mut client = client.secure(TLS_NAME);
            assert!(!client.ask("EHLO a.example").contains("STARTTLS"), "{name}");
            client.expect("MAIL FROM:<mara@a.example>", "250");
        } else {
            client.expect("STARTTLS", "50");
        }
    }
    let mut client = place.secure_client("implicit", TLS_NAME);
    assert!(client.banner().starts_with("220 "));
    assert!(!client.ask("EHLO a.example").contains("STARTTLS"));
}

#[test]
fn tls_certificates_are_chosen_by_server_name() {
    let authority = Authority::new("An authority");
    let (files, path) = directory();
    let pairs = [authority.certify(&["mx.here.example"]), authority.certify(&["*.there.example"])];
    pairs[0].write(files.path(), "here");
    pairs[1].write(files.path(), "there");
    let both = with_certificates(&path, &["here", "there"], &implicit("smtp", ""));
    let default = Place::start(&[], &implicit("smtp", ""));
    let place = Place::start(&[], &both);
    // Without certificates in the settings there is one of the server's own.
    let own = default.secure_client("smtp", TLS_NAME);
    assert!(pairs.iter().all(|pair| pair.der() != shown(&own)));
    let ask = |name: &str| place.connect("smtp").trusting(authority.client(&[&TLS13])).try_secure(name);
    assert_eq!(shown(&ask("mx.here.example").unwrap()), pairs[0].der());
    assert_eq!(shown(&ask("imap.there.example").unwrap()), pairs[1].der());
    // A name that none is good for gets the first, and the client decides.
    assert!(ask("other.example").is_err());
}

#[test]
fn tls_minimum_version() {
    let settings = [implicit("default", ""), implicit("new", "tls-minimum-version = \"1.3\"")].concat();
    let authority = Authority::new("An authority");
    let (files, path) = directory();
    authority.certify(&[TLS_NAME]).write(files.path(), "here");
    let place = Place::start(&[], &with_certificates(&path, &["here"], &settings));
    for (name, old_is_served) in [("default", true), ("new", false)] {
        let ask = |version| place.connect(name).trusting(authority.client(&[version])).try_secure(TLS_NAME);
        assert_eq!(ask(&TLS12).is_ok(), old_is_served, "{name}");
        assert!(ask(&TLS13).is_ok(), "{name}");
    }
}

#[test]
fn client_certificates() {
    let (authority, stranger) = (Authority::new("An authority"), Authority::new("A stranger"));
    let (files, path) = directory();
    authority.certify(&[TLS_NAME]).write(files.path(), "here");
    put(&files.path().join("clients.pem"), &authority.pem);
    let settings = [
        format!("tls.client-certificate-authorities = [\"{path}/clients.pem\"]\n"),
        implicit("default", ""),
        implicit("wanted", "client-certificates = \"wanted\""),
        implicit("required", "client-certificates = \"required\""),
    ];
    let place = Place::start(&[], &with_certificates(&path, &["here"], &settings.concat()));
    let (own, foreign) = (authority.certify(&["mara.example"]), stranger.certify(&["mara.example"]));
    for version in [&TLS12, &TLS13] {
        for (name, is_asked, served) in [
            ("default", false, [true, true, true]),
            ("wanted", true, [true, true, true]),
            ("required", true, [true, false, false]),
        ] {
            for (pair, served) in [Some(&own), Some(&foreign), None].into_iter().zip(served) {
                let (client, shows) = Shows::by(&authority.client(&[version]), pair);
                let secured = place.connect(name).trusting(client).try_secure(TLS_NAME);
                // In TLS 1.3 a client hears of its refusal where it waits for the greeting.
                let greeted = secured.is_ok_and(|client| client.greeted().banner().starts_with("220 "));
                assert_eq!((greeted, shows.was_asked()), (served, is_asked), "{name} {version:?}");
            }
        }
    }
}

#[test]
fn tls_certificates_are_read_again_when_they_change() {
    let authority = Authority::new("An authority");
    let (files, path) = directory();
    let (old, new) = (authority.certify(&[TLS_NAME]), authority.certify(&[TLS_NAME]));
    // Both in one file, so that nobody ever sees half of a change.
    let put = |chain: &str, key: &str| put(&files.path().join("here.pem"), &format!("{chain}{key}"));
    put(&old.chain, &old.key);
    let certificates =
        format!("tls.certificates = [{{ certificate = \"{path}/here.pem\", key = \"{path}/here.pem\" }}]\n");
    let place = Place::start(&[], &(certificates + &implicit("smtp", "")));
    let connect = || place.connect("smtp").trusting(authority.client(&[&TLS13])).secure(TLS_NAME).greeted();
    let mut before = connect();
    assert_eq!(shown(&before), old.der());

    put(&new.chain, &new.key);
    eventually("the new certificate is shown", || (shown(&connect()) == new.der()).then_some(()));
    before.expect("NOOP", "250");

    // The key of another certificate: the pair before is shown on, and it is said once.
    put(&new.chain, &old.key);
    let unusable = || {
        let text = "changed certificates cannot be used; the ones before stay";
        place.logged().iter().filter(|line| line["fields"]["message"] == text).count()
    };
    eventually("it is told", || (unusable() > 0).then_some(()));
    assert_eq!(shown(&connect()), new.der());
    let refused = place.try_command(&["reload"], "");
    assert!(!refused.status.success(), "the administrator is told, too");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("here.pem"), "{refused:?}");

    put(&old.chain, &old.key);
    place.command(&["reload"]);
    assert_eq!(shown(&connect()), old.der(), "it need not be waited for");
    assert_eq!(unusable(), 1);
    before.expect("NOOP", "250");
}

#[test]
fn certificates_stand_in_the_status_with_their_end() {
    let authority = Authority::new("An authority");
    let (files, path) = directory();
    authority.certify(&[TLS_NAME]).write(files.path(), "here");
    let place = Place::start(&[], &with_certificates(&path, &["here"], &implicit("smtp", "")));
    let status = place.command(&["status"]);
    assert!(status.contains(TLS_NAME) && status.contains("CN=An authority"), "{status}");
    assert!(status.contains("4096-01-01"), "{status}");
}
