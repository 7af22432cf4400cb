//! What `waxseal try` shows: one screen, or one line of JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Everything a person or a program needs to use the server that `try` started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Whether the probe arrived.
    pub probe: Probe,
    /// Ports on 127.0.0.1, by protocol: smtp, submission, submissions, pop3, pop3s, imap, imaps.
    pub ports: BTreeMap<String, u16>,
    /// Accounts with their passwords.
    pub accounts: Vec<SampleAccount>,
    /// The certificate of the authority that signed the server's.
    pub ca: PathBuf,
    /// The data directory.
    pub data: PathBuf,
    /// The server's process.
    pub process: u32,
}

/// How the probe went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// It was sent over SMTP and read over POP3.
    pub arrived: bool,
    /// From MAIL to the last octet of RETR.
    pub milliseconds: u64,
}

/// An account for trying out. Its password is kept beside it, because `try` has to show it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleAccount {
    /// Its address.
    pub address: String,
    /// Its password.
    pub password: String,
}

/// The recipients that fail on purpose, and how.
const MAGIC: [(&str, &str); 4] = [
    ("refused@", "refused with 550 5.1.1 at RCPT"),
    ("deferred@", "deferred with 451 4.7.1 until the third try"),
    ("slow@", "delivered after 30 seconds, to the first account"),
    ("bounces@", "accepted, then reported as undeliverable"),
];

