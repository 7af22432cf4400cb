//! The queue: what waits, and what an administrator may do about it.
//!
//! What is changed is written to the rows first and then told to the runner; where none runs, the next one reads the rows.

pub mod find;
mod hold;
mod list;
mod message;
mod move_on;
mod order;
pub mod rows;

use mail::{Host, QueueId};
use queue::destinations::is_local;

use crate::response::Refusal;

/// A queue id, as people write it.
fn queue_id(text: &str) -> Result<QueueId, Refusal> {
    text.trim().parse().map_err(|()| {
        let message = format!("\"{text}\" is no queue id");
        Refusal::new(
            message,
            "it is 13 letters and digits, such as 000000000002D: waxseal queue list DESTINATION",
        )
    })
}

/// The name of a destination as the store has it; what can be none stays, in lower case, to be found nowhere.
fn destination_name(text: &str) -> String {
    let text = text.trim();
    match Host::parse(text) {
        // `local` means the mailboxes here; a domain of that name has a dot behind it.
        Ok(_) if text.eq_ignore_ascii_case("local.") => "local.".into(),
        Ok(host) => host.to_string().to_ascii_lowercase(),
        Err(_) => text.to_lowercase(),
    }
}

/// Whether mail can go to something of this name: a domain, an address literal, or the mailboxes here.
fn is_destination(name: &str) -> bool {
    is_local(name) || Host::parse(name).is_ok()
}

fn nothing_of(queue_id: QueueId) -> Refusal {
    let remedy = format!("what became of it: waxseal trace {queue_id}; what waits: waxseal queue list");
    Refusal::new(format!("nothing of {queue_id} waits in the queue"), remedy)
}

fn nothing_for(destination: &str) -> Refusal {
    Refusal::new(format!("nothing waits for {destination}"), "see what waits: waxseal queue list")
}

fn nothing_waits() -> Refusal {
    Refusal::new("nothing waits in the queue", "")
}

/// `1 delivery`, `2 deliveries`.
fn counted(count: u64, what: &str) -> String {
    match (count, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{count} {stem}ies"),
        (_, None) => format!("{count} {what}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_named_as_the_store_has_them() {
        for (text, expected) in [
            ("Example.NET", "example.net"),
            (" bücher.example ", "xn--bcher-kva.example"),
            ("local", "local"),
            ("LOCAL/1", "local/1"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:DB8:0::1]", "[ipv6:2001:db8::1]"),
            ("Local.", "local."),
            ("no such thing", "no such thing"),
        ] {
            assert_eq!(destination_name(text), expected);
        }
    }
}
