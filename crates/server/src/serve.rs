//! A running server: its store, its listeners, its tasks; started and stopped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::Admin;
use anyhow::{Context, Result};
use directory::Directory;
use mail::{QueueId, Timestamp};
use mailboxes::Mailboxes;
use queue::Runner;
use settings::Settings;
use store::{OpenError, Store};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use wire::Stream;
use wire::registry::{Arrival, Limits, Registry};
use world::World;

use crate::certificates::Keeper;
use crate::changes::{self, Changes, Source};
use crate::limits::HOUSEKEEPING_PAUSE;
use crate::patience::Patience;
use crate::pickup::Pickup;
use crate::pressure;
use crate::running::Running;
use crate::shared::Shared;
use crate::smtp;
use crate::virtual_servers::VirtualServers;

/// A server that is up.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    admin: Arc<Admin>,
    virtual_servers: Arc<VirtualServers>,
    changes: Option<Arc<Changes>>,
    /// The settings file is to be looked at now.
    look: Arc<Notify>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    data: PathBuf,
}

/// With what a server starts whose settings can be changed.
#[derive(Debug)]
pub struct Start {
    /// What the text means.
    pub settings: Settings,
    /// The settings text.
    pub text: String,
    /// Where it comes from. Where there are revisions, the newest is taken instead.
    pub source: Source,
}

/// The settings of the newest revision, if there is one.
async fn in_force(store: &Store) -> Result<Option<(Settings, String)>> {
    let Some(last) = admin::settings::last(store).await? else { return Ok(None) };
    let settings = crate::run::settings::meaning(&last.text).map_err(|mistakes| {
        let told = crate::run::settings::told(Path::new("settings"), &mistakes);
        anyhow::anyhow!(
            "the settings in force, revision {}, cannot be used\n{told}; start once with --settings FILE",
            last.number
        )
    })?;
    Ok(Some((settings, last.text)))
}

/// Where the local socket of a data directory is.
pub fn socket_path(data: &Path) -> PathBuf {
    data.join("waxseal.sock")
}

/// Opens the store of a data directory as the server does.
///
/// # Errors
/// Another process has it, or it cannot be read; the text says what to do.
pub fn open_store(data: &Path, world: &World) -> Result<Store> {
    let options = store::Options { story_keys: policy::story::keys, ..store::Options::default() };
    Store::open(data, world, options).map_err(|error| {
        let what = match &error {
            OpenError::Newer { .. } | OpenError::Database(_) => {
                format!("cannot open the data in {}", data.display())
            }
            // The others name the directory themselves.
            _ => "cannot open the data".into(),
        };
        anyhow::Error::new(error).context(what)
    })
}

impl Server {
    /// Opens the data directory, binds everything the settings name, and serves.
    ///
    /// # Errors
    /// Whatever is in the way: the data directory, a certificate, a port. Nothing is left running then.
    pub async fn start(data: &Path, settings: Settings, world: World) -> Result<Self> {
        Self::begin(data, settings, None, world).await
    }

    /// The same with settings that can be changed while it runs.
    ///
    /// # Errors
    /// As [`start`](Self::start); also a revision in the store that cannot be used any more.
    pub async fn start_with(data: &Path, start: Start, world: World) -> Result<Self> {
        let Start { settings, text, source } = start;
        Self::begin(data, settings, Some((text, source)), world).await
    }

    async fn begin(
        data: &Path,
        settings: Settings,
        origin: Option<(String, Source)>,
        world: World,
    ) -> Result<Self> {
        let patience = Patience::new(&world.clock);
        let store = loop {
            match open_store(data, &world) {
                Err(error) if patience.helps(&error).await => {}
                opened => break opened?,
            }
        };
        let (settings, origin) = match origin {
            Some((_, Source::Revisions)) if let Some((settings, text)) = in_force(&store).await? => {
                (settings, Some((text, Source::Revisions)))
            }
            origin => (settings, origin),
        };
        let mut server = Self::with_store(store, data, &settings, origin, world)?;
        server.administer()?;
        server.explain_orphans().await?;
        server.shared.directory.recall_bans().await?;
        server.virtual_servers.certificates.restore().await?;
        server.virtual_servers.apply(settings.clone()).await?;
        if let Some(changes) = &server.changes {
            // A full disk must not keep people from the mail that is there.
            if let Err(error) = changes.record_start().await {
                tracing::error!(error = %format_args!("{error:#}"), "it goes on without a revision");
            }
            changes.let_operators_in();
        }
        server.spawn_tasks(&settings);
        server.virtual_servers.tell().await;
        Ok(server)
    }

