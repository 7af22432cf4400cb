//! The directory: look-ups in the store, and what is remembered of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use mail::{Address, Domain, ForwardPath, Host, MailboxPath};
use settings::{Settings, SignInLimits};
use store::{DomainRecord, Error, Store};
use world::World;

use crate::door::Door;
use crate::gate::Gate;
use crate::limits::RESOLUTIONS_MAX;
use crate::remembered::Remembered;
use crate::resolution::{Entry, Expansion, LocalRecipient, Resolution};
use crate::tokens::Tokens;
use crate::turns::Turns;

/// Who receives mail here, and who may sign in.
#[derive(Debug)]
pub struct Directory {
    pub(crate) store: Store,
    pub(crate) world: World,
    /// Domains of ours whose mail another server keeps.
    handed_on: Mutex<Arc<BTreeSet<Domain>>>,
    known: Mutex<Known>,
    pub(crate) remembered: Remembered,
    pub(crate) door: Door,
    pub(crate) tokens: Tokens,
    pub(crate) turns: Turns,
}

/// What was looked up since the directory changed last.
#[derive(Debug, Default)]
struct Known {
    /// The store's directory generation that it belongs to.
    generation: u64,
    domains: Option<Arc<[Domain]>>,
    /// Domains that stand for others, and for which.
    aliases: Arc<BTreeMap<Domain, Domain>>,
    resolutions: HashMap<ForwardPath, Resolution>,
}

impl Directory {
    /// A directory over a store.
    pub fn new(store: Store, world: World) -> Self {
        let remembered = Remembered::new(&world.dice);
        let tokens = Tokens::new(&world.dice);
        let door = Arc::new(Mutex::new(Gate::new(SignInLimits::default())));
        let turns = Turns::new(world.workers.slow_max());
        Self {
            store,
            world,
            handed_on: Mutex::default(),
            known: Mutex::default(),
            remembered,
            door,
            tokens,
            turns,
        }
    }

    /// With these domains, too: they are ours, and their mail is handed on to another server, whatever the store says.
    #[must_use]
    pub fn handing_on(self, domains: impl IntoIterator<Item = Domain>) -> Self {
        self.hand_on(domains.into_iter().collect());
        self
    }

    /// From now on these settings hold: whose mail is handed on, and how sign-ins are limited.
    pub fn apply(&self, settings: &Settings) {
        self.hand_on(settings.local_domains.iter().flat_map(|local| local.domains.iter().cloned()).collect());
        self.limit_sign_ins(settings.sign_in);
    }

    fn hand_on(&self, domains: BTreeSet<Domain>) {
        *self.handed_on.lock().expect("nobody panics with the lock") = Arc::new(domains);
        // What was looked up before may be otherwise now.
        let generation = self.store.directory_generation();
        *self.known.lock().expect("nobody panics with the lock") = Known { generation, ..Known::default() };
    }

    fn handed_on(&self) -> Arc<BTreeSet<Domain>> {
        self.handed_on.lock().expect("nobody panics with the lock").clone()
    }

    /// What a recipient means, if that is in memory and still true.
    pub fn resolve_cached(&self, path: &ForwardPath) -> Option<Resolution> {
        let known = self.known();
        let elsewhere = |domains: &Arc<[Domain]>| self.by_domain(path, domains);
        known
            .domains
            .as_ref()
            .and_then(elsewhere)
            .or_else(|| known.resolutions.get(&canonical(path)).cloned())
    }

