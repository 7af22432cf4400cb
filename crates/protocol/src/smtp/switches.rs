//! What a virtual server switches and bounds for its SMTP sessions, beside what its transport and sign-in say.

use std::time::Duration;

/// EHLO keywords that can be switched off. One that is off is not announced, and what it stands for is refused: its
/// parameters with 555, its command with 502. PIPELINING off is not announced and borne all the same, since a server must
/// not lose what comes early (RFC 2920 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keywords {
    /// RET, ENVID, NOTIFY and ORCPT (RFC 3461).
    pub dsn: bool,
    /// BDAT (RFC 3030 §2).
    pub chunking: bool,
    /// BODY=BINARYMIME (RFC 3030 §3); nothing without `chunking`.
    pub binarymime: bool,
    /// BODY=8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// RFC 2920.
    pub pipelining: bool,
    /// SIZE= (RFC 1870). The limit holds either way.
    pub size: bool,
    /// SMTPUTF8 (RFC 6531); nothing without `eight_bit_mime` (§3.1, point 8).
    pub smtputf8: bool,
    /// RFC 9422.
    pub limits: bool,
}

impl Keywords {
    /// All of them.
    pub const ALL: Self = Self {
        dsn: true,
        chunking: true,
        binarymime: true,
        eight_bit_mime: true,
        pipelining: true,
        size: true,
        smtputf8: true,
        limits: true,
    };

    /// RFC 3030 §3: "BINARYMIME" goes with "CHUNKING" alone.
    pub(super) fn has_binarymime(self) -> bool {
        self.binarymime && self.chunking
    }

    /// RFC 6531 §3.1: a server that announces SMTPUTF8 announces 8BITMIME, too.
    pub(super) fn has_smtputf8(self) -> bool {
        self.smtputf8 && self.eight_bit_mime
    }
}

/// Commands that can be switched off for all, or for this peer. VRFY is not among them: it is always answered (RFC 5321
/// §7.3), by the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commands {
    /// Whether EXPN is listed in the answer to EHLO. The application answers it either way.
    pub expn: bool,
    /// Whether HELP is there.
    pub help: bool,
    /// Whether VERB is: the peer is in a trusted network.
    pub verb: bool,
    /// Whether ETRN is (RFC 1985): mail is held for this peer.
    pub etrn: bool,
    /// Whether XCLIENT is: the peer may say for whom it speaks, and is believed.
    pub xclient: bool,
    /// Whether XFORWARD is: the peer may say where it has a message from, which is noted.
    pub xforward: bool,
}

impl Commands {
    /// For a stranger, where nothing is switched off.
    pub const STRANGER: Self =
        Self { expn: true, help: true, verb: false, etrn: false, xclient: false, xforward: false };
}

/// What mistakes and refusals lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errors {
    /// From so many on each reply 4yz or 5yz waits.
    pub slow: usize,
    /// So many end the connection with 421.
    pub limit: usize,
    /// How long such a reply waits.
    pub tarpit: Duration,
}

/// What one connection may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Mistakes and refusals.
    pub errors: Errors,
    /// Wrong passwords; then the connection ends.
    pub sign_in_failures_max: usize,
    /// Octets of all contents together; none: any number.
    pub session_size_max: Option<u64>,
}

impl Bounds {
    /// What virtual servers have that say nothing else.
    pub const USUAL: Self = Self {
        errors: Errors { slow: 10, limit: 20, tarpit: Duration::from_secs(1) },
        sign_in_failures_max: 5,
        session_size_max: None,
    };
}
