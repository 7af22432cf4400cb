//! A small application in memory: enough of a server behind a session for transcripts.
//!
//! It knows the accounts, domains and aliases of a fixture, and their mailboxes. It answers at once and has no
//! policy but this: mail comes in for addresses that exist, and submission relays for those who signed in. What is relayed
//! goes nowhere.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use mail::{Address, Domain, ForwardPath, Host, LocalPart, MailboxPath, Reply, Uid};
use protocol::sasl::{Ask, Challenged, Credentials, Discovery, Proved, SignIn, Told};
use protocol::{Session, imap, pop3, smtp};

use crate::cram;
use crate::files;
use crate::scram;
use crate::transcript::{Check, Fixture};

mod imap_side;
mod lmtp_side;
mod mailbox;
mod names;

pub use imap_side::ImapSide;
pub use lmtp_side::LmtpSide;
use mailbox::{ARRIVAL, Email, Mailbox, VALIDITY};

/// The application's side of a session.
pub trait Side<S: Session> {
    /// Decides a question.
    fn decide(&mut self, question: S::Question) -> S::Answer;
    /// What the session may be told now.
    fn news(&mut self) -> Option<S::News> {
        None
    }
}

impl Side<smtp::ServerSession> for SmtpSide {
    fn decide(&mut self, question: smtp::Question) -> smtp::Answer {
        Self::decide(self, question)
    }
}

impl Side<pop3::ServerSession> for Pop3Side {
    fn decide(&mut self, question: pop3::Question) -> pop3::Answer {
        Self::decide(self, question)
    }
}

impl Side<imap::ServerSession> for ImapSide {
    fn decide(&mut self, question: imap::Question) -> imap::Answer {
        Self::decide(self, question)
    }

    fn news(&mut self) -> Option<imap::News> {
        Self::news(self)
    }
}

/// What the connections of one play share.
#[derive(Debug, Default)]
pub struct Fake {
    accounts: BTreeMap<Address, Account>,
    aliases: BTreeMap<Address, Address>,
    /// Bearer tokens, and whose they are.
    tokens: BTreeMap<String, String>,
    /// The first is the one that a local part alone belongs to.
    domains: Vec<Domain>,
    messages: u64,
}

/// Shared by the connections of one thread.
pub type Shared = Rc<RefCell<Fake>>;

#[derive(Debug)]
struct Account {
    password: String,
    /// INBOX is always there.
    mailboxes: BTreeMap<MailboxPath, Mailbox>,
    /// With mailboxes or without.
    subscriptions: BTreeSet<MailboxPath>,
    /// A POP3 session has the maildrop.
    locked: bool,
}

/// An alias may lead to an alias, so often.
const ALIAS_STEPS_MAX: usize = 8;

impl Fake {
    /// What a fixture gives. The error names the line's content that cannot be.
    pub fn new(fixture: &Fixture) -> Result<Self, String> {
        let mut fake = Self { tokens: fixture.tokens.iter().cloned().collect(), ..Self::default() };
        for (address, password) in &fixture.accounts {
            let address = fake.ours(address)?;
            fake.accounts.insert(address, Account::new(password.clone()));
        }
        for domain in &fixture.domains {
            fake.domains.push(Domain::parse(domain).map_err(|error| format!("{domain}: {error}"))?);
        }
        for (alias, target) in &fixture.aliases {
            let (alias, target) = (fake.ours(alias)?, parse(target)?);
            fake.aliases.insert(alias, target);
        }
        for (address, file) in &fixture.mail {
            let content = files::mail(file).map_err(|error| error.to_string())?;
            let account =
                fake.accounts.get_mut(&parse(address)?).ok_or_else(|| format!("{address} has no account"))?;
            account.file(content.into());
        }
        Ok(fake)
    }

    /// Parses an address and makes its domain ours.
    fn ours(&mut self, text: &str) -> Result<Address, String> {
        let address = parse(text)?;
        if let Some(domain) = address.domain().filter(|domain| !self.domains.contains(domain)) {
            self.domains.push(domain.clone());
        }
        Ok(address)
    }

    /// Whether this is true.
    pub fn check(&self, check: &Check) -> Result<(), String> {
        let Check::Mail(address, count) = check else { return Ok(()) }; // Stories are told by a whole server.
        let account =
            self.accounts.get(&parse(address)?).ok_or_else(|| format!("{address} has no account"))?;
        let there = account.mailboxes[&MailboxPath::inbox()].emails.len();
        if there == *count {
            Ok(())
        } else {
            Err(format!("INBOX of {address} holds {there} emails, not {count}"))
        }
    }

