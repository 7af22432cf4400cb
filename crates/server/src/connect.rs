//! From an admitted connection to the session and the handler that serve it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;

use anyhow::Result;
use bytes::Bytes;
use mail::Reply;
use policy::Service;
use protocol::sasl::{Offer, Seed};
use protocol::{End, Session, TlsFacts, imap, lmtp, pop3, smtp};
use settings::{Protocol, Settings, Tls as TlsPolicy, VirtualServer as VirtualServerSettings};
use wire::registry::{Limits, Live, Refused};
use wire::tls::Certificates;
use wire::{Context, Decision, Entry, Handler, HoldBack, Stream, Tls, drive};

use crate::arrive::name::ClientName;
use crate::arrive::{self, Why};
use crate::imap::ImapHandler;
use crate::pop3::Pop3Handler;
use crate::protocol_log::ProtocolLog;
use crate::shared::{Connection, Shared, VirtualServer};
use crate::smtp::{SmtpHandler, switches};

/// One binding of a virtual server under one revision of the settings, ready to serve connections. Other settings make
/// another one; connections that this one serves go on with it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    settings: Arc<Settings>,
    properties: Arc<VirtualServerSettings>,
    tls: TlsPolicy,
    /// The virtual server as it is for most, then as it is for each of its `when`, in their order.
    variants: Vec<Variant>,
    log: Option<ProtocolLog>,
}

/// A virtual server as it is for some peers.
#[derive(Debug)]
struct Variant {
    server: Arc<VirtualServer>,
    tls: Tls,
    /// By [`Liberties::place`].
    sessions: [SessionConfig; 4],
}

/// What a peer may because of its network.
#[derive(Debug, Clone, Copy)]
struct Liberties {
    /// Sign in over clear text: `authentication-without-tls`.
    auth_without_tls: bool,
    /// Be told of hops: `trusted-networks`.
    verb: bool,
}

impl Liberties {
    const ALL: [Self; 4] = [
        Self { auth_without_tls: false, verb: false },
        Self { auth_without_tls: true, verb: false },
        Self { auth_without_tls: false, verb: true },
        Self { auth_without_tls: true, verb: true },
    ];

    /// Where it stands in [`ALL`](Self::ALL).
    fn place(self) -> usize {
        usize::from(self.auth_without_tls) + 2 * usize::from(self.verb)
    }
}

/// What the sessions of a protocol are told.
#[derive(Debug, Clone)]
enum SessionConfig {
    Smtp(Arc<smtp::Config>),
    Lmtp(Arc<smtp::Config>),
    Pop3(Arc<pop3::Config>),
    Imap(Arc<imap::Config>),
}

