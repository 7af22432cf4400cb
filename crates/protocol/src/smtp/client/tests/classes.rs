//! A peer that answers each command with each class of reply, with what is no reply, and by closing.

use std::fmt::Write;

use expect_test::expect;

use super::scripted::{Cut, play};
use super::*;

const ANSWERS: [&str; 7] =
    ["250 2.0.0 yes", "354 go on", "421 4.3.2 leaving", "451 4.3.0 later", "550 5.0.0 no", "what?", "close"];

/// A line for each answer: what became of two recipients, and the last command.
fn outcomes(command: &str, dialect: Dialect, extra: &[(&str, &str)], policy: impl Fn() -> Policy) -> String {
    let mut table = String::new();
    for answer in ANSWERS {
        let script: Vec<_> = [(command, answer)].into_iter().chain(extra.iter().copied()).collect();
        let policy = Policy { dialect, ..policy() };
        let letters = vec![letter(&["bob", "eve"], "a\r\n")];
        let (seen, peer) = play(&script, Caller::new(policy, letters), Cut::Whole);
        let last = peer.lines.last().map_or("nothing", |line| line.split(' ').next().unwrap());
        writeln!(table, "{}: {} ({last})", answer.split(' ').next().unwrap(), short(&seen)).unwrap();
    }
    table
}

/// The outcomes in one letter each, `D`elivered, `L`ater, `F`ailed; `u` if it may have arrived.
fn short(seen: &Seen) -> String {
    let Some(report) = seen.reports.first() else {
        let failure = seen.summary.failure.as_ref().expect("nothing was sent for a reason");
        return format!("- {} {:?} {:?}", failure.status, failure.stage, failure.cause);
    };
    let letter = |outcome: &Outcome| {
        let diagnostic = outcome.diagnostic();
        let unknown = if diagnostic.may_have_arrived() { "u" } else { "" };
        let class = match outcome {
            Outcome::Delivered(_) => "D",
            Outcome::Deferred(_) => "L",
            Outcome::Failed(_) => "F",
        };
        format!("{class}{unknown} {} {:?} {:?}", diagnostic.status, diagnostic.stage, diagnostic.cause)
    };
    let mut letters: Vec<_> = report.outcomes.iter().map(letter).collect();
    letters.dedup();
    letters.join(", ")
}

fn smtp(command: &str, extra: &[(&str, &str)]) -> String {
    outcomes(command, Dialect::Smtp, extra, policy)
}