    /// Decides a step of a sign-in.
    fn told(&self, ask: &Ask) -> Told {
        match ask {
            Ask::Password(credentials) => self.sign_in(credentials).into(),
            Ask::Keys(wanted) => {
                let account = self.login(&wanted.login).and_then(|address| self.accounts.get(&address));
                Told::Keys(scram::keys(
                    wanted.hash,
                    account.map_or("nobody has it", |account| &account.password),
                ))
            }
            Ask::Proved(Proved { login, authorization, .. }) => self.proved(login, authorization).into(),
            Ask::Disproved(_) => SignIn::Refused.into(),
            Ask::Token(token) => self.token(&token.token.0, &token.authorization),
            Ask::Certificate(shown) if shown.verified => {
                let email = shown.certificate.names.first();
                email.map_or(SignIn::Refused, |email| self.proved(email, &shown.authorization)).into()
            }
            Ask::Certificate(_) => SignIn::Refused.into(),
            Ask::Challenged(Challenged { login, challenge, digest }) => {
                let account = self.login(login).and_then(|address| self.accounts.get(&address));
                match account.filter(|it| cram::digest(&it.password, challenge) == *digest) {
                    Some(_) => self.proved(login, "").into(),
                    None => SignIn::Refused.into(),
                }
            }
        }
    }

    /// Whoever has a wrong token is told which would be right.
    fn token(&self, token: &str, authorization: &str) -> Told {
        match self.tokens.get(token).map(|address| self.proved(address, authorization)) {
            Some(SignIn::Accepted(address)) => SignIn::Accepted(address).into(),
            _ => Told::TokenRefused(Discovery {
                scope: Some("mail".into()),
                openid_configuration: Some("https://issuer.example/.well-known/openid-configuration".into()),
            }),
        }
    }

    fn proved(&self, login: &str, authorization: &str) -> SignIn {
        match self.login(login).filter(|address| self.accounts.contains_key(address)) {
            Some(address)
                if authorization.is_empty() || self.login(authorization).as_ref() == Some(&address) =>
            {
                SignIn::Accepted(address)
            }
            _ => SignIn::Refused,
        }
    }

    /// Whether these credentials are right.
    fn sign_in(&self, credentials: &Credentials) -> SignIn {
        let Some(address) = self.login(&credentials.login) else { return SignIn::Refused };
        let acts_as_other = !credentials.authorization.is_empty()
            && self.login(&credentials.authorization).as_ref() != Some(&address);
        match self.accounts.get(&address) {
            Some(account) if account.password == credentials.password.0 && !acts_as_other => {
                SignIn::Accepted(address)
            }
            _ => SignIn::Refused,
        }
    }

    /// An address, or a local part of the first domain.
    fn login(&self, text: &str) -> Option<Address> {
        if text.contains('@') {
            return parse(text).ok();
        }
        let host = Host::Domain(self.domains.first()?.clone());
        Some(Address::new(LocalPart::parse(text).ok()?, host).ok()?.canonical())
    }

    /// Whose INBOX a recipient is, or the reply that refuses it.
    fn resolve(&self, path: &ForwardPath) -> Result<Option<Address>, Reply> {
        let mut address = match path {
            ForwardPath::Postmaster => return Ok(self.accounts.keys().next().cloned()),
            ForwardPath::Address(address) => address.canonical(),
        };
        if !address.domain().is_some_and(|domain| self.domains.contains(domain)) {
            return Err(relaying_denied());
        }
        for _ in 0..ALIAS_STEPS_MAX {
            match self.aliases.get(&address) {
                Some(target) => address = target.clone(),
                None => break,
            }
        }
        if self.accounts.contains_key(&address) {
            return Ok(Some(address));
        }
        // RFC 5321 §4.5.1: postmaster is always accepted.
        if address.local.as_str().eq_ignore_ascii_case("postmaster") {
            return Ok(self.accounts.keys().next().cloned());
        }
        Err(Reply::new(550, (5, 1, 1), "No such mailbox"))
    }
}

impl Account {
    fn inbox(&mut self) -> &mut Mailbox {
        self.mailboxes.get_mut(&MailboxPath::inbox()).expect("INBOX is always there")
    }

    fn file(&mut self, content: Bytes) {
        self.inbox().file(Email::new(content, Vec::new(), ARRIVAL));
    }
}