impl Endpoint {
    /// A binding of a virtual server, of which `view` gives the certificates on the terms of some properties.
    ///
    /// # Errors
    /// Those of `view`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        properties: Arc<VirtualServerSettings>,
        tls: TlsPolicy,
        view: impl Fn(&VirtualServerSettings) -> Result<Arc<Certificates>>,
    ) -> Result<Self> {
        let all = std::iter::once(&*properties).chain(properties.when.iter().map(|when| &*when.properties));
        let variant = |server| Ok(Variant::new(server, tls, &view(server)?));
        let variants = all.map(variant).collect::<Result<_>>()?;
        Ok(Self { shared, settings, properties, tls, variants, log: None })
    }

    /// The same, with what is said written there.
    pub(crate) fn with_log(self, log: Option<ProtocolLog>) -> Self {
        Self { log, ..self }
    }

    /// Whether a peer must say for whom it speaks, in a PROXY header before all else.
    pub(crate) fn is_proxy(&self, peer: SocketAddr) -> bool {
        !self.shared.checks.are_made_from(peer) && self.properties.proxy_protocol.contain(peer.ip())
    }

    /// How many connections are taken from a peer; or what one that may not come in at all is told.
    pub(crate) fn welcome(&self, peer: SocketAddr, is_paused: bool) -> Result<Limits, Bytes> {
        if self.shared.checks.are_made_from(peer) {
            return Ok(Limits::NONE);
        }
        if is_paused {
            return Err(Why::Paused.words(self.properties.protocol, self.tls));
        }
        let free = self.is_free(peer.ip());
        if !free && self.shuts_out(peer.ip()) {
            return Err(Why::Banned.words(self.properties.protocol, self.tls));
        }
        Ok(arrive::limits(self.properties.for_peer(peer.ip(), None).connections, free))
    }

    /// Whether a peer is neither limited by its source nor banned: it is trusted, or a proxy that speaks for itself.
    fn is_free(&self, peer: IpAddr) -> bool {
        self.settings.trusted_networks.contain(peer) || self.properties.proxy_protocol.contain(peer)
    }

    /// Whether a ban keeps a peer out. Where nobody signs in there is nothing to guess, and the mail of a guesser's neighbours
    /// is to come in.
    fn shuts_out(&self, peer: IpAddr) -> bool {
        !self.properties.authentication.is_empty() && self.shared.directory.banned(peer).is_some()
    }

    /// What a connection that meets a limit is told.
    pub(crate) fn refusal(&self, limit: Refused) -> Bytes {
        Why::Limit(limit).words(self.properties.protocol, self.tls)
    }

    /// What is served here.
    pub(crate) fn properties(&self) -> &Arc<VirtualServerSettings> {
        &self.properties
    }

    /// Serves one connection to its end.
    pub(crate) async fn serve(self: Arc<Self>, stream: Stream, entry: Entry) {
        let live = entry.live().clone();
        let tls = self.variant(live.peer().ip(), None).tls.clone();
        let mut context = Context::new(self.shared.world.clock.clone(), tls, entry);
        context.tap = self.log.as_ref().map(|log| log.tap(&live));
        // Boxed, so that no connection carries along for its life what a look-up of names needs.
        let admitted = Box::pin(self.admitted(live.peer())).await;
        if let Err(why) = admitted {
            let session = why.session(self.properties.protocol, context.clock.now());
            return Box::pin(drive(session, arrive::Nothing, stream, &context)).await;
        }
        let connection = Arc::new(self.connection(live.peer(), None, live));
        let config = self.config(&connection, None);
        let (now, seed) = (context.clock.now(), seed(&self.shared));
        // Boxed, so that the task of an idle connection is as large as its own protocol needs.
        match config {
            SessionConfig::Smtp(config) => {
                let session = smtp::ServerSession::new(config, now, seed);
                Box::pin(drive(session, Chosen::new(self, connection, smtp_handler), stream, &context)).await;
            }
            SessionConfig::Lmtp(config) => {
                let session = lmtp::server_session(config, now, seed);
                Box::pin(drive(session, Chosen::new(self, connection, smtp_handler), stream, &context)).await;
            }
            SessionConfig::Pop3(config) => {
                let session = pop3::ServerSession::new(config, now, seed);
                Box::pin(drive(session, Chosen::new(self, connection, pop3_handler), stream, &context)).await;
            }
            SessionConfig::Imap(config) => {
                let session = imap::ServerSession::new(config, now, seed);
                Box::pin(drive(session, Chosen::new(self, connection, imap_handler), stream, &context)).await;
            }
        }
    }

    /// Whether connection control lets a peer in.
    async fn admitted(&self, peer: SocketAddr) -> Result<(), Why> {
        if self.shared.checks.are_made_from(peer) {
            return Ok(());
        }
        let control = &self.properties.for_peer(peer.ip(), None).connection_control;
        arrive::admitted(control, &self.shared.world, peer.ip()).await
    }

    /// A connection for a peer, which has asked for this name in TLS.
    fn connection(&self, peer: SocketAddr, server_name: Option<&str>, live: Arc<Live>) -> Connection {
        let ip = peer.ip();
        let server = self.variant(ip, server_name).server.clone();
        let name = match self.properties.for_peer(ip, server_name).reverse_lookup {
            true => ClientName::look_up(&self.shared.lookups, &self.shared.world, ip),
            false => ClientName::default(),
        };
        Connection {
            peer,
            name,
            trusted: self.settings.trusted_networks.contain(ip),
            free: self.is_free(ip),
            relay: server.relay_facts(ip),
            server,
            live,
        }
    }

    /// What a connection becomes when its peer has said for whom it speaks (XCLIENT).
    ///
    /// # Errors
    /// That client may not come in.
    pub(crate) fn for_client(
        &self,
        before: &Connection,
        client: SocketAddr,
    ) -> Result<(Arc<smtp::Config>, Arc<Connection>), Reply> {
        let server_name = before.live.row().tls.and_then(|tls| tls.server_name);
        let ip = client.ip();
        let free = self.is_free(ip);
        if !free && self.shuts_out(ip) {
            return Err(Why::Banned.reply());
        }
        let properties = self.properties.for_peer(ip, server_name.as_deref());
        if !properties.connection_control.admits(ip, &[]) {
            return Err(Why::NotAdmitted.reply());
        }
        let limits = arrive::limits(properties.connections, free);
        before.live.speaks_for(client, limits).map_err(|limit| Why::Limit(limit).reply())?;
        let connection = self.connection(client, server_name.as_deref(), before.live.clone());
        match self.config(&connection, server_name.as_deref()) {
            SessionConfig::Smtp(config) | SessionConfig::Lmtp(config) => Ok((config, Arc::new(connection))),
            SessionConfig::Pop3(_) | SessionConfig::Imap(_) => Err(Why::NotAdmitted.reply()),
        }
    }

    /// What the session of a connection is told, if it has asked for this name in TLS.
    fn config(&self, connection: &Connection, server_name: Option<&str>) -> SessionConfig {
        let ip = connection.peer.ip();
        let may = Liberties {
            auth_without_tls: self.settings.authentication_without_tls.contain(ip),
            verb: connection.trusted,
        };
        let listed = |config: &Arc<smtp::Config>| {
            let server = self.properties.for_peer(ip, server_name);
            switches::for_client(config, server, &self.settings, (connection.live.peer().ip(), ip))
        };
        match &self.variant(ip, server_name).sessions[may.place()] {
            SessionConfig::Smtp(config) => SessionConfig::Smtp(listed(config)),
            SessionConfig::Lmtp(config) => SessionConfig::Lmtp(listed(config)),
            other => other.clone(),
        }
    }

    /// The virtual server as it is for this peer.
    fn variant(&self, peer: IpAddr, server_name: Option<&str>) -> &Variant {
        let chosen = self.properties.for_peer(peer, server_name);
        let place = self.properties.when.iter().position(|when| std::ptr::eq(&*when.properties, chosen));
        &self.variants[place.map_or(0, |place| place + 1)]
    }
}

