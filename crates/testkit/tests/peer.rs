//! The peer against our own client: on loopback TCP and in a simulated harbour.
#![allow(clippy::unwrap_used, reason = "a test may unwrap, and so may what helps it")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use mail::{ForwardPath, Host, MessageParameters, RecipientParameters, ReversePath, Timestamp};
use protocol::End;
use protocol::sasl::Password;
use protocol::smtp::Dialect;
use protocol::smtp::client::{
    Answer, ClientSession, ContentFacts, Outcome, Policy, Question, Recipient, Report, SignInAs, Summary,
    Tls, Transaction,
};
use testkit::peer::{Authority, Do, Identity, Peer, Script, Stage};
use wire::registry::Arrival;
use wire::{Context, Decision, Handler, Registry, Towards, Trust, Verification};
use world::dialer::{Call, Connected, Dialer, Harbour};
use world::{Clock, net};

/// A message to be sent.
#[derive(Debug, Clone)]
struct Letter {
    to: Vec<&'static str>,
    content: &'static str,
}

const CONTENT: &str = "Subject: greetings\r\n\r\n.one\r\n..\r\nlast\r\n";

fn letter(to: &[&'static str]) -> Letter {
    Letter { to: to.to_vec(), content: CONTENT }
}

/// The application's side of a client: sends letters, keeps reports.
struct Errand {
    letters: VecDeque<Letter>,
    content: Bytes,
    /// Whether the question for the next letter stays open when there is none.
    keeps: bool,
    came_to: Arc<Mutex<CameTo>>,
}

/// What a connection came to.
#[derive(Debug, Default)]
struct CameTo {
    reports: Vec<Report>,
    summary: Option<Summary>,
    end: Option<End>,
}

impl Errand {
    fn next(&mut self) -> Answer {
        let Some(letter) = self.letters.pop_front() else { return Answer::Nothing };
        self.content = Bytes::from_static(letter.content.as_bytes());
        let recipient = |to: &&str| Recipient {
            path: ForwardPath::parse(&format!("<{to}>")).unwrap(),
            parameters: RecipientParameters::default(),
        };
        Answer::Transaction(Box::new(Transaction {
            sender: ReversePath::parse("<ann@example.com>").unwrap(),
            parameters: MessageParameters::default(),
            recipients: letter.to.iter().map(recipient).collect(),
            content: ContentFacts::of(&self.content),
        }))
    }
}

impl Handler<ClientSession> for Errand {
    fn decide(&mut self, question: Question) -> Decision<Answer> {
        Decision::Now(match question {
            Question::Next if self.letters.is_empty() && self.keeps => {
                return Decision::Later(Box::pin(std::future::pending()));
            }
            Question::Next => self.next(),
            Question::Content { offset } => {
                let rest = self.content.slice(usize::try_from(offset).unwrap()..);
                let piece = rest.slice(..rest.len().min(7));
                Answer::Content { last: piece.len() == rest.len(), piece }
            }
            Question::Report(report) => {
                self.came_to.lock().unwrap().reports.push(*report);
                Answer::Noted
            }
        })
    }

    fn ended(&mut self, summary: Summary, end: End) {
        let mut came_to = self.came_to.lock().unwrap();
        came_to.reports.extend(summary.report.clone());
        (came_to.summary, came_to.end) = (Some(summary), Some(end));
    }
}

impl CameTo {
    /// `delivered`, or the cause, for each recipient; reports apart. Why there is none.
    fn text(&self) -> String {
        let word = |outcome: &Outcome| match outcome {
            Outcome::Delivered(_) => "delivered".into(),
            Outcome::Deferred(diagnostic) => format!("deferred {diagnostic}"),
            Outcome::Failed(diagnostic) => format!("failed {diagnostic}"),
        };
        let report = |report: &Report| report.outcomes.iter().map(word).collect::<Vec<_>>().join("; ");
        match (&*self.reports, self.summary.as_ref().and_then(|summary| summary.failure.as_ref())) {
            ([], Some(failure)) => format!("none: {failure}"),
            (reports, _) => reports.iter().map(report).collect::<Vec<_>>().join(" | "),
        }
    }
}

/// A client that may do everything, and how it reaches a peer.
struct Client {
    clock: Clock,
    policy: Policy,
    tls: wire::Tls,
    letters: Vec<Letter>,
    keeps: bool,
}

fn client(clock: &Clock, letters: &[Letter]) -> Client {
    let policy = Policy {
        dialect: Dialect::Smtp,
        hello: Host::parse("out.example.org").unwrap(),
        tls: Tls::Opportunistic,
        sign_in: None,
        sign_in_without_tls: false,
        messages_max: 10,
        idle: Duration::from_secs(30),
        greeting: protocol::smtp::client::Greeting::Extended,
        silence_max: Duration::MAX,
    };
    Client { clock: clock.clone(), policy, tls: wire::Tls::Off, letters: letters.to_vec(), keeps: false }
}

impl Client {
    fn lmtp(mut self) -> Self {
        self.policy.dialect = Dialect::Lmtp;
        self
    }

    fn trusts(mut self, authority: &Authority, name: &str, verification: Verification) -> Self {
        let trust = Arc::new(Trust::only(&[authority.pem().as_bytes().to_vec()]).unwrap());
        self.tls = wire::Tls::Towards(Towards { trust, name: name.into(), verification });
        self
    }

    async fn talk(self, connected: Connected) -> CameTo {
        let registry = Registry::new(self.clock.clone());
        let entry = registry.admit(Arrival::outgoing("192.0.2.1:25".parse().unwrap(), "smtp")).unwrap();
        let context = Context::new(self.clock.clone(), self.tls, entry);
        let came_to = Arc::<Mutex<CameTo>>::default();
        let (letters, keeps) = (self.letters.into(), self.keeps);
        let errand = Errand { letters, content: Bytes::new(), keeps, came_to: came_to.clone() };
        let session = ClientSession::new(Arc::new(self.policy), self.clock.now());
        wire::drive(session, errand, connected.into(), &context).await;
        Arc::into_inner(came_to).unwrap().into_inner().unwrap()
    }

    /// Calls a peer in a harbour of its own.
    async fn call(self, peer: &Peer) -> CameTo {
        let harbour = Harbour::new();
        let to: SocketAddr = "192.0.2.1:25".parse().unwrap();
        peer.dock(&self.clock, &harbour, to);
        let call = Call { to, from: None, timeout: Duration::from_secs(30) };
        let connected = Dialer::Simulated(harbour).connect(&self.clock, &call).await.unwrap();
        self.talk(connected).await
    }
}

fn clock() -> Clock {
    Clock::simulated(Timestamp(1_000_000))
}

#[tokio::test]
async fn mail_is_taken_over_tcp_as_it_was_sent() {
    let authority = Authority::new();
    let script = Script::smtp().starttls(authority.certify(&["127.0.0.1"])).account("bob", "secret");
    let peer = Peer::new(script);
    let address = peer.listen().await;
    let mut client =
        client(&Clock::Real, &[letter(&["a@example.net", "b@example.net"]), letter(&["c@example.net"])]);
    client.policy.sign_in = Some(SignInAs { login: "bob".into(), password: Password("secret".into()) });
    let client = client.trusts(&authority, "127.0.0.1", Verification::Certificate);
    let came_to = client.talk(Connected::Tcp(net::connect(address).await.unwrap())).await;
    assert_eq!(came_to.text(), "delivered; delivered | delivered");
    assert!(came_to.summary.unwrap().tls.unwrap().verified);
    let taken = peer.has_taken(2).await;
    assert_eq!(taken[0].to, ["a@example.net", "b@example.net"]);
    assert_eq!((taken[0].from.as_str(), taken[0].hello.as_str()), ("ann@example.com", "out.example.org"));
    assert_eq!((taken[0].tls.as_deref(), taken[0].signed_in.as_deref()), (Some("TLS1.3"), Some("bob")));
    assert_eq!(String::from_utf8_lossy(&taken[1].content), CONTENT);
    assert_eq!(taken[1].source.ip(), address.ip());
    assert_eq!(peer.complaints(), [""; 0]);
    let said = &peer.heard()[0];
    assert_eq!(said[..3], ["EHLO out.example.org", "STARTTLS", "(TLS1.3)"]);
    assert_eq!(said.last().unwrap(), "QUIT");
}

#[tokio::test(start_paused = true)]
async fn each_misbehaviour_is_seen_by_the_client_for_what_it_is() {
    use Stage::{Banner, Content, Data, Ehlo, End, Mail, Quit, Rcpt};
    let delivered = "delivered";
    for (stage, does, expected, taken) in [
        (Banner, Do::Reply("554 no"), "none: 554 no (in answer to connecting)", 0),
        (Banner, Do::Garbage, "none: ", 0),
        (Ehlo, Do::Reply("421 4.3.2 soon\nnot now"), "none: ", 0),
        (Mail, Do::Reply("451 4.7.1 later"), "deferred ", 0),
        (Mail, Do::Close, "deferred ", 0),
        (Rcpt, Do::Reply("550 5.1.1 nobody"), "failed ", 0),
        (Rcpt, Do::Reset, "deferred ", 0),
        (Rcpt, Do::Stall, "deferred ", 0),
        (Data, Do::Reply("554 5.6.0 no"), "failed ", 0),
        (Data, Do::Nothing, "deferred ", 0),
        (Content, Do::Close, "deferred ", 0),
        (Content, Do::Reply("451 4.3.0 disk"), "deferred ", 0),
        (End, Do::Reply("552 5.2.3 too large"), "failed ", 0),
        (End, Do::Reply("250 2.0.0 fine"), delivered, 1),
        (End, Do::Delay(Duration::from_secs(599)), delivered, 1),
        // RFC 1047: taken, and nobody knows.
        (End, Do::Close, "deferred ", 1),
        (End, Do::Reset, "deferred ", 1),
        (End, Do::Stall, "deferred ", 1),
        (End, Do::Garbage, "deferred ", 1),
        (Quit, Do::Stall, delivered, 1),
        (Quit, Do::Garbage, delivered, 1),
    ] {
        let peer = Peer::new(Script::smtp().at(stage, does));
        let came_to = client(&clock(), &[letter(&["a@example.net"])]).call(&peer).await;
        let text = came_to.text();
        assert!(text.starts_with(expected), "{stage:?} {does:?}: {text}");
        assert_eq!((peer.taken().len(), peer.complaints()), (taken, vec![]), "{stage:?} {does:?}");
        assert_eq!(peer.deviations(), 1, "{stage:?} {does:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rules_hold_for_a_time_and_for_a_recipient() {
    let script = Script::smtp()
        .at(Stage::Mail, Do::Reply("451 4.7.1 later"))
        .first(1)
        .for_recipient("b@example.net", Do::Reply("550 5.1.1 nobody"));
    let peer = Peer::new(script);
    let letters = [letter(&["a@example.net", "b@example.net"]), letter(&["a@example.net", "b@example.net"])];
    let came_to = client(&clock(), &letters).call(&peer).await;
    let words: Vec<_> = came_to.reports.iter().flat_map(|report| &report.outcomes).collect();
    assert!(matches!(
        words[..],
        [Outcome::Deferred(_), Outcome::Deferred(_), Outcome::Delivered(_), Outcome::Failed(_)]
    ));
    assert_eq!(peer.taken()[0].to, ["a@example.net"]);
    assert_eq!(peer.taken()[0].at, Timestamp(1_000_000));
    peer.follow(Script::smtp().at(Stage::Mail, Do::Close));
    let came_to = client(&clock(), &[letter(&["b@example.net"])]).call(&peer).await;
    assert!(came_to.text().starts_with("deferred"), "{}", came_to.text());
}

#[tokio::test(start_paused = true)]
async fn lmtp_answers_for_each_recipient() {
    let script = Script::lmtp()
        .for_recipient("b@example.net", Do::Reply("550 5.1.1 nobody"))
        .content_for("c@example.net", Do::Reply("452 4.2.2 full"))
        .content_for("e@example.net", Do::Close);
    let peer = Peer::new(script);
    let letters =
        [letter(&["a@example.net", "b@example.net", "c@example.net", "d@example.net", "e@example.net"])];
    let came_to = client(&clock(), &letters).lmtp().call(&peer).await;
    let words: Vec<_> =
        came_to.reports[0].outcomes.iter().map(|outcome| outcome.diagnostic().to_string()).collect();
    assert_eq!(
        words,
        [
            "250 2.0.0 taken (in answer to the end of the content)",
            "550 5.1.1 nobody (in answer to RCPT)",
            "452 4.2.2 full (in answer to the end of the content)",
            "250 2.0.0 taken (in answer to the end of the content)",
            "4.4.2 the connection was lost (at the end of the content); the message may have arrived",
        ]
    );
    // What closes before its reply has taken it.
    assert_eq!(peer.taken()[0].to, ["a@example.net", "d@example.net", "e@example.net"]);
    assert_eq!((peer.heard()[0][0].as_str(), peer.complaints()), ("LHLO out.example.org", vec![]));
}

#[tokio::test(start_paused = true)]
async fn tls_that_fails_fails_in_every_way() {
    let authority = Authority::new();
    let (name, none, full) = ("mx.example.net", Verification::None, Verification::Certificate);
    let good = Script::smtp().starttls(authority.certify(&[name]));
    let expired = Script::smtp().starttls(authority.certify_expired(&[name]));
    let own = Script::smtp().starttls(Identity::self_signed(&[name]));
    for (script, verification, expected) in [
        (good.clone(), full, "delivered"),
        (expired.clone(), none, "delivered"),
        (expired, full, "none: "),
        (own.clone(), none, "delivered"),
        (own, full, "none: "),
        (good.clone().at(Stage::StartTls, Do::Reply("454 4.7.0 not now")), full, "delivered"),
        (good.clone().at(Stage::Handshake, Do::Garbage), none, "none: "),
        (good.clone().at(Stage::Handshake, Do::Reply("250 injected")), none, "none: "),
        (good.clone().at(Stage::Handshake, Do::Close), none, "none: "),
        (good.clone().at(Stage::Handshake, Do::Stall), none, "none: "),
        (good.clone().at(Stage::Handshake, Do::Delay(Duration::from_secs(20))), full, "delivered"),
    ] {
        let shown = format!("{script:?} {verification:?}");
        let peer = Peer::new(script);
        let came_to = client(&clock(), &[letter(&["a@example.net"])])
            .trusts(&authority, name, verification)
            .call(&peer)
            .await;
        assert!(came_to.text().starts_with(expected), "{shown}: {}", came_to.text());
        assert_eq!(peer.complaints(), [""; 0], "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_sign_in_sends_nothing() {
    let script = || Script::smtp().account("bob", "secret");
    for (script, password, expected) in [
        (script(), Some("secret"), "delivered"),
        (script(), Some("wrong"), "535 5.7.8 no (in answer to AUTH)"),
        (
            script().at(Stage::Auth, Do::Reply("334 more")),
            Some("secret"),
            "501 5.5.2 that is not it (in answer to AUTH)",
        ),
        (script(), None, "530 5.7.0 sign in first (in answer to MAIL)"),
    ] {
        let peer = Peer::new(script);
        let mut client = client(&clock(), &[letter(&["a@example.net"])]);
        client.policy.sign_in_without_tls = true;
        client.policy.sign_in =
            password.map(|password| SignInAs { login: "bob".into(), password: Password(password.into()) });
        let text = client.call(&peer).await.text();
        assert!(text.ends_with(expected), "{text}");
        let signed_in: Vec<_> = peer.taken().into_iter().map(|taken| taken.signed_in).collect();
        assert_eq!(signed_in.len(), usize::from(expected == "delivered"), "{text}");
        assert!(signed_in.iter().all(|user| user.as_deref() == Some("bob")));
        assert_eq!(peer.complaints(), [""; 0], "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_kept_ends_when_the_peer_closes_it() {
    let (clock, peer) = (clock(), Peer::new(Script::smtp()));
    let keeping = Client { keeps: true, ..client(&clock, &[letter(&["a@example.net"])]) };
    let began = clock.now();
    let (came_to, ()) = tokio::join!(keeping.call(&peer), async {
        clock.sleep(Duration::from_secs(3)).await;
        peer.hang_up();
    });
    assert_eq!((came_to.text().as_str(), came_to.end), ("delivered", Some(End::HalfClosed)));
    assert_eq!((clock.now() - began).as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_know_the_rules_is_complained_of() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (clock, harbour) = (clock(), Harbour::new());
    let peer = Peer::new(Script::smtp().without("PIPELINING").without("SIZE"));
    let to: SocketAddr = "192.0.2.1:25".parse().unwrap();
    peer.dock(&clock, &harbour, to);
    let call = Call { to, from: None, timeout: Duration::from_secs(30) };
    let dialer = Dialer::Simulated(harbour);
    let Connected::Memory(mut stream) = dialer.connect(&clock, &call).await.unwrap() else { panic!() };
    let commands =
        ["MAIL FROM:<a@b.example>", "EHLO x", "MAIL FROM:<a@b.example> SIZE=1\r\nRCPT TO:<c@d.example>"];
    for command in commands.into_iter().chain(["DATA", "\u{e9}\r\nb\n\r\n.", "QUIT"]) {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.unwrap();
        clock.sleep(Duration::from_millis(10)).await;
    }
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert_eq!(peer.taken()[0].content, "\u{e9}\r\nb\n\r\n".as_bytes(), "{replies}");
    assert_eq!(
        peer.complaints(),
        [
            "MAIL FROM:<a@b.example>: 503 5.5.1 not now",
            "MAIL FROM:<a@b.example> SIZE=1: something follows at once",
            "SIZE=1 was not offered",
            "a bare CR or LF in the content",
            "8-bit content without BODY=8BITMIME",
        ]
    );
}

#[tokio::test]
async fn a_peer_that_is_gone_leaves_nothing() {
    let peer = Peer::new(Script::smtp().at(Stage::Banner, Do::Stall));
    let address = peer.listen().await;
    let client = client(&Clock::Real, &[letter(&["a@example.net"])]);
    let connected = Connected::Tcp(net::connect(address).await.unwrap());
    let (came_to, ()) = tokio::join!(client.talk(connected), async {
        while peer.heard().is_empty() {
            Clock::Real.sleep(Duration::from_millis(5)).await;
        }
        drop(peer);
    });
    assert!(came_to.text().starts_with("none: "), "{}", came_to.text());
    assert!(net::connect(address).await.is_err());
}
