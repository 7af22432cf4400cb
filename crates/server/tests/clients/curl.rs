//! curl: sends by every way in, reads by every way out.

use std::process::Command;

use expect_test::expect;

use crate::account::{Account, Read, assert_same, ended};
use crate::contents::{self, Content};
use crate::tools::{done, said, tool};
use crate::trial::Trial;

/// curl with what every call has in common.
fn curl(trial: &Trial) -> Command {
    let mut curl = tool("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--cacert", trial.ca()]);
    curl
}

/// The ways in: scheme, port, whether STARTTLS is asked for, whether to sign in.
const WAYS_IN: [(&str, &str, bool, bool); 4] = [
    ("smtp", "smtp", false, false),
    ("smtp", "smtp", true, false),
    ("smtp", "submission", true, true),
    ("smtps", "submissions", false, true),
];

fn send(account: &Account<'_>, way: (&str, &str, bool, bool), content: &Content) {
    let (scheme, port, starttls, sign_in) = way;
    let mut curl = curl(account.trial);
    curl.arg(format!("{scheme}://127.0.0.1:{}/client.example", account.trial.port(port)));
    curl.args(["--mail-from", &account.address, "--mail-rcpt", &account.address, "--upload-file", "-"]);
    if starttls {
        curl.arg("--ssl-reqd");
    }
    if sign_in {
        curl.args(["--user", &account.credentials()]);
    }
    done(&mut curl, &content.sent);
}

/// Sends by the simplest way.
pub(crate) fn send_plain(account: &Account<'_>, content: &Content) {
    send(account, WAYS_IN[0], content);
}

/// Every content by every way in; read by curl and by Python's clients, every one has the bytes that were sent.
pub(crate) fn contents_come_out_as_they_went_in(trial: &Trial) {
    for (number, way) in WAYS_IN.into_iter().enumerate() {
        let account = Account::new(trial, &format!("curl{number}"));
        let (_, _, _, sign_in) = way;
        let contents = contents::all().into_iter();
        let contents: Vec<_> =
            contents.map(|content| if sign_in { content.submitted() } else { content }).collect();
        for content in &contents {
            send(&account, way, content);
        }
        let read = account.read("INBOX");
        assert_eq!(read.emails.len(), contents.len());
        for (content, email) in contents.iter().zip(&read.emails) {
            assert_same(&format!("{} by {way:?}", content.name), &ended(&content.sent), email.sent());
        }
        for (turn, (content, email)) in contents.iter().zip(&read.emails).enumerate() {
            // Over all ways in, every content is read by every way out.
            let (way, bytes) = read_by_curl(&account, email.uid, (number + turn) % WAYS_IN.len());
            assert_same(&format!("{} read by {way}", content.name), &email.content, &bytes);
        }
    }
}

const TRACED: &str = "Subject: trace\r\nFrom: <a@example.org>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n\
    Message-ID: <1@client.example>\r\n\r\nx\r\n";