fn smtp_handler(endpoint: &Arc<Endpoint>, connection: Arc<Connection>) -> SmtpHandler {
    let speaks_for_others = endpoint.properties.xclient.contain(connection.live.peer().ip());
    SmtpHandler::new(endpoint.shared.clone(), connection)
        .believing(speaks_for_others.then(|| endpoint.clone()))
}

fn pop3_handler(endpoint: &Arc<Endpoint>, connection: Arc<Connection>) -> Pop3Handler {
    Pop3Handler::new(endpoint.shared.clone(), connection, endpoint.shared.mailboxes.clone())
}

fn imap_handler(endpoint: &Arc<Endpoint>, connection: Arc<Connection>) -> ImapHandler {
    ImapHandler::new(endpoint.shared.clone(), connection, endpoint.shared.mailboxes.clone())
}

/// The handler of a connection, which becomes another one when the name that is asked for in TLS selects other properties:
/// a session forgets then all that was said before, and so there is nothing that a handler would have to keep.
struct Chosen<H> {
    handler: H,
    endpoint: Arc<Endpoint>,
    make: Make<H>,
}

type Make<H> = fn(&Arc<Endpoint>, Arc<Connection>) -> H;

impl<H> Chosen<H> {
    fn new(endpoint: Arc<Endpoint>, connection: Arc<Connection>, make: Make<H>) -> Self {
        Self { handler: make(&endpoint, connection), endpoint, make }
    }
}

/// A handler that serves a connection of ours.
trait Serves {
    /// The connection; of the client for whom its peer speaks, if it does.
    fn connection(&self) -> &Arc<Connection>;
}

impl Serves for SmtpHandler {
    fn connection(&self) -> &Arc<Connection> {
        self.connection()
    }
}

impl Serves for Pop3Handler {
    fn connection(&self) -> &Arc<Connection> {
        self.connection()
    }
}

impl Serves for ImapHandler {
    fn connection(&self) -> &Arc<Connection> {
        self.connection()
    }
}

impl<S: Spoken, H: Handler<S> + Serves> Handler<S> for Chosen<H> {
    fn decide(&mut self, question: S::Question) -> Decision<S::Answer> {
        self.handler.decide(question)
    }

    fn poll_news(&mut self, cx: &mut std::task::Context<'_>) -> Poll<S::News> {
        self.handler.poll_news(cx)
    }

    fn secured(&mut self, session: &mut S, facts: &TlsFacts) {
        let before = self.handler.connection();
        let (ip, name) = (before.peer.ip(), facts.server_name.as_deref());
        let server = &self.endpoint.variant(ip, name).server;
        if Arc::ptr_eq(server, &before.server) {
            return;
        }
        let (relay, server) = (server.relay_facts(ip), server.clone());
        let connection = Arc::new(Connection { relay, server, ..Connection::clone(before) });
        session.adopt(&self.endpoint.config(&connection, name));
        self.handler = (self.make)(&self.endpoint, connection);
    }

    fn holds_back(&self) -> Option<HoldBack> {
        let peer = self.handler.connection().peer;
        if self.endpoint.shared.checks.are_made_from(peer) {
            return None;
        }
        let properties = &self.endpoint.properties;
        arrive::held_back(properties.for_peer(peer.ip(), None).greeting_delay, properties.protocol)
    }

