//! An authoritative name server in the test's own process, on a loopback port of its own, by UDP and TCP.
//!
//! ```no_run
//! # async fn example() {
//! let dns = testkit::dns::Zones::new()
//!     .zone("example.org", "@ MX 10 mx\nmx A 192.0.2.1")
//!     .serve()
//!     .await;
//! println!("ask {}", dns.address());
//! # }
//! ```
//!
//! A zone may be signed with a key of its own ([`Zones::signed`]), for which [`Dns::anchors`] vouches.
//!
//! What a zone writes is what is answered: a name below no zone is refused, an answer that does not fit a datagram is
//! truncated. [`Mood`]s make it worse.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::dnssec::crypto::Ed25519SigningKey;
use hickory_server::proto::dnssec::rdata::DNSKEY;
use hickory_server::proto::dnssec::{DnssecSigner, SigningKey as _};
use hickory_server::proto::op::{Metadata, ResponseCode};
use hickory_server::proto::rr::{LowerName, Name, RecordType};
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneHandler, ZoneType};
use tokio::net::{TcpListener, UdpSocket};

/// Zones to be served.
#[derive(Debug, Clone, Default)]
pub struct Zones(BTreeMap<String, Zone>);

#[derive(Debug, Clone)]
struct Zone {
    records: String,
    signed: Signed,
}

/// Whether a zone is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Without DNSSEC.
    No,
    /// With a key of its own, and NSEC records.
    Yes,
    /// With another key than the anchors name.
    WithForeignKey,
}

/// The server. It ends when this is dropped.
pub struct Dns {
    address: SocketAddr,
    anchors: String,
    desk: Desk,
    _server: Server<Desk>,
}

/// How questions for a name, and all below it, are treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Answered.
    Well,
    /// Not answered at all.
    Silent,
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// A question that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name, lower case, without a final dot.
    pub name: String,
    /// `MX`, `A`, as zone files write it.
    pub kind: String,
    /// How it came.
    pub by: Transport,
}

/// UDP or TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// In a datagram.
    Udp,
    /// On a connection.
    Tcp,
}

impl Zones {
    /// None yet: everything is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a zone: its name, and its records as a zone file writes them. SOA, NS and a TTL of 300 seconds are added.
    pub fn zone(self, origin: &str, records: &str) -> Self {
        self.signed(origin, records, Signed::No)
    }

    /// Adds a zone as [`zone`](Self::zone) does, signed as told, with an Ed25519 key that is made on the spot.
    pub fn signed(mut self, origin: &str, records: &str, signed: Signed) -> Self {
        self.0.insert(origin.into(), Zone { records: records.into(), signed });
        self
    }

    /// Serves them until the server is dropped. Call it inside a runtime.
    ///
    /// # Panics
    /// When a zone is not well formed, or loopback has no port to give.
    pub async fn serve(self) -> Dns {
        let mut handlers: Vec<Arc<dyn ZoneHandler>> = Vec::new();
        let mut anchors = String::new();
        for (origin, zone) in &self.0 {
            let mut handler = load(origin, &zone.records);
            if zone.signed != Signed::No {
                anchors.push_str(&sign(origin, &mut handler, zone.signed));
            }
            handlers.push(Arc::new(handler));
        }
        let desk = Desk::new(&handlers);
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().expect("a bound socket has an address");
        let mut server = Server::new(desk.clone());
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 64 * 1024);
        Dns { address, anchors, desk, _server: server }
    }
}

impl Dns {
    /// Where it is asked, by UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The keys of the signed zones, as the lines of a file of DNSKEY records.
    pub fn anchors(&self) -> &str {
        &self.anchors
    }

    /// Treats questions for a name and all below it in this way, where nothing closer says otherwise.
    pub fn set_mood(&self, domain: &str, mood: Mood) {
        self.desk.book.lock().expect("no holder panics").moods.insert(domain.into(), mood);
    }

    /// The questions so far, in order of arrival.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk.book.lock().expect("no holder panics").asked.clone()
    }
}

fn load(origin: &str, records: &str) -> InMemoryZoneHandler {
    let name = Name::from_ascii(format!("{origin}.")).expect("a zone has a name");
    let head = "$TTL 300\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n";
    let parsed = Parser::new(format!("{head}{records}\n"), None, Some(name)).parse();
    let (name, records) = parsed.unwrap_or_else(|error| panic!("zone {origin}: {error}"));
    let proof = Some(NxProofKind::Nsec);
    InMemoryZoneHandler::new(name, records, ZoneType::Primary, AxfrPolicy::Deny, proof)
        .unwrap_or_else(|error| panic!("zone {origin}: {error}"))
}

