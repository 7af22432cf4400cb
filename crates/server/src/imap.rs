//! The application's side of an IMAP connection: the session's questions become calls of `mailboxes` and `directory`,
//! and their results its answers.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use mail::{Flag, MailboxPath, ModSeq, SearchKey, Section, SpecialUse, Timestamp, Uid, UidSet};
use mailboxes::{Append, Error, Mailboxes, Named, Open, Result, Row};
use protocol::imap::ServerSession;
use protocol::imap::{
    Answer, Changes, Copied, FetchRow, FetchWants, Form, Mailbox, News, Outcome, Piece, Question, Selected,
    Status, StoreMode, Wanted,
};
use protocol::sasl::{Ask, Told};
use store::Watch;
use store::change::FlagMode;
use wire::{Decision, Handler};

use crate::replies;
use crate::shared::{self, Shared};

/// One IMAP connection.
pub(crate) struct ImapHandler(Arc<Connection>);

/// What the decisions of one connection share.
struct Connection {
    shared: Arc<Shared>,
    live: Arc<shared::Connection>,
    mailboxes: Mailboxes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    account: Option<i64>,
    selected: Option<Selection>,
    append: Option<Append>,
}

/// The selected mailbox.
struct Selection {
    open: Arc<Open>,
    watch: Watch,
}

impl ImapHandler {
    pub(crate) fn new(shared: Arc<Shared>, live: Arc<shared::Connection>, mailboxes: Mailboxes) -> Self {
        Self(Arc::new(Connection { shared, live, mailboxes, state: Mutex::default() }))
    }

    /// Whose it is.
    pub(crate) fn connection(&self) -> &Arc<shared::Connection> {
        &self.0.live
    }
}

impl Handler<ServerSession> for ImapHandler {
    fn decide(&mut self, question: Question) -> Decision<Answer> {
        let connection = self.0.clone();
        Decision::Later(Box::pin(async move {
            connection.answer(question).await.unwrap_or_else(|error| {
                if let Error::Store(error) = &error {
                    tracing::warn!(%error, "an IMAP command was refused");
                }
                refusal(error)
            })
        }))
    }

    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<News> {
        let mut state = self.0.state();
        let Some(selected) = &mut state.selected else { return Poll::Pending };
        loop {
            let news = ready!(selected.watch.poll_changed(cx));
            if news.contains_key(&selected.open.mailbox()) {
                return Poll::Ready(News);
            }
        }
    }

    fn ended(&mut self, outcome: Outcome, end: protocol::End) {
        tracing::debug!(commands = outcome.commands, misuses = ?outcome.misuses, ?end, "an IMAP connection ended");
    }
}

/// What the session is told when a wish was not done.
fn refusal(error: Error) -> Answer {
    match error {
        Error::NoSuchMailbox => Answer::NoSuchMailbox,
        Error::Exists => Answer::Exists,
        Error::Cannot(reason) => Answer::Cannot(reason),
        Error::TooBig => Answer::TooBig,
        Error::Store(_) => Answer::Unavailable,
    }
}

impl Connection {
    async fn answer(&self, question: Question) -> Result<Answer> {
        match question {
            Question::Authenticate(ask) => Ok(Answer::SignIn(self.sign_in(ask).await)),
            Question::Mailboxes => self.list().await,
            Question::Create { path, special_use } => self.create(&path, special_use).await,
            Question::Delete(path) => done(self.mailboxes.delete(self.account()?, &path).await),
            Question::Rename(from, to) => done(self.mailboxes.rename(self.account()?, &from, &to).await),
            Question::Subscribe(path, yes) => {
                done(self.mailboxes.subscribe(self.account()?, &path, yes).await)
            }
            Question::Status(path) => self.status(&path).await,
            Question::Select(path) => self.select(&path).await,
            Question::Compress => Ok(self.compress()),
            Question::Unselect => Ok(self.unselect()),
            Question::Changes { since } => {
                Ok(Answer::Changes(changes(self.selected()?.changes(since).await?)))
            }
            Question::Fetch { uids, wants } => self.fetch(&uids, wants).await,
            Question::Vanished { since, among } => self.vanished(since, &among).await,
            Question::Read { uid, section, form, offset } => self.read(uid, (&section, form), offset).await,
            Question::Search { key, modseq } => self.search(&key, modseq).await,
            Question::Store { uids, mode, flags, unchanged_since } => {
                self.store(&uids, (mode, &flags), unchanged_since).await
            }
            Question::Copy { uids, to } => Ok(copied(self.selected()?.copy(&uids, &to).await?)),
            Question::Move { uids, to } => Ok(copied(self.selected()?.move_to(&uids, &to).await?)),
            Question::Expunge(among) => done(self.selected()?.expunge(among.as_ref()).await),
            Question::AppendBegin { to, size, first } => self.append_begin(&to, size, first).await,
            Question::AppendChunk(piece) => self.append_chunk(piece).await,
            Question::AppendNext { last, flags, date } => self.append_next(last, flags, date).await,
            Question::AppendFinish { last, flags, date } => self.append_finish(last, flags, date).await,
            Question::AppendAbandoned => Ok(self.append_abandoned()),
        }
    }

