//! imapflow and nodemailer, libraries of Node: small scripts, whose JSON is compared here.

use expect_test::expect;
use serde_json::Value;

use crate::account::Account;
use crate::python::check;
use crate::tools::{done, node};
use crate::trial::Trial;

fn play(account: &Account<'_>, name: &str, input: &[u8]) -> Value {
    serde_json::from_slice(&done(node(name).arg(account.task().to_string()), input)).unwrap()
}

/// A day with imapflow: what has changed since, compression, two connections that hear of each other.
pub(crate) fn imapflow(trial: &Trial) {
    let account = Account::new(trial, "imapflow");
    let told = play(&account, "imapflow.js", crate::python::LIBRARIES.as_bytes());
    check(
        &told,
        expect![[r#"
        ["enabled",["CONDSTORE","QRESYNC","UTF8=ACCEPT"]]
        ["compressed",true]
        ["list",[["Archive","\\Archive",0],["Drafts","\\Drafts",0],["INBOX","\\Inbox",0],["Junk","\\Junk",0],["Sent","\\Sent",0],["Trash","\\Trash",0]]]
        ["create","Entwürfe/日本語"]
        ["append",[1,true]]
        ["open",[3,null,true]]
        ["fetch",[1,["\\Flagged"],"Grüße","2001-02-03T04:05:06.000Z",102]]
        ["structure","text/plain"]
        ["same octets",true]
        ["download","Hello\r\n"]
        ["search",[1,2]]
        ["flags",true]
        ["changed since",[2]]
        ["heard",[["flags",1,["\\Flagged","\\Seen"]],["exists",4],["flags",3,["\\Deleted","\\Seen"]],["expunge",3,true]]]
        ["move",[[2,1]]]
        ["status",{"messages":1,"path":"Archive","uidNext":2,"unseen":1}]
        ["rename","Notizen"]
        ["delete","Notizen/日本語"]
    "#]],
    );
}

/// nodemailer by both ways in, with an attachment, with what is refused; what arrives has every octet.
pub(crate) fn nodemailer(trial: &Trial) {
    let account = Account::new(trial, "nodemailer");
    let told = play(&account, "nodemailer.js", b"");
    check(
        &told,
        expect![[r#"
        ["starttls",["nodemailer@example.org"],[],"250 2.0.0 ID kept"]
        ["implicit",["nodemailer@example.org"],[],"250 2.0.0 ID kept"]
        ["pool",["nodemailer@example.org"],[],"250 2.0.0 ID kept"]
        ["dsn",["nodemailer@example.org"],[],"250 2.0.0 ID kept"]
        ["wrong password","EAUTH",535,"535 5.7.8 User name or password is wrong"]
        ["no such recipient","EENVELOPE",550,"550 5.1.1 no such recipient here"]
        ["utf-8 address","EENVELOPE",550,"550 5.1.1 no such recipient here"]
    "#]],
    );
    let read = account.read("INBOX");
    let parts = |email: &crate::account::Email| -> Vec<String> {
        let text = String::from_utf8(email.content.clone()).unwrap();
        ["Subject: ", "From: ", "Message-ID: "]
            .into_iter()
            .filter_map(|name| text.lines().find(|line| line.starts_with(name)).map(str::to_owned))
            .collect()
    };
    for email in &read.emails[..4] {
        assert_eq!(
            parts(email),
            [
                "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe_von_nodemailer?=".to_owned(),
                format!("From: =?UTF-8?Q?J=C3=B6rg?= <{}>", account.address),
                "Message-ID: <nodemailer@client.example>".to_owned(),
            ]
        );
        let octets: Vec<u8> = (0..4096u32).map(|n| n.to_le_bytes()[0]).collect();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, octets);
        let lines: String =
            email.content.iter().map(|&byte| char::from(byte)).filter(|c| !"\r\n".contains(*c)).collect();
        assert!(lines.contains(&base64), "the attachment has every octet");
    }
}
