//! The pickup directory: a file that is put down there is sent.
//!
//! ```text
//! pickup/NAME --parse, envelope judged--> pickup/.taken/QUEUE-ID-NAME --commit--> removed
//!      |                                                                 '--refused--> badmail/QUEUE-ID-NAME
//!      '--cannot be read--> badmail/NAME
//! ```
//!
//! - A file is taken when it was not written to for [`PICKUP_QUIET`], so that one that is still being written is left alone; one
//!   that a program writes elsewhere on the file system and renames into place is whole whenever it is seen. What begins with
//!   a dot is left alone. Those of `waxseal sendmail` are renamed into place, and taken at once.
//! - Links, pipes and directories are left alone; a file with a second name is badmail.
//! - Before the commit the file is renamed to a name with the message's queue id. After a crash the story of that queue id, which is in the
//!   same commit as the message, says whether it was sent: it is never sent twice, and never lost.
//! - Everybody may put a file down and nobody but the server can see which are there: the directory has mode 1733. The story
//!   names the owner of the file.

mod message;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use mail::{QueueId, Timestamp};
use policy::{Story, What};
use queue::badmail;
use settings::Settings;
use store::files::{self, Found};
use tokio::sync::watch;
use wire::registry::{Arrival, Limits, Registry};

use crate::limits::{PICKUP_FILES_MAX, PICKUP_PAUSE, PICKUP_QUIET, PICKUP_RETRY, SENDMAIL_OCTETS_MAX};
use crate::shared::Shared;
use crate::smtp::submit::{Envelope, Open, Origin};

pub(crate) use message::{end_of_envelope, header_recipients, with_line_ends, without_bcc};

/// What files of `waxseal sendmail` begin with: they are whole when they are there.
pub(crate) const WHOLE: &str = "sendmail-";

/// Where files are put down, unless the settings say otherwise.
pub(crate) fn directory(settings: &Settings, data: &Path) -> PathBuf {
    settings.pickup.directory.clone().unwrap_or_else(|| data.join("pickup"))
}

/// Sends what is put down.
pub(crate) struct Pickup {
    pub(crate) shared: Arc<Shared>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) data: PathBuf,
    /// Files that are tried again then.
    later: BTreeMap<String, Instant>,
}

/// Where things are, as the settings say now.
struct Places {
    pickup: PathBuf,
    taken: PathBuf,
    badmail: PathBuf,
    size_max: u64,
}

/// What became of a file.
enum Done {
    /// It was sent, as far as recipients were taken.
    Sent,
    /// Later.
    Later(String),
    /// Never.
    Bad(String),
}

impl Pickup {
    pub(crate) fn new(shared: Arc<Shared>, registry: Arc<Registry>, data: PathBuf) -> Self {
        Self { shared, registry, data, later: BTreeMap::new() }
    }

    /// Looks again and again until told to stop. `settings` gives those in force.
    pub(crate) async fn run(mut self, settings: impl Fn() -> Arc<Settings>, mut stop: watch::Receiver<bool>) {
        let mut prepared = None;
        while !*stop.borrow() {
            let settings = settings();
            if settings.pickup.on {
                let places = self.places(&settings);
                if prepared.as_ref() != Some(&places.pickup) {
                    prepared = self.prepare(&places).await.then(|| places.pickup.clone());
                }
                if prepared.is_some() {
                    self.look(&places, &stop).await;
                }
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.shared.world.clock.sleep(PICKUP_PAUSE) => {}
            }
        }
    }

    fn places(&self, settings: &Settings) -> Places {
        let pickup = directory(settings, &self.data);
        let sizes = settings.virtual_servers.iter().map(|server| server.message_size_limit.0);
        Places {
            taken: pickup.join(".taken"),
            pickup,
            badmail: settings.reports.badmail.clone().unwrap_or_else(|| badmail::directory(&self.data)),
            size_max: sizes.max().unwrap_or_default(),
        }
    }

    /// Makes the directories, and brings back what a crash left taken. Whether files can be picked up.
    async fn prepare(&self, places: &Places) -> bool {
        let made = make(&places.pickup).and_then(|()| {
            make_private(&places.taken)?;
            files::list(&places.taken, usize::MAX)
        });
        let left = match made {
            Ok(left) => left,
            Err(error) => {
                let directory = places.pickup.display();
                tracing::error!(%directory, %error, "nothing can be picked up");
                return false;
            }
        };
        for Found { name, .. } in left {
            let (taken, original) =
                (places.taken.join(&name), name.split_once('-').map_or("", |(_, name)| name));
            let settled = match self.was_sent(&name).await {
                Ok(true) => files::remove(&taken),
                Ok(false) => put_back(&taken, &places.pickup, original),
                Err(error) => Err(io::Error::other(error)),
            };
            if let Err(error) = settled {
                tracing::error!(file = %mail::printable(&name), %error, "a file that was taken stays");
            }
        }
        true
    }

