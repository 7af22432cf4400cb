//! What has to stay: UIDs, UIDVALIDITY and POP3's unique ids, over connections, protocols and a restart.

use rustix::process::Signal;

use crate::account::Account;
use crate::contents;
use crate::trial::Trial;

/// The same before and after a restart, and a new email gets a new UID.
pub(crate) fn over_a_restart(_: &Trial) {
    let directory = tempfile::tempdir().unwrap();
    let keep = ["--keep", directory.path().to_str().unwrap()];
    let mut trial = Trial::start(&keep);
    let before = {
        let account = Account::new(&trial, "stays");
        for content in &contents::all()[..4] {
            crate::curl::send_plain(&account, content);
        }
        let first = account.read("INBOX");
        assert_eq!(first, account.read("INBOX"), "over connections");
        (account.password.clone(), first)
    };
    assert_eq!(trial.end(Signal::TERM), Some(0));
    let trial = Trial::start(&keep);
    let account = Account { trial: &trial, address: "stays@example.org".into(), password: before.0 };
    let after = account.read("INBOX");
    assert_eq!(after, before.1, "over a restart");
    crate::curl::send_plain(&account, &contents::all()[0]);
    let more = account.read("INBOX");
    assert_eq!(more.emails[..4], after.emails);
    assert!(more.emails[4].uid > after.emails[3].uid);
    assert!(after.emails.iter().all(|email| email.unique != more.emails[4].unique));
}
