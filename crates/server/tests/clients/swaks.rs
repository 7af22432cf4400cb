//! swaks: SMTP as administrators try it.

use std::process::Command;

use expect_test::expect;

use crate::account::{Account, assert_same};
use crate::tools::{run, tool};
use crate::trial::Trial;

/// Complete, so that nothing is added where it is submitted.
const CONTENT: &str = "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@client.example>\r\n\
    From: <sender@example.net>\r\nSubject: swaks\r\n\r\nGrüße\r\n.dot\r\n..\r\nlast\r\n";

fn swaks(account: &Account<'_>, port: &str, to: &str, more: &[&str]) -> Command {
    let mut swaks = tool("swaks");
    // swaks takes CR LF where it is written as \n; the dots are its own business.
    let content = CONTENT.trim_end().replace("\r\n", "\\n");
    swaks.args(["--server", "127.0.0.1", "--helo", "client.example", "--from", "sender@example.net"]);
    swaks.args(["--port", &account.trial.port(port).to_string(), "--to", to, "--data", &content]);
    swaks.arg("--suppress-data");
    swaks.args(more);
    swaks
}

/// The replies of the server, without queue ids; and the exit code of swaks.
fn replies(command: &mut Command) -> String {
    let output = run(command, b"");
    let told = String::from_utf8_lossy(&output.stdout);
    let reply = |line: &str| {
        let line = ["<-  ", "<** ", "<~  ", "<~* "].iter().find_map(|mark| line.strip_prefix(mark))?;
        Some(match line.strip_prefix("250 2.0.0 ").and_then(|rest| rest.strip_suffix(" kept")) {
            Some(_) => "250 2.0.0 ID kept".to_owned(),
            None => line.to_owned(),
        })
    };
    let mut text: Vec<String> = told.lines().filter_map(reply).collect();
    text.push(format!("exit {}\n", output.status.code().unwrap_or(-1)));
    text.join("\n")
}

