//! A next hop that misbehaves in every place and in every way: each message is delivered once, or reported; it is
//! delivered twice only where the peer took it and its reply was lost (RFC 1047).
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "helpers of tests are tests")]

mod abroad;
#[path = "next_hop/here.rs"]
mod here;
mod stage;

use std::io::Write as _;
use std::time::Duration;

use abroad::server::Server;
use abroad::{Abroad, after_trace, client, eventually};
use here::{Ledger, play};
use testkit::dns::Zones;
use testkit::peer::{Do, Identity, Peer, Script, Stage};

const CONTENT: &[u8] =
    b"From: <ann@here.example>\r\nTo: <bob@there.example>\r\nSubject: one\r\nDate: Sun, 22 Nov 2026 \
                         10:00:00 +0000\r\nMessage-ID: <1@here.example>\r\n\r\n..\r\nlast\r\n";
/// Longer than a client waits for anything, and then comes again.
const QUARTER: Duration = Duration::from_secs(15 * 60);
const BOB: &str = "bob@there.example";

/// What does not fit into a connection: the peer speaks before it has seen the end.
fn large() -> Vec<u8> {
    [CONTENT, &format!("{}\r\n", "0123456789".repeat(7)).repeat(4000).into_bytes()].concat()
}

/// The stages of a transaction that can go wrong alone, and those before and after it.
const STAGES: &[Stage] = &[
    Stage::Banner,
    Stage::Ehlo,
    Stage::StartTls,
    Stage::Handshake,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Content,
    Stage::End,
    Stage::Quit,
];

/// Each class of reply, where it is expected and where it is odd, and everything that is no reply.
const WAYS: &[Do] = &[
    Do::Reply("299 2.0.0 odd"),
    Do::Reply("354 odd"),
    Do::Reply("421 4.3.2 closing"),
    Do::Reply("451 4.7.1 later"),
    Do::Reply("452 4.5.3 too many"),
    Do::Reply("550 5.7.1 never"),
    Do::Reply("554-5.7.1 never\n554 5.7.1 and no more"),
    Do::Garbage,
    Do::Nothing,
    Do::Stall,
    Do::Close,
    Do::Reset,
    Do::Delay(Duration::from_secs(60)),
];

/// What becomes of a message whose first attempt meets this, and whose second meets nothing.
fn expected(stage: Stage, does: Do) -> Ledger {
    let refuses = matches!(does, Do::Reply(text) if text.starts_with('5'));
    let says_nothing_clear = !matches!(does, Do::Reply(_) | Do::Delay(_));
    let (taken, reports) = match stage {
        Stage::Mail | Stage::Rcpt | Stage::Data | Stage::Content | Stage::End if refuses => (0, 1),
        // RFC 5321 §3.1: the peer says that it takes no mail.
        Stage::Banner if refuses => (0, 1),
        // RFC 1047: it was taken, and nobody was told. A 3yz says as little.
        Stage::End if says_nothing_clear || does == Do::Reply("354 odd") => (2, 0),
        // It spoke before its turn, and nobody knows of what; then it took the message all the same.
        Stage::Content if matches!(does, Do::Garbage | Do::Reply("354 odd")) => (2, 0),
        _ => (1, 0),
    };
    Ledger { taken, reports, waiting: 0 }
}

