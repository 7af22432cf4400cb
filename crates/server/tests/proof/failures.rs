//! Reads the reports of failure (RFC 3464) in the mailboxes of those who sent.

use std::collections::BTreeMap;

use super::letters::{self, ACCOUNTS};
use super::message::numbers_in;
use super::pop3::read_all;

/// How often each recipient was reported, and what is wrong with reports.
pub(crate) fn read_reports(port: u16) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut reports, mut faults) = (BTreeMap::new(), Vec::new());
    for account in (0..ACCOUNTS).map(letters::sender) {
        let read = read_all(port, &account, |stored| match recipients(&account, &stored) {
            Ok(recipients) => recipients.into_iter().for_each(|one| *reports.entry(one).or_default() += 1),
            Err(fault) => faults.push(fault),
        });
        read.expect("the maildrop can be read");
    }
    (reports, faults)
}

/// Of whom a report says that it has failed for him, if it is one, in the right mailbox, and returns the right header.
fn recipients(account: &str, stored: &[u8]) -> Result<Vec<String>, String> {
    let text = String::from_utf8_lossy(stored);
    let wrong = |what: &str| format!("{account} has what {what}: {text}");
    let returned = text.split_once("\r\nContent-Type: message/delivery-status\r\n");
    let returned =
        returned.and_then(|(_, rest)| rest.split_once("\r\nContent-Type: text/rfc822-headers\r\n"));
    let (fields, header) = returned.ok_or_else(|| wrong("is no report"))?;
    let number = numbers_in(header.as_bytes()).next().ok_or_else(|| wrong("returns no header of ours"))?;
    if letters::sender(number) != account {
        return Err(wrong("another is to be told"));
    }
    let named = fields.lines().filter_map(|line| line.strip_prefix("Final-Recipient: rfc822; "));
    let named: Vec<String> = named.map(str::to_owned).collect();
    let failed = fields.lines().filter(|line| *line == "Action: failed").count();
    let all_its = named.iter().all(|one| letters::read(one).is_some_and(|(_, its)| its == number));
    match failed == named.len() && !named.is_empty() && all_its {
        true => Ok(named),
        false => Err(wrong("reports something else")),
    }
}
