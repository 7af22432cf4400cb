//! The header that GS2 put before the messages of mechanisms (RFC 5801 §4): SCRAM's and OAUTHBEARER's begin with it.

use super::prepare;
use crate::limits::SASL_FIELD_MAX;

/// gs2-header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) flag: Flag,
    /// gs2-authzid, prepared by SASLprep; empty if there is none.
    pub(super) authorization: String,
}

/// gs2-cb-flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Flag {
    /// `n`: the client cannot bind.
    ClientCannot,
    /// `y`: the client could, and takes it that we cannot.
    ServerCannot,
    /// `p=`: bound to what is so called.
    Bound(String),
}

/// `flag,authzid,`. A gs2-nonstd-flag before it belongs to mechanisms that are not ours.
pub(super) fn header(text: &str) -> Option<Header> {
    let (flag, authorization) = text.strip_suffix(',')?.split_once(',')?;
    if authorization.contains(',') {
        return None;
    }
    Some(Header {
        flag: cb_flag(flag)?,
        authorization: match authorization {
            "" => String::new(),
            given => prepare::user_name(&name(given.strip_prefix("a=")?)?)?,
        },
    })
}

fn cb_flag(text: &str) -> Option<Flag> {
    match text {
        "n" => Some(Flag::ClientCannot),
        "y" => Some(Flag::ServerCannot),
        _ => {
            let kind = text.strip_prefix("p=").filter(|kind| !kind.is_empty())?;
            let is_name = kind.bytes().all(|octet| octet.is_ascii_alphanumeric() || b".-".contains(&octet));
            is_name.then(|| Flag::Bound(kind.to_owned()))
        }
    }
}

/// saslname: `=2C` and `=3D` are comma and equals sign, and no other `=` stands in it.
pub(super) fn name(text: &str) -> Option<String> {
    if text.is_empty() || text.len() > SASL_FIELD_MAX || text.contains('\0') {
        return None;
    }
    let mut pieces = text.split('=');
    let mut name = pieces.next()?.to_owned();
    for piece in pieces {
        let (character, rest) = match piece.split_at_checked(2)? {
            ("2C", rest) => (',', rest),
            ("3D", rest) => ('=', rest),
            _ => return None,
        };
        name.push(character);
        name.push_str(rest);
    }
    Some(name)
}
