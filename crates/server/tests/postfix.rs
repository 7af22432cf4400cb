//! Debian's Postfix as our next hop, and as who sends to us; with TLS and without. What is compared is octets.
//!
//! Postfix's master runs as root only: for anyone else these tests say so and are passed over.

// This is a client of the server, outside its world: it has clocks and files of its own.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "helpers of tests are tests"
)]

mod abroad;
#[path = "clients/contents.rs"]
mod contents;
#[path = "postfix/instance.rs"]
mod instance;

use std::process::ExitCode;

use abroad::server::{HOST_NAME, Server};
use abroad::{Abroad, after_trace, assert_same, client, eventually};
use contents::Content;
use instance::Postfix;
use libtest_mimic::{Arguments, Trial};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use testkit::dns::Zones;

const TESTS: &[(&str, fn())] = &[
    ("next_hop_in_clear_text", || next_hop("none", "offered")),
    ("next_hop_that_offers_tls", || next_hop("may", "offered")),
    ("next_hop_whose_certificate_is_verified", || next_hop("may", "verified")),
    ("sender_in_clear_text", || sender("none", "with ESMTP ")),
    ("sender_under_tls", || sender("encrypt", "with ESMTPS ")),
    ("sender_that_verifies_our_certificate", || sender("verify", "with ESMTPS ")),
    ("sender_that_forwards_its_client", forwarding),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let obstacle = Postfix::obstacle();
    if let Some(reason) = obstacle.filter(|_| !arguments.list) {
        eprintln!("postfix: passed over: {reason}");
    }
    let test = |&(name, run): &(&str, fn())| {
        Trial::test(name, move || {
            run();
            Ok(())
        })
        .with_ignored_flag(obstacle.is_some())
    };
    libtest_mimic::run(&arguments, TESTS.iter().map(test).collect()).exit_code()
}

/// With the last line ended, as text travels by SMTP.
fn ended(content: &[u8]) -> Vec<u8> {
    let end: &[u8] = if content.ends_with(b"\r\n") { b"" } else { b"\r\n" };
    [content, end].concat()
}

/// Every content goes through us to a Postfix that keeps it. Which TLS it offers, and which we want.
fn next_hop(theirs: &str, ours: &str) {
    let (authority, chain) = certificates("mx.there.example");
    let postfix = Postfix::start(
        &[
            ("myhostname", "mx.there.example"),
            ("virtual_mailbox_domains", "there.example"),
            ("virtual_mailbox_maps", "static:inbox/"),
            ("virtual_mailbox_limit", "0"),
            ("virtual_uid_maps", "static:65534"),
            ("virtual_gid_maps", "static:65534"),
            ("smtpd_tls_security_level", theirs),
            ("smtpd_tls_chain_files", "$config_directory/chain.pem"),
            ("smtpd_tls_loglevel", "1"),
        ],
        &[("chain.pem", &chain)],
    );
    let abroad = Abroad::new(Zones::new().zone("there.example", "@ MX 10 mx\nmx A 127.0.0.1"));
    let directory = tempfile::tempdir().unwrap();
    let roots = directory.path().join("roots.pem");
    std::fs::write(&roots, authority).unwrap();
    let tls = format!("tls = \"{ours}\"\ncertificate-authorities = [\"{}\"]\n", roots.display());
    let server = Server::start(&[], &(abroad.delivery(postfix.port()) + &tls));
    for content in contents::all().into_iter().map(Content::submitted) {
        let sent =
            client::send(server.port("smtp"), "ann@away.example", &["bob@there.example"], &content.sent);
        let reply = sent.unwrap();
        assert!(reply.starts_with("250"), "{}: {reply}", content.name);
        let newest = eventually(content.name, || postfix.take());
        let fields = ["Return-Path", "X-Original-To", "Delivered-To", "Received"];
        assert_same(content.name, &ended(&content.sent), after_trace(&newest, &fields));
        assert!(newest.starts_with(b"Return-Path: <ann@away.example>\r\n"));
    }
    assert_eq!(postfix.queue_length(), 0);
    let log = postfix.log();
    assert_eq!(theirs == "may", log.contains("TLS connection established from"), "{log}");
}

/// Every content goes through a Postfix to a mailbox of ours.
fn sender(level: &str, received: &str) {
    let server = Server::start(&["bob"], "");
    let nexthop = format!("smtp:[127.0.0.1]:{}", server.port("smtp"));
    let roots = std::fs::read_to_string(server.authority()).unwrap();
    let postfix = Postfix::start(
        &[
            ("myhostname", "mx.away.example"),
            ("default_transport", &nexthop),
            ("smtp_tls_security_level", level),
            ("smtp_tls_CAfile", "$config_directory/roots.pem"),
            ("smtp_tls_verify_cert_match", HOST_NAME),
            ("smtp_tls_loglevel", "1"),
        ],
        &[("roots.pem", &roots)],
    );
    for (number, content) in contents::all().iter().enumerate() {
        let sent = client::send(postfix.port(), "ann@away.example", &["bob@here.example"], &content.sent);
        let reply = sent.unwrap();
        assert!(reply.starts_with("250"), "{}: {reply}", content.name);
        let maildrop =
            eventually(content.name, || Some(server.maildrop("bob")).filter(|all| all.len() > number));
        let newest = maildrop.last().unwrap();
        let sent = ended(&content.sent);
        let seen = match content.name {
            "foreign trace" => &newest[newest.len() - sent.len()..],
            _ => after_trace(newest, &["Return-Path", "Delivered-To", "Received"]),
        };
        assert_same(content.name, &sent, seen);
        let trace = String::from_utf8_lossy(&newest[..newest.len() - seen.len()]).into_owned();
        assert!(trace.contains(received), "{}: {trace}", content.name);
    }
    assert_eq!(postfix.queue_length(), 0, "{}", postfix.log());
}

/// A Postfix that tells us by XFORWARD whose messages it sends on.
fn forwarding() {
    let server = Server::start(&["bob"], "[defaults]\nxforward = [\"127.0.0.0/8\"]\n");
    let nexthop = format!("smtp:[127.0.0.1]:{}", server.port("smtp"));
    let settings = [
        ("myhostname", "mx.away.example"),
        ("default_transport", nexthop.as_str()),
        ("smtp_send_xforward_command", "yes"),
    ];
    let postfix = Postfix::start(&settings, &[]);
    let content = b"From: ann@away.example\r\nSubject: forwarded\r\n\r\nx\r\n";
    let reply = client::send(postfix.port(), "ann@away.example", &["bob@here.example"], content).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    eventually("the message", || Some(server.maildrop("bob")).filter(|all| !all.is_empty()));
    let told = server.command(&["trace", "ann@away.example"]);
    let forward = told.lines().find(|line| line.contains("  forward  ")).unwrap_or_else(|| panic!("{told}"));
    assert!(forward.contains("ADDR=127.0.0.1") && forward.contains("PROTO=ESMTP"), "{forward}");
}

/// An authority, and a chain with its key for this name, as PEM.
fn certificates(name: &str) -> (String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    (authority, key.serialize_pem() + &certificate.pem())
}
