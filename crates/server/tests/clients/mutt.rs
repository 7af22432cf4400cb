//! mutt, without a terminal: sends by submission, reads by IMAP and POP3.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::account::{Account, assert_same, ended};
use crate::contents;
use crate::tools::{done, tool};
use crate::trial::Trial;

/// A home directory with a muttrc for an account.
fn home(account: &Account<'_>) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    let (address, password) = (&account.address, &account.password);
    let port = |name| account.trial.port(name);
    let rc = format!(
        "set from = '{address}'\nset realname = 'Test Person'\nset hostname = client.example\n\
         set smtp_url = 'smtps://{user}@127.0.0.1:{}/'\nset smtp_pass = '{password}'\n\
         set imap_user = '{address}'\nset imap_pass = '{password}'\nset folder = 'imaps://127.0.0.1:{}/'\n\
         set pop_user = '{address}'\nset pop_pass = '{password}'\n\
         set ssl_ca_certificates_file = '{}'\nset certificate_file = '{}'\n\
         set ssl_verify_host = yes\nset ssl_force_tls = yes\nset copy = no\nset move = no\nset confirmappend = no\n\
         set wait_key = no\nset delete = yes\nset mark_old = no\nset pipe_decode = no\nset quit = yes\nset header_cache = ''\n\
         set charset = utf-8\nset send_charset = utf-8\nset allow_8bit = yes\nset pop_delete = no\n",
        port("submissions"),
        port("imaps"),
        account.trial.ca(),
        account.trial.ca(),
        user = address.replace('@', "%40"),
    );
    put(&home.path().join("muttrc"), rc.as_bytes());
    home
}

#[expect(clippy::disallowed_methods, reason = "a file for another program, which is lost with the test")]
fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

fn mutt(home: &Path) -> Command {
    let mut mutt = tool("mutt");
    mutt.env("HOME", home).env("TERM", "dumb").arg("-F").arg(home.join("muttrc"));
    mutt
}

/// Opens a folder and types these keys, as mutt's `push` writes them. Folders are shown on a terminal only, and `script`
/// is one.
fn type_keys(home: &Path, folder: &str, keys: &str) {
    tool("mutt");
    let mut script = tool("script");
    script.args([
        "--quiet",
        "--return",
        "--command",
        r#"exec mutt -F "$HOME/muttrc" -f "$FOLDER" -e "$KEYS""#,
        "/dev/null",
    ]);
    script.env("HOME", home).env("TERM", "xterm").env("FOLDER", folder).env("KEYS", format!("push '{keys}'"));
    done(&mut script, b"");
}

/// A message with an attachment, from mutt to a mailbox.
pub(crate) fn sends(trial: &Trial) {
    let account = Account::new(trial, "mutt-sends");
    let home = home(&account);
    let attachment = contents::all().swap_remove(3).sent;
    put(&home.path().join("octets.bin"), &attachment);
    let mut command = mutt(home.path());
    command.args(["-s", "Grüße von mutt", "-a"]).arg(home.path().join("octets.bin"));
    done(command.args(["--", &account.address]), "Hello.\n.\n..\n".as_bytes());
    let read = account.read("INBOX");
    assert_eq!(read.emails.len(), 1);
    let text = String::from_utf8(read.emails[0].content.clone()).unwrap();
    assert!(text.contains("Subject: =?utf-8?"), "{text}");
    assert!(text.contains("\r\nHello.\r\n.\r\n..\r\n"), "{text}");
    assert!(text.contains("with ESMTPSA "), "{text}");
}

/// A folder over IMAP: a message is piped out whole and answered, one is flagged, one deleted; one that curl
/// flagged is copied. imaplib sees it all.
pub(crate) fn reads_by_imap(trial: &Trial) {
    let account = Account::new(trial, "mutt-imap");
    let home = home(&account);
    let contents = contents::all();
    for content in &contents[..4] {
        crate::curl::send_plain(&account, content);
    }
    let before = account.read("INBOX");
    let folder = format!("imaps://127.0.0.1:{}/INBOX", trial.port("imaps"));
    let piped = home.path().join("piped");
    crate::curl::request(&account, "imaps", "INBOX", "STORE 3 +FLAGS (\\Flagged)");
    let keys = [
        // What curl flagged is found by its flag.
        "<tag-pattern>~F<enter><tag-prefix><copy-message>=Archive<enter>",
        &format!("2<enter><pipe-message>cat > {}<enter><set-flag>r", piped.display()),
        "1<enter><flag-message>4<enter><delete-message><quit>",
    ]
    .concat();
    type_keys(home.path(), &folder, &keys);
    let after = account.read("INBOX");
    let facts = |read: &crate::account::Read| -> Vec<(u32, Vec<String>)> {
        read.emails.iter().map(|email| (email.uid, email.flags.clone())).collect()
    };
    assert_eq!(after.validity, before.validity);
    let flags = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        facts(&after),
        [(1, flags(&["\\Flagged"])), (2, flags(&["\\Answered", "\\Seen"])), (3, flags(&["\\Flagged"]))]
    );
    // mutt keeps text in files with line feeds.
    let piped = String::from_utf8(fs::read(piped).unwrap()).unwrap().replace('\n', "\r\n");
    assert_same("piped by mutt", &before.emails[1].content, piped.as_bytes());
    let archive = account.read("Archive");
    assert_eq!(archive.emails.len(), 1);
    assert_same("copied by mutt", &before.emails[2].content, &archive.emails[0].content);
}

/// POP3: every message comes out, and nothing is deleted that was not to be.
pub(crate) fn reads_by_pop3(trial: &Trial) {
    let account = Account::new(trial, "mutt-pop3");
    let home = home(&account);
    let contents = contents::all();
    for content in &contents[..3] {
        crate::curl::send_plain(&account, content);
    }
    let folder = format!("pops://127.0.0.1:{}/", trial.port("pop3s"));
    let piped = home.path().join("piped");
    let keys =
        format!("2<enter><pipe-message>cat > {}<enter>3<enter><delete-message><quit>", piped.display());
    type_keys(home.path(), &folder, &keys);
    let after = account.read("INBOX");
    assert_eq!(after.emails.iter().map(|email| email.uid).collect::<Vec<_>>(), [1, 2]);
    let piped = String::from_utf8(fs::read(piped).unwrap()).unwrap().replace('\n', "\r\n");
    assert_same("piped by mutt", &ended(&after.emails[1].content), piped.as_bytes());
}
