//! neomutt with a header cache: it comes back to a mailbox and asks by QRESYNC what changed meanwhile.

use std::fs;
use std::path::Path;

use crate::account::Account;
use crate::contents;
use crate::tools::{done, tool};
use crate::trial::Trial;

#[expect(clippy::disallowed_methods, reason = "a file for another program, which is lost with the test")]
fn prepare(home: &Path, account: &Account<'_>) {
    let rc = format!(
        "set from = '{address}'\nset imap_user = '{address}'\nset imap_pass = '{}'\n\
         set ssl_ca_certificates_file = '{ca}'\nset certificate_file = '{ca}'\nset ssl_force_tls = yes\n\
         set header_cache = '{home}/cache'\nset imap_condstore = yes\nset imap_qresync = yes\nset confirmappend = no\n\
         set wait_key = no\nset quit = yes\nset delete = yes\nset mark_old = no\nset move = no\n",
        account.password,
        address = account.address,
        ca = account.trial.ca(),
        home = home.display(),
    );
    fs::write(home.join("rc"), rc).unwrap();
    fs::create_dir_all(home.join("cache")).unwrap();
}

/// Opens the INBOX and types these keys; what was said on the wire. It needs a terminal, and `script` is one.
fn type_keys(home: &Path, account: &Account<'_>, keys: &str) -> String {
    tool("neomutt");
    let mut script = tool("script");
    let command = r#"exec neomutt -F "$HOME/rc" -d 3 -l "$HOME/log" -f "$FOLDER" -e "$KEYS""#;
    script.args(["--quiet", "--return", "--command", command, "/dev/null"]);
    let folder = format!("imaps://localhost:{}/INBOX", account.trial.port("imaps"));
    script.env("HOME", home).env("TERM", "xterm").env("FOLDER", folder).env("KEYS", format!("push '{keys}'"));
    done(&mut script, b"");
    // The newest log is number 0.
    fs::read_to_string(home.join("log0")).unwrap()
}

/// A flag set, one seen, one removed while it was away; then it sets one itself.
pub(crate) fn comes_back(trial: &Trial) {
    let account = Account::new(trial, "neomutt");
    let home = tempfile::tempdir().unwrap();
    prepare(home.path(), &account);
    for content in &contents::all()[..4] {
        crate::curl::send_plain(&account, content);
    }
    let first = type_keys(home.path(), &account, "1<enter><flag-message><quit>");
    assert!(first.contains("ENABLE QRESYNC"), "{first}");
    for request in ["STORE 2 +FLAGS (\\Flagged)", "STORE 3 +FLAGS (\\Deleted)", "EXPUNGE"] {
        crate::curl::request(&account, "imaps", "INBOX", request);
    }
    // What is flagged is found by its flag in the cache that was brought up to date; what is answered is read.
    let keys = "<tag-pattern>~F<enter><tag-prefix><set-flag>r<quit>";
    let second = type_keys(home.path(), &account, keys);
    assert!(second.contains("VANISHED)"), "{second}");
    assert!(second.contains("Handling VANISHED"), "{second}");
    let read = account.read("INBOX");
    let facts: Vec<(u32, String)> =
        read.emails.iter().map(|email| (email.uid, email.flags.join(" "))).collect();
    let expected = [(1, "\\Answered \\Flagged \\Seen"), (2, "\\Answered \\Flagged \\Seen"), (4, "")];
    let expected = expected.map(|(uid, flags)| (uid, flags.to_owned()));
    assert_eq!(facts, expected, "{second}");
}
