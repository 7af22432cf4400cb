//! Rates: so many within a span of time.

use std::fmt;
use std::str::FromStr;

use super::{TimeSpan, Wrong};

/// So many within a span of time. Both are above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// Within how long.
    pub per: TimeSpan,
}

const PROBLEM: &str = "is no rate such as \"60 per min\" or \"100 per 5 min\"";

impl FromStr for Rate {
    type Err = Wrong;

    /// Reads `60 per min` and `100 per 5 min`; the units are those of a span of time.
    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong = || Wrong::near(PROBLEM, likely(text).unwrap_or_default());
        let (count, per) = text.split_once(" per ").ok_or_else(wrong)?;
        let count = count.parse().ok().filter(|&count: &u32| count > 0).ok_or_else(wrong)?;
        let per = span(per).filter(|per| !per.duration().is_zero()).ok_or_else(wrong)?;
        Ok(Self { count, per })
    }
}

/// `min` is `1 min`.
fn span(text: &str) -> Option<TimeSpan> {
    let starts_with_digit = text.starts_with(|c: char| c.is_ascii_digit());
    if starts_with_digit { text.parse().ok() } else { format!("1 {text}").parse().ok() }
}

/// `60/min`, `60 per minute` and the like.
fn likely(text: &str) -> Option<String> {
    let (count, per) = text.split_once('/').or_else(|| text.split_once(" per "))?;
    let count: u32 = count.trim().parse().ok().filter(|&count| count > 0)?;
    let unit = match per.trim() {
        "s" | "sec" | "second" => "s",
        "m" | "min" | "minute" => "min",
        "h" | "hour" => "h",
        "d" | "day" => "day",
        _ => return None,
    };
    Some(format!("{count} per {unit}"))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_string();
        write!(f, "{} per {}", self.count, per.strip_prefix("1 ").unwrap_or(&per))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("60 per min", Ok("60 per min")),
            ("60 per 1 min", Ok("60 per min")),
            ("100 per 5 min", Ok("100 per 5 min")),
            ("1 per day", Ok("1 per day")),
            ("60/min", Err("60 per min")),
            ("60 per minute", Err("60 per min")),
            ("0 per min", Err("")),
            ("5 per 0 s", Err("")),
            ("many", Err("")),
            ("", Err("")),
        ] {
            let read = text.parse::<Rate>().map(|rate| rate.to_string());
            assert_eq!(read.as_deref().map_err(|wrong| wrong.suggestion.as_str()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_the_same(count in 1u32.., secs in 1u64..1_000_000) {
            let rate = Rate { count, per: TimeSpan::from_secs(secs) };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_harms(text: String) {
            let _ = text.parse::<Rate>();
        }
    }
}