    /// What a recipient means. Local parts compare without case; postmaster, with each of our domains and without one, is
    /// always known (RFC 5321 §4.5.1).
    ///
    /// # Errors
    /// The store's: whether the recipient is known cannot be said now.
    pub async fn resolve(&self, path: &ForwardPath) -> Result<Resolution, Error> {
        let path = canonical(path);
        // Before the look-up: what is found after a change must not be remembered as found before it.
        let generation = self.store.directory_generation();
        if let Some(resolution) = self.known().resolutions.get(&path) {
            return Ok(resolution.clone());
        }
        let resolution = self.look_up(&path).await?;
        let mut known = self.known();
        // Addresses elsewhere are known by their domain: each remembered would push one of ours out.
        let is_ours = !matches!(resolution, Resolution::NotLocal | Resolution::HandedOn);
        if known.generation == generation && is_ours {
            if known.resolutions.len() >= RESOLUTIONS_MAX {
                known.resolutions.clear();
            }
            known.resolutions.insert(path, resolution.clone());
        }
        Ok(resolution)
    }

    /// Our domains, the oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn domains(&self) -> Result<Arc<[Domain]>, Error> {
        let generation = self.store.directory_generation();
        if let Some(domains) = &self.known().domains {
            return Ok(domains.clone());
        }
        let mut records = self.store.domains().await?;
        records.sort_by_key(|record| record.at);
        // A domain that stands for another is never the default one: logins and postmaster mean the other.
        records.sort_by_key(|record| record.alias_of.is_some());
        let domains: Arc<[Domain]> =
            records.iter().map(|record| domain(&record.name)).collect::<Result<_, _>>()?;
        let alias = |record: &DomainRecord| {
            let of = record.alias_of.as_ref()?;
            Some(domain(&record.name).and_then(|name| Ok((name, domain(of)?))))
        };
        let aliases = records.iter().filter_map(alias).collect::<Result<_, _>>()?;
        let mut known = self.known();
        if known.generation == generation {
            known.domains = Some(domains.clone());
            known.aliases = Arc::new(aliases);
        }
        Ok(domains)
    }

    /// Our domains, the oldest first, if they are in memory.
    pub(crate) fn domains_known(&self) -> Option<Arc<[Domain]>> {
        self.known().domains.clone()
    }

    /// What is remembered; nothing if the directory has changed since.
    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().expect("nobody panics with the lock");
        let generation = self.store.directory_generation();
        if known.generation != generation {
            *known = Known { generation, ..Known::default() };
        }
        known
    }

    async fn look_up(&self, path: &ForwardPath) -> Result<Resolution, Error> {
        let domains = self.domains().await?;
        if let Some(elsewhere) = self.by_domain(path, &domains) {
            return Ok(elsewhere);
        }
        let handed_on = self.handed_on();
        let address = match path {
            ForwardPath::Address(address) => address.clone(),
            ForwardPath::Postmaster => match domains.iter().find(|domain| !handed_on.contains(domain)) {
                Some(domain) => postmaster(domain)?,
                None => return Ok(Resolution::Unattended),
            },
        };
        let address = self.stands_for(address).await?;
        let is_postmaster = address.local.as_str().eq_ignore_ascii_case("postmaster");
        match self.expand(address).await? {
            found if !found.is_empty() => Ok(Resolution::Recipients(found)),
            _ if is_postmaster => self.administrator().await,
            _ => Ok(Resolution::UnknownHere),
        }
    }

    /// What the domain alone says, unless its mailboxes are here. An address literal is no domain of ours: nobody has an
    /// address there.
    fn by_domain(&self, path: &ForwardPath, domains: &[Domain]) -> Option<Resolution> {
        let domain = path.address()?.domain();
        match domain {
            Some(domain) if self.handed_on().contains(domain) => Some(Resolution::HandedOn),
            Some(domain) if domains.contains(domain) => None,
            _ => Some(Resolution::NotLocal),
        }
    }

    /// The address that one of a domain that stands for another means.
    pub(crate) async fn stands_for(&self, address: Address) -> Result<Address, Error> {
        self.domains().await?;
        let aliases = self.known().aliases.clone();
        match address.domain().and_then(|domain| aliases.get(domain)) {
            None => Ok(address),
            Some(of) => Address::new(address.local.clone(), Host::Domain(of.clone()))
                .map_err(|_| Error::Corrupt(format!("{address} is too long in the domain {of}"))),
        }
    }

    async fn expand(&self, address: Address) -> Result<Vec<LocalRecipient>, Error> {
        let mut expansion = Expansion::of(address);
        while let Some(next) = expansion.next() {
            let meant = self.stands_for(next).await?;
            expansion.take(self.entry(&meant).await?);
        }
        Ok(expansion.end())
    }

    async fn entry(&self, address: &Address) -> Result<Entry, Error> {
        let text = address.to_string();
        if let Some(account) = self.store.account_by_address(&text).await? {
            return Ok(Entry::Account(self.recipient(account.id, address.clone()).await?));
        }
        let Some(alias) = self.store.alias(&text).await? else { return Ok(Entry::Nothing) };
        let targets: Result<Vec<Address>, Error> =
            alias.targets.iter().map(|target| parsed(target)).collect();
        Ok(Entry::Alias(targets?))
    }

    /// Postmaster's mail, where no account and no alias was made for it, goes to the account that was made first.
    async fn administrator(&self) -> Result<Resolution, Error> {
        let accounts = self.store.accounts().await?;
        let Some(first) = accounts.iter().min_by_key(|account| account.id) else {
            return Ok(Resolution::Unattended);
        };
        Ok(Resolution::Recipients(vec![self.recipient(first.id, parsed(&first.address)?).await?]))
    }

    async fn recipient(&self, account: i64, address: Address) -> Result<LocalRecipient, Error> {
        let inbox = self.store.mailbox_by_path(account, &MailboxPath::inbox()).await?;
        let inbox = inbox.ok_or_else(|| Error::Corrupt(format!("account {account} has no INBOX")))?.id;
        Ok(LocalRecipient { account, inbox, address })
    }
}

