//! Clients that send, each over a connection of its own, as long as there is a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::attempt::Attempt;
use super::chance::Chance;
use super::message::Message;
use super::server::Server;
use super::smtp::{Client, Sent};

const CONNECTIONS: u64 = 32;

/// What a client sends next.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) message: Message,
    pub(crate) sender: String,
    pub(crate) recipients: Vec<String>,
    /// How long the client waits before it.
    pub(crate) pause: Duration,
}

/// Writes the letter with this number.
pub(crate) type Writer = fn(u32, &mut Chance) -> Letter;

/// The clients.
pub(crate) struct Load {
    field: Arc<Field>,
    clients: Vec<JoinHandle<Vec<Attempt>>>,
}

/// What clients share.
#[derive(Default)]
struct Field {
    /// The server's port; 0 while there is none.
    port: AtomicU16,
    numbers: AtomicU32,
    over: AtomicBool,
}

impl Load {
    pub(crate) fn start(seed: u64, write: Writer) -> Self {
        let field = Arc::<Field>::default();
        let clients = (0..CONNECTIONS)
            .map(|number| {
                let (field, chance) = (field.clone(), Chance::new(seed ^ (number << 32)));
                std::thread::spawn(move || field.serve_as_client(write, chance))
            })
            .collect();
        Self { field, clients }
    }

    /// Lets the clients send for this long.
    pub(crate) fn run_for(&self, server: &Server, time: Duration) {
        self.field.port.store(server.port("smtp"), Ordering::Relaxed);
        std::thread::sleep(time);
        self.field.port.store(0, Ordering::Relaxed);
    }

    /// Everyone ends after what they are at.
    pub(crate) fn stop(self) -> Vec<Attempt> {
        self.field.over.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().expect("no client panics")).collect()
    }
}

impl Field {
    /// Connects whenever there is a server and sends until the connection or the test is over.
    fn serve_as_client(&self, write: Writer, mut chance: Chance) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        while !self.over.load(Ordering::Relaxed) {
            let port = self.port.load(Ordering::Relaxed);
            match (port > 0).then(|| Client::connect(port)) {
                Some(Ok(mut client)) => self.converse(&mut client, write, &mut chance, &mut attempts),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        attempts
    }

    fn converse(&self, client: &mut Client, write: Writer, chance: &mut Chance, attempts: &mut Vec<Attempt>) {
        while !self.over.load(Ordering::Relaxed) {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            let Letter { message, sender, recipients, pause } = write(number, chance);
            std::thread::sleep(pause);
            let names: Vec<&str> = recipients.iter().map(String::as_str).collect();
            let sent = client.send(message, &sender, &names);
            let over = matches!(sent, Sent::Cut | Sent::InFlight);
            attempts.push(Attempt { message, recipients, sent });
            if over {
                return;
            }
        }
    }
}
