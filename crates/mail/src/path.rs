//! The arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3).
//!
//! Strict: the angle brackets must be there, directly where the path begins. `MAIL FROM:a@b` is refused, because what
//! belongs to the path and what to the parameters would be guesswork.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::{self, AddressError};
use crate::{Address, limits};

/// Where reports go: the argument of MAIL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ReversePath {
    /// `<>`: no report may be sent.
    Null,
    /// An address.
    Address(Address),
}

/// Where the message goes: the argument of RCPT. A source route was read and dropped (RFC 5321 §3.6.1, appendix C).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case (RFC 5321 §4.5.1).
    Postmaster,
    /// An address.
    Address(Address),
}

/// Why a text is no path. The peer has to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// It does not begin with `<`, or no `>` ends it, or something other than a space follows.
    Brackets,
    /// What stands between the brackets is no address.
    Address(AddressError),
}

impl std::error::Error for PathError {}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Brackets => f.write_str("the address must stand between angle brackets"),
            Self::Address(error) => error.fmt(f),
        }
    }
}

impl From<AddressError> for PathError {
    fn from(error: AddressError) -> Self {
        Self::Address(error)
    }
}

impl ReversePath {
    /// Reads `<>` or `<local@host>`, and nothing more.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        alone(Self::parse_prefix(text)?)
    }

    /// Reads the path at the beginning of a text and returns it with the parameters that follow, without the spaces
    /// around them.
    ///
    /// ```
    /// use mail::ReversePath;
    /// assert_eq!(ReversePath::parse_prefix("<> SIZE=10"), Ok((ReversePath::Null, "SIZE=10")));
    /// ```
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), PathError> {
        let inner = text.strip_prefix('<').ok_or(PathError::Brackets)?;
        if let Some(rest) = inner.strip_prefix('>') {
            return Ok((Self::Null, parameters(rest)?));
        }
        let (address, rest) = take_bracketed(inner)?;
        Ok((Self::Address(address), rest))
    }

    /// The address, if there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl ForwardPath {
    /// Reads `<local@host>` or `<Postmaster>`, and nothing more.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        alone(Self::parse_prefix(text)?)
    }

    /// Reads the path at the beginning of a text and returns it with the parameters that follow, without the spaces
    /// around them.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), PathError> {
        let inner = text.strip_prefix('<').ok_or(PathError::Brackets)?;
        if let Some((name, rest)) = inner.split_once('>')
            && name.eq_ignore_ascii_case("postmaster")
        {
            return Ok((Self::Postmaster, parameters(rest)?));
        }
        let (address, rest) = take_bracketed(inner)?;
        Ok((Self::Address(address), rest))
    }

    /// The address, if there is one.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Postmaster => None,
            Self::Address(address) => Some(address),
        }
    }
}

fn alone<P>((path, rest): (P, &str)) -> Result<P, PathError> {
    if rest.is_empty() { Ok(path) } else { Err(PathError::Brackets) }
}

/// What follows the opening bracket, up to the parameters.
fn take_bracketed(text: &str) -> Result<(Address, &str), PathError> {
    let (address, rest) = address::take_address(skip_source_route(text)?)?;
    let rest = rest.strip_prefix('>').ok_or(match rest {
        "" => PathError::Brackets,
        _ => PathError::Address(AddressError::Syntax),
    })?;
    Ok((address, parameters(rest)?))
}

/// `@a,@b:` is read and dropped (RFC 5321 §4.1.2: A-d-l, appendix C).
fn skip_source_route(mut text: &str) -> Result<&str, PathError> {
    if !text.starts_with('@') {
        return Ok(text);
    }
    // The whole route counts for the length of the path, which also bounds this loop.
    if text.find(':').is_some_and(|end| end > limits::PATH_OCTETS_MAX) {
        return Err(AddressError::TooLong.into());
    }
    loop {
        text = text.strip_prefix('@').ok_or(AddressError::Syntax)?;
        let (_, rest) = address::take_host(text)?;
        if let Some(rest) = rest.strip_prefix(':') {
            return Ok(rest);
        }
        text = rest.strip_prefix(',').ok_or(AddressError::Syntax)?;
    }
}

fn parameters(rest: &str) -> Result<&str, PathError> {
    if rest.is_empty() || rest.starts_with(' ') {
        Ok(rest.trim_matches(' '))
    } else {
        Err(PathError::Brackets)
    }
}

impl fmt::Display for ReversePath {
    /// With angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

impl fmt::Display for ForwardPath {
    /// With angle brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Address(address) => write!(f, "<{address}>"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_from_parameters() {
        for (text, path, rest) in [
            ("<>", "<>", ""),
            ("<> SIZE=1", "<>", "SIZE=1"),
            ("<a@b>", "<a@b>", ""),
            ("<a@b>  SIZE=1 BODY=8BITMIME ", "<a@b>", "SIZE=1 BODY=8BITMIME"),
            ("<\"a > b\"@c> X=<d>", "<\"a > b\"@c>", "X=<d>"),
            ("<\"a\\\"@> \"@c> Y", "<\"a\\\"@> \"@c>", "Y"),
            ("<@x,@y.example:a@b> Z", "<a@b>", "Z"),
            ("<@[192.0.2.1]:a@[IPv6:::1]>", "<a@[IPv6:::1]>", ""),
        ] {
            let (read, parameters) =
                ReversePath::parse_prefix(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!((read.to_string().as_str(), parameters), (path, rest));
        }
    }

    #[test]
    fn postmaster_needs_no_domain() {
        for text in ["<Postmaster>", "<postmaster>", "<POSTMASTER>"] {
            assert_eq!(ForwardPath::parse(text), Ok(ForwardPath::Postmaster));
        }
        assert_eq!(
            ForwardPath::parse_prefix("<postMaster> NOTIFY=NEVER"),
            Ok((ForwardPath::Postmaster, "NOTIFY=NEVER"))
        );
        assert!(matches!(ForwardPath::parse("<postmaster@x>"), Ok(ForwardPath::Address(_))));
        assert_eq!(ReversePath::parse("<postmaster>"), Err(PathError::Address(AddressError::NoDomain)));
    }

    #[test]
    fn what_is_no_path_says_why() {
        use AddressError::*;
        for (text, why) in [
            ("", PathError::Brackets),
            ("a@b", PathError::Brackets),
            (" <a@b>", PathError::Brackets),
            ("<a@b", PathError::Brackets),
            ("<a@b>SIZE=1", PathError::Brackets),
            ("<>x", PathError::Brackets),
            ("<a@b >", PathError::Address(Syntax)),
            ("<alice>", PathError::Address(NoDomain)),
            ("<@x>", PathError::Address(Syntax)),
            ("<@x:>", PathError::Address(Syntax)),
            ("<@x,y:a@b>", PathError::Address(Syntax)),
        ] {
            assert_eq!(ReversePath::parse_prefix(text), Err(why), "{text:?}");
        }
        assert_eq!(ForwardPath::parse("<>"), Err(PathError::Address(Syntax)));
        assert_eq!(ForwardPath::parse("<a@b> X"), Err(PathError::Brackets));
        let route = format!("<{}@x:a@b>", "@x,".repeat(100));
        assert_eq!(ForwardPath::parse(&route), Err(PathError::Address(TooLong)));
    }
}
