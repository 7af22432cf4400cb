//! A data directory with what a fixture gives, the settings text of its options, and what is to be seen afterwards.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use admin::{Admin, Down, KeptPasswords, NewPassword, Request, Response, Secret};
use bytes::Bytes;
use directory::Directory;
use mail::{Domain, MailboxPath, Timestamp};
use mailboxes::Mailboxes;
use store::{Change, Commit, Store};
use tempfile::TempDir;
use testkit::files;
use testkit::transcript::{Check, Fixture, Protocol};
use tokio::runtime::Runtime;
use world::World;

use super::issuer;

/// When simulated worlds begin: 2026-11-22 10:00:00.
pub(crate) const BEGINNING: Timestamp = Timestamp(1_795_341_600_000);

/// What the server calls itself.
pub(crate) const HOST_NAME: &str = "mx.example";

/// A directory that goes when this goes.
#[derive(Debug)]
pub(crate) struct Place {
    directory: TempDir,
    fixture: Fixture,
    /// Settings that no option of a fixture has.
    more: String,
}

/// Sentences, as stages speak.
pub(crate) type Result<T> = std::result::Result<T, String>;

impl Place {
    /// Makes a data directory with the accounts, domains, aliases and emails of a fixture.
    pub(crate) fn new(fixture: &Fixture) -> Result<Self> {
        let place = Self { directory: empty_directory()?, fixture: fixture.clone(), more: String::new() };
        place.with_store(async |store, world| furnish(store, world, fixture).await)?;
        place.write_secret()?;
        Ok(place)
    }

    /// The same again, in another directory. Cheaper than a new one, because no password is hashed.
    pub(crate) fn copy(&self) -> Result<Self> {
        let (fixture, more) = (self.fixture.clone(), self.more.clone());
        let place = Self { directory: empty_directory()?, fixture, more };
        copy_directory(&self.data(), &place.data())
            .map_err(|error| format!("a copy of the data: {error}"))?;
        place.write_secret()?;
        Ok(place)
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test, which is lost with it")]
    fn write_secret(&self) -> Result<()> {
        if self.fixture.tokens.is_empty() {
            return Ok(());
        }
        fs::write(self.issuers_secret(), "secret\n").map_err(|error| format!("the issuer's secret: {error}"))
    }

    /// The same with more settings: whole tables.
    pub(crate) fn with_settings(self, more: &str) -> Self {
        Self { more: more.into(), ..self }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// A file beside the data directory.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The settings text of the fixture's options, and what was added.
    pub(crate) fn settings(&self) -> String {
        let mut text = settings_text(&self.fixture);
        if !self.fixture.tokens.is_empty() {
            text.insert_str(0, &issuer::settings(&self.issuers_secret()));
        }
        text + &self.more
    }

    /// The world with who gives the tokens of the fixture.
    pub(crate) fn around(&self, world: World) -> World {
        match self.fixture.tokens.as_slice() {
            [] => world,
            tokens => issuer::around(world, tokens),
        }
    }

    /// The file with our secret at the issuer.
    fn issuers_secret(&self) -> PathBuf {
        self.beside("issuer.secret")
    }

    /// The settings, with those options too that a settings text may not ask for.
    pub(crate) fn resolved(&self) -> Result<settings::Settings> {
        let mut resolved = settings::resolve(&self.settings()).map_err(|mistakes| format!("{mistakes:?}"))?;
        for server in &mut resolved.virtual_servers {
            if let Some(octets) = number(&self.fixture, "message-size-limit")? {
                server.message_size_limit = settings::Size(octets);
            }
            if let Some(octets) = number(&self.fixture, "session-size-limit")? {
                server.session_size_limit = Some(settings::Size(octets));
            }
            if let Some(recipients) = number(&self.fixture, "recipients-per-message")? {
                server.recipients_per_message = recipients;
            }
            if let Some(network) = self.fixture.options.get("relay-allow") {
                let network = network.parse().map_err(|wrong| format!("{network}: {wrong:?}"))?;
                server.relay.allow = settings::Networks(vec![network]);
            }
        }
        Ok(resolved)
    }

    /// What the settings call a protocol of the fixture. Submission that does not ask for sign-in is smtp there.
    pub(crate) fn speaks(&self, protocol: Protocol) -> &'static str {
        speaks(protocol, &self.fixture)
    }

    /// Everything that the journal of a server that has ended holds, as it is stored.
    pub(crate) fn journal(&self) -> Result<Vec<String>> {
        self.with_store(async |store, _| {
            let stories = store.stories(Timestamp(0), Timestamp(i64::MAX), usize::MAX).await;
            let stories = stories.map_err(|error| error.to_string())?;
            Ok(stories.into_iter().map(|record| record.story).collect())
        })
    }

    /// Looks whether this is true on the disk of a server that has ended.
    pub(crate) fn check(&self, check: &Check) -> Result<()> {
        self.with_store(async |store, _| match check {
            Check::Mail(address, count) => check_mail(store, address, *count).await,
            Check::Story(words) => check_story(&newest_story(store).await?, words),
        })
    }

    /// Opens the store while no server has it.
    fn with_store<T>(&self, work: impl AsyncFnOnce(&Store, &World) -> Result<T>) -> Result<T> {
        simulation()?.block_on(async {
            let world = World::simulated(BEGINNING, 1);
            let store =
                server::serve::open_store(&self.data(), &world).map_err(|error| format!("{error:#}"))?;
            let done = work(&store, &world).await;
            let _none = nobody_spawns();
            drop(store);
            done
        })
    }
}

/// Held while a process is spawned: until it is executed it has all our files, and the lock of a store among them. Held
/// also while a store is closed, so that it is closed for good and the next one may have it.
pub(crate) fn nobody_spawns() -> MutexGuard<'static, ()> {
    static SPAWNING: Mutex<()> = Mutex::new(());
    SPAWNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A runtime with a clock that stands still until nobody has anything to do.
pub(crate) fn simulation() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map_err(|error| format!("a runtime: {error}"))
}