/// Clear text, several recipients in one pipeline, one of them refused.
pub(crate) fn recipients_in_a_pipeline(trial: &Trial) {
    let (one, two) = (Account::new(trial, "swaks1"), Account::new(trial, "swaks2"));
    let to = format!("{},nobody@example.org,{},{}", one.address, two.address, one.address);
    let told = replies(&mut swaks(&one, "smtp", &to, &["--pipeline"]));
    expect![[r#"
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-STARTTLS
        250-EXPN
        250 HELP
        250 2.1.0 sender noted
        250 2.1.5 recipient noted
        550 5.1.1 no such recipient here
        250 2.1.5 recipient noted
        250 2.1.5 recipient noted
        354 send the content, end with a dot alone on a line
        250 2.0.0 ID kept
        221 2.0.0 Goodbye
        exit 0
    "#]]
    .assert_eq(&told);
    for account in [&one, &two] {
        let read = account.read("INBOX");
        assert_eq!(read.emails.len(), 1, "a message reaches a mailbox once however often it is named");
        assert_same("by swaks", CONTENT.as_bytes(), read.emails[0].sent());
    }
}

/// swaks speaks TLS only with a module that its package does not bring.
fn tls_is_there() {
    let there =
        tool("perl").args(["-MNet::SSLeay", "-e1"]).output().is_ok_and(|output| output.status.success());
    assert!(
        there,
        "swaks lacks Net::SSLeay: install the Debian package libnet-ssleay-perl (cargo xtask setup does)"
    );
}

/// STARTTLS and TLS from the first byte, with AUTH PLAIN and LOGIN, and with what goes wrong.
pub(crate) fn tls_and_sign_in(trial: &Trial) {
    tls_is_there();
    let account = Account::new(trial, "swaks-auth");
    let verify = ["--tls-verify", "--tls-ca-path", trial.ca()];
    let sign_in = |mechanism| {
        ["--auth", mechanism, "--auth-user", &account.address, "--auth-password", &account.password]
            .map(str::to_owned)
    };
    let mut told = String::new();
    for (port, tls, mechanism) in [
        ("submission", "--tls", Some("PLAIN")),
        ("submissions", "--tls-on-connect", Some("LOGIN")),
        ("smtp", "--tls", None),
        ("submission", "--tls", None),
    ] {
        let mut command = swaks(&account, port, &account.address, &[tls]);
        command.args(verify);
        // Who submits mail uses an address of its own.
        if let Some(mechanism) = mechanism {
            command.args(sign_in(mechanism)).args(["--from", &account.address]);
        }
        told.push_str(&format!("{port} {tls} {}\n{}", mechanism.unwrap_or("-"), replies(&mut command)));
    }
    let wrong =
        ["--tls-on-connect", "--auth", "PLAIN", "--auth-user", &account.address, "--auth-password", "wrong"];
    told.push_str(&replies(&mut swaks(&account, "submissions", &account.address, &wrong)));
    expect![[r#"
        submission --tls PLAIN
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-STARTTLS
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        220 2.0.0 Ready to start TLS
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        235 2.7.0 Signed in
        250 2.1.0 sender noted
        250 2.1.5 recipient noted
        354 send the content, end with a dot alone on a line
        250 2.0.0 ID kept
        221 2.0.0 Goodbye
        exit 0
        submissions --tls-on-connect LOGIN
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        334 VXNlcm5hbWU6
        334 UGFzc3dvcmQ6
        235 2.7.0 Signed in
        250 2.1.0 sender noted
        250 2.1.5 recipient noted
        354 send the content, end with a dot alone on a line
        250 2.0.0 ID kept
        221 2.0.0 Goodbye
        exit 0
        smtp --tls -
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-STARTTLS
        250-EXPN
        250 HELP
        220 2.0.0 Ready to start TLS
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-EXPN
        250 HELP
        250 2.1.0 sender noted
        250 2.1.5 recipient noted
        354 send the content, end with a dot alone on a line
        250 2.0.0 ID kept
        221 2.0.0 Goodbye
        exit 0
        submission --tls -
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-STARTTLS
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        220 2.0.0 Ready to start TLS
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        530 5.7.0 Sign in first
        221 2.0.0 Goodbye
        exit 23
        220 mx.example.org
        250-mx.example.org
        250-PIPELINING
        250-SIZE 52428800
        250-8BITMIME
        250-CHUNKING
        250-BINARYMIME
        250-SMTPUTF8
        250-DSN
        250-LIMITS MAILMAX=100 RCPTMAX=1000
        250-ENHANCEDSTATUSCODES
        250-AUTH SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN
        250-EXPN
        250 HELP
        535 5.7.8 User name or password is wrong
        221 2.0.0 Goodbye
        exit 28
    "#]]
    .assert_eq(&told);
    let read = account.read("INBOX");
    assert_eq!(read.emails.len(), 3);
    let with = |email: &crate::account::Email| {
        let text = String::from_utf8_lossy(&email.content).into_owned();
        ["ESMTPSA", "ESMTPS", "ESMTP"]
            .into_iter()
            .find(|with| text.contains(&format!("with {with} ")))
            .map(str::to_owned)
    };
    expect![[r#"[Some("ESMTPSA"), Some("ESMTPSA"), Some("ESMTPS")]"#]]
        .assert_eq(&format!("{:?}", read.emails.iter().map(with).collect::<Vec<_>>()));
    for email in &read.emails {
        assert_same("by swaks", CONTENT.as_bytes(), email.sent());
    }
}

/// What swaks knows and is not offered is not even begun; the connection stays good.
pub(crate) fn mechanisms_that_are_not_offered(trial: &Trial) {
    let account = Account::new(trial, "swaks-mechanisms");
    for mechanism in ["CRAM-MD5", "DIGEST-MD5", "CRAM-SHA1"] {
        let sign_in = ["--tls-on-connect", "--auth", mechanism, "--auth-user", &account.address];
        let mut command = swaks(&account, "submissions", &account.address, &sign_in);
        let output = run(command.args(["--auth-password", &account.password]), b"");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(28), "{mechanism}: {told}");
        assert!(!told.contains("-> AUTH"), "{told}");
    }
}
