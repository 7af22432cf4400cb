//! Answers the questions of an SMTP session.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use mail::{Address, ForwardPath, Reply};
use policy::pressure::{Gauge, Level};
use policy::{AccountFacts, Magic, PressureFacts, Verdict, gather};
use protocol::End;
use protocol::sasl::Ask;
use protocol::smtp::{
    Answer, Client, Etrn, Hop, Lookup, Outcome, Question, Recipient, Sender, ServerSession,
};
use queue::ReceivedMessage;
use store::{Change, Commit};
use wire::{Decision, Handler};

use super::account::{self, Account};
use super::label::Label;
use super::spool::Head;
use super::transaction::{Bounds, Conditions, ContentBounds, Particulars, Peer, Transaction, reply};
use super::verbose::{self, Hops};
use super::{client, etrn};
use super::{lmtp, notice};
use crate::connect::Endpoint;
use crate::shared::{Connection, Shared};

/// The application's side of one SMTP connection.
#[derive(Debug)]
pub(crate) struct SmtpHandler {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    peer: Peer,
    /// The open transaction. A later decision takes it along and puts it back.
    open: Open,
    /// What VERB tells, once it was asked for.
    hops: Option<Hops>,
    /// Where the peer may say for whom it speaks.
    endpoint: Option<Arc<Endpoint>>,
}

type Open = Arc<Mutex<Option<Transaction>>>;

impl SmtpHandler {
    pub(crate) fn new(shared: Arc<Shared>, connection: Arc<Connection>) -> Self {
        let peer = Peer::of(&shared, &connection);
        Self { shared, connection, peer, open: Arc::default(), hops: None, endpoint: None }
    }

    /// Whose it is.
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// The same for a peer that may say by XCLIENT for whom it speaks.
    pub(crate) fn believing(self, endpoint: Option<Arc<Endpoint>>) -> Self {
        Self { endpoint, ..self }
    }

    /// MAIL. While the server is short of something, it waits before a stranger is answered.
    fn sender(&mut self, sender: Sender) -> Decision<Answer> {
        let pressure = self.shared.pressure.now();
        let is_stranger = sender.hello.account.is_none() && !self.connection.trusted;
        let (shared, connection) = (self.shared.clone(), self.connection.clone());
        let (peer, open) = (self.peer.clone(), self.open.clone());
        let waits = pressure.level() == Level::Slow && is_stranger;
        if !waits && sender.hello.account.is_none() {
            let reply = judge_sender(&shared, &connection, &peer, &open, (sender, None));
            return Decision::Now(Answer::Reply(reply));
        }
        Decision::Later(Box::pin(async move {
            if waits {
                shared.world.clock.sleep(pressure.delay()).await;
            }
            let now = shared.world.clock.wall();
            Answer::Reply(match account::at_mail(&shared, connection.server.rights, &sender, now).await {
                Ok(account) => judge_sender(&shared, &connection, &peer, &open, (sender, account)),
                Err(error) => crate::replies::failed(&error),
            })
        }))
    }

    /// ETRN (RFC 1985 §5.1).
    fn release(&self, whose: Etrn) -> Decision<Answer> {
        let Etrn::Domain(domain) = whose else {
            return Decision::Now(Answer::Reply(etrn::only_domains()));
        };
        let (shared, peer) = (self.shared.clone(), self.peer.address.ip());
        Decision::Later(Box::pin(async move {
            let now = shared.world.clock.wall();
            let released = shared.queue.etrn(&shared.store, &domain, peer, now).await;
            Answer::Reply(etrn::released(&domain, released))
        }))
    }

    /// XCLIENT: from now on the connection is that client's.
    fn introduce(&mut self, client: Client) -> Decision<Answer> {
        let Some(endpoint) = self.endpoint.clone() else {
            return Decision::Now(Answer::Reply(client::not_believed()));
        };
        let speaks_for = client::address(self.peer.address, &client);
        let (config, connection) = match endpoint.for_client(&self.connection, speaks_for) {
            Ok(introduced) => introduced,
            Err(reply) => return Decision::Now(Answer::Reply(reply)),
        };
        self.become_client(client::named(connection, client.name.as_ref()));
        let (shared, login) = (self.shared.clone(), client.login);
        let live = self.connection.live.clone();
        Decision::Later(Box::pin(async move { client::introduced(&shared, &live, config, login).await }))
    }