fn canonical(path: &ForwardPath) -> ForwardPath {
    match path {
        ForwardPath::Postmaster => ForwardPath::Postmaster,
        ForwardPath::Address(address) => ForwardPath::Address(address.canonical()),
    }
}

fn postmaster(domain: &Domain) -> Result<Address, Error> {
    parsed(&format!("postmaster@{domain}"))
}

/// An address of ours as it is stored; another one than we could have stored is damage.
pub(crate) fn parsed(stored: &str) -> Result<Address, Error> {
    Address::parse(stored).map_err(|_| Error::Corrupt(format!("{stored:?} is stored, and no address")))
}

fn domain(stored: &str) -> Result<Domain, Error> {
    Domain::parse(stored).map_err(|_| Error::Corrupt(format!("{stored:?} is stored, and no domain")))
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use store::{AccountRef, Change, Commit};
    use world::{Clock, Dice, Workers};

    use super::*;
    use crate::Right;
    use crate::passwords::{Password, hash_password};
    use crate::sign_in::{Credentials, Origin, Principal, Scope, SignIn};

    struct Here {
        directory: Directory,
        _dir: tempfile::TempDir,
    }

    async fn here(changes: Vec<Change>) -> Here {
        let dir = tempfile::tempdir().unwrap();
        let world = World::without_network(Clock::Real, Dice::seeded(1), Workers::Inline);
        let store = Store::open(&dir.path().join("data"), &world, store::Options::default()).unwrap();
        let here = Here { directory: Directory::new(store, world), _dir: dir };
        here.change(changes).await;
        here
    }

    impl Here {
        async fn change(&self, changes: Vec<Change>) {
            self.directory.store.commit(Commit { content: Vec::new(), changes }).await.unwrap();
        }

        /// `not-local`, `unknown`, `unattended`, or the accounts.
        async fn resolve(&self, path: &str) -> String {
            let path = ForwardPath::parse(path).unwrap();
            let resolution = self.directory.resolve(&path).await.unwrap();
            assert_eq!(self.directory.resolve_cached(&path), Some(resolution.clone()), "it is in memory now");
            match resolution {
                Resolution::NotLocal => "not-local".into(),
                Resolution::HandedOn => "handed-on".into(),
                Resolution::UnknownHere => "unknown".into(),
                Resolution::Unattended => "unattended".into(),
                Resolution::Recipients(all) => {
                    all.iter().map(|found| found.address.to_string()).collect::<Vec<_>>().join(" ")
                }
            }
        }

        async fn check(&self, table: &[(&str, &str)]) {
            for (path, expected) in table {
                assert_eq!(self.resolve(path).await, *expected, "{path}");
            }
        }

        async fn sign_in(&self, login: &str, authorization: &str, password: &str) -> Option<String> {
            let credentials = Credentials {
                login: login.into(),
                authorization: authorization.into(),
                password: Password(password.into()),
            };
            let origin = Origin { peer: [192, 0, 2, 1].into(), trusted: true, service: Scope::Imap };
            match self.directory.sign_in(credentials, &origin).await {
                SignIn::Accepted(principal) => Some(principal.address.to_string()),
                SignIn::Refused | SignIn::Later => None,
                SignIn::Unavailable(error) => panic!("{error}"),
            }
        }
    }

    fn domain(name: &str, at: i64) -> Change {
        Change::AddDomain { name: name.into(), at: Timestamp(at) }
    }

    /// The account and its INBOX; `place` is that of the account in its commit.
    fn account(place: usize, address: &str, password: &str) -> Vec<Change> {
        let secret = match password {
            "" => String::new(),
            password => hash_password(&Dice::seeded(1), &Password(password.into())).unwrap(),
        };
        let account = Change::AddAccount {
            address: address.into(),
            name: String::new(),
            secret,
            scram: String::new(),
            at: Timestamp(0),
        };
        let inbox = Change::AddMailbox {
            account: AccountRef::New(place),
            path: MailboxPath::inbox(),
            uid_validity: 1,
            special_use: None,
            subscribed: true,
        };
        vec![account, inbox]
    }

    fn alias(address: &str, targets: &[&str]) -> Change {
        let targets = targets.iter().map(|target| target.to_string()).collect();
        Change::AddAlias { address: address.into(), targets, at: Timestamp(0) }
    }

    #[tokio::test]
    async fn recipients_resolve_and_changes_are_seen() {
        let here = here(vec![domain("b.example", 1), domain("a.example", 2)]).await;
        here.check(&[
            ("<bob@b.example>", "unknown"),
            ("<bob@elsewhere.example>", "not-local"),
            ("<bob@[192.0.2.1]>", "not-local"),
            ("<postmaster@a.example>", "unattended"),
            ("<Postmaster>", "unattended"),
        ])
        .await;
        here.change(account(0, "bob@b.example", "")).await;
        here.change(account(0, "ann@a.example", "")).await;
        here.change(vec![alias("all@a.example", &["bob@b.example", "ann@a.example", "gone@a.example"])])
            .await;
        here.check(&[
            ("<bob@b.example>", "bob@b.example"),
            ("<BOB@B.Example>", "bob@b.example"),
            ("<bob@a.example>", "unknown"),
            ("<All@a.example>", "bob@b.example ann@a.example"),
            ("<Postmaster>", "bob@b.example"),
            ("<postMASTER@a.example>", "bob@b.example"),
        ])
        .await;
        here.change(vec![alias("postmaster@b.example", &["ann@a.example"])]).await;
        here.check(&[
            ("<postmaster>", "ann@a.example"),
            ("<postmaster@b.example>", "ann@a.example"),
            ("<postmaster@a.example>", "bob@b.example"),
        ])
        .await;
    }

    #[tokio::test]
    async fn a_domain_stands_for_another() {
        let here = here(vec![domain("b.example", 5)]).await;
        here.change(account(0, "bob@b.example", "secret")).await;
        here.check(&[("<bob@a.example>", "not-local")]).await;
        let (name, of) = ("a.example".into(), "b.example".into());
        here.change(vec![Change::AddAliasDomain { name, of, at: Timestamp(1) }]).await;
        here.change(vec![alias("all@b.example", &["bob@a.example"])]).await;
        here.check(&[
            ("<bob@a.example>", "bob@b.example"),
            ("<BOB@A.example>", "bob@b.example"),
            ("<all@a.example>", "bob@b.example"),
            ("<eve@a.example>", "unknown"),
            ("<postmaster@a.example>", "bob@b.example"),
        ])
        .await;
        for login in ["bob", "bob@b.example", "bob@a.example"] {
            let bob = Some("bob@b.example".to_owned());
            assert_eq!(here.sign_in(login, "", "secret").await, bob, "{login}");
        }
        here.change(vec![Change::RemoveDomain { name: "a.example".into() }]).await;
        here.check(&[("<bob@a.example>", "not-local")]).await;
    }

    /// For each address, whether the account of bob may send as it.
    async fn check_rights(here: &Here, account: i64, expected: &[(&str, Right)]) {
        let principal = Principal { account, address: "bob@b.example".parse().unwrap(), app_password: None };
        for (address, right) in expected {
            let found = here.directory.right_to(&principal, &address.parse().unwrap()).await.unwrap();
            assert_eq!(found, *right, "{address}");
        }
    }

    #[tokio::test]
    async fn an_account_sends_as_itself_and_as_what_it_was_given() {
        let here = here(vec![domain("b.example", 1)]).await;
        here.change(account(0, "bob@b.example", "")).await;
        here.change(account(0, "ann@b.example", "")).await;
        here.change(vec![alias("sales@b.example", &["ann@b.example", "bob@b.example"])]).await;
        let bob = here.directory.store.account_by_address("bob@b.example").await.unwrap().unwrap().id;
        let given = |address: &str| Change::AddSendAs { account: bob, address: address.into() };
        check_rights(
            &here,
            bob,
            &[
                ("bob@b.example", Right::Own),
                ("BOB@B.example", Right::Own),
                ("sales@b.example", Right::Own),
                ("postmaster@b.example", Right::Own),
                ("ann@b.example", Right::None),
                ("eve@b.example", Right::None),
                ("news@partner.example", Right::None),
            ],
        )
        .await;
        here.change(vec![given("ann@b.example"), given("@partner.example")]).await;
        check_rights(
            &here,
            bob,
            &[
                ("Ann@b.example", Right::Given),
                ("news@partner.example", Right::Given),
                ("news@sub.partner.example", Right::None),
                ("news@[192.0.2.1]", Right::None),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn an_app_password_opens_what_it_is_for() {
        let here = here(vec![domain("b.example", 1)]).await;
        here.change(account(0, "bob@b.example", "secret")).await;
        here.change(account(0, "ann@b.example", "")).await;
        let id = |address: &'static str| async {
            here.directory.store.account_by_address(address).await.unwrap().unwrap().id
        };
        let (bob, ann) = (id("bob@b.example").await, id("ann@b.example").await);
        let add = |account, name: &str, scope: &str, expires: Option<i64>| {
            let made = here.directory.new_app_password(account);
            let (name, scope, secret) = (name.to_owned(), scope.to_owned(), made.secret);
            let (at, expires) = (Timestamp(0), expires.map(Timestamp));
            (made.password, Change::AddAppPassword { account, name, secret, scope, at, expires })
        };
        let (phone, first) = add(bob, "phone", "imap", None);
        let (printer, second) = add(bob, "printer", "smtp pop3", None);
        let (old, third) = add(bob, "old", "imap", Some(1));
        let (hers, fourth) = add(ann, "phone", "smtp imap pop3", None);
        here.change(vec![first, second, third, fourth]).await;
        let by = |login: &'static str, password: &Password, service| {
            let (login, authorization) = (login.to_owned(), String::new());
            let credentials = Credentials { login, authorization, password: password.clone() };
            let origin = Origin { peer: [192, 0, 2, 1].into(), trusted: true, service };
            let here = &here;
            async move {
                match here.directory.sign_in(credentials, &origin).await {
                    SignIn::Accepted(principal) => principal.app_password,
                    other => Some(format!("{other:?}")),
                }
            }
        };
        let refused = || Some("Refused".to_owned());
        assert_eq!(by("bob", &phone, Scope::Imap).await, Some("phone".into()));
        assert_eq!(by("bob", &phone, Scope::Smtp).await, refused());
        assert_eq!(by("bob", &printer, Scope::Smtp).await, Some("printer".into()));
        assert_eq!(by("bob", &printer, Scope::Pop3).await, Some("printer".into()));
        assert_eq!(by("bob", &old, Scope::Imap).await, refused());
        assert_eq!(by("bob", &hers, Scope::Imap).await, refused());
        assert_eq!(by("ann", &hers, Scope::Imap).await, Some("phone".into()));
        assert_eq!(by("bob", &Password("secret".into()), Scope::Smtp).await, None);
        let used = here.directory.store.app_passwords(bob).await.unwrap();
        assert!(used.iter().all(|kept| kept.last_used.is_some() == (kept.name != "old")), "{used:?}");
        here.change(vec![Change::RemoveAppPassword { account: bob, name: "phone".into() }]).await;
        assert_eq!(by("bob", &phone, Scope::Imap).await, refused(), "it is taken back at once");
    }

    #[tokio::test]
    async fn without_a_domain_there_is_postmaster_alone() {
        let here = here(Vec::new()).await;
        here.check(&[("<postmaster>", "unattended"), ("<postmaster@a.example>", "not-local")]).await;
        assert_eq!(here.sign_in("bob", "", "secret").await, None);
    }

    #[tokio::test]
    async fn a_password_opens_its_account_alone() {
        let here = here(vec![domain("b.example", 1), domain("a.example", 2)]).await;
        here.change(account(0, "bob@b.example", "secret")).await;
        here.change(account(0, "ann@a.example", "")).await;
        let bob = Some("bob@b.example".to_owned());
        for (login, authorization, password, expected) in [
            ("bob@b.example", "", "secret", &bob),
            ("Bob@B.example", "bob", "secret", &bob),
            ("bob", "", "secret", &bob),
            ("bob@b.example", "", "Secret", &None),
            ("bob@b.example", "", "", &None),
            ("bob@b.example", "ann@a.example", "secret", &None),
            ("bob@b.example", "<>", "secret", &None),
            ("<>", "<>", "secret", &None),
            ("ann@a.example", "", "", &None),
            ("ann@a.example", "", "secret", &None),
            ("nobody@b.example", "", "secret", &None),
            ("", "", "", &None),
            ("no login at all", "", "secret", &None),
        ] {
            assert_eq!(here.sign_in(login, authorization, password).await, *expected, "{login} {password}");
        }
    }

    #[tokio::test]
    async fn a_changed_password_is_forgotten_at_once() {
        let here = here(vec![domain("a.example", 1)]).await;
        here.change(account(0, "bob@a.example", "old")).await;
        let bob = Some("bob@a.example".to_owned());
        assert_eq!(here.sign_in("bob", "", "old").await, bob);
        here.change(account(0, "ann@a.example", "")).await;
        assert_eq!(here.sign_in("bob", "", "old").await, bob, "another's change leaves it");
        let id = here.directory.store.account_by_address("bob@a.example").await.unwrap().unwrap().id;
        let secret = hash_password(&Dice::seeded(2), &Password("new".into())).unwrap();
        here.change(vec![Change::SetSecret { account: id, secret, scram: String::new(), at: Timestamp(1) }])
            .await;
        assert_eq!(here.sign_in("bob", "", "old").await, None);
        assert_eq!(here.sign_in("bob", "", "new").await, bob);
        here.change(vec![Change::RemoveAccount { account: id }]).await;
        assert_eq!(here.sign_in("bob", "", "new").await, None);
    }
}