#[test]
fn no_message_is_lost_whatever_the_next_hop_does_and_wherever() {
    let place = here::place();
    let identity = Identity::self_signed(&["mx.there.example"]);
    let mut wrong = Vec::new();
    for &stage in STAGES {
        for &does in WAYS {
            let peer = Peer::new(Script::smtp().starttls(identity.clone()).at(stage, does).first(1));
            let ledger = play(&place, &[&peer], "", &[&[BOB]], CONTENT, QUARTER);
            let intact = peer.taken().iter().all(|taken| {
                after_trace(&taken.content, &["Received", "DKIM-Signature"]) == CONTENT && taken.to == [BOB]
            });
            let complaints = peer.complaints();
            assert_eq!(peer.deviations(), 1, "{stage:?} {does:?} was not met");
            if ledger != expected(stage, does) || !intact || !complaints.is_empty() {
                wrong.push(format!(
                    "{stage:?} {does:?}: {ledger:?}, intact: {intact}, {complaints:?}\n{:?}",
                    peer.heard()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), STAGES.len() * WAYS.len(), wrong.join("\n"));
}

#[test]
fn a_next_hop_that_never_takes_it_is_reported_once() {
    let place = here::place();
    for does in [Do::Reply("451 4.7.1 later"), Do::Close, Do::Stall] {
        let peer = Peer::new(Script::smtp().at(Stage::Rcpt, does));
        let ledger = play(&place, &[&peer], "", &[&[BOB]], CONTENT, Duration::from_secs(2 * 3600));
        assert_eq!(ledger, Ledger { taken: 0, reports: 1, waiting: 0 }, "{does:?}: {:?}", peer.heard());
    }
}

#[test]
fn each_recipient_has_a_fate_of_its_own() {
    let place = here::place();
    let script = || {
        Script::smtp()
            .for_recipient("never@there.example", Do::Reply("550 5.1.1 nobody"))
            .for_recipient("later@there.example", Do::Reply("450 4.2.1 busy"))
            .first(2)
    };
    let letters: &[&[&str]] = &[&[BOB, "never@there.example", "later@there.example"]];
    let peer = Peer::new(script());
    let ledger = play(&place, &[&peer], "", letters, CONTENT, QUARTER);
    assert_eq!(ledger, Ledger { taken: 2, reports: 1, waiting: 0 }, "{:?}", peer.heard());
    let to: Vec<_> = peer.taken().into_iter().flat_map(|taken| taken.to).collect();
    assert_eq!(to, [BOB, "later@there.example"]);

    let lmtp = "[[remote-domain]]\ndomain = [\"there.example\"]\nsmart-host = [\"192.0.2.1:24\"]\nprotocol = \"lmtp\"\n";
    for (at_the_end, taken, reports) in [
        (Do::Reply("552 5.2.2 full"), 1, 1),
        (Do::Reply("452 4.2.2 full"), 2, 0),
        // Taken for both, and known of one: the other comes again.
        (Do::Close, 2, 0),
        (Do::Garbage, 2, 0),
    ] {
        let peer = Peer::new(Script::lmtp().content_for("carl@there.example", at_the_end).first(1));
        let letters: &[&[&str]] = &[&[BOB, "carl@there.example"]];
        let ledger = play(&place, &[&peer], lmtp, letters, CONTENT, QUARTER);
        assert_eq!(ledger, Ledger { taken, reports, waiting: 0 }, "{at_the_end:?}: {:?}", peer.heard());
        let bobs = peer.taken().iter().filter(|taken| taken.to.contains(&BOB.to_owned())).count();
        assert_eq!(bobs, 1, "{at_the_end:?}");
    }
}

#[test]
fn what_one_exchanger_does_not_take_the_next_takes_at_once() {
    let place = here::place();
    let closing = Do::Reply("421 4.3.2 closing");
    let large = large();
    for (stage, ways) in [
        (
            Stage::Banner,
            &[Do::Reply("554 5.3.2 none"), closing, Do::Garbage, Do::Stall, Do::Close, Do::Reset][..],
        ),
        (Stage::Ehlo, &[Do::Reply("451 4.3.0 later"), closing, Do::Stall, Do::Close]),
        (Stage::Mail, &[Do::Reply("451 4.3.0 later"), closing, Do::Garbage, Do::Stall, Do::Reset]),
        (Stage::Rcpt, &[closing, Do::Garbage, Do::Stall, Do::Close]),
        (Stage::Data, &[closing, Do::Nothing, Do::Close]),
        (Stage::Content, &[Do::Stall, Do::Close, Do::Reset]),
    ] {
        for &does in ways {
            let (first, second) = (Peer::new(Script::smtp().at(stage, does)), Peer::new(Script::smtp()));
            let ledger = play(&place, &[&first, &second], "", &[&[BOB]], &large, QUARTER);
            assert_eq!(
                ledger,
                Ledger { taken: 1, reports: 0, waiting: 0 },
                "{stage:?} {does:?}: {:?}",
                first.heard()
            );
            assert_eq!((second.taken().len(), first.heard().len()), (1, 1), "{stage:?} {does:?}");
        }
    }
}

#[test]
fn what_may_have_arrived_is_not_given_to_the_next_exchanger() {
    let place = here::place();
    for does in [Do::Close, Do::Reset, Do::Garbage, Do::Nothing, Do::Stall] {
        let (first, second) = (Peer::new(Script::smtp().at(Stage::End, does)), Peer::new(Script::smtp()));
        // RFC 5321 §4.5.3.2.6: the reply is waited for, ten minutes; then a pause.
        let silent = matches!(does, Do::Stall | Do::Nothing);
        let time = Duration::from_secs(if silent { 630 } else { 50 });
        let ledger = play(&place, &[&first, &second], "", &[&[BOB]], CONTENT, time);
        assert_eq!(ledger, Ledger { taken: 1, reports: 0, waiting: 1 }, "{does:?}: {:?}", first.heard());
        assert!(second.heard().is_empty(), "{does:?}");
    }
}

#[test]
fn what_a_refused_message_left_open_does_not_hurt_the_next_on_the_connection() {
    let place = here::place();
    let letters: &[&[&str]] = &[&["never@there.example"], &[BOB], &["never@there.example"], &[BOB]];
    for does in WAYS.iter().copied().chain([Do::Reply("250 2.0.0 forgotten")]) {
        let refusing = Script::smtp().for_recipient("never@there.example", Do::Reply("550 5.1.1 nobody"));
        let peer = Peer::new(refusing.at(Stage::Rset, does).first(1));
        let one = "connections = { per-destination = 1 }\n";
        let ledger = play(&place, &[&peer], one, letters, CONTENT, QUARTER);
        assert_eq!(ledger, Ledger { taken: 2, reports: 2, waiting: 0 }, "{does:?}: {:?}", peer.heard());
        // RSET, and twice the recipient that is refused.
        assert_eq!((peer.deviations(), peer.complaints()), (3, vec![]), "{does:?}: {:?}", peer.heard());
    }
}

/// In clear text only where the settings let it be, and then at once.
#[test]
fn where_tls_fails_mail_goes_without_or_not_at_all() {
    let place = here::place();
    let self_signed = || Script::smtp().starttls(Identity::self_signed(&["mx.there.example"]));
    let refused = Do::Reply("454 4.7.0 not now");
    for (settings, script, taken) in [
        ("offered", Script::smtp(), Some(None)),
        ("offered", self_signed(), Some(Some("TLS1.3"))),
        ("offered", self_signed().at(Stage::StartTls, refused), Some(None)),
        // What comes in clear text behind the reply was put there by somebody, who shall not have the mail, either.
        ("offered", self_signed().at(Stage::Handshake, Do::Garbage), None),
        ("offered", self_signed().at(Stage::Handshake, Do::Close), Some(None)),
        ("offered", self_signed().at(Stage::Handshake, Do::Stall), Some(None)),
        ("off", self_signed(), Some(None)),
        ("required", self_signed(), Some(Some("TLS1.3"))),
        ("required", Script::smtp(), None),
        ("required", self_signed().at(Stage::StartTls, refused), None),
        ("required", self_signed().at(Stage::Handshake, Do::Reset), None),
        ("verified", self_signed(), None),
        ("verified", Script::smtp(), None),
    ] {
        let shown = format!("{settings}: {script:?}");
        let peer = Peer::new(script);
        let tls = format!("tls = \"{settings}\"\n");
        let time = if taken.is_some() { Duration::from_secs(50) } else { Duration::from_secs(2 * 3600) };
        let ledger = play(&place, &[&peer], &tls, &[&[BOB]], CONTENT, time);
        let (copies, reports) = if taken.is_some() { (1, 0) } else { (0, 1) };
        assert_eq!(ledger, Ledger { taken: copies, reports, waiting: 0 }, "{shown}: {:?}", peer.heard());
        assert_eq!(peer.taken().first().map(|one| one.tls.as_deref()), taken, "{shown}");
    }
}

#[test]
fn a_next_hop_that_offers_less_gets_what_it_can_take() {
    let place = here::place();
    let eight_bit = [CONTENT, "Grüße\r\n".as_bytes()].concat();
    let (delivered, reported) = ((1, 0), (0, 1));
    for (script, content, (taken, reports)) in [
        (Script::smtp().without("PIPELINING"), CONTENT, delivered),
        (Script::smtp().without("SIZE"), CONTENT, delivered),
        (Script::smtp().without("8BITMIME"), CONTENT, delivered),
        (Script::smtp().without("ENHANCEDSTATUSCODES").offering("X-UNHEARD-OF 1 2 3"), CONTENT, delivered),
        (Script::smtp(), &eight_bit, delivered),
        (Script::smtp().without("8BITMIME"), &eight_bit, reported),
        (Script::smtp().offering("SIZE 100"), CONTENT, reported),
        (Script::smtp().at(Stage::Content, Do::Reply("552 5.3.4 too large")), &large(), reported),
        (Script::smtp().at(Stage::Ehlo, Do::Reply("500 what?")), CONTENT, delivered),
    ] {
        let shown = format!("{script:?}");
        let peer = Peer::new(script);
        let ledger = play(&place, &[&peer], "", &[&[BOB]], content, QUARTER);
        assert_eq!(ledger, Ledger { taken, reports, waiting: 0 }, "{shown}: {:?}", peer.heard());
        assert_eq!(peer.complaints(), [""; 0], "{shown}");
    }
}

/// An operator mends what is wrong with a password, so nothing is reported before the time is over.
#[test]
fn a_smart_host_is_signed_in_to_and_no_password_goes_in_clear_text() {
    let place = here::place();
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"secret\n").unwrap();
    let settings = format!(
        "smart-host = [\"192.0.2.1:25\"]\ntls = \"required\"\nauthentication = {{ user = \"us\", password-file = \"{}\" }}\n",
        secret.path().display()
    );
    let account = |password| Script::smtp().account("us", password);
    let under_tls = |script: Script| script.starttls(Identity::self_signed(&["mx.there.example"]));
    let (delivered, waiting) = ((1, 0), (0, 1));
    for (script, (taken, waiting)) in [
        (under_tls(account("secret")), delivered),
        (under_tls(account("secret")).at(Stage::Auth, Do::Reply("454 4.7.0 later")).first(1), delivered),
        (under_tls(account("secret")).at(Stage::Auth, Do::Reply("334 ")).first(1), delivered),
        (under_tls(account("secret")).at(Stage::Auth, Do::Garbage).first(1), delivered),
        (under_tls(account("secret")).at(Stage::Auth, Do::Stall).first(1), delivered),
        (under_tls(account("secret")).at(Stage::Auth, Do::Reset).first(1), delivered),
        (under_tls(account("another")), waiting),
        (under_tls(Script::smtp()), waiting),
        (account("secret"), waiting),
    ] {
        let shown = format!("{script:?}");
        let peer = Peer::new(script);
        let ledger = play(&place, &[&peer], &settings, &[&[BOB]], CONTENT, QUARTER);
        assert_eq!(ledger, Ledger { taken, reports: 0, waiting }, "{shown}: {:?}", peer.heard());
        assert!(peer.taken().iter().all(|one| one.signed_in.as_deref() == Some("us")), "{shown}");
        assert_eq!(peer.complaints(), [""; 0], "{shown}");
        let in_clear = |said: &Vec<String>| {
            said.iter().take_while(|line| !line.starts_with("(TLS")).any(|line| line.starts_with("AUTH"))
        };
        assert!(!peer.heard().iter().any(in_clear), "{shown}: {:?}", peer.heard());
    }
}

/// The program itself, on sockets, in the machine's time.
#[test]
fn the_program_delivers_comes_again_and_reports() {
    let abroad = Abroad::new(Zones::new().zone("there.example", "@ MX 10 mx\nmx A 127.0.0.1"));
    let script = Script::smtp()
        .starttls(Identity::self_signed(&["mx.there.example"]))
        .for_recipient("later@there.example", Do::Reply("451 4.7.1 later"))
        .first(1)
        .for_recipient("never@there.example", Do::Reply("550 5.1.1 nobody"))
        .at(Stage::End, Do::Close)
        .first(1);
    let peer = Peer::new(script);
    let port = abroad.listen(&peer).port();
    let server = {
        let _alone = stage::place::nobody_spawns();
        Server::start(&["ann"], &abroad.delivery(port))
    };
    for name in ["twice", "later", "never"] {
        let to = format!("{name}@there.example");
        let reply = client::send(server.port("smtp"), "ann@here.example", &[&to], CONTENT).unwrap();
        assert!(reply.starts_with("250"), "{reply}");
        let reached = || peer.heard().iter().flatten().any(|line| line.contains(&to)).then_some(());
        eventually("it is tried", reached);
    }
    let taken = eventually("each is taken", || Some(peer.taken()).filter(|taken| taken.len() >= 3));
    let to = |name: &str| taken.iter().filter(|taken| taken.to == [format!("{name}@there.example")]).count();
    assert_eq!((to("twice"), to("later"), to("never")), (2, 1, 0));
    assert!(taken.iter().all(|taken| taken.tls.as_deref() == Some("TLS1.3")), "{taken:?}");
    let reports = eventually("the report", || Some(server.maildrop("ann")).filter(|mail| !mail.is_empty()));
    let report = String::from_utf8_lossy(&reports[0]).into_owned();
    assert!(report.contains("never@there.example") && report.contains("550 5.1.1 nobody"), "{report}");
    assert_eq!((reports.len(), peer.complaints()), (1, vec![]));
}
