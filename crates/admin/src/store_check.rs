//! What a check of the store found, in words.

use store::CheckReport;

use crate::response::{CheckedRow, Response};

/// A report as a response. For the command line too, which checks the store of a server that is down itself.
pub fn checked(report: CheckReport) -> Response {
    let mendable = if report.repaired { "repaired" } else { "can be repaired: waxseal store check --repair" };
    let mut faults: Vec<String> =
        report.database.iter().map(|line| format!("the database: {}", mail::printable(line))).collect();
    for id in &report.damaged {
        let (segment, offset) = (id.segment, id.offset);
        faults.push(format!("content at {segment}:{offset} is damaged; only a backup has it whole"));
    }
    for (mailbox, uid) in &report.emails_without_content {
        faults.push(format!(
            "the email {uid} of mailbox {mailbox} has no content; {mendable} where the log has it"
        ));
    }
    let counts = [
        (report.entries_without_content, "queue entries have no content"),
        (report.wrong_references, "contents have a wrong count of references"),
        (report.never_freed, "contents without references would never be freed"),
        (report.wrong_tallies, "mailboxes have wrong counters"),
        (report.wrong_segments, "segments have a wrong count of live octets"),
        (report.wrong_destinations, "destinations would not be looked at in time"),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        faults.push(format!("{count} {what}; {mendable}"));
    }
    let CheckReport { contents, octets, orphans, repaired, .. } = report;
    Response::Checked(CheckedRow { contents, octets, orphans, faults, repaired })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use mail::Uid;
    use store::ContentId;

    use super::*;

    #[test]
    fn every_fault_has_its_words() {
        let report = CheckReport {
            contents: 3,
            octets: 4096,
            damaged: vec![ContentId { segment: 1, offset: 64 }],
            emails_without_content: vec![(5, Uid(6))],
            entries_without_content: 1,
            wrong_references: 2,
            never_freed: 3,
            wrong_tallies: 4,
            wrong_segments: 5,
            wrong_destinations: 7,
            orphans: 6,
            database: vec!["row 7 missing from index".into()],
            repaired: false,
        };
        let Response::Checked(row) = checked(report) else { panic!() };
        assert_eq!((row.contents, row.octets, row.orphans, row.repaired), (3, 4096, 6, false));
        expect![[r#"
            the database: row 7 missing from index
            content at 1:64 is damaged; only a backup has it whole
            the email 6 of mailbox 5 has no content; can be repaired: waxseal store check --repair where the log has it
            1 queue entries have no content; can be repaired: waxseal store check --repair
            2 contents have a wrong count of references; can be repaired: waxseal store check --repair
            3 contents without references would never be freed; can be repaired: waxseal store check --repair
            4 mailboxes have wrong counters; can be repaired: waxseal store check --repair
            5 segments have a wrong count of live octets; can be repaired: waxseal store check --repair
            7 destinations would not be looked at in time; can be repaired: waxseal store check --repair"#]].assert_eq(&row.faults.join("\n"));
    }

    #[test]
    fn a_clean_store_has_no_faults() {
        let report = CheckReport { contents: 1, orphans: 1, repaired: true, ..CheckReport::default() };
        assert!(report.is_clean());
        let Response::Checked(row) = checked(report) else { panic!() };
        assert!(row.faults.is_empty());
    }
}
