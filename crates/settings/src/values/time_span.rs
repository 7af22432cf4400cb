//! Spans of time: a whole number and a unit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Wrong, number_and_unit};

/// A span of time, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(Duration);

/// Milliseconds, and each way to write them; the first is how it is printed, the last if there is more than one of it.
const UNITS: [(u64, &[&str]); 5] =
    [(86_400_000, &["day", "days"]), (3_600_000, &["h"]), (60_000, &["min"]), (1_000, &["s"]), (1, &["ms"])];

/// What others write, and what it is here.
const LIKELY: [(&str, &str); 12] = [
    ("d", "days"),
    ("hour", "h"),
    ("hours", "h"),
    ("hr", "h"),
    ("m", "min"),
    ("mins", "min"),
    ("minute", "min"),
    ("minutes", "min"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
];

const PROBLEM: &str = "is no span of time such as \"5 min\"";

impl TimeSpan {
    /// So many milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// As the standard library has it.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for TimeSpan {
    type Err = Wrong;

    /// Reads `5 min`: ms, s, min, h, day or days, with or without a blank.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let (number, unit) = number_and_unit(text).ok_or_else(|| Wrong::new(PROBLEM))?;
        match UNITS.iter().find(|(_, names)| names.contains(&unit)) {
            Some((factor, _)) => {
                number.checked_mul(*factor).map(Self::from_millis).ok_or_else(|| Wrong::new("is too long"))
            }
            None => Err(match LIKELY.iter().find(|(other, _)| other.eq_ignore_ascii_case(unit)) {
                Some((_, ours)) => Wrong::near(PROBLEM, format!("{number} {ours}")),
                None => Wrong::new(PROBLEM),
            }),
        }
    }
}

impl fmt::Display for TimeSpan {
    /// With the largest unit that leaves a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let fits = |(factor, _): &&(u64, &[&str])| {
            millis >= u128::from(*factor) && millis.is_multiple_of(u128::from(*factor))
        };
        let (factor, names) = UNITS.iter().find(fits).unwrap_or(&(1_000, &["s"]));
        let number = millis / u128::from(*factor);
        let name = if number == 1 { names.first() } else { names.last() };
        write!(f, "{number} {}", name.expect("each unit has a name"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read() {
        for (text, expected) in [
            ("5 min", Ok(TimeSpan::from_secs(300))),
            ("1 day", Ok(TimeSpan::from_secs(86_400))),
            ("30days", Ok(TimeSpan::from_secs(30 * 86_400))),
            ("0 s", Ok(TimeSpan::from_secs(0))),
            ("5 minutes", Err(Wrong::near(PROBLEM, "5 min"))),
            ("5 M", Err(Wrong::near(PROBLEM, "5 min"))),
            ("5", Err(Wrong::new(PROBLEM))),
            ("min", Err(Wrong::new(PROBLEM))),
            ("99999999999999 days", Err(Wrong::new("is too long"))),
        ] {
            assert_eq!(text.parse::<TimeSpan>(), expected, "{text}");
        }
    }

    #[test]
    fn spans_are_printed_with_their_largest_unit() {
        for (millis, expected) in
            [(0, "0 s"), (1, "1 ms"), (90_000, "90 s"), (86_400_000, "1 day"), (172_800_000, "2 days")]
        {
            assert_eq!(TimeSpan::from_millis(millis).to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(millis: u64, days in 0u64..100_000) {
            for span in [TimeSpan::from_millis(millis), TimeSpan::from_secs(days * 86_400)] {
                prop_assert_eq!(span.to_string().parse::<TimeSpan>(), Ok(span));
            }
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<TimeSpan>();
        }
    }
}
