//! What testssl.sh finds, at default settings but for a certificate of a test's authority: over STARTTLS with SMTP, and at
//! once with IMAP.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::certified::{Authority, put};
use crate::harness::{Place, TLS_NAME};

/// What it finds about the test's own authority, and not about the server.
const EXCEPTED: &[(&str, &str)] =
    &[("cert_revocation", "the test's authority runs no service that could revoke")];

/// Everything that it tests but the simulation of clients and the list of ciphers, which judge nothing.
const TESTS: &[&str] =
    &["--protocols", "--std", "--fs", "--server-preference", "--server-defaults", "--vulnerable"];

/// What stands in the way of an A, from "low" on upwards.
const WORSE_THAN_LOW: &[&str] = &["MEDIUM", "HIGH", "CRITICAL", "FATAL"];

#[test]
#[ignore = "takes a minute and asks thousands of times; `cargo xtask ci testssl` runs it"]
fn testssl_finds_nothing_above_low() {
    let authority = Authority::new("An authority");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    authority.certify_as_usual(&[TLS_NAME]).write(directory.path(), "here");
    put(&directory.path().join("ca.pem"), &authority.pem);
    let place = Place::start(
        &[],
        &format!(
            "tls.certificates = [{{ certificate = \"{path}/here.pem\", key = \"{path}/here.key\" }}]\n\
             trusted-networks = [\"127.0.0.0/8\"]\n\
             [[virtual-server]]\nname = \"internet\"\nprotocol = \"smtp\"\nbind = [\"127.0.0.1:0\"]\n\
             [[virtual-server]]\nname = \"mailboxes\"\nprotocol = \"imaps\"\nbind = [\"127.0.0.1:0\"]\n"
        ),
    );
    std::thread::scope(|scope| {
        for (name, start) in [("internet", Some("smtp")), ("mailboxes", None)] {
            let address = SocketAddr::from(([127, 0, 0, 1], place.port(name)));
            let directory = directory.path();
            scope.spawn(move || examine(name, address, start, directory));
        }
    });
}

fn examine(name: &str, address: SocketAddr, start: Option<&str>, directory: &Path) {
    let report = directory.join(format!("{name}.json"));
    let mut testssl = Command::new("testssl");
    testssl.args(["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "min"]).args(TESTS);
    testssl.arg("--add-ca").arg(directory.join("ca.pem")).arg("--jsonfile").arg(&report);
    testssl.arg("--ip").arg(address.ip().to_string());
    if let Some(protocol) = start {
        testssl.args(["--starttls", protocol]);
    }
    testssl.arg(format!("{TLS_NAME}:{}", address.port())).stdin(Stdio::null());
    let output =
        testssl.output().expect("testssl.sh is needed (`cargo xtask setup`, or: apt-get install testssl.sh)");
    let said = String::from_utf8_lossy(&output.stdout);
    let report = std::fs::read(report).unwrap_or_else(|error| panic!("{name}: {error}\n{said}"));
    let findings: Vec<serde_json::Value> = serde_json::from_slice(&report).expect("testssl.sh writes JSON");
    let text = |finding: &serde_json::Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    // That it has seen the server at all.
    for (id, expected) in
        [("TLS1_2", "offered"), ("TLS1_3", "offered with final"), ("cert_chain_of_trust", "passed.")]
    {
        let found =
            findings.iter().find(|finding| finding["id"] == id).map(|finding| text(finding, "finding"));
        assert_eq!(found.as_deref(), Some(expected), "{name}: {id}\n{said}");
    }
    let excepted = |id: &str| EXCEPTED.iter().any(|(known, _)| id == *known);
    let bad: Vec<String> = findings
        .iter()
        .filter(|finding| WORSE_THAN_LOW.contains(&text(finding, "severity").as_str()))
        .filter(|finding| !excepted(&text(finding, "id")))
        .map(|finding| {
            format!("{} {}: {}", text(finding, "severity"), text(finding, "id"), text(finding, "finding"))
        })
        .collect();
    assert!(bad.is_empty(), "{name}: {bad:#?}\n{said}");
}
