//! Mail that comes without a connection: judged, kept and explained as what a client brings by SMTP.

use std::sync::Arc;

use bytes::Bytes;
use mail::{
    Address, ForwardPath, MessageParameters, Notify, QueueId, RecipientParameters, Reply, ReversePath,
};
use policy::{RelayFacts, Service};
use protocol::smtp::{Answer, Hello, Question, Recipient, Sender};
use store::limits::INLINE_CONTENT_OCTETS_MAX;
use wire::Decision;
use wire::registry::Live;

use super::SmtpHandler;
use crate::arrive::name::ClientName;
use crate::shared::{Connection, Shared, VirtualServer};

/// Who brings mail so.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// In stories, in the place of a virtual server.
    pub(crate) name: &'static str,
    /// Why it may be sent anywhere, as stories tell it.
    pub(crate) because: String,
    /// Who put it down, in the place of a client's own name.
    pub(crate) who: String,
    /// Octets of a message.
    pub(crate) size_max: u64,
}

/// Who sends to whom.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) reverse_path: ReversePath,
    pub(crate) parameters: MessageParameters,
    /// For all recipients.
    pub(crate) notify: Option<Notify>,
    pub(crate) recipients: Vec<Address>,
}

/// A message on its way in, whose envelope is taken.
#[derive(Debug)]
pub(crate) struct Open {
    handler: SmtpHandler,
    /// Its transaction.
    pub(crate) queue_id: QueueId,
    /// Recipients that are not taken, and why.
    pub(crate) refused: Vec<(Address, Reply)>,
}

impl Open {
    /// Judges an envelope.
    ///
    /// # Errors
    /// The reply that refuses the sender, the last recipient, or that defers one.
    pub(crate) async fn envelope(
        shared: &Arc<Shared>,
        live: Arc<Live>,
        origin: Origin,
        envelope: Envelope,
    ) -> Result<Self, Reply> {
        let Envelope { reverse_path, parameters, notify, recipients } = envelope;
        let hello = Hello { name: origin.who.clone(), ..Hello::default() };
        let mut handler = SmtpHandler::new(shared.clone(), Arc::new(connection(live, origin)));
        let utf8 = reverse_path.address().into_iter().chain(&recipients).any(|address| !address.is_ascii());
        let sender = Sender {
            path: reverse_path,
            size: None,
            parameters: MessageParameters { utf8, ..parameters },
            auth: None,
            hello: Arc::new(hello),
            forwarded: None,
        };
        positive(ask(&mut handler, Question::Sender(Box::new(sender))).await)?;
        let mut refused = Vec::new();
        for address in &recipients {
            let parameters = RecipientParameters { notify, original: None };
            let recipient = Recipient { path: ForwardPath::Address(address.clone()), parameters };
            match positive(ask(&mut handler, Question::Recipient(Box::new(recipient))).await) {
                Ok(_) => {}
                Err(reply) if reply.code >= 500 => refused.push((address.clone(), reply)),
                Err(reply) => return Err(abandoned(&mut handler, reply).await),
            }
        }
        let queue_id = handler.queue_id();
        match (queue_id, refused.len() == recipients.len(), refused.pop()) {
            (Some(queue_id), false, last) => {
                refused.extend(last);
                Ok(Self { handler, queue_id, refused })
            }
            (_, _, last) => {
                let reply = last.map_or_else(crate::replies::unavailable, |(_, reply)| reply);
                Err(abandoned(&mut handler, reply).await)
            }
        }
    }

    /// Gives it up.
    pub(crate) async fn give_up(mut self) {
        ask(&mut self.handler, Question::Abandoned).await;
    }

    /// Brings the content. When this returns a positive reply, the message is ours.
    pub(crate) async fn content(mut self, content: Bytes) -> Reply {
        if let Err(reply) = positive(ask(&mut self.handler, Question::Begin).await) {
            return abandoned(&mut self.handler, reply).await;
        }
        let (size, mut rest) = (content.len() as u64, content);
        while rest.len() > PIECE {
            ask(&mut self.handler, Question::Chunk(rest.split_to(PIECE))).await;
        }
        match ask(&mut self.handler, Question::Finish { last: rest, size, verbose: false }).await {
            Answer::Reply(reply) => reply,
            _ => crate::replies::unavailable(),
        }
    }
}

/// As much as is kept in memory until the message is whole.
const PIECE: usize = INLINE_CONTENT_OCTETS_MAX / 2;

fn connection(live: Arc<Live>, origin: Origin) -> Connection {
    let Origin { name, because, size_max, .. } = origin;
    let server = VirtualServer {
        name: name.into(),
        service: Service::Smtp,
        relay: settings::Relay::default(),
        message_size_max: size_max,
        hops_max: policy::limits::RECEIVED_MAX,
        magic: false,
        host_name: None,
        message_rate: None,
        commands: settings::Commands::default(),
        sign_in_interval: std::time::Duration::ZERO,
        rights: crate::smtp::account::Rules::default(),
    };
    Connection {
        peer: live.peer(),
        name: ClientName::default(),
        free: true,
        trusted: true,
        relay: RelayFacts { network: Some(because), authenticated: false },
        server: Arc::new(server),
        live,
    }
}

async fn ask(handler: &mut SmtpHandler, question: Question) -> Answer {
    match wire::Handler::decide(handler, question) {
        Decision::Now(answer) => answer,
        Decision::Later(answer) => answer.await,
    }
}

fn positive(answer: Answer) -> Result<Reply, Reply> {
    match answer {
        Answer::Reply(reply) if reply.is_positive() || reply.code == 354 => Ok(reply),
        Answer::Reply(reply) => Err(reply),
        _ => Err(crate::replies::unavailable()),
    }
}

async fn abandoned(handler: &mut SmtpHandler, reply: Reply) -> Reply {
    ask(handler, Question::Abandoned).await;
    reply
}
