//! `docs/settings.md`: its reference is made from the keys, and what it shows as an example is read.
//!
//! After a change of the keys, `UPDATE_EXPECT=1 cargo test -p waxseal-settings --test manual` writes it anew.

use std::fmt::Write as _;

use expect_test::expect_file;
use settings::{KEYS, Key, Section, resolve};

const PAGE: &str = include_str!("../../../docs/settings.md");
const BEGIN: &str = "<!-- What follows is made from the keys: see crates/settings/tests/manual.rs. -->\n";

#[test]
fn the_reference_is_made_from_the_keys() {
    let (prose, _) = PAGE.split_once(BEGIN).expect("the page has the mark where the reference begins");
    expect_file!["../../../docs/settings.md"].assert_eq(&format!("{prose}{BEGIN}{}", reference()));
}

fn reference() -> String {
    let mut text = String::new();
    let mut sections: Vec<Section> = Vec::new();
    for key in KEYS {
        if !sections.contains(&key.section) {
            sections.push(key.section);
        }
    }
    for section in sections {
        let _ = write!(text, "\n### {}\n", section.title());
        for Key { name, kind, default, example, doc, .. } in KEYS.iter().filter(|key| key.section == section)
        {
            let _ = write!(
                text,
                "\n- **`{name}`**: {kind}. Default: {default}.\n\n  {doc}\n\n  `{name} = {example}`\n"
            );
        }
    }
    text
}

/// What a key of this section stands under, and what must stand beside it.
fn around(section: Section) -> (&'static str, &'static [(&'static str, &'static str)]) {
    match section {
        Section::Top => ("", &[]),
        Section::Tls => ("[tls]", &[]),
        Section::Certificate => ("[[tls.certificates]]", &[("certificate", "'a'"), ("key", "'b'")]),
        Section::Acme => ("[tls.acme]", &[("names", "'mail.example.org'")]),
        Section::SignIn => ("[sign-in]", &[]),
        Section::OAuth => ("[oauth]", &[("issuer", "'a'"), ("audience", "'b'")]),
        Section::Fetch => ("[fetch]", &[]),
        Section::BackPressure => ("[back-pressure]", &[]),
        Section::Pickup => ("[pickup]", &[]),
        Section::VirtualServer | Section::Property => {
            ("[[virtual-server]]", &[("name", "'a'"), ("protocol", "'smtp'")])
        }
        Section::When => ("[[virtual-server.when]]", &[]),
        Section::ConnectionControl => ("[virtual-server.connection-control]", &[]),
        Section::Sending => ("[virtual-server.sending]", &[]),
        Section::Errors => ("[virtual-server.errors]", &[]),
        Section::Keywords => ("[virtual-server.keywords]", &[]),
        Section::ReportsOfServer => ("[virtual-server.reports]", &[]),
        Section::Masquerade => ("[delivery.masquerade]", &[("domain", "'a.example'")]),
        Section::Binding => ("[[virtual-server]]", &[("name", "'a'"), ("protocol", "'smtp'")]),
        Section::Connections => ("[virtual-server.connections]", &[]),
        Section::Commands => ("[virtual-server.commands]", &[]),
        Section::Relay => ("[virtual-server.relay]", &[]),
        Section::ProtocolLog => ("[virtual-server.protocol-log]", &[("file", "'a'")]),
        Section::Delivery => ("[delivery]", &[("smart-host", "'a'"), ("dns-validation", "'on'")]),
        Section::LocalDelivery => ("[delivery.local]", &[]),
        Section::OutboundConnections => ("[delivery.connections]", &[]),
        Section::OutboundSignIn => {
            ("[delivery.authentication]", &[("user", "'a'"), ("password-file", "'b'")])
        }
        Section::RemoteDomain => ("[[remote-domain]]", &[("domain", "'a'"), ("smart-host", "'b'")]),
        Section::LocalDomain => ("[[local-domain]]", &[("domain", "'a'")]),
        Section::Reports => ("[reports]", &[]),
        Section::Journal => ("[journal]", &[]),
        Section::Log => ("[log]", &[]),
    }
}

/// What must stand beside this key of all of its section.
fn beside(key: &Key) -> &'static [(&'static str, &'static str)] {
    match (key.section, key.name) {
        (Section::OAuth, "introspection" | "client" | "client-secret-file") => {
            &[("introspection", "'https://a.example'"), ("client", "'a'"), ("client-secret-file", "'b'")]
        }
        (Section::OAuth, _) => &[("keys", "'https://a.example'")],
        (Section::Relay, "except") => &[("open", "'on'")],
        (Section::LocalDomain, "drop") => &[],
        (Section::LocalDomain, _) => &[("lmtp", "'b'")],
        _ => &[],
    }
}

/// A text with this key as its example has it.
fn text_with(key: &Key) -> String {
    let (header, needs) = around(key.section);
    let mut text = String::new();
    if key.section != Section::Top {
        text.push_str("host-name = 'mail.example.org'\n");
    }
    if key.name == "client-certificates" {
        text.push_str("tls = { client-certificate-authorities = 'a' }\n");
    }
    if header.trim_start_matches('[').starts_with("virtual-server.") {
        text.push_str("[[virtual-server]]\nname = 'a'\nprotocol = 'smtp'\n");
    }
    if header == "[delivery.authentication]" {
        text.push_str("[delivery]\nsmart-host = 'a'\n");
    }
    let _ = match (key.section, key.name) {
        // A binding is a value.
        (Section::Binding, "address") => writeln!(text, "{header}\nbind = {{ address = {} }}", key.example),
        (Section::Binding, name) => {
            writeln!(text, "{header}\nbind = {{ address = '[::]:1', {name} = {} }}", key.example)
        }
        (_, name) => writeln!(text, "{header}\n{name} = {}", key.example),
    };
    for (name, value) in needs.iter().chain(beside(key)).filter(|(name, _)| *name != key.name) {
        let _ = writeln!(text, "{name} = {value}");
    }
    text
}

#[test]
fn the_example_of_each_key_is_read() {
    for key in KEYS {
        let text = text_with(key);
        let read = resolve(&text);
        assert!(read.is_ok(), "{text}{:?}", read.err());
    }
}

#[test]
fn the_examples_of_the_page_are_good() {
    let (prose, _) = PAGE.split_once(BEGIN).expect("the page has the mark where the reference begins");
    let blocks = prose.split("```toml\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    let mut count = 0;
    for text in blocks {
        let read = resolve(text);
        assert!(read.is_ok(), "{text}{:?}", read.err());
        count += 1;
    }
    assert!(count >= 3, "there are {count}");
}

#[test]
fn mistakes_read_as_the_page_says() {
    let (_, rest) = PAGE.split_once("```toml-with-mistakes\n").expect("the page has such a text");
    let (text, rest) = rest.split_once("```").expect("it has an end");
    let (_, rest) = rest.split_once("```text\n").expect("what is said of it follows");
    let (expected, _) = rest.split_once("```").expect("it has an end");
    let mistakes = resolve(text).expect_err("it has mistakes");
    let told: String = mistakes.iter().map(|mistake| format!("settings.toml:{mistake}\n")).collect();
    let said = expected.split_inclusive('\n').filter(|line| line.starts_with("settings.toml:"));
    assert_eq!(told, said.collect::<String>());
}