    fn become_client(&mut self, connection: Arc<Connection>) {
        self.peer = Peer::of(&self.shared, &connection);
        self.connection = connection;
    }

    /// RCPT: at once where the directory remembers the address.
    fn recipient(&mut self, named: Recipient) -> Decision<Answer> {
        let magic = self.magic(&named.path);
        let account = lock(&self.open).as_ref().and_then(|transaction| transaction.account().cloned());
        let known = self.shared.directory.resolve_cached(&named.path);
        if let (Some(resolution), None) = (known, &account) {
            let particulars = Particulars { magic, is_new: false };
            let reply = judge_recipient(&self.shared, &self.open, named, Ok(resolution), particulars);
            return Decision::Now(Answer::Reply(reply));
        }
        let (shared, open) = (self.shared.clone(), self.open.clone());
        Decision::Later(Box::pin(async move {
            let resolved = shared.directory.resolve(&named.path).await;
            let is_new = match account {
                Some(account) => account.is_new_to(&shared.store, &named.path).await,
                None => Ok(false),
            };
            Answer::Reply(match is_new {
                Ok(is_new) => judge_recipient(&shared, &open, named, resolved, Particulars { magic, is_new }),
                Err(error) => crate::replies::failed(&error),
            })
        }))
    }

    fn magic(&self, path: &ForwardPath) -> Option<Magic> {
        let tries_before = |address: &Address| self.shared.deferrals.count(address);
        self.connection.server.magic.then(|| gather::magic(path, tries_before))?
    }

    /// The transaction that is open.
    pub(super) fn queue_id(&self) -> Option<mail::QueueId> {
        lock(&self.open).as_ref().map(|transaction| transaction.queue_id)
    }

    /// DATA: content may come when the process-wide budget has room for what is held in memory.
    fn begin(&mut self) -> Reply {
        let Some(permit) = self.shared.content_permit() else {
            return Reply::new(452, (4, 3, 1), "too much mail is coming in at this moment, try again soon");
        };
        if let Some(transaction) = &mut *lock(&self.open) {
            transaction.permit = Some(permit);
        }
        Reply::plain(354, "send the content, end with a dot alone on a line")
    }

    /// A piece of content.
    fn chunk(&mut self, piece: Bytes) -> Decision<Answer> {
        let mut open = lock(&self.open);
        let Some(transaction) = &mut *open else { return Decision::Now(Answer::Taken) };
        if transaction.spool.fits(piece.len()) {
            transaction.spool.keep(&piece);
            return Decision::Now(Answer::Taken);
        }
        let Some(transaction) = open.take() else { return Decision::Now(Answer::Taken) };
        drop(open);
        let (shared, open) = (self.shared.clone(), self.open.clone());
        Decision::Later(Box::pin(async move {
            *lock(&open) = stage(&shared, transaction, piece).await;
            Answer::Taken
        }))
    }

    /// The end of content.
    fn finish(&mut self, last: Bytes, size: u64, verbose: bool) -> Decision<Answer> {
        let Some(transaction) = lock(&self.open).take() else {
            // Staging failed; the transaction's story has said so already.
            return Decision::Now(Answer::Reply(crate::replies::unavailable()));
        };
        let (shared, server) = (self.shared.clone(), self.connection.server.clone());
        let bounds = ContentBounds { size_max: server.message_size_max, hops_max: server.hops_max };
        self.connection.live.count_message();
        if !verbose {
            return Decision::Later(Box::pin(async move {
                finish(&shared, transaction, last, size, bounds).await
            }));
        }
        let teller = self.hops.get_or_insert_with(Hops::new).teller();
        let (connection, queue_id) = (self.connection.clone(), transaction.queue_id);
        Decision::Later(Box::pin(async move {
            let answer = finish(&shared, transaction, last, size, bounds).await;
            if matches!(&answer, Answer::Reply(reply) if reply.is_positive()) {
                verbose::follow(&shared, &connection.live, queue_id, &teller).await;
            }
            answer
        }))
    }

    /// The transaction ended without content that was kept.
    fn abandon(&mut self, how: &str) {
        if let Some(mut transaction) = lock(&self.open).take() {
            transaction.end(how.to_owned(), &[], self.shared.world.clock.wall());
            self.shared.tell_journal(transaction.story);
        }
    }

