//! SMTP replies (RFC 5321 §4.2) with enhanced codes (RFC 3463, RFC 2034).

use std::borrow::Cow;

/// Class, subject, detail (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnhancedCode(pub u8, pub u16, pub u16);

/// One reply. Its text says nothing of our insides and holds no control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 559.
    pub code: u16,
    /// None where RFC 2034 §4 has none: banner, EHLO, 354, 334.
    pub enhanced: Option<EnhancedCode>,
    /// One line, or several.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced code. Lines of `text` are separated by `\n`.
    pub fn new(code: u16, enhanced: (u8, u16, u16), text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: Some(EnhancedCode(enhanced.0, enhanced.1, enhanced.2)), text: text.into() }
    }

    /// A reply without an enhanced code.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, enhanced: None, text: text.into() }
    }

    /// 2yz or 3yz.
    pub fn is_positive(&self) -> bool {
        self.code < 400
    }
}
