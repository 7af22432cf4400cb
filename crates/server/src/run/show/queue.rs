//! The queue on a terminal of 80 columns.

use std::fmt::Write as _;

use admin::queue::rows::{DeliveryRow, DestinationRow, MessageRow, QueueTotals, State};
use admin::response::BadmailRow;
use mail::{Timestamp, printable};

use super::table::{clipped, counted, table};
use super::time::{age, moment, until};

/// A whole line.
const WIDTH: usize = 80;
/// A destination in a list.
const DESTINATION_WIDTH: usize = 34;
/// An address in a list.
const ADDRESS_WIDTH: usize = 20;

/// The destinations, and what is in the queue altogether.
pub(super) fn destinations(
    at: Timestamp,
    totals: &QueueTotals,
    rows: &[DestinationRow],
    next: Option<&str>,
) -> String {
    if rows.is_empty() {
        return format!("{}.\n", totals_text(totals, at));
    }
    let head = ["destination", "deliveries", "held", "oldest", "next try", "state"];
    let mut text = table(&head, rows, |row| {
        vec![
            clipped(&row.destination, DESTINATION_WIDTH),
            if row.state == State::Deleted { row.deleted_deliveries } else { row.deliveries }.to_string(),
            if row.held { row.deliveries } else { row.held_deliveries }.to_string(),
            row.oldest.map_or_else(|| "-".into(), |oldest| age(oldest, at)),
            row.next_try.map_or_else(|| "-".into(), |due| until(due, at)),
            state(row.state).to_owned(),
        ]
    });
    let _ = writeln!(text, "\n{}.", totals_text(totals, at));
    if let Some(next) = next {
        let _ = writeln!(text, "There are more: waxseal queue list --after {}", printable(next));
    }
    text
}

/// `12 deliveries to 3 destinations wait, 2 on hold; the oldest has waited 3 h`.
pub(super) fn totals_text(totals: &QueueTotals, at: Timestamp) -> String {
    let deleted = match totals.deleted {
        0 => String::new(),
        deleted => format!("; {deleted} being deleted"),
    };
    let Some(oldest) = totals.oldest else { return format!("Nothing waits in the queue{deleted}") };
    let deliveries = counted(totals.deliveries, "delivery", "deliveries");
    let destinations = counted(totals.destinations, "destination", "destinations");
    let held = match totals.held {
        0 => String::new(),
        held => format!(", {held} on hold"),
    };
    format!("{deliveries} to {destinations}{held}; the oldest has waited {}{deleted}", age(oldest, at))
}

/// The deliveries of one destination.
pub(super) fn deliveries(
    at: Timestamp,
    destination: &DestinationRow,
    rows: &[DeliveryRow],
    next: Option<&str>,
) -> String {
    let mut text = format!("{}\n", destination_text(destination, at));
    if rows.is_empty() {
        return text;
    }
    let head = ["queue id", "from", "to", "age", "next try"];
    let lines = table(&head, rows, |row| {
        vec![
            row.queue_id.clone(),
            clipped(sender(&row.reverse_path), ADDRESS_WIDTH),
            recipients(&row.recipients),
            age(row.accepted, at),
            next_try(row, at),
        ]
    });
    let mut lines = lines.lines();
    let _ = writeln!(text, "\n{}", lines.next().unwrap_or_default());
    for (line, row) in lines.zip(rows) {
        let _ = writeln!(text, "{line}");
        if row.attempts > 0 {
            let _ = writeln!(text, "{}", clipped(&format!("    {}", last(row)), WIDTH));
        }
    }
    let name = printable(&destination.destination);
    match (next, rows.first()) {
        (Some(next), _) => {
            let _ = writeln!(text, "\nThere are more: waxseal queue list {name} --after {next}");
        }
        (None, Some(first)) => {
            let _ = writeln!(text, "\nAll about one of them: waxseal queue show {}", first.queue_id);
        }
        (None, None) => {}
    }
    text
}

/// What was found, with the destination and state of each.
pub(super) fn found(at: Timestamp, rows: &[DeliveryRow], more: bool) -> String {
    if rows.is_empty() {
        return "Nothing in the queue is meant by that.\n".into();
    }
    let head = ["queue id", "destination", "from", "to", "age", "state"];
    let mut text = table(&head, rows, |row| {
        vec![
            row.queue_id.clone(),
            clipped(&row.destination, ADDRESS_WIDTH),
            clipped(sender(&row.reverse_path), ADDRESS_WIDTH),
            recipients(&row.recipients),
            age(row.accepted, at),
            state(row.state).to_owned(),
        ]
    });
    if more {
        text.push_str("\nThere are more: say more precisely what is meant.\n");
    }
    text
}