    fn authenticate(&mut self, ask: Ask) -> Decision<Answer> {
        let (shared, connection) = (self.shared.clone(), self.connection.clone());
        Decision::Later(Box::pin(async move {
            let origin = connection.origin(directory::Scope::Smtp);
            let (told, principal) = crate::replies::sign_in(&shared.directory, &origin, ask).await;
            if let Some(principal) = principal {
                connection.live.signed_in(principal.address.to_string());
            }
            Answer::SignIn(told)
        }))
    }

    /// VRFY and EXPN: the truth for those who signed in, nothing for strangers or where it is off. RFC 5321 §7.3: a server
    /// that has them off must answer 252.
    fn verify(&self, on: bool, lookup: &Lookup) -> Decision<Answer> {
        let path = lookup.what.trim_matches(['<', '>']).parse().map(ForwardPath::Address);
        let (true, Ok(path)) = (on && lookup.signed_in, path) else {
            // RFC 5321 §3.5.3: 252 where the server does not say.
            let text = "not told to strangers; send the message and see";
            return Decision::Now(Answer::Reply(Reply::new(252, (2, 1, 5), text)));
        };
        let (shared, utf8) = (self.shared.clone(), lookup.utf8);
        Decision::Later(Box::pin(async move {
            let resolved = shared.directory.resolve(&path).await;
            Answer::Reply(shown(crate::replies::verified(resolved), utf8))
        }))
    }
}

impl Handler<ServerSession> for SmtpHandler {
    fn decide(&mut self, question: Question) -> Decision<Answer> {
        let reply = match question {
            Question::Authenticate(ask) => return self.authenticate(ask),
            Question::Sender(sender) => return self.sender(*sender),
            Question::Recipient(recipient) => return self.recipient(*recipient),
            Question::Begin => self.begin(),
            Question::Chunk(piece) => return self.chunk(piece),
            Question::Finish { last, size, verbose } => return self.finish(last, size, verbose),
            Question::Refused(reply) => {
                self.abandon(&format!("content was refused: {}", reply));
                return Decision::Now(Answer::Taken);
            }
            Question::Abandoned => {
                self.abandon("the client gave the transaction up before its content");
                return Decision::Now(Answer::Taken);
            }
            Question::Verify(lookup) => {
                return self.verify(self.connection.server.commands.vrfy, &lookup);
            }
            Question::Expand(lookup) => {
                return self.verify(self.connection.server.commands.expn, &lookup);
            }
            Question::Release(whose) => return self.release(whose),
            Question::Client(client) => return self.introduce(*client),
        };
        Decision::Now(Answer::Reply(reply))
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<Hop> {
        self.hops.as_mut().map_or(Poll::Pending, |hops| hops.poll(cx))
    }

    fn ended(&mut self, outcome: Outcome, end: End) {
        let Some(mut transaction) = lock(&self.open).take() else { return };
        let how = match end {
            End::Closed => format!("the connection ended {}", outcome.stopped),
            End::HalfClosed | End::Cut => format!("the client cut the connection {}", outcome.stopped),
            End::WriteDeadline => format!("the client did not take replies in time {}", outcome.stopped),
            End::Terminated => format!("the server ended the connection {}", outcome.stopped),
        };
        transaction.end(how, &outcome.misuses, self.shared.world.clock.wall());
        self.shared.tell_journal(transaction.story);
    }
}

/// A reply with an address beyond ASCII goes only to who asked for such (RFC 6531 §3.7.4.2).
fn shown(reply: Reply, utf8: bool) -> Reply {
    if utf8 || reply.text.is_ascii() {
        return reply;
    }
    Reply::new(252, (2, 6, 8), "known here, but the reply needs SMTPUTF8")
}

fn lock(open: &Open) -> MutexGuard<'_, Option<Transaction>> {
    open.lock().expect("no holder panics")
}

/// MAIL is judged, and opens a transaction if it may.
fn judge_sender(
    shared: &Shared,
    connection: &Connection,
    peer: &Peer,
    open: &Open,
    (sender, account): (Sender, Option<(Account, AccountFacts)>),
) -> Reply {
    let now = shared.world.clock.wall();
    let conditions = Conditions { account, ..conditions(shared, connection, now) };
    let queue_id = shared.queue_ids.next(now);
    let (mut transaction, verdict) = Transaction::open(queue_id, peer, sender, conditions, now);
    let reply = reply(verdict.clone(), Reply::new(250, (2, 1, 0), "sender noted"));
    match verdict {
        Verdict::Accept => *lock(open) = Some(transaction),
        _ => {
            transaction.end(format!("MAIL was answered {}", reply.code), &[], now);
            shared.tell_journal(transaction.story);
        }
    }
    reply
}

