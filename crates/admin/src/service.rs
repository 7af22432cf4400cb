//! The service: a request in, a response out.

use std::sync::Arc;

use directory::Directory;
use mail::{Address, Domain};
use store::{Change, Commit, Receipt, Store};
use world::World;

use crate::caller::Caller;
use crate::operators::Rights;
use crate::request::Request;
use crate::response::{Refusal, Response, StatusRow};
use crate::running::Running;
use crate::store_check::checked;

/// The one service layer.
#[derive(Debug)]
pub struct Admin {
    pub(crate) store: Store,
    pub(crate) directory: Arc<Directory>,
    pub(crate) world: World,
    pub(crate) running: Arc<dyn Running>,
    /// The runner of the queue, if one runs.
    pub(crate) queue: Option<queue::Handle>,
}

impl Admin {
    /// A service over a store and its directory, and over what runs on them ([`crate::Down`] if nothing does).
    pub fn new(store: Store, directory: Arc<Directory>, world: World, running: Arc<dyn Running>) -> Self {
        Self { store, directory, world, running, queue: None }
    }

    /// The same where a runner works the queue, which is told of what changes there.
    pub fn with_queue(self, queue: queue::Handle) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// The world that it works in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Does what is asked, or says why not. What is changed is on stable storage when this returns; if the caller stops
    /// waiting, a change under way goes on.
    pub async fn execute(&self, request: Request) -> Response {
        self.execute_by(request, &Caller::administrator()).await
    }

    /// The same for a user of this machine.
    pub async fn execute_by(&self, request: Request, caller: &Caller) -> Response {
        let rights = self.rights(caller);
        if let Err(refusal) = rights.require(&request, &*self.running) {
            return Response::Refused(refusal);
        }
        match self.dispatch(request, caller, &rights).await {
            Ok(response) => response,
            Err(refusal) => Response::Refused(refusal),
        }
    }

    /// What a caller may ask for.
    pub(crate) fn rights(&self, caller: &Caller) -> Rights {
        Rights::of(caller, rustix::process::geteuid().as_raw(), &*self.running)
    }

    async fn dispatch(
        &self,
        request: Request,
        caller: &Caller,
        rights: &Rights,
    ) -> Result<Response, Refusal> {
        match request {
            Request::DomainAdd { domain, alias_of } => self.domain_add(&domain, alias_of.as_deref()).await,
            Request::DomainDkim { domain, make } => self.domain_dkim(&domain, make).await,
            Request::DomainList => self.domain_list().await,
            Request::DomainRemove { domain } => self.domain_remove(&domain).await,
            Request::AccountAdd { address, name, password, kept } => {
                self.account_add(&address, name, password, kept).await
            }
            Request::AccountList => self.account_list().await,
            Request::AccountRemove { address } => self.account_remove(&address).await,
            Request::AccountPassword { address, password, kept } => {
                self.account_password(&address, password, kept).await
            }
            Request::CertificateAdd { address, fingerprint } => {
                self.certificate_add(&address, &fingerprint).await
            }
            Request::CertificateList { address } => self.certificate_list(&address).await,
            Request::CertificateRemove { address, fingerprint } => {
                self.certificate_remove(&address, &fingerprint).await
            }
            Request::AccountRelease { address } => self.account_release(&address).await,
            Request::AppPasswordAdd { address, name, scopes, days } => {
                self.app_password_add(&address, name, &scopes, days).await
            }
            Request::AppPasswordList { address } => self.app_password_list(&address).await,
            Request::AppPasswordRemove { address, name } => self.app_password_remove(&address, &name).await,
            Request::SendAsAdd { account, address } => self.send_as_add(&account, &address).await,
            Request::SendAsList { account } => self.send_as_list(&account).await,
            Request::SendAsRemove { account, address } => self.send_as_remove(&account, &address).await,
            Request::BanList => self.ban_list().await,
            Request::BanAdd { network, hours, reason } => self.ban_add(&network, hours, &reason).await,
            Request::BanRemove { network } => self.ban_remove(&network).await,
            Request::AliasAdd { address, targets } => self.alias_add(&address, &targets).await,
            Request::AliasList => self.alias_list().await,
            Request::AliasRemove { address } => self.alias_remove(&address).await,
            Request::Trace { what } => self.trace(&what).await,
            Request::QueueList { destination, after, limit } => {
                self.queue_list(destination.as_deref(), after.as_deref(), limit).await
            }
            Request::QueueShow { queue_id } => self.queue_show(&queue_id).await,
            Request::QueueRetry { what } => self.queue_retry(&what).await,
            Request::QueueHold { what } => self.queue_hold(&what).await,
            Request::QueueRelease { what } => self.queue_release(&what).await,
            Request::QueueDelete { what, report: false } => self.queue_delete(&what).await,
            Request::QueueDelete { what, report: true } => self.queue_delete_and_report(&what).await,
            Request::QueueFind { filter, limit } => self.queue_find(&filter, limit).await,
            Request::QueueRedirect { queue_id, to } => self.queue_redirect(&queue_id, &to).await,
            Request::QueueExport { queue_id, offset } => self.queue_export(&queue_id, offset).await,
            Request::BadmailList => self.badmail_list(),
            Request::BadmailShow { name } => self.badmail_show(&name),
            Request::BadmailRetry { name } => self.badmail_retry(&name),
            Request::BadmailDelete { name } => self.badmail_delete(&name),
            Request::SettingsShow { number } => self.settings_show(number).await,
            Request::SettingsHistory => self.settings_history().await,
            Request::SettingsDiff { from, to } => self.settings_diff(from, to).await,
            Request::SettingsApply { text, reason, based_on } => {
                self.settings_apply(text, reason, based_on, caller).await
            }
            Request::SettingsWhatIf { text } => self.settings_what_if(&text).await,
            Request::SettingsRollback { number, reason } => {
                self.settings_rollback(number, reason, caller).await
            }
            Request::Status => self.status().await,
            Request::Reload => self.reload().await,
            Request::VirtualServerList => Ok(self.virtual_server_list(rights)),
            Request::VirtualServerShow { name } => self.virtual_server_show(&name),
            Request::VirtualServerSwitch { name, to } => self.virtual_server_switch(&name, to, caller).await,
            Request::ConnectionList => Ok(self.connection_list(rights)),
            Request::ConnectionTerminate { id } => self.terminate(id, caller),
            Request::ConnectionTerminateAll { virtual_server } => self.terminate_all(&virtual_server, caller),
            Request::StoreCheck { repair } => Ok(checked(self.store.check(repair, None).await?)),
        }
    }

