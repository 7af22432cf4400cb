//! Attempts in a simulated world: names, hosts and time are the test's.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use directory::Directory;
use mail::{Address, QueueId, ReversePath, Timestamp};
use message_auth::dkim::{Algorithm, KeyAnswer, SigningKey, verify};
use policy::What;
use store::{Change, Commit, ContentRef, NewContent, Options, QueueEntry};
use tempfile::TempDir;
use testkit::peer::{Authority, Do, Identity, Peer as Host, Script, Stage};
use tokio::sync::watch;
use world::dialer::{Harbour, Mood};
use world::resolver::{Simulated, Zone};
use world::{Dialer, Resolver};

use settings::Settings;

use super::*;
use crate::agent::local::Magic;
use crate::agent::{Agents, Outcome, Word};
use crate::destinations::Destinations;
use crate::route::{Families, Reach, Rules};

const AT: Timestamp = Timestamp(1_795_359_600_000);
const CONTENT: &str =
    "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: hello\r\n\r\nbody\r\n.dot\r\n";
const MX1: &str = "192.0.2.1:25";
const MX2: &str = "192.0.2.2:25";

/// A server with a store, and a world around it.
struct Scene {
    world: World,
    store: Store,
    registry: Arc<Registry>,
    harbour: Harbour,
    settings: Settings,
    trust: Trust,
    rules: Rules,
    _place: TempDir,
}

impl Scene {
    /// example.net has two exchangers, mx1 (192.0.2.1) and mx2 (192.0.2.2).
    fn new() -> Self {
        let mut world = World::simulated(AT, 1);
        let harbour = Harbour::new();
        world.dialer = Dialer::Simulated(harbour.clone());
        let zone = Zone::new()
            .mx("example.net", 10, "mx1.example.net")
            .mx("example.net", 20, "mx2.example.net")
            .address("mx1.example.net", "192.0.2.1".parse().unwrap())
            .address("mx2.example.net", "192.0.2.2".parse().unwrap())
            .mx("other.example", 10, "mx1.example.net")
            .mx("other.example", 20, "mx2.example.net")
            .mx("even.example", 10, "mx1.example.net")
            .mx("even.example", 10, "mx2.example.net")
            .mx("null.example", 0, ".")
            .address("relay.example", "192.0.2.3".parse().unwrap());
        world.resolver = Resolver::Simulated(Simulated::new(world.clock.clone(), zone));
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("data"), &world, Options::default()).unwrap();
        let rules = Rules {
            names: BTreeSet::new(),
            addresses: BTreeSet::new(),
            port: 25,
            families: Families::Ipv4,
            reach: Reach::Public,
        };
        Self {
            registry: Registry::new(world.clock.clone()),
            world,
            store,
            harbour,
            settings: settings::resolve("host-name = \"out.example.org\"").unwrap(),
            trust: Trust::only(&[]).unwrap(),
            rules,
            _place: place,
        }
    }

    fn host(&self, address: &str, script: Script) -> Host {
        let host = Host::new(script);
        host.dock(&self.world.clock, &self.harbour, address.parse().unwrap());
        host
    }

    fn agents(&self) -> Arc<Agents> {
        let password = |_: &std::path::Path| Some(protocol::sasl::Password("secret".into()));
        let given = |delivery: &settings::Delivery| {
            Ok::<_, std::convert::Infallible>(crate::properties::Given {
                destinations: Destinations::with_passwords(&self.settings, delivery, password),
                rules: self.rules.clone(),
                resolver: self.world.resolver.clone(),
                trust: Arc::new(self.trust.clone()),
            })
        };
        let properties = crate::Properties::new(&self.settings, given).unwrap();
        let parts = Parts {
            world: self.world.clone(),
            store: self.store.clone(),
            directory: Arc::new(Directory::new(self.store.clone(), self.world.clone())),
            registry: self.registry.clone(),
            handle: crate::Handle::new(Arc::new(properties)),
            magic: Magic::Off,
        };
        Arc::new(Agents::new(&parts))
    }

    async fn keep(&self, content: impl Into<Bytes>) -> ContentRef {
        let bytes = content.into();
        let inline = NewContent::Inline { label: Bytes::new(), bytes };
        let receipt = self.store.commit(Commit { content: vec![inline], changes: Vec::new() }).await.unwrap();
        ContentRef::Known(receipt.content[0])
    }

    async fn message(&self, destination: &str, recipients: &[&str]) -> Attempt {
        let content = self.keep(CONTENT).await;
        attempt(destination, recipients, content)
    }

    /// One message to bob and carol at example.net, and how it ended.
    async fn deliver(&self) -> Shown {
        let agents = self.agents();
        let message = self.message("example.net", &["bob@example.net", "carol@example.net"]).await;
        shown(agents.attempt(message, Gate::open(), Cut::never()).await)
    }
}

fn attempt(destination: &str, recipients: &[&str], content: ContentRef) -> Attempt {
    let entry = QueueEntry {
        queue_id: QueueId(7),
        destination: destination.into(),
        virtual_server: String::new(),
        reverse_path: "ann@example.org".into(),
        parameters: mail::MessageParameters::default(),
        recipients: recipients.iter().map(|&text| text.into()).collect(),
        content,
        prefix: "Received: by out.example.org\r\n".into(),
        accepted: AT,
        due: AT,
        attempts: 0,
        notified: false,
        held: false,
        last: String::new(),
    };
    Attempt {
        entry: Arc::new(entry),
        reverse_path: ReversePath::Address("ann@example.org".parse().unwrap()),
        recipients: recipients.iter().map(|text| text.parse::<Address>().unwrap()).collect(),
        number: 1,
    }
}

