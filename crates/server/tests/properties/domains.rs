//! Domains: what is remote or local in a way of its own.

use testkit::dns::Zones;

use crate::abroad::{Abroad, eventually};
use crate::delivery::{LETTER, secret, send};
use crate::harness::Place;
use crate::peer::{Peer, Script};

/// A virtual server that relays for nobody, one that relays for this machine, and these remote and local domains.
fn with(domains: &str) -> String {
    format!(
        "[[virtual-server]]\nname = \"strict\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
         commands = {{ etrn = \"on\" }}\n\
         [[virtual-server]]\nname = \"open\"\nprotocol = \"smtp\"\nbind = \"127.0.0.1:0\"\n\
         relay = {{ allow = [\"127.0.0.0/8\"] }}\n{domains}\n"
    )
}

#[test]
fn remote_domain_relay() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"*.partner.example\"\nsmart-host = \"{0}\"\nrelay = \"on\"\n\
         [[remote-domain]]\ndomain = \"closed.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    let mut client = place.client("strict");
    client.expect("EHLO client.example", "250");
    client.expect("MAIL FROM:<joe@elsewhere.example>", "250");
    client.expect("RCPT TO:<bob@mail.partner.example>", "250");
    client.expect("RCPT TO:<bob@closed.example>", "550 5.7.1");
    client.expect("RCPT TO:<bob@partner.example.evil.example>", "550 5.7.1");
    client.expect("DATA", "354");
    client.expect("Subject: x\r\n\r\nhi\r\n.", "250");
    let taken = eventually("it arrives", || peer.taken().into_iter().next());
    assert_eq!(taken.to, ["bob@mail.partner.example"]);
}

#[test]
fn remote_domain_smart_host() {
    let (all, partner) = (Peer::start(Script::default()), Peer::start(Script::default()));
    let text = format!(
        "[delivery]\nsmart-host = \"{}\"\n{}",
        all.address(),
        with(&format!(
            "[[remote-domain]]\ndomain = \"partner.example\"\nsmart-host = \"{}\"\n",
            partner.address()
        ))
    );
    let place = Place::start(&["ann"], &text);
    send(&place, "open", "ann@here.example", &["bob@there.example", "bob@partner.example"], LETTER);
    for (peer, to) in [(&all, "bob@there.example"), (&partner, "bob@partner.example")] {
        let taken = eventually("it arrives", || peer.taken().into_iter().next());
        assert_eq!(taken.to, [to]);
    }
}

#[test]
fn remote_domain_tls() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"strict.example\"\nsmart-host = \"{0}\"\ntls = \"required\"\n\
         [[remote-domain]]\ndomain = \"usual.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    send(&place, "open", "ann@here.example", &["bob@strict.example", "bob@usual.example"], LETTER);
    let taken = eventually("clear text is enough for one", || peer.taken().into_iter().next());
    assert_eq!(taken.to, ["bob@usual.example"]);
    eventually("the other waits", || {
        place.command(&["queue", "find", "--state", "retry"]).contains("bob@strict.example").then_some(())
    });
    assert_eq!(peer.taken().len(), 1);
}

#[test]
fn remote_domain_authentication() {
    let peer = Peer::start(Script { auth: true, ..Script::default() });
    let secret = secret();
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"known.example\"\nsmart-host = \"{0}\"\n\
         authentication = {{ user = \"us\", password-file = {1:?} }}\n\
         [[remote-domain]]\ndomain = \"usual.example\"\nsmart-host = \"{0}\"\n",
        peer.address(),
        secret.path()
    ));
    let place = Place::start(&["ann"], &text);
    for (to, signed_in) in [("bob@known.example", true), ("bob@usual.example", false)] {
        let before = peer.taken().len();
        send(&place, "open", "ann@here.example", &[to], LETTER);
        let taken = eventually("it arrives", || peer.taken().get(before).cloned());
        assert_eq!(taken.signed_in, signed_in, "{to}");
    }
}

#[test]
fn remote_domain_hello() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"old.example\"\nsmart-host = \"{0}\"\nhello = \"helo\"\n\
         [[remote-domain]]\ndomain = \"new.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    for (to, hello) in
        [("bob@old.example", "HELO mx.here.example"), ("bob@new.example", "EHLO mx.here.example")]
    {
        let before = peer.taken().len();
        send(&place, "open", "ann@here.example", &[to], LETTER);
        let taken = eventually("it arrives", || peer.taken().get(before).cloned());
        assert_eq!(taken.hello, hello, "{to}");
    }
}

#[test]
fn remote_domain_masquerade() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"one.example\"\nsmart-host = \"{0}\"\nmasquerade = {{ domain = \"brand.example\" }}\n\
         [[remote-domain]]\ndomain = \"two.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    for (to, from) in [("bob@one.example", "ann@brand.example"), ("bob@two.example", "ann@here.example")] {
        let before = peer.taken().len();
        send(&place, "open", "ann@here.example", &[to], LETTER);
        let taken = eventually("it arrives", || peer.taken().get(before).cloned());
        assert_eq!(taken.from, from, "{to}");
        // Without `header`, the message itself stays.
        assert!(taken.content.contains("From: ann@here.example"));
    }
}

