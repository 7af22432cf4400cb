//! What becomes of wrong passwords, app passwords, and domains that stand for others.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Client, Place, TLS_NAME};

/// Submission behind a proxy, so that clients come from any network, and a door without TLS where a ban can be read.
fn place(sign_in: &str) -> Place {
    Place::start(
        &["ann", "bob"],
        &format!(
            r#"
        sign-in = {{ {sign_in} }}
        [defaults]
        proxy-protocol = "127.0.0.0/8"
        [[virtual-server]]
        name = "submissions"
        protocol = "submissions"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "maildrops"
        protocol = "pop3"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "mx"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        "#
        ),
    )
}

/// A client from there that has said EHLO.
fn client_from(place: &Place, peer: &str) -> Client {
    let mut client = place.connect_from("submissions", peer).secure(TLS_NAME).greeted();
    client.expect("EHLO client.example", "250");
    client
}

fn plain(login: &str, password: &str) -> String {
    format!("AUTH PLAIN {}", STANDARD.encode(format!("\0{login}\0{password}")))
}

/// So many wrong passwords from there, each on a connection of its own.
fn fail(place: &Place, peer: &str, login: &str, times: usize) {
    for _ in 0..times {
        client_from(place, peer).expect(&plain(login, "wrong"), "535 5.7.8");
    }
}

fn is_let_in(place: &Place, peer: &str) -> bool {
    place.client_from("maildrops", peer).banner().starts_with("+OK")
}

#[test]
fn sign_in_failures() {
    let default = place("delay = 'off'");
    let other = place("delay = 'off', failures = 2");
    for place in [&default, &other] {
        fail(place, "203.0.113.7", "ann@here.example", 2);
    }
    assert!(is_let_in(&default, "203.0.113.8"));
    assert!(!is_let_in(&other, "203.0.113.8"), "the /24 is banned");
    let mail = other.client_from("mx", "203.0.113.8");
    assert!(mail.banner().starts_with("220 "), "where nobody signs in, its mail comes in: {}", mail.banner());
    assert!(is_let_in(&other, "203.0.112.8"), "its neighbour is not");
    client_from(&other, "203.0.112.8").expect(&plain("ann@here.example", "secret"), "235");
    fail(&default, "203.0.113.7", "nobody@here.example", 8);
    assert!(!is_let_in(&default, "203.0.113.8"), "ten are too many without saying so, of whatever account");
}

#[test]
fn sign_in_ban() {
    let default = place("delay = 'off', failures = 1");
    let other = place("delay = 'off', failures = 1, ban = '1 s'");
    for place in [&default, &other] {
        fail(place, "2001:db8:1:200::7", "ann@here.example", 1);
    }
    crate::abroad::eventually("the ban is over", || is_let_in(&other, "2001:db8:1:2ff::1").then_some(()));
    assert!(!is_let_in(&default, "2001:db8:1:2ff::1"));
    assert!(is_let_in(&default, "2001:db8:1:300::1"), "another /56");
}

#[test]
fn sign_in_within() {
    let default = place("delay = 'off', failures = 2");
    let other = place("delay = 'off', failures = 2, within = '1 s'");
    for place in [&default, &other] {
        fail(place, "203.0.113.7", "ann@here.example", 1);
        std::thread::sleep(Duration::from_millis(1_100));
        fail(place, "203.0.113.7", "ann@here.example", 1);
    }
    assert!(!is_let_in(&default, "203.0.113.7"));
    assert!(is_let_in(&other, "203.0.113.7"), "the first failure does not count any more");
}

/// How long so many failures took.
fn failures(place: &Place, times: usize) -> Duration {
    let began = Instant::now();
    fail(place, "203.0.113.7", "ann@here.example", times);
    began.elapsed()
}

/// By default one second, then two, then four. Of a time that passes its lower bound alone is sure.
#[test]
fn sign_in_delay() {
    assert!(failures(&place("ban = '1 h'"), 3) >= Duration::from_secs(1 + 2 + 4));
    assert!(failures(&place("delay = '4 s', delay-limit = '5 s'"), 2) >= Duration::from_secs(4 + 5));
}

#[test]
fn sign_in_account_failures() {
    let default = place("delay = 'off'");
    let other = place("delay = 'off', account-failures = 2");
    for place in [&default, &other] {
        client_from(place, "192.0.2.200").expect(&plain("ann@here.example", "secret"), "235");
        fail(place, "203.0.113.7", "ann@here.example", 1);
        fail(place, "198.51.100.7", "ANN@here.example", 1);
    }
    client_from(&default, "203.0.113.9").expect(&plain("ann@here.example", "secret"), "235");
    client_from(&other, "198.18.0.1").expect(&plain("ann@here.example", "guess"), "454 4.7.0");
    client_from(&other, "192.0.2.201").expect(&plain("ann@here.example", "secret"), "235");
    client_from(&other, "198.18.0.1").expect(&plain("bob@here.example", "secret"), "235");
}