fn conditions(shared: &Shared, connection: &Connection, now: mail::Timestamp) -> Conditions {
    let server = &connection.server;
    let pressure = shared.pressure.now();
    let short = |gauge: &Gauge| PressureFacts { level: gauge.level, because: gauge.to_string() };
    // Nobody counts those whom we trust.
    let limit = server.message_rate.filter(|_| !connection.trusted);
    Conditions {
        bounds: Bounds { size_max: server.message_size_max, room: shared.store.room() },
        pressure: pressure.worst().map(short),
        client_name: connection.name.known().map(ToString::to_string).filter(|name| name.is_ascii()),
        rate: limit.map(|limit| shared.rates.count(&server.name, connection.peer.ip(), limit, now)),
        account: None,
    }
}

fn judge_recipient(
    shared: &Shared,
    open: &Open,
    named: Recipient,
    resolved: Result<directory::Resolution, store::Error>,
    particulars: Particulars,
) -> Reply {
    let now = shared.world.clock.wall();
    match &mut *lock(open) {
        Some(transaction) => {
            let properties = shared.queue.properties();
            let profile = properties.of(&transaction.virtual_server());
            let verdict = transaction.recipient(named, resolved, particulars, profile, now);
            reply(verdict, Reply::new(250, (2, 1, 5), "recipient noted"))
        }
        None => crate::replies::unavailable(),
    }
}

/// Hands a piece on to the store. The transaction is over if that fails; what is left of the content is read and dropped.
async fn stage(shared: &Shared, mut transaction: Transaction, piece: Bytes) -> Option<Transaction> {
    let now = shared.world.clock.wall();
    transaction.read_header_of_spool(now);
    let looked = look_at_authors(shared, &mut transaction).await;
    let head = transaction.head(now);
    let staged = match looked {
        Ok(()) => std::mem::take(&mut transaction.spool).stage(&shared.store, piece, head).await,
        Err(error) => Err(error),
    };
    match staged {
        Ok(spool) => {
            transaction.spool = spool;
            // What is held in memory now belongs to the store's own bound.
            transaction.permit = None;
            Some(transaction)
        }
        Err(error) => {
            tracing::error!(queue_id = %transaction.queue_id, %error, "content cannot be stored");
            transaction.end("the store could not take the content; 451 was sent".into(), &[], now);
            shared.tell_journal(transaction.story);
            None
        }
    }
}

/// Judges the content and, if it is acceptable, makes it ours. The reply is positive only after the commit.
async fn finish(
    shared: &Shared,
    mut transaction: Transaction,
    last: Bytes,
    size: u64,
    bounds: ContentBounds,
) -> Answer {
    let now = shared.world.clock.wall();
    transaction.read_header_of_spool(now);
    transaction.read_header(&last, now);
    let looked = look_again(shared, &mut transaction, now).await;
    let verdict = match looked {
        Ok(()) => transaction.content(size, bounds, now),
        Err(error) => Verdict::Defer(crate::replies::failed(&error)),
    };
    if verdict != Verdict::Accept {
        let reply = reply(verdict, Reply::plain(250, ""));
        transaction.end(format!("content was answered {}", reply.code), &[], now);
        shared.tell_journal(transaction.story);
        return Answer::Reply(reply);
    }
    let queue_id = transaction.queue_id;
    let head = transaction.head(now);
    let label = head.label.clone();
    match keep(shared, transaction, last, head, now).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(%queue_id, %error, "a message was not accepted");
            let reply = crate::replies::failed(&error);
            let how = format!("the message could not be kept: {reply}");
            if let Some(story) = Label::story_that_ends(&label, size, how, now) {
                shared.tell_journal(story);
            }
            Answer::Reply(reply)
        }
    }
}

/// As whom the header says that it was written, where an account sends.
async fn look_at_authors(shared: &Shared, transaction: &mut Transaction) -> Result<(), store::Error> {
    if let Some((account, authors)) = transaction.authors() {
        let rights = account.rights(shared, authors).await?;
        transaction.note_rights(rights);
    }
    Ok(())
}

/// What the account has sent since MAIL, and as whom it sends.
async fn look_again(
    shared: &Shared,
    transaction: &mut Transaction,
    now: mail::Timestamp,
) -> Result<(), store::Error> {
    look_at_authors(shared, transaction).await?;
    if let Some(account) = transaction.account() {
        let sent = account::sent(&shared.store, account.id(), now).await?;
        transaction.count_again(sent);
    }
    Ok(())
}

