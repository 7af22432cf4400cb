//! From an admitted connection to the session and the handler that serve it.

use std::sync::Arc;

use policy::Service;
use protocol::sasl::{Offer, Seed};
use protocol::{imap, lmtp, pop3, smtp};
use settings::{Protocol, Settings, Tls as TlsPolicy, VirtualServer as VirtualServerSettings};
use wire::tls::Certificates;
use wire::{Context, Entry, Stream, Tls, drive};

use crate::imap::ImapHandler;
use crate::pop3::Pop3Handler;
use crate::protocol_log::ProtocolLog;
use crate::shared::{Connection, Shared, VirtualServer};
use crate::smtp::{SmtpHandler, switches};

/// One binding of a virtual server, ready to serve connections.
#[derive(Debug)]
pub(crate) struct Endpoint {
    shared: Arc<Shared>,
    server: Arc<VirtualServer>,
    tls: Tls,
    /// By [`Liberties::place`].
    sessions: [SessionConfig; 4],
    settings: Arc<Settings>,
    log: Option<ProtocolLog>,
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
        server: &VirtualServerSettings,
        tls: TlsPolicy,
        certificates: &Arc<Certificates>,
        log: Option<ProtocolLog>,
    ) -> Self {
        let sessions = Liberties::ALL.map(|may| session_config(&settings, server, tls, may));
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
        Self { shared, server, tls, sessions, settings, log }
    }

    /// Serves one connection to its end.
    pub(crate) async fn serve(self: Arc<Self>, stream: Stream, entry: Entry) {
        let live = entry.live().clone();
        let ip = live.peer().ip();
        let may = Liberties {
            auth_without_tls: self.settings.authentication_without_tls.contain(ip),
            verb: self.settings.trusted_networks.contain(ip),
        };
        let config = &self.sessions[may.place()];
        let connection = Arc::new(Connection {
            peer: live.peer(),
            trusted: may.verb,
            relay: self.server.relay_facts(ip),
            server: self.server.clone(),
            live,
        });
        let mut context = Context::new(self.shared.world.clock.clone(), self.tls.clone(), entry);
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
