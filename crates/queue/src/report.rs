//! Reports to the sender (RFC 3461 §6, 3464, 6522, 6533): of failure, once of delay, and of success to those who asked for
//! it. A text for people, fields for programs, the original's header, or all of it.
//!
//! Whatever comes from elsewhere (replies, addresses, the original's header) is printable on whole lines when it stands in a
//! report, and ASCII unless the original was of UTF-8 (RFC 6531).

use std::fmt::Write;

use mail::message::Header;
use mail::{Address, EnhancedCode, OriginalRecipient, QueueId, Timestamp};

use crate::diagnostic::Diagnostic;
use crate::limits::{REPORT_DIAGNOSTIC_OCTETS_MAX, REPORT_HEADER_OCTETS_MAX};

mod advice;
#[cfg(test)]
mod tests;
mod text;

use text::{Part, fold, on_one_line, presentable_header, wrap};

/// A recipient of whom something is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Who, as the envelope names him.
    pub recipient: String,
    /// Whom the sender named, if the envelope said so.
    pub original: Option<OriginalRecipient>,
    /// The enhanced code (RFC 3463) that is reported.
    pub status: EnhancedCode,
    /// What the last attempt said.
    pub diagnostic: Diagnostic,
}

/// What is reported; the action of RFC 3464 §2.3.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It will never arrive.
    Failed,
    /// It is late, and still tried.
    Delayed {
        /// Until then.
        until: Timestamp,
    },
    /// It is in the mailbox.
    Delivered,
    /// It is with a host that does not report success.
    Relayed,
    /// It is in the mailboxes of all that the address stands for; no report is made of each (RFC 3461 §5.2.7.3).
    Expanded,
}

