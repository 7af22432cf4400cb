//! Certificates, and how it stands with the one by ACME.

use admin::{AcmeRow, CertificateRow};
use mail::{Timestamp, printable};

use super::table::table;
use super::time;

/// After `waxseal status`; empty if there is nothing to show.
pub(super) fn text(certificates: &[CertificateRow], acme: Option<&AcmeRow>, at: Timestamp) -> String {
    let mut text = String::new();
    if !certificates.is_empty() {
        let row = |row: &CertificateRow| {
            let left = if row.until <= at { "expired".to_owned() } else { time::until(row.until, at) };
            vec![printable(row.names.join(", ")), printable(&row.issuer), time::moment(row.until), left]
        };
        let head = ["certificate", "issuer", "expires", ""];
        text.push_str(&format!("\n{}", table(&head, certificates, row)));
    }
    if let Some(acme) = acme {
        text.push_str(&format!("\n{}\n", acme_text(acme, at)));
    }
    text
}

fn acme_text(acme: &AcmeRow, at: Timestamp) -> String {
    let (names, next) = (acme.names.join(", "), time::until(acme.next, at));
    match &acme.problem {
        Some(problem) => format!("ACME: no certificate for {names}: {problem}. The next try is {next}."),
        None => format!("ACME: the certificate for {names} is ordered {next}, from {}.", acme.directory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const DAY: i64 = 24 * 60 * 60 * 1000;

    fn acme(problem: Option<&str>) -> AcmeRow {
        AcmeRow {
            names: vec!["mx.example.org".into()],
            directory: "https://acme.example/directory".into(),
            next: Timestamp(60 * DAY),
            problem: problem.map(Into::into),
        }
    }

    #[test]
    fn certificates_stand_with_their_end_and_acme_with_its_trouble() {
        let row = |name: &str, days: i64| CertificateRow {
            names: vec![name.into()],
            issuer: "CN=An authority".into(),
            until: Timestamp(days * DAY),
        };
        let rows = [row("mx.example.org", 90), row("imap.example.org", 0)];
        expect![[r#"

            certificate       issuer           expires
            mx.example.org    CN=An authority  1970-04-01 00:00:00 UTC  in 89 d
            imap.example.org  CN=An authority  1970-01-01 00:00:00 UTC  expired

            ACME: the certificate for mx.example.org is ordered in 59 d, from https://acme.example/directory.
        "#]]
        .assert_eq(&text(&rows, Some(&acme(None)), Timestamp(DAY)));
        expect![[r"

            ACME: no certificate for mx.example.org: no route; see that port 80 is open. The next try is in 59 d.
        "]]
        .assert_eq(&text(&[], Some(&acme(Some("no route; see that port 80 is open"))), Timestamp(DAY)));
        assert_eq!(text(&[], None, Timestamp(0)), "");
    }
}