/// What is kept because nobody could be told.
pub(super) fn badmail(files: &[BadmailRow]) -> String {
    if files.is_empty() {
        return "There is no badmail.\n".into();
    }
    let mut text = String::new();
    for BadmailRow { name, size, at, reason } in files {
        let _ = writeln!(text, "{}  {}  {size} octets", printable(name), moment(*at));
        let _ = writeln!(text, "    {}", printable(reason));
    }
    text
}

fn destination_text(row: &DestinationRow, at: Timestamp) -> String {
    let name = printable(&row.destination);
    let mut text = format!("{name}: {}", counted(row.deliveries, "delivery", "deliveries"));
    if row.deleted_deliveries > 0 {
        let _ = write!(text, " and {} being deleted", row.deleted_deliveries);
    }
    if row.held {
        let _ = write!(text, ", all on hold until: waxseal queue release --destination {name}");
        return text;
    }
    if row.held_deliveries > 0 {
        let _ = write!(text, ", {} of them on hold", row.held_deliveries);
    }
    if let Some(due) = row.next_try {
        let _ = write!(text, ", next try {}", until(due, at));
    }
    text
}

/// Everything about one message.
pub(super) fn message(at: Timestamp, row: &MessageRow) -> String {
    let MessageRow { queue_id, virtual_server, reverse_path, accepted, fields, deliveries } = row;
    let waited = age(*accepted, at);
    let mut text = format!("{queue_id} from <{}>, {waited} old\n", printable(reverse_path));
    let by = match virtual_server.as_str() {
        "" => "made here: a report of this server".to_owned(),
        server => format!("by virtual server \"{}\"", printable(server)),
    };
    let _ = writeln!(text, "accepted {}, {by}", moment(*accepted));
    if !fields.is_empty() {
        text.push('\n');
    }
    for field in fields {
        // The values are escaped already.
        let _ = writeln!(text, "  {:<11} {}", format!("{}:", field.name), field.value);
    }
    for delivery in deliveries {
        text.push_str(&delivery_text(at, delivery));
    }
    let _ = writeln!(text, "\nWhat happened so far: waxseal trace {queue_id}");
    text
}

fn delivery_text(at: Timestamp, row: &DeliveryRow) -> String {
    let how = match (row.state, row.next_try) {
        (State::Frozen, _) if row.destination_held => {
            format!("on hold until: waxseal queue release --destination {}", printable(&row.destination))
        }
        (State::Frozen, _) => format!("on hold until: waxseal queue release {}", row.queue_id),
        (State::Deleted, _) => "deleted, and about to go".into(),
        (State::Active, _) => "being delivered now".into(),
        (_, Some(due)) if due > at => format!("next try {}, {}", until(due, at), moment(due)),
        _ => "next try now".into(),
    };
    let mut text = format!("\nto {}: {how}\n", printable(&row.destination));
    for recipient in &row.recipients {
        let _ = writeln!(text, "  <{}>", printable(recipient));
    }
    if row.held && row.destination_held {
        let _ = writeln!(text, "  on hold by itself, too: waxseal queue release {}", row.queue_id);
    }
    let _ = writeln!(text, "  {}", printable(last(row)));
    text
}

/// `3 attempts; the last: 451 4.7.1 try later`.
fn last(row: &DeliveryRow) -> String {
    let attempts = counted(u64::from(row.attempts), "attempt", "attempts");
    match (row.attempts, row.last.as_str()) {
        (0, _) => "not tried yet".into(),
        (_, "") => attempts,
        (_, last) => format!("{attempts}; the last: {last}"),
    }
}

fn next_try(row: &DeliveryRow, at: Timestamp) -> String {
    match (row.state, row.next_try) {
        (State::Active, _) => "active".into(),
        (State::Frozen | State::Deleted, _) | (_, None) => state(row.state).to_owned(),
        (_, Some(due)) => until(due, at),
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Active => "active",
        State::Ready => "ready",
        State::Retry => "retry",
        State::Scheduled => "scheduled",
        State::Remote => "remote (waiting for ETRN)",
        State::Frozen => "frozen",
        State::Deleted => "deleted",
    }
}

fn sender(reverse_path: &str) -> &str {
    if reverse_path.is_empty() { "<>" } else { reverse_path }
}