    /// Whether the message of a file that was taken is ours: its story says for whom, in the same commit.
    async fn was_sent(&self, name: &str) -> Result<bool, store::Error> {
        let Some(queue_id) = name.split('-').next().and_then(|id| id.parse::<QueueId>().ok()) else {
            return Ok(false);
        };
        let told = self.shared.store.story(queue_id).await?;
        let stories = told.iter().filter_map(|record| Story::from_json(&record.story).ok());
        Ok(stories.flat_map(|story| story.hops).any(|hop| matches!(hop.what, What::Enqueue { .. })))
    }

    async fn look(&mut self, places: &Places, stop: &watch::Receiver<bool>) {
        let now = self.shared.world.clock.now();
        self.later.retain(|_, until| *until > now);
        let directory = places.pickup.clone();
        let listed = self.shared.world.workers.run(move || files::list(&directory, PICKUP_FILES_MAX)).await;
        let found = match listed {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(%error, "the pickup directory cannot be read");
                return;
            }
        };
        let wall = self.shared.world.clock.wall();
        for file in found {
            if *stop.borrow() {
                return;
            }
            if !self.later.contains_key(&file.name) && is_whole(&file, wall) {
                self.pick_up(places, &file.name).await;
            }
        }
    }

    async fn pick_up(&mut self, places: &Places, name: &str) {
        let shown = mail::printable(name);
        match self.send(places, name).await {
            Ok(Done::Sent) => {}
            Ok(Done::Bad(reason)) => {
                tracing::warn!(file = %shown, %reason, "a file cannot be sent and is badmail");
                if let Err(error) = self.keep_bad(places, name, &reason) {
                    tracing::error!(file = %shown, %error, "a file that cannot be sent stays");
                    self.wait(name);
                }
            }
            Ok(Done::Later(why)) => {
                tracing::warn!(file = %shown, %why, "a file is tried again later");
                self.wait(name);
            }
            Err(error) => {
                tracing::error!(file = %shown, %error, "a file cannot be picked up now");
                self.wait(name);
            }
        }
    }

    fn wait(&mut self, name: &str) {
        self.later.insert(name.to_owned(), self.shared.world.clock.now() + PICKUP_RETRY);
    }

    async fn send(&self, places: &Places, name: &str) -> io::Result<Done> {
        let path = places.pickup.join(name);
        if name.len() > NAME_OCTETS_MAX {
            return Ok(Done::Bad("its name is too long".into()));
        }
        let size_max = places.size_max;
        let read = self.shared.world.workers.run(move || files::read(&path, size_max)).await;
        let (octets, found) = match read {
            Ok(read) => read,
            // Somebody took it away again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Done::Sent),
            Err(error) => return Ok(Done::Bad(format!("it cannot be read: {error}"))),
        };
        let parsed = match message::parse(&octets) {
            Ok(parsed) => parsed,
            Err(reason) => return Ok(Done::Bad(reason)),
        };
        let arrival = Arrival {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            virtual_server: "pickup".into(),
            protocol: "file",
            limits: Limits::NONE,
        };
        let Ok(entry) = self.registry.admit(arrival) else {
            return Ok(Done::Later("there is no room".into()));
        };
        let live = entry.live().clone();
        let envelope = Envelope {
            reverse_path: parsed.reverse_path,
            parameters: parsed.parameters,
            notify: parsed.notify,
            recipients: parsed.recipients,
        };
        match Open::envelope(&self.shared, live, origin(places, &found), envelope).await {
            Ok(open) => self.commit(places, name, open, parsed.content).await,
            Err(reply) if reply.code >= 500 => Ok(Done::Bad(reply.to_string())),
            Err(reply) => Ok(Done::Later(reply.to_string())),
        }
    }

    /// Takes the file, then the message; then the file goes.
    async fn commit(&self, places: &Places, name: &str, open: Open, content: Vec<u8>) -> io::Result<Done> {
        let path = places.pickup.join(name);
        let taken = places.taken.join(format!("{}-{name}", open.queue_id));
        if let Err(error) = files::rename(&path, &taken) {
            open.give_up().await;
            return Err(error);
        }
        // Before the commit: afterwards a crash would leave nobody who knows of them.
        let kept = match self.keep_refused(places, name, &open.refused, &content) {
            Ok(kept) => kept,
            Err(error) => {
                open.give_up().await;
                put_back(&taken, &places.pickup, name)?;
                return Err(error);
            }
        };
        let reply = open.content(content.clone().into()).await;
        if !reply.is_positive() {
            put_back(&taken, &places.pickup, name)?;
            // It is refused for them again when it is sent again.
            kept.map(|kept| files::remove(&kept)).transpose()?;
            let why = reply.to_string();
            return Ok(if reply.code >= 500 { Done::Bad(why) } else { Done::Later(why) });
        }
        files::remove(&taken)?;
        Ok(Done::Sent)
    }

    /// Keeps a message for those to whom it cannot be sent, if there are any. Where it is kept.
    fn keep_refused(
        &self,
        places: &Places,
        name: &str,
        refused: &[(mail::Address, mail::Reply)],
        content: &[u8],
    ) -> io::Result<Option<PathBuf>> {
        let Some((_, reply)) = refused.first() else { return Ok(None) };
        let reason = reply.to_string();
        let mut kept = Vec::new();
        for (address, _) in refused {
            kept.extend_from_slice(format!("X-Receiver: {address}\r\n").as_bytes());
        }
        kept.extend_from_slice(end_of_envelope(content));
        kept.extend_from_slice(content);
        badmail::keep_file(&places.badmail, name, &reason, &kept, self.shared.world.clock.wall()).map(Some)
    }

    /// Moves a file to the badmail. What cannot be read, or may be somebody else's by a second name, goes there as it is, with
    /// the reason beside it.
    fn keep_bad(&self, places: &Places, name: &str, reason: &str) -> io::Result<()> {
        let path = places.pickup.join(name);
        let at = self.shared.world.clock.wall();
        let name = &name[..name.floor_char_boundary(NAME_OCTETS_MAX)];
        match files::read(&path, SENDMAIL_OCTETS_MAX) {
            Ok((octets, _)) => {
                let kept = badmail::keep_file(&places.badmail, name, reason, &octets, at)?;
                // One that stays is kept again.
                files::remove(&path).inspect_err(|_| drop(files::remove(&kept)))
            }
            Err(_) => {
                badmail::make_room(&places.badmail)?;
                let kept = badmail::free_name(&places.badmail, name);
                files::rename_new(&path, &places.badmail.join(&kept))?;
                badmail::keep_file(&places.badmail, &format!("{kept}.why"), reason, b"", at).map(drop)
            }
        }
    }
}

