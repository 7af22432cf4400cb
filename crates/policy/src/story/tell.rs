//! Stories for people.

use mail::{Timestamp, printable};
use store::read::JournalRecord;

use super::{Delivered, Hop, Line, Ruling, Speaker, Stage, Story, What, bare};

/// In which column the lines of a dialogue begin: `>` and `<` stand left of where hops say what happened.
const DIALOGUE_FROM: usize = 29;

/// The stories of transactions for people: a heading each transaction, then one line a hop: time (UTC), hop, what and
/// why. A dialogue follows its attempt in indented lines: seconds since the connection began, `>` for what we said, `<` for
/// what we were told. Control characters are escaped.
pub fn tell(records: &[JournalRecord]) -> String {
    let mut sorted: Vec<&JournalRecord> = records.iter().collect();
    sorted.sort_by_key(|record| (record.queue_id, record.at));
    let mut text = String::new();
    let mut current = None;
    for record in sorted {
        if current.replace(record.queue_id) != Some(record.queue_id) {
            text.push_str(&format!("{}\n", record.queue_id));
        }
        tell_record(record, &mut text);
    }
    text
}

fn tell_record(record: &JournalRecord, text: &mut String) {
    match Story::from_json(&record.story) {
        Ok(story) => {
            for hop in &story.hops {
                line(text, hop.at, name(&hop.what), &describe(hop.at, &hop.what));
                tell_details(hop, text);
                for reason in &hop.because {
                    line(text, hop.at, "", &format!("because {reason}"));
                }
            }
        }
        Err(_) => line(text, record.at, "?", &format!("of a form unknown to this version: {}", record.story)),
    }
}

/// What stands below the line of a hop: why a route is as it is, what was said in an attempt.
fn tell_details(hop: &Hop, text: &mut String) {
    match &hop.what {
        What::Route { reasons, .. } => {
            for reason in reasons {
                line(text, hop.at, "", &format!("because {reason}"));
            }
        }
        What::Attempt { dialogue, left_out, .. } => {
            for Line { at_ms, by, text: said } in dialogue {
                let sign = match by {
                    Speaker::We => '>',
                    Speaker::Peer => '<',
                };
                let (seconds, millis) = (at_ms / 1000, at_ms % 1000);
                spoken(text, &format!("{seconds:>4}.{millis:03}  {sign} {said}"));
            }
            if *left_out > 0 {
                spoken(text, &format!("          ({left_out} more lines were not kept)"));
            }
        }
        _ => {}
    }
}

/// A line of a dialogue, indented so that it stands under its attempt.
fn spoken(text: &mut String, what: &str) {
    text.push_str(&format!("{:DIALOGUE_FROM$}{}\n", "", printable(what)));
}

fn line(text: &mut String, at: Timestamp, name: &str, what: &str) {
    text.push_str(&format!("  {}  {name:<12}  {}\n", moment(at), printable(what)));
}

fn name(what: &What) -> &'static str {
    match what {
        What::Accept { .. } => "accept",
        What::Speak { .. } => "speak",
        What::Judge { .. } => "judge",
        What::Forward { .. } => "forward",
        What::Spool { .. } => "spool",
        What::Authenticate { .. } => "authenticate",
        What::Request { .. } => "request",
        What::Enqueue { .. } => "enqueue",
        What::Route { .. } => "route",
        What::Sign { .. } => "sign",
        What::Attempt { .. } => "attempt",
        What::Deliver { .. } => "deliver",
        What::Notify { .. } => "notify",
        What::Hold { held: true, .. } => "hold",
        What::Hold { held: false, .. } => "release",
        What::File { .. } => "file",
        What::End { .. } => "end",
        What::Unknown => "?",
    }
}

