//! Certificates by ACME, of Debian's pebble, which looks for the answers as an authority does. Everything is on an address of
//! loopback that is the test's own, so that the ports, which both sides must know beforehand, are free.
#![allow(clippy::disallowed_methods, reason = "the log of a test")]

use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::version::TLS13;
use testkit::dns::Zones;

use crate::abroad::{Abroad, eventually};
use crate::certified::{Authority, believing, put};
use crate::harness::{Client, Place, TLS_NAME};

/// Where pebble's directory is, and where it looks for answers.
const DIRECTORY_PORT: u16 = 14_000;
const MANAGEMENT_PORT: u16 = 15_000;
const HTTP_PORT: u16 = 5_080;
const TLS_PORT: u16 = 5_443;

/// An authority. Dropped, it is killed.
struct Pebble {
    process: Option<Child>,
    address: Ipv4Addr,
    abroad: Abroad,
    directory: tempfile::TempDir,
    /// Who certifies its own server.
    itself: Authority,
}

impl Pebble {
    /// One that is not running yet. Its certificates will be good for so many seconds. The names of here.example lead to
    /// where it looks for answers.
    fn new(validity_secs: u32) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = own_address();
        let abroad =
            Abroad::new(Zones::new().zone("here.example", &format!("mx A {address}\nimap A {address}")));
        let itself = Authority::new("The authority's own");
        itself.certify(&[&address.to_string()]).write(directory.path(), "directory");
        put(&directory.path().join("ca.pem"), &itself.pem);
        put(&directory.path().join("pebble.json"), &configuration(directory.path(), address, validity_secs));
        Self { process: None, address, abroad, directory, itself }
    }

    fn run(&mut self) {
        let log = File::create(self.directory.path().join("log")).unwrap();
        let process = Command::new("pebble")
            .arg("-config")
            .arg(self.directory.path().join("pebble.json"))
            .args(["-dnsserver", &self.abroad.resolver().to_string()])
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0"), ("PEBBLE_AUTHZREUSE", "0")])
            .env_remove("PEBBLE_VA_ALWAYS_VALID")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("pebble is needed (`cargo xtask setup`, or: apt-get install pebble)");
        self.process = Some(process);
        eventually("pebble listens", || {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert!(ended.is_none(), "pebble ended: {}", self.log());
            TcpStream::connect((self.address, DIRECTORY_PORT)).ok()?;
            TcpStream::connect((self.address, MANAGEMENT_PORT)).ok()
        });
    }

    /// A client that believes this authority alone; it must be running.
    fn client(&self) -> Arc<ClientConfig> {
        let stream = TcpStream::connect((self.address, MANAGEMENT_PORT)).unwrap();
        let name = self.address.to_string();
        let mut client = Client::plain(stream).trusting(self.itself.client(&[&TLS13])).secure(&name);
        client.write(format!("GET /roots/0 HTTP/1.0\r\nHost: {name}\r\n\r\n").as_bytes());
        let page = client.hear_end();
        let pem = page.split_once("\r\n\r\n").expect("a page").1;
        believing(pem)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    /// Settings that have their certificate from here, by this challenge. For TLS-ALPN-01 it comes to the virtual server; who
    /// comes to the port of HTTP-01 finds nothing.
    fn settings(&self, challenge: &str) -> String {
        let (address, ca) = (self.address, self.directory.path().join("ca.pem"));
        let resolver = self.abroad.resolver();
        format!(
            "fetch = {{ allow-private = \"on\" }}\n[tls.acme]\ncontact = \"postmaster@here.example\"\n\
             directory = \"https://{address}:{DIRECTORY_PORT}/dir\"\nauthorities = [{ca:?}]\n\
             challenge = \"{challenge}\"\nbind = \"{address}:{HTTP_PORT}\"\n[delivery]\nresolvers = [\"{resolver}\"]\n\
             [[virtual-server]]\nname = \"imap\"\nprotocol = \"imap\"\ntls = \"implicit\"\n\
             bind = [\"127.0.0.1:0\", \"{address}:{TLS_PORT}\"]\n"
        )
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// 127.0.0.0/8 has 16 million addresses; this one is nobody else's in this moment, as good as certainly.
fn own_address() -> Ipv4Addr {
    let chance: [u8; 3] = std::array::from_fn(|_| {
        use std::hash::{BuildHasher as _, Hasher as _};
        std::collections::hash_map::RandomState::new().build_hasher().finish().to_le_bytes()[0]
    });
    Ipv4Addr::new(127, chance[0] | 1, chance[1], chance[2].clamp(1, 254))
}

fn configuration(directory: &Path, address: Ipv4Addr, validity_secs: u32) -> String {
    let file = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    serde_json::json!({ "pebble": {
        "listenAddress": format!("{address}:{DIRECTORY_PORT}"),
        "managementListenAddress": format!("{address}:{MANAGEMENT_PORT}"),
        "certificate": file("directory.pem"),
        "privateKey": file("directory.key"),
        "httpPort": HTTP_PORT,
        "tlsPort": TLS_PORT,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "certificateValidityPeriod": validity_secs,
    }})
    .to_string()
}

/// The certificate that a client is shown who believes these, if it is good.
fn shown(place: &Place, client: &Arc<ClientConfig>, name: &str) -> Option<Vec<u8>> {
    let client = place.connect("imap").trusting(client.clone()).try_secure(name).ok()?;
    Some(client.tls()?.peer_certificates()?[0].to_vec())
}

/// From the server's own certificate to the authority's, by this challenge.
fn a_certificate_arrives(challenge: &str) {
    let mut pebble = Pebble::new(90 * 24 * 60 * 60);
    let place = Place::start(&[], &pebble.settings(challenge));
    // Nobody is there: it is told, its own certificate is shown, and mail goes on.
    eventually("the failure is told", || {
        place.command(&["status"]).contains("ACME: no certificate for mx.here.example").then_some(())
    });
    let failures = || place.log().matches("no certificate by ACME").count();
    assert!(shown(&place, &place.trust(), TLS_NAME).is_some());
    assert_eq!(failures(), 1, "it is not tried again at once");

    pebble.run();
    let client = pebble.client();
    assert!(shown(&place, &client, TLS_NAME).is_none());
    place.command(&["reload"]);
    let first = eventually("a certificate arrives", || {
        assert_eq!(failures(), 1, "{}\n{}", place.log(), pebble.log());
        shown(&place, &client, TLS_NAME)
    });
    let status = place.command(&["status"]);
    assert!(status.contains("Pebble Intermediate") && status.contains("is ordered in 59 d,"), "{status}");

    // It is kept: the next start shows it, and asks nobody.
    let mut place = place;
    place.stop();
    let orders = pebble.log().matches("POST /order-plz").count();
    place.restart();
    assert_eq!(shown(&place, &client, TLS_NAME).as_ref(), Some(&first));
    assert_eq!(pebble.log().matches("POST /order-plz").count(), orders);
}

#[test]
fn acme_by_http_01() {
    a_certificate_arrives("http-01");
}

#[test]
fn acme_by_tls_alpn_01() {
    a_certificate_arrives("tls-alpn-01");
}

#[test]
fn acme_renews_in_time_and_connections_live_on() {
    let mut pebble = Pebble::new(12);
    pebble.run();
    let client = pebble.client();
    let place = Place::start(&[], &pebble.settings("http-01"));
    let first = eventually("a certificate arrives", || shown(&place, &client, TLS_NAME));
    let mut before = eventually("a client is let in", || {
        Some(place.connect("imap").trusting(client.clone()).try_secure(TLS_NAME).ok()?.greeted())
    });
    let renewed = |other: &Vec<u8>| shown(&place, &client, TLS_NAME).filter(|now| now != other);
    let second = eventually("it is renewed", || renewed(&first));
    eventually("and again", || renewed(&second));
    before.expect("a NOOP", "a OK");
    assert_eq!(place.log().matches("no certificate by ACME").count(), 0, "{}", place.log());
}
