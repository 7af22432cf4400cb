//! The pauses between attempts, and when a sender is told that his message waits.

use std::str::FromStr;

use super::{TimeSpan, Wrong};
use crate::mistake::nearest;

/// An entry of a retry list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// `15 min`
    Once(TimeSpan),
    /// `then every 4 h`
    ThenEvery(TimeSpan),
}

/// A time from acceptance on, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notification(pub(crate) Option<TimeSpan>);

const THEN: &str = "then every ";
const PROBLEM: &str = "is no span of time such as \"15 min\" or \"then every 4 h\"";

impl FromStr for Pause {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        if let Some(span) = text.strip_prefix(THEN) {
            let near = |wrong: Wrong| Wrong::near(PROBLEM, prefixed(&wrong.suggestion));
            return span.parse().map(Self::ThenEvery).map_err(near);
        }
        text.parse().map(Self::Once).map_err(|wrong: Wrong| {
            let loose =
                ["then ", "every ", "and then every "].iter().find_map(|word| text.strip_prefix(word));
            match loose.and_then(|span| span.parse::<TimeSpan>().ok()) {
                Some(span) => Wrong::near(PROBLEM, prefixed(&span.to_string())),
                None => Wrong::near(PROBLEM, wrong.suggestion),
            }
        })
    }
}

fn prefixed(span: &str) -> String {
    if span.is_empty() { String::new() } else { format!("{THEN}{span}") }
}

impl FromStr for Notification {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        if text == "never" {
            return Ok(Self(None));
        }
        let problem = "is no span of time such as \"4 h\", nor never";
        text.parse().map(|span| Self(Some(span))).map_err(|wrong: Wrong| match nearest(text, ["never"]) {
            Some(never) => Wrong::near(problem, never),
            None => Wrong::near(problem, wrong.suggestion),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_are_read() {
        let near = |suggestion: &str| Err(Wrong::near(PROBLEM, suggestion));
        for (text, expected) in [
            ("15 min", Ok(Pause::Once(TimeSpan::from_secs(900)))),
            ("then every 4 h", Ok(Pause::ThenEvery(TimeSpan::from_secs(4 * 3600)))),
            ("every 4 h", near("then every 4 h")),
            ("then 4 h", near("then every 4 h")),
            ("then every 4 hours", near("then every 4 h")),
            ("15 minutes", near("15 min")),
            ("then every", near("")),
            ("then every day", near("")),
            ("", near("")),
        ] {
            assert_eq!(text.parse::<Pause>(), expected, "{text}");
        }
    }

    #[test]
    fn notifications_are_read() {
        for (text, expected) in [
            ("4 h", Ok(Some(TimeSpan::from_secs(4 * 3600)))),
            ("never", Ok(None)),
            ("Never", Err("never")),
            ("4 hours", Err("4 h")),
            ("off", Err("")),
        ] {
            let read = text.parse::<Notification>().map(|read| read.0);
            assert_eq!(
                read.as_ref().map_err(|wrong| wrong.suggestion.as_str()),
                expected.as_ref().map_err(|s| *s)
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_harms(text: String) {
            let _ = (text.parse::<Pause>(), text.parse::<Notification>());
        }
    }
}
