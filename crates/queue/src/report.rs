//! Reports to the sender (RFC 3461 §6, 3462, 3464): of failure, and once of delay. A text for people, fields for programs,
//! the original's header.
//!
//! Whatever comes from elsewhere (replies, addresses, the original's header) is printable ASCII on whole lines when it stands
//! in a report.

use std::fmt::Write;

use mail::message::Header;
use mail::{Address, EnhancedCode, QueueId, Timestamp};

use crate::diagnostic::Diagnostic;
use crate::limits::{REPORT_DIAGNOSTIC_OCTETS_MAX, REPORT_HEADER_OCTETS_MAX};

mod advice;
#[cfg(test)]
mod tests;
mod text;

use text::{fold, on_one_line, presentable_header, wrap};

/// A recipient whose mail has not arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Who, as the envelope names him.
    pub recipient: String,
    /// The enhanced code (RFC 3463) that is reported.
    pub status: EnhancedCode,
    /// What the last attempt said.
    pub diagnostic: Diagnostic,
}

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It will never arrive.
    Failed,
    /// It is late, and still tried.
    Delayed {
        /// Until then.
        until: Timestamp,
    },
}

/// What a report is made of.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Our name.
    pub host_name: &'a str,
    /// The domain at which a person reads the answers to a report.
    pub postmaster_at: &'a str,
    /// The sender of the original, who gets the report.
    pub to: &'a Address,
    /// The report's own transaction.
    pub queue_id: QueueId,
    /// The original's transaction.
    pub original: QueueId,
    /// When the original was accepted.
    pub arrived: Timestamp,
    /// When the last attempt ended.
    pub at: Timestamp,
    /// What is reported.
    pub kind: Kind,
    /// Of whom; at least one.
    pub recipients: &'a [Reported],
    /// The original's header, as stored.
    pub header: &'a [u8],
}

