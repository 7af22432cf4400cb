//! The driver and TLS on the client's side: a caller, and who answers it.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

mod toy;

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use protocol::{End, Session, Step, TlsFacts, Upgrade};
use rustls::{HandshakeKind, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::TlsAcceptor;
use toy::authority::{Authority, self_signed, server};
use toy::{Endings, PATIENCE, Pair, Setup, Toy, ToyHandler, line_of};
use wire::registry::{Arrival, Limits, OUTBOUND, Registry};
use wire::tls::{Certificates, Error, Pem};
use wire::{Context, Decision, Handler, Stream, Tls, Towards, Trust, Verification};
use world::Clock;
use world::dialer::Connected;

const TLS_1_3: &SupportedProtocolVersion = &rustls::version::TLS13;
const TLS_1_2: &SupportedProtocolVersion = &rustls::version::TLS12;
const BOTH: [&SupportedProtocolVersion; 2] = [TLS_1_3, TLS_1_2];

/// What the caller does at a line of the server; each line of what it sends is one command.
type Does = fn(&str) -> Option<Step<Wish>>;

/// What the caller asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// Never answered; nothing to a peer that has gone.
    Next,
    /// Answered after five seconds, whoever has gone; then [`Next`](Self::Next) is asked.
    Note,
}

/// A client's session: does what it is told at each line.
struct Caller {
    does: Does,
    input: Vec<u8>,
    steps: VecDeque<Step<Wish>>,
    open: Option<Wish>,
    until: Instant,
    log: Vec<String>,
}

impl Caller {
    fn new(does: Does, now: Instant) -> Self {
        let until = now + PATIENCE;
        Self { does, input: Vec::new(), steps: VecDeque::new(), open: None, until, log: Vec::new() }
    }
}

impl Session for Caller {
    type Question = Wish;
    type Answer = ();
    type News = ();
    type Outcome = Vec<String>;

    fn receive(&mut self, _now: Instant, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8_lossy(&self.input[..end]).into_owned();
            self.input.drain(..end + 2);
            self.steps.extend((self.does)(&line));
            self.log.push(line);
        }
    }

    fn answer(&mut self, _now: Instant, (): ()) {
        self.open = None;
        self.log.push("answered".into());
        self.steps.push_back(Step::Ask(Wish::Next));
    }

    fn tell(&mut self, _now: Instant, (): ()) {}

    fn woken(&mut self, _now: Instant) {
        self.steps.push_back(Step::Close);
    }

    fn secured(&mut self, _now: Instant, facts: TlsFacts) {
        self.log.push(format!("secured {} {:?} {}", facts.version, facts.server_name, facts.verified));
        self.steps.push_back(say("ECHO sealed"));
    }

    fn stopping(&mut self, _now: Instant) {
        self.log.push("stopping".into());
        self.steps.push_back(Step::Close);
    }

    fn ended(&mut self, _now: Instant, _end: End) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn outlives_input(&self) -> bool {
        self.open == Some(Wish::Note)
    }

    fn hears_while_sending(&self) -> bool {
        true
    }

    fn next(&mut self) -> Step<Wish> {
        let step = self.steps.pop_front().unwrap_or(Step::Await { until: self.until, read: true });
        if let Step::Ask(wish) = step {
            self.open = Some(wish);
        }
        step
    }
}

/// The session's log, and how it ended.
type Ended = Option<(Vec<String>, End)>;

struct CallersHandler(Clock, Arc<Mutex<Ended>>);

impl Handler<Caller> for CallersHandler {
    fn decide(&mut self, question: Wish) -> Decision<()> {
        let clock = self.0.clone();
        match question {
            Wish::Next => Decision::Later(Box::pin(pending())),
            Wish::Note => Decision::Later(Box::pin(async move { clock.sleep(Duration::from_secs(5)).await })),
        }
    }

    fn ended(&mut self, outcome: Vec<String>, end: End) {
        *self.1.lock().unwrap() = Some((outcome, end));
    }
}

fn say(line: &str) -> Step<Wish> {
    Step::Send(format!("{line}\r\n").into())
}