fn describe(at: Timestamp, what: &What) -> String {
    match what {
        What::Accept { peer, server, name } => {
            let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("from {peer}{name} by virtual server \"{server}\"")
        }
        What::Speak { hello, extended, tls, account } => describe_peer(hello, *extended, tls, account),
        What::Forward { said } => said.join(" "),
        What::Judge { stage, subject, verdict, reply, .. } => {
            describe_judgement(*stage, subject, *verdict, reply)
        }
        What::Spool { size, message_id: Some(id) } => format!("{size} octets, Message-ID {id}"),
        What::Spool { size, message_id: None } => format!("{size} octets, no Message-ID"),
        What::Authenticate { results } if results.is_empty() => "nothing was checked".into(),
        What::Authenticate { results } => results.join(", "),
        What::Request { message, recipients } => describe_request(message, recipients),
        What::Enqueue { reverse_path, recipients } => {
            format!("from {} to {}", path(reverse_path), paths(recipients))
        }
        What::Deliver { destination, recipients, outcome, diagnostic, due } => {
            let mut text = format!("{destination}: {} {}", paths(recipients), describe_outcome(*outcome));
            // What is tried at once needs no time.
            if let Some(due) = due.filter(|due| *due > at) {
                text.push_str(&format!(", next try {}", moment(due)));
            }
            if !diagnostic.is_empty() {
                text.push_str(&format!(": {diagnostic}"));
            }
            text
        }
        What::Route { destination, hops, .. } => describe_route(destination, hops),
        What::Sign { domain, failure: Some(failure), .. } => {
            format!("not signed for {domain}: {failure}; sent without")
        }
        What::Sign { domain, selectors, .. } => format!("for {domain}, by {}", selectors.join(", ")),
        What::Attempt { destination, number, host, tls, dialogue, end, .. } => {
            let tls = match tls {
                Some(tls) => format!(", {tls}"),
                // Where nothing was said, TLS is not what was missing.
                None if dialogue.is_empty() => String::new(),
                None => ", no TLS".into(),
            };
            format!("number {number} for {destination} at {host}{tls}: {end}")
        }
        What::Notify { recipients, report } => {
            format!("the sender is told that {} must wait, by report {report}", paths(recipients))
        }
        What::Hold { destination, held: true } => {
            format!("{destination}: an administrator put it on hold")
        }
        What::Hold { destination, held: false } => format!("{destination}: an administrator released it"),
        What::File { account, mailbox, recipients } => {
            format!("in {mailbox} of {account} for {}", paths(recipients))
        }
        What::End { how, misuses } if misuses.is_empty() => how.clone(),
        What::End { how, misuses } => format!("{how}; the peer erred: {}", misuses.join(", ")),
        What::Unknown => "a hop that a newer version wrote".into(),
    }
}

fn describe_request(message: &[String], recipients: &[(String, String)]) -> String {
    let recipients = recipients.iter().map(|(recipient, asked)| format!("{} {asked}", path(recipient)));
    let all: Vec<String> = message.iter().cloned().chain(recipients).collect();
    all.join(", ")
}

fn describe_route(destination: &str, hops: &[String]) -> String {
    if hops.is_empty() {
        format!("{destination}: no way")
    } else {
        format!("{destination}: {}", hops.join(", "))
    }
}

fn describe_peer(hello: &str, extended: bool, tls: &Option<String>, account: &Option<String>) -> String {
    let verb = if extended { "EHLO" } else { "HELO" };
    let tls = tls.as_deref().unwrap_or("no TLS");
    match account {
        Some(account) => format!("{verb} {hello}, {tls}, signed in as {account}"),
        None => format!("{verb} {hello}, {tls}"),
    }
}

fn describe_judgement(stage: Stage, subject: &str, verdict: Ruling, reply: &str) -> String {
    let verdict = match verdict {
        Ruling::Accept => "accepted",
        Ruling::Refuse => "refused",
        Ruling::Defer => "deferred",
    };
    let what = match stage {
        Stage::Connection => "connection".into(),
        Stage::Hello => "hello".into(),
        Stage::Sender => format!("sender {}", path(subject)),
        Stage::Recipient => format!("recipient {}", path(subject)),
        Stage::Content => "content".to_owned(),
    };
    if reply.is_empty() { format!("{what} {verdict}") } else { format!("{what} {verdict}: {reply}") }
}

fn describe_outcome(outcome: Delivered) -> &'static str {
    match outcome {
        Delivered::Done => "delivered",
        Delivered::Relayed => "relayed",
        Delivered::Queued => "queued",
        Delivered::Deferred => "deferred",
        Delivered::Bounced => "bounced",
        Delivered::Discarded => "discarded without a report",
        Delivered::Expired => "expired",
        Delivered::Deleted => "deleted from the queue",
        Delivered::Unknown => "ended in a way that a newer version knows",
    }
}

fn paths(addresses: &[String]) -> String {
    let all: Vec<String> = addresses.iter().map(|address| path(address)).collect();
    all.join(", ")
}

/// An address in angle brackets, however it was noted.
fn path(address: &str) -> String {
    format!("<{}>", bare(address))
}

/// `2026-11-22 15:42:52.123`, UTC.
fn moment(at: Timestamp) -> String {
    at.to_string().replace('T', " ").replace('Z', "")
}
