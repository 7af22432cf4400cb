//! What mail goes out with is known to nobody else: the password for a smart host and the keys that sign are in no log, no
//! story, no answer to the administrator. The real program, with the most talkative log.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests are tests")]

mod abroad;

use abroad::server::Server;
use abroad::{Abroad, client, eventually};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mail::Timestamp;
use testkit::dns::Zones;
use testkit::peer::{Peer, Script};
use world::World;

const PASSWORD: &str = "marked-password";

/// How octets might be printed: as they are, as hexadecimal digits, as a list of numbers, and as Base64, whatever stands
/// before them.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let joined = |between: &str, digits: &dyn Fn(&u8) -> String| {
        secret.iter().map(digits).collect::<Vec<_>>().join(between).into_bytes()
    };
    let mut forms = vec![
        secret.to_vec(),
        joined("", &|octet| format!("{octet:02x}")),
        joined("", &|octet| format!("{octet:02X}")),
        joined(", ", &|octet| octet.to_string()),
        secret.escape_ascii().to_string().into_bytes(),
    ];
    for before in 0..3 {
        let text = BASE64_STANDARD.encode([&vec![0; before], secret].concat());
        // The first digits and the last ones depend on what stands beside.
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    forms
}

fn tells(text: &[u8], secret: &[u8]) -> bool {
    forms(secret).iter().any(|form| text.windows(form.len()).any(|window| window == &form[..]))
}

/// The part of a PKCS#8 key that nobody else may know: Ed25519's seed (RFC 8410 §7), the primes of RSA.
fn private_part(key: &[u8]) -> &[u8] {
    match key.windows(4).position(|head| head == [0x04, 0x22, 0x04, 0x20]) {
        Some(at) if key.len() < 128 => &key[at + 4..at + 36],
        _ => &key[key.len() * 3 / 4..][..32],
    }
}

/// What the store of a server that has ended keeps: private keys, and all stories.
fn kept(server: &Server) -> (Vec<Vec<u8>>, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let world = World::simulated(Timestamp(0), 1);
        let store = server::serve::open_store(&server.data(), &world).unwrap();
        let keys = store.dkim_keys(abroad::server::DOMAIN).await.unwrap();
        let stories = store.stories(Timestamp(0), Timestamp(i64::MAX), usize::MAX).await.unwrap();
        let stories: String = stories.into_iter().map(|record| record.story).collect();
        (keys.into_iter().map(|key| key.key.to_vec()).collect(), stories)
    })
}

#[test]
fn nothing_tells_what_mail_goes_out_with() {
    let abroad = Abroad::new(Zones::new());
    let script = |password| Script::smtp().account("us", password);
    let peer = Peer::new(script(PASSWORD));
    let port = abroad.listen(&peer).port();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), PASSWORD).unwrap();
    let delivery = format!(
        "{}smart-host = \"127.0.0.1:{port}\"\nauthentication = {{ user = \"us\", password-file = {:?} }}\n\
         connections = {{ messages = 1 }}\n",
        abroad.delivery(port),
        file.path()
    );
    let mut server = Server::start_logging("trace", &["ann"], &delivery);
    let send = || {
        let content = b"From: ann@here.example\r\nSubject: signed\r\n\r\nhello\r\n";
        let said = client::send(server.port("smtp"), "ann@here.example", &["bob@there.example"], content);
        assert!(said.unwrap().starts_with("250"));
    };
    send();
    eventually("the message", || (!peer.taken().is_empty()).then_some(()));
    // The other one waits, because the smart host has changed its mind.
    peer.follow(script("another"));
    send();
    let commands: [&[&str]; 7] = [
        &["trace", "ann@here.example"],
        &["trace", "ann@here.example", "--json"],
        &["queue", "list", "--json"],
        &["queue", "list", "there.example", "--json"],
        &["domain", "dkim", "here.example", "--json"],
        &["domain", "list", "--json"],
        &["status", "--json"],
    ];
    eventually("the refusal", || server.command(commands[0]).contains("535 ").then_some(()));
    let mut told: Vec<String> = commands.iter().map(|command| server.command(command)).collect();
    assert!(told[0].contains("AUTH PLAIN") && told[0].contains("relayed"), "{}", told[0]);
    assert!(told[4].contains("k=ed25519"), "{}", told[4]);
    server.kill();
    let log = server.log();
    assert!(log.contains("listening"), "{log}");
    let (keys, stories) = kept(&server);
    told.extend([log, stories]);

    let taken = peer.taken();
    assert_eq!(taken[0].signed_in.as_deref(), Some("us"));
    assert!(taken[0].content.starts_with(b"DKIM-Signature"), "{}", taken[0].content.escape_ascii());
    assert_eq!(keys.len(), 2);
    // What is looked for is found where it is.
    assert!(keys.iter().all(|key| tells(BASE64_STANDARD.encode(key).as_bytes(), private_part(key))));
    let secrets = keys.iter().map(|key| private_part(key)).chain([PASSWORD.as_bytes()]);
    for secret in secrets {
        for text in &told {
            assert!(!tells(text.as_bytes(), secret), "{} is in\n{text}", secret.escape_ascii());
        }
    }
}
