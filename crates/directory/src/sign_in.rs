//! Who may sign in: a password against its verifier.

use std::net::IpAddr;

use mail::{Address, Host, LocalPart};
use store::Error;
use store::read::AccountRecord;

use crate::Directory;
use crate::directory::parsed;
use crate::door::Consequences;
use crate::limits::PASSWORD_REMEMBERED;
use crate::passwords::{self, Password};
use crate::remembered::Verified;
use crate::turns::Standing;

/// What a client presented to prove who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose password it is: an address, or a local part of the oldest domain. Without case.
    pub login: String,
    /// Whom it wants to act as; empty means the same as `login`.
    pub authorization: String,
    /// The password.
    pub password: Password,
}

/// Where a sign-in comes from, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client.
    pub peer: IpAddr,
    /// It is of a trusted network: it is never banned, and its replies do not wait.
    pub trusted: bool,
    /// What it wants to use.
    pub service: Scope,
}

/// What an app password may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Sending mail.
    Smtp,
    /// Reading mail by IMAP.
    Imap,
    /// Reading mail by POP3.
    Pop3,
}

/// How a sign-in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// It is this account.
    Accepted(Principal),
    /// Nobody looked: the network is banned, too many tried this account, or too many wait. Whether the password is right
    /// is not said; a later try may be looked at.
    Later,
    /// Wrong password, unknown account, or not allowed to act as another; these cannot be told apart, nor by their time.
    Refused,
    /// The store could not be asked, for this reason (not for the peer).
    Unavailable(Error),
}

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account's number.
    pub account: i64,
    /// Its canonical address.
    pub address: Address,
    /// The name of the app password by which it signed in; none: by what is the account's own.
    pub app_password: Option<String>,
}

impl Directory {
    /// Verifies credentials. What was verified minutes ago takes microseconds, however many others wait; all else goes
    /// through the door ([`crate::gate`]), waits for its network's turn, and takes tens of milliseconds in the slow workers.
    /// The answer to a failure comes when the door's delay is over.
    pub async fn sign_in(&self, credentials: Credentials, origin: &Origin) -> SignIn {
        self.verify(credentials, origin).await.unwrap_or_else(SignIn::Unavailable)
    }

    async fn verify(&self, credentials: Credentials, origin: &Origin) -> Result<SignIn, Error> {
        let Credentials { login, authorization, password } = credentials;
        let address = self.login(&login).await?;
        let acts_as = match authorization.as_str() {
            "" => address.clone(),
            other => self.login(other).await?,
        };
        // RFC 4616 §2: acting as another needs a right that nobody has here.
        let login = Login { text: login, may_act: acts_as == address, address };
        // Where the door is closed, what is remembered opens nothing: whoever guesses there would learn by it which guess is
        // right, and no guess would count.
        if self.is_admitted(origin, &login.text).is_ok()
            && let Some(principal) = self.recall(&login, &password)
        {
            return Ok(SignIn::Accepted(principal));
        }
        if self.admit(origin, &login.text).await.is_err() {
            return Ok(SignIn::Later);
        }
        // Whoever presents the same again, as a mail program does with ten connections, waits here and finds it remembered.
        let digest = self.remembered.digest(login.name(), &password);
        let flight = self.remembered.flight(digest).await;
        if let Some(principal) = self.recall(&login, &password) {
            return Ok(SignIn::Accepted(principal));
        }
        let (found, consequences) = self.look(&login, password, origin).await?;
        drop(flight);
        match found {
            SignIn::Later => self.put_off(origin).await,
            _ => self.bear(origin, consequences).await,
        }
        Ok(found)
    }

    /// The address that a login means; none if it cannot be one.
    pub(crate) async fn login(&self, text: &str) -> Result<Option<Address>, Error> {
        if let Ok(address) = Address::parse(text) {
            return Ok(Some(self.stands_for(address.canonical()).await?));
        }
        let (Ok(local), Some(domain)) = (LocalPart::parse(text), self.domains().await?.first().cloned())
        else {
            return Ok(None);
        };
        Ok(Address::new(local, Host::Domain(domain)).ok().map(|address| address.canonical()))
    }