/// The hop from a received message to a commit on stable storage.
async fn keep(
    shared: &Shared,
    mut transaction: Transaction,
    last: Bytes,
    head: Head,
    now: mail::Timestamp,
) -> Result<Answer, store::Error> {
    let content = std::mem::take(&mut transaction.spool).finish(&shared.store, last, head).await?;
    if transaction.is_lmtp() {
        return lmtp::keep(shared, transaction, content, now).await;
    }
    let hold = account::hold(shared, &transaction, now).await?;
    if let Some(hold) = &hold {
        transaction.detain(hold.reason.clone(), now);
    }
    let account = transaction.account().cloned();
    let counted = account.as_ref().map(|account| account.count(transaction.named(), now));
    let recipients = transaction.conclude(now);
    let virtual_server = transaction.virtual_server();
    let Transaction { queue_id, reverse_path, parameters, story, permit, .. } = transaction;
    let received =
        ReceivedMessage { queue_id, virtual_server, reverse_path, parameters, content, recipients, at: now };
    let mut commit: Commit = shared.reporter.accept(received, story).await?;
    commit.changes.extend(counted.into_iter().flatten());
    if let (Some(account), Some(hold)) = (&account, &hold) {
        account.detain(&mut commit, queue_id, hold.reason.clone(), now);
    }
    let queued = waiting(&commit);
    shared.store.commit(commit).await?;
    drop(permit);
    if let (Some(account), Some(hold)) = (&account, hold.filter(|hold| hold.is_first)) {
        notice::tell_of_hold(shared, account.address(), &hold.reason, now).await;
    }
    for (destination, due) in queued {
        shared.queue.due(&destination, due);
    }
    Ok(Answer::Reply(Reply::new(250, (2, 0, 0), format!("{queue_id} kept"))))
}

