//! SMTP and LMTP: one machinery; what differs is listed in [`lmtp`](crate::lmtp).

/// Which of the two is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// RFC 5321.
    #[default]
    Smtp,
    /// RFC 2033: LHLO in the place of HELO and EHLO, and after the content one reply for each recipient.
    Lmtp,
}