#[test]
fn bans_are_commanded_and_outlive_the_server() {
    let mut place = place("delay = 'off'");
    place.command(&["ban", "add", "203.0.113.77", "--reason", "too curious"]);
    let list = place.command(&["ban", "list"]);
    assert!(list.contains("203.0.113.0/24") && list.contains("too curious"), "{list}");
    assert!(!is_let_in(&place, "203.0.113.8"));
    place.stop();
    place.restart();
    assert!(!is_let_in(&place, "203.0.113.8"), "it is remembered");
    place.command(&["ban", "remove", "203.0.113.0/24"]);
    assert!(is_let_in(&place, "203.0.113.8"));
    assert!(!place.try_command(&["ban", "remove", "203.0.113.0/24"], "").status.success());
}

/// The password that a command printed.
fn printed(said: &str) -> &str {
    said.trim_end().rsplit(' ').next().unwrap()
}

#[test]
fn app_passwords() {
    let place = Place::start(
        &["ann"],
        r#"
        [[virtual-server]]
        name = "submissions"
        protocol = "submissions"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "imaps"
        protocol = "imaps"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "pop3s"
        protocol = "pop3s"
        bind = "127.0.0.1:0"
        "#,
    );
    let ann = "ann@here.example";
    let add = |name: &str, more: &[&str]| {
        let words = [&["account", "app-password", "add", ann, name], more].concat();
        printed(&place.command(&words)).to_owned()
    };
    let (all, reading) = (add("all", &[]), add("reading", &["--for", "imap,pop3", "--days", "30"]));
    let sends = |password: &str| {
        let mut client = place.secure_client("submissions", TLS_NAME);
        client.expect("EHLO client.example", "250");
        client.ask(&plain(ann, password)).starts_with("235")
    };
    let reads = |password: &str| {
        let mut imap = place.secure_client("imaps", TLS_NAME);
        let by_imap = imap.ask(&format!("a LOGIN {ann} {password}")).contains("a OK");
        let mut pop3 = place.secure_client("pop3s", TLS_NAME);
        pop3.expect(&format!("USER {ann}"), "+OK");
        assert_eq!(pop3.ask(&format!("PASS {password}")).starts_with("+OK"), by_imap);
        by_imap
    };
    assert!(sends(&all) && reads(&all));
    assert!(!sends(&reading) && reads(&reading), "it is for reading");
    assert!(sends("secret") && reads("secret"), "the account's own opens all");
    let list = place.command(&["account", "app-password", "list", ann]);
    assert!(list.contains("imap pop3") && list.contains("smtp imap pop3"), "{list}");
    assert!(!list.contains(&all), "it is shown once");
    place.command(&["account", "app-password", "remove", ann, "all"]);
    assert!(!sends(&all) && reads(&reading));
}

/// Who signs in without a domain is of the one that was added first.
#[test]
fn default_domain() {
    let place = place("delay = 'off'");
    place.command(&["domain", "add", "second.example"]);
    let added = place.try_command(&["account", "add", "cleo@second.example", "--password-stdin"], "secret");
    assert!(added.status.success(), "{added:?}");
    for (login, expected) in [("ann", "235"), ("cleo", "535"), ("cleo@second.example", "235")] {
        client_from(&place, "203.0.113.7").expect(&plain(login, "secret"), expected);
    }
}

#[test]
fn alias_domains() {
    let place = Place::start(
        &["ann"],
        r#"
        [[virtual-server]]
        name = "mx"
        protocol = "smtp"
        bind = "127.0.0.1:0"
        [[virtual-server]]
        name = "pop3"
        protocol = "pop3"
        bind = "127.0.0.1:0"
        "#,
    );
    let send = || {
        let mut client = place.client("mx");
        client.expect("EHLO client.example", "250");
        let letter = "From: joe@elsewhere.example\r\nSubject: x\r\n\r\nx\r\n";
        client.send_message("joe@elsewhere.example", &["ann@other.example"], letter)
    };
    assert!(send().starts_with("550"));
    place.command(&["domain", "add", "other.example", "--alias-of", "here.example"]);
    let reply = send();
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(place.maildrop("pop3", "ann").len(), 1);
    let removed = place.try_command(&["domain", "remove", "here.example"], "");
    assert!(!removed.status.success(), "another stands for it");
}