#[test]
fn answers_to_the_beginning() {
    let answers = [
        ("banner", smtp("banner", &[])),
        ("EHLO", smtp("EHLO", &[])),
        ("HELO", smtp("HELO", &[("EHLO", "500 what")])),
        ("STARTTLS", smtp("STARTTLS", &[("EHLO", "250-mx\r\n250 STARTTLS")])),
        (
            "AUTH",
            outcomes("AUTH", Dialect::Smtp, &[("EHLO", "250-mx\r\n250 AUTH PLAIN")], || Policy {
                sign_in: sign_in(),
                sign_in_without_tls: true,
                ..policy()
            }),
        ),
    ];
    let table: String = answers.iter().map(|(command, table)| format!("{command}\n{table}")).collect();
    expect![[r#"
        banner
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 Banner NotUnderstood (nothing)
        421: - 4.3.2 Banner Reply (nothing)
        451: - 4.3.0 Banner Reply (QUIT)
        550: - 5.0.0 Banner Reply (QUIT)
        what?: - 4.5.0 Banner NotUnderstood (nothing)
        close: - 4.4.2 Banner Closed (nothing)
        EHLO
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 Hello NotUnderstood (EHLO)
        421: - 4.3.2 Hello Reply (EHLO)
        451: - 4.3.0 Hello Reply (QUIT)
        550: D 2.0.0 End Reply (QUIT)
        what?: - 4.5.0 Hello NotUnderstood (EHLO)
        close: - 4.4.2 Hello Closed (EHLO)
        HELO
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 Hello NotUnderstood (HELO)
        421: - 4.3.2 Hello Reply (HELO)
        451: - 4.3.0 Hello Reply (QUIT)
        550: - 5.0.0 Hello Reply (QUIT)
        what?: - 4.5.0 Hello NotUnderstood (HELO)
        close: - 4.4.2 Hello Closed (HELO)
        STARTTLS
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 StartTls NotUnderstood (STARTTLS)
        421: - 4.3.2 StartTls Reply (STARTTLS)
        451: D 2.0.0 End Reply (QUIT)
        550: D 2.0.0 End Reply (QUIT)
        what?: - 4.5.0 StartTls NotUnderstood (STARTTLS)
        close: - 4.4.2 StartTls Closed (STARTTLS)
        AUTH
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 SignIn NotUnderstood (*)
        421: - 4.3.2 SignIn Reply (AUTH)
        451: - 4.7.0 SignIn SignInRefused (QUIT)
        550: - 4.7.0 SignIn SignInRefused (QUIT)
        what?: - 4.5.0 SignIn NotUnderstood (AUTH)
        close: - 4.4.2 SignIn Closed (AUTH)
    "#]]
    .assert_eq(&table);
}

#[test]
fn answers_in_a_transaction() {
    let one_by_one = [("EHLO", "250 mx")];
    let mut table = String::new();
    for (name, extra) in [("pipelined", &[][..]), ("one by one", &one_by_one)] {
        for command in ["MAIL", "RCPT TO:<bob", "DATA", ".", "QUIT"] {
            writeln!(table, "{command}, {name}\n{}", smtp(command, extra).trim_end()).unwrap();
        }
    }
    expect![[r#"
        MAIL, pipelined
        250: D 2.0.0 End Reply (QUIT)
        354: L 4.5.0 Mail NotUnderstood (DATA)
        421: L 4.3.2 Mail Reply (DATA)
        451: L 4.3.0 Mail Reply (QUIT)
        550: F 5.0.0 Mail Reply (QUIT)
        what?: L 4.5.0 Mail NotUnderstood (DATA)
        close: L 4.4.2 Mail Closed (DATA)
        RCPT TO:<bob, pipelined
        250: D 2.0.0 End Reply (QUIT)
        354: L 4.5.0 Recipient NotUnderstood (DATA)
        421: L 4.3.2 Recipient Reply (DATA)
        451: L 4.3.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        550: F 5.0.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        what?: L 4.5.0 Recipient NotUnderstood (DATA)
        close: L 4.4.2 Recipient Closed (DATA)
        DATA, pipelined
        250: L 4.5.0 Data NotUnderstood (DATA)
        354: D 2.0.0 End Reply (QUIT)
        421: L 4.3.2 Data Reply (DATA)
        451: L 4.3.0 Data Reply (QUIT)
        550: F 5.0.0 Data Reply (QUIT)
        what?: L 4.5.0 Data NotUnderstood (DATA)
        close: L 4.4.2 Data Closed (DATA)
        ., pipelined
        250: D 2.0.0 End Reply (QUIT)
        354: Lu 4.5.0 End NotUnderstood (DATA)
        421: L 4.3.2 End Reply (DATA)
        451: L 4.3.0 End Reply (QUIT)
        550: F 5.0.0 End Reply (QUIT)
        what?: Lu 4.5.0 End NotUnderstood (DATA)
        close: Lu 4.4.2 End Closed (DATA)
        QUIT, pipelined
        250: D 2.0.0 End Reply (QUIT)
        354: D 2.0.0 End Reply (QUIT)
        421: D 2.0.0 End Reply (QUIT)
        451: D 2.0.0 End Reply (QUIT)
        550: D 2.0.0 End Reply (QUIT)
        what?: D 2.0.0 End Reply (QUIT)
        close: D 2.0.0 End Reply (QUIT)
        MAIL, one by one
        250: D 2.0.0 End Reply (QUIT)
        354: L 4.5.0 Mail NotUnderstood (MAIL)
        421: L 4.3.2 Mail Reply (MAIL)
        451: L 4.3.0 Mail Reply (QUIT)
        550: F 5.0.0 Mail Reply (QUIT)
        what?: L 4.5.0 Mail NotUnderstood (MAIL)
        close: L 4.4.2 Mail Closed (MAIL)
        RCPT TO:<bob, one by one
        250: D 2.0.0 End Reply (QUIT)
        354: L 4.5.0 Recipient NotUnderstood (RCPT)
        421: L 4.3.2 Recipient Reply (RCPT)
        451: L 4.3.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        550: F 5.0.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        what?: L 4.5.0 Recipient NotUnderstood (RCPT)
        close: L 4.4.2 Recipient Closed (RCPT)
        DATA, one by one
        250: L 4.5.0 Data NotUnderstood (DATA)
        354: D 2.0.0 End Reply (QUIT)
        421: L 4.3.2 Data Reply (DATA)
        451: L 4.3.0 Data Reply (QUIT)
        550: F 5.0.0 Data Reply (QUIT)
        what?: L 4.5.0 Data NotUnderstood (DATA)
        close: L 4.4.2 Data Closed (DATA)
        ., one by one
        250: D 2.0.0 End Reply (QUIT)
        354: Lu 4.5.0 End NotUnderstood (DATA)
        421: L 4.3.2 End Reply (DATA)
        451: L 4.3.0 End Reply (QUIT)
        550: F 5.0.0 End Reply (QUIT)
        what?: Lu 4.5.0 End NotUnderstood (DATA)
        close: Lu 4.4.2 End Closed (DATA)
        QUIT, one by one
        250: D 2.0.0 End Reply (QUIT)
        354: D 2.0.0 End Reply (QUIT)
        421: D 2.0.0 End Reply (QUIT)
        451: D 2.0.0 End Reply (QUIT)
        550: D 2.0.0 End Reply (QUIT)
        what?: D 2.0.0 End Reply (QUIT)
        close: D 2.0.0 End Reply (QUIT)
    "#]]
    .assert_eq(&table);
}

#[test]
fn answers_over_lmtp() {
    let mut table = String::new();
    for command in ["LHLO", "RCPT TO:<bob", "DATA", ". bob", ". eve"] {
        let answers = outcomes(command, Dialect::Lmtp, &[], policy);
        writeln!(table, "{command}\n{}", answers.trim_end()).unwrap();
    }
    expect![[r#"
        LHLO
        250: D 2.0.0 End Reply (QUIT)
        354: - 4.5.0 Hello NotUnderstood (LHLO)
        421: - 4.3.2 Hello Reply (LHLO)
        451: - 4.3.0 Hello Reply (QUIT)
        550: - 5.0.0 Hello Reply (QUIT)
        what?: - 4.5.0 Hello NotUnderstood (LHLO)
        close: - 4.4.2 Hello Closed (LHLO)
        RCPT TO:<bob
        250: D 2.0.0 End Reply (QUIT)
        354: L 4.5.0 Recipient NotUnderstood (DATA)
        421: L 4.3.2 Recipient Reply (DATA)
        451: L 4.3.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        550: F 5.0.0 Recipient Reply, D 2.0.0 End Reply (QUIT)
        what?: L 4.5.0 Recipient NotUnderstood (DATA)
        close: L 4.4.2 Recipient Closed (DATA)
        DATA
        250: L 4.5.0 Data NotUnderstood (DATA)
        354: D 2.0.0 End Reply (QUIT)
        421: L 4.3.2 Data Reply (DATA)
        451: L 4.3.0 Data Reply (QUIT)
        550: F 5.0.0 Data Reply (QUIT)
        what?: L 4.5.0 Data NotUnderstood (DATA)
        close: L 4.4.2 Data Closed (DATA)
        . bob
        250: D 2.0.0 End Reply (QUIT)
        354: Lu 4.5.0 End NotUnderstood (DATA)
        421: L 4.3.2 End Reply (DATA)
        451: L 4.3.0 End Reply, D 2.0.0 End Reply (QUIT)
        550: F 5.0.0 End Reply, D 2.0.0 End Reply (QUIT)
        what?: Lu 4.5.0 End NotUnderstood (DATA)
        close: Lu 4.4.2 End Closed (DATA)
        . eve
        250: D 2.0.0 End Reply (QUIT)
        354: D 2.0.0 End Reply, Lu 4.5.0 End NotUnderstood (DATA)
        421: D 2.0.0 End Reply, L 4.3.2 End Reply (DATA)
        451: D 2.0.0 End Reply, L 4.3.0 End Reply (QUIT)
        550: D 2.0.0 End Reply, F 5.0.0 End Reply (QUIT)
        what?: D 2.0.0 End Reply, Lu 4.5.0 End NotUnderstood (DATA)
        close: D 2.0.0 End Reply, Lu 4.4.2 End Closed (DATA)
    "#]]
    .assert_eq(&table);
}
