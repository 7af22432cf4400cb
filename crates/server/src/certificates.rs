//! The certificates that the server shows: those of the settings, read again when they change; one that an authority gave
//! by ACME; or, while there is none of these, one of its own.
//!
//! ```text
//! files (watched) --.
//! ACME (renewed) ---+--> wire::tls::Certificates, of which each virtual server has a view
//! our own ----------'
//! ```

mod expiry;
mod named;
mod own;
mod status;
mod web_listeners;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use mail::Timestamp;
use settings::{Acme, Settings, TlsVersion, VirtualServer};
use store::Store;
use tokio::sync::{Notify, watch};
use wire::registry::Registry;
use wire::tls::{Authorities, Certificates, ClientCertificates, Minimum, Pem, Terms};
use world::{Fetch, World};

use crate::acme::{self, Answers, Attempts, Failure, Ordered};
use crate::limits::{CERTIFICATES_PAUSE, RENEWAL_PAUSE_MAX};
use named::Named;
use own::Own;
use web_listeners::WebListeners;

/// Where the authority's certificate of a data directory lies: what a client of its own certificate has to trust.
pub fn authority(data: &Path) -> PathBuf {
    data.join("tls").join("ca.pem")
}

/// Keeps the certificates as they should be, while the server runs.
#[derive(Debug)]
pub(crate) struct Keeper {
    data: PathBuf,
    store: Store,
    world: World,
    answers: Answers,
    state: Mutex<State>,
    listeners: WebListeners,
    /// Something has changed: the certificate by ACME is looked at.
    changed: Notify,
}

/// What is shown, and where it is from.
struct State {
    named: Named,
    acme: Option<Acme>,
    fetch: Fetch,
    ordered: Option<Ordered>,
    own: Option<Own>,
    attempts: Attempts,
    failure: Option<Failure>,
    /// How often each certificate was said to expire.
    warned: BTreeMap<String, usize>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

/// What settings mean for the certificates: read and found good, not in force.
pub(crate) struct Prepared {
    named: Named,
    acme: Option<Acme>,
    fetch: Fetch,
    own: Option<Own>,
    authorities: Option<Authorities>,
    bound: web_listeners::Bound,
}

impl Keeper {
    /// Reads or makes the certificates.
    ///
    /// # Errors
    /// A file that cannot be read or is no certificate, by name; an address where ACME is to be answered and that cannot be
    /// bound.
    pub(crate) fn new(
        data: &Path,
        settings: &Settings,
        store: &Store,
        world: &World,
        registry: &Arc<Registry>,
    ) -> Result<Arc<Self>> {
        let listeners = WebListeners::new(world, registry);
        let Prepared { named, acme, fetch, own, bound, .. } = prepare(data, settings, world, &listeners)?;
        let tls = Certificates::new(&composed(named.pems(), None, own.as_ref()))
            .context("the certificates cannot be used")?;
        if let Some(own) = &own {
            own.keep(data)?;
        }
        let answers = Answers { http: Arc::default(), tls: Arc::new(tls) };
        let state = State {
            named,
            acme,
            fetch,
            ordered: None,
            own,
            attempts: Attempts::NONE,
            failure: None,
            warned: BTreeMap::new(),
        };
        let (data, store, world) = (data.to_owned(), store.clone(), world.clone());
        let (state, changed) = (Mutex::new(state), Notify::new());
        listeners.adopt(bound, &answers);
        Ok(Arc::new(Self { data, store, world, answers, state, listeners, changed }))
    }

    /// Shows the certificate that an authority gave before the last stop.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn restore(&self) -> Result<()> {
        let (ordered, attempts) = (Ordered::kept(&self.store).await?, Attempts::kept(&self.store).await?);
        let mut state = self.state();
        (state.ordered, state.attempts) = (ordered, attempts);
        self.show(&state);
        Ok(())
    }

