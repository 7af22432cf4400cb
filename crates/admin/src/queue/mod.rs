//! The queue: what waits, and what an administrator may do about it.
//!
//! What is changed is written to the rows first and then told to the runner; where none runs, the next one reads the rows.

mod hold;
mod list;
mod message;
mod order;
pub mod rows;

use mail::{Domain, QueueId};

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

/// The name of a destination as the store has it: a domain in A-labels and lower case; what is no domain in lower case.
fn destination_name(text: &str) -> String {
    let text = text.trim();
    match Domain::parse(text) {
        Ok(domain) => domain.to_string(),
        Err(_) => text.to_lowercase(),
    }
}

/// Whether mail can go to something of this name: a domain, an address literal, or the mailboxes here.
fn is_destination(name: &str) -> bool {
    let is_local = name.split('/').next() == Some("local");
    is_local || name.parse::<Domain>().is_ok() || name.starts_with('[') && name.ends_with(']')
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
            ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
        ] {
            assert_eq!(destination_name(text), expected);
        }
    }
}
