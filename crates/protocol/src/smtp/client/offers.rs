//! What a peer offers in its answer to EHLO or LHLO (RFC 5321 §4.1.1.1). What is not known is passed over.

use mail::Reply;

use crate::sasl::Offer;

/// The extensions of a peer that make a difference to us. None after HELO.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// RFC 2920.
    pub pipelining: bool,
    /// RFC 1870: the keyword is there, so SIZE= may be sent.
    pub size: bool,
    /// RFC 1870 §4: the largest message in octets, if there is a fixed one.
    pub size_max: Option<u64>,
    /// RFC 6152.
    pub eight_bit: bool,
    /// RFC 3207.
    pub starttls: bool,
    /// RFC 4954: those of its mechanisms that we speak.
    pub auth: Offer,
    /// RFC 3461.
    pub dsn: bool,
    /// RFC 6531.
    pub utf8: bool,
    /// RFC 3030 §2: BDAT.
    pub chunking: bool,
    /// RFC 3030 §3.
    pub binary: bool,
    /// RFC 9422 §4.1: transactions of one connection.
    pub mail_max: Option<usize>,
    /// RFC 9422 §4.2: recipients of one transaction.
    pub recipients_max: Option<usize>,
    /// RFC 9422 §4.3: domains of the recipients of one transaction.
    pub domains_max: Option<usize>,
}

impl Offers {
    /// Reads the reply: its first line is the peer's name.
    pub(super) fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.text.split('\n').skip(1) {
            offers.add(line.trim_end());
        }
        offers
    }

    fn add(&mut self, line: &str) {
        // `AUTH=` is how servers wrote it before RFC 2554; they still do beside the right form, for old clients.
        let (keyword, parameters) = line.split_once([' ', '=']).unwrap_or((line, ""));
        match keyword.to_ascii_uppercase().as_str() {
            "PIPELINING" => self.pipelining = true,
            "SIZE" => {
                self.size = true;
                // RFC 1870 §4: zero or no number means no fixed limit.
                self.size_max = parameters.trim().parse().ok().filter(|&size| size > 0);
            }
            "8BITMIME" => self.eight_bit = true,
            "STARTTLS" => self.starttls = true,
            "AUTH" => self.auth = Offer::of(parameters.split_ascii_whitespace()),
            "DSN" => self.dsn = true,
            "SMTPUTF8" => self.utf8 = true,
            "CHUNKING" => self.chunking = true,
            "BINARYMIME" => self.binary = true,
            "LIMITS" => parameters.split_ascii_whitespace().for_each(|limit| self.limit(limit)),
            _ => {}
        }
    }
}

impl Offers {
    /// RFC 9422 §3: `NAME=value`. What is no number, or lets nothing through, is no limit that can be obeyed.
    fn limit(&mut self, limit: &str) {
        let Some((name, value)) = limit.split_once('=') else { return };
        let value = value.parse().ok().filter(|&most| most > 0);
        match name.to_ascii_uppercase().as_str() {
            "MAILMAX" => self.mail_max = value,
            "RCPTMAX" => self.recipients_max = value,
            "RCPTDOMAINMAX" => self.domains_max = value,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read() {
        let check = |text: &'static str, expected: Offers| {
            assert_eq!(Offers::read(&Reply::plain(250, text)), expected, "{text:?}");
        };
        check("mx.example", Offers::default());
        check("PIPELINING", Offers::default());
        check("mx\npipelining\nX-UNKNOWN a\n\nHELP", Offers { pipelining: true, ..Offers::default() });
        check("mx\nSIZE", Offers { size: true, ..Offers::default() });
        check("mx\nSIZE 0", Offers { size: true, ..Offers::default() });
        check("mx\nSIZE 100 ", Offers { size: true, size_max: Some(100), ..Offers::default() });
        check("mx\nSIZE much", Offers { size: true, ..Offers::default() });
        check("mx\nAUTH NTLM login", Offers { auth: Offer::of(["LOGIN"]), ..Offers::default() });
        check("mx\nAUTH=PLAIN", Offers { auth: Offer::of(["PLAIN"]), ..Offers::default() });
        check(
            "mx\nSMTPUTF8\nCHUNKING\nBINARYMIME",
            Offers { utf8: true, chunking: true, binary: true, ..Offers::default() },
        );
        check(
            "mx\nLIMITS RCPTMAX=20 mailmax=5 RCPTDOMAINMAX=1 X=2",
            Offers { recipients_max: Some(20), mail_max: Some(5), domains_max: Some(1), ..Offers::default() },
        );
        check("mx\nLIMITS RCPTMAX=0 MAILMAX= RCPTDOMAINMAX=-1 RCPTMAX", Offers::default());
        check(
            "mx\n8BITMIME\nSTARTTLS\nDSN",
            Offers { eight_bit: true, starttls: true, dsn: true, ..Offers::default() },
        );
    }
}
