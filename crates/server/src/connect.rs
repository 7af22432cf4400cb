//! From an admitted connection to the session and the handler that serve it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use policy::Service;
use protocol::sasl::{Offer, Seed};
use protocol::{imap, lmtp, pop3, smtp};
use settings::{Protocol, Settings, Tls as TlsPolicy, VirtualServer as VirtualServerSettings};
use wire::registry::{Limits, Refused};
use wire::tls::Certificates;
use wire::{Context, Entry, Stream, Tls, drive};

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
    pub(crate) fn new(
        shared: Arc<Shared>,
        settings: Arc<Settings>,
        properties: Arc<VirtualServerSettings>,
        tls: TlsPolicy,
        certificates: &Arc<Certificates>,
    ) -> Self {
        let all = std::iter::once(&*properties).chain(properties.when.iter().map(|when| &*when.properties));
        let variants = all.map(|server| Variant::new(&settings, server, tls, certificates)).collect();
        Self { shared, settings, properties, tls, variants, log: None }
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
    pub(crate) fn welcome(&self, peer: SocketAddr) -> Result<Limits, Bytes> {
        if self.shared.checks.are_made_from(peer) {
            return Ok(Limits::NONE);
        }
        let settings::ConnectionLimits { limit, per_source, .. } = self.properties.connections;
        let is_trusted = self.settings.trusted_networks.contain(peer.ip());
        let per_source_max = (!is_trusted).then_some(per_source as usize);
        Ok(Limits { total_max: limit as usize, per_source_max, ..Limits::NONE })
    }

    /// What a connection that meets a limit is told.
    pub(crate) fn refusal(&self, _limit: Refused) -> Bytes {
        words(self.properties.protocol, self.tls, "4.3.2 too many connections, try again later")
    }

    /// What a connection is told while the virtual server is paused.
    pub(crate) fn paused(&self) -> Bytes {
        words(self.properties.protocol, self.tls, "4.3.2 no new connections are taken now, try again later")
    }

    /// What is served here.
    pub(crate) fn properties(&self) -> &Arc<VirtualServerSettings> {
        &self.properties
    }

    /// Serves one connection to its end.
    pub(crate) async fn serve(self: Arc<Self>, stream: Stream, entry: Entry) {
        let live = entry.live().clone();
        let ip = live.peer().ip();
        let may = Liberties {
            auth_without_tls: self.settings.authentication_without_tls.contain(ip),
            verb: self.settings.trusted_networks.contain(ip),
        };
        let variant = self.variant(ip);
        let config = &variant.sessions[may.place()];
        let connection = Arc::new(Connection {
            peer: live.peer(),
            trusted: may.verb,
            relay: variant.server.relay_facts(ip),
            server: variant.server.clone(),
            live,
        });
        let mut context = Context::new(self.shared.world.clock.clone(), variant.tls.clone(), entry);
        context.tap = self.log.as_ref().map(|log| log.tap(&connection.live));
        let (now, shared, mailboxes) =
            (context.clock.now(), self.shared.clone(), self.shared.mailboxes.clone());
        let seed = seed(&shared);
        // Boxed, so that the task of an idle connection is as large as its own protocol needs.
        match config {
            SessionConfig::Smtp(config) => {
                let session = smtp::ServerSession::new(config.clone(), now, seed);
                Box::pin(drive(session, SmtpHandler::new(shared, connection), stream, &context)).await;
            }
            SessionConfig::Lmtp(config) => {
                let session = lmtp::server_session(config.clone(), now, seed);
                Box::pin(drive(session, SmtpHandler::new(shared, connection), stream, &context)).await;
            }
            SessionConfig::Pop3(config) => {
                let session = pop3::ServerSession::new(config.clone(), now, seed);
                Box::pin(drive(session, Pop3Handler::new(shared, connection, mailboxes), stream, &context))
                    .await;
            }
            SessionConfig::Imap(config) => {
                let session = imap::ServerSession::new(config.clone(), now, seed);
                Box::pin(drive(session, ImapHandler::new(shared, connection, mailboxes), stream, &context))
                    .await;
            }
        }
    }
    /// The virtual server as it is for this peer.
    fn variant(&self, peer: IpAddr) -> &Variant {
        let chosen = self.properties.for_peer(peer, None);
        let place = self.properties.when.iter().position(|when| std::ptr::eq(&*when.properties, chosen));
        &self.variants[place.map_or(0, |place| place + 1)]
    }
}

impl Variant {
    fn new(
        settings: &Settings,
        server: &VirtualServerSettings,
        tls: TlsPolicy,
        certificates: &Arc<Certificates>,
    ) -> Self {
        let sessions = Liberties::ALL.map(|may| session_config(settings, server, tls, may));
        let tls = match tls {
            TlsPolicy::Off => Tls::Off,
            TlsPolicy::Offered | TlsPolicy::Required => Tls::Offered(certificates.clone()),
            TlsPolicy::Implicit => Tls::Implicit(certificates.clone()),
        };
        let server = Arc::new(VirtualServer {
            name: server.name.as_str().into(),
            service: service(server.protocol),
            relay: server.relay.clone(),
            message_size_max: server.message_size_limit.0,
            magic: server.magic_recipients,
            commands: server.commands,
            sign_in_interval: server.sign_in_interval.duration(),
        });
        Self { server, tls, sessions }
    }
}

/// A line for a connection that is not served, where a line in clear text can be understood.
fn words(protocol: Protocol, tls: TlsPolicy, why: &str) -> Bytes {
    let text = why.split_once(' ').map_or(why, |(_, text)| text);
    match (tls, protocol) {
        (TlsPolicy::Implicit, _) => Bytes::new(),
        // RFC 5321 §3.8: 421 wherever the service is not available.
        (_, Protocol::Smtp | Protocol::Submission | Protocol::Lmtp) => format!("421 {why}\r\n").into(),
        (_, Protocol::Pop3) => format!("-ERR [SYS/TEMP] {text}\r\n").into(),
        (_, Protocol::Imap) => format!("* BYE [UNAVAILABLE] {text}\r\n").into(),
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
    settings: &Settings,
    server: &VirtualServerSettings,
    tls: TlsPolicy,
    Liberties { auth_without_tls, verb }: Liberties,
) -> SessionConfig {
    let host_name = settings.host_name.as_str().to_owned();
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