    async fn sign_in(&self, ask: Ask) -> Told {
        let origin = self.live.origin(directory::Scope::Imap);
        let (told, principal) = replies::sign_in(&self.shared.directory, &origin, ask).await;
        if let Some(principal) = principal {
            self.live.live.signed_in(principal.address.to_string());
            self.state().account = Some(principal.account);
        }
        told
    }

    async fn list(&self) -> Result<Answer> {
        let names = self.mailboxes.list(self.account()?).await?;
        Ok(Answer::Mailboxes(names.into_iter().map(listed).collect()))
    }

    async fn status(&self, path: &MailboxPath) -> Result<Answer> {
        let status = self.mailboxes.status(self.account()?, path).await?;
        Ok(Answer::Status(Status {
            messages: status.messages,
            unseen: status.unseen,
            uid_next: status.uid_next,
            uid_validity: status.uid_validity,
            highest_modseq: status.highest_modseq,
            size: status.size,
            deleted: status.deleted,
        }))
    }

    async fn select(&self, path: &MailboxPath) -> Result<Answer> {
        let account = self.account()?;
        // RFC 3501 §6.3.1: a SELECT that fails leaves no mailbox selected.
        self.unselect();
        // Watched before it is read: what changes in between is told.
        let watch = self.mailboxes.store().watch(account);
        let (open, opened) = self.mailboxes.open(account, path).await?;
        self.state().selected = Some(Selection { open: Arc::new(open), watch });
        Ok(Answer::Selected(Selected {
            uids: opened.uids,
            uid_validity: opened.uid_validity,
            uid_next: opened.uid_next,
            first_unseen: opened.first_unseen,
            highest_modseq: opened.highest_modseq,
            keywords: opened.keywords,
        }))
    }

    fn compress(&self) -> Answer {
        if self.live.live.reserve_compression() { Answer::Done } else { Answer::Unavailable }
    }

    fn unselect(&self) -> Answer {
        self.state().selected = None;
        Answer::Done
    }

    async fn create(&self, path: &MailboxPath, special_use: Option<SpecialUse>) -> Result<Answer> {
        done(self.mailboxes.create(self.account()?, path, special_use).await)
    }

    async fn vanished(&self, since: ModSeq, among: &UidSet) -> Result<Answer> {
        let uids = self.selected()?.vanished(since, Some(among)).await?;
        Ok(Answer::Found { uids, modseq: None })
    }

    async fn read(&self, uid: Uid, (section, form): (&Section, Form), offset: u64) -> Result<Answer> {
        let form = form_of(form);
        Ok(Answer::Content(self.selected()?.read(uid, (section, form), offset).await?))
    }

    async fn search(&self, key: &SearchKey, modseq: bool) -> Result<Answer> {
        let open = self.selected()?;
        let uids = open.search(key).await?;
        let modseq = if modseq { open.highest_modseq(&uids).await? } else { None };
        Ok(Answer::Found { uids, modseq })
    }

    async fn fetch(&self, uids: &UidSet, wants: FetchWants) -> Result<Answer> {
        let fetched = self.selected()?.fetch(uids, &wants_of(wants)).await?;
        let rows = fetched.rows.into_iter().map(fetch_row).collect();
        Ok(Answer::Rows { rows, rest: fetched.rest })
    }

    async fn store(
        &self,
        uids: &UidSet,
        (mode, flags): (StoreMode, &[Flag]),
        unchanged_since: Option<ModSeq>,
    ) -> Result<Answer> {
        let mode = match mode {
            StoreMode::Set => FlagMode::Set,
            StoreMode::Add => FlagMode::Add,
            StoreMode::Remove => FlagMode::Remove,
        };
        let stored = self.selected()?.set_flags(uids, (mode, flags), unchanged_since).await?;
        let rows = stored.rows.into_iter().map(fetch_row).collect();
        Ok(Answer::Stored { rows, modified: stored.modified })
    }

