//! Every bound of the protocol sessions, with its reason.

/// RFC 5321 §4.5.3.1.4 asks for 512 octets; AUTH PLAIN with long passwords and tokens wants more (RFC 4954 §4: 12,288).
pub const SMTP_COMMAND_LINE_MAX: usize = 12_288;

/// One SASL response, in base64 (RFC 4954 §4: 12,288 octets are held to be sufficient).
pub const SASL_RESPONSE_MAX: usize = 12_288;
/// One field of a response: a login, a password. RFC 4616 §2 asks for 255 octets at least; hashing costs time by length.
pub const SASL_FIELD_MAX: usize = 1_024;