    async fn status(&self) -> Result<Response, Refusal> {
        Ok(Response::Status(StatusRow {
            version: env!("CARGO_PKG_VERSION").into(),
            domains: self.store.domains().await?.len(),
            accounts: self.store.accounts().await?.len(),
            at: self.world.clock.wall(),
            queue: self.queue_totals().await?,
            held_accounts: self.held_accounts().await?,
            pressure: self.running.pressure(),
            virtual_servers: self.running.virtual_servers(),
            certificates: self.running.certificates(),
            acme: self.running.acme(),
        }))
    }

    async fn reload(&self) -> Result<Response, Refusal> {
        match self.running.reload().await {
            Ok(said) => Ok(Response::Done { said }),
            Err(why) => Err(Refusal::new(why, "what was shown before is shown on")),
        }
    }

    pub(crate) async fn commit(&self, changes: Vec<Change>) -> Result<Receipt, Refusal> {
        Ok(self.store.commit(Commit { content: Vec::new(), changes }).await?)
    }

    /// Refuses a domain that is not one of ours.
    pub(crate) async fn require_ours(&self, domain: &Domain) -> Result<(), Refusal> {
        if self.store.has_domain(domain.as_str()).await? {
            return Ok(());
        }
        let remedy = "see the list: waxseal domain list";
        Err(Refusal::new(format!("the domain {domain} is not one of ours"), remedy))
    }

    /// An address in its canonical form, of a domain of ours.
    pub(crate) async fn our_address(&self, text: &str) -> Result<Address, Refusal> {
        let address = address(text)?;
        let Some(domain) = address.domain() else {
            return Err(Refusal::new(format!("{address} has no domain"), "write it as local-part@domain"));
        };
        if !self.store.has_domain(domain.as_str()).await? {
            let remedy = format!("add it first: waxseal domain add {domain}");
            return Err(Refusal::new(format!("the domain {domain} is not one of ours"), remedy));
        }
        Ok(address)
    }

    /// Refuses an address that somebody has.
    pub(crate) async fn require_free(&self, address: &Address) -> Result<(), Refusal> {
        let text = address.to_string();
        if self.store.account_by_address(&text).await?.is_some() {
            let remedy = format!("for another password: waxseal account password {address}");
            return Err(Refusal::new(format!("there is an account {address} already"), remedy));
        }
        if self.store.alias(&text).await?.is_some() {
            let remedy = format!("remove it first: waxseal alias remove {address}");
            return Err(Refusal::new(format!("{address} is an alias already"), remedy));
        }
        Ok(())
    }
}

/// An address in its canonical form.
pub(crate) fn address(text: &str) -> Result<Address, Refusal> {
    match Address::parse(text) {
        Ok(address) => Ok(address.canonical()),
        Err(error) => {
            Err(Refusal::new(format!("\"{text}\" is no address: {error}"), "write it as local-part@domain"))
        }
    }
}

/// A domain name.
pub(crate) fn domain(text: &str) -> Result<Domain, Refusal> {
    Domain::parse(text)
        .map_err(|_| Refusal::new(format!("\"{text}\" is no domain name"), "write it as example.org"))
}