    /// The same without listeners, socket and background tasks: connections come by [`attach`](Self::attach).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    fn with_store(
        store: Store,
        data: &Path,
        settings: &Settings,
        origin: Option<(String, Source)>,
        world: World,
    ) -> Result<Self> {
        let directory = Arc::new(Directory::new(store.clone(), world.clone()));
        directory.apply(settings);
        let registry = Registry::new(world.clock.clone());
        let certificates = Keeper::new(data, settings, &store, &world, &registry)?;
        let mailboxes = Mailboxes::new(store.clone(), world.clone());
        let properties = Arc::new(crate::delivery::properties(settings, &world, None)?);
        let shared =
            Arc::new(Shared::new(world.clone(), store.clone(), directory.clone(), mailboxes, properties));
        let virtual_servers =
            Arc::new(VirtualServers::new(shared.clone(), registry, certificates, settings.clone()));
        let changes = origin.map(|(text, source)| {
            Arc::new(Changes::new(virtual_servers.clone(), source, data.to_owned(), text))
        });
        let running = Arc::new(Running::new(virtual_servers.clone(), changes.clone()));
        let admin = Arc::new(Admin::new(store, directory, world, running).with_queue(shared.queue.clone()));
        let (stop, _) = watch::channel(false);
        let (tasks, data) = (Vec::new(), data.to_owned());
        let look = Arc::default();
        Ok(Self { shared, admin, virtual_servers, changes, look, stop, tasks, data })
    }

    /// The port of each protocol: the first binding of each, in clear text under its name, with implicit TLS under the
    /// name with an `s`.
    pub fn ports(&self) -> BTreeMap<String, u16> {
        let mut ports = BTreeMap::new();
        for door in self.virtual_servers.view().services.iter().flat_map(|service| &service.doors) {
            ports.entry(door.protocol.clone()).or_insert(door.address.port());
        }
        ports
    }

    /// What administers it.
    pub fn admin(&self) -> &Arc<Admin> {
        &self.admin
    }

    /// Serves one connection that came by another way than a listener, as if it had come to this virtual server.
    ///
    /// # Errors
    /// No such virtual server, or a limit of connections.
    pub fn attach(
        &self,
        virtual_server: &str,
        stream: Stream,
        peer: SocketAddr,
    ) -> Result<impl Future<Output = ()> + Send + 'static> {
        let endpoint = self.virtual_servers.view().endpoint(virtual_server)?;
        let arrival = Arrival {
            peer,
            virtual_server: virtual_server.into(),
            protocol: "attached",
            limits: Limits::NONE,
        };
        let registry = &self.virtual_servers.registry;
        let entry = registry.admit(arrival).map_err(|refused| anyhow::anyhow!("refused: {refused:?}"))?;
        Ok(endpoint.serve(stream, entry))
    }

    /// Looks at the settings file and at the files of certificates now, as SIGHUP asks for.
    pub async fn reload(&self) {
        self.look.notify_one();
        match self.virtual_servers.certificates.reload().await {
            Ok(said) => tracing::info!("{said}"),
            Err(error) => {
                tracing::error!(error = %format_args!("{error:#}"), "certificates cannot be read again")
            }
        }
    }

    /// Tells every session to come to an end, as SIGTERM does. To be called within the runtime.
    pub fn tell_to_stop(&self) {
        self.stop.send_replace(true);
        self.virtual_servers.registry.stop_all(None);
        // Whoever does not come to an end is ended after the grace period.
        let virtual_servers = self.virtual_servers.clone();
        self.shared.world.workers.spawn(async move { virtual_servers.close().await });
    }

    /// Stops: nothing new is taken, and what is under way ends within the grace period.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.virtual_servers.close().await;
        for task in std::mem::take(&mut self.tasks) {
            let _ = task.await;
        }
        let _ = std::fs::remove_file(socket_path(&self.data));
        // With the last handle on the store goes its lock; what waits is written first.
    }

    /// Content that a crash left without a record: its story is told, its space is freed by the store.
    async fn explain_orphans(&self) -> Result<()> {
        let now = self.shared.world.clock.wall();
        let mut changes = Vec::new();
        for store::Orphan { label, size, complete, .. } in self.shared.store.orphans() {
            let Some(story) = smtp::label::Label::story(&label, size, complete, now) else { continue };
            // What was refused, or cut by its client, waits to be freed, too; but its end has been told.
            if !self.has_ended(story.queue_id).await? {
                changes.push(story.explanation(now));
            }
        }
        if !changes.is_empty() {
            tracing::warn!(
                transactions = changes.len(),
                "the server did not stop in good order; see their stories"
            );
            self.shared.store.commit(store::Commit { content: Vec::new(), changes }).await?;
        }
        self.shared.store.settle_orphans().await?;
        Ok(())
    }

    async fn has_ended(&self, transaction: QueueId) -> Result<bool> {
        let told = self.shared.store.story(transaction).await?;
        let ends = |hop: &policy::Hop| matches!(hop.what, policy::What::End { .. });
        let stories = told.iter().filter_map(|record| policy::Story::from_json(&record.story).ok());
        Ok(stories.flat_map(|story| story.hops).any(|hop| ends(&hop)))
    }

    /// Answers commands from now on. Before anything is served: who sees the server answer can ask it.
    fn administer(&mut self) -> Result<()> {
        let path = socket_path(&self.data);
        let socket =
            admin::socket::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
        let serve = admin::socket::serve(socket, self.admin.clone(), self.stop.subscribe());
        self.tasks.push(self.shared.world.workers.spawn(serve));
        Ok(())
    }

    fn spawn_tasks(&mut self, settings: &Settings) {
        let shared = &self.shared;
        let magic = settings.virtual_servers.iter().any(|server| server.magic_recipients);
        let magic = if magic { queue::agent::local::Magic::On } else { queue::agent::local::Magic::Off };
        let parts = queue::agent::Parts {
            world: shared.world.clone(),
            store: shared.store.clone(),
            directory: shared.directory.clone(),
            registry: self.virtual_servers.registry.clone(),
            handle: shared.queue.clone(),
            magic,
        };
        let runner = Runner {
            world: shared.world.clone(),
            store: shared.store.clone(),
            directory: shared.directory.clone(),
            queue_ids: shared.queue_ids.clone(),
            agents: Arc::new(queue::Agents::new(&parts)),
            handle: shared.queue.clone(),
        };
        let workers = &shared.world.workers;
        self.tasks.push(workers.spawn(runner.run(self.stop.subscribe())));
        self.tasks.push(workers.spawn(self.virtual_servers.certificates.clone().run(self.stop.subscribe())));
        self.tasks.push(workers.spawn(pressure::keep_watch(shared.clone(), self.stop.subscribe())));
        let servers = self.virtual_servers.clone();
        let pickup = Pickup::new(shared.clone(), servers.registry.clone(), self.data.clone());
        let settings = move || servers.view().settings.clone();
        self.tasks.push(workers.spawn(pickup.run(settings, self.stop.subscribe())));
        if let Some((changes, file)) =
            self.changes.as_ref().and_then(|changes| Some((changes, changes.file()?)))
        {
            let (changes, clock, now) = (changes.clone(), shared.world.clock.clone(), self.look.clone());
            let watch = changes::file::Watch { changes, file, clock, now };
            self.tasks.push(workers.spawn(watch.run(self.stop.subscribe())));
        }
        self.tasks.push(workers.spawn(keep_order(self.virtual_servers.clone(), self.stop.subscribe())));
    }
}

/// Work behind the commits: the journal is indexed and trimmed, freed content reclaimed.
async fn keep_order(virtual_servers: Arc<VirtualServers>, mut stop: watch::Receiver<bool>) {
    let shared = &virtual_servers.shared;
    loop {
        let bounds = virtual_servers.view().settings.journal;
        let oldest = millis_before(shared.world.clock.wall(), bounds.keep.duration());
        let indexed = shared.store.index_journal().await;
        let trimmed = shared.store.trim_journal(oldest, bounds.size_limit.0).await;
        let maintained = shared.store.maintain().await;
        if let Some(error) = indexed.err().or(trimmed.err()).or(maintained.err()) {
            tracing::warn!(%error, "the store could not be kept in order");
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            () = shared.world.clock.sleep(HOUSEKEEPING_PAUSE) => {}
        }
    }
}

fn millis_before(now: Timestamp, time: std::time::Duration) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(time.as_millis()).unwrap_or(i64::MAX)))
}
