//! Revisions of the settings, for people.

use std::fmt::Write as _;

use admin::settings::{ChangedVerdict, RevisionRow, WhatIf};

use super::table::{counted, table};

/// The text alone, fit to be written to a file.
pub(super) fn text(text: &str) -> String {
    if text.is_empty() || text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") }
}

pub(super) fn history(revisions: &[RevisionRow]) -> String {
    table(&["revision", "since", "author", "reason"], revisions, |row| {
        vec![row.number.to_string(), row.at.to_string(), row.author.clone(), row.reason.clone()]
    })
}

pub(super) fn difference(from: i64, to: i64, difference: &str) -> String {
    match difference.is_empty() {
        true => format!("Revisions {from} and {to} are the same.\n"),
        false => difference.to_owned(),
    }
}

/// Which verdicts would change, a message after the other.
pub(super) fn what_if(found: &WhatIf) -> String {
    let WhatIf { since, judged, without_server, changed, unlisted } = found;
    let Some(since) = since else { return "The journal has no stories that could be judged.\n".to_owned() };
    let mut out = String::new();
    for ChangedVerdict { queue_id, at, stage, subject, before, after, reasons } in changed {
        let subject = if subject.is_empty() { String::new() } else { format!(" <{subject}>") };
        let _ = writeln!(out, "{queue_id}  {at}  {stage}{subject}\n    was: {before}\n    now: {after}");
        for reason in reasons {
            let _ = writeln!(out, "         {reason}");
        }
    }
    let total = changed.len() as u64 + unlisted;
    let _ = writeln!(out, "{} since {since}: {total} would change.", counted(*judged, "verdict", "verdicts"));
    if *unlisted > 0 {
        let _ = writeln!(out, "{unlisted} of them are not listed.");
    }
    if *without_server > 0 {
        let _ = writeln!(
            out,
            "{} of virtual servers that these settings do not have.",
            counted(*without_server, "verdict is", "verdicts are")
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use mail::Timestamp;

    use super::*;

    #[test]
    fn verdicts_that_change_are_told() {
        let changed = ChangedVerdict {
            queue_id: "000000000002D".into(),
            at: Timestamp(1_763_826_172_000),
            stage: "recipient".into(),
            subject: "bob@elsewhere.example".into(),
            before: "accepted".into(),
            after: "550 5.7.1 relaying denied".into(),
            reasons: vec!["relay: the peer may not relay".into()],
        };
        let found = WhatIf {
            since: Some(Timestamp(1_763_826_172_000)),
            judged: 12,
            without_server: 1,
            changed: vec![changed],
            unlisted: 0,
        };
        expect![[r#"
            000000000002D  2025-11-22T15:42:52.000Z  recipient <bob@elsewhere.example>
                was: accepted
                now: 550 5.7.1 relaying denied
                     relay: the peer may not relay
            12 verdicts since 2025-11-22T15:42:52.000Z: 1 would change.
            1 verdict is of virtual servers that these settings do not have.
        "#]]
        .assert_eq(&what_if(&found));
        expect![[r#"
            The journal has no stories that could be judged.
        "#]]
        .assert_eq(&what_if(&WhatIf::default()));
    }
}