    fn ended(&mut self, outcome: S::Outcome, end: End) {
        self.handler.ended(outcome, end);
    }
}

/// A session whose terms can be exchanged.
trait Spoken: Session {
    /// These, if they are of its protocol.
    fn adopt(&mut self, config: &SessionConfig);
}

impl Spoken for smtp::ServerSession {
    fn adopt(&mut self, config: &SessionConfig) {
        if let SessionConfig::Smtp(config) | SessionConfig::Lmtp(config) = config {
            self.adopt(config.clone());
        }
    }
}

impl Spoken for pop3::ServerSession {
    fn adopt(&mut self, config: &SessionConfig) {
        if let SessionConfig::Pop3(config) = config {
            self.adopt(config.clone());
        }
    }
}

impl Spoken for imap::ServerSession {
    fn adopt(&mut self, config: &SessionConfig) {
        if let SessionConfig::Imap(config) = config {
            self.adopt(config.clone());
        }
    }
}

impl Variant {
    fn new(server: &VirtualServerSettings, tls: TlsPolicy, certificates: &Arc<Certificates>) -> Self {
        let sessions = Liberties::ALL.map(|may| session_config(server, tls, may));
        let tls = match tls {
            TlsPolicy::Off => Tls::Off,
            TlsPolicy::Offered | TlsPolicy::Required => Tls::Offered(certificates.clone()),
            TlsPolicy::Implicit => Tls::Implicit(certificates.clone()),
        };
        let server = Arc::new(VirtualServer {
            name: server.name.as_str().into(),
            service: service(server.protocol),
            relay: server.relay.clone(),
            message_size_max: policy::rejudge::size_max(server),
            hops_max: server.maximum_hop_count as usize,
            message_rate: server.message_rate,
            magic: server.magic_recipients,
            host_name: Some(server.host_name.as_str().into()),
            commands: server.commands,
            sign_in_interval: server.sign_in_interval.duration(),
            rights: server.into(),
        });
        Self { server, tls, sessions }
    }
}

/// For the nonces of one connection.
fn seed(shared: &Shared) -> Seed {
    let mut octets = [0; 32];
    shared.world.dice.fill(&mut octets);
    Seed(octets)
}

/// What policy is told of a protocol; POP3 and IMAP ask no policy.
fn service(protocol: Protocol) -> Service {
    match protocol {
        Protocol::Submission => Service::Submission,
        Protocol::Lmtp => Service::Lmtp,
        Protocol::Smtp | Protocol::Pop3 | Protocol::Imap => Service::Smtp,
    }
}

fn session_config(
    server: &VirtualServerSettings,
    tls: TlsPolicy,
    Liberties { auth_without_tls, verb }: Liberties,
) -> SessionConfig {
    let host_name = server.host_name.as_str().to_owned();
    let starttls = matches!(tls, TlsPolicy::Offered | TlsPolicy::Required);
    let timeout = server.connection_time_out.duration();
    let auth = Offer::of(server.authentication.iter().map(|mechanism| mechanism.name()));
    let timeout_before_sign_in = server.sign_in_time_out.duration();
    match server.protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
            let config = Arc::new(smtp::Config {
                host_name,
                banner: server.banner.clone(),
                message_size_max: server.message_size_limit.0,
                recipients_max: server.recipients_per_message as usize,
                timeout,
                starttls,
                tls_required: tls == TlsPolicy::Required,
                auth,
                auth_without_tls,
                auth_required: server.protocol == Protocol::Submission,
                messages_max: server.messages_per_connection as usize,
                commands: switches::commands(server, verb),
                keywords: switches::keywords(server),
                bounds: switches::bounds(server, verb),
            });
            match server.protocol {
                Protocol::Lmtp => SessionConfig::Lmtp(config),
                _ => SessionConfig::Smtp(config),
            }
        }
        Protocol::Pop3 => SessionConfig::Pop3(Arc::new(pop3::Config {
            host_name,
            timeout,
            timeout_before_sign_in,
            starttls,
            auth_without_tls,
            auth,
            login_delay: server.sign_in_interval.duration(),
            sign_in_failures_max: server.sign_in_failures as usize,
        })),
        Protocol::Imap => SessionConfig::Imap(Arc::new(imap::Config {
            host_name,
            timeout,
            timeout_before_sign_in,
            starttls,
            auth_without_tls,
            sign_in_failures_max: server.sign_in_failures as usize,
            auth,
            append_size_max: server.message_size_limit.0,
        })),
    }
}