/// A domain of one word, which is none in the world (RFC 6409 §4.2).
fn is_bare(address: &Address) -> bool {
    address.domain().is_some_and(|domain| !domain.as_str().contains('.'))
}

fn relaying_denied() -> Reply {
    Reply::new(550, (5, 7, 1), "Relaying is not allowed")
}

fn parse(text: &str) -> Result<Address, String> {
    Address::parse(text).map(|address| address.canonical()).map_err(|error| format!("{text}: {error}"))
}

/// The application's side of one SMTP connection.
#[derive(Debug)]
pub struct SmtpSide {
    fake: Shared,
    /// Whether it relays for those who signed in.
    is_submission: bool,
    /// Whether the open transaction may go to other domains.
    relays: bool,
    /// To whom the open transaction goes.
    recipients: BTreeSet<Address>,
    content: Vec<u8>,
    extras: Extras,
}

/// What an [`SmtpSide`] does beside mail.
#[derive(Debug, Clone, Default)]
pub struct Extras {
    /// What any client may do that XCLIENT names; none: nobody is believed.
    pub clients: Option<Arc<smtp::Config>>,
    /// Domains whose mail is held until ETRN; none waits.
    pub held: Vec<Domain>,
}

impl SmtpSide {
    /// For a new connection that relays nothing.
    pub fn new(fake: Shared) -> Self {
        let (recipients, content) = (BTreeSet::new(), Vec::new());
        let extras = Extras::default();
        Self { fake, is_submission: false, relays: false, recipients, content, extras }
    }

    /// For a new connection that relays for those who signed in.
    pub fn submission(fake: Shared) -> Self {
        Self { is_submission: true, ..Self::new(fake) }
    }

    /// The same with something beside mail.
    pub fn with(self, extras: Extras) -> Self {
        Self { extras, ..self }
    }

    /// Decides a question.
    pub fn decide(&mut self, question: smtp::Question) -> smtp::Answer {
        use smtp::{Answer, Question};
        match question {
            Question::Authenticate(ask) => Answer::SignIn(self.fake.borrow().told(&ask)),
            Question::Sender(sender) => {
                self.forget();
                self.relays = self.is_submission && sender.hello.account.is_some();
                let is_bare = self.is_submission && sender.path.address().is_some_and(is_bare);
                Answer::Reply(match is_bare {
                    true => Reply::new(554, (5, 1, 8), "The domain must be written in full"),
                    false => Reply::new(250, (2, 1, 0), "Sender taken"),
                })
            }
            Question::Recipient(recipient) => Answer::Reply(self.recipient(&recipient.path)),
            Question::Begin => Answer::Reply(Reply::plain(354, "End with a dot on a line of its own")),
            Question::Chunk(piece) => {
                self.content.extend_from_slice(&piece);
                Answer::Taken
            }
            Question::Finish { last, size, .. } => Answer::Reply(self.finish(&last, size)),
            Question::Refused(_) | Question::Abandoned => {
                self.forget();
                Answer::Taken
            }
            Question::Verify(lookup) if lookup.signed_in => {
                Answer::Reply(Reply::new(250, (2, 1, 5), format!("<{}>", lookup.what)))
            }
            // RFC 5321 §7.3: who is here is not told to strangers.
            Question::Verify(_) => Answer::Reply(Reply::new(252, (2, 1, 5), "Send some mail, it may arrive")),
            Question::Expand(_) => Answer::Reply(Reply::new(252, (2, 1, 5), "Lists are not shown")),
            Question::Release(whose) => Answer::Reply(self.release(&whose)),
            Question::Client(client) => self.introduce(&client),
        }
    }

    /// RFC 1985 §5.1.
    fn release(&self, whose: &smtp::Etrn) -> Reply {
        let (is_held, name) = match whose {
            smtp::Etrn::Domain(domain) => (self.extras.held.contains(domain), domain.to_string()),
            smtp::Etrn::Below(domain) => (false, format!("@{domain}")),
            smtp::Etrn::Queue(name) => (false, format!("#{name}")),
        };
        match is_held {
            true => Reply::new(251, (2, 0, 0), format!("No messages waiting for {name}")),
            false => Reply::new(459, (4, 7, 1), format!("{name} is not for this client")),
        }
    }

