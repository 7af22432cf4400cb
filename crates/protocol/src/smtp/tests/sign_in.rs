//! STARTTLS (RFC 3207) and AUTH (RFC 4954).

use super::*;

// base64 of "\0bob@example.org\0secret", "bob@example.org", "secret", "wrong".
const PLAIN: &str = "AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=";
const BOB: &str = "Ym9iQGV4YW1wbGUub3Jn";
const SECRET: &str = "c2VjcmV0";
const WRONG: &str = "d3Jvbmc=";

#[test]
fn plain_and_login() {
    for lines in [
        &[&*format!("AUTH PLAIN {PLAIN}")][..],
        &["auth plain", PLAIN],
        &["AUTH LOGIN", BOB, SECRET],
        &[&format!("AUTH LOGIN {BOB}"), SECRET],
    ] {
        let mut d = Dialogue::secure(config());
        let (last, first) = lines.split_last().unwrap();
        for line in first {
            d.check(line, "334");
        }
        d.check(last, "235 2.7.0");
        d.check("AUTH PLAIN", "503 5.5.1");
        assert_eq!(d.session.account.as_ref().map(ToString::to_string).as_deref(), Some("bob@example.org"));
        assert_eq!(d.end().misuses, ["SignInTwice"]);
    }
}

#[test]
fn challenges_are_base64_and_an_empty_one_keeps_its_space() {
    let mut d = Dialogue::secure(config());
    d.send("AUTH PLAIN\r\n");
    assert_eq!(d.hear(), "334 \n");
    d.check("*", "501 5.7.0");
    d.send("AUTH LOGIN\r\n");
    assert_eq!(d.hear(), "334 VXNlcm5hbWU6\n");
    d.send(format!("{BOB}\r\n"));
    assert_eq!(d.hear(), "334 UGFzc3dvcmQ6\n");
    d.check("*\nNOOP", "501 5.7.0, 250 2.0.0");
    assert!(d.end().misuses.is_empty());
}

#[test]
fn what_is_no_response() {
    let mut d = Dialogue::secure(config());
    d.check("AUTH CRAM-MD5", "504 5.5.4");
    d.check("AUTH", "501 5.5.4");
    d.check("AUTH PLAIN =", "501 5.5.2");
    d.check("AUTH PLAIN =AAA", "501 5.5.2");
    d.check("AUTH PLAIN\nNOOPS", "334, 501 5.5.2");
    d.check("AUTH PLAIN\nAA\x07A", "334, 501 5.5.2");
    d.check("AUTH PLAIN", "334");
    d.check(&"A".repeat(limits::SMTP_COMMAND_LINE_MAX), "500 5.5.6");
    d.check("NOOP", "250 2.0.0");
    assert_eq!(
        d.end().misuses,
        [
            "UnknownMechanism",
            "CommandSyntax",
            "SaslMalformed",
            "SaslNotBase64",
            "SaslNotBase64",
            "SaslNotBase64",
            "SaslTooLong"
        ]
    );
}

#[test]
fn wrong_passwords_are_bounded() {
    let mut d = Dialogue::secure(config());
    for _ in 1..Bounds::USUAL.sign_in_failures_max {
        d.check(&format!("AUTH LOGIN\n{BOB}\n{WRONG}"), "334, 334, 535 5.7.8");
    }
    d.check(&format!("AUTH LOGIN\n{BOB}\n{WRONG}"), "334, 334, 421 4.7.0");
    assert!(d.closed);
    assert_eq!(d.end().misuses.last(), Some(&"TooManySignInFailures"));
}

#[test]
fn no_decision_is_temporary() {
    let mut d = Dialogue::secure(config());
    d.check(&format!("AUTH LOGIN bGF0ZXI=\n{SECRET}"), "334, 454 4.7.0");
    assert!(d.end().misuses.is_empty());
}

