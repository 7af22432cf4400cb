//! One order, from the account to the certificate (RFC 8555 §7.4).

use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationHandle, AuthorizationState, AuthorizationStatus, ChallengeType,
    Error, Identifier, NewAccount, NewOrder, Order, OrderStatus,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use settings::{Acme, Challenge};
use store::Store;
use wire::tls::Certificates;
use world::{Clock, Fetch};

use super::answers::Given;
use super::fetched::Fetched;
use super::kept::{self, Ordered};
use super::{Answers, Failure};

/// How long an authority may take to look for an answer, or to make a certificate: it asks from several places, and tries
/// again when it finds nothing.
const PATIENCE: Duration = Duration::from_secs(3 * 60);

/// How soon it is asked for news, and how seldom at last.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Who orders, of whom, for what.
pub(crate) struct Client<'a> {
    pub(crate) acme: &'a Acme,
    pub(crate) fetch: Fetch,
    pub(crate) clock: &'a Clock,
    pub(crate) store: &'a Store,
    pub(crate) answers: &'a Answers,
}

impl Client<'_> {
    /// Gets a certificate. It is not kept yet.
    ///
    /// # Errors
    /// What went wrong, and what helps. Cancelled or failed, an order is forgotten, and so is the authority's copy of it,
    /// in time.
    pub(crate) async fn order(&self) -> Result<Ordered, Failure> {
        let names: Vec<String> = self.acme.names.iter().map(|name| name.as_str().to_owned()).collect();
        let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let account = self.account().await?;
        let order = account.new_order(&NewOrder::new(&identifiers)).await;
        let mut order = match order {
            // The authority has forgotten us: a new account is as good as the old one.
            Err(Error::Api(problem)) if is(&problem, "accountDoesNotExist") => {
                let account = self.new_account().await?;
                account.new_order(&NewOrder::new(&identifiers)).await.map_err(|error| self.failed(&error))?
            }
            order => order.map_err(|error| self.failed(&error))?,
        };
        let given = self.prove(&mut order).await?;
        self.await_status(&mut order, OrderStatus::Ready).await?;
        drop(given);
        let (key, request) = request(&names).map_err(|error| {
            Failure::new(format!("the request cannot be made: {error}"), "see tls.acme.names")
        })?;
        order.finalize_csr(&request).await.map_err(|error| self.failed(&error))?;
        self.await_status(&mut order, OrderStatus::Valid).await?;
        let chain = order.certificate().await.map_err(|error| self.failed(&error))?;
        let chain = chain.ok_or_else(|| Failure::new("the authority gives no certificate", "wait"))?;
        let ordered = Ordered { directory: self.acme.directory.as_str().to_owned(), names, chain, key };
        Certificates::new(&[ordered.pem()])
            .map_err(|error| Failure::new(format!("what the authority gave is no good: {error}"), "wait"))?;
        Ok(ordered)
    }

    fn failed(&self, error: &Error) -> Failure {
        Failure::of(error, self.acme.challenge)
    }

    fn http(&self) -> Box<Fetched> {
        Box::new(Fetched(self.fetch.clone()))
    }

    async fn account(&self) -> Result<Account, Failure> {
        let kept =
            kept::Account::kept(self.store, self.acme.directory.as_str()).await.map_err(store_failed)?;
        let credentials: Option<AccountCredentials> =
            kept.and_then(|account| serde_json::from_value(account.credentials).ok());
        match credentials {
            Some(credentials) => Account::builder_with_http(self.http())
                .from_credentials(credentials)
                .await
                .map_err(|error| self.failed(&error)),
            None => self.new_account().await,
        }
    }

    async fn new_account(&self) -> Result<Account, Failure> {
        let contact = self.acme.contact.as_ref().map(|address| format!("mailto:{address}"));
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        // Whoever puts `acme` into the settings agrees to the terms; the manual says so.
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let directory = self.acme.directory.as_str().to_owned();
        let made = Account::builder_with_http(self.http()).create(&new, directory.clone(), None).await;
        let (account, credentials) = made.map_err(|error| self.failed(&error))?;
        let credentials = serde_json::to_value(&credentials).expect("it is made to be kept as JSON");
        kept::Account { directory, credentials }.keep(self.store).await.map_err(store_failed)?;
        Ok(account)
    }

    /// Shows for each name that it is ours. The answers are given until the value is dropped.
    async fn prove(&self, order: &mut Order) -> Result<Given<'_>, Failure> {
        let mut given = self.answers.begin();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failed(&error))?;
            if authorization.status == AuthorizationStatus::Pending {
                self.answer(&mut authorization, &mut given).await?;
            }
        }
        let mut waits = Waits::new(self.clock);
        while !self.are_proved(order).await? {
            waits.pause("the names").await?;
        }
        Ok(given)
    }

    async fn answer<'a>(
        &self,
        authorization: &'a mut AuthorizationHandle<'a>,
        given: &mut Given<'_>,
    ) -> Result<(), Failure> {
        let (kind, word) = match self.acme.challenge {
            Challenge::Http01 => (ChallengeType::Http01, "http-01"),
            Challenge::TlsAlpn01 => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
        };
        let name = authorization.identifier().to_string();
        let offered = authorization.challenge(kind);
        let mut challenge = offered.ok_or_else(|| {
            Failure::new(
                format!("the authority does not offer {word}"),
                "set tls.acme.challenge to the other one",
            )
        })?;
        given.give(self.acme.challenge, &name, &challenge.token, &challenge.key_authorization())?;
        challenge.set_ready().await.map_err(|error| self.failed(&error))
    }

    /// Whether the authority has found all answers.
    async fn are_proved(&self, order: &mut Order) -> Result<bool, Failure> {
        let mut all = true;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| self.failed(&error))?;
            let state = authorization.refresh().await.map_err(|error| self.failed(&error))?;
            match state.status {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Pending => all = false,
                _ => return Err(self.unproved(state)),
            }
        }
        Ok(all)
    }

    fn unproved(&self, state: &AuthorizationState) -> Failure {
        let name = state.identifier();
        let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        problem.map_or_else(
            || Failure::new(format!("{name} is not proved to be ours"), "see what the authority says of it"),
            |problem| Failure::problem(problem, self.acme.challenge).of_name(&name.to_string()),
        )
    }

    async fn await_status(&self, order: &mut Order, wanted: OrderStatus) -> Result<(), Failure> {
        let mut waits = Waits::new(self.clock);
        while order.state().status != wanted {
            if order.state().status == OrderStatus::Invalid {
                let problem = order.state().error.as_ref();
                return Err(problem.map_or_else(
                    || Failure::new("the authority has dropped the order", "wait"),
                    |problem| Failure::problem(problem, self.acme.challenge),
                ));
            }
            waits.pause("the order").await?;
            order.refresh().await.map_err(|error| self.failed(&error))?;
        }
        Ok(())
    }
}