/// The first, and how many more.
fn recipients(all: &[String]) -> String {
    let first = all.first().map(String::as_str).unwrap_or_default();
    match all.len() {
        0 | 1 => clipped(first, ADDRESS_WIDTH),
        count => {
            let more = format!(" +{}", count - 1);
            clipped(first, ADDRESS_WIDTH - more.len()) + &more
        }
    }
}

#[cfg(test)]
mod tests {
    use admin::queue::rows::FieldRow;
    use expect_test::{Expect, expect};

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_359_600_000);

    fn ago(seconds: i64) -> Timestamp {
        Timestamp(NOW.0 - 1000 * seconds)
    }

    fn check(text: &str, expected: Expect) {
        expected.assert_eq(text);
        for line in text.lines() {
            let whole = line.contains("waxseal queue ") || line.contains("the last: ");
            assert!(line.chars().count() <= WIDTH || whole, "{line}");
        }
    }

    fn destination(name: &str, state: State) -> DestinationRow {
        DestinationRow {
            destination: name.into(),
            state,
            held: state == State::Frozen,
            deliveries: 3,
            held_deliveries: 1,
            deleted_deliveries: 0,
            oldest: Some(ago(10_800)),
            next_try: (state != State::Frozen).then(|| ago(-720)),
        }
    }

    fn delivery(id: &str, state: State) -> DeliveryRow {
        DeliveryRow {
            queue_id: id.into(),
            destination: "example.net".into(),
            state,
            held: state == State::Frozen,
            destination_held: false,
            reverse_path: "alice@example.org".into(),
            recipients: vec!["bob@example.net".into()],
            accepted: ago(10_800),
            attempts: 0,
            next_try: (state != State::Frozen).then(|| ago(-720)),
            last: String::new(),
        }
    }

    #[test]
    fn destinations_are_a_table() {
        let totals =
            QueueTotals { destinations: 1, deliveries: 1, held: 0, deleted: 0, oldest: Some(ago(59)) };
        check(
            &destinations(NOW, &QueueTotals::default(), &[], None),
            expect![[r#"
            Nothing waits in the queue.
        "#]],
        );
        let rows = [
            DestinationRow { next_try: Some(ago(3)), ..destination("example.com", State::Active) },
            destination("example.net", State::Retry),
            destination("local", State::Frozen),
            DestinationRow {
                deliveries: 0,
                held_deliveries: 0,
                oldest: None,
                deleted_deliveries: 2,
                next_try: None,
                ..destination("deleted.example", State::Deleted)
            },
            destination("a-name-that-is-much-longer-than-the-table-is-wide.example", State::Ready),
        ];
        check(
            &destinations(NOW, &totals, &rows[..1], None),
            expect![[r#"
            destination  deliveries  held  oldest  next try  state
            example.com  3           1     3 h     now       active

            1 delivery to 1 destination; the oldest has waited 59 s.
        "#]],
        );
        let none = QueueTotals { deleted: 2, ..QueueTotals::default() };
        assert_eq!(totals_text(&none, NOW), "Nothing waits in the queue; 2 being deleted");
        let totals =
            QueueTotals { destinations: 4, deliveries: 9, held: 0, deleted: 2, oldest: Some(ago(200_000)) };
        check(
            &destinations(NOW, &totals, &rows, Some("example.net")),
            expect![[r#"
                destination                         deliveries  held  oldest  next try   state
                example.com                         3           1     3 h     now        active
                example.net                         3           1     3 h     in 12 min  retry
                local                               3           3     3 h     -          frozen
                deleted.example                     2           0     -       -          deleted
                a-name-that-is-much-longer-than-t…  3           1     3 h     in 12 min  ready

                9 deliveries to 4 destinations; the oldest has waited 2 d; 2 being deleted.
                There are more: waxseal queue list --after example.net
            "#]],
        );
    }

    #[test]
    fn deliveries_are_a_table() {
        let rows = [
            delivery("000000000002D", State::Retry),
            DeliveryRow {
                reverse_path: String::new(),
                recipients: vec!["a.very.long.name@example.net".into(), "b@example.net".into(), "c@x".into()],
                attempts: 3,
                last: "mx1.example.net [192.0.2.1] said: 451 4.7.1 Please try \u{1b}[2Jagain later, we are very busy".into(),
                ..delivery("000000000002E", State::Active)
            },
            DeliveryRow { attempts: 1, ..delivery("000000000002F", State::Frozen) },
            delivery("000000000002G", State::Deleted),
        ];
        let waits = destination("example.net", State::Retry);
        let retry = DestinationRow { held_deliveries: 0, deleted_deliveries: 1, ..waits };
        check(
            &deliveries(NOW, &retry, &rows, None),
            expect![[r#"
                example.net: 3 deliveries and 1 being deleted, next try in 12 min

                queue id       from               to                    age  next try
                000000000002D  alice@example.org  bob@example.net       3 h  in 12 min
                000000000002E  <>                 a.very.long.name… +2  3 h  active
                    3 attempts; the last: mx1.example.net [192.0.2.1] said: 451 4.7.1 Please tr…
                000000000002F  alice@example.org  bob@example.net       3 h  frozen
                    1 attempt
                000000000002G  alice@example.org  bob@example.net       3 h  deleted

                All about one of them: waxseal queue show 000000000002D
            "#]],
        );
        let held = destination("example.net", State::Frozen);
        check(
            &deliveries(NOW, &held, &rows[..1], Some("000000000002D")),
            expect![[r#"
            example.net: 3 deliveries, all on hold until: waxseal queue release --destination example.net

            queue id       from               to               age  next try
            000000000002D  alice@example.org  bob@example.net  3 h  in 12 min

            There are more: waxseal queue list example.net --after 000000000002D
        "#]],
        );
        check(
            &deliveries(NOW, &DestinationRow { deliveries: 0, ..held }, &[], None),
            expect![[r#"
            example.net: 0 deliveries, all on hold until: waxseal queue release --destination example.net
        "#]],
        );
    }

    /// A message whose deliveries stand in every way.
    fn queued() -> MessageRow {
        let field = |name: &str, value: &str| FieldRow { name: name.into(), value: value.into() };
        MessageRow {
            queue_id: "000000000002D".into(),
            virtual_server: "submission".into(),
            reverse_path: "alice@example.org".into(),
            accepted: ago(10_800),
            fields: vec![
                field("From", "Alice <alice@example.org>"),
                field("Subject", "Grüße\\x1b[2J"),
                field("Message-ID", "<one@example.org>"),
            ],
            deliveries: vec![
                DeliveryRow {
                    attempts: 3,
                    last: "mx1.example.net [192.0.2.1] said: 451 4.7.1 try \u{7}later".into(),
                    recipients: vec!["bob@example.net".into(), "carol@example.net".into()],
                    ..delivery("000000000002D", State::Retry)
                },
                DeliveryRow {
                    destination_held: true,
                    destination: "example.com".into(),
                    ..delivery("000000000002D", State::Frozen)
                },
                DeliveryRow { destination: "a.example".into(), ..delivery("000000000002D", State::Frozen) },
                DeliveryRow { destination: "b.example".into(), ..delivery("000000000002D", State::Active) },
                DeliveryRow { destination: "c.example".into(), ..delivery("000000000002D", State::Deleted) },
            ],
        }
    }

    #[test]
    fn a_message_is_told_of() {
        let row = queued();
        check(
            &message(NOW, &row),
            expect![[r#"
            000000000002D from <alice@example.org>, 3 h old
            accepted 2026-11-22 12:00:00 UTC, by virtual server "submission"

              From:       Alice <alice@example.org>
              Subject:    Grüße\x1b[2J
              Message-ID: <one@example.org>

            to example.net: next try in 12 min, 2026-11-22 15:12:00 UTC
              <bob@example.net>
              <carol@example.net>
              3 attempts; the last: mx1.example.net [192.0.2.1] said: 451 4.7.1 try \x07later

            to example.com: on hold until: waxseal queue release --destination example.com
              <bob@example.net>
              on hold by itself, too: waxseal queue release 000000000002D
              not tried yet

            to a.example: on hold until: waxseal queue release 000000000002D
              <bob@example.net>
              not tried yet

            to b.example: being delivered now
              <bob@example.net>
              not tried yet

            to c.example: deleted, and about to go
              <bob@example.net>
              not tried yet

            What happened so far: waxseal trace 000000000002D
        "#]],
        );
        let report = MessageRow {
            virtual_server: String::new(),
            reverse_path: String::new(),
            fields: Vec::new(),
            deliveries: vec![DeliveryRow {
                next_try: Some(ago(1)),
                ..delivery("000000000002D", State::Ready)
            }],
            ..row
        };
        check(
            &message(NOW, &report),
            expect![[r#"
            000000000002D from <>, 3 h old
            accepted 2026-11-22 12:00:00 UTC, made here: a report of this server

            to example.net: next try now
              <bob@example.net>
              not tried yet

            What happened so far: waxseal trace 000000000002D
        "#]],
        );
    }
}