    async fn append_begin(&self, to: &MailboxPath, size: u64, first: bool) -> Result<Answer> {
        let append = match first {
            true => self.mailboxes.append(self.account()?, to, size).await?,
            false => {
                let mut append = self.append_under_way()?;
                append.another(size);
                append
            }
        };
        self.state().append = Some(append);
        Ok(Answer::Done)
    }

    async fn append_chunk(&self, piece: Bytes) -> Result<Answer> {
        let mut append = self.append_under_way()?;
        append.push(piece).await?;
        self.state().append = Some(append);
        Ok(Answer::Done)
    }

    async fn append_finish(&self, last: Bytes, flags: Vec<Flag>, date: Option<Timestamp>) -> Result<Answer> {
        let mut append = self.append_under_way()?;
        append.push(last).await?;
        let appended = append.finish(flags, date).await?;
        Ok(Answer::Appended { validity: appended.validity, uids: appended.uids })
    }

    async fn append_next(&self, last: Bytes, flags: Vec<Flag>, date: Option<Timestamp>) -> Result<Answer> {
        let mut append = self.append_under_way()?;
        append.push(last).await?;
        append.next(flags, date).await?;
        self.state().append = Some(append);
        Ok(Answer::Done)
    }

    fn append_abandoned(&self) -> Answer {
        self.state().append = None;
        Answer::Done
    }

    fn append_under_way(&self) -> Result<Append> {
        self.state().append.take().ok_or(Error::Cannot("No APPEND is under way"))
    }

    fn account(&self) -> Result<i64> {
        self.state().account.ok_or(Error::Cannot("Sign in first"))
    }

