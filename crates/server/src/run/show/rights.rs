//! What accounts may do, what is held, and which networks may not come in.

use std::fmt::Write;

use admin::response::{AppPasswordRow, BanRow, HeldAccountRow};

use super::table;

pub(super) fn app_password(row: &AppPasswordRow) -> Vec<String> {
    let time = |at: Option<mail::Timestamp>, none: &str| at.map_or(none.to_owned(), |at| at.to_string());
    vec![
        mail::printable(&row.name),
        row.scope.clone(),
        row.created.to_string(),
        time(row.expires, "never"),
        time(row.last_used, "never"),
    ]
}

pub(super) fn ban(row: &BanRow) -> Vec<String> {
    vec![row.network.clone(), row.until.to_string(), mail::printable(&row.reason)]
}

/// What status says of accounts whose mail is held; nothing if there are none.
pub(super) fn held(accounts: &[HeldAccountRow]) -> String {
    if accounts.is_empty() {
        return String::new();
    }
    let row =
        |row: &HeldAccountRow| vec![row.address.clone(), row.since.to_string(), mail::printable(&row.reason)];
    let mut text = format!("\n{}", table(&["mail of this account is held", "since", "why"], accounts, row));
    for row in accounts {
        let _ = writeln!(text, "To let it go: waxseal account release {}", row.address);
    }
    text
}
