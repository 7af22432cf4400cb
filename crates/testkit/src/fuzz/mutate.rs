//! Changes to octets, the same for the same seed: a short search that any test run can make.

/// Numbers that look like chance (xorshift, 64 bits).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Octets that grammars are made of.
const TOKENS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\0",
    b"\"",
    b"\\",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b"{9}\r\n",
    b"{9+}\r\n",
    b"~{9}\r\n",
    b"*",
    b"%",
    b":",
    b",",
    b"=?utf-8?q?",
    b"4294967295",
    b"18446744073709551616",
    b"\xc3\xa4",
    b"\xfe\x00",
];

/// No input grows longer.
const LENGTH_MAX: usize = 4096;

/// A few changes of `input`; `other` is what parts may come from.
pub fn mutated(input: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut octets = input[..input.len().min(LENGTH_MAX)].to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(octets.len() + 1);
        let end = at + chance.below((octets.len() - at).min(32) + 1);
        match chance.below(6) {
            0 => drop(octets.splice(at..at, TOKENS[chance.below(TOKENS.len())].iter().copied())),
            1 => drop(octets.splice(at..end, TOKENS[chance.below(TOKENS.len())].iter().copied())),
            2 => drop(octets.drain(at..end)),
            3 => {
                let again = octets[at..end].to_vec();
                octets.splice(at..at, again);
            }
            4 if !other.is_empty() => {
                let from = chance.below(other.len());
                let to = from + chance.below((other.len() - from).min(64) + 1);
                octets.splice(at..end, other[from..to].iter().copied());
            }
            _ => {
                if let Some(octet) = octets.get_mut(at) {
                    *octet ^= 1 << chance.below(8);
                }
            }
        }
    }
    octets.truncate(LENGTH_MAX);
    octets
}