/// Gives a file that was taken its own name again; where somebody has put down another of that name, one beside it.
fn put_back(taken: &Path, pickup: &Path, name: &str) -> io::Result<()> {
    let path = pickup.join(name);
    match files::rename_new(taken, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let beside = taken.file_name().unwrap_or_default();
            files::rename_new(taken, &pickup.join(beside))
        }
        renamed => renamed,
    }
}

fn origin(places: &Places, found: &Found) -> Origin {
    Origin {
        name: "pickup",
        because: "the pickup directory".into(),
        who: format!("uid-{}", found.owner),
        size_max: places.size_max,
    }
}

/// Octets of a file's name: behind the queue id, and with what badmail adds to it, it is still one (NAME_MAX is 255).
const NAME_OCTETS_MAX: usize = 200;

/// Whether nobody writes to it any more.
fn is_whole(file: &Found, now: Timestamp) -> bool {
    let quiet = i64::try_from(PICKUP_QUIET.as_millis()).unwrap_or(i64::MAX);
    file.name.starts_with(WHOLE) || now.0.saturating_sub(file.modified_ms) >= quiet
}

/// Makes the directory, in which everybody may put something and nobody see what is there; or leaves one that is there as it
/// is, if nobody else can take files out of it.
fn make(pickup: &Path) -> io::Result<()> {
    match fs::symlink_metadata(pickup) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::DirBuilder::new().recursive(true).create(pickup)?;
            fs::set_permissions(pickup, fs::Permissions::from_mode(0o1733))
        }
        Err(error) => Err(error),
        Ok(facts) if !facts.is_dir() => {
            Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no directory"))
        }
        Ok(facts) if facts.mode() & 0o002 != 0 && facts.mode() & 0o1000 == 0 => {
            let why = "everybody may take files out of it; give it the sticky bit (mode 1733)";
            Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
        }
        Ok(_) => Ok(()),
    }
}

/// Makes a directory for the server alone, or takes one that is. Everybody can put a name into the pickup directory, also this
/// one before the server does: what somebody else's directory held, he could see and change.
fn make_private(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let facts = fs::symlink_metadata(directory)?;
    let is_own = facts.is_dir() && facts.uid() == rustix::process::geteuid().as_raw();
    if is_own && facts.mode() & 0o077 == 0 {
        return Ok(());
    }
    let why = format!("{} is not the server's alone; remove it", directory.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "files of the test's own")]
    fn what_is_put_back_takes_the_place_of_no_other() {
        let place = tempfile::tempdir().unwrap();
        let taken = place.path().join(".taken");
        make_private(&taken).unwrap();
        for (id, text) in [("1", "one"), ("2", "two")] {
            fs::write(taken.join(format!("{id}-a.eml")), text).unwrap();
            put_back(&taken.join(format!("{id}-a.eml")), place.path(), "a.eml").unwrap();
        }
        let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!((read("a.eml"), read("2-a.eml")), ("one".to_owned(), "two".to_owned()));
    }

    #[test]
    fn what_is_taken_lies_where_nobody_else_can_look() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        make_private(&path("new")).unwrap();
        make_private(&path("new")).unwrap();
        std::os::unix::fs::symlink(path("new"), path("link")).unwrap();
        fs::create_dir(path("open")).unwrap();
        fs::set_permissions(path("open"), fs::Permissions::from_mode(0o711)).unwrap();
        for name in ["link", "open"] {
            assert!(make_private(&path(name)).is_err(), "{name}");
        }
    }
}