/// Asks for TLS, then for an echo, then leaves.
fn starts_tls(line: &str) -> Option<Step<Wish>> {
    Some(match line {
        "hi" => say("STARTTLS"),
        "go" => Step::Upgrade(Upgrade::Tls),
        "sealed" => say("QUIT"),
        _ => Step::Close,
    })
}

/// The same where TLS comes first.
fn is_secure(line: &str) -> Option<Step<Wish>> {
    if line == "hi" { None } else { starts_tls(line) }
}

/// Asks for more, and is told nothing.
fn asks_for_more(line: &str) -> Option<Step<Wish>> {
    Some(if line == "hi" { Step::Ask(Wish::Next) } else { Step::Close })
}

/// Sends more than anybody takes at once.
fn floods(line: &str) -> Option<Step<Wish>> {
    Some(if line == "hi" { Step::Send(vec![b'x'; 1 << 20].into()) } else { Step::Close })
}

fn makes_a_note(line: &str) -> Option<Step<Wish>> {
    Some(if line == "hi" { Step::Ask(Wish::Note) } else { Step::Close })
}

/// Drives a caller to its end.
async fn call(clock: &Clock, stream: impl Into<Stream>, tls: Tls, does: Does) -> (Vec<String>, End) {
    call_in(&Registry::new(clock.clone()), clock, stream, tls, does).await
}

async fn call_in(
    registry: &Arc<Registry>,
    clock: &Clock,
    stream: impl Into<Stream>,
    tls: Tls,
    does: Does,
) -> (Vec<String>, End) {
    let entry = registry.admit(Arrival::outgoing("192.0.2.1:25".parse().unwrap(), "toy")).unwrap();
    let context = Context::new(clock.clone(), tls, entry);
    let ended = Arc::default();
    let handler = CallersHandler(clock.clone(), Arc::clone(&ended));
    wire::drive(Caller::new(does, clock.now()), handler, stream.into(), &context).await;
    ended.lock().unwrap().take().expect("the end is told")
}

fn towards(trust: &Arc<Trust>, name: &str, verification: Verification) -> Towards {
    Towards { trust: trust.clone(), name: name.into(), verification }
}

fn offered(pem: &Pem) -> Pair {
    let certificates = Arc::new(Certificates::new(std::slice::from_ref(pem)).unwrap());
    Pair::new(Setup { tls: Tls::Offered(certificates), buffer: 16 * 1024, ..Setup::default() })
}

#[tokio::test(start_paused = true)]
async fn a_caller_and_our_server_agree_on_tls_when_asked_for_or_first() {
    let authority = Authority::new();
    let pem = authority.certify("mx.example.org");
    let certificates = Arc::new(Certificates::new(&[pem]).unwrap());
    let towards = towards(&authority.trust(), "MX.example.org.", Verification::Certificate);
    let facts = "secured TLS1.3 Some(\"mx.example.org\") true";
    for (server_tls, tls, does, expected) in [
        (
            Tls::Offered(certificates.clone()),
            Tls::Towards(towards.clone()),
            starts_tls as Does,
            vec!["hi", "go", facts, "sealed", "bye"],
        ),
        (
            Tls::Implicit(certificates.clone()),
            Tls::TowardsImplicit(towards.clone()),
            is_secure,
            vec![facts, "hi", "sealed", "bye"],
        ),
    ] {
        let mut pair = Pair::new(Setup { tls: server_tls, buffer: 16 * 1024, ..Setup::default() });
        let stream = pair.client.take().unwrap();
        let (log, end) = call(&pair.clock.clone(), stream, tls, does).await;
        assert_eq!((log.iter().map(String::as_str).collect::<Vec<_>>(), end), (expected, End::Closed));
        let (_, log) = pair.ended().await;
        let secured = log.iter().find(|line| line.starts_with("secured")).unwrap();
        assert!(secured.contains("Some(\"mx.example.org\"), verified: false"), "{secured}");
    }
}

