//! The protocol log of a virtual server: every command and reply, to a file of its own that is rotated by size.
//!
//! ```text
//! connection ─► Tap ─► bounded channel ─► one writer a file ─► LogFile: append, rotate, reopen
//!                        full: counted, and left out
//! ```
//!
//! Mail never waits for it. A line that finds the channel full is left out and counted, and the log says how many; a
//! disk that fails is reported once, in the server's own log, and tried again with each batch.
//!
//! What a line may hold is decided by the sessions ([`protocol::overheard`]): no secret and no content comes here.
//!
//! ```text
//! 2026-11-22T15:42:52.123Z 4711 192.0.2.1:40123 - connected to internet
//! 2026-11-22T15:42:52.124Z 4711 192.0.2.1:40123 > 220 mx.example.org ESMTP
//! 2026-11-22T15:42:52.160Z 4711 192.0.2.1:40123 < EHLO client.example
//! ```

mod file;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::{Timestamp, printable};
use protocol::{End, Overheard, Speaker, TlsFacts};
use settings::Settings;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::Tap;
use wire::registry::Live;
use wire::tap::Event;
use world::{Clock, World};

use self::file::LogFile;
use crate::limits::{PROTOCOL_LOG_BATCH_MAX, PROTOCOL_LOG_WAITING_MAX};

/// The protocol logs of this process, by virtual server.
#[derive(Debug, Default)]
pub(crate) struct ProtocolLogs(BTreeMap<String, Written>);

/// A log with its writer.
#[derive(Debug)]
struct Written {
    settings: settings::ProtocolLog,
    log: ProtocolLog,
    writer: JoinHandle<()>,
}

impl ProtocolLogs {
    /// Has a writer for each virtual server that has a log. One that is as it was goes on. Another is finished: what
    /// connections that began with it still say is left out.
    pub(crate) async fn follow(&mut self, settings: &Settings, world: &World) {
        let mut former = std::mem::take(&mut self.0);
        let wanted =
            |server: &settings::VirtualServer| Some((server.name.clone(), server.protocol_log.clone()?));
        let wanted: Vec<_> = settings.virtual_servers.iter().filter_map(wanted).collect();
        for (name, log) in &wanted {
            if former.get(name).is_some_and(|written| written.settings == *log) {
                self.0.extend(former.remove_entry(name));
            }
        }
        // Before others begin: they may write to the same files.
        finish(former).await;
        for (name, log) in wanted {
            if let Entry::Vacant(place) = self.0.entry(name) {
                place.insert(Written::start(log, world).await);
            }
        }
    }

    /// The log of a virtual server, if it has one.
    pub(crate) fn of(&self, virtual_server: &str) -> Option<ProtocolLog> {
        self.0.get(virtual_server).map(|written| written.log.clone())
    }

    /// Writes what waits. Lines that come later are left out.
    pub(crate) async fn finish(&mut self) {
        finish(std::mem::take(&mut self.0)).await;
    }
}

impl Written {
    /// The file is opened before this returns: what stands in the way is said at once, not with the first connection.
    async fn start(settings: settings::ProtocolLog, world: &World) -> Self {
        let file = LogFile::new(settings.file.clone(), settings.size_limit.0, settings.keep);
        let (log, mut writer) = ProtocolLog::new(file, world);
        writer.write(Vec::new()).await;
        Self { settings, log, writer: world.workers.spawn(writer.run()) }
    }
}

async fn finish(logs: BTreeMap<String, Written>) {
    for written in logs.values() {
        // A writer that has gone has nothing to write.
        let _ = written.log.0.messages.send(Message::Finish).await;
    }
    for written in logs.into_values() {
        let _ = written.writer.await;
    }
}

/// The way into one log. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ProtocolLog(Arc<Entrance>);

#[derive(Debug)]
struct Entrance {
    messages: mpsc::Sender<Message>,
    /// Lines that found no room and have not been told of.
    left_out: Arc<AtomicU64>,
    clock: Clock,
}

#[derive(Debug)]
enum Message {
    Line(String),
    Finish,
}