/// The destinations for which something of a message waits in the queue, and until when.
pub(super) fn waiting(commit: &Commit) -> Vec<(String, mail::Timestamp)> {
    let entries = commit.changes.iter().filter_map(|change| match change {
        Change::Enqueue(entry) if !entry.held => Some((entry.destination.clone(), entry.due)),
        _ => None,
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use mail::ReversePath;
    use policy::{RelayFacts, Service};

    use super::*;
    use crate::imap::tests::{Place, decided, run};
    use crate::shared::VirtualServer;

    /// A handler of a virtual server for this, whose client is in a network of `relay.allow`.
    fn handler(place: &Place, service: Service) -> SmtpHandler {
        let server = VirtualServer {
            name: "internet".into(),
            service,
            relay: settings::Relay::default(),
            message_size_max: 100_000,
            hops_max: 100,
            message_rate: None,
            magic: false,
            host_name: None,
            commands: settings::Commands::default(),
            sign_in_interval: std::time::Duration::ZERO,
            rights: crate::smtp::account::Rules::default(),
        };
        let relay = RelayFacts { network: Some("192.0.2.0/24".into()), authenticated: false };
        let connection = Connection { relay, server: Arc::new(server), ..Connection::clone(&place.live) };
        SmtpHandler::new(place.shared.clone(), Arc::new(connection))
    }

    /// Up to the content, for these recipients, all of whom are accepted.
    async fn begin(handler: &mut SmtpHandler, recipients: &[&str]) {
        begin_as(handler, None, recipients).await;
    }

    /// The same for an account that signed in.
    async fn begin_as(handler: &mut SmtpHandler, account: Option<&str>, recipients: &[&str]) {
        let (size, parameters, auth) = (None, mail::MessageParameters::default(), None);
        let account = account.map(|account| account.parse().unwrap());
        let hello = Arc::new(protocol::smtp::Hello { account, ..Default::default() });
        let sender = Sender { path: ReversePath::Null, size, parameters, auth, hello, forwarded: None };
        let recipients = recipients.iter().map(|recipient| {
            let path = ForwardPath::Address(recipient.parse().unwrap());
            Question::Recipient(Box::new(Recipient { path, parameters: Default::default() }))
        });
        let sender = Question::Sender(Box::new(sender));
        for question in [sender].into_iter().chain(recipients).chain([Question::Begin]) {
            let Answer::Reply(reply) = decided(handler.decide(question)).await else { panic!() };
            assert!(reply.is_positive(), "{reply}");
            // A client takes its time.
            handler.shared.world.clock.step_wall(7);
        }
    }

    async fn finish(handler: &mut SmtpHandler) -> Answer {
        finish_with(handler, "From: ann@example.org\r\n\r\n").await
    }

    async fn finish_with(handler: &mut SmtpHandler, content: &str) -> Answer {
        let (last, size) = (Bytes::copy_from_slice(content.as_bytes()), content.len() as u64);
        decided(handler.decide(Question::Finish { last, size, verbose: false })).await
    }

    async fn change(place: &Place, changes: Vec<Change>) {
        place.shared.store.commit(Commit { content: vec![], changes }).await.unwrap();
    }

    async fn remove_account(place: &Place, address: &str) {
        let account = place.shared.store.account_by_address(address).await.unwrap().unwrap().id;
        change(place, vec![Change::RemoveAccount { account }]).await;
    }

    async fn only_story(place: &Place) -> String {
        tokio::task::yield_now().await;
        let found = place.shared.store.stories(mail::Timestamp(0), mail::Timestamp(i64::MAX), 9);
        let stories = found.await.unwrap();
        let [story] = &stories[..] else { panic!("{stories:?}") };
        story.story.clone()
    }

    /// RFC 6409 §6.1, also where no submission server listens: a Received field is only the account's word for another server.
    #[test]
    fn an_account_sends_as_itself_whatever_its_header_says() {
        run(async |place| {
            for (content, expected) in [
                ("From: ann@example.org\r\n\r\n", 250),
                ("Received: by x\r\nFrom: ann@example.org\r\n\r\n", 250),
                ("From: eve@example.org\r\n\r\n", 550),
                ("Received: by x\r\nFrom: eve@example.org\r\n\r\n", 550),
                ("Received: by x\r\nFrom: a:eve@example.org;\r\n\r\n", 550),
                ("From: ann@example.org\r\nSender: eve@example.org\r\n\r\n", 550),
                ("From: ann@example.org\r\nFrom: eve@example.org\r\n\r\n", 554),
            ] {
                let mut handler = handler(&place, Service::Smtp);
                begin_as(&mut handler, Some("ann@example.org"), &["ann@example.org"]).await;
                let Answer::Reply(reply) = finish_with(&mut handler, content).await else { panic!() };
                assert_eq!(reply.code, expected, "{content:?}: {reply}");
            }
        });
    }

    #[test]
    fn a_message_that_could_not_be_kept_has_a_story() {
        run(async |place| {
            let mut handler = handler(&place, Service::Smtp);
            begin(&mut handler, &["ann@example.org"]).await;
            remove_account(&place, "ann@example.org").await;
            let answer = finish(&mut handler).await;
            assert!(matches!(&answer, Answer::Reply(reply) if reply.code == 451), "{answer:?}");

            let story = only_story(&place).await;
            assert!(story.contains("could not be kept: 451 4.3.0"), "{story}");
            assert!(policy::story::keys(&story).contains(&"ann@example.org".into()), "{story}");
        });
    }

    /// Recipients that wait for ETRN and are named one after the other wait together: ETRN starts one delivery.
    #[test]
    fn what_waits_for_etrn_is_one_delivery() {
        run(async |place| {
            let text = "host-name = 'mx.example.org'\n\
                [[remote-domain]]\ndomain = 'dialup.example'\nhold-until-etrn = '192.0.2.7'";
            let settings = settings::resolve(text).unwrap();
            place.shared.queue.apply(Arc::new(queue::Properties::without_network(&settings)));
            let mut handler = handler(&place, Service::Smtp);
            begin(&mut handler, &["ann@dialup.example", "bob@dialup.example"]).await;
            finish(&mut handler).await;
            let waiting = place.shared.store.queue_page(None, None, 9).await.unwrap();
            let [entry] = &waiting[..] else { panic!("{waiting:?}") };
            assert_eq!((entry.destination.as_str(), entry.recipients.len()), ("dialup.example", 2));

            // Once its domain is one like others, nobody asks for it any more.
            let (queue, store) = (&place.shared.queue, &place.shared.store);
            let (before, now) = (queue.properties(), place.shared.world.clock.wall());
            queue.let_go(store, &before, now).await.unwrap();
            assert!(store.queue_page(None, None, 9).await.unwrap()[0].due > now);
            let settings = settings::resolve("host-name = 'mx.example.org'").unwrap();
            queue.apply(Arc::new(queue::Properties::without_network(&settings)));
            queue.let_go(store, &before, now).await.unwrap();
            assert_eq!(store.queue_page(None, None, 9).await.unwrap()[0].due, now);
        });
    }

    /// The same in LMTP concerns that recipient alone (RFC 2033 §4.2).
    #[test]
    fn by_lmtp_who_is_still_there_gets_it() {
        run(async |place| {
            add_account(&place, "bob@example.org").await;
            let mut handler = handler(&place, Service::Lmtp);
            begin(&mut handler, &["bob@example.org", "ann@example.org", "bob@example.org"]).await;
            remove_account(&place, "ann@example.org").await;
            let Answer::Replies(replies) = finish(&mut handler).await else { panic!() };
            let replies: Vec<_> = replies.iter().map(|reply| reply.code).collect();
            assert_eq!(replies, [250, 451, 250]);

            let story = only_story(&place).await;
            assert!(story.contains("kept for 2 of 3 recipients"), "{story}");
            assert!(story.contains(r#""recipients":["ann@example.org"],"outcome":"deferred""#), "{story}");
        });
    }

    #[test]
    fn by_lmtp_a_message_for_nobody_is_nowhere() {
        run(async |place| {
            let mut handler = handler(&place, Service::Lmtp);
            begin(&mut handler, &["ann@example.org"]).await;
            remove_account(&place, "ann@example.org").await;
            let Answer::Replies(replies) = finish(&mut handler).await else { panic!() };
            assert_eq!(replies.iter().map(|reply| reply.code).collect::<Vec<_>>(), [451]);
            assert!(only_story(&place).await.contains("kept for 0 of 1 recipients"));
        });
    }

    fn whom(entry: &store::QueueEntry) -> String {
        let all: Vec<&str> = entry.recipients.iter().map(|one| one.address.as_str()).collect();
        all.join(" ")
    }

    #[test]
    fn remote_recipients_wait_in_the_queue_by_destination() {
        run(async |place| {
            let mut handler = handler(&place, Service::Smtp);
            let recipients =
                ["joe@elsewhere.example", "ann@example.org", "amy@Elsewhere.example", "joe@[192.0.2.9]"];
            begin(&mut handler, &recipients).await;
            let Answer::Reply(reply) = finish(&mut handler).await else { panic!() };
            assert_eq!(reply.code, 250);

            let queued = place.shared.store.queue_page(None, None, 9).await.unwrap();
            let queued: Vec<_> =
                queued.iter().map(|entry| (entry.destination.as_str(), whom(entry))).collect();
            let expected = [
                ("[192.0.2.9]", "joe@[192.0.2.9]"),
                ("elsewhere.example", "amy@elsewhere.example joe@elsewhere.example"),
            ];
            assert_eq!(queued, expected.map(|(to, whom)| (to, whom.to_owned())));
            let story = only_story(&place).await;
            assert!(story.contains(r#""check":"relay""#) && story.contains("192.0.2.0/24"), "{story}");
        });
    }

    /// RFC 5321 §6.3: by all Received fields, and sooner by our own.
    #[test]
    fn a_message_that_goes_in_circles_is_refused() {
        run(async |place| {
            let mut handler = handler(&place, Service::Smtp);
            let other = "Received: from a.example by b.example; x\r\n";
            let ours =
                "Received: from a.example ([192.0.2.1])\r\n by mx.example.org with ESMTP id 1;\r\n x\r\n";
            for (received, times, expected) in
                [(other, 100, 250), (other, 101, 554), (ours, 10, 250), (ours, 11, 554)]
            {
                begin(&mut handler, &["ann@example.org"]).await;
                let content = received.repeat(times) + "\r\nround and round\r\n";
                let Answer::Reply(reply) = finish_with(&mut handler, &content).await else { panic!() };
                assert_eq!(reply.code, expected, "{times} times {received}");
            }
        });
    }

    async fn add_account(place: &Place, address: &str) {
        let account = Change::AddAccount {
            address: address.into(),
            name: String::new(),
            secret: String::new(),
            scram: String::new(),
            at: mail::Timestamp(0),
        };
        let inbox = Change::AddMailbox {
            account: store::AccountRef::New(0),
            path: mail::MailboxPath::inbox(),
            uid_validity: 8,
            special_use: None,
            subscribed: true,
        };
        change(place, vec![account, inbox]).await;
    }
}