/// In memory if the system has such a place: these directories are looked at by tests only, and not after a power cut.
fn empty_directory() -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.map_err(|error| format!("a directory for the test: {error}"))
}

async fn furnish(store: &Store, world: &World, fixture: &Fixture) -> Result<()> {
    let directory = Arc::new(Directory::new(store.clone(), world.clone()));
    let admin = Admin::new(store.clone(), directory, world.clone(), Arc::new(Down));
    add_domains(store, fixture).await?;
    for request in requests(fixture) {
        if let Response::Refused(refusal) = admin.execute(request).await {
            return Err(format!("the fixture: {refusal}"));
        }
    }
    let mailboxes = Mailboxes::new(store.clone(), world.clone());
    for (address, file) in &fixture.mail {
        let content = files::mail(file).map_err(|error| error.to_string())?;
        append(store, &mailboxes, address, content.into()).await?;
    }
    Ok(())
}

/// Without the keys that the command makes for a domain: no dialogue needs them, and each takes a tenth of a second.
async fn add_domains(store: &Store, fixture: &Fixture) -> Result<()> {
    let addresses = fixture.accounts.iter().chain(&fixture.aliases).map(|(address, _)| address);
    let of_addresses = addresses.filter_map(|address| address.rsplit_once('@')).map(|(_, domain)| domain);
    let names = of_addresses.chain(fixture.domains.iter().map(String::as_str));
    let names = names.map(|name| Domain::parse(name).map_err(|error| format!("{name}: {error}")));
    let mut added: Vec<Domain> = Vec::new();
    for name in names {
        let name = name?;
        if !added.contains(&name) {
            added.push(name);
        }
    }
    // The oldest is the one that a local part alone belongs to.
    let change = |(at, name): (i64, Domain)| Change::AddDomain { name: name.to_string(), at: Timestamp(at) };
    let changes = (0..).zip(added).map(change).collect();
    let committed = store.commit(Commit { content: Vec::new(), changes }).await;
    committed.map(drop).map_err(|error| format!("the domains: {error}"))
}

fn requests(fixture: &Fixture) -> Vec<Request> {
    let accounts = fixture.accounts.iter().map(|(address, password)| Request::AccountAdd {
        address: address.clone(),
        name: String::new(),
        password: NewPassword::Given(Secret(password.clone())),
        kept: offers_cram_md5(fixture).then_some(KeptPasswords::WithCramMd5),
    });
    let alias = |(address, target): &(String, String)| Request::AliasAdd {
        address: address.clone(),
        targets: target.split(',').map(str::to_owned).collect(),
    };
    accounts.chain(fixture.aliases.iter().map(alias)).collect()
}

