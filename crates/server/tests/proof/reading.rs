//! Reads everything back and compares it with what was sent.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::added::fields_before;
use super::attempt::Attempt;
use super::ledger::Found;
use super::message::{Message, numbers_in};
use super::pop3::read_all;

/// Reads every mailbox over POP3: how often each message is there, and what is not as it was sent.
pub(crate) fn read_everything(port: u16, accounts: &[String], attempts: &[Attempt]) -> (Found, Vec<String>) {
    let sent: BTreeMap<u32, Message> =
        attempts.iter().map(|attempt| (attempt.message.number, attempt.message)).collect();
    let both = Mutex::new((Found::new(), Vec::new()));
    std::thread::scope(|scope| {
        for account in accounts {
            let (sent, both) = (&sent, &both);
            scope.spawn(move || {
                let read = read_all(port, account, |stored| {
                    let told = identify(&stored, account, sent);
                    let (found, faults) = &mut *both.lock().expect("no holder panics");
                    match told {
                        Ok(number) => *found.entry((number, account.clone())).or_default() += 1,
                        Err(fault) => faults.push(fault),
                    }
                });
                read.expect("the maildrop can be read");
            });
        }
    });
    both.into_inner().expect("no holder panics")
}

/// The number of a stored message, if it is what was sent under this number behind the fields that delivery adds.
fn identify(stored: &[u8], account: &str, sent: &BTreeMap<u32, Message>) -> Result<u32, String> {
    let number = numbers_in(stored).next().ok_or("a message without a mark")?;
    let message = sent.get(&number).ok_or(format!("message {number} was never begun"))?;
    let place = |fault| format!("{} in {account} {fault}", message.mark());
    let names = fields_before(&message.content(), stored).map_err(place)?;
    if names != ["Return-Path", "Delivered-To", "Received"] {
        return Err(place(format!("has other fields before it: {names:?}")));
    }
    Ok(number)
}
