//! A service on a store of its own, asked as over the socket.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::sync::Arc;

use admin::{Admin, ConnectionRow, Response, Running, VirtualServerRow};
use directory::Directory;
use expect_test::Expect;
use mail::Timestamp;
use store::{Options, Store};
use world::{Clock, Dice, Workers, World};

/// One virtual server and one connection.
#[derive(Debug)]
struct Fake;

impl Running for Fake {
    fn virtual_servers(&self) -> Vec<VirtualServerRow> {
        vec![VirtualServerRow {
            name: "internet".into(),
            protocol: "smtp".into(),
            bindings: vec!["[::]:25".into()],
            state: "running".into(),
            connections: 1,
        }]
    }

    fn connections(&self) -> Vec<ConnectionRow> {
        vec![ConnectionRow {
            id: 7,
            virtual_server: "internet".into(),
            protocol: "smtp".into(),
            peer: "192.0.2.1:4711".parse().unwrap(),
            since: Timestamp(0),
            account: String::new(),
            tls: String::new(),
            doing: "waits".into(),
            received: 0,
            sent: 0,
            messages: 0,
        }]
    }

    fn terminate(&self, id: u64) -> bool {
        id == 7
    }
}

/// A service on a store of its own.
pub(crate) struct Here {
    pub(crate) admin: Arc<Admin>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) store: Store,
    pub(crate) world: World,
    pub(crate) dir: tempfile::TempDir,
}

/// When a simulated clock begins.
pub(crate) const NOON: Timestamp = Timestamp(1_795_348_800_000);

/// On inline workers time is simulated: such a test starts with paused time.
pub(crate) fn here(workers: Workers) -> Here {
    let dir = tempfile::tempdir().unwrap();
    let clock = match workers {
        Workers::Inline => Clock::simulated(NOON),
        Workers::Threads { .. } => Clock::Real,
    };
    let world = World::without_network(clock, Dice::seeded(1), workers);
    let options = Options { story_keys: policy::story::keys, ..Options::default() };
    let store = Store::open(&dir.path().join("data"), &world, options).unwrap();
    let directory = Arc::new(Directory::new(store.clone(), world.clone()));
    let admin = Arc::new(Admin::new(store.clone(), directory.clone(), world.clone(), Arc::new(Fake)));
    Here { admin, directory, store, world, dir }
}

impl Here {
    /// Asks in JSON, answers in JSON, as over the socket. Keys are blanked.
    pub(crate) async fn ask(&self, request: &str) -> String {
        let answer = serde_json::to_string(&self.execute(request).await).unwrap();
        blanked(&blanked(&answer, "-20261122-", "._domainkey."), "; p=", "\"")
    }

    pub(crate) async fn execute(&self, request: &str) -> Response {
        self.admin.execute(serde_json::from_str(request).unwrap()).await
    }

    /// Each request with its response below it.
    pub(crate) async fn check(&self, requests: &[&str], expected: Expect) {
        let mut all = String::new();
        for request in requests {
            all.push_str(&format!("{request}\n    {}\n", self.ask(request).await));
        }
        expected.assert_eq(&all);
    }

    /// The same where a runner is told of changes, and never looks.
    pub(crate) fn with_runner(self) -> Self {
        let (store, directory, world) = (self.store.clone(), self.directory.clone(), self.world.clone());
        let settings = settings::resolve("host-name = 'mx.example.org'").unwrap();
        let properties = Arc::new(queue::Properties::without_network(&settings));
        let queue = queue::Handle::new(properties);
        let admin = Admin::new(store, directory, world, Arc::new(Fake)).with_queue(queue);
        Self { admin: Arc::new(admin), ..self }
    }

    pub(crate) async fn with_bob() -> Self {
        let here = here(Workers::Inline);
        here.ask(r#"{"do":"domain-add","domain":"example.org"}"#).await;
        here.ask(r#"{"do":"account-add","address":"bob@example.org","password":{"given":"secret"}}"#).await;
        here
    }
}

/// Whatever stands between these two, blanked.
fn blanked(text: &str, from: &str, to: &str) -> String {
    let mut parts = text.split(from);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.find(to).map_or("", |end| &part[end..]);
        out.extend([from, "…", rest]);
    }
    out
}