async fn append(store: &Store, mailboxes: &Mailboxes, address: &str, content: Bytes) -> Result<()> {
    let account = account(store, address).await?;
    let size = content.len() as u64;
    let appended = async {
        let mut append = mailboxes.append(account, &MailboxPath::inbox(), size).await?;
        append.push(content).await?;
        append.finish(Vec::new(), Some(BEGINNING)).await
    };
    appended.await.map(drop).map_err(|error| format!("`given mail {address}`: {error:?}"))
}

async fn account(store: &Store, address: &str) -> Result<i64> {
    let record = store.account_by_address(address).await.map_err(|error| error.to_string())?;
    record.map(|record| record.id).ok_or_else(|| format!("{address} has no account"))
}

async fn check_mail(store: &Store, address: &str, count: usize) -> Result<()> {
    let account = account(store, address).await?;
    let inbox =
        store.mailbox_by_path(account, &MailboxPath::inbox()).await.map_err(|error| error.to_string())?;
    let inbox = inbox.ok_or_else(|| format!("{address} has no INBOX"))?;
    let uids = store.uids(inbox.id).await.map_err(|error| error.to_string())?;
    let there = uids.map_or(0, |(_, uids)| uids.iter().count());
    if there == count { Ok(()) } else { Err(format!("INBOX of {address} holds {there} emails, not {count}")) }
}

/// What is told of the transaction that began last.
async fn newest_story(store: &Store) -> Result<String> {
    let last = Timestamp(i64::MAX);
    let newest = store.stories(Timestamp(0), last, 1).await.map_err(|error| error.to_string())?;
    let newest = newest.first().ok_or("there is no story")?;
    let records = store.story(newest.queue_id).await.map_err(|error| error.to_string())?;
    Ok(policy::story::tell(&records))
}

/// Whole words, as they stand between blanks; marks at their ends do not count.
fn check_story(story: &str, words: &[String]) -> Result<()> {
    let bare = |word: &str| word.trim_end_matches([':', ',', ';']).to_owned();
    let mut told = story.split_whitespace().map(bare);
    match words.iter().find(|word| !told.any(|known| known == bare(word))) {
        None => Ok(()),
        Some(word) => Err(format!("`{word}` is not there, or not in this order:\n{story}")),
    }
}

fn copy_directory(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let (entry, kind) = entry.and_then(|entry| entry.file_type().map(|kind| (entry, kind)))?;
        let target = to.join(entry.file_name());
        match kind.is_dir() {
            true => copy_directory(&entry.path(), &target)?,
            false => fs::copy(entry.path(), target).map(drop)?,
        }
    }
    Ok(())
}

/// The virtual server that a protocol of a transcript means: `smtp`, and `smtp-tls` with TLS from the first byte.
pub(crate) fn virtual_server(protocol: Protocol, tls: bool) -> String {
    format!("{}{}", protocol.name(), if tls { "-tls" } else { "" })
}

/// Those bound to the TLS channel, too, which submission and POP3 leave out unless they are told.
const ALL_MECHANISMS: &str =
    r#"["scram-sha-256-plus", "scram-sha-1-plus", "scram-sha-256", "scram-sha-1", "plain", "login"]"#;