/// The lines that the server writes by each way in; a Return-Path that came with the message is gone.
pub(crate) fn trace_lines(trial: &Trial) {
    let account = Account::new(trial, "curl-trace");
    let content = Content {
        name: "foreign Return-Path",
        sent: ["Return-Path: <forged@example.net>\r\n", TRACED].concat().into(),
    };
    for way in WAYS_IN {
        send(&account, way, &content);
    }
    let read = account.read("INBOX");
    let mut told = String::new();
    for (way, email) in WAYS_IN.iter().zip(&read.emails) {
        assert_same(&format!("{way:?}"), TRACED.as_bytes(), email.sent());
        let text = String::from_utf8_lossy(&email.content).replace("\r\n", "\n");
        let (lines, _) = text.split_once("Subject: ").unwrap();
        told.push_str(&lines.lines().map(steady).collect::<String>());
    }
    expect![[r#"
        Return-Path: <curl-trace@example.org>
        Delivered-To: curl-trace@example.org
        Received: from client.example ([127.0.0.1])
         by mx.example.org with ESMTP id ID
         for <curl-trace@example.org>;
         DATE
        Return-Path: <curl-trace@example.org>
        Delivered-To: curl-trace@example.org
        Received: from client.example ([127.0.0.1])
         by mx.example.org with ESMTPS id ID
         for <curl-trace@example.org>
         tls TLS_AES_256_GCM_SHA384 (TLS1.3);
         DATE
        Return-Path: <curl-trace@example.org>
        Delivered-To: curl-trace@example.org
        Received: from client.example ([127.0.0.1])
         by mx.example.org with ESMTPSA id ID
         for <curl-trace@example.org>
         tls TLS_AES_256_GCM_SHA384 (TLS1.3);
         DATE
        Sender: curl-trace@example.org
        Return-Path: <curl-trace@example.org>
        Delivered-To: curl-trace@example.org
        Received: from client.example ([127.0.0.1])
         by mx.example.org with ESMTPSA id ID
         for <curl-trace@example.org>
         tls TLS_AES_256_GCM_SHA384 (TLS1.3);
         DATE
        Sender: curl-trace@example.org
    "#]]
    .assert_eq(&told);
}

/// A line of Received without what differs from run to run: the queue id and the time.
fn steady(line: &str) -> String {
    if line.ends_with(" +0000") {
        return " DATE\n".into();
    }
    let word = |(before, word): (&str, &str)| if before == "id" { "ID".to_owned() } else { word.to_owned() };
    let words: Vec<&str> = line.split(' ').collect();
    let befores = std::iter::once("").chain(words.iter().copied());
    let words: Vec<String> = befores.zip(words.iter().copied()).map(word).collect();
    words.join(" ") + "\n"
}

/// One email by one of the ways out. UIDs of a new mailbox count from 1, as POP3's numbers do.
fn read_by_curl(account: &Account<'_>, uid: u32, way: usize) -> (&'static str, Vec<u8>) {
    let (scheme, place, starttls) = [
        ("pop3", format!("{uid}"), uid.is_multiple_of(2)),
        ("pop3s", format!("{uid}"), false),
        ("imap", format!("INBOX;UID={uid}"), uid.is_multiple_of(2)),
        ("imaps", format!("INBOX;MAILINDEX={uid}"), false),
    ][way]
        .clone();
    let mut curl = curl(account.trial);
    curl.args(["--user", &account.credentials()]);
    curl.arg(format!("{scheme}://127.0.0.1:{}/{place}", account.trial.port(scheme)));
    if starttls {
        curl.arg("--ssl-reqd");
    }
    (scheme, done(&mut curl, b""))
}

/// A command of the protocol in place of curl's own; none if it is empty.
pub(crate) fn request(account: &Account<'_>, scheme: &str, place: &str, command: &str) -> String {
    let mut curl = curl(account.trial);
    curl.args(["--user", &account.credentials()]);
    curl.arg(format!("{scheme}://127.0.0.1:{}/{place}", account.trial.port(scheme)));
    if !command.is_empty() {
        curl.args(["--request", command]);
    }
    said(&mut curl)
}

/// What curl says with its own commands, `-X`, over POP3 and IMAP.
pub(crate) fn lists_and_flags(trial: &Trial) {
    let account = Account::new(trial, "curl-lists");
    for content in &contents::all()[..3] {
        send(&account, WAYS_IN[0], content);
    }
    let ask = |scheme: &str, place: &str, command: &str| {
        format!("{scheme} {place} {command}\n{}", request(&account, scheme, place, command))
    };
    let mut told = String::new();
    for (scheme, place, command) in [
        ("imaps", "", ""),
        ("imaps", "INBOX", "SEARCH ALL"),
        ("imaps", "INBOX", "STORE 2 +FLAGS (\\Flagged $Forwarded)"),
        ("imap", "INBOX", "FETCH 1:* (UID FLAGS)"),
        ("imap", "INBOX?FLAGGED", ""),
        ("imaps", "", "STATUS INBOX (MESSAGES UIDNEXT UNSEEN)"),
        ("imaps", "", "CREATE Work/Offers"),
        ("imaps", "INBOX", "UID COPY 3 Work/Offers"),
        ("imaps", "INBOX", "NOOP"),
        ("imaps", "", "LIST \"\" Work*"),
    ] {
        told.push_str(&ask(scheme, place, command));
    }
    expect![[r#"
        imaps  
        * LIST (\HasNoChildren \Archive) "/" Archive
        * LIST (\HasNoChildren \Drafts) "/" Drafts
        * LIST (\HasNoChildren) "/" INBOX
        * LIST (\HasNoChildren \Junk) "/" Junk
        * LIST (\HasNoChildren \Sent) "/" Sent
        * LIST (\HasNoChildren \Trash) "/" Trash
        imaps INBOX SEARCH ALL
        * SEARCH 1 2 3
        imaps INBOX STORE 2 +FLAGS (\Flagged $Forwarded)
        * 2 FETCH (FLAGS (\Flagged $Forwarded))
        imap INBOX FETCH 1:* (UID FLAGS)
        * 1 FETCH (UID 1 FLAGS ())
        * 2 FETCH (UID 2 FLAGS (\Flagged $Forwarded))
        * 3 FETCH (UID 3 FLAGS ())
        imap INBOX?FLAGGED 
        * SEARCH 2
        imaps  STATUS INBOX (MESSAGES UIDNEXT UNSEEN)
        * STATUS INBOX (MESSAGES 3 UIDNEXT 4 UNSEEN 3)
        imaps  CREATE Work/Offers
        imaps INBOX UID COPY 3 Work/Offers
        imaps INBOX NOOP
        imaps  LIST "" Work*
        * LIST (\HasChildren) "/" Work
        * LIST (\HasNoChildren) "/" Work/Offers
    "#]]
    .assert_eq(&told);
    let unique = ask("pop3s", "", "UIDL");
    let read = account.read("INBOX");
    let list: String =
        read.emails.iter().enumerate().map(|(n, email)| format!("{} {}\n", n + 1, email.unique)).collect();
    assert_eq!(unique, format!("pop3s  UIDL\n{list}"));
    let list: String = read
        .emails
        .iter()
        .enumerate()
        .map(|(n, email)| format!("{} {}\n", n + 1, email.content.len()))
        .collect();
    assert_eq!(ask("pop3", "", ""), format!("pop3  \n{list}"));
    assert_eq!(read.emails[1].flags, ["$Forwarded", "\\Flagged"]);
    let copy = account.read("Work/Offers");
    assert_same("the copy", &copy.emails[0].content, &read.emails[2].content);
}

/// APPEND, by curl's upload; and DELE, by its request.
pub(crate) fn uploads_and_deletes(trial: &Trial) {
    let account = Account::new(trial, "curl-append");
    let contents = contents::all();
    for content in &contents {
        let mut curl = curl(trial);
        curl.args(["--user", &account.credentials()]);
        curl.arg(format!("imaps://127.0.0.1:{}/INBOX", trial.port("imaps")));
        // curl has to know how long a literal is before it sends it.
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &content.sent).unwrap();
        done(curl.args(["--upload-file"]).arg(file.path()), b"");
    }
    let read = account.read("INBOX");
    assert_eq!(read.emails.len(), contents.len());
    for (content, email) in contents.iter().zip(&read.emails) {
        // What a client appends is its own: nothing is added to it, not even a line end.
        assert_same(content.name, &content.sent, &email.content);
    }
    for number in [2, 1] {
        let mut curl = curl(trial);
        curl.args(["--user", &account.credentials(), "--request", "DELE", "--head"]);
        said(curl.arg(format!("pop3s://127.0.0.1:{}/{number}", trial.port("pop3s"))));
    }
    let uids = |read: &Read| read.emails.iter().map(|email| email.uid).collect::<Vec<_>>();
    assert_eq!(uids(&account.read("INBOX")), uids(&read)[2..]);
}
