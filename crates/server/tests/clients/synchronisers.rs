//! mbsync and offlineimap: a mailbox here and a Maildir there become the same, whichever side changed, and stay so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::account::{Account, Email, assert_same};
use crate::maildir::{self, Kept};
use crate::tools::{done, script, tool};
use crate::trial::Trial;

/// Messages on each side before the first run.
const HALF: u32 = 500;
/// Messages that are removed on each side.
const REMOVED: u32 = 50;

/// Flags by the number of a message, so that each combination occurs on both sides.
const FLAGS: [(&str, &str); 6] = [
    ("", ""),
    ("\\Seen", "S"),
    ("\\Flagged", "F"),
    ("\\Answered \\Seen", "RS"),
    ("\\Draft", "D"),
    ("\\Answered \\Flagged \\Seen", "FRS"),
];

fn message(side: &str, number: u32) -> String {
    format!(
        "From: <{side}{number}@example.net>\r\nSubject: {side} {number}\r\n\
         Message-ID: <{side}{number}@client.example>\r\n\r\n{}\r\n.dot\r\nGrüße\r\n",
        "line\r\n".repeat(number as usize % 90)
    )
}

/// Changes the mailbox here through imaplib; the UIDs that are there afterwards.
fn change(account: &Account<'_>, mailbox: &str, more: Value) -> Vec<u32> {
    let mut task = account.task();
    let fields = task.as_object_mut().expect("it is an object");
    fields.insert("mailbox".into(), mailbox.into());
    fields.extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_slice(&done(&mut script("fill.py"), task.to_string().as_bytes())).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a file for another program, which is lost with the test")]
fn put(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// A synchroniser with its files, and how it tells which message there is which here.
struct Synchroniser {
    home: TempDir,
    maildir: PathBuf,
    command: fn(&Path) -> Command,
    /// The UID here of each number there.
    pairs: fn(&Path) -> BTreeMap<u32, u32>,
}

impl Synchroniser {
    fn run(&self) {
        let mut command = (self.command)(self.home.path());
        done(command.env("HOME", self.home.path()), b"");
    }

    fn there(&self) -> BTreeMap<u32, Kept> {
        maildir::read(&self.maildir)
    }

    /// Both sides: by UID here, what is here and what is there.
    fn pairs(&self, account: &Account<'_>, mailbox: &str) -> Vec<(Email, Kept)> {
        let mut there = self.there();
        let mut uid_of = (self.pairs)(&self.maildir);
        uid_of.retain(|number, _| there.contains_key(number));
        let mut by_uid: BTreeMap<u32, Kept> = uid_of
            .into_iter()
            .map(|(number, uid)| (uid, there.remove(&number).expect("just looked")))
            .collect();
        assert_eq!(there, BTreeMap::new(), "there, and unknown here");
        let here = account.read(mailbox).emails;
        let pairs = here.into_iter().map(|email| {
            let kept = by_uid.remove(&email.uid).unwrap_or_else(|| panic!("{} is not there", email.uid));
            (email, kept)
        });
        let pairs: Vec<_> = pairs.collect();
        assert_eq!(by_uid, BTreeMap::new(), "there, and not here");
        pairs
    }

    /// Both sides have the same messages with the same octets and flags, so many of them.
    fn check(&self, account: &Account<'_>, mailbox: &str, count: usize) -> Vec<(Email, Kept)> {
        let pairs = self.pairs(account, mailbox);
        assert_eq!(pairs.len(), count);
        for (email, kept) in &pairs {
            let (here, there) = (without_mark(&email.content), without_mark(&kept.content));
            assert_same(&format!("UID {}", email.uid), &here, &there);
            assert_eq!(maildir::letters(&email.flags), kept.flags, "flags of UID {}", email.uid);
        }
        pairs
    }
}

/// Without the field by which mbsync finds a message again that it has handed over.
fn without_mark(content: &[u8]) -> Vec<u8> {
    let lines = content.split_inclusive(|&byte| byte == b'\n');
    lines.filter(|line| !line.starts_with(b"X-TUID: ")).collect::<Vec<_>>().concat()
}

/// Half of the messages on each side, flags and removals on both sides, then a run that changes nothing.
fn both_ways(account: &Account<'_>, synchroniser: &Synchroniser, mailbox: &str) {
    let here: Vec<(String, String)> = (0..HALF)
        .map(|number| (format!("({})", FLAGS[number as usize % FLAGS.len()].0), message("here", number)))
        .collect();
    change(account, mailbox, json!({ "append": here }));
    maildir::make(&synchroniser.maildir);
    for number in 0..HALF {
        let (_, letters) = FLAGS[number as usize % FLAGS.len()];
        maildir::put(
            &synchroniser.maildir,
            &format!("{number}.there"),
            letters,
            message("there", number).as_bytes(),
        );
    }
    synchroniser.run();
    let before = synchroniser.check(account, mailbox, 2 * HALF as usize);

    // On each side flags change in every seventh message, and fifty go: never the same on both.
    let uids = |step: usize, from: usize| before.iter().skip(from).step_by(step).map(|(email, _)| email.uid);
    let list = |uids: Vec<u32>| uids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let gone_here: Vec<u32> = uids(2, 0).take(REMOVED as usize).collect();
    let flagged: Vec<u32> = uids(14, 200).collect();
    change(
        account,
        mailbox,
        json!({ "store": [[list(flagged), "+FLAGS", "(\\Flagged)"]], "expunge": list(gone_here) }),
    );
    for (_, kept) in before.iter().skip(1).step_by(2).take(REMOVED as usize) {
        maildir::remove(kept);
    }
    for (_, kept) in before.iter().skip(201).step_by(14) {
        let letters =
            if kept.flags.contains('S') { kept.flags.replace('S', "") } else { format!("{}S", kept.flags) };
        maildir::set_flags(&synchroniser.maildir, kept, &letters);
    }
    synchroniser.run();
    let after = synchroniser.check(account, mailbox, 2 * (HALF - REMOVED) as usize);
    let by_uid: BTreeMap<u32, &Email> = before.iter().map(|(email, _)| (email.uid, email)).collect();
    for (email, _) in &after {
        assert_same("what stayed is as it was", &by_uid[&email.uid].content, &email.content);
    }

    let files = maildir::listing(&synchroniser.maildir);
    synchroniser.run();
    assert_eq!(maildir::listing(&synchroniser.maildir), files, "a second run changes nothing there");
    let again = synchroniser.check(account, mailbox, after.len());
    let facts = |pairs: &[(Email, Kept)]| -> Vec<(u32, Vec<String>)> {
        pairs.iter().map(|(email, _)| (email.uid, email.flags.clone())).collect()
    };
    assert_eq!(facts(&again), facts(&after), "nor here");
}

/// mbsync keeps `UID-here UID-there flags` a line in its state.
pub(crate) fn mbsync(trial: &Trial) {
    let account = Account::new(trial, "mbsync");
    let home = tempfile::tempdir().unwrap();
    let rc = format!(
        "IMAPAccount here\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\nCertificateFile {}\n\
         AuthMechs *\nPipelineDepth 50\n\nIMAPStore here\nAccount here\n\n\
         MaildirStore there\nPath {home}/mail/\nInbox {home}/mail/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :here:\nNear :there:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\nCopyArrivalDate yes\n",
        trial.port("imaps"),
        account.address,
        account.password,
        trial.ca(),
        home = home.path().display(),
    );
    put(&home.path().join("mbsyncrc"), &rc);
    let synchroniser = Synchroniser {
        maildir: home.path().join("mail/Work"),
        home,
        command: |home| {
            let mut mbsync = tool("mbsync");
            mbsync.arg("-a").arg("-c").arg(home.join("mbsyncrc"));
            mbsync
        },
        pairs: |maildir| {
            let state = fs::read_to_string(maildir.join(".mbsyncstate")).unwrap();
            let pair = |line: &str| {
                let mut words = line.split(' ').map(str::parse::<u32>);
                match (words.next(), words.next()) {
                    (Some(Ok(here)), Some(Ok(there))) if here > 0 && there > 0 => Some((there, here)),
                    _ => None,
                }
            };
            state.lines().filter_map(pair).collect()
        },
    };
    both_ways(&account, &synchroniser, "Work");
}

/// offlineimap writes the UID here into the file's name.
pub(crate) fn offlineimap(trial: &Trial) {
    let account = Account::new(trial, "offlineimap");
    let home = tempfile::tempdir().unwrap();
    let rc = format!(
        "[general]\naccounts = all\nmetadata = {home}/state\nui = quiet\nfsync = false\n\
         [Account all]\nlocalrepository = there\nremoterepository = here\n\
         [Repository there]\ntype = Maildir\nlocalfolders = {home}/mail\n\
         [Repository here]\ntype = IMAP\nremotehost = localhost\nremoteport = {}\nremoteuser = {}\nremotepass = {}\n\
         ssl = yes\nsslcacertfile = {}\nauth_mechanisms = PLAIN\nmaxconnections = 2\nfolderfilter = lambda name: name == 'Work'\n",
        trial.port("imaps"),
        account.address,
        account.password,
        trial.ca(),
        home = home.path().display(),
    );
    put(&home.path().join("offlineimaprc"), &rc);
    change(&account, "Work", json!({}));
    let synchroniser = Synchroniser {
        maildir: home.path().join("mail/Work"),
        home,
        command: |home| {
            let mut offlineimap = tool("offlineimap");
            offlineimap.arg("-o").arg("-c").arg(home.join("offlineimaprc"));
            offlineimap
        },
        pairs: |maildir| maildir::read(maildir).into_keys().map(|uid| (uid, uid)).collect(),
    };
    both_ways(&account, &synchroniser, "Work");
}
