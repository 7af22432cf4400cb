//! Every bound of the protocol sessions, with its reason.

/// RFC 5321 §4.5.3.1.4 asks for 512 octets; AUTH PLAIN with long passwords and tokens wants more (RFC 4954 §4: 12,288).
pub const SMTP_COMMAND_LINE_MAX: usize = 12_288;
