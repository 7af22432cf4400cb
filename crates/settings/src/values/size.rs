//! Sizes: a whole number and a unit of 1024.

use std::fmt;
use std::str::FromStr;

use super::{Wrong, number_and_unit};

/// So many octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const PROBLEM: &str = "is no size such as \"50 MiB\"";

impl FromStr for Size {
    type Err = Wrong;

    /// Reads `50 MiB`: B, KiB, MiB, GiB or TiB, with or without a blank.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (number, unit) = number_and_unit(text).ok_or_else(|| Wrong::new(PROBLEM))?;
        match UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, factor)) => {
                number.checked_mul(*factor).map(Self).ok_or_else(|| Wrong::new("is too large"))
            }
            None => Err(match likely(unit) {
                Some(unit) => Wrong::near(PROBLEM, format!("{number} {unit}")),
                None => Wrong::new(PROBLEM),
            }),
        }
    }
}

/// MB, M, mib and the like, of which nobody knows whether 1000 or 1024 is meant.
fn likely(unit: &str) -> Option<&'static str> {
    let initial = unit.chars().next()?.to_ascii_uppercase();
    let rest = unit.get(1..)?.to_ascii_lowercase();
    let known = matches!(rest.as_str(), "" | "b" | "ib" | "yte" | "ytes");
    UNITS.iter().map(|(name, _)| *name).find(|name| known && name.starts_with(initial))
}

impl fmt::Display for Size {
    /// With the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, factor): &&(&str, u64)| self.0 >= *factor && self.0.is_multiple_of(*factor);
        let (name, factor) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, expected) in [
            ("0 B", Ok(Size(0))),
            ("50 MiB", Ok(Size(50 << 20))),
            ("1GiB", Ok(Size(1 << 30))),
            ("50 MB", Err(Wrong::near(PROBLEM, "50 MiB"))),
            ("2 k", Err(Wrong::near(PROBLEM, "2 KiB"))),
            ("7 bytes", Err(Wrong::near(PROBLEM, "7 B"))),
            ("50", Err(Wrong::new(PROBLEM))),
            ("ö", Err(Wrong::new(PROBLEM))),
            ("5 ö", Err(Wrong::new(PROBLEM))),
            ("", Err(Wrong::new(PROBLEM))),
            ("-1 B", Err(Wrong::new(PROBLEM))),
            ("99999999999 TiB", Err(Wrong::new("is too large"))),
        ] {
            assert_eq!(text.parse::<Size>(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(octets: u64, unit in 0u32..5) {
            for size in [Size(octets), Size((octets >> 41) << (10 * unit).min(40))] {
                prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            }
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<Size>();
        }
    }
}
