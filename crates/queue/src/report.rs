//! Failure reports to the sender (RFC 3461 §6, 3462, 3464): a text for people, fields for programs, the original's header.

use std::fmt::Write;

use mail::{Address, QueueId, Timestamp};

use crate::limits::REPORT_HEADER_OCTETS_MAX;

/// A recipient whose mail will never arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRecipient {
    /// Who.
    pub address: Address,
    /// The enhanced code (RFC 3463), `5.1.1`.
    pub status: String,
    /// What is wrong, in words for the sender.
    pub because: String,
}

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Our name.
    pub host_name: &'a str,
    /// The sender of the original, who gets the report.
    pub to: &'a Address,
    /// The report's own transaction.
    pub queue_id: QueueId,
    /// The original's transaction.
    pub original: QueueId,
    /// When the original was accepted.
    pub arrived: Timestamp,
    /// Now.
    pub at: Timestamp,
    /// Recipients that failed, at least one.
    pub failed: &'a [FailedRecipient],
    /// The original's header, as stored.
    pub header: &'a [u8],
}

impl Report<'_> {
    /// The whole message, CRLF line ends. Its envelope sender is null (RFC 3464 §2: no report about a report).
    pub fn message(&self) -> Vec<u8> {
        let boundary = format!("report-{}", self.queue_id);
        let mut head = String::with_capacity(2048);
        self.write_text(&mut head, &boundary).expect("a String takes everything");
        let mut message = crlf(&head).into_bytes();
        message.extend_from_slice(self.returned_header());
        message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        message
    }

    fn write_text(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        let (host, at) = (self.host_name, self.at.rfc5322());
        // An answer must reach somebody: the recipients that failed are of our domains, the host's name need not be.
        let domain =
            self.failed.first().map_or_else(|| host.to_owned(), |failed| failed.address.host.to_string());
        writeln!(out, "From: Mail Delivery System <postmaster@{domain}>")?;
        writeln!(out, "To: <{}>", self.to)?;
        writeln!(out, "Subject: Your message could not be delivered")?;
        writeln!(out, "Date: {at}")?;
        writeln!(out, "Message-ID: <{}@{host}>", self.queue_id)?;
        // RFC 3834 §5: an answer to this would loop.
        writeln!(out, "Auto-Submitted: auto-replied")?;
        writeln!(out, "MIME-Version: 1.0")?;
        writeln!(
            out,
            "Content-Type: multipart/report; report-type=delivery-status;\n boundary=\"{boundary}\""
        )?;
        writeln!(out, "\n--{boundary}\nContent-Type: text/plain; charset=us-ascii\n")?;
        writeln!(out, "Your message of {} could not be delivered to:\n", self.arrived.rfc5322())?;
        for failed in self.failed {
            writeln!(out, "  {}\n    {} ({})\n", failed.address, one_line(&failed.because), failed.status)?;
        }
        writeln!(out, "It will not be tried again. The first lines of your message follow below.")?;
        writeln!(out, "The administrator of {host} finds it under the number {}.", self.original)?;
        self.write_fields(out, boundary)?;
        writeln!(out, "\n--{boundary}\nContent-Type: text/rfc822-headers\n")
    }

    /// message/delivery-status (RFC 3464 §2): a block for the message, then one for each recipient.
    fn write_fields(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        writeln!(out, "\n--{boundary}\nContent-Type: message/delivery-status\n")?;
        writeln!(out, "Reporting-MTA: dns; {}", self.host_name)?;
        writeln!(out, "X-Queue-ID: {}", self.original)?;
        writeln!(out, "Arrival-Date: {}", self.arrived.rfc5322())?;
        for failed in self.failed {
            writeln!(out, "\nFinal-Recipient: rfc822; {}", failed.address)?;
            writeln!(out, "Action: failed\nStatus: {}", failed.status)?;
            writeln!(out, "Diagnostic-Code: X-Waxseal; {}", one_line(&failed.because))?;
        }
        Ok(())
    }

    /// As much of the header as a report returns, in whole lines.
    fn returned_header(&self) -> &[u8] {
        let short = &self.header[..self.header.len().min(REPORT_HEADER_OCTETS_MAX)];
        let end = memchr::memmem::find(short, b"\r\n\r\n").map(|at| at + 2);
        let end = end.or_else(|| memchr::memrchr(b'\n', short).map(|at| at + 1));
        &short[..end.unwrap_or(0)]
    }
}

/// Field bodies hold no line end, whatever the reason's text was made of.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

fn crlf(text: &str) -> String {
    text.replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_report_has_its_three_parts_and_no_stray_line_end() {
        let failed = [FailedRecipient {
            address: "bounces@example.org".parse().unwrap(),
            status: "5.1.1".into(),
            because: "no such\r\nX-Injected: account".into(),
        }];
        let to = "ann@example.org".parse().unwrap();
        let report = Report {
            host_name: "mx.example.org",
            to: &to,
            queue_id: QueueId(1),
            original: QueueId(2),
            arrived: Timestamp(1_763_800_000_000),
            at: Timestamp(1_763_800_030_000),
            failed: &failed,
            header: b"Subject: hello\r\nFrom: ann\r\n\r\nbody, not returned\r\n",
        };
        let message = String::from_utf8(report.message()).unwrap();
        assert_eq!(message.matches('\n').count(), message.matches("\r\n").count());
        expect![[r#"
            From: Mail Delivery System <postmaster@example.org>
            To: <ann@example.org>
            Subject: Your message could not be delivered
            Date: Sat, 22 Nov 2025 08:27:10 +0000
            Message-ID: <0000000000001@mx.example.org>
            Auto-Submitted: auto-replied
            MIME-Version: 1.0
            Content-Type: multipart/report; report-type=delivery-status;
             boundary="report-0000000000001"

            --report-0000000000001
            Content-Type: text/plain; charset=us-ascii

            Your message of Sat, 22 Nov 2025 08:26:40 +0000 could not be delivered to:

              bounces@example.org
                no such??X-Injected: account (5.1.1)

            It will not be tried again. The first lines of your message follow below.
            The administrator of mx.example.org finds it under the number 0000000000002.

            --report-0000000000001
            Content-Type: message/delivery-status

            Reporting-MTA: dns; mx.example.org
            X-Queue-ID: 0000000000002
            Arrival-Date: Sat, 22 Nov 2025 08:26:40 +0000

            Final-Recipient: rfc822; bounces@example.org
            Action: failed
            Status: 5.1.1
            Diagnostic-Code: X-Waxseal; no such??X-Injected: account

            --report-0000000000001
            Content-Type: text/rfc822-headers

            Subject: hello
            From: ann

            --report-0000000000001--
        "#]]
        .assert_eq(&message.replace("\r\n", "\n"));
    }
}