fn settings_text(fixture: &Fixture) -> String {
    let option = |name: &str, without: &'static str| {
        fixture.options.get(name).map_or(without, String::as_str).to_owned()
    };
    let clear_text = if option("authentication-without-tls", "off") == "on" { "\"127.0.0.0/8\"" } else { "" };
    let trusted = if option("trusted", "off") == "on" { "\"127.0.0.0/8\"" } else { "" };
    let messages = option("messages-per-connection", "1000");
    let (magic, level) = (option("magic-recipients", "off"), option("log-level", "info"));
    let mut text = format!(
        "host-name = \"{HOST_NAME}\"\nauthentication-without-tls = [{clear_text}]\ntrusted-networks = [{trusted}]\n\
         [defaults]\nbanner = \"ESMTP\"\nmessages-per-connection = {messages}\nmagic-recipients = \"{magic}\"\n\
         {}[log]\nformat = \"json\"\nlevel = \"{level}\"\n",
        switches(fixture)
    );
    let named = fixture.options.get("mechanisms");
    let named = named.map(|names| format!("[\"{}\"]", names.replace(',', "\", \"")));
    let offered = named.as_deref().unwrap_or(ALL_MECHANISMS);
    let mechanisms = if option("authentication", "on") == "on" { offered } else { "[]" };
    let clear = option("tls", "offered");
    for protocol in Protocol::ALL {
        for (tls, mode) in [(false, clear.as_str()), (true, "implicit")] {
            let name = virtual_server(protocol, tls);
            let _ = write!(
                text,
                "[[virtual-server]]\nname = \"{name}\"\nprotocol = \"{}\"\n",
                speaks(protocol, fixture)
            );
            let _ = writeln!(text, "bind = {{ address = \"127.0.0.1:0\", tls = \"{mode}\" }}");
            let failures = if matches!(protocol, Protocol::Pop3 | Protocol::Imap) { "3" } else { "5" };
            let _ = writeln!(text, "sign-in-failures = {}", option("sign-in-failures", failures));
            if protocol == Protocol::Pop3 {
                let _ = writeln!(text, "authentication = {offered}");
            } else if protocol != Protocol::Imap || named.is_some() {
                let _ = writeln!(text, "authentication = {mechanisms}");
            }
            if protocol == Protocol::Pop3 {
                let _ = writeln!(text, "sign-in-interval = \"{} s\"", option("login-delay", "0"));
            }
        }
    }
    for domain in words(fixture, "hold-until-etrn") {
        let _ =
            writeln!(text, "[[remote-domain]]\ndomain = \"{domain}\"\nhold-until-etrn = [\"127.0.0.0/8\"]");
    }
    if let Some(domain) = fixture.options.get("handed-on") {
        let _ = writeln!(text, "[[local-domain]]\ndomain = \"{domain}\"\nlmtp = \"127.0.0.1:2424\"");
    }
    text
}

fn offers_cram_md5(fixture: &Fixture) -> bool {
    fixture.options.get("mechanisms").is_some_and(|names| names.split(',').any(|name| name == "cram-md5"))
}

/// Lines of `[defaults]`: no reply waits unless the fixture says so.
fn switches(fixture: &Fixture) -> String {
    let errors = words(fixture, "errors");
    let [slow, limit, tarpit] = <[&str; 3]>::try_from(errors).unwrap_or(["10", "20", "0"]);
    let mut text = format!("errors = {{ slow = {slow}, limit = {limit}, tarpit = \"{tarpit} s\" }}\n");
    for name in ["xclient", "xforward"] {
        if fixture.options.get(name).is_some_and(|option| option == "on") {
            let _ = writeln!(text, "{name} = [\"127.0.0.0/8\"]");
        }
    }
    if let Some(who) = fixture.options.get("may-send-as") {
        let _ = writeln!(text, "may-send-as = \"{who}\"");
    }
    let off = words(fixture, "off");
    for (table, names) in [("commands", COMMANDS), ("keywords", KEYWORDS)] {
        let off: Vec<_> =
            off.iter().filter(|name| names.contains(name)).map(|name| format!("{name} = \"off\"")).collect();
        if !off.is_empty() {
            let _ = writeln!(text, "{table} = {{ {} }}", off.join(", "));
        }
    }
    text
}

const COMMANDS: &[&str] = &["vrfy", "expn", "help", "verb", "etrn"];
const KEYWORDS: &[&str] =
    &["dsn", "chunking", "binarymime", "8bitmime", "pipelining", "size", "smtputf8", "limits"];

fn words<'a>(fixture: &'a Fixture, name: &str) -> Vec<&'a str> {
    let text = fixture.options.get(name).map_or("", String::as_str);
    text.split(',').filter(|word| !word.is_empty()).collect()
}

fn speaks(protocol: Protocol, fixture: &Fixture) -> &'static str {
    match fixture.options.get("authentication-required").map(String::as_str) {
        Some("off") if protocol == Protocol::Submission => Protocol::Smtp.name(),
        Some("on") if protocol == Protocol::Smtp => Protocol::Submission.name(),
        _ => protocol.name(),
    }
}

/// Whether a fixture asks for what a settings text may not, because a standard has a lower bound for it.
pub(crate) fn has_options_of_tests(fixture: &Fixture) -> bool {
    ["message-size-limit", "session-size-limit", "recipients-per-message"]
        .iter()
        .any(|&name| fixture.options.contains_key(name))
}

fn number<T: std::str::FromStr>(fixture: &Fixture, name: &str) -> Result<Option<T>> {
    let text = fixture.options.get(name);
    text.map(|text| text.parse().map_err(|_| format!("`given option {name} {text}`: a number"))).transpose()
}
