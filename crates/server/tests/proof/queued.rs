//! What waits, as `waxseal queue list --json` tells it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::server::Place;

/// Deliveries in the queue.
pub(crate) fn deliveries(place: &Place) -> u64 {
    list(place, &[])["totals"]["deliveries"].as_u64().expect("the list has totals")
}

/// Who still waits, as recipients.
pub(crate) fn recipients(place: &Place) -> BTreeSet<String> {
    let destinations = list(place, &[]);
    assert!(destinations["next"].is_null(), "all destinations fit into one answer");
    let mut recipients = BTreeSet::new();
    for destination in rows(&destinations, "destinations") {
        let name = text(&destination["destination"]);
        let mut after: Option<String> = None;
        loop {
            let page = match after.as_deref() {
                None => list(place, &[&name]),
                Some(after) => list(place, &[&name, "--after", after]),
            };
            let named = rows(&page, "deliveries").iter().flat_map(|row| rows(row, "recipients"));
            recipients.extend(named.map(text));
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => break,
            }
        }
    }
    recipients
}

fn list(place: &Place, arguments: &[&str]) -> Value {
    let said = place.command(&[&["queue", "list"], arguments, &["--json"]].concat(), "");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().expect("the list has rows")
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is a text").to_owned()
}
