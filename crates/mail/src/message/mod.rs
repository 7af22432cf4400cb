//! Messages: header fields and MIME structure (RFC 5322, 2045, 2046), read within budgets and without recursion.

/// What IMAP's ENVELOPE shows (RFC 3501 §7.4.2), raw: encoded words stay encoded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeFields {
    /// Date, as written.
    pub date: Option<Vec<u8>>,
    /// Subject, unfolded.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<EnvelopeAddress>,
    /// Sender; From where missing.
    pub sender: Vec<EnvelopeAddress>,
    /// Reply-To; From where missing.
    pub reply_to: Vec<EnvelopeAddress>,
    /// To.
    pub to: Vec<EnvelopeAddress>,
    /// Cc.
    pub cc: Vec<EnvelopeAddress>,
    /// Bcc.
    pub bcc: Vec<EnvelopeAddress>,
    /// In-Reply-To, as written.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, as written.
    pub message_id: Option<Vec<u8>>,
}

/// One address structure of ENVELOPE. A group starts with only `mailbox` set (its name) and ends with all empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvelopeAddress {
    /// Display name, unquoted, encoded words untouched.
    pub name: Option<Vec<u8>>,
    /// Local part.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// A MIME part: what BODYSTRUCTURE shows, and where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Part {
    /// Type, as written: `TEXT`.
    pub kind: String,
    /// Subtype, as written: `PLAIN`.
    pub subtype: String,
    /// Parameters of Content-Type.
    pub parameters: Vec<(String, Vec<u8>)>,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, upper case; `7BIT` where missing.
    pub encoding: String,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition with parameters.
    pub disposition: Option<(String, Vec<(String, Vec<u8>)>)>,
    /// Content-Language.
    pub language: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
    /// Its header, from the first field to after the empty line; offsets into the message.
    pub header: std::ops::Range<usize>,
    /// Its body.
    pub body: std::ops::Range<usize>,
    /// Lines of the body.
    pub lines: u32,
    /// Parts of a multipart; of a `message/rfc822` its one message.
    pub parts: Vec<Part>,
    /// The envelope of a `message/rfc822`'s message.
    pub envelope: Option<Box<EnvelopeFields>>,
}