#[tokio::test]
async fn the_same_over_tcp() {
    let authority = Authority::new();
    let certificates = Arc::new(Certificates::new(&[authority.certify("127.0.0.1")]).unwrap());
    let listener = world::net::Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address().unwrap();
    let serving = async {
        let (stream, peer) = listener.accept().await.unwrap();
        let entry = Registry::new(Clock::Real).admit(Arrival::outgoing(peer, "toy")).unwrap();
        let context = Context::new(Clock::Real, Tls::Offered(certificates), entry);
        let (_news, news) = tokio::sync::mpsc::unbounded_channel();
        let endings = Endings::default();
        let handler = ToyHandler {
            clock: Clock::Real,
            news,
            endings: endings.clone(),
            open: Default::default(),
            held: None,
        };
        wire::drive(Toy::new(Clock::Real.now()), handler, stream.into(), &context).await;
        endings
    };
    let calling = async {
        let connected = Connected::Tcp(world::net::connect(address).await.unwrap());
        let tls = Tls::Towards(towards(&authority.trust(), "127.0.0.1", Verification::Certificate));
        call(&Clock::Real, connected, tls, starts_tls).await
    };
    let (endings, (log, end)) = tokio::join!(serving, calling);
    assert_eq!((log[2].as_str(), end), ("secured TLS1.3 None true", End::Closed));
    assert_eq!(endings.lock().unwrap()[0].1, End::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_verified_and_what_is_not() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let trust = authority.trust();
    let good = authority.certify("mx.example.org");
    // (certificate, name, whether it is verified, whether the name alone is)
    for (shown, name, verifies, is_named) in [
        (&good, "mx.example.org", true, true),
        (&authority.certify("*.example.org"), "mx.example.org", true, true),
        (&authority.certify("192.0.2.1"), "192.0.2.1", true, true),
        (&authority.certify("2001:db8::1"), "2001:db8::1", true, true),
        (&good, "mx.example.net", false, false),
        (&good, "192.0.2.1", false, false),
        (&authority.certify_expired("mx.example.org"), "mx.example.org", false, true),
        (&stranger.certify("mx.example.org"), "mx.example.org", false, true),
        (&self_signed("mx.example.org"), "mx.example.org", false, true),
        // No certificate can be good for it.
        (&good, "not a name", false, false),
        (&good, "", false, false),
    ] {
        for verification in [Verification::None, Verification::Name, Verification::Certificate] {
            let mut pair = offered(shown);
            let (clock, stream) = (pair.clock.clone(), pair.client.take().unwrap());
            let tls = Tls::Towards(towards(&trust, name, verification));
            let (log, end) = call(&clock, stream, tls, starts_tls).await;
            let secured = log.iter().find_map(|line| line.strip_prefix("secured TLS1.3 "));
            let told = if name.starts_with("mx") { format!("Some({name:?})") } else { "None".to_owned() };
            let expected = match verification {
                Verification::None => Some(format!("{told} false")),
                Verification::Name => is_named.then(|| format!("{told} false")),
                Verification::Certificate => verifies.then(|| format!("{told} true")),
            };
            assert_eq!(secured, expected.as_deref(), "{name} {verification:?}");
            assert_eq!(end, if expected.is_some() { End::Closed } else { End::Cut }, "{name}");
        }
    }
}

/// Both sides of a handshake, ours as the client.
async fn shake_hands(
    acceptor: &TlsAcceptor,
    towards: &Towards,
) -> (io::Result<(Stream, TlsFacts)>, Option<HandshakeKind>) {
    let (client, server) = world::net::pair(16 * 1024);
    let serving = async {
        let mut stream = acceptor.accept(server).await.ok()?;
        stream.write_all(b"x").await.ok()?;
        let kind = stream.get_ref().1.handshake_kind();
        let _ = stream.read(&mut [0]).await;
        kind
    };
    let calling = async {
        let mut secured = Stream::Memory(client).secure_towards(towards).await;
        if let Ok((stream, _)) = &mut secured {
            // Tickets come after the handshake.
            stream.read_u8().await.unwrap();
            stream.shutdown().await.unwrap();
        }
        secured
    };
    tokio::join!(calling, serving)
}

#[tokio::test]
async fn whoever_shows_a_certificate_must_have_its_key_even_if_nothing_is_verified() {
    let authority = Authority::new();
    let (good, other) = (authority.certify("mx.example.org"), authority.certify("mx.example.org"));
    let trust = authority.trust();
    for version in BOTH {
        for verification in [Verification::None, Verification::Certificate] {
            let towards = towards(&trust, "mx.example.org", verification);
            for (key, goes) in [(&good, true), (&other, false)] {
                let (secured, _) = shake_hands(&server(&good, key, &[version], false), &towards).await;
                assert_eq!(secured.is_ok(), goes, "{version:?} {verification:?}");
            }
        }
    }
}

#[tokio::test]
async fn sessions_are_resumed_but_one_that_was_not_verified_is_not_taken_for_one_that_was() {
    let authority = Authority::new();
    let stranger = self_signed("mx.example.org");
    for version in BOTH {
        let trust = authority.trust();
        let acceptor = server(&stranger, &stranger, &[version], true);
        let opportunistic = towards(&trust, "mx.example.org", Verification::None);
        let (_, first) = shake_hands(&acceptor, &opportunistic).await;
        let (secured, second) = shake_hands(&acceptor, &opportunistic).await;
        assert_ne!(first, Some(HandshakeKind::Resumed));
        assert_eq!(second, Some(HandshakeKind::Resumed), "{version:?}");
        assert!(!secured.unwrap().1.verified);
        let (secured, _) =
            shake_hands(&acceptor, &towards(&trust, "mx.example.org", Verification::Certificate)).await;
        assert!(secured.is_err(), "{version:?}");
        // Another client of the same trust begins where this one ended; one of another trust does not.
        let elsewhere = towards(&authority.trust(), "mx.example.org", Verification::None);
        assert_ne!(shake_hands(&acceptor, &elsewhere).await.1, Some(HandshakeKind::Resumed));
    }
}

/// A server of a few words, by hand.
async fn answers_starttls(server: &mut DuplexStream, with: &[u8]) {
    server.write_all(b"hi\r\n").await.unwrap();
    assert_eq!(line_of(server).await, "STARTTLS");
    server.write_all(with).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn clear_text_in_place_of_a_handshake_cuts_the_connection_and_is_not_read() {
    let clock = Clock::simulated(mail::Timestamp(0));
    let trust = Authority::new().trust();
    for after in [&b"injected\r\n"[..], b"", b"\x15\x03\x01\x00\x02\x02\x28", &[0; 5000]] {
        let (client, mut server) = world::net::pair(16 * 1024);
        let tls = Tls::Towards(towards(&trust, "mx.example.org", Verification::None));
        let calling = call(&clock, client, tls, starts_tls);
        let serving = async {
            answers_starttls(&mut server, b"go\r\n").await;
            server.read_u8().await.unwrap();
            server.write_all(after).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let (ended, ()) = tokio::join!(calling, serving);
        assert_eq!(ended, (vec!["hi".into(), "go".into()], End::Cut));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_ends_at_its_deadline_or_by_an_order() {
    let clock = Clock::simulated(mail::Timestamp(0));
    let trust = Authority::new().trust();
    for (stops, expected) in [(false, End::Cut), (true, End::Terminated)] {
        let (client, mut server) = world::net::pair(16 * 1024);
        let registry = Registry::new(clock.clone());
        let began = clock.now();
        let tls = Tls::Towards(towards(&trust, "mx.example.org", Verification::None));
        let calling = call_in(&registry, &clock, client, tls, starts_tls);
        let serving = async {
            answers_starttls(&mut server, b"go\r\n").await;
            clock.sleep(Duration::from_secs(3)).await;
            if stops {
                assert_eq!(registry.stop_all(Some(OUTBOUND)), 1);
            }
        };
        let ((_, end), ()) = tokio::join!(calling, serving);
        let limit = if stops { Duration::from_secs(3) } else { wire::limits::HANDSHAKE_DEADLINE };
        assert_eq!((end, clock.now() - began), (expected, limit));
    }
}

#[tokio::test(start_paused = true)]
async fn without_tls_a_caller_that_asks_for_it_is_cut_off() {
    let mut pair = offered(&self_signed("mx.example.org"));
    let (clock, stream) = (pair.clock.clone(), pair.client.take().unwrap());
    assert_eq!(call(&clock, stream, Tls::Off, starts_tls).await.1, End::Cut);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_ends_a_question_unless_it_outlives_the_input() {
    let clock = Clock::simulated(mail::Timestamp(0));
    for (does, seconds, log) in
        [(asks_for_more as Does, 0, vec!["hi"]), (makes_a_note, 5, vec!["hi", "answered"])]
    {
        let (client, mut server) = world::net::pair(1024);
        let began = clock.now();
        let serving = async {
            server.write_all(b"hi\r\n").await.unwrap();
            server.shutdown().await.unwrap();
        };
        let ((seen, end), ()) = tokio::join!(call(&clock, client, Tls::Off, does), serving);
        assert_eq!((seen, end), (log.into_iter().map(String::from).collect(), End::HalfClosed));
        assert_eq!((clock.now() - began).as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_sends_much_hears_meanwhile_what_it_is_told() {
    let clock = Clock::simulated(mail::Timestamp(0));
    for (says, closes, log) in [
        ("hi\r\nenough\r\n", false, vec!["hi", "enough"]),
        ("hi\r\n", true, vec!["hi"]),
        ("hi\r\nenough\r\n", true, vec!["hi", "enough"]),
    ] {
        let (client, mut server) = world::net::pair(1024);
        let began = clock.now();
        let serving = async {
            for line in says.split_inclusive('\n') {
                server.write_all(line.as_bytes()).await.unwrap();
                clock.sleep(Duration::from_secs(1)).await;
            }
            if closes {
                server.shutdown().await.unwrap();
                clock.sleep(Duration::from_secs(1)).await;
            }
            drop(server);
        };
        let ((seen, end), ()) = tokio::join!(call(&clock, client, Tls::Off, floods), serving);
        assert_eq!((seen, end), (log.into_iter().map(String::from).collect(), End::HalfClosed), "{says:?}");
        assert!(clock.now() - began <= Duration::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_to_stop_is_heard_while_a_question_is_open() {
    let clock = Clock::simulated(mail::Timestamp(0));
    let registry = Registry::new(clock.clone());
    let (client, mut server) = world::net::pair(1024);
    let calling = call_in(&registry, &clock, client, Tls::Off, asks_for_more);
    let serving = async {
        server.write_all(b"hi\r\n").await.unwrap();
        clock.sleep(Duration::from_secs(1)).await;
        registry.stop_all(None);
        assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    };
    let ((log, end), ()) = tokio::join!(calling, serving);
    assert_eq!((log, end), (vec!["hi".into(), "stopping".into()], End::Closed));
}

#[tokio::test(start_paused = true)]
async fn connections_that_we_make_are_always_admitted_and_none_makes_room() {
    let clock = Clock::simulated(mail::Timestamp(0));
    let registry = Registry::new(clock.clone());
    let peer: SocketAddr = "192.0.2.1:25".parse().unwrap();
    let outgoing: Vec<_> =
        (0..2000).map(|_| registry.admit(Arrival::outgoing(peer, "smtp")).unwrap()).collect();
    clock.sleep(Duration::from_secs(3600)).await;
    let full = Limits { total_max: 0, per_source_max: None, ..Limits::NONE };
    let arrival = Arrival { peer, virtual_server: "default".into(), protocol: "smtp", limits: full };
    assert!(registry.admit(arrival).is_err());
    assert_eq!((registry.counts().made_room, registry.list(Some(OUTBOUND)).len()), (0, outgoing.len()));
}

#[test]
fn authorities_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let leaf = authority.certify("mx.example.org").chain;
    assert!(Trust::only(&[]).is_ok());
    // What the system has comes on top, and may be nothing.
    assert!(Trust::new(std::slice::from_ref(&leaf)).is_ok());
    for bad in [&b""[..], b"nonsense", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"] {
        let error = Trust::only(&[leaf.clone(), bad.to_vec()]).unwrap_err();
        assert!(matches!(error, Error::Authority { index: 1 }), "{error:?}");
        assert_eq!(error.to_string(), "authority 1: no certificate authority in PEM form");
    }
}

#[tokio::test]
async fn tls_inside_tls_is_refused() {
    let authority = Authority::new();
    let pem = authority.certify("mx.example.org");
    let towards = towards(&authority.trust(), "mx.example.org", Verification::Certificate);
    let (secured, _) = shake_hands(&server(&pem, &pem, &BOTH, false), &towards).await;
    let again = secured.unwrap().0.secure_towards(&towards).await.unwrap_err();
    assert_eq!(again.kind(), io::ErrorKind::Unsupported);
}
