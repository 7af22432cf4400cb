//! Directories: pickup, badmail, and the program that programs send with.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::abroad::eventually;
use crate::harness::{Place, READ};
use crate::peer::{Peer, Script};

/// The program under a name of sendmail's, on the pickup directory of a place.
fn sendmail(place: &Path, name: &str, arguments: &[&str], input: &str) -> Output {
    let link = place.join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_waxseal"), &link).unwrap();
    }
    let mut command = Command::new(link);
    command.args(arguments).env("WAXSEAL_PICKUP", place.join("data/pickup"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn read(place: &Place, account: &str) -> String {
    let message = eventually("the message arrives", || place.maildrop("read", account).pop());
    String::from_utf8(message).unwrap()
}

/// The pickup directory, once the server has made it.
fn pickup(place: &Place) -> std::path::PathBuf {
    let directory = place.data().join("pickup");
    eventually("there is a pickup directory", || directory.join(".taken").is_dir().then_some(()));
    directory
}

#[test]
fn pickup_state_and_directory() {
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("there");
    let letter = "From: ann@here.example\nTo: ann@here.example\nBcc: bob@here.example\n\nhi\n";
    let place = Place::start(&["ann", "bob"], READ);
    let directory = pickup(&place);
    assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o7777, 0o1733);
    std::fs::write(directory.join("one.eml"), letter).unwrap();
    for account in ["ann", "bob"] {
        let message = read(&place, account);
        assert!(message.contains("hi\r\n") && !message.contains("Bcc"), "{message}");
    }
    eventually("the file is gone", || (!directory.join("one.eml").exists()).then_some(()));

    let place = Place::start(&["ann"], &format!("pickup = {{ directory = {other:?} }}\n{READ}"));
    eventually("the other is made", || other.join(".taken").is_dir().then_some(()));
    std::fs::write(
        other.join("two"),
        "X-Sender: <>\nX-Receiver: ann@here.example\nFrom: joe@x.example\nSubject: two\n\n",
    )
    .unwrap();
    assert!(read(&place, "ann").contains("Subject: two"));

    let place = Place::start(&["ann"], &format!("pickup = {{ state = \"off\" }}\n{READ}"));
    place.command(&["status"]);
    assert!(!place.data().join("pickup").exists());
}

#[test]
fn pickup_leaves_alone_what_it_may_not_take() {
    let place = Place::start(&["ann"], READ);
    let directory = pickup(&place);
    let secret = place.beside("secret");
    std::fs::write(&secret, "X-Sender: <>\nX-Receiver: ann@here.example\n\nsecret\n").unwrap();
    symlink(&secret, directory.join("link.eml")).unwrap();
    std::fs::hard_link(&secret, directory.join("twin.eml")).unwrap();
    std::fs::write(directory.join(".hidden"), "x").unwrap();
    std::fs::write(directory.join("bad.eml"), "From: ann@here.example\n\nnobody\n").unwrap();
    let listed = eventually("what cannot be sent is badmail", || {
        let listed = place.command(&["badmail", "list"]);
        (listed.contains("bad.eml") && listed.contains("twin.eml")).then_some(listed)
    });
    assert!(listed.contains("it names no recipient"), "{listed}");
    assert!(directory.join("link.eml").exists() && directory.join(".hidden").exists());
    let shown = place.command(&["badmail", "show", "twin.eml.why"]);
    assert!(shown.contains("it is no file of its own") && !shown.contains("secret"), "{shown}");
    assert!(!place.try_command(&["badmail", "show", "twin.eml"], "").status.success());
    assert!(place.maildrop("read", "ann").is_empty());
}

#[test]
fn sendmail_works_while_the_server_is_down() {
    let mut place = Place::start(&["ann"], READ);
    pickup(&place);
    place.stop();
    let root = place.beside("");
    let letter = "Subject: from a program\nTo: ann@here.example\n\nhi\n.\nnot this\n";
    let sent = sendmail(&root, "sendmail", &["-t", "-f", "joe@elsewhere.example"], letter);
    assert!(sent.status.success(), "{sent:?}");
    place.restart();
    let message = read(&place, "ann");
    assert!(message.contains("Subject: from a program") && !message.contains("not this"), "{message}");
    assert!(
        message.contains("Date: ") && message.contains("Message-ID: ") && message.contains("From: "),
        "{message}"
    );
    assert!(message.contains("Return-Path: <joe@elsewhere.example>"), "{message}");
}

#[test]
fn sendmail_as_programs_call_it() {
    let place = Place::start(&["ann", "bob"], READ);
    pickup(&place);
    let root = place.beside("");
    for (arguments, input, to) in [
        (
            &["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "ann@here.example"][..],
            "Subject: cron\n\n.\nhi\n",
            "ann",
        ),
        (
            &["-oem", "-oi", "-f", "ann@here.example", "--", "ann@here.example"],
            "Subject: mutt\n\nhi\n",
            "ann",
        ),
        (&["-t", "-i"], "To: ann@here.example\nBcc: bob@here.example\nSubject: php\r\n\r\nhi\r\n", "bob"),
        (
            &["-bs"],
            "HELO x\r\nMAIL FROM:<joe@x.example>\r\nRCPT TO:<ann@here.example>\r\nDATA\r\nFrom: joe@x.example\r\nSubject: smtp\r\n\r\n..hi\r\n.\r\nQUIT\r\n",
            "ann",
        ),
    ] {
        let sent = sendmail(&root, "sendmail", arguments, input);
        assert!(sent.status.success(), "{arguments:?}: {sent:?}");
        let subject = input.lines().find(|line| line.starts_with("Subject")).unwrap();
        eventually("it arrives", || {
            let all = place.maildrop("read", to);
            all.iter().any(|one| String::from_utf8_lossy(one).contains(subject)).then_some(())
        });
    }
    for (name, arguments, code) in [
        ("sendmail", &["-i"][..], 64),
        ("sendmail", &["-Z"], 64),
        ("sendmail", &["-bd"], 64),
        ("sendmail", &["a b@c d"], 67),
        ("newaliases", &[], 0),
    ] {
        let ended = sendmail(&root, name, arguments, "\n");
        assert_eq!(ended.status.code(), Some(code), "{arguments:?}: {ended:?}");
    }
    let data = place.data();
    let queue = sendmail(&root, "mailq", &["--data", data.to_str().unwrap()], "");
    assert!(String::from_utf8_lossy(&queue.stdout).contains("Nothing waits"), "{queue:?}");
    // Nowhere to put it: it is not sent, and said so.
    let link = root.join("sendmail");
    let lost = Command::new(link)
        .args(["ann@here.example"])
        .env("WAXSEAL_PICKUP", "/nonexistent/pickup")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(lost.status.code(), Some(73), "{lost:?}");
}

#[test]
fn reports_badmail() {
    let elsewhere = tempfile::tempdir().unwrap();
    let peer = Peer::start(Script { refuse: true, ..Script::default() });
    let takes = Peer::start(Script::default());
    for directory in [None, Some(elsewhere.path().join("bad"))] {
        let setting =
            directory.as_ref().map(|path| format!("[reports]\nbadmail = {path:?}\n")).unwrap_or_default();
        let with = |peer: &Peer| {
            format!(
                "{setting}[delivery]\nsmart-host = \"{}\"\n[[virtual-server]]\nname = \"open\"\nprotocol = \"smtp\"\n\
                 bind = \"127.0.0.1:0\"\nrelay = {{ allow = [\"127.0.0.0/8\"] }}\n",
                peer.address()
            )
        };
        let place = Place::start(&["ann"], &with(&peer));
        crate::delivery::send(&place, "open", "", &["bob@there.example"], crate::delivery::LETTER);
        let expected = directory.clone().unwrap_or_else(|| place.data().join("badmail"));
        let name = eventually("it is kept", || store::files::list(&expected, 9).ok()?.pop()).name;
        let shown = place.command(&["badmail", "show", &name]);
        assert!(
            shown.contains("X-Receiver: bob@there.example") && shown.contains("nobody of that name"),
            "{shown}"
        );
        assert!(place.command(&["badmail", "list"]).contains("nobody of that name"));
        if directory.is_none() {
            place.write_settings(&with(&takes));
            pickup(&place);
            place.command(&["badmail", "retry", &name]);
            let taken = eventually("it is sent again", || takes.taken().into_iter().next());
            assert_eq!((taken.from.as_str(), &taken.to[..]), ("", &["bob@there.example".to_owned()][..]));
        } else {
            place.command(&["badmail", "delete", &name]);
            assert!(place.command(&["badmail", "list"]).contains("There is no badmail"));
        }
    }
}

#[test]
fn queue_orders_on_one_message() {
    let deferring = Peer::start(Script { defer: usize::MAX, ..Script::default() });
    let text = format!(
        "[delivery]\nsmart-host = \"{}\"\n{READ}[[virtual-server]]\nname = \"open\"\nprotocol = \"smtp\"\n\
         bind = \"127.0.0.1:0\"\nrelay = {{ allow = [\"127.0.0.0/8\"] }}\n",
        deferring.address()
    );
    let place = Place::start(&["ann", "bob"], &text);
    for to in ["one@there.example", "two@there.example"] {
        crate::delivery::send(&place, "open", "ann@here.example", &[to], crate::delivery::LETTER);
    }
    let id = |recipient: &str| {
        eventually("it waits for another try", || {
            let found = place.command(&["queue", "find", "--recipient", recipient, "--state", "retry"]);
            let line = found.lines().find(|line| line.contains("there.example"))?;
            line.split(' ').next().map(str::to_owned)
        })
    };
    let (one, two) = (id("one@"), id("two@"));
    assert!(place.command(&["queue", "find", "--older-than", "1 h"]).contains("Nothing"));
    place.command(&["queue", "freeze", &one]);
    assert!(place.command(&["queue", "find", "--state", "frozen"]).contains(&one));
    place.command(&["queue", "unfreeze", &one]);
    let exported = place.command(&["queue", "export", &one]);
    assert!(
        exported.starts_with("X-Sender: ann@here.example\r\nX-Receiver: one@there.example\r\n"),
        "{exported}"
    );
    assert!(exported.contains("Subject: x"));
    place.command(&["queue", "redirect", &one, "bob@here.example"]);
    assert!(read(&place, "bob").contains("Subject: x"));
    place.command(&["queue", "delete", "--report", &two]);
    assert!(read(&place, "ann").contains("an administrator of this server deleted the message"));
    eventually("nothing waits", || place.command(&["queue", "list"]).contains("Nothing waits").then_some(()));
}
