//! fetchmail: fetches by POP3 what it has not seen, and takes away what it was told to.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::account::{Account, assert_same, ended};
use crate::contents;
use crate::tools::{run, tool};
use crate::trial::Trial;

/// Its exit code when there is nothing new.
const NOTHING_NEW: i32 = 1;

#[expect(clippy::disallowed_methods, reason = "files for another program, which are lost with the test")]
fn prepare(home: &Path, account: &Account<'_>, options: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(home.join("mail")).unwrap();
    let rc = format!(
        "set invisible\npoll localhost service {} proto pop3 uidl user \"{}\" password \"{}\" ssl sslcertck \
         sslcertfile \"{}\" {options} norewrite mda \"sh -c 'cat > {}/mail/$$'\"\n",
        account.trial.port("pop3s"),
        account.address,
        account.password,
        account.trial.ca(),
        home.display(),
    );
    fs::write(home.join("rc"), rc).unwrap();
    // It refuses a file with passwords that others can read.
    fs::set_permissions(home.join("rc"), fs::Permissions::from_mode(0o600)).unwrap();
}

/// Its exit code, and what it has fetched by now, sorted.
fn fetch(home: &Path, account: &Account<'_>, options: &str) -> (Option<i32>, Vec<Vec<u8>>) {
    prepare(home, account, options);
    let mut fetchmail: Command = tool("fetchmail");
    fetchmail.env("HOME", home).arg("-f").arg(home.join("rc")).arg("-i").arg(home.join("ids"));
    let code = run(fetchmail.args(["--nodetach", "--nosyslog"]), b"").status.code();
    let files = fs::read_dir(home.join("mail")).unwrap();
    let mut mails: Vec<_> = files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    mails.sort();
    (code, mails)
}

/// What is in the mailbox as fetchmail hands it on: lines end with line feeds.
fn there(account: &Account<'_>) -> Vec<Vec<u8>> {
    let emails = account.read("INBOX").emails;
    let text = |content: &[u8]| ended(content).into_iter().filter(|byte| *byte != b'\r').collect();
    let mut all: Vec<Vec<u8>> = emails.iter().map(|email| text(&email.content)).collect();
    all.sort();
    all
}

/// Everything once, what is new once more, and nothing is taken away before it is told so.
pub(crate) fn what_is_new(trial: &Trial) {
    let account = Account::new(trial, "fetchmail");
    let home = tempfile::tempdir().unwrap();
    let contents = contents::all();
    for content in &contents[..3] {
        crate::curl::send_plain(&account, content);
    }
    let (code, first) = fetch(home.path(), &account, "keep");
    assert_eq!(code, Some(0));
    for (fetched, kept) in first.iter().zip(there(&account)) {
        assert_same("fetched", &kept, fetched);
    }
    assert_eq!(first.len(), 3);
    assert_eq!(fetch(home.path(), &account, "keep"), (Some(NOTHING_NEW), first), "nothing is fetched twice");
    crate::curl::send_plain(&account, &contents[11]);
    let (code, more) = fetch(home.path(), &account, "keep");
    assert_eq!((code, more), (Some(0), there(&account)), "what is new is fetched");
    let (code, _) = fetch(home.path(), &account, "fetchall nokeep");
    assert_eq!(code, Some(0));
    assert_eq!(there(&account), Vec::<Vec<u8>>::new(), "what it took it took away");
}