    fn introduce(&self, client: &smtp::Client) -> smtp::Answer {
        let refused = |text| smtp::Answer::Reply(Reply::new(550, (5, 7, 1), text));
        let login = client.login.as_ref().and_then(|login| login.known());
        let account = login.and_then(|login| self.fake.borrow().login(login));
        match (&self.extras.clients, login, account) {
            (None, ..) => refused("Nobody is believed here"),
            (_, Some(_), None) => refused("No such account"),
            (Some(_), Some(_), Some(account)) if !self.fake.borrow().accounts.contains_key(&account) => {
                refused("No such account")
            }
            (Some(config), _, account) => {
                let introduced = smtp::Introduced { config: config.clone(), account };
                smtp::Answer::Introduced(Box::new(introduced))
            }
        }
    }

    fn recipient(&mut self, path: &ForwardPath) -> Reply {
        let resolved = self.fake.borrow().resolve(path);
        match resolved {
            Ok(address) => {
                self.recipients.extend(address);
                Reply::new(250, (2, 1, 5), "Recipient taken")
            }
            Err(_) if self.is_submission && path.address().is_some_and(is_bare) => {
                Reply::new(554, (5, 1, 2), "The domain must be written in full")
            }
            Err(reply) if reply == relaying_denied() && self.relays => {
                Reply::new(250, (2, 1, 5), "Recipient taken for its own server")
            }
            Err(reply) => reply,
        }
    }

    fn finish(&mut self, last: &[u8], size: u64) -> Reply {
        self.content.extend_from_slice(last);
        assert_eq!(self.content.len() as u64, size, "the pieces and the size that the session told");
        let content = Bytes::from(std::mem::take(&mut self.content));
        // RFC 6409 §6.3.
        if self.is_submission && mail::message::Header::parse(&content).count("From") != 1 {
            self.forget();
            return Reply::new(554, (5, 6, 0), "From must be there, once");
        }
        let mut fake = self.fake.borrow_mut();
        fake.messages += 1;
        for address in &self.recipients {
            fake.accounts.get_mut(address).expect("resolved to an account").file(content.clone());
        }
        let number = fake.messages;
        drop(fake);
        self.forget();
        Reply::new(250, (2, 0, 0), format!("Kept as {number:013}"))
    }

    fn forget(&mut self) {
        self.recipients.clear();
        self.content.clear();
    }
}

/// The application's side of one POP3 connection. Dropping it unlocks the maildrop.
#[derive(Debug)]
pub struct Pop3Side {
    fake: Shared,
    account: Option<Address>,
    holds_lock: bool,
}

impl Pop3Side {
    /// For a new connection.
    pub fn new(fake: Shared) -> Self {
        Self { fake, account: None, holds_lock: false }
    }

    /// Decides a question.
    pub fn decide(&mut self, question: pop3::Question) -> pop3::Answer {
        use pop3::{Answer, Question};
        let mut fake = self.fake.borrow_mut();
        if let Question::Authenticate(ask) = &question {
            let told = fake.told(ask);
            if let Told::SignIn(SignIn::Accepted(address)) = &told {
                self.account = Some(address.clone());
            }
            return Answer::SignIn(told);
        }
        let account = self.account.as_ref().and_then(|address| fake.accounts.get_mut(address));
        let Some(account) = account else { return Answer::Unavailable };
        match question {
            Question::Authenticate(_) => unreachable!("decided above"),
            Question::Open if account.locked => Answer::InUse,
            Question::Open => {
                account.locked = true;
                self.holds_lock = true;
                account.listed()
            }
            Question::Read { uid, offset } => Answer::Content(account.piece(uid, offset)),
            Question::Remove(uids) => {
                account.inbox().remove(&uids);
                Answer::Removed
            }
        }
    }
}

impl Drop for Pop3Side {
    fn drop(&mut self) {
        let Some(address) = self.account.as_ref().filter(|_| self.holds_lock) else { return };
        if let Some(account) = self.fake.borrow_mut().accounts.get_mut(address) {
            account.locked = false;
        }
    }
}

/// Content is handed out in small pieces, so that what happens between pieces is played.
const PIECE_MAX: usize = 50;

impl Account {
    fn listed(&mut self) -> pop3::Answer {
        let emails = self.inbox().emails.iter();
        let emails = emails.map(|(&uid, email)| pop3::Listing { uid, size: email.content.len() as u64 });
        pop3::Answer::Maildrop { validity: VALIDITY, emails: emails.collect::<Arc<[_]>>() }
    }

    fn piece(&mut self, uid: Uid, offset: u64) -> Bytes {
        let Some(Email { content, .. }) = self.inbox().emails.get(&uid) else { return Bytes::new() };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        content.slice(start..content.len().min(start + PIECE_MAX))
    }
}