#[test]
fn who_is_put_off_again_and_again_is_sent_away() {
    let mut d = Dialogue::secure(config());
    for reply in ["454 4.7.0", "454 4.7.0", "454 4.7.0", "454 4.7.0", "421 4.7.0"] {
        d.check(&format!("AUTH LOGIN bGF0ZXI=\n{SECRET}"), &format!("334, {reply}"));
    }
    assert!(d.closed);
}

#[test]
fn where_and_when_sign_in_is_allowed() {
    let mut d = Dialogue::greeted(config());
    d.check("AUTH PLAIN", "538 5.7.11");
    let mut d = Dialogue::greeted(Config { auth_without_tls: true, ..config() });
    d.check(&format!("AUTH PLAIN {PLAIN}"), "235 2.7.0");
    let mut d = Dialogue::secure(Config { auth: crate::sasl::Offer::NONE, ..config() });
    d.check("AUTH PLAIN", "502 5.5.1");
    let mut d = Dialogue::secure(config());
    d.check("MAIL FROM:<a@example.com>\nAUTH PLAIN", "250 2.1.0, 503 5.5.1");
    assert_eq!(d.end().misuses, ["SignInInTransaction"]);
}

#[test]
fn where_sign_in_is_required() {
    let mut d = Dialogue::secure(Config { auth_required: true, ..config() });
    d.check(
        "MAIL FROM:<bob@example.org>\nVRFY bob\nNOOP\nHELP",
        "530 5.7.0, 530 5.7.0, 250 2.0.0, 214 2.0.0",
    );
    d.check(&format!("AUTH PLAIN {PLAIN}"), "235 2.7.0");
    d.check("MAIL FROM:<bob@example.org>", "250 2.1.0");
    assert_eq!(d.end().misuses, ["CommandBeforeSignIn", "CommandBeforeSignIn"]);
}

#[test]
fn where_tls_is_required() {
    let mut d = Dialogue::greeted(Config { tls_required: true, auth_required: true, ..config() });
    d.check("HELO x\nMAIL FROM:<>\nAUTH PLAIN\nNOOP", "530 5.7.0, 530 5.7.0, 530 5.7.0, 250 2.0.0");
    d.check("STARTTLS", "220 2.0.0");
    d.secured();
    d.check("EHLO client.example\nMAIL FROM:<>", "250-mx.example.org...");
}

#[test]
fn what_was_said_before_tls_is_forgotten() {
    let mut d = Dialogue::greeted(Config { auth_without_tls: true, ..config() });
    d.check(&format!("AUTH PLAIN {PLAIN}"), "235 2.7.0");
    d.check("MAIL FROM:<bob@example.org>", "250 2.1.0");
    d.check("STARTTLS", "220 2.0.0");
    assert_eq!(d.asked.last().map(String::as_str), Some("Abandoned"));
    d.secured();
    assert!(d.session.account.is_none());
    d.check("RCPT TO:<bob@example.org>", "503 5.5.1");
    d.check("MAIL FROM:<bob@example.org>", "503 5.5.1");
    d.check("EHLO client.example", "250-mx.example.org...");
    d.check("STARTTLS", "503 5.5.1");
}

#[test]
fn input_after_starttls_is_never_executed() {
    let mut d = Dialogue::greeted(config());
    d.check("STARTTLS\nRSET", "554 5.5.0");
    assert!(d.closed && !d.upgrading);
    // The same when it arrives a moment later, before the handshake.
    let mut d = Dialogue::greeted(config());
    d.check("STARTTLS", "220 2.0.0");
    d.send("R");
    assert!(d.closed);
    assert_eq!(d.end().misuses, ["InputBeforeTls"]);
}

#[test]
fn starttls_where_it_is_not_offered() {
    let mut d = Dialogue::greeted(Config { starttls: false, ..config() });
    d.check("STARTTLS", "502 5.5.1");
    assert_eq!(d.end().misuses, ["TlsNotOffered"]);
}
