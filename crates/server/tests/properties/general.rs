//! What every virtual server has: its name, its words, how long it waits, what it notes.

use std::fs;
use std::path::Path;

use crate::abroad::eventually;
use crate::harness::{Place, READ, default_and};

#[test]
fn host_name() {
    let place = Place::start(&[], &default_and("smtp", "host-name = \"mx2.here.example\""));
    for (name, expected) in [("default", "mx.here.example"), ("other", "mx2.here.example")] {
        let mut client = place.client(name);
        let word = client.banner().split_whitespace().nth(1).map(str::to_owned);
        assert_eq!(word.as_deref(), Some(expected));
        let hello = client.ask("EHLO client.example");
        let first = hello.lines().next().unwrap_or_default();
        assert!(
            first == format!("250-{expected}") || first.starts_with(&format!("250-{expected} ")),
            "{hello}"
        );
    }
}

#[test]
fn host_name_in_received() {
    let servers = default_and("smtp", "host-name = \"mx2.here.example\"");
    let place = Place::start(&["ann"], &(servers + READ));
    for (name, expected) in [("default", "by mx.here.example"), ("other", "by mx2.here.example")] {
        let mut client = place.client(name);
        client.expect("EHLO client.example", "250 ");
        let reply =
            client.send_message("joe@elsewhere.example", &["ann@here.example"], "Subject: x\r\n\r\nx\r\n");
        assert!(reply.starts_with("250 "), "{reply}");
        let mut reader = place.client("read");
        reader.expect("USER ann@here.example", "+OK");
        reader.expect("PASS secret", "+OK");
        let count = reader.ask("STAT").split(' ').nth(1).unwrap_or_default().to_owned();
        reader.write(format!("RETR {count}\r\nQUIT\r\n").as_bytes());
        let content = reader.hear_end();
        assert!(content.contains(expected), "{content}");
    }
}

#[test]
fn banner() {
    let place = Place::start(&[], &default_and("smtp", "banner = \"no unsolicited mail\""));
    let default = place.client("default").banner().to_owned();
    let other = place.client("other").banner().to_owned();
    assert!(other.contains("no unsolicited mail"), "{other}");
    assert!(!default.contains("no unsolicited mail"), "{default}");
    let version = env!("CARGO_PKG_VERSION");
    assert!(!default.contains(version) && !other.contains(version), "the version is never told");
}

#[test]
fn sign_in_time_out() {
    let place = Place::start(&["ann"], &default_and("pop3", "sign-in-time-out = \"1 s\""));
    let (mut default, mut short) = (place.client("default"), place.client("other"));
    // It is ended though it said nothing wrong, while the other still waits for who it is.
    let _ = short.hear_end();
    default.expect("USER ann@here.example", "+OK");
    default.expect("PASS secret", "+OK");
}

#[test]
fn connection_time_out() {
    let place = Place::start(&[], "");
    let text = |time_out: &str| {
        format!(
            "host-name = 'mx.here.example'\n[[virtual-server]]\nname = 'a'\nprotocol = 'imap'\n{time_out}\nbind = '127.0.0.1:0'\n"
        )
    };
    let file = place.beside("other.toml");
    let check = |time_out: &str| {
        fs::write(&file, text(time_out)).unwrap();
        waxseal(&["settings", "check", file.to_str().unwrap()])
    };
    assert!(check("").0 && check("connection-time-out = '1 h'").0);
    let (is_good, said) = check("connection-time-out = '5 min'");
    assert!(!is_good && said.contains("30 min that IMAP asks for"), "{said}");
}

/// Runs a command that wants no data directory; whether it succeeded, and what it said.
fn waxseal(arguments: &[&str]) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_waxseal")).args(arguments).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn protocol_log() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("logged.log");
    let place = Place::start(
        &["ann"],
        &format!(
            r#"
        [[virtual-server]]
        name = "default"
        protocol = "submission"
        bind = "127.0.0.1:0"
        tls = "offered"
        [[virtual-server]]
        name = "logged"
        protocol = "submission"
        bind = "127.0.0.1:0"
        tls = "offered"
        protocol-log = {{ file = {file:?} }}
        "#
        ),
    );
    for (name, word) in [("default", "unlogged.example"), ("logged", "logged.example")] {
        let mut client = place.client(name);
        client.expect(&format!("EHLO {word}"), "250 ");
        client.expect("AUTH PLAIN AGFubkBoZXJlLmV4YW1wbGUAc2VjcmV0", "235");
        client.expect("QUIT", "221");
    }
    let text = eventually("the dialogue is logged to its end", || {
        fs::read_to_string(&file).ok().filter(|text| text.contains("221"))
    });
    assert!(text.contains("EHLO logged.example") && !text.contains("unlogged"), "{text}");
    assert!(text.contains("AUTH PLAIN") && !text.contains("AGFubkBoZXJl"), "passwords are blanked: {text}");
}

#[test]
fn protocol_log_turns_to_a_new_file() {
    let directory = tempfile::tempdir().unwrap();
    let files = ["default.log", "small.log"].map(|name| directory.path().join(name));
    let [default, small] = &files;
    let place = Place::start(
        &[],
        &format!(
            r#"
        [[virtual-server]]
        name = "default"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        protocol-log = {{ file = {default:?} }}
        [[virtual-server]]
        name = "small"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        protocol-log = {{ file = {small:?}, size-limit = "4 KiB", keep = 1 }}
        "#
        ),
    );
    let older = |file: &Path, number: u32| file.with_extension(format!("log.{number}"));
    for name in ["default", "small"] {
        let mut client = place.client(name);
        // So many commands and replies fill 4 KiB, and are fewer than a client may say without a message.
        for _ in 0..90 {
            client.expect("RSET", "250");
        }
        client.expect("QUIT", "221");
    }
    eventually("an older file is there", || older(small, 1).exists().then_some(()));
    eventually("the other has the whole dialogue", || {
        fs::read_to_string(default).ok().filter(|text| text.contains("221"))
    });
    assert!(!older(default, 1).exists() && !older(small, 2).exists());
}

#[test]
fn defaults_are_inherited_one_by_one() {
    let place = Place::start(
        &[],
        r#"
        [defaults]
        banner = "of all"
        message-size-limit = "1 MiB"
        [[virtual-server]]
        name = "inherits"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "overrides"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        banner = "of its own"
        "#,
    );
    for (name, banner) in [("inherits", "of all"), ("overrides", "of its own")] {
        let mut client = place.client(name);
        assert!(client.banner().contains(banner), "{}", client.banner());
        let hello = client.ask("EHLO client.example");
        assert!(hello.contains("SIZE 1048576"), "{hello}");
    }
}
