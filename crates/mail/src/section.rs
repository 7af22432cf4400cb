//! Names of parts of an email, as FETCH gives them (RFC 3501 §6.4.5).

/// A part of an email (RFC 3501 §6.4.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Section {
    /// The part's number, `1.2`; empty is the whole.
    pub part: Vec<u32>,
    /// What of it.
    pub text: SectionText,
}

/// What of a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SectionText {
    /// `[]` or `[1.2]`.
    #[default]
    Whole,
    /// HEADER
    Header,
    /// HEADER.FIELDS (...), names as the client wrote them.
    HeaderFields(Vec<String>),
    /// HEADER.FIELDS.NOT (...)
    HeaderFieldsNot(Vec<String>),
    /// TEXT
    Text,
    /// MIME
    Mime,
}