/// What a report returns of the original (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy)]
pub enum Returned<'a> {
    /// Its header; what is behind it is not looked at.
    Header(&'a [u8]),
    /// All of it: whole lines.
    Whole(&'a [u8]),
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
    /// The original's ENVID, if it had one.
    pub envelope_id: Option<&'a str>,
    /// Whether the original came with SMTPUTF8, so that its sender can read UTF-8.
    pub utf8: bool,
    /// The original, as stored.
    pub returned: Returned<'a>,
}

impl Report<'_> {
    /// The whole message, CRLF line ends. Its envelope sender is null (RFC 3464 §2: no report about a report). It is ASCII
    /// unless the sender's own address is not, or the original is returned whole and is not.
    pub fn message(&self) -> Vec<u8> {
        let boundary = format!("report-{}", self.queue_id);
        let mut out = String::with_capacity(4096);
        self.write(&mut out, &boundary).expect("a String takes everything");
        let mut message = out.replace('\n', "\r\n").into_bytes();
        if let Returned::Whole(whole) = self.returned {
            message.extend_from_slice(whole);
        }
        message.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        message
    }

    fn write(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        self.write_header(out, boundary)?;
        let (mut text, mut fields) = (String::new(), String::new());
        self.write_text(&mut text)?;
        self.write_fields(&mut fields)?;
        let next = |out: &mut String, part: Part<'_>| {
            write!(out, "\n--{boundary}\n").and_then(|()| part.write(out, self.takes_eight_bit()))
        };
        let plain = ("text/plain; charset=us-ascii", "text/plain; charset=utf-8");
        next(out, Part { types: plain, body: &text })?;
        // RFC 6533 §4.4: the old types where nothing needs the new ones.
        let status = ("message/delivery-status", "message/global-delivery-status");
        next(out, Part { types: status, body: &fields })?;
        match self.returned {
            Returned::Header(header) => {
                let shown = presentable_header(header, REPORT_HEADER_OCTETS_MAX, self.utf8);
                next(out, Part { types: ("text/rfc822-headers", "message/global-headers"), body: &shown })
            }
            Returned::Whole(whole) => {
                let eight_bit = if whole.is_ascii() { "" } else { "Content-Transfer-Encoding: 8bit\n" };
                let kind = if self.utf8 { "message/global" } else { "message/rfc822" };
                writeln!(out, "\n--{boundary}\nContent-Type: {kind}\n{eight_bit}")
            }
        }
    }

    /// RFC 6533 §4.5: a report to an address in UTF-8 needs SMTPUTF8 anyhow. Of other senders it is not known what their
    /// hosts take.
    fn takes_eight_bit(&self) -> bool {
        !self.to.local.as_str().is_ascii()
    }

    /// Text from elsewhere, as this report may show it.
    fn shown(&self, text: &str) -> String {
        on_one_line(text, self.utf8)
    }

    fn write_header(&self, out: &mut String, boundary: &str) -> std::fmt::Result {
        let subject = match self.kind {
            Kind::Failed => "Your message could not be delivered",
            Kind::Delayed { .. } => "Your message is late, and still on its way",
            Kind::Delivered => "Your message was delivered",
            Kind::Relayed => "Your message was handed on",
            Kind::Expanded => "Your message was distributed",
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
        let what = match self.kind {
            Kind::Failed => "could not be delivered to",
            Kind::Delayed { .. } => "has not yet been delivered to",
            Kind::Delivered => "was delivered to",
            Kind::Relayed => "was handed on for",
            Kind::Expanded => "was delivered to everybody behind",
        };
        writeln!(out, "Your message of {arrived} {what}:\n")?;
        for reported in self.recipients {
            self.write_recipient(out, reported)?;
        }
        let then = match self.kind {
            Kind::Failed => {
                let part = match self.returned {
                    Returned::Header(_) => "The header of your message",
                    Returned::Whole(_) => "Your message",
                };
                format!("It will not be tried again for these recipients. {part} follows below.")
            }
            Kind::Delayed { until } => {
                let going_on = format!("It is tried again until {}.", until.rfc5322());
                let told = "You need not send it again: if it cannot be delivered by then, you will be told.";
                format!("{going_on} {told}")
            }
            Kind::Delivered => "You asked to be told. It need not have been read.".to_owned(),
            Kind::Relayed => {
                let silent = "The host that took it does not report delivery.";
                format!("You asked to be told. {silent} You may hear no more, unless it cannot be delivered.")
            }
            Kind::Expanded => {
                "You asked to be told. The address stands for several mailboxes, which are not named."
                    .to_owned()
            }
        };
        wrap(out, "", &then);
        wrap(out, "", &format!("The administrator of {host} finds it under the number {}.", self.original));
        Ok(())
    }

    /// One recipient for people: who, what is wrong, in whose words, what to do.
    fn write_recipient(&self, out: &mut String, reported: &Reported) -> std::fmt::Result {
        let Reported { recipient, status, diagnostic, .. } = reported;
        writeln!(out, "  {}", self.shown(recipient))?;
        if matches!(self.kind, Kind::Delivered | Kind::Expanded) {
            return writeln!(out);
        }
        if *status != diagnostic.status {
            let tried = self.at.0.saturating_sub(self.arrived.0);
            wrap(out, "    ", &advice::expired(tried, *status));
        }
        let words = match &diagnostic.remote {
            Some(remote) => format!("{} said: {}", on_one_line(&remote.host, false), said(&remote.reply)),
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
        // RFC 3461 §6.3 (a): decoded, and only if there was one.
        if let Some(id) = self.envelope_id {
            fold(out, "Original-Envelope-Id", &on_one_line(id, false));
        }
        writeln!(out, "Reporting-MTA: dns; {}", self.host_name)?;
        writeln!(out, "X-Queue-ID: {}", self.original)?;
        writeln!(out, "Arrival-Date: {}", self.arrived.rfc5322())?;
        for reported in self.recipients {
            writeln!(out)?;
            self.write_recipient_fields(out, reported)?;
        }
        Ok(())
    }

    fn write_recipient_fields(&self, out: &mut String, reported: &Reported) -> std::fmt::Result {
        let Reported { recipient, original, status, diagnostic } = reported;
        // RFC 3461 §6.3 (d): only if there was one.
        if let Some(original) = original {
            writeln!(out, "Original-Recipient: {}", self.shown(&original.field(self.utf8)))?;
        }
        let last = OriginalRecipient::of(recipient).field(self.utf8);
        writeln!(out, "Final-Recipient: {}", self.shown(&last))?;
        writeln!(out, "Action: {}\nStatus: {status}", self.action())?;
        let in_a_mailbox = matches!(self.kind, Kind::Delivered | Kind::Expanded);
        match &diagnostic.remote {
            Some(remote) => {
                fold(out, "Remote-MTA", &format!("dns; {}", on_one_line(&remote.host, false)));
                fold(out, "Diagnostic-Code", &format!("smtp; {}", said(&remote.reply)));
            }
            None if in_a_mailbox => {}
            None => fold(out, "Diagnostic-Code", &format!("X-Waxseal; {}", sentence(&diagnostic.because))),
        }
        writeln!(out, "Last-Attempt-Date: {}", self.at.rfc5322())?;
        if let Kind::Delayed { until } = self.kind {
            writeln!(out, "Will-Retry-Until: {}", until.rfc5322())?;
        }
        Ok(())
    }

    /// RFC 3464 §2.3.3.
    fn action(&self) -> &'static str {
        match self.kind {
            Kind::Failed => "failed",
            Kind::Delayed { .. } => "delayed",
            Kind::Delivered => "delivered",
            Kind::Relayed => "relayed",
            Kind::Expanded => "expanded",
        }
    }

    /// Its own Message-ID.
    pub(crate) fn message_id(&self) -> String {
        format!("<{}@{}>", self.queue_id, self.host_name)
    }

    /// The original's Message-ID, if it is one that can be repeated.
    fn original_message_id(&self) -> Option<String> {
        let (Returned::Header(original) | Returned::Whole(original)) = self.returned;
        let header = Header::parse(original);
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
    let mut text = on_one_line(text, false);
    text.truncate(REPORT_DIAGNOSTIC_OCTETS_MAX);
    text
}
