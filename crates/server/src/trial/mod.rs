//! `waxseal try`: a whole server on free loopback ports, with sample accounts, a certificate of its own and a probe.

mod probe;
mod screen;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use admin::{Admin, NewPassword, Request, Secret};
use anyhow::{Context, Result};
use world::World;

pub use screen::{Probe, Ready, SampleAccount};

use crate::cli::Try;
use crate::run::print;
use crate::serve::Server;
use crate::{certificates, files};

/// The settings of a trial. Clear-text sign-in is for loopback, where nobody listens in, and for old clients. Nothing is
/// relayed: a program that is tried out must not write to real people.
const SETTINGS: &str = r#"
host-name = "mx.example.org"
trusted-networks = ["127.0.0.0/8", "::1"]
authentication-without-tls = ["127.0.0.0/8", "::1"]

[defaults]
magic-recipients = "on"

[[virtual-server]]
name = "internet"
protocol = "smtp"
bind = ["127.0.0.1:0"]

[[virtual-server]]
name = "submission"
protocol = "submission"
bind = ["127.0.0.1:0", { address = "127.0.0.1:0", tls = "implicit" }]
relay = { authenticated = "off" }
may-send-as = "anyone"

[[virtual-server]]
name = "maildrop"
protocol = "pop3"
bind = ["127.0.0.1:0", { address = "127.0.0.1:0", tls = "implicit" }]

[[virtual-server]]
name = "mailboxes"
protocol = "imap"
bind = ["127.0.0.1:0", { address = "127.0.0.1:0", tls = "implicit" }]
"#;

const DOMAIN: &str = "example.org";
const ACCOUNTS: [(&str, &str); 2] = [("ann", "Ann Example"), ("bob", "Bob Example")];
/// They have to be received before they can fail on purpose.
const MAGIC: [&str; 3] = ["deferred", "slow", "bounces"];

/// Where a trial keeps the passwords that it has to show again.
fn accounts_file(data: &Path) -> PathBuf {
    data.join("try.json")
}

/// Starts the server, shows what there is, and serves until `stopped`.
///
/// # Errors
/// Whatever is in the way of a start. A probe that does not arrive is shown, and is no error of this kind.
pub async fn run(arguments: Try, world: World, stopped: impl Future<Output = ()>) -> Result<()> {
    let place = Place::of(&arguments, &world)?;
    let progress = Progress { silent: arguments.json };
    progress.say("Starting a server on 127.0.0.1");
    let settings = settings::resolve(SETTINGS).map_err(|mistakes| anyhow::anyhow!("{mistakes:?}"))?;
    let server = Server::start(&place.data, settings, world.clone()).await?;
    progress.say("Making sample accounts");
    let accounts = accounts(server.admin(), &place.data).await?;
    progress.say("Sending a probe");
    let ready = ready(&server, &world, &place, accounts).await;
    present(&arguments, &place, &ready)?;
    stopped.await;
    progress.say("Stopping");
    server.stop().await;
    Ok(())
}

/// The data directory, removed at the end unless it is to be kept.
struct Place {
    data: PathBuf,
    kept: bool,
}

impl Place {
    fn of(arguments: &Try, world: &World) -> Result<Self> {
        let (data, kept) = match &arguments.keep {
            Some(directory) => (directory.clone(), true),
            None => (std::env::temp_dir().join(format!("waxseal-try-{:016x}", world.dice.throw())), false),
        };
        if data.exists() && !data.is_dir() {
            anyhow::bail!("{} is not a directory", data.display());
        }
        std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let data = data.canonicalize().with_context(|| format!("cannot find {}", data.display()))?;
        Ok(Self { data, kept })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

struct Progress {
    silent: bool,
}

impl Progress {
    #[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
    fn say(&self, what: &str) {
        if !self.silent {
            eprintln!("{what} ...");
        }
    }
}

/// The sample accounts: made now, or those of the last time.
async fn accounts(admin: &Admin, data: &Path) -> Result<Vec<SampleAccount>> {
    let file = accounts_file(data);
    if let Some(bytes) = files::read(&file)? {
        return serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", file.display()));
    }
    let mut accounts = Vec::new();
    execute(admin, Request::DomainAdd { domain: DOMAIN.into(), alias_of: None }).await?;
    for (local, name) in ACCOUNTS {
        let address = format!("{local}@{DOMAIN}");
        let password = directory::generate_password(&admin.world().dice);
        let sample = SampleAccount { address: address.clone(), password: password.0.clone() };
        let password = NewPassword::Given(Secret(password.0));
        execute(admin, Request::AccountAdd { address, name: name.into(), password, kept: None }).await?;
        accounts.push(sample);
    }
    for local in MAGIC {
        let (address, targets) = (format!("{local}@{DOMAIN}"), vec![accounts[0].address.clone()]);
        execute(admin, Request::AliasAdd { address, targets }).await?;
    }
    files::write_private(&file, &serde_json::to_vec(&accounts)?)?;
    Ok(accounts)
}

async fn execute(admin: &Admin, request: Request) -> Result<()> {
    match admin.execute(request).await.refusal() {
        None => Ok(()),
        Some(refusal) => Err(anyhow::anyhow!("{refusal}")),
    }
}

async fn ready(server: &Server, world: &World, place: &Place, accounts: Vec<SampleAccount>) -> Ready {
    let address =
        |name: &str| SocketAddr::from((Ipv4Addr::LOCALHOST, server.ports().get(name).copied().unwrap_or(0)));
    let probe = match probe::run(world, address("smtp"), address("pop3"), &accounts[0]).await {
        Ok(probe) => probe,
        Err(error) => {
            tracing::error!(%error, "the probe did not arrive");
            Probe { arrived: false, milliseconds: 0 }
        }
    };
    Ready {
        probe,
        ports: server.ports(),
        accounts,
        ca: certificates::authority(&place.data),
        data: place.data.clone(),
        process: std::process::id(),
    }
}

fn present(arguments: &Try, place: &Place, ready: &Ready) -> Result<()> {
    if arguments.json {
        print(&format!("{}\n", ready.json()))?;
    } else {
        print(&format!("\n{}", ready.screen(&std::env::current_exe()?, place.kept)))?;
    }
    Ok(())
}
