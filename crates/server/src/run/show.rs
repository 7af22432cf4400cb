//! Shows an answer of the administration: for people, or as JSON.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use admin::Response;
use admin::response::{AccountRow, AliasRow, CheckedRow, DomainRow, StatusRow};
use anyhow::Result;

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
        Response::Domains { domains } => table(&["domain", "accounts", "aliases"], domains, domain),
        Response::Accounts { accounts } => table(&["account", "name", "changed"], accounts, account),
        Response::Aliases { aliases } => table(&["alias", "means"], aliases, alias),
        Response::Story { told, .. } => told.clone(),
        Response::Status(status) => status_text(status),
        Response::Connections { connections } => format!("{} connections\n", connections.len()),
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
    format!(
        "waxseal {}: {} domains, {} accounts, {} in the queue, {} virtual servers\n",
        status.version,
        status.domains,
        status.accounts,
        status.queued,
        status.virtual_servers.len()
    )
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

/// Rows in columns, the widest entry of each deciding.
fn table<T>(head: &[&str], rows: &[T], columns: impl Fn(&T) -> Vec<String>) -> String {
    let mut lines: Vec<Vec<String>> = vec![head.iter().map(|&title| title.to_owned()).collect()];
    lines.extend(rows.iter().map(columns));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
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