#[test]
fn remote_domain_recipients_per_message() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"few.example\"\nsmart-host = \"{0}\"\nrecipients-per-message = 2\n\
         [[remote-domain]]\ndomain = \"many.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    for (domain, expected) in [("many", vec![3]), ("few", vec![2, 1])] {
        let before = peer.taken().len();
        let to = ["a", "b", "c"].map(|name| format!("{name}@{domain}.example"));
        send(&place, "open", "ann@here.example", &to.each_ref().map(String::as_str), LETTER);
        let counts = eventually("all have it", || {
            let counts: Vec<usize> = peer.taken()[before..].iter().map(|taken| taken.to.len()).collect();
            (counts.iter().sum::<usize>() == 3).then_some(counts)
        });
        assert_eq!(counts, expected, "{domain}");
    }
}

#[test]
fn remote_domain_direct_first() {
    let (direct, smart) = (Peer::start_at("127.0.0.5:0", Script::default()), Peer::start(Script::default()));
    // Nobody listens at the exchanger of the third.
    let zones = [("first", "127.0.0.5"), ("usual", "127.0.0.5"), ("gone", "127.0.0.6")];
    let zones = zones.into_iter().fold(Zones::new(), |zones, (domain, address)| {
        zones.zone(&format!("{domain}.example"), &format!("@ MX 10 mx\nmx A {address}"))
    });
    let abroad = Abroad::new(zones);
    let text = format!(
        "[delivery]\nallow-private-exchangers = \"on\"\noutbound-port = {}\nresolvers = [\"{}\"]\n{}",
        direct.address().port(),
        abroad.resolver(),
        with(&format!(
            "[[remote-domain]]\ndomain = [\"first.example\", \"gone.example\"]\nsmart-host = \"{0}\"\n\
             direct-first = \"on\"\n\
             [[remote-domain]]\ndomain = \"usual.example\"\nsmart-host = \"{0}\"\n",
            smart.address()
        ))
    );
    let place = Place::start(&["ann"], &text);
    for (to, at) in
        [("bob@usual.example", &smart), ("bob@first.example", &direct), ("bob@gone.example", &smart)]
    {
        let before = at.taken().len();
        send(&place, "open", "ann@here.example", &[to], LETTER);
        let taken = eventually("it arrives", || at.taken().get(before).cloned());
        assert_eq!(taken.to, [to]);
    }
}

#[test]
fn hold_until_etrn() {
    let peer = Peer::start(Script::default());
    let text = with(&format!(
        "[[remote-domain]]\ndomain = \"dialup.example\"\nsmart-host = \"{0}\"\nhold-until-etrn = [\"127.0.0.0/8\"]\n\
         [[remote-domain]]\ndomain = \"far.example\"\nsmart-host = \"{0}\"\nhold-until-etrn = [\"192.0.2.0/24\"]\n\
         [[remote-domain]]\ndomain = \"usual.example\"\nsmart-host = \"{0}\"\n",
        peer.address()
    ));
    let place = Place::start(&["ann"], &text);
    for domain in ["dialup", "far", "usual"] {
        send(&place, "open", "ann@here.example", &[&format!("bob@{domain}.example")], LETTER);
    }
    let taken = eventually("what waits for nobody goes", || peer.taken().into_iter().next());
    assert_eq!(taken.to, ["bob@usual.example"]);
    let listed = place.command(&["queue", "list"]);
    assert_eq!(listed.matches("remote (waiting for ETRN)").count(), 2, "{listed}");
    let mut client = place.client("strict");
    client.expect("EHLO client.example", "250");
    client.expect("ETRN far.example", "459");
    client.expect("ETRN usual.example", "459");
    let started = client.ask("ETRN dialup.example");
    assert!(started.starts_with("25"), "{started}");
    let taken = eventually("what was asked for goes", || peer.taken().get(1).cloned());
    assert_eq!(taken.to, ["bob@dialup.example"]);
    assert!(place.command(&["queue", "list"]).contains("far.example"));
}

#[test]
fn local_domain_drop() {
    let drop = tempfile::tempdir().unwrap();
    let text = with(&format!(
        "[[local-domain]]\ndomain = \"files.example\"\ndrop = \"{}\"\n",
        drop.path().display()
    ));
    let place = Place::start(&["ann"], &text);
    let files = || store::files::list(drop.path(), 9).unwrap();
    send(&place, "strict", "joe@elsewhere.example", &["ann@here.example"], LETTER);
    send(&place, "strict", "joe@elsewhere.example", &["a@files.example", "b@files.example"], LETTER);
    let file = eventually("a file is there", || files().into_iter().next());
    let content = std::fs::read_to_string(drop.path().join(&file.name)).unwrap();
    let head = "X-Sender: joe@elsewhere.example\r\nX-Receiver: a@files.example\r\nX-Receiver: b@files.example\r\nReceived:";
    assert!(content.starts_with(head), "{content}");
    assert!(content.ends_with("\r\n\r\nhi\r\n"), "{content}");
    // Mail for a mailbox is no file.
    eventually("the queue is empty", || {
        place.command(&["queue", "list"]).contains("Nothing waits").then_some(())
    });
    assert_eq!(files().len(), 1);
}