    /// Looks at a password. The same reads and the same hash, whether the account is there or not.
    async fn look(
        &self,
        login: &Login,
        password: Password,
        origin: &Origin,
    ) -> Result<(SignIn, Consequences), Error> {
        let generation = self.store.directory_generation();
        let account = match &login.address {
            Some(address) => self.store.account_by_address(&address.to_string()).await?,
            None => None,
        };
        if let Some(principal) = self.find_app_password(account.as_ref(), &password, origin.service).await?
            && login.may_act
        {
            self.settle(origin, &login.text, true).await;
            return Ok((SignIn::Accepted(principal), None));
        }
        if let Some(account) = &account
            && let Some(principal) = self.recall_unchanged(login, &password, account, generation)
        {
            return Ok((SignIn::Accepted(principal), None));
        }
        let verifier = match &account {
            Some(account) if !account.secret.is_empty() => account.secret.clone(),
            _ => passwords::nobody(),
        };
        let Some((fits, consequences)) = self.hash(verifier, &password, login, origin).await else {
            return Ok((SignIn::Later, None));
        };
        let (true, Some(account)) = (fits, account) else { return Ok((SignIn::Refused, consequences)) };
        self.add_scram_keys(&account, password.clone()).await;
        let address = parsed(&account.address)?;
        let principal = Principal { account: account.id, address, app_password: None };
        let digest = self.remembered.digest(login.name(), &password);
        let now = self.world.clock.now();
        let (until, secret) = (now + PASSWORD_REMEMBERED, account.secret);
        let verified = Verified { generation, until, secret, principal: principal.clone() };
        self.remembered.remember(digest, verified, now);
        Ok((SignIn::Accepted(principal), consequences))
    }

    /// Whether a password fits, when it is its network's turn, and what follows; none if nobody looked.
    async fn hash(
        &self,
        verifier: String,
        password: &Password,
        login: &Login,
        origin: &Origin,
    ) -> Option<(bool, Consequences)> {
        let turn = self.turn(origin).await.ok()?;
        let standing = turn.standing();
        // Others of this network may have failed while it waited.
        if self.is_admitted(origin, &login.text).is_err() {
            return None;
        }
        let (password, may_act) = (password.clone(), login.may_act);
        let note = self.note(origin, &login.text);
        // Counted where it is hashed: who cuts the connection meanwhile has tried nevertheless, and has the turn until then.
        let hashing = move || {
            let fits = passwords::fits(&verifier, &password) && may_act;
            drop(turn);
            (fits, note(fits))
        };
        Some(match standing {
            Standing::Known => self.world.workers.run_slow(hashing).await,
            Standing::Stranger => self.world.workers.run_gently(hashing).await,
        })
    }

    fn recall(&self, login: &Login, password: &Password) -> Option<Principal> {
        let generation = self.store.directory_generation();
        self.recall_if(login, password, |verified| verified.generation == generation)
    }

    fn recall_unchanged(
        &self,
        login: &Login,
        password: &Password,
        account: &AccountRecord,
        generation: u64,
    ) -> Option<Principal> {
        self.recall_if(login, password, |verified| verified.confirm(account, generation))
    }

    fn recall_if(
        &self,
        login: &Login,
        password: &Password,
        unchanged: impl FnOnce(&mut Verified) -> bool,
    ) -> Option<Principal> {
        let digest = self.remembered.digest(login.name(), password);
        let found = self.remembered.recall(&digest, self.world.clock.now(), unchanged);
        found.filter(|_| login.may_act)
    }
}

/// Who wants to sign in.
struct Login {
    /// As the client wrote it.
    text: String,
    /// What that means.
    address: Option<Address>,
    /// It wants to act as nobody else.
    may_act: bool,
}

impl Login {
    fn name(&self) -> String {
        self.address.as_ref().map_or_else(|| self.text.clone(), Address::to_string)
    }
}
