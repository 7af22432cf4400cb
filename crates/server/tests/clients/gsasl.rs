//! GNU SASL: every mechanism it knows, over SMTP and IMAP; those that are offered sign in, others are not there.

use std::process::Command;

use crate::account::Account;
use crate::tools::{run, said, tool};
use crate::trial::Trial;

/// What signs in with a password where the settings say nothing else; the last two over IMAP alone.
const OFFERED: [&str; 6] =
    ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"];

/// gsasl under STARTTLS.
fn gsasl(account: &Account<'_>, protocol: &str, mechanism: &str, password: &str) -> Command {
    let mut gsasl = tool("gsasl");
    let port = account.trial.port(if protocol == "smtp" { "submission" } else { protocol });
    gsasl.arg(format!("--{protocol}")).arg(format!("--connect=localhost:{port}"));
    gsasl.arg(format!("--mechanism={mechanism}")).arg("--starttls");
    gsasl.arg(format!("--x509-ca-file={}", account.trial.ca())).arg("--no-client-first");
    gsasl.arg(format!("--authentication-id={}", account.address)).arg(format!("--password={password}"));
    gsasl.args(["--quiet", "--hostname=localhost", "--service=imap"]);
    if !mechanism.ends_with("-PLUS") {
        // Else it says that it would bind to the channel if it could, and as the server can, that is refused as a downgrade.
        gsasl.arg("--no-cb");
    }
    gsasl
}

fn signs_in(account: &Account<'_>, protocol: &str, mechanism: &str, password: &str) -> bool {
    run(&mut gsasl(account, protocol, mechanism, password), b"").status.success()
}

/// By each mechanism: the right password signs in, a wrong one does not; what is not offered does not.
pub(crate) fn every_mechanism(trial: &Trial) {
    let account = Account::new(trial, "gsasl");
    let known = said(tool("gsasl").args(["--client-mechanisms", "--quiet"]));
    for (protocol, offered) in [("smtp", &OFFERED[..4]), ("imap", &OFFERED[..])] {
        for &mechanism in offered {
            assert!(
                known.split_whitespace().any(|name| name == mechanism),
                "gsasl does not know {mechanism}"
            );
            let signs_in = |password: &str| signs_in(&account, protocol, mechanism, password);
            assert!(signs_in(&account.password), "{mechanism} over {protocol}");
            assert!(!signs_in("wrong"), "{mechanism} over {protocol} with a wrong password");
        }
        for mechanism in known.split_whitespace().filter(|name| !offered.contains(name)) {
            assert!(
                !signs_in(&account, protocol, mechanism, &account.password),
                "{mechanism} over {protocol}"
            );
        }
    }
}