impl ProtocolLog {
    fn new(file: LogFile, world: &World) -> (Self, Writer) {
        let (messages, waiting) = mpsc::channel(PROTOCOL_LOG_WAITING_MAX);
        let (left_out, clock) = (Arc::<AtomicU64>::default(), world.clock.clone());
        let log = Self(Arc::new(Entrance { messages, left_out: left_out.clone(), clock }));
        let writer = Writer { waiting, left_out, world: world.clone(), file: Some(file), failing: false };
        (log, writer)
    }

    /// A tap for this connection.
    pub(crate) fn tap(&self, live: &Live) -> Tap {
        let (entrance, who) = (self.0.clone(), format!("{} {}", live.id().0, live.peer()));
        let server = live.virtual_server().clone();
        Tap::new(move |event| entrance.add(line(entrance.clock.wall(), &who, text(event, &server))))
    }
}

impl Entrance {
    fn add(&self, line: String) {
        if self.messages.try_send(Message::Line(line)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn line(at: Timestamp, who: &str, text: impl Display) -> String {
    format!("{at} {who} {text}\n")
}

fn text(event: Event<'_>, server: &str) -> String {
    match event {
        Event::Said(Overheard { by: Speaker::Peer, text }) => format!("< {text}"),
        Event::Said(Overheard { by: Speaker::We, text }) => format!("> {text}"),
        Event::Connected => format!("- connected to {}", printable(server)),
        Event::Secured(facts) => format!("- {}", tls(facts)),
        Event::HandshakeFailed => "- TLS handshake failed".to_owned(),
        Event::Ended(end) => format!("- {}", how(end)),
    }
}

fn tls(TlsFacts { version, cipher, server_name, .. }: &TlsFacts) -> String {
    let name =
        server_name.as_deref().map(|name| format!(", asked for {}", printable(name))).unwrap_or_default();
    format!("{version} with {cipher}{name}")
}

fn how(end: End) -> &'static str {
    match end {
        End::Closed => "closed",
        End::HalfClosed => "closed by the peer",
        End::Cut => "cut off",
        End::WriteDeadline => "closed, the peer does not read",
        End::Terminated => "terminated",
    }
}

/// Writes one file.
struct Writer {
    waiting: mpsc::Receiver<Message>,
    left_out: Arc<AtomicU64>,
    world: World,
    /// Absent while a worker has it.
    file: Option<LogFile>,
    /// The last write failed, and that was reported.
    failing: bool,
}

impl Writer {
    async fn run(mut self) {
        let mut batch = Vec::new();
        loop {
            let mut finished = self.waiting.recv_many(&mut batch, PROTOCOL_LOG_BATCH_MAX).await == 0;
            let mut lines = Vec::with_capacity(batch.len() + 1);
            for message in batch.drain(..) {
                match message {
                    Message::Line(line) => lines.push(line),
                    Message::Finish => finished = true,
                }
            }
            self.write_or_count(lines).await;
            if finished {
                return;
            }
        }
    }

    /// Writes lines, and how many are missing about here.
    async fn write_or_count(&mut self, mut lines: Vec<String>) {
        let (new, left_out) = (lines.len() as u64, self.left_out.swap(0, Ordering::Relaxed));
        if left_out > 0 {
            let missing = format_args!("- {left_out} lines were left out");
            lines.push(line(self.world.clock.wall(), "- -", missing));
        }
        if !self.write(lines).await {
            self.left_out.fetch_add(new + left_out, Ordering::Relaxed);
        }
    }

    /// False if that failed.
    async fn write(&mut self, lines: Vec<String>) -> bool {
        let mut file = self.file.take().expect("it is put back after each write");
        let append = move || {
            let appended = file.append(&lines);
            (file, appended)
        };
        let (file, appended) = self.world.workers.run(append).await;
        match &appended {
            Ok(()) if self.failing => {
                tracing::info!(file = %file.path().display(), "the protocol log is written again");
            }
            Err(error) if !self.failing => tracing::error!(
                file = %file.path().display(),
                %error,
                "the protocol log cannot be written; mail goes on without it"
            ),
            _ => {}
        }
        self.failing = appended.is_err();
        self.file = Some(file);
        appended.is_ok()
    }
}

#[cfg(test)]
mod tests;