/// Signs a zone and returns its trust anchor.
fn sign(origin: &str, zone: &mut InMemoryZoneHandler, signed: Signed) -> String {
    let new_key = || {
        let key = Ed25519SigningKey::generate_pkcs8().expect("keys can be made");
        let key = Ed25519SigningKey::from_pkcs8(&key).expect("this is a key");
        let public = DNSKEY::from_key(&key.to_public_key().expect("a key has a public part"));
        (key, public)
    };
    let (key, mut public) = new_key();
    let lifetime = Duration::from_secs(24 * 3600);
    let name = Name::from(zone.origin().clone());
    let signer = DnssecSigner::new(public.clone(), Box::new(key), name, lifetime);
    zone.add_zone_signing_key_mut(signer).expect("a zone takes a key");
    zone.secure_zone_mut().expect("a zone can be signed");
    if signed == Signed::WithForeignKey {
        (_, public) = new_key();
    }
    format!("{origin}. IN DNSKEY {public}\n")
}

/// A UDP and a TCP port of the same number. Whoever takes the TCP port between the two makes us try another.
#[expect(clippy::disallowed_methods, reason = "a peer of the program is no part of its world")]
async fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..64 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback has a port");
        let address = udp.local_addr().expect("a bound socket has an address");
        if let Ok(tcp) = TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// Notes each question, then answers it in the mood of its name.
#[derive(Clone)]
struct Desk {
    catalog: Arc<Catalog>,
    /// By zone, all others: its DS records are its parent's (RFC 4035 §3.1.4.1).
    parents: Arc<BTreeMap<LowerName, Catalog>>,
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    moods: BTreeMap<String, Mood>,
    asked: Vec<Asked>,
}

impl Book {
    fn mood(&self, asked: &Asked) -> Mood {
        let within = |domain: &str| {
            let rest = asked.name.strip_suffix(domain);
            rest.is_some_and(|rest| domain.is_empty() || rest.is_empty() || rest.ends_with('.'))
        };
        let over = self.moods.iter().filter(|(domain, _)| within(domain));
        over.max_by_key(|(domain, _)| domain.len()).map_or(Mood::Well, |(_, mood)| *mood)
    }
}

impl Desk {
    fn new(handlers: &[Arc<dyn ZoneHandler>]) -> Self {
        let all_but = |left_out: Option<&LowerName>| {
            let mut catalog = Catalog::new();
            for handler in handlers.iter().filter(|handler| Some(handler.origin()) != left_out) {
                catalog.upsert(handler.origin().clone(), vec![handler.clone()]);
            }
            catalog
        };
        let parents =
            handlers.iter().map(|handler| (handler.origin().clone(), all_but(Some(handler.origin()))));
        let parents = Arc::new(parents.collect());
        Self { catalog: Arc::new(all_but(None)), parents, book: Arc::default() }
    }

    fn catalog(&self, request: &Request) -> &Catalog {
        let parent = request.request_info().ok().and_then(|question| {
            let of_parent = question.query.query_type() == RecordType::DS;
            of_parent.then(|| self.parents.get(question.query.name())).flatten()
        });
        parent.unwrap_or(&self.catalog)
    }

    fn note(&self, request: &Request) -> Mood {
        let by = if request.protocol() == Protocol::Tcp { Transport::Tcp } else { Transport::Udp };
        let Ok(question) = request.request_info() else { return Mood::Well };
        let name = question.query.name().to_string().trim_end_matches('.').to_ascii_lowercase();
        let asked = Asked { name, kind: question.query.query_type().to_string(), by };
        let mut book = self.book.lock().expect("no holder panics");
        let mood = book.mood(&asked);
        book.asked.push(asked);
        mood
    }
}

#[async_trait::async_trait]
impl RequestHandler for Desk {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response: R,
    ) -> ResponseInfo {
        match self.note(request) {
            Mood::Silent => unanswered(request),
            Mood::ServFail => fail(request, response, ResponseCode::ServFail).await,
            Mood::Refused => fail(request, response, ResponseCode::Refused).await,
            Mood::Well => self.catalog(request).handle_request::<R, T>(request, response).await,
        }
    }
}

async fn fail(request: &Request, mut response: impl ResponseHandler, code: ResponseCode) -> ResponseInfo {
    let message = MessageResponseBuilder::from_message_request(request).error_msg(&request.metadata, code);
    // Whoever asked may be gone.
    response.send_response(message).await.unwrap_or_else(|_| unanswered(request))
}

/// What the server's own log is told of a question without an answer.
fn unanswered(request: &Request) -> ResponseInfo {
    let metadata = Metadata::response_from_request(&request.metadata);
    hickory_server::proto::op::Header { metadata, counts: Default::default() }.into()
}