impl Report<'_> {
    /// The whole message, CRLF line ends. Its envelope sender is null (RFC 3464 §2: no report about a report).
    pub fn message(&self) -> Vec<u8> {
        let boundary = format!("report-{}", self.queue_id);
        let mut out = String::with_capacity(4096);
        self.write(&mut out, &boundary).expect("a String takes everything");
        out.replace('\n', "\r\n").into_bytes()
    }

    fn write(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        self.write_header(out, boundary)?;
        writeln!(out, "\n--{boundary}\nContent-Type: text/plain; charset=us-ascii\n")?;
        self.write_text(out)?;
        writeln!(out, "\n--{boundary}\nContent-Type: message/delivery-status\n")?;
        self.write_fields(out)?;
        writeln!(out, "\n--{boundary}\nContent-Type: text/rfc822-headers\n")?;
        out.push_str(&presentable_header(self.header, REPORT_HEADER_OCTETS_MAX));
        writeln!(out, "\n--{boundary}--")
    }

    fn write_header(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        let subject = match self.kind {
            Kind::Failed => "Your message could not be delivered",
            Kind::Delayed { .. } => "Your message is late, and still on its way",
        };
        writeln!(out, "From: Mail Delivery System <postmaster@{}>", self.postmaster_at)?;
        writeln!(out, "To: <{}>", self.to)?;
        writeln!(out, "Subject: {subject}")?;
        writeln!(out, "Date: {}", self.at.rfc5322())?;
        writeln!(out, "Message-ID: {}", self.message_id())?;
        // RFC 3834 §3.1.4: so that it is shown beside the original.
        if let Some(id) = self.original_message_id() {
            writeln!(out, "In-Reply-To: {id}\nReferences: {id}")?;
        }
        // RFC 3834 §5.2: of reports never auto-generated, not even of a delay. An answer to this would loop.
        writeln!(out, "Auto-Submitted: auto-replied")?;
        writeln!(out, "MIME-Version: 1.0")?;
        writeln!(
            out,
            "Content-Type: multipart/report; report-type=delivery-status;\n boundary=\"{boundary}\""
        )
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        let (host, arrived) = (self.host_name, self.arrived.rfc5322());
        match self.kind {
            Kind::Failed => writeln!(out, "Your message of {arrived} could not be delivered to:\n")?,
            Kind::Delayed { .. } => {
                writeln!(out, "Your message of {arrived} has not yet been delivered to:\n")?;
            }
        }
        for reported in self.recipients {
            self.write_recipient(out, reported)?;
        }
        match self.kind {
            Kind::Failed => {
                let over = "It will not be tried again for these recipients.";
                wrap(out, "", &format!("{over} The header of your message follows below."));
            }
            Kind::Delayed { until } => {
                let going_on = format!("It is tried again until {}.", until.rfc5322());
                let told = "You need not send it again: if it cannot be delivered by then, you will be told.";
                wrap(out, "", &format!("{going_on} {told}"));
            }
        }
        wrap(out, "", &format!("The administrator of {host} finds it under the number {}.", self.original));
        Ok(())
    }

    /// One recipient for people: who, what is wrong, in whose words, what to do.
    fn write_recipient(&self, out: &mut String, reported: &Reported) -> std::fmt::Result {
        let Reported { recipient, status, diagnostic } = reported;
        writeln!(out, "  {}", on_one_line(recipient))?;
        if *status != diagnostic.status {
            let tried = self.at.0.saturating_sub(self.arrived.0);
            wrap(out, "    ", &advice::expired(tried, *status));
        }
        let words = match &diagnostic.remote {
            Some(remote) => format!("{} said: {}", on_one_line(&remote.host), said(&remote.reply)),
            None => format!("{} ({})", sentence(&diagnostic.because), diagnostic.status),
        };
        wrap(out, "    ", &words);
        if self.kind == Kind::Failed {
            wrap(out, "    ", advice::what_to_do(*status));
        }
        writeln!(out)
    }

    /// message/delivery-status (RFC 3464 §2): a block for the message, then one for each recipient.
    fn write_fields(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "Reporting-MTA: dns; {}", self.host_name)?;
        writeln!(out, "X-Queue-ID: {}", self.original)?;
        writeln!(out, "Arrival-Date: {}", self.arrived.rfc5322())?;
        for reported in self.recipients {
            let Reported { recipient, status, diagnostic } = reported;
            writeln!(out, "\nFinal-Recipient: rfc822; {}", on_one_line(recipient))?;
            let action = match self.kind {
                Kind::Failed => "failed",
                Kind::Delayed { .. } => "delayed",
            };
            writeln!(out, "Action: {action}\nStatus: {status}")?;
            match &diagnostic.remote {
                Some(remote) => {
                    fold(out, "Remote-MTA", &format!("dns; {}", on_one_line(&remote.host)));
                    fold(out, "Diagnostic-Code", &format!("smtp; {}", said(&remote.reply)));
                }
                None => {
                    fold(out, "Diagnostic-Code", &format!("X-Waxseal; {}", sentence(&diagnostic.because)));
                }
            }
            writeln!(out, "Last-Attempt-Date: {}", self.at.rfc5322())?;
            if let Kind::Delayed { until } = self.kind {
                writeln!(out, "Will-Retry-Until: {}", until.rfc5322())?;
            }
        }
        Ok(())
    }

    /// Its own Message-ID.
    pub(crate) fn message_id(&self) -> String {
        format!("<{}@{}>", self.queue_id, self.host_name)
    }

    /// The original's Message-ID, if it is one that can be repeated.
    fn original_message_id(&self) -> Option<String> {
        let header = Header::parse(self.header);
        let value = header.find("Message-ID")?.unfolded().into_owned();
        let fits = value.len() <= 250 && value.starts_with(b"<") && value.ends_with(b">");
        let plain = value.iter().all(u8::is_ascii_graphic);
        (fits && plain).then(|| String::from_utf8(value).expect("it is ASCII"))
    }
}

/// A reply as its author said it, on one line, as much of it as a report shows.
fn said(reply: &mail::Reply) -> String {
    sentence(&reply.to_string())
}

fn sentence(text: &str) -> String {
    let mut text = on_one_line(text);
    text.truncate(REPORT_DIAGNOSTIC_OCTETS_MAX);
    text
}