/// How an attempt ended, in words.
#[derive(Debug)]
struct Shown {
    /// `relayed 2.0.0`, by recipient.
    outcomes: Vec<String>,
    /// How the attempt at each host ended, as the story has it.
    hosts: Vec<(String, String)>,
    attempted: Attempted,
}

fn shown(ended: Ended) -> Shown {
    let Ended::Attempted(attempted) = ended else { panic!("it stepped back") };
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Filed { .. } => "filed".to_owned(),
        Outcome::Relayed { said, .. } => format!("relayed {}", said.status),
        Outcome::Deferred(said) => format!("deferred {}", said.status),
        Outcome::Failed(said) => format!("failed {}", said.status),
    };
    let outcomes = attempted.outcomes.iter().map(outcome).collect();
    let host = |hop: &policy::Hop| match &hop.what {
        What::Attempt { host, end, .. } => Some((host.clone(), end.clone())),
        _ => None,
    };
    let hosts = attempted.hops.iter().filter_map(host).collect();
    Shown { outcomes, hosts, attempted }
}

/// The story's tale of hosts, one line each.
fn hosts(shown: &Shown) -> String {
    shown.hosts.iter().map(|(host, end)| format!("{host}: {end}\n")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_message_is_relayed_with_its_trace_header_and_told_of() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp());
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 2]);
    assert_eq!(hosts(&shown), "mx1.example.net [192.0.2.1]:25: relayed\n");
    let What::Route { hops, reasons, .. } = &shown.attempted.hops[0].what else { panic!("{shown:?}") };
    assert_eq!(hops[..], ["mx1.example.net [192.0.2.1]:25", "mx2.example.net [192.0.2.2]:25"]);
    assert_eq!(reasons[..], ["example.net names 2 mail exchangers"]);
    let What::Attempt { dialogue, .. } = &shown.attempted.hops[1].what else { panic!("{shown:?}") };
    assert!(dialogue.iter().any(|line| line.text.starts_with("MAIL FROM:<ann@example.org>")), "{dialogue:?}");
    let Outcome::Relayed { said, .. } = &shown.attempted.outcomes[0] else { panic!("{shown:?}") };
    let remote = said.remote.as_ref().unwrap();
    assert_eq!((remote.host.as_str(), remote.reply.code), ("mx1.example.net", 250));

    let taken = &host.taken()[0];
    assert_eq!((taken.from.as_str(), taken.hello.as_str()), ("ann@example.org", "out.example.org"));
    assert_eq!(taken.to, ["bob@example.net", "carol@example.net"]);
    let sent = format!("Received: by out.example.org\r\n{CONTENT}");
    assert_eq!(String::from_utf8_lossy(&taken.content), sent);
    assert_eq!(host.complaints(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_a_host_says_ends_the_attempt_or_leads_to_the_next() {
    let at = |stage, does| Script::smtp().at(stage, does);
    for (script, outcomes, next) in [
        // About the host: the next may do better.
        (at(Stage::Banner, Do::Reply("554 5.3.2 no")), "relayed", true),
        (at(Stage::Banner, Do::Reply("421 4.3.2 no")), "relayed", true),
        (at(Stage::Banner, Do::Close), "relayed", true),
        (at(Stage::Banner, Do::Stall), "relayed", true),
        (at(Stage::Banner, Do::Garbage), "relayed", true),
        (at(Stage::Ehlo, Do::Reply("450 4.3.2 no")), "relayed", true),
        (at(Stage::Ehlo, Do::Close), "relayed", true),
        (at(Stage::Ehlo, Do::Reset), "relayed", true),
        (at(Stage::Mail, Do::Reply("451 4.3.2 no")), "relayed", true),
        (at(Stage::Mail, Do::Reply("421 4.3.2 no")), "relayed", true),
        (at(Stage::Mail, Do::Close), "relayed", true),
        (at(Stage::Rcpt, Do::Close), "relayed", true),
        (at(Stage::Rcpt, Do::Stall), "relayed", true),
        (at(Stage::Data, Do::Close), "relayed", true),
        (at(Stage::Data, Do::Reply("421 4.3.2 no")), "relayed", true),
        // About the message or the recipients: the word of the domain.
        (at(Stage::Mail, Do::Reply("550 5.7.1 no")), "failed 5.7.1", false),
        (at(Stage::Rcpt, Do::Reply("550 5.1.1 no")), "failed 5.1.1", false),
        (at(Stage::Rcpt, Do::Reply("451 4.7.1 no")), "deferred 4.7.1", false),
        (at(Stage::Data, Do::Reply("451 4.3.0 no")), "deferred 4.3.0", false),
        (at(Stage::End, Do::Reply("451 4.3.0 no")), "deferred 4.3.0", false),
        (at(Stage::End, Do::Reply("554 5.6.0 no")), "failed 5.6.0", false),
        // It may have arrived: small content goes out with its final dot.
        (at(Stage::Content, Do::Reset), "deferred 4.4.2", false),
        (at(Stage::End, Do::Close), "deferred 4.4.2", false),
        (at(Stage::End, Do::Stall), "deferred 4.4.2", false),
        (at(Stage::End, Do::Reset), "deferred 4.4.2", false),
    ] {
        let scene = Scene::new();
        let first = scene.host(MX1, script.clone());
        let second = scene.host(MX2, Script::smtp());
        let shown = scene.deliver().await;
        assert!(shown.outcomes.iter().all(|outcome| outcome.starts_with(outcomes)), "{script:?}: {shown:?}");
        assert_eq!(second.taken().len(), usize::from(next), "{script:?}: {shown:?}");
        assert_eq!(shown.hosts.len(), 1 + usize::from(next), "{script:?}: {shown:?}");
        assert_eq!(first.complaints(), [""; 0], "{script:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hosts_that_cannot_be_reached_are_passed_over() {
    for mood in [Mood::Refused, Mood::Silent, Mood::Unreachable, Mood::Reset] {
        let scene = Scene::new();
        let _first = scene.host(MX1, Script::smtp());
        let second = scene.host(MX2, Script::smtp());
        scene.harbour.set_mood(MX1.parse().unwrap(), mood);
        assert_eq!(scene.deliver().await.outcomes, ["relayed 2.0.0"; 2], "{mood:?}");
        assert_eq!(second.taken().len(), 1);

        scene.harbour.set_mood(MX2.parse().unwrap(), Mood::Refused);
        let shown = scene.deliver().await;
        let expected = if mood == Mood::Reset { "deferred 4.4.2" } else { "deferred 4.4.1" };
        assert_eq!(shown.outcomes, [expected; 2], "{mood:?}");
        assert_eq!(shown.hosts.len(), 2, "{shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_that_did_not_answer_is_tried_last_for_a_while() {
    let scene = Scene::new();
    let (first, second) = (scene.host(MX1, Script::smtp()), scene.host(MX2, Script::smtp()));
    let agents = scene.agents();
    let message = scene.message("example.net", &["bob@example.net"]).await;
    let mut took = Vec::new();
    for (mood, pause) in [(Mood::Silent, 10), (Mood::Silent, 10), (Mood::Open, 60), (Mood::Open, 0)] {
        scene.harbour.set_mood(MX1.parse().unwrap(), mood);
        let began = scene.world.clock.now();
        let shown = shown(agents.attempt(message.clone(), Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, ["relayed 2.0.0"], "{shown:?}");
        took.push((scene.world.clock.now() - began).as_secs());
        scene.world.clock.sleep(Duration::from_secs(pause)).await;
        let What::Route { hops, reasons, .. } = &shown.attempted.hops[0].what else { panic!("{shown:?}") };
        let words = "mx1.example.net [192.0.2.1]:25 could not be reached a moment ago and is tried last";
        assert_eq!(hops[0].starts_with("mx2"), reasons.iter().any(|reason| reason == words), "{shown:?}");
    }
    assert_eq!((took, first.taken().len(), second.taken().len()), (vec![30, 0, 0, 0], 1, 3));
}

#[tokio::test(start_paused = true)]
async fn hosts_of_equal_preference_share_the_load() {
    let mut scene = Scene::new();
    scene.settings.delivery.connections.messages = 1;
    let (first, second) = (scene.host(MX1, Script::smtp()), scene.host(MX2, Script::smtp()));
    let agents = scene.agents();
    let message = scene.message("even.example", &["bob@even.example"]).await;
    for _ in 0..40 {
        agents.attempt(message.clone(), Gate::open(), Cut::never()).await;
    }
    let (first, second) = (first.taken().len(), second.taken().len());
    assert!(first + second == 40 && first >= 10 && second >= 10, "{first} {second}");
}

#[tokio::test(start_paused = true)]
async fn mail_fails_for_good_only_if_each_host_refuses_for_good() {
    for (second, expected) in [("554 5.3.2 no", "failed 5.3.2"), ("421 4.3.2 no", "deferred 4.3.2")] {
        for (first, second) in [("554 5.3.2 no", second), (second, "554 5.3.2 no")] {
            let scene = Scene::new();
            let _first = scene.host(MX1, Script::smtp().at(Stage::Banner, Do::Reply(first)));
            let _second = scene.host(MX2, Script::smtp().at(Stage::Banner, Do::Reply(second)));
            assert_eq!(scene.deliver().await.outcomes, [expected; 2], "{first} {second}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_recipient_has_its_own_outcome() {
    let scene = Scene::new();
    let script = Script::smtp().for_recipient("carol@example.net", Do::Reply("550 5.1.1 no such user"));
    let host = scene.host(MX1, script);
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0", "failed 5.1.1"]);
    assert_eq!(host.taken()[0].to, ["bob@example.net"]);
    let Outcome::Failed(said) = &shown.attempted.outcomes[1] else { panic!("{shown:?}") };
    assert_eq!(said.remote.as_ref().unwrap().reply.to_string(), "550 5.1.1 no such user");
    assert!(hosts(&shown).contains("relayed to 1 of 2; 550 5.1.1 no such user"), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn recipients_beyond_a_peers_limit_go_at_once_on_the_same_connection() {
    let scene = Scene::new();
    let script = Script::smtp().for_recipient("carol@example.net", Do::Reply("452 4.5.3 too many")).first(1);
    let host = scene.host(MX1, script);
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 2], "{shown:?}");
    let to: Vec<_> = host.taken().into_iter().map(|taken| taken.to).collect();
    assert_eq!(to, [["bob@example.net"], ["carol@example.net"]]);
    assert_eq!(host.heard().len(), 1, "one connection");
    assert_eq!(shown.hosts.len(), 2, "two transactions are told of");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_has_no_more_than_a_hundred_recipients() {
    let mut scene = Scene::new();
    scene.settings.delivery.connections.messages = 2;
    let host = scene.host(MX1, Script::smtp());
    let recipients: Vec<String> = (0..250).map(|number| format!("{number}@example.net")).collect();
    let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
    let message = scene.message("example.net", &recipients).await;
    let shown = shown(scene.agents().attempt(message, Gate::open(), Cut::never()).await);
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 250]);
    let counts: Vec<usize> = host.taken().iter().map(|taken| taken.to.len()).collect();
    assert_eq!(counts, [100, 100, 50]);
    assert_eq!(host.heard().len(), 2, "a connection carries two messages");
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_used_again_also_for_another_domain_of_the_same_hosts() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp());
    let agents = scene.agents();
    for (domain, recipient) in [
        ("example.net", "bob@example.net"),
        ("other.example", "eve@other.example"),
        ("example.net", "bob@example.net"),
    ] {
        let message = scene.message(domain, &[recipient]).await;
        let shown = shown(agents.attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, ["relayed 2.0.0"], "{shown:?}");
    }
    let rows = scene.registry.list(Some(wire::registry::OUTBOUND));
    assert_eq!((rows.len(), rows[0].protocol, rows[0].messages), (1, "smtp", 3), "{rows:?}");
    assert_eq!((host.heard().len(), host.taken().len()), (1, 3));
    scene.world.clock.sleep(IDLE + Duration::from_secs(1)).await;
    assert_eq!(host.heard()[0].last().map(String::as_str), Some("QUIT"));
    assert_eq!(scene.registry.list(None), []);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_gone_stale_costs_nothing_but_another() {
    for hang_up in ["before", "421", "close"] {
        let scene = Scene::new();
        let host = scene.host(MX1, Script::smtp());
        let second = scene.host(MX2, Script::smtp());
        let agents = scene.agents();
        let message = scene.message("example.net", &["bob@example.net"]).await;
        let first = shown(agents.attempt(message.clone(), Gate::open(), Cut::never()).await);
        assert_eq!(first.outcomes, ["relayed 2.0.0"]);
        match hang_up {
            "before" => host.hang_up(),
            "421" => host.follow(Script::smtp().at(Stage::Mail, Do::Reply("421 4.4.2 too long")).first(1)),
            _ => host.follow(Script::smtp().at(Stage::Mail, Do::Close).first(1)),
        }
        let next = shown(agents.attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(next.outcomes, ["relayed 2.0.0"], "{hang_up}: {next:?}");
        assert_eq!((host.taken().len(), second.taken().len()), (2, 0), "{hang_up}: {next:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_closing_takes_no_more() {
    // It has carried enough, or was idle for too long; QUIT is not answered.
    for (messages, pause, most) in [(1, 0, 0), (100, IDLE.as_secs() + 1, 10)] {
        let mut scene = Scene::new();
        scene.settings.delivery.connections.per_destination = 1;
        scene.settings.delivery.connections.messages = messages;
        let host = scene.host(MX1, Script::smtp().at(Stage::Quit, Do::Stall));
        let agents = scene.agents();
        let message = scene.message("example.net", &["bob@example.net"]).await;
        agents.attempt(message.clone(), Gate::open(), Cut::never()).await;
        scene.world.clock.sleep(Duration::from_secs(pause)).await;
        let began = scene.world.clock.now();
        let shown = shown(agents.attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, ["relayed 2.0.0"], "{shown:?}");
        assert_eq!((host.taken().len(), host.heard().len()), (2, 2));
        assert!((scene.world.clock.now() - began).as_secs() <= most);
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_shares_a_bounded_number_of_connections() {
    for (burst, per_destination, most) in [(10, 100, 10), (32, 100, 20), (100, 100, 20), (100, 5, 5)] {
        let mut scene = Scene::new();
        scene.settings.delivery.connections.per_destination = per_destination;
        let host = scene.host(MX1, Script::smtp());
        let agents = scene.agents();
        let content = scene.keep(CONTENT).await;
        let tasks: Vec<_> = (0..burst)
            .map(|_| {
                let (agents, message) =
                    (agents.clone(), attempt("example.net", &["bob@example.net"], content));
                let work = async move { shown(agents.attempt(message, Gate::open(), Cut::never()).await) };
                scene.world.workers.spawn(work)
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().outcomes, ["relayed 2.0.0"]);
        }
        assert_eq!(host.taken().len(), burst);
        let connections = host.heard().len();
        assert!(connections <= most, "{connections} for {burst}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_site_gets_as_many_connections_as_the_settings_allow() {
    let mut scene = Scene::new();
    scene.settings.delivery.connections.per_destination = 40;
    let slow = Do::Delay(Duration::from_secs(60));
    let host = scene.host(MX1, Script::smtp().at(Stage::End, slow));
    let agents = scene.agents();
    let content = scene.keep(CONTENT).await;
    for (burst, connections) in [(30, 20), (10, 30), (50, 40)] {
        for _ in 0..burst {
            let (agents, message) = (agents.clone(), attempt("example.net", &["bob@example.net"], content));
            let work = async move { agents.attempt(message, Gate::open(), Cut::never()).await };
            drop(scene.world.workers.spawn(work));
        }
        scene.world.clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(host.heard().len(), connections);
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_go_on_when_a_connection_breaks() {
    let mut scene = Scene::new();
    scene.settings.delivery.connections.per_destination = 1;
    let host = scene.host(MX1, Script::smtp().at(Stage::End, Do::Close).first(1));
    let agents = scene.agents();
    let content = scene.keep(CONTENT).await;
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (agents, message) = (agents.clone(), attempt("example.net", &["bob@example.net"], content));
            let work = async move { shown(agents.attempt(message, Gate::open(), Cut::never()).await) };
            scene.world.workers.spawn(work)
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.extend(task.await.unwrap().outcomes);
    }
    assert_eq!(
        outcomes,
        ["deferred 4.4.2", "relayed 2.0.0", "relayed 2.0.0", "relayed 2.0.0", "relayed 2.0.0"]
    );
    assert_eq!(host.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_can_be_cut_wherever_it_is() {
    let stalls = |stage| Script::smtp().at(stage, Do::Stall);
    for (script, mood, expected) in [
        (stalls(Stage::Banner), Mood::Open, "the connection was ended here"),
        (stalls(Stage::Mail), Mood::Open, "the connection was ended here"),
        (stalls(Stage::End), Mood::Open, "the message may have arrived"),
        (Script::smtp(), Mood::Silent, "4.4.2 the attempt was ended here"),
    ] {
        let scene = Scene::new();
        let _first = scene.host(MX1, script.clone());
        let second = scene.host(MX2, Script::smtp());
        scene.harbour.set_mood(MX1.parse().unwrap(), mood);
        let (agents, message) = (scene.agents(), scene.message("example.net", &["bob@example.net"]).await);
        let (tell, told) = watch::channel(Word::GoOn);
        let began = scene.world.clock.now();
        let attempt = agents.attempt(message, Gate::open(), Cut::when(told));
        let cut = async {
            scene.world.clock.sleep(Duration::from_secs(10)).await;
            tell.send(Word::End).unwrap();
        };
        let (ended, ()) = tokio::join!(attempt, cut);
        assert_eq!((scene.world.clock.now() - began).as_secs(), 10);
        let shown = shown(ended);
        let Outcome::Deferred(said) = &shown.attempted.outcomes[0] else { panic!("{shown:?}") };
        assert!(said.to_string().contains(expected), "{script:?} {mood:?}: {said}");
        assert_eq!(second.taken().len(), 0);
    }
}

/// Told to stop, it steps back at once, or ends the transaction under way.
#[tokio::test(start_paused = true)]
async fn told_to_stop_an_attempt_waits_for_nothing_but_its_transaction() {
    let at = |stage, does| Script::smtp().at(stage, does);
    let late = Do::Delay(Duration::from_secs(15));
    for (script, mood, expected, seconds) in [
        (at(Stage::Banner, Do::Stall), Mood::Open, None, 10),
        (at(Stage::Ehlo, Do::Stall), Mood::Open, None, 10),
        (Script::smtp(), Mood::Silent, None, 10),
        (at(Stage::Mail, late), Mood::Open, Some("relayed 2.0.0"), 15),
        (at(Stage::End, late), Mood::Open, Some("relayed 2.0.0"), 15),
        (at(Stage::Mail, Do::Stall), Mood::Open, Some("deferred 4.4.2"), 20),
    ] {
        let scene = Scene::new();
        let _first = scene.host(MX1, script.clone());
        let second = scene.host(MX2, Script::smtp());
        scene.harbour.set_mood(MX1.parse().unwrap(), mood);
        let (agents, message) = (scene.agents(), scene.message("example.net", &["bob@example.net"]).await);
        let (tell, told) = watch::channel(Word::GoOn);
        let began = scene.world.clock.now();
        let attempt = async {
            let ended = agents.attempt(message, Gate::open(), Cut::when(told)).await;
            (ended, (scene.world.clock.now() - began).as_secs())
        };
        let cut = async {
            for word in [Word::Stop, Word::End] {
                scene.world.clock.sleep(Duration::from_secs(10)).await;
                // It may have ended.
                tell.send_replace(word);
            }
        };
        let ((ended, took), ()) = tokio::join!(attempt, cut);
        let outcome = (ended != Ended::SteppedBack).then(|| shown(ended).outcomes.remove(0));
        assert_eq!((outcome.as_deref(), took), (expected, seconds), "{script:?} {mood:?}");
        assert_eq!(second.taken().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn one_who_waits_for_a_connection_can_be_cut() {
    let mut scene = Scene::new();
    scene.settings.delivery.connections.per_destination = 1;
    let host = scene.host(MX1, Script::smtp().at(Stage::End, Do::Delay(Duration::from_secs(60))).first(1));
    let agents = scene.agents();
    let message = scene.message("example.net", &["bob@example.net"]).await;
    let (tell, told) = watch::channel(Word::GoOn);
    let first = agents.attempt(message.clone(), Gate::open(), Cut::never());
    let second = agents.attempt(message, Gate::open(), Cut::when(told));
    let cut = async {
        scene.world.clock.sleep(Duration::from_secs(10)).await;
        tell.send(Word::End).unwrap();
    };
    let (first, second, ()) = tokio::join!(first, second, cut);
    assert_eq!(shown(first).outcomes, ["relayed 2.0.0"]);
    assert_eq!(shown(second).outcomes, ["deferred 4.4.2"]);
    scene.world.clock.sleep(Duration::from_secs(120)).await;
    assert_eq!(host.taken().len(), 1, "what was taken back is not sent");
}

#[tokio::test(start_paused = true)]
async fn tls_is_used_where_it_is_offered_and_done_without_where_it_fails() {
    let identity = || Identity::self_signed(&["mx1.example.net"]);
    let broken_off = |does| Script::smtp().starttls(identity()).at(Stage::StartTls, does);
    for (script, tls, expected, taken_with, tale) in [
        (Script::smtp().starttls(identity()), OutboundTls::Offered, "relayed", Some("TLS1.3"), "relayed\n"),
        (Script::smtp().starttls(identity()), OutboundTls::Off, "relayed", None, "relayed\n"),
        (Script::smtp(), OutboundTls::Required, "deferred 4.7.10", None, "TLS is required"),
        (
            Script::smtp().starttls(identity()),
            OutboundTls::Verified,
            "deferred 4.7.5",
            None,
            "handshake failed",
        ),
        (
            Script::smtp().starttls(identity()).at(Stage::Handshake, Do::Close),
            OutboundTls::Offered,
            "relayed",
            None,
            "tried again without TLS",
        ),
        (
            Script::smtp().starttls(identity()).at(Stage::Handshake, Do::Close),
            OutboundTls::Required,
            "deferred 4.7.5",
            None,
            "handshake failed",
        ),
        (broken_off(Do::Close), OutboundTls::Offered, "relayed", None, "tried again without TLS"),
        (broken_off(Do::Reset), OutboundTls::Offered, "relayed", None, "tried again without TLS"),
        (broken_off(Do::Garbage), OutboundTls::Offered, "relayed", None, "tried again without TLS"),
        (broken_off(Do::Close), OutboundTls::Required, "deferred 4.4.2", None, "(at STARTTLS)"),
        (broken_off(Do::Garbage), OutboundTls::Required, "deferred 4.5.0", None, "(at STARTTLS)"),
    ] {
        let mut scene = Scene::new();
        scene.settings.delivery.tls = tls;
        let host = scene.host(MX1, script);
        let shown = scene.deliver().await;
        assert!(shown.outcomes[0].starts_with(expected), "{tls:?}: {shown:?}");
        assert!(hosts(&shown).contains(tale), "{tls:?}: {shown:?}");
        let with = host.taken().first().and_then(|taken| taken.tls.clone());
        assert_eq!(with.as_deref(), taken_with, "{tls:?}: {shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_verified_host_shows_a_certificate_for_its_name() {
    let authority = Authority::new();
    for (name, expected) in [("mx1.example.net", "relayed"), ("example.net", "deferred 4.7.5")] {
        let mut scene = Scene::new();
        scene.settings.delivery.tls = OutboundTls::Verified;
        scene.trust = Trust::only(&[authority.pem().into()]).unwrap();
        let _host = scene.host(MX1, Script::smtp().starttls(authority.certify(&[name])));
        let shown = scene.deliver().await;
        assert!(shown.outcomes[0].starts_with(expected), "{name}: {shown:?}");
    }
}

fn settings_of(scene: &mut Scene, text: &str) {
    let more = settings::resolve(&format!("host-name = \"out.example.org\"\n{text}")).unwrap();
    scene.settings = more;
}

#[tokio::test(start_paused = true)]
async fn smart_hosts_are_tried_in_order_and_signed_in_to() {
    let mut scene = Scene::new();
    settings_of(
        &mut scene,
        "[delivery]\nsmart-host = [\"relay.example:587\", \"192.0.2.4:2525\"]\n\
         authentication = { user = \"me\", password-file = \"/pw\" }\ntls = \"required\"",
    );
    let account =
        || Script::smtp().starttls(Identity::self_signed(&["relay.example"])).account("me", "secret");
    let first = scene.host("192.0.2.3:587", account());
    let second = scene.host("192.0.2.4:2525", account());
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 2], "{shown:?}");
    assert_eq!(first.taken()[0].signed_in.as_deref(), Some("me"));
    let story = serde_json::to_string(&shown.attempted.hops).unwrap();
    assert!(!story.contains("c2VjcmV0") && !story.contains("AG1lAHNlY3JldA"), "{story}");

    scene.harbour.set_mood("192.0.2.3:587".parse().unwrap(), Mood::Refused);
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 2], "{shown:?}");
    assert_eq!(second.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_password_is_shown_under_tls_or_on_this_machine_alone() {
    for (host, expected) in [("192.0.2.3:587", "deferred 4.7.11"), ("127.0.0.1:2587", "relayed 2.0.0")] {
        let mut scene = Scene::new();
        let text = format!(
            "[delivery]\nsmart-host = \"{host}\"\nauthentication = {{ user = \"me\", password-file = \"/pw\" }}"
        );
        settings_of(&mut scene, &text);
        // Stricter settings never get here.
        scene.settings.delivery.tls = OutboundTls::Offered;
        let peer = scene.host(host, Script::smtp().account("me", "secret"));
        let shown = scene.deliver().await;
        assert_eq!(shown.outcomes, [expected; 2], "{shown:?}");
        let heard = peer.heard().concat();
        assert_eq!(heard.iter().any(|line| line.starts_with("AUTH")), expected.starts_with("relayed"));
    }
}

#[tokio::test(start_paused = true)]
async fn implicit_tls_comes_first() {
    let authority = Authority::new();
    let mut scene = Scene::new();
    settings_of(&mut scene, "[delivery]\nsmart-host = \"relay.example:465\"\ntls = \"implicit\"");
    scene.trust = Trust::only(&[authority.pem().into()]).unwrap();
    let host = scene.host("192.0.2.3:465", Script::smtp().tls_first(authority.certify(&["relay.example"])));
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0"; 2], "{shown:?}");
    assert_eq!(host.taken()[0].tls.as_deref(), Some("TLS1.3"));
}

#[tokio::test(start_paused = true)]
async fn lmtp_gives_each_recipient_its_own_end() {
    let mut scene = Scene::new();
    settings_of(&mut scene, "[[local-domain]]\ndomain = \"example.net\"\nlmtp = \"192.0.2.5:24\"");
    let script = Script::lmtp().content_for("carol@example.net", Do::Reply("552 5.2.2 mailbox full"));
    let host = scene.host("192.0.2.5:24", script);
    let shown = scene.deliver().await;
    assert_eq!(shown.outcomes, ["relayed 2.0.0", "failed 5.2.2"], "{shown:?}");
    assert!(host.heard()[0][0].starts_with("LHLO"), "{:?}", host.heard());
    assert_eq!(scene.registry.list(None)[0].protocol, "lmtp");
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_way_the_reasons_are_told() {
    let scene = Scene::new();
    for (destination, expected) in
        [("null.example", "failed 5.1.10"), ("nowhere.example", "failed 5.1.2"), ("a b", "failed 5.1.2")]
    {
        let message = scene.message(destination, &["bob@example.net"]).await;
        let shown = shown(scene.agents().attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, [expected]);
        let What::Route { reasons, .. } = &shown.attempted.hops[0].what else { panic!("{shown:?}") };
        assert!(!reasons.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_fails_and_what_cannot_be_read_waits() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp().without("8BITMIME").offering("SIZE 1000"));
    let missing = ContentRef::Known(store::ContentId { segment: 1, offset: 1 << 20 });
    for (content, expected) in [
        (scene.keep("Subject: x\r\n\r\na\nb\r\n").await, "failed 5.6.0"),
        (scene.keep("Subject: x\r\n\r\n\u{e4}\r\n").await, "failed 5.6.3"),
        (scene.keep(format!("Subject: x\r\n\r\n{}\r\n", "a".repeat(1000))).await, "failed 5.3.4"),
        (missing, "deferred 4.3.0"),
    ] {
        let message = attempt("example.net", &["bob@example.net"], content);
        let shown = shown(scene.agents().attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, [expected], "{shown:?}");
    }
    assert_eq!(host.taken().len(), 0);
}

/// Adds example.org with its two keys; what the DNS says of them.
async fn add_keys(scene: &Scene) -> Vec<(String, Vec<u8>)> {
    let mut changes = vec![Change::AddDomain { name: "example.org".into(), at: AT }];
    let mut records = Vec::new();
    for (algorithm, selector) in [(Algorithm::Ed25519, "ed"), (Algorithm::Rsa, "rsa")] {
        let key = SigningKey::generate(algorithm);
        changes.push(Change::AddDkimKey {
            domain: "example.org".into(),
            selector: selector.into(),
            algorithm: algorithm.as_str().into(),
            key: key.to_pkcs8().into(),
            at: AT,
        });
        records.push((selector.to_owned(), key.record().text().into_bytes()));
    }
    scene.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
    records
}

#[tokio::test(start_paused = true)]
async fn what_our_domain_sends_is_signed_by_each_key_whatever_its_size() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp());
    let agents = scene.agents();
    let records = add_keys(&scene).await;
    let large = format!("{CONTENT}{}", "a line of a large message\r\n".repeat(6_000));
    for (place, content) in [CONTENT, &large].into_iter().enumerate() {
        let message = attempt("example.net", &["bob@example.net"], scene.keep(content.to_owned()).await);
        let Ended::Attempted(attempted) = agents.attempt(message, Gate::open(), Cut::never()).await else {
            panic!("there is room")
        };
        let told = |hop: &policy::Hop| match &hop.what {
            policy::What::Sign { domain, selectors, failure: None } => {
                Some((domain.clone(), selectors.len()))
            }
            _ => None,
        };
        assert_eq!(attempted.hops.iter().find_map(told), Some(("example.org".into(), 2)));
        let taken = &host.taken()[place].content;
        let findings = verify(taken, AT, |name| {
            let record = records.iter().find(|(selector, _)| name.selector.to_string() == *selector);
            KeyAnswer::Records(vec![record.unwrap().1.clone()])
        });
        let passed = |finding: &message_auth::dkim::Finding| {
            finding.outcome == message_auth::dkim::Outcome::Pass { unsigned_octets: 0 }
        };
        assert!(findings.len() == 2 && findings.iter().all(passed), "{findings:?}");
        assert_eq!(findings[0].algorithm, Some(Algorithm::Rsa));
        assert!(taken.ends_with(content.as_bytes()));
    }
    let announced = host.heard()[0].iter().filter(|line| line.contains("SIZE=")).count();
    assert_eq!((announced, host.complaints()), (2, Vec::new()));

    // Nobody answers for others.
    let foreign = scene.keep(CONTENT.replace("ann@example.org", "ann@example.com")).await;
    let message = attempt("example.net", &["bob@example.net"], foreign);
    agents.attempt(message, Gate::open(), Cut::never()).await;
    let unsigned = &host.taken()[2].content;
    assert!(unsigned.starts_with(b"Received:"), "{}", String::from_utf8_lossy(unsigned));
}

#[tokio::test(start_paused = true)]
async fn keys_count_from_when_they_are_made_and_not_where_they_must_not() {
    for (text, signed) in [
        ("", true),
        ("[delivery]\ndkim = \"off\"", false),
        // What is handed on to another server of ours may have been sent by anyone.
        ("[[local-domain]]\ndomain = \"example.net\"\nlmtp = \"192.0.2.1:24\"", false),
    ] {
        let mut scene = Scene::new();
        settings_of(&mut scene, text);
        let (host, lmtp) = (scene.host(MX1, Script::smtp()), scene.host("192.0.2.1:24", Script::lmtp()));
        let agents = scene.agents();
        let message = scene.message("example.net", &["bob@example.net"]).await;
        agents.attempt(message.clone(), Gate::open(), Cut::never()).await;
        add_keys(&scene).await;
        agents.attempt(message, Gate::open(), Cut::never()).await;
        let taken = [host.taken(), lmtp.taken()].concat();
        let is_signed: Vec<bool> =
            taken.iter().map(|taken| taken.content.starts_with(b"DKIM-Signature:")).collect();
        assert_eq!(is_signed, [false, signed], "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn large_content_is_sent_as_it_is_stored() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp());
    let agents = scene.agents();
    for octets in [65_000, 65_536, 65_537, 131_072, 200_000] {
        let mut content = String::from("Subject: x\r\n\r\n");
        while content.len() < octets {
            content.push_str(&format!(".{}\r\n", content.len()));
        }
        content.truncate(octets);
        if content.ends_with('\r') {
            content.pop();
        }
        let message = attempt("example.net", &["bob@example.net"], scene.keep(content.clone()).await);
        let shown = shown(agents.attempt(message, Gate::open(), Cut::never()).await);
        assert_eq!(shown.outcomes, ["relayed 2.0.0"], "{octets}: {shown:?}");
        let taken = host.taken().pop().unwrap().content;
        let sent = format!("Received: by out.example.org\r\n{content}");
        assert_eq!(
            taken.strip_suffix(b"\r\n").unwrap(),
            sent.strip_suffix("\r\n").unwrap_or(&sent).as_bytes()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_gate_is_asked_before_a_connection_is_made_or_used() {
    let scene = Scene::new();
    let host = scene.host(MX1, Script::smtp());
    let agents = scene.agents();
    let message = scene.message("example.net", &["bob@example.net"]).await;
    agents.attempt(message.clone(), Gate::open(), Cut::never()).await;
    let (asked, mut asking) = tokio::sync::mpsc::unbounded_channel();
    let key = crate::schedule::Key { destination: "example.net".into(), queue_id: QueueId(7) };
    let attempt = agents.attempt(message, Gate::kept(asked, key, 1), Cut::never());
    let keeper = async {
        let passage: crate::runner::gate::Passage = asking.recv().await.unwrap();
        let site = crate::schedule::Site::of(["mx1.example.net", "mx2.example.net"]);
        assert_eq!(passage.site, site);
        passage.answer.send(Routed::StepBack).unwrap();
    };
    let (ended, ()) = tokio::join!(attempt, keeper);
    assert_eq!(ended, Ended::SteppedBack);
    assert_eq!(host.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn connections_leave_from_the_address_that_the_settings_name() {
    let mut scene = Scene::new();
    scene.settings.delivery.source_addresses = vec!["192.0.2.99".parse().unwrap()];
    let host = scene.host(MX1, Script::smtp());
    scene.deliver().await;
    let source: SocketAddr = host.taken()[0].source;
    assert_eq!(source.ip().to_string(), "192.0.2.99");
}

async fn job(scene: &Scene) -> (Job, Ticket) {
    let attempt = scene.message("example.net", &["bob@example.net"]).await;
    let letter = Letter::read(&scene.store, &attempt.entry, None, None).await.unwrap();
    Job::new(Errand::new(attempt, letter, 100), vec![0])
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_taken_back_is_not_begun() {
    let (job, ticket) = job(&Scene::new()).await;
    assert_eq!(ticket.revoke(), Revoked::InTime);
    assert!(!job.claim(7));
    drop(ticket);
    assert!(job.is_abandoned());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_job_is_heard_by_who_takes_it_back_too_late() {
    let (job, mut ticket) = job(&Scene::new()).await;
    assert!(job.claim(7) && !job.claim(8));
    assert_eq!(ticket.revoke(), Revoked::Held(7));
    let peer = Arc::new(Peer { address: MX1.parse().unwrap(), name: None, preference: 0 });
    let (outcomes, rest, spoken) = (Vec::new(), vec![0], Vec::new());
    job.tell(Told::Done(Box::new(Done {
        peer,
        reused: false,
        outcomes,
        dsn: false,
        rest,
        spoken,
        failure: None,
    })));
    assert_eq!(ticket.revoke(), Revoked::Over);
    assert!(matches!(ticket.told.try_recv(), Ok(Told::Done(_))));
}

/// Threads, sockets and cuts at any moment: whatever happens, a message is with the peer once if it was relayed, and not at
/// all if it was deferred without doubt.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_sent_twice_and_nobody_waits_for_ever() {
    let mut scene = Scene::new();
    scene.world.clock = world::Clock::Real;
    scene.world.dialer = Dialer::Real;
    let host = Host::new(Script::smtp().at(Stage::Mail, Do::Close).nth(40).at(Stage::End, Do::Close).nth(90));
    let address = host.listen().await;
    settings_of(&mut scene, &format!("[delivery]\nsmart-host = \"{address}\""));
    scene.settings.delivery.connections.per_destination = 5;
    scene.settings.delivery.connections.messages = 7;
    let agents = scene.agents();
    let content = scene.keep(CONTENT).await;
    let tasks: Vec<_> = (0..300_u64)
        .map(|number| {
            let (agents, clock) = (agents.clone(), scene.world.clock.clone());
            let recipient = format!("{number}@example.net");
            let message = attempt("example.net", &[&recipient], content);
            scene.world.workers.spawn(async move {
                let (tell, told) = watch::channel(Word::GoOn);
                let cut = async {
                    clock.sleep(Duration::from_millis(number % 50)).await;
                    // Every third is cut, some in good order; the others hold their breath.
                    let word = match number % 6 {
                        0 => Word::End,
                        3 => Word::Stop,
                        _ => Word::GoOn,
                    };
                    let _ = tell.send(word);
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    ended = agents.attempt(message, Gate::open(), Cut::when(told)) => (recipient, ended),
                    () = cut => unreachable!("it is pending"),
                }
            })
        })
        .collect();
    let mut relayed = 0;
    for task in tasks {
        let (recipient, ended) = task.await.unwrap();
        let times = host.taken().iter().filter(|taken| taken.to.contains(&recipient)).count();
        if ended == Ended::SteppedBack {
            assert_eq!(times, 0, "{recipient}");
            continue;
        }
        let shown = shown(ended);
        match &shown.attempted.outcomes[0] {
            Outcome::Relayed { .. } => assert_eq!(times, 1, "{shown:?}"),
            Outcome::Deferred(said) if said.because.contains("may have arrived") => assert!(times <= 1),
            Outcome::Deferred(_) => assert_eq!(times, 0, "{shown:?}"),
            other => panic!("{other:?}"),
        }
        relayed += usize::from(shown.outcomes[0].starts_with("relayed"));
    }
    assert!(relayed >= 190, "{relayed}");
    assert_eq!(host.complaints(), [""; 0]);
}
