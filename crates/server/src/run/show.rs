//! Shows an answer of the administration: for people, or as JSON.

mod certificates;
mod dkim;
mod queue;
mod rights;
mod sessions;
mod settings;
mod table;
mod time;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use admin::Response;
use admin::response::{AccountRow, AliasRow, CheckedRow, DomainRow, PressureRow, StatusRow};
use anyhow::Result;

use table::{counted, table};

/// An answer, and who gave it.
pub(super) struct Answered {
    pub(super) response: Response,
    /// The running server, or this process because the server is down.
    pub(super) by_server: bool,
}

/// Prints it; the exit code says whether it was done.
///
/// # Errors
/// Only of printing.
#[expect(clippy::print_stderr, reason = "this is what the commands are for")]
pub(super) fn show(answered: &Answered, json: bool) -> Result<ExitCode> {
    let Answered { response, by_server } = answered;
    let failed = matches!(response, Response::Refused(_))
        || matches!(response, Response::Checked(checked) if !checked.faults.is_empty() && !checked.repaired);
    if json {
        print(&format!("{}\n", serde_json::to_string(response)?))?;
    } else if let Response::Refused(refusal) = response {
        eprintln!("waxseal: {refusal}");
    } else {
        print(&told(response))?;
        if !by_server {
            eprintln!("(The server is not running: this command worked on its data directory itself.)");
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints to standard output. A reader that has seen enough, as `head` has, is no failure.
///
/// # Errors
/// The system's.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

fn told(response: &Response) -> String {
    match response {
        Response::Done { said } => format!("{said}\n"),
        Response::Password { address, password } => format!("{address} has the password {}\n", password.0),
        Response::Dkim { said, domain, records } => dkim::records(said, domain, records),
        Response::Domains { domains } => table(&["domain", "accounts", "aliases"], domains, domain),
        Response::Accounts { accounts } => table(&["account", "name", "changed"], accounts, account),
        Response::Certificates { certificates } => {
            table(&["certificate"], certificates, |name| vec![name.clone()])
        }
        Response::AppPasswords { passwords } => {
            let head = ["app password", "for", "made", "good until", "last used"];
            table(&head, passwords, rights::app_password)
        }
        Response::SendAs { addresses } => table(&["sends as"], addresses, |name| vec![name.clone()]),
        Response::Bans { bans } => table(&["network", "refused until", "why"], bans, rights::ban),
        Response::Aliases { aliases } => table(&["alias", "means"], aliases, alias),
        Response::Story { told, .. } => told.clone(),
        Response::Destinations { at, totals, destinations, next } => {
            queue::destinations(*at, totals, destinations, next.as_deref())
        }
        Response::Deliveries { at, destination, deliveries, next } => {
            queue::deliveries(*at, destination, deliveries, next.as_deref())
        }
        Response::FoundDeliveries { at, deliveries, more } => queue::found(*at, deliveries, *more),
        Response::ExportedPiece { piece, .. } => format!("{piece}\n"),
        Response::Badmail { files } => queue::badmail(files),
        Response::Text { text } => text.lines().map(|line| mail::printable(line) + "\n").collect(),
        Response::QueuedMessage { at, message } => queue::message(*at, message),
        Response::Settings { text, .. } => settings::text(text),
        Response::SettingsHistory { revisions } => settings::history(revisions),
        Response::SettingsDiff { from, to, difference } => settings::difference(*from, *to, difference),
        Response::SettingsWhatIf(found) => settings::what_if(found),
        Response::Status(status) => status_text(status),
        Response::VirtualServers { virtual_servers } => sessions::virtual_servers(virtual_servers),
        Response::VirtualServer { virtual_server, properties } => {
            sessions::virtual_server(virtual_server, properties)
        }
        Response::Connections { connections } => sessions::connections(connections),
        Response::Checked(checked) => checked_text(checked),
        Response::Refused(refusal) => format!("{refusal}\n"),
    }
}

fn domain(row: &DomainRow) -> Vec<String> {
    vec![row.name.clone(), row.accounts.to_string(), row.aliases.to_string()]
}

fn account(row: &AccountRow) -> Vec<String> {
    vec![row.address.clone(), mail::printable(&row.name), row.changed.to_string()]
}

fn alias(row: &AliasRow) -> Vec<String> {
    vec![row.address.clone(), row.targets.join(", ")]
}

fn status_text(status: &StatusRow) -> String {
    let StatusRow {
        version,
        domains,
        accounts,
        at,
        queue,
        held_accounts,
        pressure,
        virtual_servers,
        certificates,
        acme,
    } = status;
    let counts =
        [counted(*domains as u64, "domain", "domains"), counted(*accounts as u64, "account", "accounts")];
    let mut text = format!("waxseal {version}: {}\n", counts.join(", "));
    let _ = writeln!(text, "{}.", queue::totals_text(queue, *at));
    text.push_str(&rights::held(held_accounts));
    pressure.iter().for_each(|pressure| text.push_str(&pressure_text(pressure)));
    if !virtual_servers.is_empty() {
        let _ = write!(text, "\n{}", sessions::virtual_servers(virtual_servers));
    }
    text.push_str(&self::certificates::text(certificates, acme.as_ref(), *at));
    text
}

/// Nothing while all is free.
fn pressure_text(PressureRow { level, gauges }: &PressureRow) -> String {
    let what = match level.as_str() {
        "free" => return String::new(),
        "slow" => "Mail of strangers is taken slowly",
        _ => "No mail is taken",
    };
    format!("{what}: {}.\n", gauges.first().map_or("", String::as_str))
}

fn checked_text(checked: &CheckedRow) -> String {
    let mut text = format!("Contents verified: {}, with {} octets.\n", checked.contents, checked.octets);
    if checked.orphans > 0 {
        let _ = writeln!(
            text,
            "{} more were left by a crash before their 250 and are being freed.",
            checked.orphans
        );
    }
    for fault in &checked.faults {
        let _ = writeln!(text, "fault: {}", mail::printable(fault));
    }
    let verdict = match (checked.faults.len(), checked.repaired) {
        (0, _) => "All is well.".to_owned(),
        (n, true) => format!("{n} faults; what can be repaired was repaired. Run it again to see."),
        (n, false) => format!("{n} faults. Mend what can be mended with --repair."),
    };
    text.push_str(&verdict);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn tables_line_up() {
        let rows = [
            DomainRow { name: "example.org".into(), accounts: 2, aliases: 0 },
            DomainRow { name: "a.example".into(), accounts: 12, aliases: 3 },
        ];
        expect![[r#"
            domain       accounts  aliases
            example.org  2         0
            a.example    12        3
        "#]]
        .assert_eq(&told(&Response::Domains { domains: rows.into() }));
    }
}
