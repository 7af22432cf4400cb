//! Waxseal, started by `bench/waxseal-target`.

use std::path::Path;
use std::process::Child;
use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{Places, SINK, Server, Task, USERS, empty_folder, greets};
use crate::group::{Group, run};

/// The folder whose data every start copies.
const ACCOUNTS: &str = "waxseal-accounts";
const SMTP: &str = "127.0.0.1:21901";
const IMAP: &str = "127.0.0.1:21902";
const POP3: &str = "127.0.0.1:21903";
/// POP3 for clients from any network: a PROXY header says from which.
pub const PROXIED: &str = "127.0.0.1:21905";

/// Makes the accounts, once for all starts: a hundred passwords take a while to hash.
pub fn prepare(places: &Places) -> Result<()> {
    let folder = empty_folder(places, ACCOUNTS)?;
    let status = target(places, &folder, "prepare", &Group::new("waxseal")?)?.wait()?;
    ensure!(status.success(), "no accounts; see {}", folder.join("log").display());
    Ok(())
}

/// Starts it with empty mailboxes.
pub async fn start(places: &Places, task: Task) -> Result<Server> {
    let folder = empty_folder(places, "waxseal")?;
    if task != Task::Relay {
        let accounts = places.folder.join("servers").join(ACCOUNTS).join("data");
        run(&["cp", "-r", &accounts.to_string_lossy(), &folder.to_string_lossy()])?;
    }
    let group = Group::new("waxseal")?;
    target(places, &folder, if task == Task::Relay { "relay" } else { "deliver" }, &group)?;
    greets(SMTP, &folder.join("log")).await?;
    Ok(Server {
        name: "Waxseal".into(),
        groups: vec![Arc::new(group)],
        smtp: Some(SMTP.into()),
        imap: Some(IMAP.into()),
        pop3: Some(POP3.into()),
    })
}

fn target(places: &Places, folder: &Path, mode: &str, group: &Group) -> Result<Child> {
    let (data, users) = (folder.to_string_lossy(), USERS.to_string());
    let environment = [
        ("BENCH_DATA", &*data),
        ("BENCH_DOMAIN", "bench.test"),
        ("BENCH_USERS", &users),
        ("BENCH_MODE", mode),
        ("BENCH_SINK", SINK),
    ];
    let (target, program) = (places.target.to_string_lossy(), places.waxseal.to_string_lossy());
    group.start(&[&target, &program], &environment, &folder.join("log"))
}