/// Pauses between two questions, and their end.
struct Waits<'a> {
    clock: &'a Clock,
    until: std::time::Instant,
    pause: Duration,
}

impl<'a> Waits<'a> {
    fn new(clock: &'a Clock) -> Self {
        Self { clock, until: clock.now() + PATIENCE, pause: PAUSE }
    }

    async fn pause(&mut self, what: &str) -> Result<(), Failure> {
        if self.clock.now() >= self.until {
            return Err(Failure::new(format!("the authority does not get on with {what}"), "wait"));
        }
        self.clock.sleep(self.pause).await;
        self.pause = (self.pause * 3 / 2).min(PAUSE_MAX);
        Ok(())
    }
}

/// A new key, as PEM, and a request for its certificate, as DER.
fn request(names: &[String]) -> Result<(String, Vec<u8>), rcgen::Error> {
    let mut parameters = CertificateParams::new(names.to_vec())?;
    // The names stand in the extension; a common name would be cut at 64 characters.
    parameters.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = parameters.serialize_request(&key)?;
    Ok((key.serialize_pem(), request.der().to_vec()))
}

fn is(problem: &instant_acme::Problem, kind: &str) -> bool {
    problem
        .r#type
        .as_deref()
        .is_some_and(|known| known.strip_prefix("urn:ietf:params:acme:error:") == Some(kind))
}

fn store_failed(error: store::Error) -> Failure {
    Failure::new(format!("the data cannot be read or written: {error}"), "see the log")
}