impl Ready {
    /// The line for programs.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("names are strings")
    }

    /// The screen for people. `program` is what they have to type to run this binary; `kept` whether the data stays.
    pub fn screen(&self, program: &Path, kept: bool) -> String {
        let mut out = String::with_capacity(4096);
        self.write_screen(&mut out, program, kept).expect("a String takes everything");
        out
    }

    fn write_screen(&self, out: &mut String, program: &Path, kept: bool) -> std::fmt::Result {
        let Probe { arrived, milliseconds } = self.probe;
        match arrived {
            true => writeln!(
                out,
                "A probe was sent by SMTP and read by POP3: it arrived in {milliseconds} ms.\n"
            )?,
            false => writeln!(out, "The probe did NOT arrive. See what is said above, and `trace` below.\n")?,
        }
        writeln!(out, "Ports on 127.0.0.1, on the left with STARTTLS, on the right TLS from the start:")?;
        for pair in [["smtp", ""], ["submission", "submissions"], ["pop3", "pop3s"], ["imap", "imaps"]] {
            let line = pair
                .iter()
                .filter_map(|name| self.ports.get(*name).map(|port| format!("{name:<12}{port:<8}")));
            let line: String = line.collect();
            if !line.is_empty() {
                writeln!(out, "  {}", line.trim_end())?;
            }
        }
        writeln!(out, "\nAccounts:")?;
        for SampleAccount { address, password } in &self.accounts {
            writeln!(out, "  {address:<24}{password}")?;
        }
        writeln!(out, "\nRecipients that fail on purpose:")?;
        for (recipient, what) in MAGIC {
            writeln!(out, "  {:<24}{what}", format!("{recipient}{}", self.domain()))?;
        }
        self.write_commands(out, program)?;
        match kept {
            true => writeln!(out, "\nThe data stays in {}. Ctrl-C stops the server.", self.data.display()),
            false => writeln!(
                out,
                "\nCtrl-C stops the server and removes all of it. To keep the mail: --keep DIR."
            ),
        }
    }

    fn write_commands(&self, out: &mut String, program: &Path) -> std::fmt::Result {
        let [first, second, ..] = &self.accounts[..] else { return Ok(()) };
        let (from, to) = (&first.address, &second.address);
        let (ca, data) = (quoted(&self.ca), quoted(&self.data));
        let port = |name: &str| self.ports.get(name).copied().unwrap_or_default();
        writeln!(out, "\nSend a message:")?;
        writeln!(out, "  printf '%s\\r\\n' 'From: {from}' 'To: {to}' \\")?;
        writeln!(out, "    'Subject: Hello' '' 'It works.' |")?;
        writeln!(out, "    curl -sS --cacert {ca} \\")?;
        writeln!(out, "    -u '{from}:{}' \\", first.password)?;
        writeln!(out, "    --mail-from {from} --mail-rcpt {to} \\")?;
        writeln!(out, "    -T - smtps://127.0.0.1:{}/client.example", port("submissions"))?;
        writeln!(out, "Read it:")?;
        writeln!(out, "  curl -sS --cacert {ca} \\")?;
        writeln!(out, "    -u '{to}:{}' \\", second.password)?;
        writeln!(out, "    'imaps://127.0.0.1:{}/INBOX;MAILINDEX=*'", port("imaps"))?;
        writeln!(out, "See what happened to it:")?;
        writeln!(out, "  {} trace {to} \\\n    --data {data}", quoted(program))
    }

    fn domain(&self) -> &str {
        self.accounts
            .first()
            .and_then(|account| account.address.split_once('@'))
            .map_or("", |(_, domain)| domain)
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+".contains(&b);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn ready() -> Ready {
        let account = |name: &str| SampleAccount {
            address: format!("{name}@example.org"),
            password: "pass-word".into(),
        };
        Ready {
            probe: Probe { arrived: true, milliseconds: 7 },
            ports: [("smtp", 4001), ("submission", 4002), ("submissions", 4003), ("imaps", 4007)]
                .map(|(n, p)| (n.to_owned(), p))
                .into(),
            accounts: vec![account("ann"), account("bob")],
            ca: "/data/ca.pem".into(),
            data: "/data/it's here".into(),
            process: 42,
        }
    }

    #[test]
    fn one_line_for_programs() {
        expect![[r#"{"probe":{"arrived":true,"milliseconds":7},"ports":{"imaps":4007,"smtp":4001,"submission":4002,"submissions":4003},"accounts":[{"address":"ann@example.org","password":"pass-word"},{"address":"bob@example.org","password":"pass-word"}],"ca":"/data/ca.pem","data":"/data/it's here","process":42}"#]].assert_eq(&ready().json());
    }

    #[test]
    fn one_screen_for_people() {
        let screen = ready().screen(Path::new("/usr/bin/waxseal"), false);
        assert!(screen.lines().count() <= 40, "it has to fit one screen");
        expect![[r#"
            A probe was sent by SMTP and read by POP3: it arrived in 7 ms.

            Ports on 127.0.0.1, on the left with STARTTLS, on the right TLS from the start:
              smtp        4001
              submission  4002    submissions 4003
              imaps       4007

            Accounts:
              ann@example.org         pass-word
              bob@example.org         pass-word

            Recipients that fail on purpose:
              refused@example.org     refused with 550 5.1.1 at RCPT
              deferred@example.org    deferred with 451 4.7.1 until the third try
              slow@example.org        delivered after 30 seconds, to the first account
              bounces@example.org     accepted, then reported as undeliverable

            Send a message:
              printf '%s\r\n' 'From: ann@example.org' 'To: bob@example.org' \
                'Subject: Hello' '' 'It works.' |
                curl -sS --cacert /data/ca.pem \
                -u 'ann@example.org:pass-word' \
                --mail-from ann@example.org --mail-rcpt bob@example.org \
                -T - smtps://127.0.0.1:4003/client.example
            Read it:
              curl -sS --cacert /data/ca.pem \
                -u 'bob@example.org:pass-word' \
                'imaps://127.0.0.1:4007/INBOX;MAILINDEX=*'
            See what happened to it:
              /usr/bin/waxseal trace bob@example.org \
                --data '/data/it'\''s here'

            Ctrl-C stops the server and removes all of it. To keep the mail: --keep DIR.
        "#]]
        .assert_eq(&screen);
    }
}