    /// Reads what other settings name. Nothing changes yet, but addresses where ACME is to be answered are bound. Dropped,
    /// it leaves no trace.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub(crate) fn prepare(&self, settings: &Settings) -> Result<Prepared> {
        prepare(&self.data, settings, &self.world, &self.listeners)
    }

    /// The certificates on the terms of a virtual server of settings that are prepared. They stay the same ones when
    /// certificates are replaced.
    ///
    /// # Errors
    /// It requires certificates of clients, and no authority is named for them.
    pub(crate) fn view(&self, prepared: &Prepared, server: &VirtualServer) -> Result<Arc<Certificates>> {
        let terms = terms(server, prepared.authorities.clone())?;
        Ok(Arc::new(self.answers.tls.on(&terms)?))
    }

    /// Shows what was prepared, and orders what it asks for.
    pub(crate) fn adopt(&self, prepared: Prepared) {
        let Prepared { named, acme, fetch, own, bound, .. } = prepared;
        if let Some(Err(error)) = own.as_ref().map(|own| own.keep(&self.data)) {
            tracing::error!(%error, "the server's own certificate cannot be kept; the next start makes another");
        }
        self.listeners.adopt(bound, &self.answers);
        let mut state = self.state();
        if state.acme != acme {
            state.attempts = Attempts::NONE;
            state.failure = None;
        }
        (state.named, state.acme, state.fetch, state.own) = (named, acme, fetch, own);
        self.show(&state);
        drop(state);
        self.changed.notify_one();
    }

    /// Reads the files again, as an administrator asks for it, and lets ACME try again at once. Says what has changed.
    ///
    /// # Errors
    /// A file that cannot be read or is no certificate; what was shown is shown on.
    pub(crate) async fn reload(&self) -> Result<String> {
        let found = self.found().await?;
        let mut state = self.state();
        let changed = state.named.take(found)?;
        if changed {
            self.show(&state);
        }
        state.attempts = Attempts::NONE;
        drop(state);
        self.changed.notify_one();
        Ok(if changed { "the certificates were read again" } else { "no certificate has changed" }.to_owned())
    }

    /// Watches the files and renews the certificate, until it is told to stop.
    pub(crate) async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let work = async { tokio::join!(self.watch(), self.renew()) };
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            _ = work => {}
        }
        self.listeners.stop();
    }

    async fn watch(&self) {
        loop {
            self.world.clock.sleep(CERTIFICATES_PAUSE).await;
            let found = self.found().await;
            let mut state = self.state();
            match state.named.look(found) {
                named::Looked::Same => {}
                named::Looked::Renewed => {
                    self.show(&state);
                    tracing::info!("the certificates have changed and were read again");
                }
                named::Looked::Unusable(error) => {
                    tracing::warn!(%error, "changed certificates cannot be used; the ones before stay");
                }
            }
            self.warn_of_expiry(&mut state);
        }
    }

    async fn found(&self) -> Result<Vec<Pem>> {
        let files = self.state().named.files().to_vec();
        self.world.workers.run(move || named::read(&files)).await
    }

    /// Orders when it is time.
    async fn renew(&self) {
        loop {
            let wait = self.time_to_order();
            tokio::select! {
                biased;
                () = self.changed.notified() => {}
                () = self.world.clock.sleep(wait) => {}
            }
            if self.time_to_order().is_zero() {
                self.order().await;
            }
        }
    }

    /// Until the next order; zero if it is time. Bounded, because the wall clock may be set meanwhile.
    fn time_to_order(&self) -> std::time::Duration {
        let state = self.state();
        let Some(acme) = &state.acme else { return RENEWAL_PAUSE_MAX };
        let due = acme::due(renewal(acme, state.ordered.as_ref()), state.attempts);
        let millis = due.0.saturating_sub(self.world.clock.wall().0);
        std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(RENEWAL_PAUSE_MAX)
    }

    async fn order(&self) {
        let (acme, fetch) = {
            let state = self.state();
            let Some(acme) = state.acme.clone() else { return };
            (acme, state.fetch.clone())
        };
        let (clock, store, answers) = (&self.world.clock, &self.store, &self.answers);
        let ordered = acme::Client { acme: &acme, fetch, clock, store, answers }.order().await;
        match ordered {
            Ok(ordered) => self.take(&acme, ordered).await,
            Err(failure) => self.failed(&acme, failure).await,
        }
    }

    async fn take(&self, acme: &Acme, ordered: Ordered) {
        let attempts = Attempts::NONE;
        if let Some(error) = ordered.keep(&self.store).await.err().or(attempts.keep(&self.store).await.err())
        {
            tracing::error!(%error, "the certificate cannot be kept; after a restart it is ordered anew");
        }
        tracing::info!(names = ordered.names.join(" "), "the authority has given a certificate");
        let mut state = self.state();
        if state.acme.as_ref() != Some(acme) {
            return;
        }
        (state.ordered, state.attempts, state.failure) = (Some(ordered), attempts, None);
        self.show(&state);
    }

    async fn failed(&self, acme: &Acme, failure: Failure) {
        let attempts = {
            let mut state = self.state();
            if state.acme.as_ref() != Some(acme) {
                return;
            }
            state.attempts = state.attempts.and_another(self.world.clock.wall());
            state.failure = Some(failure.clone());
            state.attempts
        };
        let next = acme::due(None, attempts);
        tracing::warn!(reason = failure.what, help = failure.help, next = %next, "no certificate by ACME");
        if let Err(error) = attempts.keep(&self.store).await {
            tracing::error!(%error, "the failure cannot be kept");
        }
    }

    fn show(&self, state: &State) {
        let ordered = state.ordered.as_ref().filter(|ordered| is_wanted(ordered, state.acme.as_ref()));
        // Each of them was found good when it was read, made or ordered.
        if let Err(error) =
            self.answers.tls.replace(&composed(state.named.pems(), ordered, state.own.as_ref()))
        {
            tracing::error!(%error, "the certificates cannot be used; the ones before stay");
        }
    }

    fn warn_of_expiry(&self, state: &mut State) {
        let now = self.world.clock.wall();
        for shown in self.answers.tls.shown() {
            let stage = expiry::stage(&shown, now);
            let warned = state.warned.entry(expiry::key(&shown)).or_default();
            if stage > *warned {
                *warned = stage;
                let (names, until) = (shown.names.join(" "), shown.until.to_string());
                tracing::warn!(names, until, "a certificate {}", expiry::told(&shown, now));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(data: &Path, settings: &Settings, world: &World, listeners: &WebListeners) -> Result<Prepared> {
    let named = Named::new(settings.certificates.clone())?;
    let own = match settings.certificates.is_empty() {
        true => Some(Own::new(data, &own::names(settings))?),
        false => None,
    };
    let authorities = match settings.client_certificate_authorities.as_slice() {
        [] => None,
        files => {
            Some(Authorities::new(&named::read_all(files)?).context("tls.client-certificate-authorities")?)
        }
    };
    let fetch = fetch(settings, world)?;
    let bound = listeners.bind(settings.acme.as_ref())?;
    Ok(Prepared { named, acme: settings.acme.clone(), fetch, own, authorities, bound })
}

/// How the ACME directory is asked: as everything else is fetched, and with authorities of its own.
fn fetch(settings: &Settings, world: &World) -> Result<Fetch> {
    let files: Vec<PathBuf> = authorities_of(settings);
    let authorities = named::read_all(&files)?;
    Ok(match &world.fetch {
        simulated @ Fetch::Simulated(_) => simulated.clone(),
        Fetch::Real(_) => {
            let (clock, resolver, dialer) = (&world.clock, &world.resolver, &world.dialer);
            let client = world::fetch::Client::new(clock.clone(), resolver.clone(), dialer.clone());
            client.trust(settings.fetch.allow_private, authorities);
            Fetch::Real(client)
        }
    })
}

/// Those that are believed when the ACME directory is asked.
fn authorities_of(settings: &Settings) -> Vec<PathBuf> {
    let acme = settings.acme.iter().flat_map(|acme| acme.authorities.iter());
    acme.chain(&settings.fetch.authorities).cloned().collect()
}

/// What a virtual server asks of its clients.
fn terms(server: &VirtualServer, authorities: Option<Authorities>) -> Result<Terms> {
    let minimum = match server.tls_minimum_version {
        TlsVersion::V1_2 => Minimum::V1_2,
        TlsVersion::V1_3 => Minimum::V1_3,
    };
    let clients = match server.client_certificates {
        settings::ClientCertificates::Off => ClientCertificates::Off,
        settings::ClientCertificates::Wanted => ClientCertificates::Wanted(authorities),
        settings::ClientCertificates::Required => {
            ClientCertificates::Required(authorities.with_context(|| {
                format!(
                    "virtual server {:?} requires certificates of clients; name who may certify them in \
                     tls.client-certificate-authorities",
                    server.name
                )
            })?)
        }
    };
    Ok(Terms { minimum, clients })
}

/// What is shown, in the order in which it is chosen from.
fn composed(named: &[Pem], ordered: Option<&Ordered>, own: Option<&Own>) -> Vec<Pem> {
    let mut pems = named.to_vec();
    pems.extend(ordered.map(Ordered::pem));
    if pems.is_empty() {
        pems.extend(own.map(|own| own.pem.clone()));
    }
    pems
}

/// Whether what an authority gave is what the settings ask for. If other names are asked for now, it is shown until they
/// have come.
fn is_wanted(ordered: &Ordered, acme: Option<&Acme>) -> bool {
    acme.is_some_and(|acme| ordered.directory == acme.directory.as_str())
}

/// When to renew; none if there is nothing to renew.
fn renewal(acme: &Acme, ordered: Option<&Ordered>) -> Option<Timestamp> {
    let names = acme.names.iter().map(|name| name.as_str());
    let fits = |ordered: &&Ordered| {
        is_wanted(ordered, Some(acme)) && names.eq(ordered.names.iter().map(String::as_str))
    };
    let shown = wire::tls::Shown::of_pem(ordered.filter(fits)?.chain.as_bytes())?;
    let before = i64::try_from(acme.renew_before.duration().as_millis()).unwrap_or(i64::MAX);
    Some(acme::renewal(shown.from, shown.until, before))
}
