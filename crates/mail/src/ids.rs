//! Numbers with a meaning of their own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An email's unique identifier in its mailbox (RFC 3501 §2.3.1.1): 1 to 2³²−1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Uid(pub u32);

/// A mailbox's modification sequence (RFC 7162 §3.1): 63 bits, 0 before the first change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct ModSeq(pub u64);

/// Names a transaction and its message through the whole server: 42 bits of Unix milliseconds, then a 20-bit counter,
/// so that ids sort by time. Written as 13 digits of Crockford's base 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct QueueId(pub u64);

const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 13];
        for (place, digit) in text.iter_mut().enumerate() {
            *digit = DIGITS[(self.0 >> (5 * (12 - place)) & 31) as usize];
        }
        f.pad(std::str::from_utf8(&text).expect("the digits are ASCII"))
    }
}

impl FromStr for QueueId {
    type Err = ();
    /// Takes 13 digits, upper or lower case.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() != 13 {
            return Err(());
        }
        let mut value: u64 = 0;
        for byte in text.bytes() {
            let digit = DIGITS.iter().position(|&d| d == byte.to_ascii_uppercase()).ok_or(())?;
            value = value.checked_mul(32).and_then(|v| v.checked_add(digit as u64)).ok_or(())?;
        }
        Ok(Self(value))
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ModSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_ids_survive_printing() {
        for id in [0, 1, 31, 32, 1_763_800_000_000 << 20 | 77, u64::MAX >> 1] {
            assert_eq!(QueueId(id).to_string().parse(), Ok(QueueId(id)));
        }
        assert_eq!("ZZZZZZZZZZZZZ".parse::<QueueId>(), Err(()));
        assert_eq!("short".parse::<QueueId>(), Err(()));
    }
}