    fn selected(&self) -> Result<Arc<Open>> {
        self.state()
            .selected
            .as_ref()
            .map(|selected| selected.open.clone())
            .ok_or(Error::Cannot("Select a mailbox first"))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

fn done(result: Result<()>) -> Result<Answer> {
    result.map(|()| Answer::Done)
}

fn listed(name: Named) -> Mailbox {
    let Named { path, subscribed, special_use, no_select, missing } = name;
    Mailbox { path, subscribed, special_use, no_select, missing }
}

fn changes(changes: mailboxes::Changes) -> Changes {
    Changes {
        highest_modseq: changes.highest_modseq,
        vanished: changes.vanished,
        arrived: changes.arrived,
        flags: changes.flags.into_iter().map(fetch_row).collect(),
        rest: changes.rest,
    }
}

fn copied(copied: mailboxes::Copied) -> Answer {
    Answer::Copied(Copied { validity: copied.validity, source: copied.source, target: copied.target })
}

fn fetch_row(row: Row) -> FetchRow {
    FetchRow {
        uid: row.uid,
        flags: row.flags,
        modseq: row.modseq,
        facts: row.facts,
        envelope: row.envelope,
        structure: row.structure,
        sections: row.sections.into_iter().map(piece).collect(),
        binary_sizes: row.binary_sizes,
    }
}

fn piece(found: mailboxes::Piece) -> Piece {
    match found {
        mailboxes::Piece::Missing => Piece::Missing,
        mailboxes::Piece::Undecodable => Piece::Undecodable,
        mailboxes::Piece::Octets { length, start } => Piece::Octets { length, start },
    }
}

fn form_of(form: Form) -> mailboxes::Form {
    match form {
        Form::Raw => mailboxes::Form::Raw,
        Form::Decoded => mailboxes::Form::Decoded,
    }
}

fn wants_of(wants: FetchWants) -> mailboxes::Wants {
    let wanted = |wanted: Wanted| {
        let Wanted { section, partial, form } = wanted;
        mailboxes::Wanted { section, partial, form: form_of(form) }
    };
    mailboxes::Wants {
        facts: wants.facts,
        envelope: wants.envelope,
        structure: wants.structure,
        sections: wants.sections.into_iter().map(wanted).collect(),
        mark_seen: wants.mark_seen,
        changed_since: wants.changed_since,
        binary_sizes: wants.binary_sizes,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::task::Waker;

    use protocol::sasl::{Credentials, Password, SignIn};
    use store::{AccountRef, Change, Commit, Options, Store};
    use wire::registry::{Arrival, Limits, Registry};
    use world::{Clock, Dice, Workers, World};

    use super::*;

    /// A store with the account ann@example.org, and one connection.
    pub(crate) struct Place {
        pub(crate) shared: Arc<Shared>,
        pub(crate) live: Arc<shared::Connection>,
        _dir: tempfile::TempDir,
    }

    /// Runs a test in a runtime of its own.
    pub(crate) fn run(test: impl AsyncFnOnce(Place)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { test(place().await).await });
    }

    async fn place() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::simulated(Timestamp(1_763_800_000_000));
        let world = World::without_network(clock, Dice::seeded(1), Workers::Inline);
        let store = Store::open(&dir.path().join("data"), &world, Options::default()).unwrap();
        store.commit(Commit { content: vec![], changes: account(&world) }).await.unwrap();
        let directory = Arc::new(directory::Directory::new(store.clone(), world.clone()));
        let mailboxes = Mailboxes::new(store.clone(), world.clone());
        let live = Arc::new(connection(&world));
        let settings = settings::resolve("host-name = \"mx.example.org\"").unwrap();
        let properties = queue::Properties::without_network(&settings);
        let shared = Shared::new(world, store, directory, mailboxes, Arc::new(properties));
        Place { shared: Arc::new(shared), live, _dir: dir }
    }

    fn account(world: &World) -> Vec<Change> {
        let at = world.clock.wall();
        let secret = directory::hash_password(&world.dice, &directory::Password("secret".into())).unwrap();
        vec![
            Change::AddDomain { name: "example.org".into(), at },
            Change::AddAccount {
                address: "ann@example.org".into(),
                name: "Ann".into(),
                secret,
                scram: String::new(),
                at,
            },
            Change::AddMailbox {
                account: AccountRef::New(1),
                path: MailboxPath::inbox(),
                uid_validity: 7,
                special_use: None,
                subscribed: true,
            },
        ]
    }

    fn connection(world: &World) -> shared::Connection {
        let arrival = Arrival {
            peer: "192.0.2.7:4711".parse().unwrap(),
            virtual_server: "reading".into(),
            protocol: "imap",
            limits: Limits { total_max: 9, per_source_max: None, ..Limits::NONE },
        };
        let entry = Registry::new(world.clock.clone()).admit(arrival).unwrap();
        let live = entry.live().clone();
        let commands = settings::Commands::default();
        let server = shared::VirtualServer {
            name: "reading".into(),
            service: policy::Service::Smtp,
            relay: settings::Relay::default(),
            message_size_max: 1000,
            hops_max: 100,
            message_rate: None,
            magic: false,
            host_name: None,
            commands,
            sign_in_interval: std::time::Duration::ZERO,
            rights: crate::smtp::account::Rules::default(),
        };
        shared::Connection {
            peer: live.peer(),
            name: crate::arrive::name::ClientName::default(),
            free: false,
            trusted: false,
            relay: policy::RelayFacts::default(),
            server: Arc::new(server),
            live,
        }
    }

    pub(crate) fn credentials(password: &str) -> Ask {
        Ask::Password(Credentials {
            mechanism: "PLAIN",
            authorization: String::new(),
            login: "ann@example.org".into(),
            password: Password(password.into()),
        })
    }

    /// What a decision is in the end.
    pub(crate) async fn decided<A>(decision: Decision<A>) -> A {
        match decision {
            Decision::Now(answer) => answer,
            Decision::Later(answer) => answer.await,
        }
    }

    impl Place {
        fn handler(&self) -> ImapHandler {
            ImapHandler::new(self.shared.clone(), self.live.clone(), self.shared.mailboxes.clone())
        }

        async fn signed_in(&self) -> ImapHandler {
            let mut handler = self.handler();
            let answer = ask(&mut handler, Question::Authenticate(credentials("secret"))).await;
            assert_eq!(answer, Answer::SignIn(SignIn::Accepted("ann@example.org".parse().unwrap()).into()));
            handler
        }
    }

    async fn ask(handler: &mut ImapHandler, question: Question) -> Answer {
        decided(handler.decide(question)).await
    }

    async fn append(handler: &mut ImapHandler, content: &'static str) -> Answer {
        let (to, size) = (MailboxPath::inbox(), content.len() as u64);
        let begin = Question::AppendBegin { to, size, first: true };
        assert_eq!(ask(handler, begin).await, Answer::Done);
        let (first, last) = content.split_at(content.len() / 2);
        assert_eq!(ask(handler, Question::AppendChunk(first.into())).await, Answer::Done);
        ask(handler, Question::AppendFinish { last: last.into(), flags: vec![], date: None }).await
    }

    fn news(handler: &mut ImapHandler) -> bool {
        handler.poll_news(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn nothing_is_shown_before_sign_in() {
        run(async |place: Place| {
            let mut handler = place.handler();
            let refused = ask(&mut handler, Question::Authenticate(credentials("wrong"))).await;
            assert_eq!(refused, Answer::SignIn(SignIn::Refused.into()));
            for question in
                [Question::Mailboxes, Question::Select(MailboxPath::inbox()), Question::Expunge(None)]
            {
                let answer = ask(&mut handler, question).await;
                assert!(matches!(answer, Answer::Cannot(_)), "{answer:?}");
            }
            assert!(!news(&mut handler));
        });
    }

    #[test]
    fn a_selected_mailbox_tells_what_another_session_does() {
        run(async |place: Place| {
            let (mut reader, mut writer) = (place.signed_in().await, place.signed_in().await);
            let Answer::Selected(selected) = ask(&mut reader, Question::Select(MailboxPath::inbox())).await
            else {
                panic!("INBOX is there");
            };
            assert!(!news(&mut reader));
            let appended = append(&mut writer, "Subject: news\r\n\r\nHello\r\n").await;
            assert_eq!(appended, Answer::Appended { validity: 7, uids: Uid(1).into() });
            assert!(news(&mut reader) && !news(&mut reader) && !news(&mut writer));
            let since = selected.highest_modseq;
            let Answer::Changes(changes) = ask(&mut reader, Question::Changes { since }).await else {
                panic!("changes can be asked for");
            };
            assert_eq!(changes.arrived, UidSet::from(Uid(1)));

            let wanted = Wanted {
                section: mail::Section { part: vec![], text: mail::SectionText::Text },
                partial: None,
                form: Form::Raw,
            };
            let wants = FetchWants { facts: true, sections: vec![wanted], ..FetchWants::default() };
            let fetched = ask(&mut reader, Question::Fetch { uids: changes.arrived, wants }).await;
            let Answer::Rows { rows, rest } = fetched else { panic!("{fetched:?}") };
            assert!(rest.is_empty());
            assert_eq!(rows[0].sections, [Piece::Octets { length: 7, start: "Hello\r\n".into() }]);
            assert_eq!(rows[0].facts.map(|(_, size)| size), Some(24));

            assert_eq!(ask(&mut reader, Question::Unselect).await, Answer::Done);
            append(&mut writer, "Subject: more\r\n\r\n").await;
            assert!(!news(&mut reader));
        });
    }

    #[test]
    fn news_of_other_mailboxes_are_not_told() {
        run(async |place: Place| {
            let (mut reader, mut writer) = (place.signed_in().await, place.signed_in().await);
            let other = MailboxPath::parse("other").unwrap();
            assert_eq!(
                ask(&mut writer, Question::Create { path: other.clone(), special_use: None }).await,
                Answer::Done
            );
            assert!(matches!(ask(&mut reader, Question::Select(other)).await, Answer::Selected(_)));
            append(&mut writer, "Subject: news\r\n\r\n").await;
            assert!(!news(&mut reader));
        });
    }

    #[test]
    fn a_select_that_fails_leaves_nothing_selected() {
        run(async |place: Place| {
            let mut handler = place.signed_in().await;
            assert!(matches!(
                ask(&mut handler, Question::Select(MailboxPath::inbox())).await,
                Answer::Selected(_)
            ));
            let nowhere = MailboxPath::parse("nowhere").unwrap();
            assert_eq!(ask(&mut handler, Question::Select(nowhere)).await, Answer::NoSuchMailbox);
            assert!(matches!(ask(&mut handler, Question::Expunge(None)).await, Answer::Cannot(_)));
        });
    }

    #[test]
    fn an_append_that_was_abandoned_leaves_nothing() {
        run(async |place: Place| {
            let mut handler = place.signed_in().await;
            let begin = Question::AppendBegin { to: MailboxPath::inbox(), size: 4, first: true };
            assert_eq!(ask(&mut handler, begin).await, Answer::Done);
            assert_eq!(ask(&mut handler, Question::AppendAbandoned).await, Answer::Done);
            let finish = Question::AppendFinish { last: "abcd".into(), flags: vec![], date: None };
            assert!(matches!(ask(&mut handler, finish).await, Answer::Cannot(_)));
            let status = ask(&mut handler, Question::Status(MailboxPath::inbox())).await;
            let Answer::Status(status) = status else { panic!("{status:?}") };
            assert_eq!((status.messages, status.uid_next), (0, 1));
        });
    }

    #[test]
    fn failures_say_nothing_of_our_insides() {
        let detail = || "/var/lib/secret".to_owned();
        for error in [store::Error::Unavailable(detail()), store::Error::Corrupt(detail())] {
            assert_eq!(refusal(error.into()), Answer::Unavailable);
        }
        assert_eq!(refusal(store::Error::Full(detail()).into()), Answer::TooBig);
        assert_eq!(refusal(Error::Cannot("why")), Answer::Cannot("why"));
    }
}
